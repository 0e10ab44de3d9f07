package tree

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/host/fault"
)

// Restore is a restore that is to be made.
type Restore struct {
	Backup  catalogue.Backup
	Only    string // one folder or file of the tree; all of it when empty
	Replace bool   // whether what is there may be replaced
	Delete  bool   // whether what the backup does not have is removed
	Where   string // as the call named it, for messages
}

// Restored is what came back.
type Restored struct {
	Entries int   // in the tree, as far as it was asked for
	Written int   // that differed and were written
	Bytes   int64 // of these
	Deleted int
	Torn    []string // files of which the backup may hold no one moment
}

// planned is a restore as it was worked out, before anything is touched.
type planned struct {
	want  []Entry             // sorted
	of    map[string]Entry    // want, by path
	from  map[string]string   // id of the backup in whose archive a file lies
	need  map[string]struct{} // files that have to be written
	fresh map[string]bool     // files that were written
	as    map[string]string   // where a file's content goes whose own name was not asked for
	there map[string]Entry    // what is in the target
	extra []string            // what the backup does not have, sorted
	bytes int64
}

// Restore brings a tree back by writing what differs. Everything that is needed
// is checked first; a file takes its name when it is whole and its sum is right.
// An interrupted restore is completed by repeating it.
func (e *Engine) Restore(ctx context.Context, r Restore, open func() (Target, error)) (Restored, error) {
	op := "restore " + r.Backup.ID + " to " + r.Where
	pin, held, err := e.Catalogue.Pin(ctx, r.Backup, "restore of "+r.Backup.ID)
	if err != nil {
		return Restored{}, Because(ctx, err, op).NothingDone()
	}
	out, err := e.restore(held, r, open)
	_ = pin.Release(ctx) // one that cannot be taken off runs out by itself
	if err != nil {
		return Restored{}, Because(held, err, op).NothingDone() // a repeat completes it
	}
	return out, nil
}

func (e *Engine) restore(ctx context.Context, r Restore, open func() (Target, error)) (Restored, error) {
	if r.Only != "" && !inner(r.Only) {
		return Restored{}, fault.New(fault.Invalid, "%q is no path inside of the tree", r.Only)
	}
	chain, err := e.chain(ctx, r.Backup)
	if err != nil {
		return Restored{}, err
	}
	if err := e.sums(ctx, chain); err != nil {
		return Restored{}, err
	}
	want, from, err := e.merged(ctx, chain)
	if err != nil {
		return Restored{}, err
	}
	to, err := open()
	if err != nil {
		return Restored{}, err
	}
	defer to.Close()
	p, err := plan(ctx, r, want, from, to)
	if err != nil {
		return Restored{}, err
	}
	if err := p.admit(r); err != nil {
		return Restored{}, err
	}
	return e.lay(ctx, r, chain, p, to)
}

// chain is a backup with the whole one that it needs before it.
func (e *Engine) chain(ctx context.Context, b catalogue.Backup) ([]catalogue.Backup, error) {
	if b.Tree == nil {
		return nil, fault.New(fault.Failed, "%s cannot be used: %s", b.ID, b.Checks.Reason).WithHint(artifact.Another)
	}
	if b.Tree.Base == "" {
		return []catalogue.Backup{b}, nil
	}
	whole, err := e.Catalogue.Find(ctx, b.Tree.Base)
	if fault.KindOf(err) == fault.NotFound {
		return nil, artifact.Damaged("the whole backup %s, from which %s differs, is gone", b.Tree.Base, b.ID)
	}
	if err == nil && whole.Tree == nil {
		err = artifact.Damaged("the whole backup %s, from which %s differs, is damaged: %s", b.Tree.Base, b.ID, whole.Checks.Reason)
	}
	return []catalogue.Backup{whole, b}, err
}

// merged is the tree as it was: the whole backup's, with what the increment
// says on top. from tells in whose archive each file lies.
func (e *Engine) merged(ctx context.Context, chain []catalogue.Backup) ([]Entry, map[string]string, error) {
	all, from := map[string]Entry{}, map[string]string{}
	for n, b := range chain {
		entries, err := e.index(ctx, b)
		if err != nil {
			return nil, nil, err
		}
		if n > 0 {
			if err := e.without(ctx, b, all); err != nil {
				return nil, nil, err
			}
		}
		for _, x := range entries {
			before, had := all[x.Path]
			all[x.Path] = x
			if !had || before.Type != File || before.Sum != x.Sum {
				from[x.Path] = b.ID
			}
		}
	}
	var out []Entry
	for _, x := range all {
		out = append(out, x)
	}
	slices.SortFunc(out, byPath)
	return out, from, nil
}

