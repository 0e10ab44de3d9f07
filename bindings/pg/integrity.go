package pg

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

type integrityArgs struct {
	Host     string        `lua:"host" doc:"Name or address of the server, with :port when it is not the configured one."`
	Database string        `lua:"database,optional" doc:"Database to check; that of the settings when not given."`
	Within   time.Duration `lua:"within" default:"10m" doc:"How long each statement may run: every table is read."`
}

// Integrity is what a check of a database found.
type Integrity struct {
	OK          bool             `lua:"ok" doc:"Whether nothing is wrong."`
	Tables      map[string]int64 `lua:"tables" doc:"Rows by table."`
	ForeignKeys int64            `lua:"foreign_keys" doc:"Foreign keys that were held against their rows."`
	Sequences   int64            `lua:"sequences" doc:"Sequences that were held against the column they serve."`
	Indexes     int64            `lua:"indexes" doc:"B-tree indexes that amcheck looked through."`
	Amcheck     bool             `lua:"amcheck" doc:"Whether the extension amcheck is there and was used."`
	Damages     []string         `lua:"damages" doc:"What is wrong, each with the way out."`
	Says        string           `lua:"says" doc:"What was found, in one sentence."`
}

var integrity = binding.Func[*Client, integrityArgs, Integrity]{
	Name: "integrity", Effect: binding.Reads,
	Doc: "Check a database after a restore or a failover: all rows are read and counted, rows whose foreign key leads nowhere, constraints and indexes that are " +
		"not valid, sequences behind their column, and, where the extension amcheck is there, the B-tree indexes. Damage is an answer, not a fault.",
	Raises:  []fault.Kind{fault.NotFound, fault.Denied, fault.Unavailable, fault.Timeout},
	Example: `pg.integrity { host = "203.0.113.10", database = "webhost_prod" }`,
	Target:  "host",
	Call:    (*Client).integrity,
}

func (c *Client) integrity(ctx context.Context, a integrityArgs) (Integrity, error) {
	out := Integrity{Tables: map[string]int64{}, Damages: []string{}}
	counted, err := c.counts(ctx, countsArgs{Host: a.Host, Database: a.Database, Within: a.Within})
	if damage, is := damaged(err); is {
		out.Damages = append(out.Damages, damage)
	} else if err != nil {
		return out, err
	}
	if counted.Tables != nil {
		out.Tables = counted.Tables
	}
	for _, look := range []func(context.Context, pgx.Tx, *Integrity) error{invalid, orphans, sequences, indexes} {
		err := c.reading(ctx, a.Host, a.Database, a.Within, func(ctx context.Context, tx pgx.Tx) error { return look(ctx, tx, &out) })
		if damage, is := damaged(err); is {
			out.Damages = append(out.Damages, damage)
		} else if err != nil {
			return out, err
		}
	}
	out.OK = len(out.Damages) == 0
	out.Says = fmt.Sprintf("%d foreign keys, %d sequences and %d indexes are whole", out.ForeignKeys, out.Sequences, out.Indexes)
	if !out.OK {
		out.Says = strings.Join(out.Damages, "; ")
	}
	return out, nil
}

// damaged tells of an error that is itself the finding.
func damaged(err error) (text string, is bool) {
	var pe *pgconn.PgError
	if !errors.As(err, &pe) || pe.Code != "XX001" && pe.Code != "XX002" && pe.Code != "58P01" {
		return "", false
	}
	return pe.Message + ": " + stateOf(pe.Code).hint, true
}

// invalid finds constraints that were never checked and indexes that were
// never finished.
func invalid(ctx context.Context, tx pgx.Tx, out *Integrity) error {
	return each(ctx, tx, `select format('constraint %s of %s was never checked: ALTER TABLE ... VALIDATE CONSTRAINT', conname, conrelid::regclass) from pg_constraint
		where not convalidated and conrelid <> 0
		union all select format('index %s is not valid: REINDEX INDEX', indexrelid::regclass) from pg_index where not indisvalid`, nil, func(r pgx.Rows) error {
		var text string
		err := r.Scan(&text)
		out.Damages = append(out.Damages, text)
		return err
	})
}

