package physical

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/webhost-systems/drhost/bindings/backup/postgres"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
)

// Trial is a recovered cluster that runs to be looked at.
type Trial struct {
	*postgres.Scratch
	Recovered Recovered
}

// Recovered is what a server says of itself after its recovery.
type Recovered struct {
	Replayed postgres.LSN // the end of the last record
	Commit   time.Time    // of the last transaction that was replayed, when there was one
	Timeline uint32       // the one that it is on now
}

// Try starts the server of a folder, waits until it has recovered to where it
// should, and lets look have a look. The server ends with it, by force: the
// folder is of no more use.
func (l *Laid) Try(ctx context.Context, tools postgres.Tools, clk clock.Clock, user string, look func(context.Context, *Trial) error) error {
	t := &Trial{Scratch: &postgres.Scratch{Folder: l.Folder, User: user, Tools: tools, As: l.own, Clock: clk}}
	err := t.Serve(ctx, func(ctx context.Context) error {
		conn, err := t.Connect(ctx, "postgres")
		if err != nil {
			return err
		}
		t.Recovered, err = recovered(ctx, conn)
		postgres.CloseQuietly(ctx, conn)
		if err == nil {
			err = l.judge(t.Recovered)
		}
		if err != nil {
			return err
		}
		return look(ctx, t)
	})
	if errors.Is(err, postgres.ErrNotStarted) {
		f := fault.New(fault.Failed, "the server does not recover: %s", strings.TrimPrefix(fault.As(err).Message, "the server does not start: "))
		f.Cause = err
		return f.WithHint("the message is the server's own; take another moment or another base backup, drhost backup list shows them")
	}
	return err
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
