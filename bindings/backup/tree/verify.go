package tree

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"os"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/host/fault"
)

// Verify checks a backup as deep as asked, with the whole one that it needs:
// checksums; then every file in the archives is compared with its own sum; then
// the tree is restored into a folder of this machine, which is removed, and
// looked at. When nothing was asked it reads, unless it is encrypted and there
// is no key here.
func (e *Engine) Verify(ctx context.Context, b catalogue.Backup, asked string) (string, error) {
	pin, held, err := e.Catalogue.Pin(ctx, b, "verification of "+b.ID)
	if err != nil {
		return "", err
	}
	depth, compared, err := e.verify(held, b, asked)
	switch {
	case err == nil:
		err = e.Catalogue.Praise(held, b, depth, compared...)
	case errors.Is(err, artifact.ErrDamaged):
		// The finding goes to the caller, whether it can be noted or not.
		_ = e.Catalogue.Condemn(ctx, b, fault.As(err).Message)
		err = fault.As(err).WithHint("use another one: backup.newest leaves this one out from now on")
	}
	_ = pin.Release(ctx) // one that cannot be taken off runs out by itself
	return depth, err
}

func (e *Engine) verify(ctx context.Context, b catalogue.Backup, asked string) (depth string, compared []string, err error) {
	chain, err := e.chain(ctx, b)
	if err != nil {
		return "", nil, err
	}
	if err := e.sums(ctx, chain); err != nil {
		return "", nil, err
	}
	keys, err := e.keys(b.Files)
	if err != nil {
		return "", nil, err
	}
	if asked == catalogue.DepthSums || asked == "" && keys.None() && b.Files[0].Encryption != "" {
		return catalogue.DepthSums, nil, nil
	}
	want, from, err := e.merged(ctx, chain)
	if err != nil {
		return "", nil, err
	}
	if asked == catalogue.DepthRestored {
		return asked, []string{"checksums", "every file's content", "types, sizes, times and links"}, e.try(ctx, b, want)
	}
	return catalogue.DepthRead, []string{"checksums", "every file's content"}, e.contents(ctx, chain, want, from)
}

// sums compares every artifact with its checksum, the whole backup's too.
func (e *Engine) sums(ctx context.Context, chain []catalogue.Backup) error {
	var all int64
	for _, b := range chain {
		all += b.Bytes()
	}
	pace := artifact.NewPace(e.Clock, "comparing checksums", all)
	for _, b := range chain {
		for _, f := range b.Files {
			if err := artifact.Check(ctx, e.Catalogue.Store, b.Folder, f); err != nil {
				return err
			}
			pace.Add(ctx, f.Bytes)
		}
	}
	return nil
}

// contents compares every file in the archives with its own sum.
func (e *Engine) contents(ctx context.Context, chain []catalogue.Backup, want []Entry, from map[string]string) error {
	all, missing := map[string]Entry{}, map[string]bool{}
	var bytes int64
	for _, x := range want {
		all[x.Path] = x
		if x.Type == File {
			missing[x.Path] = true
			bytes += x.Size
		}
	}
	pace := artifact.NewPace(e.Clock, "reading every file", bytes)
	for _, b := range chain {
		err := e.each(ctx, b, func(h *tar.Header, content io.Reader) error {
			x, ok := all[nameOf(h)]
			if !ok || h.Typeflag != tar.TypeReg || from[x.Path] != b.ID && b.ID != chain[len(chain)-1].ID {
				return nil // what an increment replaces
			}
			if from[x.Path] == b.ID {
				delete(missing, x.Path)
			}
			_, err := io.Copy(io.Discard, &judged{newDigest(pace.Reader(ctx, content)), x})
			return err
		})
		if err != nil {
			return err
		}
	}
	for p := range missing {
		return artifact.Damaged("the archive lacks %q", p)
	}
	return nil
}

// try restores into a folder that is removed afterwards and looks at it.
func (e *Engine) try(ctx context.Context, b catalogue.Backup, want []Entry) (err error) {
	dir, err := os.MkdirTemp(e.Scratch, "drhost-trial-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	open := func() (Target, error) { return OpenLocal(dir, false) }
	if _, err := e.restore(ctx, Restore{Backup: b, Where: "a folder of its own"}, open); err != nil {
		return err
	}
	back, err := open()
	if err != nil {
		return err
	}
	defer back.Close()
	now, err := scan(ctx, back)
	if err != nil {
		return err
	}
	there := map[string]Entry{}
	for _, x := range now.entries {
		there[x.Path] = x
	}
	for _, x := range want {
		have, ok := there[x.Path]
		delete(there, x.Path)
		if !ok || have.Type != x.Type || have.Size != x.Size || have.Link != x.Link || have.Mode != x.Mode || x.Type != Symlink && x.Type != HardLink && !have.Time.Equal(x.Time) {
			return artifact.Damaged("%q came back as something else", x.Path)
		}
	}
	for p := range there {
		return artifact.Damaged("%q came back and was never there", p)
	}
	return nil
}