// orphans counts rows whose foreign key leads nowhere.
func orphans(ctx context.Context, tx pgx.Tx, out *Integrity) error {
	type key struct{ name, sql string }
	var keys []key
	err := each(ctx, tx, `select conname || ' of ' || conrelid::regclass,
		format('select count(*) from %s c where %s and not exists (select from %s p where %s)', conrelid::regclass,
			(select string_agg(format('c.%I is not null', a.attname), ' and ') from unnest(conkey) k(n) join pg_attribute a on a.attrelid = conrelid and a.attnum = k.n),
			confrelid::regclass,
			(select string_agg(format('p.%I = c.%I', f.attname, a.attname), ' and ') from unnest(conkey, confkey) k(n, m)
				join pg_attribute a on a.attrelid = conrelid and a.attnum = k.n join pg_attribute f on f.attrelid = confrelid and f.attnum = k.m))
		from pg_constraint where contype = 'f' and conparentid = 0`, nil, func(r pgx.Rows) error {
		var k key
		err := r.Scan(&k.name, &k.sql)
		keys = append(keys, k)
		return err
	})
	if err != nil {
		return err
	}
	for _, k := range keys {
		var n int64
		if err := tx.QueryRow(ctx, k.sql).Scan(&n); err != nil {
			return err
		}
		out.ForeignKeys++
		if n > 0 {
			out.Damages = append(out.Damages, fmt.Sprintf("foreign key %s: %d rows lead nowhere; the restore is not complete", k.name, n))
		}
	}
	return nil
}

// sequences finds those that would give out a number which is taken.
func sequences(ctx context.Context, tx pgx.Tx, out *Integrity) error {
	type owned struct{ name, column, sql string }
	var all []owned
	err := each(ctx, tx, `select s.oid::regclass::text, d.refobjid::regclass || '.' || a.attname,
		format('select (select max(%I) from %s)::int8, (select case when is_called then last_value else last_value - 1 end from %s)', a.attname, d.refobjid::regclass, s.oid::regclass)
		from pg_class s join pg_depend d on d.objid = s.oid and d.classid = 'pg_class'::regclass and d.deptype in ('a', 'i') and d.refobjsubid > 0
		join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid join pg_sequence q on q.seqrelid = s.oid
		where s.relkind = 'S' and q.seqincrement > 0 and not q.seqcycle and a.atttypid in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)`, nil, func(r pgx.Rows) error {
		var o owned
		err := r.Scan(&o.name, &o.column, &o.sql)
		all = append(all, o)
		return err
	})
	if err != nil {
		return err
	}
	for _, o := range all {
		var most *int64
		var at int64
		if err := tx.QueryRow(ctx, o.sql).Scan(&most, &at); err != nil {
			return err
		}
		out.Sequences++
		if most != nil && *most > at {
			out.Damages = append(out.Damages, fmt.Sprintf("sequence %s is at %d, and %s at %d: the next insert fails; select setval('%s', %d)", o.name, at, o.column, *most, o.name, *most))
		}
	}
	return nil
}

// indexes lets amcheck look through the B-tree indexes, where it is installed.
func indexes(ctx context.Context, tx pgx.Tx, out *Integrity) error {
	var schema *string
	err := tx.QueryRow(ctx, `select (select n.nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace where extname = 'amcheck')`).Scan(&schema)
	if err != nil || schema == nil {
		return err
	}
	out.Amcheck = true
	var names []string
	err = each(ctx, tx, `select i.indexrelid::regclass::text from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am a on a.oid = c.relam
		where a.amname = 'btree' and c.relkind = 'i' and c.relpersistence = 'p' and i.indisvalid and i.indisready`, nil, func(r pgx.Rows) error {
		var name string
		err := r.Scan(&name)
		names = append(names, name)
		return err
	})
	if err != nil {
		return err
	}
	check := "select " + pgx.Identifier{*schema, "bt_index_check"}.Sanitize() + "($1::text::regclass)"
	for _, name := range names {
		_, err := tx.Exec(ctx, check, name)
		if damage, is := damaged(err); is {
			out.Damages = append(out.Damages, strings.TrimSpace(damage))
			return nil // the transaction is over: one damage is enough to know
		}
		if err != nil {
			return err
		}
		out.Indexes++
	}
	return nil
}
