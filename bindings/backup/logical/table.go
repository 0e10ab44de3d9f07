package logical

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/bindings/backup/postgres"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// one is a table that comes back alone.
type one struct {
	*work
	key          string // as the manifest calls it
	schema, name string
	beside       string // the name that it gets
}

func (o *one) full() string { return pgx.Identifier{o.schema, o.beside}.Sanitize() }

// RestoreTable brings one table back into the database it was in, or another
// one, under a name of its own beside the present one, which is not touched. It
// has its rows and columns, but no indexes, defaults and constraints. It is
// there whole or not at all.
func (e *Engine) RestoreTable(ctx context.Context, r Restore, table string) (Restored, string, error) {
	op := "restore the table " + table + " of " + r.ID + " on " + r.Host
	w, err := e.aim(ctx, r)
	if err != nil {
		return Restored{}, "", Because(ctx, err, op).NothingDone()
	}
	o, err := w.table(table)
	if err != nil {
		return Restored{}, "", Because(ctx, err, op).NothingDone()
	}
	pin, held, err := e.Catalogue.Pin(ctx, w.backup, "restore of "+r.ID)
	if err != nil {
		return Restored{}, "", Because(ctx, err, op).NothingDone()
	}
	err = o.run(held)
	_ = pin.Release(ctx) // one that cannot be taken off runs out by itself
	if err != nil {
		return Restored{}, "", Because(held, err, op)
	}
	out := Restored{Database: w.target, Until: w.backup.Until, Rows: w.backup.Rows[o.key], Tables: map[string]int64{o.key: w.backup.Rows[o.key]},
		Warnings: append(w.warnings, "it has no indexes, defaults and constraints")}
	return out, o.result(), nil
}

func (o *one) result() string {
	if o.schema == "public" {
		return o.beside
	}
	return o.schema + "." + o.beside
}

// table finds a table in the manifest.
func (w *work) table(table string) (*one, error) {
	if w.Replace {
		return nil, fault.New(fault.Invalid, "one table is never put over the present one").WithHint("leave replace out; it comes back beside it, under another name")
	}
	key := strings.TrimPrefix(table, "public.")
	if _, ok := w.backup.Rows[key]; !ok {
		known := slices.Sorted(maps.Keys(w.backup.Rows))
		f := fault.New(fault.NotFound, "the backup %s has no table %q", w.backup.ID, table)
		if near := binding.Nearest(key, known); near != "" {
			return nil, f.WithHint("did you mean %q?", near)
		}
		return nil, f.WithHint("it has %s", strings.Join(known[:min(len(known), 20)], ", "))
	}
	o := &one{work: w, key: key, schema: "public", name: key}
	// A dot may be part of a name; what the manifest calls a table of another
	// schema begins with that.
	if schema, name, ok := strings.Cut(key, "."); ok {
		o.schema, o.name = schema, name
	}
	o.beside = BesideName(o.name, "_restored_"+catalogue.Suffix(w.Key))
	return o, nil
}

func (o *one) run(ctx context.Context) error {
	if err := o.prepare(ctx); err != nil {
		return fault.As(err).NothingDone()
	}
	defer postgres.CloseQuietly(ctx, o.admin)
	target, err := o.engine.Way.Connect(ctx, o.Server, o.target)
	if err != nil {
		return err
	}
	defer postgres.CloseQuietly(ctx, target)
	if there, err := o.there(ctx, target); err != nil || there {
		return err // an earlier attempt of this very call succeeded
	}
	if err := o.admin.QueryRow(ctx, "select current_setting('server_version_num')::int / 10000").Scan(&o.major); err != nil {
		return err
	}
	defer o.dropBeside(ctx)
	source, err := o.unpack(ctx)
	if err != nil {
		return Because(ctx, err, "").NothingDone()
	}
	defer postgres.CloseQuietly(ctx, source)
	return o.carry(ctx, source, target)
}

// there tells whether this call made the table.
func (o *one) there(ctx context.Context, target *pgx.Conn) (is bool, err error) {
	var comment *string
	err = target.QueryRow(ctx, "select obj_description(to_regclass($1), 'pg_class')", o.full()).Scan(&comment)
	return comment != nil && *comment == o.mark(), err
}

