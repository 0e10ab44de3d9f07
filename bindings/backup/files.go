package backup

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/pkg/sftp"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/bindings/backup/logical"
	"github.com/webhost-systems/drhost/bindings/backup/tree"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

type restoreFilesArgs struct {
	ID      string        `lua:"id" doc:"Backup of files to restore, from backup.newest { kind = \"files\" } or backup.list."`
	Host    string        `lua:"host,optional" doc:"Machine that is reached by SSH, as user@host; this one when not given."`
	Path    string        `lua:"path" doc:"Folder that the tree is restored to; it is made when it is missing."`
	Only    string        `lua:"only,optional" doc:"Only this folder or file of the tree: \"static/uploads\"."`
	Replace bool          `lua:"replace" default:"false" doc:"Whether files that are there may be replaced."`
	Delete  bool          `lua:"delete" default:"false" doc:"Whether what the backup does not have is removed."`
	Within  time.Duration `lua:"within" default:"4h" doc:"How long it may take."`
}

// RestoredFiles is what came back.
type RestoredFiles struct {
	Path    string        `lua:"path" doc:"Where it is."`
	Until   time.Time     `lua:"data_until" doc:"Of when it is."`
	Entries int           `lua:"entries" doc:"Files, folders and links that were asked for."`
	Written int           `lua:"written" doc:"Files that differed and were written."`
	Bytes   int64         `lua:"bytes" doc:"Their size."`
	Deleted int           `lua:"deleted" doc:"What was removed because the backup does not have it."`
	Torn    []string      `lua:"torn" doc:"Files that changed while they were backed up: what came back may be of no one moment."`
	Elapsed time.Duration `lua:"elapsed" doc:"How long it took."`
}

var restoreFiles = binding.Func[*Client, restoreFilesArgs, RestoredFiles]{
	Name: "restore_files", Effect: binding.Mutates,
	Doc: "Restore a backup of files, or one folder of it, here or on a machine by SSH. Only files whose size or time differs are written, each under another name until it is whole and its checksum is right. " +
		"A folder that holds anything else is refused unless replace = true, and the refusal says what would be lost. Repeating it completes what an interrupted one began.",
	Says:    "restore[ {only} of] the files {id} to {path}[ on {host}] (replace: {replace}, delete: {delete})",
	Raises:  []fault.Kind{fault.NotFound, fault.Denied, fault.Invalid, fault.Conflict, fault.Failed, fault.Unavailable, fault.Timeout, fault.Exhausted},
	Example: `backup.restore_files { id = "20260228T031500Z-0a1b2c3d", host = "root@203.0.113.11", path = "/var/www/webhost", replace = true }`,
	Target:  "path",
	Call:    (*Client).restoreFiles,
	Predict: func(c *Client, ctx context.Context, a restoreFilesArgs) (RestoredFiles, error) {
		out := RestoredFiles{Path: a.Path, Until: c.env.Clock.Now()}
		if binding.IsPlanned(a.ID) {
			return out, nil
		}
		at, err := c.repository(ctx)
		if err != nil {
			return out, err
		}
		defer at.Store.Close()
		b, err := at.Find(ctx, a.ID)
		if err != nil || b.Tree == nil {
			return out, err
		}
		out.Until, out.Entries, out.Bytes = b.Until, b.Tree.Entries, b.Tree.Bytes
		return out, nil
	},
	// Repeating it writes what is not there yet.
	Settled: func(*Client, context.Context, restoreFilesArgs) (binding.Settlement[RestoredFiles], error) {
		return binding.Settlement[RestoredFiles]{Landed: binding.No}, nil
	},
}

