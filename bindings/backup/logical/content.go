package logical

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/host/fault"
)

// ordinary selects the tables whose rows a dump carries: no partitions (their
// parent counts them), nothing that belongs to an extension.
const ordinary = `from pg_class c join pg_namespace n on n.oid = c.relnamespace
	where n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
	and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')`

// Kinds of content hash: of records, which is fast, and of their text, for
// tables with a type that has no hash function, such as json.
const (
	byRecord = "record:"
	byText   = "text:"
)

// content counts the rows of every table exactly and sums up a hash of each,
// so that their order does not matter. Tables of public go without their schema.
func content(ctx context.Context, tx pgx.Tx) (rows map[string]int64, hashes map[string]string, err error) {
	found, err := tx.Query(ctx, "select n.nspname, c.relname "+ordinary+" and c.relkind in ('r', 'p') and not c.relispartition order by 1, 2")
	if err != nil {
		return nil, nil, err
	}
	type table struct{ schema, name string }
	tables, err := pgx.CollectRows(found, func(row pgx.CollectableRow) (t table, err error) {
		return t, row.Scan(&t.schema, &t.name)
	})
	if err != nil {
		return nil, nil, err
	}
	rows, hashes = map[string]int64{}, map[string]string{}
	for _, t := range tables {
		n, hash, err := tableContent(ctx, tx, pgx.Identifier{t.schema, t.name}.Sanitize())
		if err != nil {
			return nil, nil, err
		}
		name := t.name
		if t.schema != "public" {
			name = t.schema + "." + t.name
		}
		rows[name], hashes[name] = n, hash
	}
	return rows, hashes, nil
}

// byNumber tells whether a table has a column that is stored as the number of
// something else, which has another one in another database: a value of an
// enumeration, a table, a type. Those of composed types are not looked into.
const byNumber = `select exists (select from pg_attribute a join pg_type t on t.oid = a.atttypid left join pg_type e on e.oid = t.typelem and t.typcategory = 'A'
	where a.attrelid = $1::text::regclass and a.attnum > 0 and not a.attisdropped
	and (coalesce(e.typtype, t.typtype) <> 'b' or coalesce(e.typname, t.typname) like 'reg%'))`

// tableContent reads one table. A query that fails must not end the
// transaction whose snapshot the dump is taken on, hence the savepoint.
func tableContent(ctx context.Context, tx pgx.Tx, table string) (rows int64, hash string, err error) {
	const sql = "select count(*), coalesce(sum(%s::numeric), 0)::text from %s t"
	hows := []struct{ kind, hash string }{{byRecord, "hash_record_extended(t, 0)"}, {byText, "hashtextextended(t::text, 0)"}}
	var numbered bool
	if err := tx.QueryRow(ctx, byNumber, table).Scan(&numbered); err != nil {
		return 0, "", err
	}
	if numbered {
		hows = hows[1:]
	}
	for _, how := range hows {
		var inner pgx.Tx
		if inner, err = tx.Begin(ctx); err != nil {
			return 0, "", err
		}
		if err = inner.QueryRow(ctx, fmt.Sprintf(sql, how.hash, table)).Scan(&rows, &hash); err == nil {
			return rows, how.kind + hash, inner.Commit(ctx)
		}
		if err := inner.Rollback(ctx); err != nil {
			return 0, "", err
		}
		var pe *pgconn.PgError
		if !errors.As(err, &pe) || pe.Code != "42883" { // undefined_function
			break
		}
	}
	return 0, "", err
}

// errOther is the cause of a fault that says that something else came back than
// what was backed up.
var errOther = errors.New("other content")

// compare tells in which tables what came back differs from the manifest.
// Hashes of records hold within one major version only.
func compare(m catalogue.Manifest, major int, rows map[string]int64, hashes map[string]string) error {
	var wrong []string
	for _, name := range slices.Sorted(maps.Keys(m.Rows)) {
		want, have := m.Hashes[name], hashes[name]
		switch n, ok := rows[name]; {
		case !ok || n != m.Rows[name]:
			wrong = append(wrong, fmt.Sprintf("%s has %d rows instead of %d", name, n, m.Rows[name]))
		case want == "" || want == have, major != m.Server.Major && strings.HasPrefix(want, byRecord):
		default:
			wrong = append(wrong, name+" has as many rows, but other content")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		if _, ok := m.Rows[name]; !ok {
			wrong = append(wrong, name+" is not in the manifest")
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	f := fault.New(fault.Failed, "what came back is not what was backed up: %s", strings.Join(wrong[:min(len(wrong), 5)], "; ")).
		WithHint(artifact.Another)
	f.Cause = errOther
	return f
}

// behind lists the sequences that would hand out a number again that its
// column already holds: sequences are not bound to a snapshot.
func behind(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	found, err := conn.Query(ctx, `select s.oid::regclass::text, d.refobjid::regclass::text, quote_ident(a.attname)
		from pg_class s join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = s.oid and d.deptype in ('a', 'i')
		join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
		join pg_sequence q on q.seqrelid = s.oid
		where s.relkind = 'S' and q.seqincrement > 0 and a.atttypid in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) order by 1`)
	if err != nil {
		return nil, err
	}
	type owned struct{ sequence, table, column string }
	all, err := pgx.CollectRows(found, func(row pgx.CollectableRow) (o owned, err error) {
		return o, row.Scan(&o.sequence, &o.table, &o.column)
	})
	if err != nil {
		return nil, err
	}
	var late []string
	for _, o := range all {
		var is bool
		sql := "select coalesce((select max(" + o.column + ") from " + o.table + ") > (select last_value from " + o.sequence + "), false)"
		if err := conn.QueryRow(ctx, sql).Scan(&is); err != nil {
			return nil, err
		}
		if is {
			late = append(late, o.sequence)
		}
	}
	return late, nil
}
