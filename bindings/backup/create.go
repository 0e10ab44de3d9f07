package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

type createArgs struct {
	Host     string        `lua:"host" doc:"Name or address of the server, with :port when it is not the configured one."`
	Database string        `lua:"database" doc:"Database to back up."`
	Label    string        `lua:"label,optional" doc:"What to call it: \"before the migration\"."`
	Within   time.Duration `lua:"within" default:"1h" doc:"How long it may take."`
}

var create = binding.Func[*Client, createArgs, Backup]{
	Name: "create", Effect: binding.Mutates,
	Doc: "Back up a database with pg_dump, and the server's roles without their passwords. Rows are counted on the dump's own snapshot, the files are synced, " +
		"read back and compared; the manifest comes last. Whatever goes wrong before leaves no backup.",
	Says:    "back up {database} of {host}",
	Raises:  []fault.Kind{fault.NotFound, fault.Denied, fault.Invalid, fault.Unavailable, fault.Timeout, fault.Exhausted, fault.Failed},
	Example: `backup.create { host = "203.0.113.10", database = "webhost_prod", label = "before the migration" }`,
	Target:  "database",
	Call:    (*Client).create,
	Predict: func(c *Client, _ context.Context, a createArgs) (Backup, error) {
		return Backup{ID: binding.Planned("id of the backup"), Database: a.Database, Label: a.Label, Until: c.env.Clock.Now(), Finished: c.env.Clock.Now(),
			Host: a.Host, Version: binding.Planned("version of " + a.Host), Path: c.repo.databaseDir(a.Database)}, nil
	},
	Settled: func(c *Client, ctx context.Context, a createArgs) (binding.Settlement[Backup], error) {
		s, found, err := c.repo.byKey(binding.Key(ctx))
		if err != nil || !found {
			// Without a manifest there is no backup, whatever else was left.
			return binding.Settlement[Backup]{Landed: binding.No}, err
		}
		return binding.Settlement[Backup]{Landed: binding.Yes, Result: s.show(time.Time{})}, nil
	},
}

func (c *Client) create(ctx context.Context, a createArgs) (Backup, error) {
	op := "back up " + a.Database + " of " + a.Host
	if s, found, err := c.repo.byKey(binding.Key(ctx)); err != nil || found {
		return s.show(time.Time{}), err
	}
	ctx, cancel := context.WithTimeout(ctx, a.Within)
	defer cancel()
	s, err := c.take(ctx, a)
	if err != nil {
		return Backup{}, because(ctx, err, op).NothingDone() // no manifest, no backup
	}
	return s.show(time.Time{}), nil
}

// take makes the backup, or leaves nothing.
func (c *Client) take(ctx context.Context, a createArgs) (stored, error) {
	m := manifest{Format: 1, Kind: "logical", Database: a.Database, Label: a.Label, Key: binding.Key(ctx), Started: c.env.Clock.Now().UTC()}
	srv, err := c.server(a.Host)
	if err != nil {
		return stored{}, err
	}
	conn, err := c.connect(ctx, srv, a.Database)
	if err != nil {
		return stored{}, err
	}
	defer closeQuietly(ctx, conn)
	tx, snapshot, err := describe(ctx, conn, &m)
	if err != nil {
		return stored{}, err
	}
	m.Server.Host = a.Host
	with, err := c.tools(ctx, m.Server.Major)
	if err != nil {
		return stored{}, err
	}
	m.Tool, m.ToolMajor = with.full, with.major
	tail := suffix(m.Key)
	if m.Key == "" {
		tail = suffix(snapshot + m.Started.String())
	}
	m.ID = newID(m.Until, tail)
	dir, err := c.repo.begin(a.Database, m.ID)
	if err != nil {
		return stored{}, err
	}
	if err := c.fill(ctx, tx, srv, with, snapshot, dir, &m); err != nil {
		return stored{}, errors.Join(err, os.RemoveAll(dir))
	}
	m.Finished = c.env.Clock.Now().UTC()
	m.Restore = commands(m)
	if err := publish(dir, m); err != nil {
		return stored{}, errors.Join(err, os.RemoveAll(dir))
	}
	return stored{manifest: m, dir: dir}, nil
}

