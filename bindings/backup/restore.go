package backup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

type restoreArgs struct {
	ID       string        `lua:"id" doc:"Backup to restore, from backup.newest or backup.list."`
	Host     string        `lua:"host" doc:"Server to restore on, with :port when it is not the configured one."`
	Database string        `lua:"database,optional" doc:"Name it gets; that of the backup when not given."`
	Jobs     int           `lua:"jobs" default:"2" doc:"How many tables and indexes are built at once."`
	Replace  bool          `lua:"replace" default:"false" doc:"Whether a database that holds tables may be replaced. It is kept under another name."`
	Within   time.Duration `lua:"within" default:"4h" doc:"How long it may take."`
}

// Restored is what came back.
type Restored struct {
	Database string           `lua:"database" doc:"Its name."`
	Until    time.Time        `lua:"data_until" doc:"Up to when its data reaches: what came later is lost."`
	Rows     int64            `lua:"rows" doc:"Rows in all tables, as many as the backup had."`
	Tables   map[string]int64 `lua:"tables" doc:"Rows by table."`
	Kept     string           `lua:"kept,optional" doc:"Name under which the replaced database still exists."`
	Roles    []string         `lua:"roles" doc:"Roles that were made because they were missing; they have no password yet."`
	Warnings []string         `lua:"warnings" doc:"What is not as it was: owners, sort order."`
	Elapsed  time.Duration    `lua:"elapsed" doc:"How long it took."`
}

var restore = binding.Func[*Client, restoreArgs, Restored]{
	Name: "restore", Effect: binding.Mutates,
	Doc: "Restore a database. The backup is checked first; it is restored beside, its rows are counted against the manifest, and only then it takes its name. " +
		"A database that holds tables is refused unless replace = true; then it is kept as NAME_damaged_KEY, and dropping it is up to you.",
	Says:    "restore {id} as {database} on {host} (replace: {replace})",
	Raises:  []fault.Kind{fault.NotFound, fault.Denied, fault.Invalid, fault.Conflict, fault.Failed, fault.Unavailable, fault.Timeout, fault.Exhausted},
	Example: `backup.restore { id = "20260228T030000Z-0a1b2c3d", host = "203.0.113.11", database = "webhost_prod" }`,
	Target:  "database",
	Call:    (*Client).restore,
	Predict: predictRestore,
	Settled: (*Client).restoreSettled,
}

func predictRestore(c *Client, _ context.Context, a restoreArgs) (Restored, error) {
	if binding.IsPlanned(a.ID) {
		return Restored{Database: a.Database}, nil
	}
	s, err := c.repo.find(a.ID)
	if err != nil {
		return Restored{}, err
	}
	out := Restored{Database: s.Database, Until: s.Until, Rows: s.total(), Tables: s.Rows}
	if a.Database != "" {
		out.Database = a.Database
	}
	if a.Replace {
		out.Kept = binding.Planned("name of the replaced database")
	}
	return out, nil
}

// work is one restore under way.
type work struct {
	stored
	client   *Client
	server   server
	tools    tools
	admin    *pgx.Conn // on the maintenance database
	target   string    // the name it gets
	beside   string    // the name it has until it is checked
	kept     string    // the name of what was there before
	key      string
	exists   bool
	holds    bool // the one that exists holds tables
	owner    string
	super    bool
	major    int
	jobs     int
	roles    []string
	warnings []string
}

// longestName of a database, in bytes (NAMEDATALEN - 1).
const longestName = 63

// beside makes a name out of a database's and an ending, short enough.
func besideName(database, ending string) string {
	return database[:min(len(database), longestName-len(ending))] + ending
}

func (c *Client) restore(ctx context.Context, a restoreArgs) (Restored, error) {
	start := c.env.Clock.Now()
	op := "restore " + a.ID + " on " + a.Host
	ctx, cancel := context.WithTimeout(ctx, a.Within)
	defer cancel()
	w, err := c.prepare(ctx, a)
	if err != nil {
		return Restored{}, because(ctx, err, op).NothingDone()
	}
	defer closeQuietly(ctx, w.admin)
	if done, found, err := w.marked(ctx); err != nil || found {
		return done, err // an earlier attempt of this very call succeeded
	}
	if err := w.admit(ctx, a); err != nil {
		return Restored{}, because(ctx, err, op).NothingDone()
	}
	if err := w.build(ctx); err != nil {
		w.dropBeside(ctx)
		return Restored{}, because(ctx, err, op).NothingDone() // the name was not touched
	}
	if err := w.swap(ctx); err != nil {
		return Restored{}, because(ctx, err, op)
	}
	c.praise(w.stored, "restored")
	out := w.result()
	out.Elapsed = c.env.Clock.Now().Sub(start).Round(time.Millisecond)
	return out, nil
}

// because prefers the reason why work was stopped to its symptom. The limit of
// the call itself is not passing: another try would take as long.
func because(ctx context.Context, err error, op string) *fault.Fault {
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	f := translate(err, op)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		f.Message, f.Hint, f.Transient = "it was not complete in time and was stopped", "raise `within`", false
	}
	return f
}

func (w *work) result() Restored {
	return Restored{Database: w.target, Until: w.Until, Rows: w.total(), Tables: w.Rows, Kept: w.kept, Roles: w.roles, Warnings: w.warnings}
}

