package pg

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// grace is added to the server's own limit, so that its answer ("cancelled,
// nothing was done") arrives before the client gives up on it.
const grace = 3 * time.Second

type queryArgs struct {
	Host     string        `lua:"host" doc:"Name or address of the server, with :port when it is not the configured one."`
	Database string        `lua:"database,optional" doc:"Database to ask; that of the settings when not given."`
	SQL      string        `lua:"sql" doc:"One statement; $1, $2 stand for the values of params."`
	Params   []any         `lua:"params,optional" doc:"Values for $1, $2 and so on."`
	Limit    int           `lua:"limit" default:"1000" doc:"More rows than this are an error, not a surprise: the answer goes into the journal."`
	Within   time.Duration `lua:"within" default:"30s" doc:"How long the statement may run."`
}

var query = binding.Func[*Client, queryArgs, []map[string]any]{
	Name: "query", Effect: binding.Reads,
	Doc: "Ask a database. The statement runs in a read-only transaction, so it cannot change data. " +
		"Each row is a table by column name; a NULL is absent, also inside arrays and JSON, where it leaves a gap; " +
		"numbers that do not fit a Lua number exactly come as text.",
	Raises:  []fault.Kind{fault.NotFound, fault.Denied, fault.Invalid, fault.Unavailable, fault.Timeout, fault.Exhausted},
	Example: `pg.query { host = "203.0.113.10", database = "webhost_prod", sql = "select count(*) as n from customers where plan = $1", params = { "hobby" } }`,
	Target:  "host",
	Call:    (*Client).query,
}

func (c *Client) query(ctx context.Context, a queryArgs) ([]map[string]any, error) {
	var out []map[string]any
	err := c.reading(ctx, a.Host, a.Database, a.Within, func(ctx context.Context, tx pgx.Tx) error {
		params := parameters(a.Params)
		if err := fits(ctx, tx.Conn(), a.SQL, params); err != nil {
			return err
		}
		arguments := append([]any{pgx.QueryResultFormats{pgx.TextFormatCode}}, params...)
		rows, err := tx.Query(ctx, a.SQL, arguments...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if len(out) >= a.Limit {
				return fault.New(fault.Invalid, "there are more than %d rows", a.Limit).WithHint("narrow the statement, or raise `limit`")
			}
			r, err := row(tx.Conn().TypeMap(), rows.FieldDescriptions(), rows.RawValues())
			if err != nil {
				return err
			}
			out = append(out, r)
		}
		return rows.Err()
	})
	return out, err
}

// reading runs do in a read-only transaction on one snapshot.
func (c *Client) reading(ctx context.Context, host, database string, within time.Duration, do func(context.Context, pgx.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, within+grace+c.set.ConnectTimeout)
	defer cancel()
	conn, err := c.connect(ctx, host, database, within)
	if err != nil {
		return err
	}
	defer closeQuietly(ctx, conn)
	op := "query " + host
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return translate(err, op)
	}
	// Nothing was written: closing the connection ends the transaction.
	if err := do(ctx, tx); err != nil {
		return translate(err, op)
	}
	return nil
}

type executeArgs struct {
	Host     string        `lua:"host" doc:"Name or address of the server, with :port when it is not the configured one."`
	Database string        `lua:"database,optional" doc:"Database to change; that of the settings when not given."`
	SQL      string        `lua:"sql" doc:"The statement; several, separated by semicolons, only without params, and they happen together or not at all."`
	Params   []any         `lua:"params,optional" doc:"Values for $1, $2 and so on."`
	Within   time.Duration `lua:"within" default:"5m" doc:"How long it may run; the server cancels it then."`
}

// Executed is what became of a statement.
type Executed struct {
	Command string `lua:"command" doc:"What the server says it did: INSERT 0 3."`
	Rows    int64  `lua:"rows" doc:"Rows it touched, over all statements."`
}

var execute = binding.Func[*Client, executeArgs, Executed]{
	Name: "execute", Effect: binding.Mutates,
	Doc: "Run a statement that changes data. It is never sent twice: when its answer is lost, a person has to look, " +
		"because only the author of the statement knows how to tell.",
	Says:    "run {sql} on {host}, database {database}",
	Raises:  []fault.Kind{fault.NotFound, fault.Denied, fault.Invalid, fault.Conflict, fault.Unavailable, fault.Timeout, fault.Exhausted},
	Example: `pg.execute { host = "203.0.113.10", database = "webhost_prod", sql = "update customers set plan = $1 where id = $2", params = { "hobby", 17 } }`,
	Target:  "host",
	Call:    (*Client).execute,
	Predict: func(_ *Client, _ context.Context, a executeArgs) (Executed, error) {
		return Executed{Command: binding.Planned("the server's answer"), Rows: binding.PlannedInteger}, nil
	},
	Settled: func(_ *Client, _ context.Context, a executeArgs) (binding.Settlement[Executed], error) {
		return binding.Settlement[Executed]{Look: fmt.Sprintf("see in %s whether the statement took effect; it ran in one transaction, so it did wholly or not at all", a.Host)}, nil
	},
}

func (c *Client) execute(ctx context.Context, a executeArgs) (Executed, error) {
	ctx, cancel := context.WithTimeout(ctx, a.Within+grace+c.set.ConnectTimeout)
	defer cancel()
	conn, err := c.connect(ctx, a.Host, a.Database, a.Within)
	if err != nil {
		return Executed{}, err
	}
	defer closeQuietly(ctx, conn)
	op := "run a statement on " + a.Host
	if len(a.Params) > 0 {
		params := parameters(a.Params)
		if err := fits(ctx, conn, a.SQL, params); err != nil {
			return Executed{}, translate(err, op)
		}
		tag, err := conn.Exec(ctx, a.SQL, params...)
		if err != nil {
			return Executed{}, translate(err, op)
		}
		return Executed{Command: tag.String(), Rows: tag.RowsAffected()}, nil
	}
	var out Executed
	finished := 0
	results := conn.PgConn().Exec(ctx, a.SQL)
	for results.NextResult() {
		tag, err := results.ResultReader().Close()
		if err != nil {
			break // Close of results returns it
		}
		finished++
		out.Command, out.Rows = tag.String(), out.Rows+tag.RowsAffected()
	}
	if err := results.Close(); err != nil {
		f := translate(err, op)
		if finished > 0 {
			f.Sent = fault.Unclear // the text may have held a COMMIT of its own
		}
		return Executed{}, f
	}
	return out, nil
}