// without takes away what an increment lists as gone.
func (e *Engine) without(ctx context.Context, b catalogue.Backup, all map[string]Entry) error {
	var text strings.Builder
	if err := e.read(ctx, b, DeletedName, func(in io.Reader) error { _, err := io.Copy(&text, in); return err }); err != nil {
		return err
	}
	gone := map[string]bool{}
	for _, p := range unlisted(text.String()) {
		gone[p] = true
	}
	for p := range all {
		if gone[p] || slices.ContainsFunc(parents(p), func(folder string) bool { return gone[folder] }) {
			delete(all, p)
		}
	}
	return nil
}

// plan compares what is wanted with what is there.
func plan(ctx context.Context, r Restore, want []Entry, from map[string]string, to Target) (*planned, error) {
	p := &planned{of: map[string]Entry{}, from: from, need: map[string]struct{}{}, fresh: map[string]bool{}, as: map[string]string{}, there: map[string]Entry{}}
	whole := map[string]Entry{}
	for _, e := range want {
		whole[e.Path] = e
		if e.Type == HardLink && r.Only != "" && within(e.Path, r.Only) && !within(e.Link, r.Only) {
			e = p.alone(e, whole[e.Link])
		}
		// The folders above what is asked for come along.
		if r.Only == "" || within(e.Path, r.Only) || e.Type == Folder && within(r.Only, e.Path) {
			p.want, p.of[e.Path] = append(p.want, e), e
		}
	}
	if _, ok := p.of[r.Only]; r.Only != "" && !ok {
		return nil, fault.New(fault.NotFound, "the backup %s has no %s", r.Backup.ID, r.Only).WithHint("it is a path below %s", r.Backup.Tree.Root)
	}
	now, err := scan(ctx, to)
	if err != nil {
		return nil, err
	}
	for _, e := range now.entries {
		p.there[e.Path] = e
		if _, ok := p.of[e.Path]; !ok && (r.Only == "" || within(e.Path, r.Only)) {
			p.extra = append(p.extra, e.Path)
		}
	}
	for _, e := range p.want {
		if e.Type == File && !right(e, p.there[e.Path], to.Coarse()) {
			p.need[e.Path] = struct{}{}
			p.bytes += e.Size
		}
	}
	return p, nil
}

// alone makes a file of a hard link whose own file was not asked for; further
// names of that become links to it.
func (p *planned) alone(link, file Entry) Entry {
	if first, ok := p.as[file.Path]; ok {
		link.Link = first
		return link
	}
	p.as[file.Path], p.from[link.Path] = link.Path, p.from[file.Path]
	link.Type, link.Link, link.Size, link.Sum, link.Torn = File, "", file.Size, file.Sum, file.Torn
	return link
}

// right tells whether a file need not be written: size and time are those of
// the backup.
func right(want, have Entry, coarse time.Duration) bool {
	return have.Type == File && have.Size == want.Size && have.Time.Truncate(coarse).Equal(want.Time.Truncate(coarse))
}

// admit refuses a target that holds anything, and says what would be lost.
func (p *planned) admit(r Restore) error {
	if r.Replace || len(p.there) <= 1 { // the root is always there
		return nil
	}
	var replaced, newer int
	latest := Entry{}
	for _, e := range p.there {
		if e.Type != File {
			continue
		}
		_, need := p.need[e.Path]
		if need || r.Delete && slices.Contains(p.extra, e.Path) {
			replaced++
			if e.Time.After(r.Backup.Until) {
				newer++
				if e.Time.After(latest.Time) {
					latest = e
				}
			}
		}
	}
	if replaced == 0 && len(p.extra) == 0 {
		return nil // a restore that was cut off, and is completed
	}
	text := fmt.Sprintf("%s is not empty: %d files there would be replaced, %d are not in the backup", r.Where, replaced, len(p.extra))
	if newer > 0 {
		text += fmt.Sprintf(", %d of them newer than the backup, the latest %s of %s", newer, latest.Path, latest.Time.UTC().Format(time.RFC3339))
	}
	return fault.New(fault.Conflict, "%s", text).WithHint("restore into an empty folder and compare, or say replace = true: what is replaced is lost")
}

