package physical

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/webhost-systems/drhost/bindings/backup/postgres"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
)

// Trial is a recovered cluster that runs to be looked at: on a socket that only
// its owner reaches, without the settings that it was copied with, and without
// a way to run anything.
type Trial struct {
	Socket    string // folder of the socket
	User      string
	Recovered Recovered
	tools     postgres.Tools
	as        *syscall.Credential
}

// Recovered is what a server says of itself after its recovery.
type Recovered struct {
	Replayed postgres.LSN // the end of the last record
	Commit   time.Time    // of the last transaction that was replayed, when there was one
	Timeline uint32       // the one that it is on now
}

const trialPort = 5432 // the name of a socket; nothing listens on it

// Try starts the server of a folder, waits until it has recovered to where it
// should, and lets look have a look. The server ends with it, by force: the
// folder is of no more use.
func (l *Laid) Try(ctx context.Context, tools postgres.Tools, clk clock.Clock, user string, look func(context.Context, *Trial) error) (err error) {
	socket, err := os.MkdirTemp("", "drhost-pg-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(socket)) }()
	if l.own != nil {
		if err := os.Chown(socket, int(l.own.Uid), int(l.own.Gid)); err != nil {
			return err
		}
	}
	settings, err := l.trialSettings(socket)
	if err != nil {
		return err
	}
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		ended <- (postgres.Child{Program: tools.Path("postgres"), Args: append([]string{"-D", l.Folder}, settings...), Dir: "/", As: l.own}).Run(inner)
	}()
	defer func() {
		// Its children would outlive a server that is killed, if not for long.
		halt, done := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer done()
		_ = postgres.Child{Program: tools.Path("pg_ctl"), Args: []string{"-D", l.Folder, "-m", "immediate", "-w", "-t", "8", "stop"}, Dir: "/", As: l.own}.Run(halt)
		cancel()
		<-ended
	}()
	t := &Trial{Socket: socket, User: user, tools: tools, as: l.own}
	if err := t.await(ctx, clk, ended); err != nil {
		return err
	}
	if err := l.judge(t.Recovered); err != nil {
		return err
	}
	return look(ctx, t)
}

// trialSettings go before everything that the folder says: its own files are
// not even read, but for postgresql.auto.conf, which what is said here outdoes.
func (l *Laid) trialSettings(socket string) ([]string, error) {
	for name, text := range map[string]string{"postgresql.conf": "", "pg_ident.conf": "", "pg_hba.conf": "local all all trust\n"} {
		if err := os.WriteFile(filepath.Join(socket, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	set := []string{"config_file=" + filepath.Join(socket, "postgresql.conf"), "hba_file=" + filepath.Join(socket, "pg_hba.conf"), "ident_file=" + filepath.Join(socket, "pg_ident.conf"),
		"listen_addresses=", "unix_socket_directories=" + socket, "unix_socket_permissions=0700", "port=" + strconv.Itoa(trialPort), "external_pid_file=" + filepath.Join(socket, "pid"),
		"restore_command=false", "archive_mode=off", "archive_command=", "archive_library=", "archive_cleanup_command=", "recovery_end_command=",
		"shared_preload_libraries=", "session_preload_libraries=", "local_preload_libraries=", "ssl=off", "logging_collector=off", "log_destination=stderr",
		"hot_standby=off", "fsync=off", "full_page_writes=off", "autovacuum=off", "max_connections=10", "shared_buffers=128MB", "max_wal_size=4GB",
		"primary_conninfo=", "primary_slot_name=", "synchronous_standby_names=", "huge_pages=off", "dynamic_shared_memory_type=mmap"}
	var out []string
	for _, s := range set {
		out = append(out, "-c", s)
	}
	return out, nil
}

// Connect opens a connection to a database of the trial.
func (t *Trial) Connect(ctx context.Context, database string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(fmt.Sprintf("host='%s' port=%d user='%s' dbname='postgres' sslmode=disable target_session_attrs=any passfile=''", t.Socket, trialPort, t.User))
	if err != nil {
		return nil, err
	}
	config.Database = database
	return pgx.ConnectConfig(ctx, config)
}

// await waits until the server has recovered, or ended.
func (t *Trial) await(ctx context.Context, clk clock.Clock, ended chan error) error {
	for {
		conn, err := t.Connect(ctx, "postgres")
		if err == nil {
			defer postgres.CloseQuietly(ctx, conn)
			t.Recovered, err = recovered(ctx, conn)
			return err
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
			return refusedToStart(err)
		default:
		}
		if err := clk.Sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

func refusedToStart(err error) error {
	f := fault.New(fault.Failed, "the server does not recover: %s", fault.As(err).Message)
	f.Cause = err
	return f
}

// recovered asks a server that has recovered how far it came.
func recovered(ctx context.Context, conn *pgx.Conn) (r Recovered, err error) {
	var replayed string
	var commit *time.Time
	var timeline int64
	err = conn.QueryRow(ctx, `select coalesce(pg_last_wal_replay_lsn()::text, '0/0'), pg_last_xact_replay_timestamp(),
		('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint`).Scan(&replayed, &commit, &timeline)
	if err != nil {
		return r, err
	}
	if commit != nil {
		r.Commit = commit.UTC()
	}
	r.Timeline = uint32(timeline)
	r.Replayed, err = postgres.ParseLSN(replayed)
	return r, err
}

// judge refuses a server that stopped anywhere else than it should have.
func (l *Laid) judge(r Recovered) error {
	if !l.Stop.reached(r.Replayed) {
		return fault.New(fault.Failed, "the server recovered to %s, not to %s as it should have", r.Replayed, l.Stop.At).
			WithHint("do not use it: what it holds is not what was asked for")
	}
	return nil
}