// unpack restores the definitions, and the rows of the one table, in a database
// of their own, and compares them with the manifest.
func (o *one) unpack(ctx context.Context) (*pgx.Conn, error) {
	dump, err := o.engine.local(ctx, o.backup, DumpName)
	if err != nil {
		return nil, err
	}
	defer dump.Close()
	if err := o.createBeside(ctx); err != nil {
		return nil, err
	}
	way, err := o.engine.Way.Link(ctx, o.Server)
	if err != nil {
		return nil, err
	}
	defer way.Close()
	load := func(args ...string) error {
		args = append(args, "--exit-on-error", "--no-password", "--no-owner", "--no-privileges", "--dbname="+way.Parameters(o.work.beside), dump.path)
		return way.Child(postgres.Child{Program: o.tools.Path("pg_restore"), Args: args, Files: dump.files}).Run(ctx)
	}
	if err := load("--section=pre-data"); err != nil {
		return nil, err
	}
	source, err := o.engine.Way.Connect(ctx, o.Server, o.work.beside)
	if err != nil {
		return nil, err
	}
	parts, err := o.parts(ctx, source)
	if err == nil {
		binding.Progress(ctx, "restoring %s, %d rows", o.key, o.backup.Rows[o.key])
		err = load(append(parts, "--section=data")...)
	}
	if err == nil {
		err = o.compare(ctx, source, pgx.Identifier{o.schema, o.name}.Sanitize())
	}
	if err != nil {
		postgres.CloseQuietly(ctx, source)
		return nil, err
	}
	return source, nil
}

// parts names what holds the rows: the table, or its partitions.
func (o *one) parts(ctx context.Context, source *pgx.Conn) ([]string, error) {
	found, err := source.Query(ctx, `select n.nspname, c.relname from pg_partition_tree($1::text::regclass) p join pg_class c on c.oid = p.relid
		join pg_namespace n on n.oid = c.relnamespace where p.isleaf union select $2, $3`, pgx.Identifier{o.schema, o.name}.Sanitize(), o.schema, o.name)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(found, func(row pgx.CollectableRow) (string, error) {
		var schema, name string
		err := row.Scan(&schema, &name)
		return "--table=" + name, err
	})
}

// compare holds a table against the manifest.
func (o *one) compare(ctx context.Context, conn *pgx.Conn, table string) error {
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return err
	}
	rows, hash, err := tableContent(ctx, tx, table)
	if err = errors.Join(err, tx.Rollback(ctx)); err != nil {
		return err
	}
	m := catalogue.Manifest{Server: o.backup.Server, Rows: map[string]int64{o.key: o.backup.Rows[o.key]}, Hashes: map[string]string{o.key: o.backup.Hashes[o.key]}}
	return compare(m, o.major, map[string]int64{o.key: rows}, map[string]string{o.key: hash})
}

// carry copies the rows into the target, in one transaction that also leaves
// the mark.
func (o *one) carry(ctx context.Context, source, target *pgx.Conn) error {
	columns, err := o.columns(ctx, source)
	if err != nil {
		return err
	}
	tx, err := target.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx) // nothing after the commit
	if _, err := tx.Exec(ctx, "create table "+o.full()+" ("+columns+"); comment on table "+o.full()+" is "+literal(o.mark())); err != nil {
		return fault.As(postgres.Fault(err, "make "+o.result())).WithHint("the database has to know the types of its columns; restore all of it under another name instead").NothingDone()
	}
	out, in := io.Pipe()
	copied := make(chan error, 1)
	go func() {
		_, err := source.PgConn().CopyTo(ctx, in, "copy (select * from "+pgx.Identifier{o.schema, o.name}.Sanitize()+") to stdout")
		in.CloseWithError(err) // nil: the end
		copied <- err
	}()
	tag, err := target.PgConn().CopyFrom(ctx, out, "copy "+o.full()+" from stdin")
	out.CloseWithError(errors.Join(err, io.ErrClosedPipe))
	if failed := <-copied; failed != nil && err == nil {
		err = failed
	}
	if err != nil {
		return fault.As(postgres.Fault(err, "copy "+o.key)).NothingDone()
	}
	if want := o.backup.Rows[o.key]; tag.RowsAffected() != want {
		return fault.New(fault.Failed, "%d rows of %s came out of the backup %s instead of %d", tag.RowsAffected(), o.key, o.backup.ID, want).NothingDone().WithHint(artifact.Another)
	}
	return tx.Commit(ctx)
}