// prepare finds and checks the backup and connects, without changing anything.
func (c *Client) prepare(ctx context.Context, a restoreArgs) (*work, error) {
	w, err := c.aim(a, binding.Key(ctx))
	if err != nil {
		return nil, err
	}
	if err := c.sound(ctx, w.stored); err != nil {
		return nil, err
	}
	if w.tools, err = c.tools(ctx, w.ToolMajor); err != nil {
		return nil, err
	}
	w.admin, err = c.connect(ctx, w.server, "postgres")
	return w, err
}

// aim works out the names.
func (c *Client) aim(a restoreArgs, key string) (*work, error) {
	if a.Jobs < 1 || a.Jobs > 64 {
		return nil, fault.New(fault.Invalid, "jobs is %d", a.Jobs).WithHint("2 is enough on most machines")
	}
	s, err := c.repo.find(a.ID)
	if err != nil {
		return nil, err
	}
	if key == "" {
		key = s.ID
	}
	w := &work{stored: s, client: c, key: key, target: a.Database, jobs: a.Jobs}
	if w.target == "" {
		w.target = s.Database
	}
	if len(w.target) > longestName {
		return nil, fault.New(fault.Invalid, "%q is longer than %d bytes", w.target, longestName)
	}
	w.beside = besideName(w.target, "_restoring_"+suffix(key))
	w.server, err = c.server(a.Host)
	return w, err
}

// admit refuses what must not or cannot be restored there.
func (w *work) admit(ctx context.Context, a restoreArgs) error {
	err := w.admin.QueryRow(ctx, `select current_setting('server_version_num')::int / 10000,
		(select rolsuper from pg_roles where rolname = current_user)`).Scan(&w.major, &w.super)
	if err != nil {
		return err
	}
	if w.Server.Major > w.major {
		return fault.New(fault.Conflict, "the backup is of PostgreSQL %d, the server runs %d", w.Server.Major, w.major).
			WithHint("restore on a server of version %d or newer", w.Server.Major)
	}
	err = w.admin.QueryRow(ctx, "select pg_get_userbyid(datdba) from pg_database where datname = $1", w.target).Scan(&w.owner)
	if err == pgx.ErrNoRows {
		return nil
	}
	if err != nil {
		return err
	}
	w.exists, w.holds = true, true
	if err := w.letIn(ctx); err != nil {
		return err
	}
	if !a.Replace {
		if w.holds, err = w.holdsTables(ctx); err != nil {
			return err
		}
		if w.holds {
			return fault.New(fault.Conflict, "database %s on %s holds tables", w.target, a.Host).
				WithHint("restore under another name with `database`, or say replace = true: the present one is kept under another name")
		}
	}
	if w.holds {
		w.kept = besideName(w.target, "_damaged_"+suffix(w.key))
	}
	return nil
}

// holdsTables tells whether the target has anything of its own in it.
func (w *work) holdsTables(ctx context.Context) (bool, error) {
	conn, err := w.client.connect(ctx, w.server, w.target)
	if err != nil {
		return false, err
	}
	defer closeQuietly(ctx, conn)
	var holds bool
	err = conn.QueryRow(ctx, "select exists (select 1 "+ordinary+" and c.relkind in ('r', 'p', 'm', 'v', 'S', 'f'))").Scan(&holds)
	return holds, err
}

// build restores beside the target and checks what came back.
func (w *work) build(ctx context.Context) error {
	if err := w.createBeside(ctx); err != nil {
		return err
	}
	if err := w.createRoles(ctx); err != nil {
		return err
	}
	way, err := w.client.link(ctx, w.server)
	if err != nil {
		return err
	}
	defer way.close()
	args := []string{"--exit-on-error", "--no-password", "--jobs=" + strconv.Itoa(w.jobs), "--dbname=" + way.parameters(w.beside)}
	if !w.super {
		args = append(args, "--no-owner", "--no-privileges")
		w.warnings = append(w.warnings, "owners and rights were not restored: "+w.server.user+" is no superuser")
	}
	binding.Progress(ctx, "restoring %s, %d rows", w.ID, w.total())
	if err := way.child(w.tools.path("pg_restore"), append(args, w.file(dumpName))...).run(ctx); err != nil {
		return err
	}
	return w.inspect(ctx)
}

// inspect gathers statistics and counts the rows against the manifest.
func (w *work) inspect(ctx context.Context) error {
	conn, err := w.client.connect(ctx, w.server, w.beside)
	if err != nil {
		return err
	}
	defer closeQuietly(ctx, conn)
	if _, err := conn.Exec(ctx, "analyze"); err != nil {
		return err
	}
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return err
	}
	got, err := countRows(ctx, tx)
	if err != nil || maps.Equal(got, w.Rows) {
		return err
	}
	var wrong []string
	for _, name := range slices.Sorted(maps.Keys(w.Rows)) {
		if n, ok := got[name]; !ok || n != w.Rows[name] {
			wrong = append(wrong, fmt.Sprintf("%s has %d rows instead of %d", name, n, w.Rows[name]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, ok := w.Rows[name]; !ok {
			wrong = append(wrong, name+" is not in the manifest")
		}
	}
	return fault.New(fault.Failed, "what came back is not what was backed up: %s", strings.Join(wrong[:min(len(wrong), 5)], "; ")).
		WithHint("try another backup: backup.newest { before = ... }")
}
