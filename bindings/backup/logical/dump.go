package logical

import (
	"context"
	"io"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/bindings/backup/postgres"
)

// Dump is a dump that is to be made.
type Dump struct {
	Server   postgres.Server
	Host     string // as the call named it
	Database string
	Label    string
	Contacts string // query for the list of customers; empty for the usual one
	Key      string // idempotency key of the call
}

// Dump backs a database up, or leaves nothing. An error that says NotDone is
// certain of that; with another one the repository did not let itself be asked.
func (e *Engine) Dump(ctx context.Context, d Dump) (catalogue.Backup, error) {
	op := "back up " + d.Database + " of " + d.Host
	conn, err := e.Way.Connect(ctx, d.Server, d.Database)
	if err != nil {
		return catalogue.Backup{}, Because(ctx, err, op).NothingDone()
	}
	defer postgres.CloseQuietly(ctx, conn)
	lock, held, err := e.Catalogue.Lock(ctx, d.Database, "backup of "+d.Database, e.LockWait)
	if err != nil {
		return catalogue.Backup{}, Because(ctx, err, op).NothingDone()
	}
	// A lock that cannot be given back runs out by itself.
	defer func() { _ = lock.Release(ctx) }()
	b, folder, err := e.dump(held, conn, lock, d)
	if err == nil {
		return b, nil
	}
	f := Because(held, err, op)
	if folder != "" && e.Catalogue.Discard(ctx, folder) != nil {
		return catalogue.Backup{}, f // a manifest may be there
	}
	return catalogue.Backup{}, f.NothingDone()
}

// dump does it under the lock. The folder is returned once it may hold something.
func (e *Engine) dump(ctx context.Context, conn *pgx.Conn, lock *catalogue.Lock, d Dump) (catalogue.Backup, string, error) {
	m := catalogue.Manifest{Kind: catalogue.Logical, Subject: d.Database, Database: d.Database, Label: d.Label, Key: d.Key,
		Recipients: e.Recipients, Started: e.Clock.Now().UTC()}
	tx, snapshot, err := describe(ctx, conn, &m)
	if err != nil {
		return catalogue.Backup{}, "", err
	}
	m.Server.Host = d.Host
	with, err := e.Tools(ctx, m.Server.Major)
	if err != nil {
		return catalogue.Backup{}, "", err
	}
	m.Tool, m.ToolMajor = with.Full, with.Major
	tail := catalogue.Suffix(m.Key)
	if m.Key == "" {
		tail = catalogue.Suffix(snapshot + m.Started.String())
	}
	m.ID = catalogue.NewID(m.Until, tail)
	folder, err := e.Catalogue.Begin(ctx, d.Database, m.ID)
	if err != nil {
		return catalogue.Backup{}, "", err
	}
	if err := e.fill(ctx, tx, d, with, snapshot, folder, &m); err != nil {
		return catalogue.Backup{}, folder, err
	}
	m.Finished = e.Clock.Now().UTC()
	m.Restore = Commands(m)
	if err := lock.Held(ctx); err != nil {
		return catalogue.Backup{}, folder, err
	}
	b, err := e.Catalogue.Publish(ctx, folder, m)
	return b, folder, err
}

// describe opens the transaction whose snapshot everything is taken on. Until
// is when that transaction began: what had committed by then is in.
func describe(ctx context.Context, conn *pgx.Conn, m *catalogue.Manifest) (pgx.Tx, string, error) {
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, "", err
	}
	const sql = `select now(), pg_export_snapshot(), current_setting('server_version'), current_setting('server_version_num')::int / 10000,
		pg_encoding_to_char(encoding), datcollate, datctype,
		pg_database_size(d.oid), coalesce((select setconfig from pg_db_role_setting where setdatabase = d.oid and setrole = 0), '{}')
		from pg_database d where datname = current_database()`
	var snapshot string
	err = tx.QueryRow(ctx, sql).Scan(&m.Until, &snapshot, &m.Server.Version, &m.Server.Major, &m.Server.Encoding, &m.Server.Collate, &m.Server.CType, &m.Size, &m.Settings)
	m.Until = m.Until.UTC()
	return tx, snapshot, err
}

// fill writes the dump and the roles, and reads the tables meanwhile.
func (e *Engine) fill(ctx context.Context, tx pgx.Tx, d Dump, with postgres.Tools, snapshot, folder string, m *catalogue.Manifest) error {
	way, err := e.Way.Link(ctx, d.Server)
	if err != nil {
		return err
	}
	defer way.Close()
	group, inner := errgroup.WithContext(ctx)
	files := make([]artifact.Record, 2)
	var extra []artifact.Record
	group.Go(func() (err error) {
		// Not compressed by pg_dump: zstd does it faster, and for all artifacts alike.
		// A dump without indexes is smaller than its database, so this is the slow side.
		pace := artifact.NewPace(e.Clock, "dumping "+m.Database, m.Size)
		files[0], err = e.produce(inner, folder, DumpName, pace, way.Child(postgres.Child{Program: with.Path("pg_dump"),
			Args: []string{"--format=custom", "--compress=0", "--snapshot=" + snapshot, "--no-password", "--lock-wait-timeout=60s", "--dbname=" + way.Parameters(m.Database)}}))
		return err
	})
	group.Go(func() (err error) {
		files[1], err = e.produce(inner, folder, GlobalsName, nil, way.Child(postgres.Child{Program: with.Path("pg_dumpall"),
			Args: []string{"--globals-only", "--no-role-passwords", "--no-password", "--database=postgres", "--dbname=" + way.Parameters("postgres")}}))
		return err
	})
	group.Go(func() (err error) {
		var list artifact.Record
		var stored bool
		if list, stored, err = e.contacts(inner, tx, d.Contacts, folder); err != nil {
			return err
		}
		if stored {
			extra = append(extra, list)
		}
		m.Rows, m.Hashes, err = content(inner, tx)
		return err
	})
	if err := group.Wait(); err != nil {
		return err
	}
	m.Files = append(files, extra...)
	return nil
}

// produce runs a child into an artifact.
func (e *Engine) produce(ctx context.Context, folder, name string, pace *artifact.Pace, k postgres.Child) (artifact.Record, error) {
	return artifact.Write(ctx, e.Catalogue.Store, folder, name, e.Seal, func(w io.Writer) error {
		k.Out = pace.Writer(ctx, w)
		return k.Run(ctx)
	})
}
