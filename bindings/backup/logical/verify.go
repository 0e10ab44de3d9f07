package logical

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/bindings/backup/postgres"
	"github.com/webhost-systems/drhost/bindings/backup/store"
	"github.com/webhost-systems/drhost/host/fault"
)

// Verify checks a backup as deep as asked, and tells how deep it got: checksums,
// then pg_restore reads the archive to its end, then it is restored on a server
// of our own. When nothing was asked it reads, unless it is encrypted and there
// is no key here. What is found is noted in the repository.
func (e *Engine) Verify(ctx context.Context, b catalogue.Backup, asked string) (depth string, err error) {
	pin, held, err := e.Catalogue.Pin(ctx, b, "verification of "+b.ID)
	if err != nil {
		return "", err
	}
	depth, err = e.verify(held, b, asked)
	_ = pin.Release(ctx) // one that cannot be taken off runs out by itself
	return depth, err
}

func (e *Engine) verify(ctx context.Context, b catalogue.Backup, asked string) (string, error) {
	if err := e.sums(ctx, b); err != nil {
		return "", err
	}
	keys, err := e.keys(b)
	if err != nil {
		return "", err
	}
	if asked == catalogue.DepthSums || asked == "" && keys.None() && b.Files[0].Encryption != "" {
		return catalogue.DepthSums, e.Catalogue.Praise(ctx, b, catalogue.DepthSums)
	}
	if err := e.readable(ctx, b); err != nil {
		return "", err
	}
	if asked != catalogue.DepthRestored {
		return catalogue.DepthRead, e.Catalogue.Praise(ctx, b, catalogue.DepthRead, "checksums", "archive to its end")
	}
	compared, err := e.try(ctx, b)
	if errors.Is(err, errOther) {
		e.condemn(ctx, b, fault.As(err).Message)
	}
	if err != nil {
		return "", err
	}
	return catalogue.DepthRestored, e.Catalogue.Praise(ctx, b, catalogue.DepthRestored, compared...)
}

// readable lets pg_restore read the archive to its end.
func (e *Engine) readable(ctx context.Context, b catalogue.Backup) error {
	with, err := e.Tools(ctx, b.ToolMajor)
	if err != nil {
		return err
	}
	dump, err := e.open(ctx, b, DumpName)
	if err != nil {
		return err
	}
	defer dump.Close()
	// --list would pass an archive that was cut in half: only reading it all tells.
	err = postgres.Child{Program: with.Path("pg_restore"), Args: []string{"--file=-"}, In: artifact.NewPace(e.Clock, "reading "+b.ID, plainBytes(b)).Reader(ctx, dump), Out: io.Discard}.Run(ctx)
	switch {
	case errors.Is(err, artifact.ErrDamaged):
		e.condemn(ctx, b, fault.As(err).Message)
	case fault.KindOf(err) == fault.Failed:
		e.condemn(ctx, b, "pg_restore cannot read it to its end")
	}
	return err
}

func plainBytes(b catalogue.Backup) int64 {
	f, _ := b.File(DumpName)
	return f.PlainBytes
}

// condemn notes what was found. The finding itself goes to the caller, so a
// repository that cannot be written takes nothing away from it.
func (e *Engine) condemn(ctx context.Context, b catalogue.Backup, reason string) {
	_ = e.Catalogue.Condemn(ctx, b, reason)
}

// sums compares every artifact with its checksum.
func (e *Engine) sums(ctx context.Context, b catalogue.Backup) error {
	if len(b.Files) == 0 {
		return fault.New(fault.Failed, "the backup %s cannot be used: %s", b.ID, b.Checks.Reason).NothingDone().WithHint(artifact.Another)
	}
	pace := artifact.NewPace(e.Clock, "comparing checksums of "+b.ID, b.Bytes())
	for _, f := range b.Files {
		err := artifact.Check(ctx, e.Catalogue.Store, b.Folder, f)
		if errors.Is(err, artifact.ErrDamaged) {
			e.condemn(ctx, b, fault.As(err).Message)
			return fault.As(err).WithHint("use another one: backup.newest leaves this one out from now on")
		}
		if err != nil {
			return err
		}
		pace.Add(ctx, f.Bytes)
	}
	return nil
}

// sound checks all that a restore needs of a backup: the key first, because it
// is quick, and then every byte.
func (e *Engine) sound(ctx context.Context, b catalogue.Backup) error {
	keys, err := e.keys(b)
	if err != nil {
		return err
	}
	for _, f := range b.Files {
		err := artifact.Fits(ctx, e.Catalogue.Store, b.Folder, f, keys)
		if err != nil && !errors.Is(err, artifact.ErrDamaged) { // the sums tell that better
			return err
		}
	}
	return e.sums(ctx, b)
}

// open reads an artifact's plain bytes.
func (e *Engine) open(ctx context.Context, b catalogue.Backup, plain string) (io.ReadCloser, error) {
	f, ok := b.File(plain)
	if !ok {
		return nil, fault.New(fault.Failed, "the manifest of the backup %s names no %s", b.ID, plain).WithHint(artifact.Another)
	}
	keys, err := e.keys(b)
	if err != nil {
		return nil, err
	}
	return artifact.Open(ctx, e.Catalogue.Store, b.Folder, f, keys)
}

// localFile is an artifact's plain content where programs can read it.
type localFile struct {
	path  string
	files []*os.File // what the program has to inherit for path to mean something
	close func()
}

func (f *localFile) Close() { f.close() }

// local makes an artifact a file of this machine: pg_restore reads in several
// processes at once only what it can seek in. It is checked before it is used,
// and nobody else can read it; on Linux it has no name, so that kill -9 leaves
// nothing of it.
func (e *Engine) local(ctx context.Context, b catalogue.Backup, plain string) (*localFile, error) {
	f, _ := b.File(plain)
	if s, ok := e.Catalogue.Store.(interface{ Path(string) string }); ok && f.Compression == "" && f.Encryption == "" && f.Name != "" {
		return &localFile{path: s.Path(b.Folder + "/" + f.Name), close: func() {}}, nil
	}
	in, err := e.open(ctx, b, plain)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	dir, err := os.MkdirTemp(e.Scratch, "drhost-restore-") // rights 0700
	if err != nil {
		return nil, scratch(err)
	}
	out, err := os.OpenFile(filepath.Join(dir, plain), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		os.RemoveAll(dir)
		return nil, scratch(err)
	}
	local := hide(out, dir)
	source := store.NewSource(ctx, artifact.NewPace(e.Clock, "unpacking "+b.ID, f.PlainBytes).Reader(ctx, in))
	if _, err := io.Copy(out, source); err != nil {
		local.Close()
		if source.Err == nil {
			err = scratch(err)
		}
		return nil, err
	}
	return local, nil
}

func scratch(err error) error {
	f := postgres.Fault(err, "unpack the dump")
	if f.Kind == fault.Exhausted {
		f.Hint = "`scratch` in the settings of backup names a folder with more room"
	}
	return f
}
