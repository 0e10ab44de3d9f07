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

type readyArgs struct {
	Host     string `lua:"host" doc:"Name or address of the server, with :port when it is not the configured one."`
	Database string `lua:"database,optional" doc:"Database that has to answer; that of the settings when not given."`
}

// Readiness says whether a server answers.
type Readiness struct {
	OK     bool   `lua:"ok" doc:"Whether it accepts a login and answers a statement."`
	Reason string `lua:"reason,optional" doc:"Why not."`
}

var ready = binding.Func[*Client, readyArgs, Readiness]{
	Name: "ready", Effect: binding.Reads,
	Doc:     "Try once whether a database answers. A server that is down, hung or starting is an answer, not a fault; only wrong settings raise.",
	Raises:  []fault.Kind{fault.Invalid},
	Example: `pg.ready { host = "203.0.113.10", database = "webhost_prod" }`,
	Target:  "host",
	Call: func(c *Client, ctx context.Context, a readyArgs) (Readiness, error) {
		err := c.answers(ctx, a.Host, a.Database)
		if err == nil {
			return Readiness{OK: true}, nil
		}
		f := fault.As(err)
		if f.Kind == fault.Invalid || f.Kind == fault.Cancelled || f.Kind == fault.Internal {
			return Readiness{}, err
		}
		return Readiness{Reason: f.Message}, nil
	},
}

// answers returns nil when the database accepts a login and answers.
func (c *Client) answers(ctx context.Context, host, database string) error {
	conn, err := c.connect(ctx, host, database, 5*time.Second)
	if err != nil {
		return err
	}
	defer closeQuietly(ctx, conn)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var one int
	if err := conn.QueryRow(ctx, "select 1").Scan(&one); err != nil {
		return translate(err, "ask "+host)
	}
	return nil
}

type waitReadyArgs struct {
	Host     string        `lua:"host" doc:"Name or address of the server, with :port when it is not the configured one."`
	Database string        `lua:"database,optional" doc:"Database that has to answer; that of the settings when not given."`
	Within   time.Duration `lua:"within" default:"5m" doc:"How long to wait."`
}

// Waited says how long a wait took.
type Waited struct {
	Elapsed time.Duration `lua:"elapsed" doc:"How long it took."`
}

var waitReady = binding.Func[*Client, waitReadyArgs, Waited]{
	Name: "wait_ready", Effect: binding.Reads,
	Doc:     "Wait until a database answers. A wrong password or an unknown database ends the wait at once: time does not heal them.",
	Raises:  []fault.Kind{fault.Timeout, fault.Denied, fault.NotFound, fault.Invalid},
	Example: `pg.wait_ready { host = "203.0.113.10", database = "webhost_prod", within = "5m" }`,
	Target:  "host",
	Call:    (*Client).waitReady,
}

func (c *Client) waitReady(ctx context.Context, a waitReadyArgs) (Waited, error) {
	ctx, meter := clock.WithMeter(ctx)
	start := c.env.Clock.Now()
	var last *fault.Fault
	err := clock.Poll(ctx, c.env.Clock, a.Within, time.Second, func(ctx context.Context) (bool, error) {
		err := c.answers(ctx, a.Host, a.Database)
		if err == nil {
			return true, nil
		}
		last = fault.As(err)
		if !last.Transient {
			return false, err
		}
		binding.Progress(ctx, "waiting for PostgreSQL on %s: %s", a.Host, last.Message)
		return false, nil
	})
	elapsed := c.env.Clock.Now().Sub(start) + meter.Total()
	if errors.Is(err, clock.ErrExpired) {
		f := fault.New(fault.Timeout, "not ready within %s; last: %s", a.Within, last.Message).
			WithOp("wait for PostgreSQL on %s", a.Host).WithHint("look at the server's log, or raise `within`")
		f.Transient = false // it was waited for already
		return Waited{}, f
	}
	if err != nil {
		return Waited{}, translate(err, "wait for PostgreSQL on "+a.Host)
	}
	return Waited{Elapsed: elapsed.Round(time.Millisecond)}, nil
}

type serverArgs struct {
	Host string `lua:"host" doc:"Name or address of the server, with :port when it is not the configured one."`
}

// Version is what a server runs.
type Version struct {
	Major int    `lua:"major" doc:"Major version: 15."`
	Full  string `lua:"full" doc:"As the server prints it: 15.14."`
}

var version = binding.Func[*Client, serverArgs, Version]{
	Name: "version", Effect: binding.Reads,
	Doc:     "The version of PostgreSQL that a server runs.",
	Raises:  []fault.Kind{fault.Denied, fault.Unavailable, fault.Timeout},
	Example: `pg.version { host = "203.0.113.10" }`,
	Target:  "host",
	Call: func(c *Client, ctx context.Context, a serverArgs) (Version, error) {
		var v Version
		err := c.reading(ctx, a.Host, "", quick, func(ctx context.Context, tx pgx.Tx) error {
			return tx.QueryRow(ctx, "select current_setting('server_version_num')::int / 10000, current_setting('server_version')").Scan(&v.Major, &v.Full)
		})
		return v, err
	},
}

// quick is the limit of questions to the catalogue.
const quick = 30 * time.Second

var databases = binding.Func[*Client, serverArgs, []string]{
	Name: "databases", Effect: binding.Reads,
	Doc:     "Names of the databases of a server, without its templates.",
	Raises:  []fault.Kind{fault.Denied, fault.Unavailable, fault.Timeout},
	Example: `pg.databases { host = "203.0.113.10" }`,
	Target:  "host",
	Call: func(c *Client, ctx context.Context, a serverArgs) ([]string, error) {
		var names []string
		err := c.reading(ctx, a.Host, "", quick, func(ctx context.Context, tx pgx.Tx) (err error) {
			names, err = databaseNames(ctx, tx)
			return err
		})
		return names, err
	},
}

// asker is a connection or a transaction.
type asker interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func databaseNames(ctx context.Context, on asker) ([]string, error) {
	rows, err := on.Query(ctx, "select datname from pg_database where not datistemplate order by datname")
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
