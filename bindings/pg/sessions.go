package pg

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

type terminateArgs struct {
	Host       string `lua:"host" doc:"Name or address of the server, with :port when it is not the configured one."`
	Database   string `lua:"database" doc:"Database whose sessions end."`
	ExceptSelf bool   `lua:"except_self" default:"true" doc:"Leave sessions of drhost itself alone."`
}

// Terminated is how many sessions were ended.
type Terminated struct {
	Sessions int64 `lua:"sessions" doc:"Sessions that were told to end."`
}

var terminateConnections = binding.Func[*Client, terminateArgs, Terminated]{
	Name: "terminate_connections", Effect: binding.Mutates,
	Doc:     "End the sessions of a database; what they had not committed is rolled back. Clients may connect again at once.",
	Says:    "end all sessions of database {database} on {host}",
	Raises:  []fault.Kind{fault.Denied, fault.NotFound, fault.Unavailable, fault.Timeout},
	Example: `pg.terminate_connections { host = "203.0.113.10", database = "webhost_prod" }`,
	Target:  "database",
	Call:    (*Client).terminateConnections,
	Predict: func(c *Client, ctx context.Context, a terminateArgs) (Terminated, error) {
		if binding.IsPlanned(a.Host) || binding.IsPlanned(a.Database) {
			return Terminated{Sessions: binding.PlannedInteger}, nil
		}
		n, err := c.sessions(ctx, a)
		return Terminated{Sessions: n}, err
	},
	Settled: func(c *Client, ctx context.Context, a terminateArgs) (binding.Settlement[Terminated], error) {
		n, err := c.sessions(ctx, a)
		if err != nil {
			return binding.Settlement[Terminated]{}, err
		}
		if n > 0 { // whoever is left may be ended again
			return binding.Settlement[Terminated]{Landed: binding.No}, nil
		}
		return binding.Settlement[Terminated]{Landed: binding.Yes}, nil
	},
}

// others selects the sessions to end. The session that asks never ends itself:
// it would lose its own answer.
const others = ` from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()
	and backend_type = 'client backend' and ($2 is false or application_name <> 'drhost')`

func (c *Client) sessions(ctx context.Context, a terminateArgs) (int64, error) {
	var n int64
	err := c.reading(ctx, a.Host, "postgres", quick, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, "select count(*)"+others, a.Database, a.ExceptSelf).Scan(&n)
	})
	return n, err
}

func (c *Client) terminateConnections(ctx context.Context, a terminateArgs) (Terminated, error) {
	conn, err := c.connect(ctx, a.Host, "postgres", quick)
	if err != nil {
		return Terminated{}, err
	}
	defer closeQuietly(ctx, conn)
	op := "end the sessions of " + a.Database
	names, err := databaseNames(ctx, conn)
	if err != nil {
		return Terminated{}, translate(err, op).NothingDone()
	}
	if !slices.Contains(names, a.Database) {
		f := fault.New(fault.NotFound, "there is no database %q on %s", a.Database, a.Host).WithOp("%s", op)
		if near := binding.Nearest(a.Database, names); near != "" {
			f = f.WithHint("did you mean %q?", near)
		}
		return Terminated{}, f
	}
	var out Terminated
	if err := conn.QueryRow(ctx, "select count(pg_terminate_backend(pid))"+others, a.Database, a.ExceptSelf).Scan(&out.Sessions); err != nil {
		return Terminated{}, translate(err, op)
	}
	return out, nil
}
