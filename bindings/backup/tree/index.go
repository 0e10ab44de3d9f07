package tree

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
)

// line is an entry in an index. Paths are bytes, because they need not be text.
type line struct {
	Path    []byte `json:"p"`
	Type    string `json:"t"`
	Size    int64  `json:"s,omitempty"`
	Mode    uint32 `json:"m"`
	Time    int64  `json:"at"` // nanoseconds since 1970
	UID     int    `json:"u,omitempty"`
	GID     int    `json:"g,omitempty"`
	User    string `json:"un,omitempty"`
	Group   string `json:"gn,omitempty"`
	Link    []byte `json:"l,omitempty"`
	Sum     string `json:"sum,omitempty"`
	Torn    bool   `json:"torn,omitempty"`
	Changed int64  `json:"c,omitempty"`
	Ino     uint64 `json:"i,omitempty"`
}

func encodeIndex(w io.Writer, entries []Entry) error {
	out := json.NewEncoder(w)
	for _, e := range entries {
		err := out.Encode(line{Path: []byte(e.Path), Type: string(e.Type), Size: e.Size, Mode: e.Mode, Time: e.Time.UnixNano(), UID: e.UID, GID: e.GID,
			User: e.User, Group: e.Group, Link: []byte(e.Link), Sum: e.Sum, Torn: e.Torn, Changed: e.changed, Ino: e.ino})
		if err != nil {
			return err
		}
	}
	return nil
}

// decodeIndex refuses entries that would lie outside of the tree.
func decodeIndex(r io.Reader) ([]Entry, error) {
	var out []Entry
	in := json.NewDecoder(bufio.NewReader(r))
	for {
		var l line
		err := in.Decode(&l)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		e := Entry{Path: string(l.Path), Size: l.Size, Mode: l.Mode & 0o7777, Time: time.Unix(0, l.Time).UTC(), UID: l.UID, GID: l.GID, User: l.User, Group: l.Group,
			Link: string(l.Link), Sum: l.Sum, Torn: l.Torn, changed: l.Changed, ino: l.Ino}
		if len(l.Type) != 1 || !inner(e.Path) || l.Type[0] == HardLink && !inner(e.Link) {
			return nil, artifact.Damaged("the index names %q, which cannot be in a tree", e.Path)
		}
		e.Type = l.Type[0]
		out = append(out, e)
	}
}

// index reads the index of a backup.
func (e *Engine) index(ctx context.Context, b catalogue.Backup) ([]Entry, error) {
	var out []Entry
	err := e.read(ctx, b, IndexName, func(in io.Reader) (err error) {
		out, err = decodeIndex(in)
		return err
	})
	return out, err
}

// read reads an artifact to its end, where its sums are compared.
func (e *Engine) read(ctx context.Context, b catalogue.Backup, name string, use func(io.Reader) error) error {
	f, ok := b.File(name)
	if !ok {
		return artifact.Damaged("the backup %s holds no %s", b.ID, name)
	}
	keys, err := e.keys(b.Files)
	if err != nil {
		return err
	}
	in, err := artifact.Open(ctx, e.Catalogue.Store, b.Folder, f, keys)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := use(in); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in)
	return err
}

// known is the index of a whole backup: out of this machine's cache, which is
// believed when its sum is that of the manifest, else out of the repository.
func (e *Engine) known(ctx context.Context, b catalogue.Backup) ([]Entry, error) {
	f, ok := b.File(IndexName)
	if !ok {
		return nil, fmt.Errorf("the backup %s holds no index", b.ID)
	}
	if text, err := e.cached(f); err == nil {
		return text, nil
	}
	return e.index(ctx, b)
}

func (e *Engine) cachePath(f artifact.Record) string {
	return filepath.Join(e.Cache, f.PlainSHA256+".zst")
}

func (e *Engine) cached(f artifact.Record) ([]Entry, error) {
	if e.Cache == "" {
		return nil, os.ErrNotExist
	}
	in, err := os.Open(e.cachePath(f))
	if err != nil {
		return nil, err
	}
	defer in.Close()
	unpacked, err := zstd.NewReader(in)
	if err != nil {
		return nil, err
	}
	defer unpacked.Close()
	check := newDigest(unpacked)
	out, err := decodeIndex(check)
	if err == nil && check.text() != f.PlainSHA256 {
		err = errors.New("the cached index is another one")
	}
	return out, err
}

// cache keeps an index for the next increments. It is a convenience: who cannot
// open an encrypted index has to store the tree whole without it.
func (e *Engine) cache(f artifact.Record, entries []Entry) error {
	if e.Cache == "" {
		return nil
	}
	if err := os.MkdirAll(e.Cache, 0o700); err != nil {
		return err
	}
	out, err := os.CreateTemp(e.Cache, "index-*.part")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name()) // gone already when the rename worked
	packed, err := zstd.NewWriter(out)
	if err == nil {
		err = errors.Join(encodeIndex(packed, entries), packed.Close())
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	return os.Rename(out.Name(), e.cachePath(f))
}
