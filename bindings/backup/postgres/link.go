package postgres

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Link is a way for child processes to reach a server: a forwarded port and a
// password file that only this user can read.
type Link struct {
	server Server
	host   string
	port   int
	dir    string
	close  func()
}

// Link opens the way; close it when the children have ended.
func (w Way) Link(ctx context.Context, s Server) (*Link, error) {
	local, unforward, err := w.Net.Forward(ctx, s.Address())
	if err != nil {
		return nil, Fault(err, "open a way to "+s.Host).NothingDone()
	}
	host, portText, err := net.SplitHostPort(local)
	port, bad := strconv.Atoi(portText)
	if err = errors.Join(err, bad); err != nil {
		unforward()
		return nil, Fault(err, "open a way to "+s.Host)
	}
	dir, err := os.MkdirTemp("", "drhost-pass-") // rights 0700
	if err == nil {
		// One line: host, port, database and user match anything.
		line := "*:*:*:*:" + strings.NewReplacer(`\`, `\\`, `:`, `\:`).Replace(s.Password.Reveal()) + "\n"
		err = os.WriteFile(filepath.Join(dir, "pass"), []byte(line), 0o600)
	}
	if err != nil {
		unforward()
		os.RemoveAll(dir)
		return nil, Fault(err, "write a password file")
	}
	return &Link{server: s, host: host, port: port, dir: dir, close: unforward}, nil
}

// Parameters is a libpq connection string without password.
func (l *Link) Parameters(database string) string {
	return l.server.Parameters(database, l.host, l.port)
}

// Env is what children need in their environment.
func (l *Link) Env() []string {
	return []string{"PGPASSFILE=" + filepath.Join(l.dir, "pass"), "PGGSSENCMODE=disable", "PGCONNECT_TIMEOUT=30"}
}

// Close removes the password file and closes the port.
func (l *Link) Close() {
	os.RemoveAll(l.dir)
	l.close()
}
