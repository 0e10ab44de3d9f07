package pg

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/secret"
)

type followArgs struct {
	Host     string        `lua:"host" doc:"Name or address of the replica, with :port when it is not the configured one."`
	Primary  string        `lua:"primary" doc:"Name or address of the primary as the replica reaches it, with :port when it is not the configured one."`
	User     string        `lua:"user,optional" doc:"Role to replicate as; the one that it has now when left out."`
	Password secret.Value  `lua:"password,optional" doc:"Its password, a secret of the runbook; the one that it has now when left out. It stays out of the journal."`
	Slot     string        `lua:"slot,optional" doc:"Replication slot on the primary; the one that it has now when left out."`
	Within   time.Duration `lua:"within" default:"2m" doc:"How long it may take until the log streams."`
}

// Following is what a replica follows.
type Following struct {
	Primary  string `lua:"primary" doc:"Address of the primary, with its port."`
	State    string `lua:"state" doc:"streaming."`
	Slot     string `lua:"slot,optional" doc:"Replication slot that it reads."`
	Position string `lua:"position,optional" doc:"How far the log that it was sent goes."`
	Changed  bool   `lua:"changed" doc:"Whether this call pointed it there; false when it followed that primary before."`
}

var follow = binding.Func[*Client, followArgs, Following]{
	Name: "follow", Effect: binding.Mutates,
	Doc: "Point a replica at another primary and wait until it streams from there: primary_conninfo is set and loaded, nothing is restarted. What the replica " +
		"logs in with stays unless user or password are given. A replica that got further than the new primary cannot follow it: promote the one that is " +
		"furthest (pg.replication). PostgreSQL itself writes a changed setting into the server's log: a password in it as well, which a passfile on the replica avoids.",
	Says:    "let the replica {host} follow the primary {primary}",
	Raises:  []fault.Kind{fault.Denied, fault.Invalid, fault.Conflict, fault.Unavailable, fault.Timeout},
	Example: `pg.follow { host = "203.0.113.12", primary = "203.0.113.11" }`,
	Target:  "host",
	Call:    (*Client).follow,
	Predict: func(c *Client, ctx context.Context, a followArgs) (Following, error) {
		out := Following{Primary: a.Primary, State: "streaming", Slot: a.Slot, Position: binding.Planned("position of " + a.Host), Changed: true}
		if binding.IsPlanned(a.Host) || binding.IsPlanned(a.Primary) {
			return out, nil
		}
		now, err := c.receiver(ctx, a)
		if err != nil {
			return out, err
		}
		return now.result(!now.streams()), nil
	},
	Settled: func(c *Client, ctx context.Context, a followArgs) (binding.Settlement[Following], error) {
		now, err := c.receiver(ctx, a)
		if err != nil {
			return binding.Settlement[Following]{}, err
		}
		if !now.streams() { // pointing it there again does no harm
			return binding.Settlement[Following]{Landed: binding.No}, nil
		}
		return binding.Settlement[Following]{Landed: binding.Yes, Result: now.result(true)}, nil
	},
}

// receiver is what a replica is told to follow, what it shall follow, and what
// it receives from.
type receiver struct {
	set, wanted         conninfo
	slot, wantedSlot    string
	pid                 int64 // of the process that receives; 0 when there is none
	state, host, latest string
	port                int64
}

// told tells whether the replica is set up as wanted.
func (r receiver) told() bool {
	return r.set.String() == r.wanted.String() && r.slot == r.wantedSlot
}

// streams tells whether it also receives from there.
func (r receiver) streams() bool {
	return r.told() && r.state == "streaming" && r.host == r.wanted.get("host") && strconv.FormatInt(r.port, 10) == r.wanted.get("port")
}

func (r receiver) result(changed bool) Following {
	return Following{Primary: r.wanted.get("host") + ":" + r.wanted.get("port"), State: "streaming", Slot: r.wantedSlot, Position: r.latest, Changed: changed}
}

