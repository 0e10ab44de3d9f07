package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
)

// Scratch is a server of our own that runs to be looked at: on a socket that
// only its owner reaches, without the settings that its folder came with, and
// without a way to run anything. Its folder is of no more use afterwards.
type Scratch struct {
	Folder string              // the data folder
	Socket string              // folder of the socket, while it runs
	User   string              // a superuser of it
	Tools  Tools               // postgres and pg_ctl; initdb to Make one, pg_amcheck to Amcheck
	As     *syscall.Credential // as whom it runs; as drhost when nil
	Clock  clock.Clock
}

const scratchPort = 5432 // the name of a socket; nothing listens on it

// Make makes an empty cluster in Folder.
func (s *Scratch) Make(ctx context.Context) error {
	return Child{Program: s.Tools.Path("initdb"), Dir: "/", As: s.As,
		Args: []string{"--no-sync", "--pgdata=" + s.Folder, "--username=" + s.User, "--auth=trust", "--encoding=UTF8", "--locale=C"}}.Run(ctx)
}

// Serve starts the server, waits until it answers, and lets look have a look.
// The server ends with it, by force. ErrNotStarted says that it never answered.
func (s *Scratch) Serve(ctx context.Context, look func(context.Context) error) (err error) {
	if s.Socket, err = TempFolder("", "drhost-pg-", s.As); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(s.Socket)) }()
	settings, err := s.settings()
	if err != nil {
		return err
	}
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		ended <- (Child{Program: s.Tools.Path("postgres"), Args: append([]string{"-D", s.Folder}, settings...), Dir: "/", As: s.As}).Run(inner)
	}()
	defer func() {
		// Its children would outlive a server that is killed, if not for long.
		halt, done := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer done()
		_ = Child{Program: s.Tools.Path("pg_ctl"), Args: []string{"-D", s.Folder, "-m", "immediate", "-w", "-t", "8", "stop"}, Dir: "/", As: s.As}.Run(halt)
		cancel()
		<-ended
	}()
	if err := s.await(ctx, ended); err != nil {
		return err
	}
	return look(ctx)
}

// settings go before everything that the folder says: its own files are not
// even read, but for postgresql.auto.conf, which what is said here outdoes.
func (s *Scratch) settings() ([]string, error) {
	for name, text := range map[string]string{"postgresql.conf": "", "pg_ident.conf": "", "pg_hba.conf": "local all all trust\n"} {
		if err := os.WriteFile(filepath.Join(s.Socket, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	set := []string{"config_file=" + filepath.Join(s.Socket, "postgresql.conf"), "hba_file=" + filepath.Join(s.Socket, "pg_hba.conf"), "ident_file=" + filepath.Join(s.Socket, "pg_ident.conf"),
		"listen_addresses=", "unix_socket_directories=" + s.Socket, "unix_socket_permissions=0700", "port=" + strconv.Itoa(scratchPort), "external_pid_file=" + filepath.Join(s.Socket, "pid"),
		"restore_command=false", "archive_mode=off", "archive_command=", "archive_library=", "archive_cleanup_command=", "recovery_end_command=",
		"shared_preload_libraries=", "session_preload_libraries=", "local_preload_libraries=", "ssl=off", "logging_collector=off", "log_destination=stderr",
		"hot_standby=off", "fsync=off", "full_page_writes=off", "autovacuum=off", "max_connections=20", "shared_buffers=128MB", "max_wal_size=4GB",
		"primary_conninfo=", "primary_slot_name=", "synchronous_standby_names=", "huge_pages=off", "dynamic_shared_memory_type=mmap"}
	var out []string
	for _, one := range set {
		out = append(out, "-c", one)
	}
	return out, nil
}

// Connect opens a connection to a database of the server.
func (s *Scratch) Connect(ctx context.Context, database string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(fmt.Sprintf("host='%s' port=%d user='%s' dbname='postgres' sslmode=disable target_session_attrs=any passfile=''", s.Socket, scratchPort, s.User))
	if err != nil {
		return nil, err
	}
	config.Database = database
	return pgx.ConnectConfig(ctx, config)
}

// ErrNotStarted is the cause of a fault that says that the server ended before
// it answered.
var ErrNotStarted = errors.New("the server did not start")

// await waits until the server answers, or ended.
func (s *Scratch) await(ctx context.Context, ended chan error) error {
	for {
		conn, err := s.Connect(ctx, "postgres")
		if err == nil {
			CloseQuietly(ctx, conn)
			return nil
		}
		var pe *pgconn.PgError
		if errors.As(err, &pe) && pe.Code != "57P03" { // else it is starting up
			return err
		}
		select {
		case err := <-ended:
			ended <- err
			if err == nil {
				err = fault.New(fault.Failed, "the server ended by itself")
			}
			f := fault.New(fault.Failed, "the server does not start: %s", fault.As(err).Message)
			f.Cause = errors.Join(ErrNotStarted, err)
			return f
		default:
		}
		// Real work is waited for, which no drill's speed shortens.
		if err := (clock.System{}).Sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

// Way leads to the server and nowhere else, for what usually works with a
// server of somebody else's; Server is how it is called there.
func (s *Scratch) Way() Way {
	return Way{Net: socket(s.Socket), Clock: s.Clock, ConnectTimeout: 30 * time.Second}
}

// Server is who logs in.
func (s *Scratch) Server() Server {
	return Server{Host: s.Socket, Port: scratchPort, User: s.User, SSLMode: "disable"}
}

// socket is a network in which there is nothing but one server's socket.
type socket string

func (s socket) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", filepath.Join(string(s), ".s.PGSQL."+strconv.Itoa(scratchPort)))
}

func (s socket) LookupHost(context.Context, string) ([]string, error) {
	return []string{string(s)}, nil
}
func (s socket) Transport() http.RoundTripper { return nil }

// Forward need not forward: programs of PostgreSQL take a socket's folder for a
// host.
func (s socket) Forward(context.Context, string) (string, func(), error) {
	return net.JoinHostPort(string(s), strconv.Itoa(scratchPort)), func() {}, nil
}

var _ binding.Network = socket("")

// Amcheck reads every table and index of a database with pg_amcheck. The
// program needs an extension there, which it makes; the cluster is thrown away.
func (s *Scratch) Amcheck(ctx context.Context, database string) error {
	args := []string{"--host=" + s.Socket, "--port=" + strconv.Itoa(scratchPort), "--username=" + s.User, "--no-password", "--install-missing", "--jobs=2", "--database=" + database}
	var said strings.Builder
	err := Child{Program: s.Tools.Path("pg_amcheck"), Args: args, Dir: "/", As: s.As, Out: &said, Env: []string{"PGSSLMODE=disable"}}.Run(ctx)
	if err != nil && ctx.Err() == nil {
		line, _, _ := strings.Cut(strings.TrimSpace(said.String()), "\n")
		if line == "" {
			line = fault.As(err).Message
		}
		return fault.New(fault.Failed, "pg_amcheck finds the database %s damaged as it came back: %s", database, line).
			WithHint("run pg_amcheck on the server that was backed up: if it finds the same there, the data is damaged and not the backup; else take another backup")
	}
	return err
}
