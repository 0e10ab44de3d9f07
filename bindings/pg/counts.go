package pg

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

type countsArgs struct {
	Host     string        `lua:"host" doc:"Name or address of the server, with :port when it is not the configured one."`
	Database string        `lua:"database,optional" doc:"Database to count in; that of the settings when not given."`
	Tables   []string      `lua:"tables,optional" doc:"Tables to count, schema.table outside of public; all when not given."`
	Within   time.Duration `lua:"within" default:"5m" doc:"How long each count may run."`
}

// Counts are exact numbers of rows, all at one moment.
type Counts struct {
	Tables map[string]int64 `lua:"tables" doc:"Rows by table."`
	Total  int64            `lua:"total" doc:"Rows of all of them."`
}

var counts = binding.Func[*Client, countsArgs, Counts]{
	Name: "counts", Effect: binding.Reads,
	Doc:     "Count the rows of tables exactly, all on one snapshot. Every table is read, so this costs time on large ones.",
	Raises:  []fault.Kind{fault.NotFound, fault.Denied, fault.Unavailable, fault.Timeout},
	Example: `pg.counts { host = "203.0.113.10", database = "webhost_prod", tables = { "customers" } }`,
	Target:  "host",
	Call:    (*Client).counts,
}

// listTables names every table that holds rows of its own or of its
// partitions, once; those of public without their schema.
const listTables = `select case when n.nspname = 'public' then c.relname else n.nspname || '.' || c.relname end
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and not c.relispartition
  and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
order by 1`

func (c *Client) counts(ctx context.Context, a countsArgs) (Counts, error) {
	out := Counts{Tables: map[string]int64{}}
	err := c.reading(ctx, a.Host, a.Database, a.Within, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, listTables)
		if err != nil {
			return err
		}
		known, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		tables := a.Tables
		if len(tables) == 0 {
			tables = known
		}
		for _, name := range tables {
			var n int64
			err := tx.QueryRow(ctx, "select count(*) from "+table(name)).Scan(&n)
			if err != nil {
				return noSuchTable(err, name, known)
			}
			out.Tables[name] = n
			out.Total += n
		}
		return nil
	})
	return out, err
}

// noSuchTable adds what was probably meant to an unknown table's fault.
func noSuchTable(err error, name string, known []string) error {
	f := translate(err, "count "+name)
	if near := binding.Nearest(name, known); f.Kind == fault.NotFound && near != "" {
		f = f.WithHint("did you mean %q?", near)
	}
	return f
}

// table quotes "schema.table" or "table".
func table(name string) string {
	return pgx.Identifier(strings.SplitN(name, ".", 2)).Sanitize()
}

type newestArgs struct {
	Host     string        `lua:"host" doc:"Name or address of the server, with :port when it is not the configured one."`
	Database string        `lua:"database,optional" doc:"Database to look in; that of the settings when not given."`
	Table    string        `lua:"table" doc:"Table to look in, schema.table outside of public."`
	Column   string        `lua:"column" default:"created_at" doc:"Column that tells when a row came in."`
	Within   time.Duration `lua:"within" default:"1m" doc:"How long it may take; without an index on the column the whole table is read."`
}

// Newest is the newest row of a table.
type Newest struct {
	At  *time.Time     `lua:"at" doc:"When it came in; absent when the table is empty."`
	Age *time.Duration `lua:"age" doc:"How long ago that is by the server's clock; absent when the table is empty."`
}

var newest = binding.Func[*Client, newestArgs, Newest]{
	Name: "newest", Effect: binding.Reads,
	Doc:     "When the newest row of a table came in, and how old it is: after a restore, the data that was lost. A timestamp without a zone is taken as UTC.",
	Raises:  []fault.Kind{fault.NotFound, fault.Denied, fault.Invalid, fault.Unavailable, fault.Timeout},
	Example: `pg.newest { host = "203.0.113.10", database = "webhost_prod", table = "sync_updates" }`,
	Target:  "host",
	Call:    (*Client).newest,
}

func (c *Client) newest(ctx context.Context, a newestArgs) (Newest, error) {
	var out Newest
	column := pgx.Identifier{a.Column}.Sanitize()
	sql := fmt.Sprintf("select m, extract(epoch from clock_timestamp() - m)::float8 from (select max(%s)::timestamptz as m from %s) x", column, table(a.Table))
	err := c.reading(ctx, a.Host, a.Database, a.Within, func(ctx context.Context, tx pgx.Tx) error {
		var age *float64
		if err := tx.QueryRow(ctx, sql).Scan(&out.At, &age); err != nil {
			return err
		}
		if age != nil {
			d := time.Duration(*age * float64(time.Second)).Round(time.Millisecond)
			out.Age = &d
		}
		return nil
	})
	return out, err
}
