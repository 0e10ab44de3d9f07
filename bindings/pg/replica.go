package pg

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
)

var isReplica = binding.Func[*Client, serverArgs, bool]{
	Name: "is_replica", Effect: binding.Reads,
	Doc:     "Whether a server is a replica (in recovery), as true or false.",
	Raises:  []fault.Kind{fault.Denied, fault.Unavailable, fault.Timeout},
	Example: `pg.is_replica { host = "203.0.113.10" }`,
	Target:  "host",
	Call:    (*Client).isReplica,
}

func (c *Client) isReplica(ctx context.Context, a serverArgs) (bool, error) {
	var recovering bool
	err := c.reading(ctx, a.Host, "", quick, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, "select pg_is_in_recovery()").Scan(&recovering)
	})
	return recovering, err
}

// Replication is how far a server is.
type Replication struct {
	Replica  bool           `lua:"replica" doc:"Whether it is a replica."`
	Position string         `lua:"position,optional" doc:"WAL position: replayed on a replica, written on a primary."`
	NewestAt *time.Time     `lua:"newest_at" doc:"Commit time of the newest transaction replayed; absent on a primary."`
	Behind   *time.Duration `lua:"behind" doc:"Age of that transaction: an upper bound of what a promotion loses. On an idle primary it grows although nothing is missing. Absent on a primary."`
}

var replication = binding.Func[*Client, serverArgs, Replication]{
	Name: "replication", Effect: binding.Reads,
	Doc:     "How far a replica has come; read it before promoting one.",
	Raises:  []fault.Kind{fault.Denied, fault.Unavailable, fault.Timeout},
	Example: `pg.replication { host = "203.0.113.10" }`,
	Target:  "host",
	Call: func(c *Client, ctx context.Context, a serverArgs) (Replication, error) {
		var r Replication
		const sql = `select pg_is_in_recovery(),
			coalesce(case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end::text, ''),
			pg_last_xact_replay_timestamp(),
			extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp())::float8`
		err := c.reading(ctx, a.Host, "", quick, func(ctx context.Context, tx pgx.Tx) error {
			var behind *float64
			if err := tx.QueryRow(ctx, sql).Scan(&r.Replica, &r.Position, &r.NewestAt, &behind); err != nil {
				return err
			}
			if !r.Replica {
				r.NewestAt = nil // a promoted server still remembers it
			} else if behind != nil {
				d := time.Duration(*behind * float64(time.Second)).Round(time.Millisecond)
				r.Behind = &d
			}
			return nil
		})
		return r, err
	},
}

type promoteArgs struct {
	Host   string        `lua:"host" doc:"Name or address of the replica, with :port when it is not the configured one."`
	Within time.Duration `lua:"within" default:"1m" doc:"How long it may take to accept writes."`
}

// Promotion is what became of a replica.
type Promotion struct {
	Primary  bool `lua:"primary" doc:"Whether it is a primary now."`
	Promoted bool `lua:"promoted" doc:"Whether this call made it one; false when it was one already."`
}

var promote = binding.Func[*Client, promoteArgs, Promotion]{
	Name: "promote", Effect: binding.Mutates,
	Doc: "Make a replica the primary and wait until it accepts writes. A primary is left as it is. " +
		"Make sure first that the old primary cannot come back: two primaries diverge.",
	Says:    "promote the replica {host}",
	Raises:  []fault.Kind{fault.Denied, fault.Unavailable, fault.Timeout},
	Example: `pg.promote { host = "203.0.113.11" }`,
	Target:  "host",
	Call:    (*Client).promote,
	Predict: func(c *Client, ctx context.Context, a promoteArgs) (Promotion, error) {
		if binding.IsPlanned(a.Host) {
			return Promotion{Primary: true, Promoted: true}, nil
		}
		replica, err := c.isReplica(ctx, serverArgs{Host: a.Host})
		return Promotion{Primary: true, Promoted: replica}, err
	},
	Settled: func(c *Client, ctx context.Context, a promoteArgs) (binding.Settlement[Promotion], error) {
		replica, err := c.isReplica(ctx, serverArgs{Host: a.Host})
		if err != nil {
			return binding.Settlement[Promotion]{}, err
		}
		if replica { // asking twice for a promotion does no harm
			return binding.Settlement[Promotion]{Landed: binding.No}, nil
		}
		return binding.Settlement[Promotion]{Landed: binding.Yes, Result: Promotion{Primary: true, Promoted: true}}, nil
	},
}

func (c *Client) promote(ctx context.Context, a promoteArgs) (Promotion, error) {
	conn, err := c.connect(ctx, a.Host, "", quick)
	if err != nil {
		return Promotion{}, err
	}
	defer closeQuietly(ctx, conn)
	op := "promote " + a.Host
	var replica bool
	if err := conn.QueryRow(ctx, "select pg_is_in_recovery()").Scan(&replica); err != nil {
		return Promotion{}, translate(err, op).NothingDone()
	}
	if !replica {
		return Promotion{Primary: true}, nil
	}
	var asked bool
	if err := conn.QueryRow(ctx, "select pg_promote(false)").Scan(&asked); err != nil {
		return Promotion{}, translate(err, op)
	}
	if !asked {
		return Promotion{}, fault.New(fault.Failed, "the server refused").WithOp("%s", op).WithHint("look at the server's log")
	}
	err = clock.Poll(ctx, c.env.Clock, a.Within, 500*time.Millisecond, func(ctx context.Context) (bool, error) {
		err := conn.QueryRow(ctx, "select pg_is_in_recovery()").Scan(&replica)
		return !replica, err
	})
	if errors.Is(err, clock.ErrExpired) {
		f := fault.New(fault.Timeout, "still in recovery after %s", a.Within).WithOp("%s", op).
			WithHint("it may still be replaying; pg.is_replica tells when it is done, and promoting again does no harm")
		f.Transient = false // it was waited for already
		return Promotion{}, f.NothingDone()
	}
	if err != nil {
		return Promotion{}, translate(err, op)
	}
	return Promotion{Primary: true, Promoted: true}, nil
}
