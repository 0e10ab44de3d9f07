package tree

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
)

// digest hashes what is read through it.
type digest struct {
	from io.Reader
	hash hash.Hash
	read int64
}

func newDigest(from io.Reader) *digest { return &digest{from: from, hash: sha256.New()} }

func (d *digest) Read(p []byte) (int, error) {
	n, err := d.from.Read(p)
	d.hash.Write(p[:n])
	d.read += int64(n)
	return n, err
}

func (d *digest) text() string { return hex.EncodeToString(d.hash.Sum(nil)) }

// small files are read before they are written, so that one that changes
// meanwhile can be read again.
const small = 1 << 20

// attempts to read a file that does not hold still.
const attempts = 3

// archiver writes a tree's archive.
type archiver struct {
	from     Place
	out      *tar.Writer
	coarse   time.Duration
	vanished []string
	torn     []string
	bytes    int64
	pace     *artifact.Pace
}

// header is an entry in the archive.
func header(e Entry) *tar.Header {
	h := &tar.Header{Format: tar.FormatPAX, Name: "./" + e.Path, Mode: int64(e.Mode), ModTime: e.Time, Uid: e.UID, Gid: e.GID, Uname: e.User, Gname: e.Group}
	if e.Path == "." {
		h.Name = "./"
	}
	switch e.Type {
	case Folder:
		h.Typeflag = tar.TypeDir
		if e.Path != "." {
			h.Name += "/"
		}
	case Symlink:
		h.Typeflag, h.Linkname = tar.TypeSymlink, e.Link
	case HardLink:
		h.Typeflag, h.Linkname = tar.TypeLink, "./"+e.Link
	default:
		h.Typeflag, h.Size = tar.TypeReg, e.Size
	}
	return h
}

// add writes one entry and completes it with what was read. A file that
// vanished meanwhile is left out: ok is false.
func (a *archiver) add(ctx context.Context, e *Entry) (ok bool, err error) {
	if e.Type != File {
		return true, a.out.WriteHeader(header(*e))
	}
	f, err := a.from.Open(e.Path)
	if isNotExist(err) {
		a.vanished = append(a.vanished, e.Path)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if e.Size <= small {
		err = a.whole(ctx, e, f)
	} else {
		err = a.stream(ctx, e, f)
	}
	a.bytes += e.Size
	a.pace.Add(ctx, e.Size)
	return err == nil, err
}

// whole reads a small file at once, again when it changed under the reading.
func (a *archiver) whole(ctx context.Context, e *Entry, f Content) error {
	var content []byte
	for n := 1; ; n++ {
		if err := ctx.Err(); err != nil {
			f.Close()
			return err
		}
		before, err := f.Describe()
		if err == nil {
			content, err = io.ReadAll(io.LimitReader(f, 16*small))
		}
		var after Entry
		if err == nil {
			after, err = f.Describe()
		}
		f.Close()
		if err != nil {
			return err
		}
		e.Time, e.Mode, e.UID, e.GID, e.User, e.Group = after.Time, after.Mode, after.UID, after.GID, after.User, after.Group
		e.changed, e.ino = after.changed, after.ino
		if e.Torn = !still(before, after, int64(len(content))); !e.Torn || n == attempts {
			break
		}
		if f, err = a.from.Open(e.Path); isNotExist(err) {
			break // what was read is what there is
		} else if err != nil {
			return err
		}
	}
	if e.Torn {
		a.torn = append(a.torn, e.Path)
	}
	sum := sha256.Sum256(content)
	e.Size, e.Sum = int64(len(content)), hex.EncodeToString(sum[:])
	if err := a.out.WriteHeader(header(*e)); err != nil {
		return err
	}
	_, err := a.out.Write(content)
	return err
}

// still tells whether a file was the same before and after it was read.
func still(before, after Entry, read int64) bool {
	return before.Type == File && after.Type == File && before.Size == read && after.Size == read && before.Time.Equal(after.Time) && before.changed == after.changed
}

// stream reads a large file, of which the archive has to know the size first.
// One that became shorter is filled up with zeros.
func (a *archiver) stream(ctx context.Context, e *Entry, f Content) error {
	defer f.Close()
	before, err := f.Describe()
	if err != nil {
		return err
	}
	e.Size, e.Time, e.changed, e.ino = before.Size, before.Time, before.changed, before.ino
	if err := a.out.WriteHeader(header(*e)); err != nil {
		return err
	}
	in := newDigest(io.MultiReader(io.LimitReader(&patient{ctx, f, a.pace}, e.Size), zeros{}))
	if _, err := io.CopyN(a.out, in, e.Size); err != nil {
		return err
	}
	after, err := f.Describe()
	if err != nil {
		return err
	}
	e.Sum, e.Torn = in.text(), !still(before, after, e.Size)
	if e.Torn {
		a.torn = append(a.torn, e.Path)
	}
	a.pace.Add(ctx, -e.Size) // counted while it was read
	return nil
}

// patient reads until the context ends.
type patient struct {
	ctx  context.Context
	from io.Reader
	pace *artifact.Pace
}

func (p *patient) Read(b []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := p.from.Read(b)
	p.pace.Add(p.ctx, int64(n))
	return n, err
}

// zeros never ends.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// sum reads a file for its sum alone.
func sum(ctx context.Context, from Place, e Entry) (Entry, error) {
	f, err := from.Open(e.Path)
	if err != nil {
		return e, err
	}
	defer f.Close()
	in := newDigest(&patient{ctx, f, nil})
	if _, err := io.Copy(io.Discard, in); err != nil {
		return e, err
	}
	e.Sum = in.text()
	if in.read != e.Size {
		e.Sum = "" // it changed: it has to be stored
	}
	return e, nil
}