// lay writes what differs.
func (e *Engine) lay(ctx context.Context, r Restore, chain []catalogue.Backup, p *planned, to Target) (Restored, error) {
	out := Restored{Entries: len(p.want), Written: len(p.need), Bytes: p.bytes}
	if err := p.prepare(to, &out, r.Delete); err != nil {
		return out, err
	}
	pace := artifact.NewPace(e.Clock, "restoring "+r.Backup.ID, p.bytes)
	for _, b := range chain {
		if !slices.ContainsFunc(p.want, func(x Entry) bool { _, need := p.need[x.Path]; return need && p.from[x.Path] == b.ID }) {
			continue
		}
		err := e.each(ctx, b, func(h *tar.Header, content io.Reader) error {
			name := nameOf(h)
			if as, ok := p.as[name]; ok {
				name = as
			}
			x, ok := p.of[name]
			if _, need := p.need[x.Path]; !ok || !need || p.from[x.Path] != b.ID || h.Typeflag != tar.TypeReg {
				return nil
			}
			delete(p.need, x.Path)
			p.fresh[x.Path] = true
			return put(ctx, to, x, pace.Reader(ctx, content))
		})
		if err != nil {
			return out, err
		}
	}
	for missing := range p.need {
		return out, artifact.Damaged("the archive of %s lacks %q", r.Backup.ID, missing)
	}
	for _, x := range p.want {
		if x.Torn {
			out.Torn = append(out.Torn, x.Path)
		}
	}
	return out, p.dress(ctx, to)
}

// prepare makes room and folders.
func (p *planned) prepare(to Target, out *Restored, del bool) error {
	if del {
		for _, x := range slices.Backward(p.extra) {
			if err := to.Remove(x); err != nil && !isNotExist(err) {
				return err
			}
			out.Deleted++
		}
	}
	for _, x := range p.want {
		if have, ok := p.there[x.Path]; ok && (have.Type == Folder) != (x.Type == Folder) {
			if err := to.Remove(x.Path); err != nil {
				return err
			}
		}
		if x.Type == Folder && x.Path != "." {
			if err := to.Mkdir(x.Path); err != nil {
				return err
			}
		}
	}
	return nil
}

// put writes a file, and refuses content that is not what was backed up before
// it takes the file's name.
func put(ctx context.Context, to Target, x Entry, content io.Reader) error {
	in := newDigest(&patient{ctx, content, nil})
	return to.Put(x, &judged{in, x})
}

// judged ends with an error in place of io.EOF when the content is another one.
type judged struct {
	*digest
	want Entry
}

func (j *judged) Read(p []byte) (int, error) {
	n, err := j.digest.Read(p)
	if err == io.EOF && (j.read != j.want.Size || j.text() != j.want.Sum) {
		return n, artifact.Damaged("%q in the archive is not what was backed up", j.want.Path)
	}
	return n, err
}

// dress makes links, and gives everything its rights and times, folders last
// because what happens in them changes their times.
func (p *planned) dress(ctx context.Context, to Target) error {
	for _, x := range p.want {
		if err := ctx.Err(); err != nil {
			return err
		}
		have := p.there[x.Path]
		var err error
		switch {
		case x.Type == Symlink && (have.Type != Symlink || have.Link != x.Link):
			err = to.Symlink(x)
		case x.Type == HardLink && (have.Type != HardLink || have.Link != x.Link || p.fresh[x.Link]):
			err = to.Link(x)
		case x.Type == File && right(x, have, to.Coarse()) && (have.Mode != x.Mode || have.UID != x.UID || have.GID != x.GID):
			err = to.Dress(x)
		}
		if err != nil {
			return err
		}
	}
	for _, x := range slices.Backward(p.want) {
		if x.Type == Folder {
			if err := to.Dress(x); err != nil {
				return err
			}
		}
	}
	return nil
}

// each reads an archive to its end.
func (e *Engine) each(ctx context.Context, b catalogue.Backup, use func(h *tar.Header, content io.Reader) error) error {
	return e.read(ctx, b, ArchiveName, func(in io.Reader) error {
		archive := tar.NewReader(in)
		for {
			h, err := archive.Next()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if errors.Is(err, tar.ErrHeader) {
				return artifact.Damaged("the archive of %s cannot be read: %v", b.ID, err)
			}
			if err != nil {
				return err
			}
			if err := use(h, archive); err != nil {
				return err
			}
		}
	})
}

func nameOf(h *tar.Header) string { return path.Clean(h.Name) }
