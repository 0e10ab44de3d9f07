package physical

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/postgres"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
)

// Sums is the first depth of a check: every stored byte of the backup, and of
// the log behind it, against its checksum. It needs no key.
func (c *Chain) Sums(ctx context.Context) (bytes int64, err error) {
	for _, f := range c.Files {
		if err := artifact.Check(ctx, c.log.Store, c.Folder, f); err != nil {
			return bytes, err
		}
		bytes += f.Bytes
	}
	for _, l := range c.links {
		n := int64(0)
		if err := c.stored(ctx, l, func(l link) error { n, err = c.sumsOf(ctx, l); return err }); err != nil {
			return bytes, err
		}
		bytes += n
	}
	return bytes, c.Whole()
}

// sumsOf checks the objects of one segment.
func (c *Chain) sumsOf(ctx context.Context, l link) (bytes int64, err error) {
	records := []artifact.Record{l.whole}
	if l.pieces != nil {
		records = nil
		for _, p := range l.pieces {
			records = append(records, p.Record)
		}
	}
	for _, r := range records {
		if r.Unsummed {
			continue // only what it holds can tell, see Read
		}
		if err := artifact.Check(ctx, c.log.Store, c.log.folderOf(l.name), r); err != nil {
			return bytes, err
		}
		bytes += r.Bytes
	}
	return bytes, nil
}

// Workshop is where checks that need a data folder do their work.
type Workshop struct {
	Folder string              // is made, and removed when the check is over
	Tools  postgres.Tools      // of the backup's own major version
	As     *syscall.Credential // who owns the folder and runs the server; nil: drhost itself
	Clock  clock.Clock
	User   string // role to look with: a superuser of the cluster
}

// Read is the second depth: the backup is unpacked, PostgreSQL's own
// pg_verifybackup compares every file with its manifest, and every record of
// the log is read to the end of the chain.
func (c *Chain) Read(ctx context.Context, w Workshop) error {
	return w.within(func() error {
		laid, err := c.Lay(ctx, w.Clock, w.Folder, Target{}, w.As)
		if err != nil {
			return err
		}
		return c.compare(ctx, w, laid)
	})
}

// within removes the folder afterwards.
func (w Workshop) within(do func() error) (err error) {
	if _, err := vacant(w.Folder); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(w.Folder)) }()
	return do()
}

// compare runs pg_verifybackup on a folder. What drhost itself added is left
// out; the log was read already, record by record.
func (c *Chain) compare(ctx context.Context, w Workshop, laid Laid) error {
	args := []string{"--exit-on-error", "--quiet", "--no-parse-wal", "--ignore=" + autoConf, "--ignore=recovery.signal", laid.Folder}
	err := postgres.Child{Program: w.Tools.Path("pg_verifybackup"), Args: args, Dir: "/", As: w.As}.Run(ctx)
	if err != nil && ctx.Err() == nil {
		return artifact.Damaged("the base backup %s is not what PostgreSQL copied: %s", c.ID, fault.As(err).Message)
	}
	return err
}

// Found is what a trial restore found.
type Found struct {
	Recovered Recovered
	Databases []string
	Tables    int
	Rows      int64
	Compared  []string
}

// Restored is the third depth: a server recovers from the chain, and then
// pg_amcheck reads every table and index, constraints are looked at, sequences
// are held against the columns they feed, and look does what else there is to
// compare, in each database.
func (c *Chain) Restored(ctx context.Context, w Workshop, t Target, look func(ctx context.Context, conn *pgx.Conn, database string) error) (found Found, err error) {
	err = w.within(func() error {
		laid, err := c.Lay(ctx, w.Clock, w.Folder, t, w.As)
		if err != nil {
			return err
		}
		if err := c.compare(ctx, w, laid); err != nil {
			return err
		}
		return laid.Try(ctx, w.Tools, w.Clock, w.User, func(ctx context.Context, trial *Trial) error {
			found.Recovered = trial.Recovered
			return trial.inspect(ctx, &found, look)
		})
	})
	found.Compared = []string{"checksums", "pg_verifybackup", "every record of the log", "pg_amcheck", "row counts", "sequences", "constraints"}
	return found, err
}

