package backup

import (
	"context"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/bindings/backup/logical"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

type restoreArgs struct {
	ID        string        `lua:"id" doc:"Backup to restore, from backup.newest or backup.list."`
	Host      string        `lua:"host,optional" doc:"Of a dump: the server to restore on, with :port when it is not the configured one. Of a cluster: the machine that is reached by SSH, with PostgreSQL as Debian packages it. Of files: the machine that is reached by SSH, as user@host; this one when not given."`
	Database  string        `lua:"database,optional" doc:"Of a dump: name it gets; that of the backup when not given."`
	Table     string        `lua:"table,optional" doc:"Of a dump: only this table, \"customers\" or \"audit.log\": it comes back under another name, beside the present one."`
	Jobs      int           `lua:"jobs" default:"2" doc:"Of a dump: how many tables and indexes are built at once."`
	Path      string        `lua:"path,optional" doc:"Of files: folder that the tree is restored to; it is made when it is missing."`
	Only      string        `lua:"only,optional" doc:"Of files: only this folder or file of the tree: \"static/uploads\"."`
	Delete    bool          `lua:"delete" default:"false" doc:"Of files: whether what the backup does not have is removed."`
	Folder    string        `lua:"folder,optional" doc:"Of a cluster: instead of a machine, an empty folder of this one. No server is started."`
	Cluster   string        `lua:"cluster,optional" doc:"Of a cluster: its name on the machine, when there are several of one version: \"main\"."`
	Time      time.Time     `lua:"time,optional" doc:"Of a cluster: restore what had committed by then, and nothing later; everything there is when not given."`
	BeforeXID int           `lua:"before_xid,optional" doc:"Of a cluster: restore everything up to just before this transaction committed."`
	Point     string        `lua:"point,optional" doc:"Of a cluster: restore everything up to this named restore point."`
	Replace   bool          `lua:"replace" default:"false" doc:"Whether a database that holds tables, a cluster that holds databases, or files that are there, may be replaced. The database is kept under another name, the cluster in another folder."`
	Within    time.Duration `lua:"within" default:"4h" doc:"How long it may take."`
}

// Restored is what came back.
type Restored struct {
	Kind      string           `lua:"kind" doc:"What it is: \"logical\" (a database or a table), \"physical\" (a cluster) or \"files\"."`
	Until     time.Time        `lua:"data_until" doc:"Up to when its data reaches: what came later is lost."`
	Elapsed   time.Duration    `lua:"elapsed" doc:"How long it took."`
	Kept      string           `lua:"kept,optional" doc:"Name of the replaced database, or folder of the replaced cluster: it still exists."`
	Database  string           `lua:"database,optional" doc:"Of a dump: the database's name."`
	Table     string           `lua:"table,optional" doc:"Name under which the one table came back that was asked for."`
	Rows      int64            `lua:"rows" doc:"Of a dump: rows in all tables, as many as the backup had."`
	Tables    map[string]int64 `lua:"tables" doc:"Of a dump: rows by table."`
	Roles     []string         `lua:"roles" doc:"Of a dump: roles that were made because they were missing; they have no password yet."`
	Warnings  []string         `lua:"warnings" doc:"What is not as it was: owners, sort order."`
	Folder    string           `lua:"folder,optional" doc:"Of a cluster: its data folder. Of files: where they are."`
	Position  string           `lua:"position,optional" doc:"Of a cluster: where in the write-ahead log the recovery ended."`
	Last      *time.Time       `lua:"last_commit" doc:"Of a cluster: when the last transaction that is in committed; absent when none did behind the base backup."`
	Databases []string         `lua:"databases" doc:"Of a cluster: the databases in it."`
	Entries   int              `lua:"entries" doc:"Of files: files, folders and links that were asked for."`
	Written   int              `lua:"written" doc:"Of files: those that differed and were written."`
	Bytes     int64            `lua:"bytes" doc:"Of files: size of what was written."`
	Deleted   int              `lua:"deleted" doc:"Of files: what was removed because the backup does not have it."`
	Torn      []string         `lua:"torn" doc:"Files that changed while they were backed up: what came back may be of no one moment."`
}

var restore = binding.Func[*Client, restoreArgs, Restored]{
	Name: "restore", Effect: binding.Mutates,
	Doc: "Bring a backup back, by what it is a backup of. A dump: the backup and the key to it are checked first; it is restored beside, its rows and content are compared with the manifest, and only then it takes its name. " +
		"A database that holds tables is refused unless replace = true; then it is kept as NAME_damaged_KEY, and dropping it is up to you. " +
		"With `table`, one table comes back as TABLE_restored_KEY, without its indexes and constraints; nothing else is touched.\n" +
		"A cluster, with the archived log behind it: on a machine, beside the cluster that is there, which is then stopped, moved aside and kept; one that holds databases is refused unless replace = true. The log is read to its end " +
		"before anything is touched; a hole or a damaged segment is refused. PostgreSQL is told the exact place to recover to and does not start when it cannot get there. If the restored cluster does not " +
		"come up, the old one is back in its place, stopped.\n" +
		"Files, or one folder of them: only those whose size or time differs are written, each under another name until it is whole and its checksum is right. " +
		"A folder that holds anything else is refused unless replace = true, and the refusal says what would be lost. Repeating it completes what an interrupted one began.",
	Says: "restore[ the table {table} of][ {only} of] {id}[ as {database}][ to {path}][ into {folder}][ on {host}][, up to {time}][, up to just before transaction {before_xid}][, up to the point {point}]" +
		" (replace: {replace}, delete: {delete})",
	Raises:  []fault.Kind{fault.NotFound, fault.Denied, fault.Invalid, fault.Conflict, fault.Failed, fault.Unavailable, fault.Timeout, fault.Exhausted},
	Example: `backup.restore { id = "20260228T030000Z-0a1b2c3d", host = "203.0.113.11", database = "webhost_prod" }`,
	Target:  "database",
	Call:    (*Client).restore,
	Predict: predictRestore,
	Settled: (*Client).restoreSettled,
}

// fits refuses what a backup of this kind has no use for, and a call that lacks
// what it needs.
func (a restoreArgs) fits(b catalogue.Backup) error {
	called := map[string]string{catalogue.Logical: "a dump of one database", catalogue.Files: "a backup of files", catalogue.Physical: "a copy of a cluster"}
	if called[b.Kind] == "" {
		return fault.New(fault.Failed, "the backup %s cannot be used: %s", b.ID, b.Checks.Reason).WithHint(artifact.Another).NothingDone()
	}
	for _, one := range []struct {
		name, kind string
		given      bool
	}{
		{"database", catalogue.Logical, a.Database != ""}, {"table", catalogue.Logical, a.Table != ""},
		{"path", catalogue.Files, a.Path != ""}, {"only", catalogue.Files, a.Only != ""}, {"delete", catalogue.Files, a.Delete},
		{"folder", catalogue.Physical, a.Folder != ""}, {"cluster", catalogue.Physical, a.Cluster != ""}, {"time", catalogue.Physical, !a.Time.IsZero()},
		{"before_xid", catalogue.Physical, a.BeforeXID != 0}, {"point", catalogue.Physical, a.Point != ""},
	} {
		if one.given && one.kind != b.Kind {
			return fault.New(fault.Invalid, "%s is %s, and `%s` is for %s", b.ID, called[b.Kind], one.name, called[one.kind]).
				WithHint("leave it out, or name another backup: backup.list shows them").NothingDone()
		}
	}
	switch {
	case b.Kind == catalogue.Logical && a.Host == "":
		return fault.New(fault.Invalid, "%s is %s: `host` says on which server it is restored", b.ID, called[b.Kind]).NothingDone()
	case b.Kind == catalogue.Files && a.Path == "":
		return fault.New(fault.Invalid, "%s is %s: `path` says where they are restored", b.ID, called[b.Kind]).NothingDone()
	case b.Kind == catalogue.Physical && (a.Host == "") == (a.Folder == ""):
		return fault.New(fault.Invalid, "%s is %s: one of `host` and `folder` is needed, and not both", b.ID, called[b.Kind]).NothingDone()
	case a.BeforeXID < 0:
		return fault.New(fault.Invalid, "before_xid is %d", a.BeforeXID).WithHint("it is the number of a transaction: txid_current()").NothingDone()
	}
	return nil
}

func predictRestore(c *Client, ctx context.Context, a restoreArgs) (Restored, error) {
	if binding.IsPlanned(a.ID) {
		return Restored{Database: a.Database, Folder: a.Folder + a.Path, Until: c.env.Clock.Now()}, nil
	}
	at, err := c.repository(ctx)
	if err != nil {
		return Restored{}, err
	}
	defer at.Store.Close()
	b, err := at.Find(ctx, a.ID)
	if err == nil {
		err = a.fits(b)
	}
	if err != nil {
		return Restored{}, err
	}
	out := Restored{Kind: b.Kind, Until: b.Until}
	switch {
	case b.Kind == catalogue.Physical:
		predictCluster(&out, b, a)
	case b.Kind == catalogue.Files:
		out.Folder = a.Path
		if b.Tree != nil {
			out.Entries, out.Bytes = b.Tree.Entries, b.Tree.Bytes
		}
	default:
		predictDatabase(&out, b, a)
	}
	return out, nil
}

func (c *Client) restore(ctx context.Context, a restoreArgs) (Restored, error) {
	start := c.env.Clock.Now()
	ctx, cancel := context.WithTimeout(ctx, a.Within)
	defer cancel()
	at, err := c.repository(ctx)
	if err != nil {
		return Restored{}, logical.Because(ctx, err, "restore "+a.ID).NothingDone()
	}
	defer at.Store.Close()
	b, err := at.Find(ctx, a.ID)
	if err != nil {
		return Restored{}, logical.Because(ctx, err, "restore "+a.ID).NothingDone()
	}
	if err := a.fits(b); err != nil {
		return Restored{}, err
	}
	var out Restored
	switch b.Kind {
	case catalogue.Physical:
		out, err = c.restoreCluster(ctx, at, b, a)
	case catalogue.Files:
		out, err = c.restoreFiles(ctx, at, b, a)
	default:
		out, err = c.restoreDatabase(ctx, at, a)
	}
	if err != nil {
		return Restored{}, err
	}
	out.Kind, out.Elapsed = b.Kind, c.env.Clock.Now().Sub(start).Round(time.Millisecond)
	return out, nil
}

// restoreSettled finds out whether a database took its name. A cluster leaves a
// mark that the repeated call finds and goes on from, and of files a repeated
// call writes what is not there yet.
func (c *Client) restoreSettled(ctx context.Context, a restoreArgs) (binding.Settlement[Restored], error) {
	none := binding.Settlement[Restored]{Landed: binding.No}
	at, err := c.repository(ctx)
	if err != nil {
		return none, err
	}
	defer at.Store.Close()
	b, err := at.Find(ctx, a.ID)
	if err != nil || b.Kind == catalogue.Physical || b.Kind == catalogue.Files {
		return none, err
	}
	found, err := c.databaseSettled(ctx, at, a)
	found.Result.Kind = b.Kind
	return found, err
}
