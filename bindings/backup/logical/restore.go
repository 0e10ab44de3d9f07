package logical

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/bindings/backup/postgres"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// Restore is a restore that is to be made.
type Restore struct {
	ID       string
	Server   postgres.Server
	Host     string // as the call named it
	Database string // the name it gets; the backup's when empty
	Jobs     int
	Replace  bool   // whether a database that holds tables may be replaced
	Key      string // idempotency key of the call
}

// Restored is what came back.
type Restored struct {
	Database string
	Until    time.Time
	Rows     int64
	Tables   map[string]int64
	Kept     string // name of the database that was replaced
	Roles    []string
	Warnings []string
}

// work is one restore under way.
type work struct {
	Restore
	engine   *Engine
	backup   catalogue.Backup
	tools    postgres.Tools
	admin    *pgx.Conn // on the maintenance database
	target   string    // the name it gets
	beside   string    // the name it has until it is checked
	kept     string    // the name of what was there before
	exists   bool
	holds    bool // the one that exists holds tables
	owner    string
	super    bool
	major    int
	roles    []string
	warnings []string
}

// longestName of a database, in bytes (NAMEDATALEN - 1).
const longestName = 63

// BesideName makes a name out of a database's and an ending, short enough.
func BesideName(database, ending string) string {
	return database[:min(len(database), longestName-len(ending))] + ending
}

// Restore restores a database. What it needs is checked first, the key too; it
// is restored beside, compared with the manifest, and only then it gets its
// name. The backup is pinned meanwhile.
func (e *Engine) Restore(ctx context.Context, r Restore) (Restored, error) {
	op := "restore " + r.ID + " on " + r.Host
	w, err := e.aim(ctx, r)
	if err != nil {
		return Restored{}, Because(ctx, err, op).NothingDone()
	}
	pin, held, err := e.Catalogue.Pin(ctx, w.backup, "restore of "+r.ID)
	if err != nil {
		return Restored{}, Because(ctx, err, op).NothingDone()
	}
	out, err := w.run(held, op)
	// A pin that cannot be taken off runs out by itself.
	_ = pin.Release(ctx)
	return out, err
}

func (w *work) run(ctx context.Context, op string) (Restored, error) {
	if err := w.prepare(ctx); err != nil {
		return Restored{}, Because(ctx, err, op).NothingDone()
	}
	defer postgres.CloseQuietly(ctx, w.admin)
	if done, found, err := w.marked(ctx); err != nil || found {
		return done, err // an earlier attempt of this very call succeeded
	}
	if err := w.admit(ctx); err != nil {
		return Restored{}, Because(ctx, err, op).NothingDone()
	}
	if err := w.build(ctx); err != nil {
		w.dropBeside(ctx)
		return Restored{}, Because(ctx, err, op).NothingDone() // the name was not touched
	}
	if err := w.swap(ctx); err != nil {
		return Restored{}, Because(ctx, err, op)
	}
	// What was found goes to the caller; a repository that cannot be written
	// takes nothing away from it.
	_ = w.engine.Catalogue.Praise(ctx, w.backup, catalogue.DepthRestored, "checksums", "row counts", "content hashes")
	return w.result(), nil
}

func (w *work) result() Restored {
	return Restored{Database: w.target, Until: w.backup.Until, Rows: w.backup.Total(), Tables: w.backup.Rows, Kept: w.kept, Roles: w.roles, Warnings: w.warnings}
}

// prepare checks the backup, the key and the tools, and connects, without
// changing anything.
func (w *work) prepare(ctx context.Context) (err error) {
	if err := w.engine.sound(ctx, w.backup); err != nil {
		return err
	}
	if w.tools, err = w.engine.Tools(ctx, w.backup.ToolMajor); err != nil {
		return err
	}
	w.admin, err = w.engine.Way.Connect(ctx, w.Server, "postgres")
	return err
}