func (t *Trial) inspect(ctx context.Context, found *Found, look func(ctx context.Context, conn *pgx.Conn, database string) error) error {
	conn, err := t.Connect(ctx, "postgres")
	if err != nil {
		return err
	}
	rows, err := conn.Query(ctx, "select datname::text from pg_database where datallowconn and not datistemplate order by 1")
	if err == nil {
		found.Databases, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	postgres.CloseQuietly(ctx, conn)
	if err != nil {
		return err
	}
	for _, database := range found.Databases {
		binding.Progress(ctx, "looking at database %s", database)
		if err := t.Amcheck(ctx, database); err != nil {
			return err
		}
		if err := t.inspectOne(ctx, database, found, look); err != nil {
			return err
		}
	}
	return nil
}

const ownTables = `from pg_class c join pg_namespace n on n.oid = c.relnamespace
	where c.relkind = 'r' and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema' order by 1`

// inspectOne reads every row of every table, and what should follow from them.
func (t *Trial) inspectOne(ctx context.Context, database string, found *Found, look func(ctx context.Context, conn *pgx.Conn, database string) error) error {
	conn, err := t.Connect(ctx, database)
	if err != nil {
		return err
	}
	defer postgres.CloseQuietly(ctx, conn)
	rows, err := conn.Query(ctx, "select quote_ident(n.nspname) || '.' || quote_ident(c.relname) "+ownTables)
	if err != nil {
		return err
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, table := range tables {
		var n int64
		if err := conn.QueryRow(ctx, "select count(*) from "+table).Scan(&n); err != nil {
			return err
		}
		found.Tables++
		found.Rows += n
	}
	if err := sequences(ctx, conn, database); err != nil {
		return err
	}
	if err := constraints(ctx, conn, database); err != nil {
		return err
	}
	if look == nil {
		return nil
	}
	return look(ctx, conn, database)
}

// sequences holds each sequence that feeds a column against it: a number that
// is given out twice would be the next insert's failure.
func sequences(ctx context.Context, conn *pgx.Conn, database string) error {
	rows, err := conn.Query(ctx, `select s.oid::regclass::text, t.oid::regclass::text, quote_ident(a.attname) from pg_class s
		join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = s.oid and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i') and d.refobjsubid > 0
		join pg_class t on t.oid = d.refobjid join pg_attribute a on a.attrelid = t.oid and a.attnum = d.refobjsubid where s.relkind = 'S' order by 1`)
	if err != nil {
		return err
	}
	type feed struct{ sequence, table, column string }
	feeds, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (f feed, err error) { return f, row.Scan(&f.sequence, &f.table, &f.column) })
	if err != nil {
		return err
	}
	for _, f := range feeds {
		var behind bool
		err := conn.QueryRow(ctx, "select coalesce((select max("+f.column+")::numeric from "+f.table+") > last_value and increment_by > 0, false) from "+f.sequence+
			", (select seqincrement as increment_by from pg_sequence where seqrelid = $1::regclass) i", f.sequence).Scan(&behind)
		if err != nil {
			return err
		}
		if behind {
			return fault.New(fault.Failed, "in %s the sequence %s lies behind %s.%s", database, f.sequence, f.table, f.column).
				WithHint("look at the server that was backed up: if it is so there, set the sequence right with setval; else take another backup")
		}
	}
	return nil
}

// constraints counts what PostgreSQL does not trust any more: indexes that are
// not valid.
func constraints(ctx context.Context, conn *pgx.Conn, database string) error {
	var broken []string
	err := conn.QueryRow(ctx, "select coalesce(array_agg(indexrelid::regclass::text), '{}') from pg_index where not indisvalid or not indisready").Scan(&broken)
	if err == nil && len(broken) > 0 {
		return fault.New(fault.Failed, "in %s the index %s is not valid", database, strings.Join(broken, ", ")).
			WithHint("look at the server that was backed up: if it is so there, REINDEX it; else take another backup")
	}
	return err
}