// columns are those of the table, without defaults: what computes itself
// elsewhere comes as it was.
func (o *one) columns(ctx context.Context, source *pgx.Conn) (string, error) {
	tx, err := source.Begin(ctx)
	if err != nil {
		return "", err
	}
	defer tx.Rollback(ctx) // the search path of this one question
	if _, err := tx.Exec(ctx, "set local search_path = pg_catalog"); err != nil {
		return "", err
	}
	var text *string
	err = tx.QueryRow(ctx, `select string_agg(quote_ident(attname) || ' ' || format_type(atttypid, atttypmod), ', ' order by attnum)
		from pg_attribute where attrelid = $1::text::regclass and attnum > 0 and not attisdropped`, pgx.Identifier{o.schema, o.name}.Sanitize()).Scan(&text)
	if err == nil && text == nil {
		return "", nil // a table without columns
	}
	if err != nil {
		return "", err
	}
	return *text, nil
}

// SettledTable tells whether the restore of a table with this key landed.
func (e *Engine) SettledTable(ctx context.Context, r Restore, table string) (Restored, string, bool, error) {
	w, err := e.aim(ctx, r)
	if err != nil {
		return Restored{}, "", false, err
	}
	o, err := w.table(table)
	if err != nil {
		return Restored{}, "", false, err
	}
	conn, err := e.Way.Connect(ctx, w.Server, w.target)
	if err != nil {
		return Restored{}, "", false, err
	}
	defer postgres.CloseQuietly(ctx, conn)
	there, err := o.there(ctx, conn)
	return Restored{Database: w.target, Until: w.backup.Until, Rows: w.backup.Rows[o.key]}, o.result(), there, err
}

// loss says what a database holds that a backup of before does not: how many
// rows there are, and how many are stamped later. It gives up after a while; an
// answer is worth no more waiting than that.
func (w *work) loss(ctx context.Context, conn *pgx.Conn) string {
	if _, err := conn.Exec(ctx, "set statement_timeout = '10s'"); err != nil {
		return ""
	}
	found, err := conn.Query(ctx, `select quote_ident(n.nspname) || '.' || quote_ident(c.relname), coalesce((select string_agg(quote_ident(attname) || ' > $1', ' or ') from pg_attribute
		where attrelid = c.oid and attnum > 0 and not attisdropped and atttypid = 'timestamptz'::regtype), 'false') `+ordinary+" and c.relkind in ('r', 'p') and not c.relispartition order by 1")
	if err != nil {
		return ""
	}
	type table struct{ name, later string }
	tables, err := pgx.CollectRows(found, func(row pgx.CollectableRow) (t table, err error) { return t, row.Scan(&t.name, &t.later) })
	if err != nil {
		return ""
	}
	var all, later int64
	var where []string
	for _, t := range tables {
		var n, m int64
		sql := "select count(*), count(*) filter (where " + strings.ReplaceAll(t.later, "$1", literal(w.backup.Until.Format("2006-01-02 15:04:05.999999Z07:00"))+"::timestamptz") + ") from " + t.name
		if err := conn.QueryRow(ctx, sql).Scan(&n, &m); err != nil {
			return ""
		}
		all, later = all+n, later+m
		if m > 0 {
			where = append(where, fmt.Sprintf("%s %d", strings.TrimPrefix(t.name, "public."), m))
		}
	}
	text := fmt.Sprintf(", with %d rows; the backup has %d, of %s", all, w.backup.Total(), w.backup.Until.Format("2006-01-02 15:04:05Z07:00"))
	if later > 0 {
		text += fmt.Sprintf(", and %d rows are stamped later than that (%s)", later, strings.Join(where[:min(len(where), 5)], ", "))
	}
	return text
}
