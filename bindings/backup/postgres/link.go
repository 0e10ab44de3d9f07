package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Link is a way for child processes to reach a server: a forwarded port and a
// password file that only this user can read and that, on Linux, does not
// outlive drhost, also when it is killed.
type Link struct {
	server   Server
	host     string
	port     int
	password password
	close    func()
}

// password is a file that children read: one that they are given, or one with
// a path.
type password struct {
	file   *os.File
	path   string
	remove func()
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
	// One line: host, port, database and user match anything.
	line := "*:*:*:*:" + strings.NewReplacer(`\`, `\\`, `:`, `\:`).Replace(s.Password.Reveal()) + "\n"
	password, err := passwordFile(line)
	if err != nil {
		unforward()
		return nil, Fault(err, "write a password file")
	}
	return &Link{server: s, host: host, port: port, password: password, close: unforward}, nil
}

// Parameters is a libpq connection string without password.
func (l *Link) Parameters(database string) string {
	return l.server.Parameters(database, l.host, l.port)
}

// Child is k with what it needs to come through the link.
func (l *Link) Child(k Child) Child {
	path := l.password.path
	if f := l.password.file; f != nil {
		path = fmt.Sprintf("/proc/self/fd/%d", 3+len(k.Files))
		k.Files = append(slices.Clip(k.Files), f)
	}
	k.Env = append(slices.Clip(k.Env), "PGPASSFILE="+path, "PGGSSENCMODE=disable", "PGCONNECT_TIMEOUT=30")
	return k
}

// Close removes the password file and closes the port.
func (l *Link) Close() {
	l.password.remove()
	l.close()
}