// aim works out the names.
func (e *Engine) aim(ctx context.Context, r Restore) (*work, error) {
	if r.Jobs < 1 || r.Jobs > 64 {
		return nil, fault.New(fault.Invalid, "jobs is %d", r.Jobs).WithHint("2 is enough on most machines")
	}
	b, err := e.Catalogue.Find(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	if b.Damaged() && len(b.Files) == 0 {
		return nil, fault.New(fault.Failed, "the backup %s cannot be used: %s", b.ID, b.Checks.Reason).WithHint(artifact.Another)
	}
	if b.Kind != catalogue.Logical {
		return nil, fault.New(fault.Invalid, "%s is a %s backup, not a dump of one database", b.ID, b.Kind)
	}
	if r.Key == "" {
		r.Key = b.ID
	}
	w := &work{Restore: r, backup: b, engine: e, target: r.Database}
	if w.target == "" {
		w.target = b.Database
	}
	if len(w.target) > longestName {
		return nil, fault.New(fault.Invalid, "%q is longer than %d bytes", w.target, longestName)
	}
	w.beside = BesideName(w.target, "_restoring_"+catalogue.Suffix(r.Key))
	return w, nil
}

// admit refuses what must not or cannot be restored there.
func (w *work) admit(ctx context.Context) error {
	err := w.admin.QueryRow(ctx, `select current_setting('server_version_num')::int / 10000,
		(select rolsuper from pg_roles where rolname = current_user)`).Scan(&w.major, &w.super)
	if err != nil {
		return err
	}
	if w.backup.Server.Major > w.major {
		return fault.New(fault.Conflict, "the backup is of PostgreSQL %d, the server runs %d", w.backup.Server.Major, w.major).
			WithHint("restore on a server of version %d or newer", w.backup.Server.Major)
	}
	err = w.admin.QueryRow(ctx, "select pg_get_userbyid(datdba) from pg_database where datname = $1", w.target).Scan(&w.owner)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	w.exists, w.holds = true, true
	if err := w.letIn(ctx); err != nil {
		return err
	}
	if !w.Replace {
		lost := ""
		if w.holds, lost, err = w.holdsTables(ctx); err != nil {
			return err
		}
		if w.holds {
			return fault.New(fault.Conflict, "database %s on %s holds tables%s", w.target, w.Host, lost).
				WithHint("restore under another name with `database`, or say replace = true: the present one is kept under another name")
		}
	}
	if w.holds {
		w.kept = BesideName(w.target, "_damaged_"+catalogue.Suffix(w.Key))
	}
	return nil
}

// holdsTables tells whether the target has anything of its own in it, and what
// of that the backup does not have.
func (w *work) holdsTables(ctx context.Context) (holds bool, lost string, err error) {
	conn, err := w.engine.Way.Connect(ctx, w.Server, w.target)
	if err != nil {
		return false, "", err
	}
	defer postgres.CloseQuietly(ctx, conn)
	err = conn.QueryRow(ctx, "select exists (select 1 "+ordinary+" and c.relkind in ('r', 'p', 'm', 'v', 'S', 'f'))").Scan(&holds)
	if holds && err == nil {
		lost = w.loss(ctx, conn)
	}
	return holds, lost, err
}

// build restores beside the target and checks what came back.
func (w *work) build(ctx context.Context) error {
	dump, err := w.engine.local(ctx, w.backup, DumpName)
	if err != nil {
		return err
	}
	defer dump.Close()
	if err := w.createBeside(ctx); err != nil {
		return err
	}
	if err := w.createRoles(ctx); err != nil {
		return err
	}
	way, err := w.engine.Way.Link(ctx, w.Server)
	if err != nil {
		return err
	}
	defer way.Close()
	args := []string{"--exit-on-error", "--no-password", "--jobs=" + strconv.Itoa(w.Jobs), "--dbname=" + way.Parameters(w.beside)}
	if !w.super {
		args = append(args, "--no-owner", "--no-privileges")
		w.warnings = append(w.warnings, "owners and rights were not restored: "+w.Server.User+" is no superuser")
	}
	binding.Progress(ctx, "restoring %s, %d rows", w.backup.ID, w.backup.Total())
	child := way.Child(postgres.Child{Program: w.tools.Path("pg_restore"), Args: append(args, dump.path), Files: dump.files})
	done := w.watch(ctx)
	err = child.Run(ctx)
	done()
	if err != nil {
		return err
	}
	return w.inspect(ctx)
}

// inspect gathers statistics and compares the content with the manifest.
func (w *work) inspect(ctx context.Context) error {
	conn, err := w.engine.Way.Connect(ctx, w.Server, w.beside)
	if err != nil {
		return err
	}
	defer postgres.CloseQuietly(ctx, conn)
	if _, err := conn.Exec(ctx, "analyze"); err != nil {
		return err
	}
	late, err := behind(ctx, conn)
	if err != nil {
		return err
	}
	for _, name := range late {
		w.warnings = append(w.warnings, "sequence "+name+" is behind its column, as it was when the dump was taken")
	}
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return err
	}
	rows, hashes, err := content(ctx, tx)
	if err != nil {
		return err
	}
	return compare(w.backup.Manifest, w.major, rows, hashes)
}
