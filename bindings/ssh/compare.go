package ssh

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path"
	"strings"

	"github.com/webhost-systems/drhost/host/fault"
)

// entry is one file, link or folder of a tree; rel is "" for its root.
type entry struct {
	rel  string
	info os.FileInfo
	link string
}

// difference is what has to be done to make a target like its source.
type difference struct {
	folders  []entry // all of the source's, parents first
	copies   []entry
	links    []entry
	blocking []string // in the way of another type: removed before
	extra    []string // not in the source: removed after, children first
	skipped  int      // right already
	ignored  int      // neither file nor folder nor link
	bytes    int64    // of copies
}

// walk lists a tree without following links. A root that is a link is followed.
func walk(ctx context.Context, s side, root string, exclude []string) ([]entry, error) {
	info, err := s.stat(root)
	if err != nil {
		return nil, err
	}
	out := []entry{{info: info}}
	if !info.IsDir() {
		return out, nil
	}
	var descend func(rel string) error
	descend = func(rel string) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		infos, err := s.list(s.join(root, rel))
		if err != nil {
			return err
		}
		for _, info := range infos {
			name := info.Name()
			if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
				return fault.New(fault.Failed, "the server lists a file called %q: that is no name", name)
			}
			child := path.Join(rel, name)
			if excluded(child, exclude) || isPart(name) {
				continue
			}
			e := entry{rel: child, info: info}
			if info.Mode()&os.ModeSymlink != 0 {
				if e.link, err = s.readlink(s.join(root, child)); err != nil {
					return err
				}
			}
			out = append(out, e)
			if info.IsDir() {
				if err := descend(child); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return out, descend("")
}

// excluded tells whether a pattern matches the path or its last part.
func excluded(rel string, patterns []string) bool {
	for _, p := range patterns {
		p = strings.TrimSuffix(p, "/")
		if ok, _ := path.Match(p, rel); ok {
			return true
		}
		if ok, _ := path.Match(p, path.Base(rel)); ok {
			return true
		}
	}
	return false
}

// compare finds the difference between two trees; it changes nothing.
func compare(ctx context.Context, from, to side, source, target string, a syncArgs) (difference, error) {
	var d difference
	wanted, err := walk(ctx, from, source, a.Exclude)
	if err != nil {
		return d, err
	}
	present, err := walk(ctx, to, target, a.Exclude)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return d, err
	}
	there := make(map[string]entry, len(present))
	for _, e := range present {
		there[e.rel] = e
	}
	keep := make(map[string]bool, len(wanted))
	for _, e := range wanted {
		keep[e.rel] = true
		old, exists := there[e.rel]
		if exists && old.info.Mode().Type() != e.info.Mode().Type() {
			if e.rel == "" {
				return d, fault.New(fault.Conflict, "the source is a %s and the target is a %s", typeOf(e.info), typeOf(old.info)).
					WithHint("name in target the %s itself, as it is to be called there", typeOf(e.info))
			}
			if !a.Delete {
				return d, fault.New(fault.Conflict, "%s is a %s in the source and a %s in the target", e.rel, typeOf(e.info), typeOf(old.info)).
					WithHint("remove it, or use delete = true")
			}
			for _, rel := range under(present, e.rel) {
				d.blocking = append(d.blocking, rel)
				keep[rel] = true // gone by then
			}
			exists = false
		}
		if err := d.sort(ctx, e, old, exists, from, to, source, target, a.Checksum); err != nil {
			return d, err
		}
	}
	if a.Delete {
		for i := len(present) - 1; i >= 0; i-- {
			if rel := present[i].rel; !keep[rel] {
				d.extra = append(d.extra, rel)
			}
		}
	}
	return d, nil
}

// sort puts one entry of the source where it belongs.
func (d *difference) sort(ctx context.Context, e, old entry, exists bool, from, to side, source, target string, checksum bool) error {
	switch {
	case e.info.IsDir():
		d.folders = append(d.folders, e)
	case e.info.Mode()&os.ModeSymlink != 0:
		if exists && old.link == e.link {
			d.skipped++
			return nil
		}
		d.links = append(d.links, e)
	case e.info.Mode().IsRegular():
		same := exists && old.info.Size() == e.info.Size() && old.info.Mode().Perm() == e.info.Mode().Perm()
		if same && !checksum {
			// SFTP carries whole seconds.
			same = old.info.ModTime().Unix() == e.info.ModTime().Unix()
		}
		if same && checksum {
			var err error
			if same, err = sameContent(ctx, from, to, from.join(source, e.rel), to.join(target, e.rel)); err != nil {
				return err
			}
		}
		if same {
			d.skipped++
			return nil
		}
		d.copies = append(d.copies, e)
		d.bytes += e.info.Size()
	default:
		d.ignored++
	}
	return nil
}

func sameContent(ctx context.Context, from, to side, a, b string) (bool, error) {
	one, err := digest(ctx, from, a)
	if err != nil {
		return false, err
	}
	other, err := digest(ctx, to, b)
	return one == other, err
}

func digest(ctx context.Context, s side, path string) (sum [sha256.Size]byte, err error) {
	f, err := s.open(path)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, reader{ctx, f}); err != nil {
		return sum, err
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}

// reader stops reading when ctx ends. It hides WriteTo, too, which would not.
type reader struct {
	ctx context.Context
	io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// under lists rel and what lies in it, children first.
func under(present []entry, rel string) []string {
	var out []string
	for i := len(present) - 1; i >= 0; i-- {
		if r := present[i].rel; r == rel || strings.HasPrefix(r, rel+"/") {
			out = append(out, r)
		}
	}
	return out
}

func typeOf(info os.FileInfo) string {
	switch {
	case info.IsDir():
		return "folder"
	case info.Mode()&os.ModeSymlink != 0:
		return "link"
	}
	return "file"
}