// describe opens the transaction whose snapshot everything is taken on. Until
// is when that transaction began: what had committed by then is in.
func describe(ctx context.Context, conn *pgx.Conn, m *manifest) (pgx.Tx, string, error) {
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, "", err
	}
	const sql = `select now(), pg_export_snapshot(), current_setting('server_version'), current_setting('server_version_num')::int / 10000,
		pg_encoding_to_char(encoding), datcollate, datctype,
		coalesce((select setconfig from pg_db_role_setting where setdatabase = d.oid and setrole = 0), '{}')
		from pg_database d where datname = current_database()`
	var snapshot string
	err = tx.QueryRow(ctx, sql).Scan(&m.Until, &snapshot, &m.Server.Version, &m.Server.Major, &m.Server.Encoding, &m.Server.Collate, &m.Server.CType, &m.Settings)
	m.Until = m.Until.UTC()
	return tx, snapshot, err
}

// fill writes the dump and the roles and counts the rows meanwhile.
func (c *Client) fill(ctx context.Context, tx pgx.Tx, srv server, with tools, snapshot, dir string, m *manifest) error {
	way, err := c.link(ctx, srv)
	if err != nil {
		return err
	}
	defer way.close()
	group, inner := errgroup.WithContext(ctx)
	files := make([]artifact, 2)
	group.Go(func() (err error) {
		files[0], err = produce(inner, filepath.Join(dir, dumpName), way.child(with.path("pg_dump"),
			"--format=custom", "--compress=1", "--snapshot="+snapshot, "--no-password", "--lock-wait-timeout=60s", "--dbname="+way.parameters(m.Database)))
		return err
	})
	group.Go(func() (err error) {
		files[1], err = produce(inner, filepath.Join(dir, globalsName), way.child(with.path("pg_dumpall"),
			"--globals-only", "--no-role-passwords", "--no-password", "--database=postgres", "--dbname="+way.parameters("postgres")))
		return err
	})
	group.Go(func() (err error) {
		m.Rows, err = countRows(inner, tx)
		return err
	})
	if err := group.Wait(); err != nil {
		return err
	}
	m.Files = files
	return nil
}

// produce runs a child into a new file, syncs it and reads it back.
func produce(ctx context.Context, path string, k child) (artifact, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return artifact{}, err
	}
	h := sha256.New()
	k.out = io.MultiWriter(f, h)
	err = k.run(ctx)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return artifact{}, err
	}
	a, err := measure(ctx, path)
	if err == nil && a.SHA256 != hex.EncodeToString(h.Sum(nil)) {
		err = fault.New(fault.Failed, "%s reads back differently from what was written", filepath.Base(path)).WithHint("the disk of the repository is not to be trusted")
	}
	return a, err
}

// ordinary selects the tables whose rows a dump carries: no partitions (their
// parent counts them), nothing that belongs to an extension.
const ordinary = `from pg_class c join pg_namespace n on n.oid = c.relnamespace
	where n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
	and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')`

// countRows counts every table exactly; those of public without their schema.
func countRows(ctx context.Context, tx pgx.Tx) (map[string]int64, error) {
	rows, err := tx.Query(ctx, "select n.nspname, c.relname "+ordinary+" and c.relkind in ('r', 'p') and not c.relispartition order by 1, 2")
	if err != nil {
		return nil, err
	}
	type table struct{ schema, name string }
	tables, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t table, err error) {
		return t, row.Scan(&t.schema, &t.name)
	})
	if err != nil {
		return nil, err
	}
	out := map[string]int64{}
	for _, t := range tables {
		var n int64
		if err := tx.QueryRow(ctx, "select count(*) from "+pgx.Identifier{t.schema, t.name}.Sanitize()).Scan(&n); err != nil {
			return nil, err
		}
		name := t.name
		if t.schema != "public" {
			name = t.schema + "." + t.name
		}
		out[name] = n
	}
	return out, nil
}

// commands restore the backup by hand.
func commands(m manifest) []string {
	return []string{
		"cd into this folder, and check the files: sha256sum " + dumpName + " " + globalsName,
		"psql -d postgres -f " + globalsName + "   # roles, without passwords; those that exist are reported and left",
		fmt.Sprintf("createdb -T template0 -E %s --lc-collate=%s --lc-ctype=%s '%s'", m.Server.Encoding, m.Server.Collate, m.Server.CType, m.Database),
		fmt.Sprintf("pg_restore --exit-on-error --jobs=2 -d '%s' %s   # pg_restore %d or newer", m.Database, dumpName, m.ToolMajor),
		fmt.Sprintf("vacuumdb --analyze-only '%s'", m.Database),
	}
}