func (c *Client) restoreFiles(ctx context.Context, a restoreFilesArgs) (RestoredFiles, error) {
	start := c.env.Clock.Now()
	ctx, cancel := context.WithTimeout(ctx, a.Within)
	defer cancel()
	at, err := c.repository(ctx)
	if err != nil {
		return RestoredFiles{}, logical.Because(ctx, err, "restore the files "+a.ID).NothingDone()
	}
	defer at.Store.Close()
	b, err := at.Find(ctx, a.ID)
	if err != nil {
		return RestoredFiles{}, err
	}
	if b.Kind != catalogue.Files {
		return RestoredFiles{}, fault.New(fault.Invalid, "%s is a %s backup, not one of files", b.ID, b.Kind).NothingDone()
	}
	e, err := c.files(at)
	if err != nil {
		return RestoredFiles{}, logical.Because(ctx, err, "restore the files "+a.ID).NothingDone()
	}
	where := a.Path
	if a.Host != "" {
		where = a.Host + ":" + a.Path
	}
	only := a.Only
	if only != "" {
		only = filepath.ToSlash(filepath.Clean(only))
	}
	got, err := e.Restore(ctx, tree.Restore{Backup: b, Only: only, Replace: a.Replace, Delete: a.Delete, Where: where}, func() (tree.Target, error) {
		if a.Host == "" {
			folder, err := c.absolute(a.Path)
			if err != nil {
				return nil, err
			}
			return tree.OpenLocal(folder, true)
		}
		return c.remoteTree(ctx, a.Host, a.Path, true)
	})
	if err != nil {
		return RestoredFiles{}, err
	}
	return RestoredFiles{Path: a.Path, Until: b.Until, Entries: got.Entries, Written: got.Written, Bytes: got.Bytes, Deleted: got.Deleted, Torn: got.Torn,
		Elapsed: c.env.Clock.Now().Sub(start).Round(time.Millisecond)}, nil
}

// remoteTree opens a folder of a machine.
func (c *Client) remoteTree(ctx context.Context, host, path string, make bool) (*tree.Remote, error) {
	m, hangUp, err := c.machine(ctx, host)
	if err != nil {
		return nil, err
	}
	files, err := sftp.NewClient(m.Client, sftp.UseConcurrentWrites(true))
	if err != nil {
		hangUp()
		return nil, logical.Because(ctx, err, "open SFTP on "+host).NothingDone()
	}
	done := func() { files.Close(); hangUp() }
	r, err := tree.OpenRemote(files, path, make, m.Root, done)
	if err != nil {
		done()
		return nil, err
	}
	return r, nil
}

// backUpFiles backs a folder up.
func (c *Client) backUpFiles(ctx context.Context, at *catalogue.Catalogue, a createArgs) (catalogue.Backup, error) {
	if b, found, err := at.ByKey(ctx, binding.Key(ctx)); err != nil || found {
		if err != nil {
			err = logical.Because(ctx, err, "").NothingDone()
		}
		return b, err
	}
	e, err := c.files(at)
	if err != nil {
		return catalogue.Backup{}, logical.Because(ctx, err, "").NothingDone()
	}
	var from tree.Place
	if a.Host != "" {
		from, err = c.remoteTree(ctx, a.Host, a.Path, false)
	} else {
		var folder string
		if folder, err = c.absolute(a.Path); err == nil {
			from, err = tree.OpenLocal(folder, false)
		}
	}
	if err != nil {
		return catalogue.Backup{}, logical.Because(ctx, err, "").NothingDone()
	}
	defer from.Close()
	return e.Create(ctx, tree.Create{Name: a.subject(), Host: a.Host, Path: a.Path, Label: a.Label, Key: binding.Key(ctx), Whole: a.Full, From: from})
}

// files is what trees are backed up and restored with in an open repository.
func (c *Client) files(at *catalogue.Catalogue) (*tree.Engine, error) {
	to, err := artifact.ParseRecipients(c.set.Recipients)
	if err != nil {
		return nil, err
	}
	e := &tree.Engine{Catalogue: at, Seal: artifact.Seal{Recipients: to}, Recipients: c.set.Recipients, Clock: c.env.Clock, LockWait: c.set.LockWait,
		Keys: func() (artifact.Keys, error) { return artifact.ParseKeys(c.set.Identity) }}
	if c.set.Cache != "" {
		e.Cache, err = c.absolute(c.set.Cache)
	} else if dir, none := os.UserCacheDir(); none == nil {
		e.Cache = filepath.Join(dir, "drhost", "trees")
	}
	if err == nil && c.set.Scratch != "" {
		e.Scratch, err = c.absolute(c.set.Scratch)
	}
	return e, err
}

func (c *Client) verifyFiles(ctx context.Context, at *catalogue.Catalogue, b catalogue.Backup, depth string) (string, error) {
	e, err := c.files(at)
	if err != nil {
		return "", err
	}
	return e.Verify(ctx, b, depth)
}
