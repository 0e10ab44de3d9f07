package backup

import (
	"context"
	"os"
	"path/filepath"

	"github.com/pkg/sftp"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/bindings/backup/logical"
	"github.com/webhost-systems/drhost/bindings/backup/tree"
	"github.com/webhost-systems/drhost/host/binding"
)

func (c *Client) restoreFiles(ctx context.Context, at *catalogue.Catalogue, b catalogue.Backup, a restoreArgs) (Restored, error) {
	e, err := c.files(at)
	if err != nil {
		return Restored{}, logical.Because(ctx, err, "restore the files "+a.ID).NothingDone()
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
		return Restored{}, err
	}
	return Restored{Folder: a.Path, Until: b.Until, Entries: got.Entries, Written: got.Written, Bytes: got.Bytes, Deleted: got.Deleted, Torn: got.Torn}, nil
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