// receiver looks at the replica.
func (c *Client) receiver(ctx context.Context, a followArgs) (receiver, error) {
	var r receiver
	at, err := c.target(a.Primary, "")
	if err != nil {
		return r, err
	}
	op := fmt.Sprintf("let %s follow %s", a.Host, a.Primary)
	var replica bool
	var text, source, when string
	err = c.reading(ctx, a.Host, "", quick, func(ctx context.Context, tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `select pg_is_in_recovery(), setting, source, context, current_setting('primary_slot_name') from pg_settings where name = 'primary_conninfo'`).
			Scan(&replica, &text, &source, &when, &r.slot)
		if errors.Is(err, pgx.ErrNoRows) {
			return fault.New(fault.Denied, "the role may not see what the server follows").WithHint("GRANT pg_read_all_settings to it, or use another `user`")
		}
		if err != nil {
			return err
		}
		err = tx.QueryRow(ctx, `select pid, coalesce(status, ''), coalesce(sender_host, ''), coalesce(sender_port, 0), coalesce(pg_last_wal_receive_lsn()::text, '')
			from pg_stat_wal_receiver`).Scan(&r.pid, &r.state, &r.host, &r.port, &r.latest)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	if err != nil {
		return r, err
	}
	if err := changeable(op, a.Host, replica, source, when); err != nil {
		return r, err
	}
	if r.set, err = parseConninfo(text); err != nil {
		return r, fault.New(fault.Invalid, "primary_conninfo of %s cannot be read: %v", a.Host, err).WithOp("%s", op).WithHint("write it anew, as keyword = value pairs")
	}
	r.wanted = r.set.with("host", at.host).with("hostaddr", "").with("port", strconv.Itoa(at.port))
	r.wantedSlot = r.slot
	if a.User != "" {
		r.wanted = r.wanted.with("user", a.User)
	}
	if !a.Password.Empty() {
		r.wanted = r.wanted.with("password", a.Password.Reveal()).with("passfile", "")
	}
	if a.Slot != "" {
		r.wantedSlot = a.Slot
	}
	return r, nil
}

// changeable refuses where a changed setting would have no effect.
func changeable(op, host string, replica bool, source, when string) error {
	switch {
	case !replica:
		return fault.New(fault.Conflict, "%s is a primary: it follows nobody", host).WithOp("%s", op).
			WithHint("what was a primary becomes a replica by pg_rewind or by a new base backup, never by a setting alone")
	case source == "command line":
		return fault.New(fault.Conflict, "%s was started with primary_conninfo on its command line, which no setting overrides", host).WithOp("%s", op).
			WithHint("change it where the server is started from")
	case when != "sighup":
		return fault.New(fault.Invalid, "this version of PostgreSQL takes primary_conninfo only at its start").WithOp("%s", op).
			WithHint("from version 13 on it is taken while the server runs: change the file and restart this one")
	}
	return nil
}

func (c *Client) follow(ctx context.Context, a followArgs) (Following, error) {
	op := fmt.Sprintf("let %s follow %s", a.Host, a.Primary)
	now, err := c.receiver(ctx, a)
	if err != nil {
		return Following{}, fault.As(err).NothingDone()
	}
	if now.streams() {
		return now.result(false), nil
	}
	if err := c.fitting(ctx, op, a, now); err != nil {
		return Following{}, err
	}
	before := now.pid
	if now.told() {
		before = 0 // it tries already: whatever receives next is right
	} else if err := c.point(ctx, op, a.Host, now); err != nil {
		return Following{}, err
	}
	err = clock.Poll(ctx, c.env.Clock, a.Within, 500*time.Millisecond, func(ctx context.Context) (bool, error) {
		seen, err := c.receiver(ctx, a)
		if err == nil {
			now = seen
		} else if f := fault.As(err); !f.Transient {
			return false, err
		}
		return err == nil && now.streams() && now.pid != before, nil
	})
	if errors.Is(err, clock.ErrExpired) {
		f := fault.New(fault.Timeout, "it is set up and does not stream from there after %s", a.Within).WithOp("%s", op).
			WithHint("usually the primary turns the replica away (password, pg_hba.conf, a replication slot that is not there), or the replica got further than the " +
				"primary and needs pg_rewind or a new base backup: the log of the replica says which")
		f.Transient = false // it was waited for already
		return Following{}, f
	}
	if err != nil {
		return Following{}, translate(err, op)
	}
	return now.result(true), nil
}

// fitting looks at the primary, when it can be reached from here, for what
// would keep the replica from ever following it.
func (c *Client) fitting(ctx context.Context, op string, a followArgs, r receiver) error {
	var there, here int64
	var slot bool
	identity := func(host string, id *int64) error {
		return c.reading(ctx, host, "", quick, func(ctx context.Context, tx pgx.Tx) error {
			return tx.QueryRow(ctx, "select system_identifier, exists (select from pg_replication_slots where slot_name = $1) from pg_control_system()", r.wantedSlot).Scan(id, &slot)
		})
	}
	if err := identity(a.Host, &here); err != nil {
		return fault.As(err).NothingDone()
	}
	if err := identity(a.Primary, &there); err != nil {
		binding.Progress(ctx, "%s: the primary does not answer from here (%s); the replica may reach it all the same", op, fault.As(err).Message)
		return nil
	}
	switch {
	case here != there:
		return fault.New(fault.Conflict, "%s is no copy of %s: they were made by different initdb", a.Host, a.Primary).WithOp("%s", op).
			WithHint("a new base backup of %s makes a replica of it", a.Primary)
	case r.wantedSlot != "" && !slot:
		return fault.New(fault.Conflict, "%s has no replication slot %q", a.Primary, r.wantedSlot).WithOp("%s", op).
			WithHint("make it there: pg.execute with select pg_create_physical_replication_slot('%s')", r.wantedSlot)
	}
	return nil
}

// point changes the settings and loads them. Setting the same again does no
// harm, so whatever is lost on the way may be done once more.
func (c *Client) point(ctx context.Context, op, host string, r receiver) error {
	conn, err := c.connect(ctx, host, "", quick)
	if err != nil {
		return err
	}
	defer closeQuietly(ctx, conn)
	// A log of all statements would have the password otherwise, and may lie
	// elsewhere. A role that may not change these leaves it to the server.
	for _, quiet := range []string{"set log_statement = 'none'", "set log_min_error_statement = 'panic'", "set log_min_duration_statement = -1"} {
		_, _ = conn.Exec(ctx, quiet)
	}
	statements := []string{"alter system set primary_conninfo = " + literal(r.wanted.String())}
	if r.slot != r.wantedSlot {
		statements = append(statements, "alter system set primary_slot_name = "+literal(r.wantedSlot))
	}
	for _, sql := range append(statements, "select pg_reload_conf()") {
		if _, err := conn.PgConn().Exec(ctx, sql).ReadAll(); err != nil {
			return translate(err, op)
		}
	}
	return nil
}
