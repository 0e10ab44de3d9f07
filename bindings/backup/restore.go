package backup

import (
	"context"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/logical"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

type restoreArgs struct {
	ID       string        `lua:"id" doc:"Backup to restore, from backup.newest or backup.list."`
	Host     string        `lua:"host" doc:"Server to restore on, with :port when it is not the configured one."`
	Database string        `lua:"database,optional" doc:"Name it gets; that of the backup when not given."`
	Table    string        `lua:"table,optional" doc:"Only this table, \"customers\" or \"audit.log\": it comes back under another name, beside the present one."`
	Jobs     int           `lua:"jobs" default:"2" doc:"How many tables and indexes are built at once."`
	Replace  bool          `lua:"replace" default:"false" doc:"Whether a database that holds tables may be replaced. It is kept under another name."`
	Within   time.Duration `lua:"within" default:"4h" doc:"How long it may take."`
}

// Restored is what came back.
type Restored struct {
	Database string           `lua:"database" doc:"Its name."`
	Until    time.Time        `lua:"data_until" doc:"Up to when its data reaches: what came later is lost."`
	Table    string           `lua:"table,optional" doc:"Name under which the one table came back that was asked for."`
	Rows     int64            `lua:"rows" doc:"Rows in all tables, as many as the backup had."`
	Tables   map[string]int64 `lua:"tables" doc:"Rows by table."`
	Kept     string           `lua:"kept,optional" doc:"Name under which the replaced database still exists."`
	Roles    []string         `lua:"roles" doc:"Roles that were made because they were missing; they have no password yet."`
	Warnings []string         `lua:"warnings" doc:"What is not as it was: owners, sort order."`
	Elapsed  time.Duration    `lua:"elapsed" doc:"How long it took."`
}

var restore = binding.Func[*Client, restoreArgs, Restored]{
	Name: "restore", Effect: binding.Mutates,
	Doc: "Restore a database. The backup and the key to it are checked first; it is restored beside, its rows and content are compared with the manifest, and only then it takes its name. " +
		"A database that holds tables is refused unless replace = true; then it is kept as NAME_damaged_KEY, and dropping it is up to you. " +
		"With `table`, one table comes back as TABLE_restored_KEY, without its indexes and constraints; nothing else is touched.",
	Says:    "restore[ the table {table} of] {id}[ as {database}] on {host} (replace: {replace})",
	Raises:  []fault.Kind{fault.NotFound, fault.Denied, fault.Invalid, fault.Conflict, fault.Failed, fault.Unavailable, fault.Timeout, fault.Exhausted},
	Example: `backup.restore { id = "20260228T030000Z-0a1b2c3d", host = "203.0.113.11", database = "webhost_prod" }`,
	Target:  "database",
	Call:    (*Client).restore,
	Predict: predictRestore,
	Settled: (*Client).restoreSettled,
}

func predictRestore(c *Client, ctx context.Context, a restoreArgs) (Restored, error) {
	if binding.IsPlanned(a.ID) {
		return Restored{Database: a.Database}, nil
	}
	at, err := c.repository(ctx)
	if err != nil {
		return Restored{}, err
	}
	defer at.Store.Close()
	b, err := at.Find(ctx, a.ID)
	if err != nil {
		return Restored{}, err
	}
	out := Restored{Database: b.Subject, Until: b.Until, Rows: b.Total(), Tables: b.Rows}
	if a.Database != "" {
		out.Database = a.Database
	}
	if a.Table != "" {
		out.Rows, out.Tables, out.Table = b.Rows[a.Table], map[string]int64{a.Table: b.Rows[a.Table]}, binding.Planned("name of the restored table")
	} else if a.Replace {
		out.Kept = binding.Planned("name of the replaced database")
	}
	return out, nil
}

// asked is the restore that a call is about.
func (c *Client) asked(ctx context.Context, a restoreArgs) (logical.Restore, error) {
	srv, err := c.server(a.Host)
	return logical.Restore{ID: a.ID, Server: srv, Host: a.Host, Database: a.Database, Jobs: a.Jobs, Replace: a.Replace, Key: binding.Key(ctx)}, err
}

func (c *Client) restore(ctx context.Context, a restoreArgs) (Restored, error) {
	start := c.env.Clock.Now()
	op := "restore " + a.ID + " on " + a.Host
	ctx, cancel := context.WithTimeout(ctx, a.Within)
	defer cancel()
	engine, done, err := c.opened(ctx)
	if err != nil {
		return Restored{}, logical.Because(ctx, err, op).NothingDone()
	}
	defer done()
	r, err := c.asked(ctx, a)
	if err != nil {
		return Restored{}, logical.Because(ctx, err, op).NothingDone()
	}
	var got logical.Restored
	table := ""
	if a.Table != "" {
		got, table, err = engine.RestoreTable(ctx, r, a.Table)
	} else {
		got, err = engine.Restore(ctx, r)
	}
	if err != nil {
		return Restored{}, err
	}
	out := restored(got)
	out.Table = table
	out.Elapsed = c.env.Clock.Now().Sub(start).Round(time.Millisecond)
	return out, nil
}

// opened is an engine on the repository; done closes that.
func (c *Client) opened(ctx context.Context) (engine *logical.Engine, done func(), err error) {
	at, err := c.repository(ctx)
	if err != nil {
		return nil, nil, err
	}
	engine, err = c.engine(at)
	if err != nil {
		at.Store.Close()
		return nil, nil, err
	}
	return engine, func() { at.Store.Close() }, nil
}

func restored(r logical.Restored) Restored {
	return Restored{Database: r.Database, Until: r.Until, Rows: r.Rows, Tables: r.Tables, Kept: r.Kept, Roles: r.Roles, Warnings: r.Warnings}
}

func (c *Client) restoreSettled(ctx context.Context, a restoreArgs) (binding.Settlement[Restored], error) {
	var none binding.Settlement[Restored]
	engine, closeAll, err := c.opened(ctx)
	if err != nil {
		return none, err
	}
	defer closeAll()
	r, err := c.asked(ctx, a)
	if err != nil {
		return none, err
	}
	if a.Table != "" {
		got, table, found, err := engine.SettledTable(ctx, r, a.Table)
		none.Landed = binding.No
		if err == nil && found {
			none.Landed, none.Result = binding.Yes, restored(got)
			none.Result.Table = table
		}
		return none, err
	}
	done, found, begun, err := engine.Settled(ctx, r)
	if err != nil {
		return none, err
	}
	if found {
		return binding.Settlement[Restored]{Landed: binding.Yes, Result: restored(done)}, nil
	}
	none.Landed = binding.No
	if begun != "" {
		none.Look = begun + " was begun and is dropped when the restore is repeated"
		binding.Progress(ctx, "%s", none.Look)
	}
	return none, nil
}
