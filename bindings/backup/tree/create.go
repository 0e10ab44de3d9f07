package tree

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/host/binding"
)

// Create is a backup that is to be made.
type Create struct {
	Name  string // what the backups of this tree are called
	Host  string // as the call named it; empty for this machine
	Path  string // as the call named it
	Label string
	Key   string
	Whole bool // whether it is stored whole, whatever there is
	From  Place
}

// A whole backup serves increments for so long, and while what differs is no
// more than this part of it: then a new one costs less than it saves.
const (
	mostAge  = 30 * 24 * time.Hour
	mostPart = 5 // a fifth
	leastBig = 1 << 20
)

// Create backs a tree up, or leaves nothing. An error that says NotDone is
// certain of that.
func (e *Engine) Create(ctx context.Context, c Create) (catalogue.Backup, error) {
	op := "back up " + c.Path
	lock, held, err := e.Catalogue.Lock(ctx, c.Name, "backup of "+c.Name, e.LockWait)
	if err != nil {
		return catalogue.Backup{}, Because(ctx, err, op).NothingDone()
	}
	// A lock that cannot be given back runs out by itself.
	defer func() { _ = lock.Release(ctx) }()
	b, folder, err := e.create(held, lock, c)
	if err == nil {
		return b, nil
	}
	f := Because(held, err, op)
	if folder != "" && e.Catalogue.Discard(ctx, folder) != nil {
		return catalogue.Backup{}, f // a manifest may be there
	}
	return catalogue.Backup{}, f.NothingDone()
}

// making is one backup under way.
type making struct {
	Create
	engine *Engine
	m      catalogue.Manifest
	folder string
	now    scanned
	base   *base // nil: whole
	of     catalogue.Backup
	gone   []string // what vanished between looking and reading
}

func (e *Engine) create(ctx context.Context, lock *catalogue.Lock, c Create) (catalogue.Backup, string, error) {
	begun := e.Clock.Now().UTC()
	m := catalogue.Manifest{Kind: catalogue.Files, Subject: c.Name, Label: c.Label, Key: c.Key, Until: begun, Started: begun, Server: catalogue.Origin{Host: c.Host},
		Recipients: e.Recipients, Tool: "tar (POSIX.1-2001)", Tree: &catalogue.Tree{Root: c.Path}}
	binding.Progress(ctx, "looking what is in %s", c.Path)
	now, err := scan(ctx, c.From)
	if err != nil {
		return catalogue.Backup{}, "", err
	}
	k := &making{Create: c, engine: e, m: m, now: now}
	if err := k.choose(ctx); err != nil {
		return catalogue.Backup{}, "", err
	}
	tail := catalogue.Suffix(c.Key)
	if c.Key == "" {
		tail = catalogue.Suffix(lock.Nonce)
	}
	k.m.ID = catalogue.NewID(begun, tail)
	if k.folder, err = e.Catalogue.Begin(ctx, c.Name, k.m.ID); err != nil {
		return catalogue.Backup{}, "", err
	}
	entries, err := k.fill(ctx)
	if err != nil {
		return catalogue.Backup{}, k.folder, err
	}
	k.m.Finished = e.Clock.Now().UTC()
	k.m.Restore = Commands(k.m, k.of.Manifest)
	if err := lock.Held(ctx); err != nil {
		return catalogue.Backup{}, k.folder, err
	}
	b, err := e.Catalogue.Publish(ctx, k.folder, k.m)
	if err != nil {
		return b, k.folder, err
	}
	if f, ok := b.File(IndexName); ok && k.base == nil {
		_ = e.cache(f, entries) // without it the next one is dearer, no worse
	}
	return b, k.folder, nil
}

// choose finds the whole backup that this one can build on, if any.
func (k *making) choose(ctx context.Context) error {
	if k.Whole {
		k.m.Tree.Why = "it was asked for"
		return nil
	}
	all, _, err := k.engine.Catalogue.All(ctx)
	if err != nil {
		return err
	}
	k.m.Tree.Why = "there was no whole one before"
	for _, b := range all {
		if b.Kind != catalogue.Files || b.Subject != k.Name || b.Damaged() || b.Tree == nil || b.Tree.Root != k.Path || b.Server.Host != k.Host {
			continue
		}
		if b.Tree.Base == "" && k.m.Started.Sub(b.Started) < mostAge && !b.Started.After(k.m.Started) {
			return k.build(ctx, b)
		}
	}
	return nil
}

// build takes a whole backup as the base, unless too much has changed since.
func (k *making) build(ctx context.Context, whole catalogue.Backup) error {
	entries, err := k.engine.known(ctx, whole)
	switch {
	case errors.Is(err, artifact.ErrDamaged):
		k.m.Tree.Why = "the index of " + whole.ID + " is damaged"
		return nil
	case err != nil && ctx.Err() != nil:
		return err
	case err != nil: // no key, and no cache: not this machine's to read
		k.m.Tree.Why = "the index of " + whole.ID + " cannot be opened here"
		return nil
	}
	b := newBase(entries, whole.Started)
	var differs int64
	for _, e := range k.now.entries {
		if b.judge(e, k.From.Coarse()) == different {
			differs += e.Size
		}
	}
	if differs > leastBig && differs > whole.Tree.Bytes/mostPart {
		k.m.Tree.Why = "too much differs from " + whole.ID
		return nil
	}
	k.base, k.of = b, whole
	k.m.Needs, k.m.Tree.Base, k.m.Tree.Why = []string{whole.ID}, whole.ID, ""
	return nil
}

// fill writes the artifacts and returns the index.
func (k *making) fill(ctx context.Context) (index []Entry, err error) {
	stored, timesOnly, err := k.selected(ctx)
	if err != nil {
		return nil, err
	}
	var size int64
	for _, e := range stored {
		size += e.Size
	}
	a := &archiver{from: k.From, coarse: k.From.Coarse(), pace: artifact.NewPace(k.engine.Clock, "storing "+k.Path, size)}
	archive, err := k.write(ctx, ArchiveName, func(w io.Writer) error {
		a.out = tar.NewWriter(w)
		for _, e := range stored {
			ok, err := a.add(ctx, &e)
			if err != nil {
				return err
			}
			if ok {
				index = append(index, e)
			}
		}
		return a.out.Close()
	})
	if err != nil {
		return nil, err
	}
	index = append(index, timesOnly...)
	slices.SortFunc(index, byPath)
	a.vanished = append(a.vanished, k.gone...)
	listing, err := k.write(ctx, IndexName, func(w io.Writer) error { return encodeIndex(w, index) })
	if err != nil {
		return nil, err
	}
	k.m.Files = []artifact.Record{archive, listing}
	t := k.m.Tree
	t.Entries, t.Bytes, t.Stored, t.Ignored, t.Vanished = len(k.now.entries)-len(a.vanished), k.total(), a.bytes, k.now.ignored, len(a.vanished)
	for _, p := range a.torn[:min(len(a.torn), 100)] {
		t.Torn = append(t.Torn, strings.ToValidUTF8(p, "\uFFFD"))
	}
	if k.base == nil {
		return index, nil
	}
	return index, k.lists(ctx, a.vanished, timesOnly)
}

func (k *making) total() (bytes int64) {
	for _, e := range k.now.entries {
		bytes += e.Size
	}
	return bytes
}

// lists writes what an increment takes away and what it merely touches.
func (k *making) lists(ctx context.Context, vanished []string, timesOnly []Entry) error {
	now := slices.DeleteFunc(slices.Clone(k.now.entries), func(e Entry) bool { return slices.Contains(vanished, e.Path) })
	for name, text := range map[string]string{DeletedName: listed(k.base.gone(now)), TimesName: timed(timesOnly)} {
		f, err := k.write(ctx, name, func(w io.Writer) error {
			_, err := io.WriteString(w, text)
			return err
		})
		if err != nil {
			return err
		}
		k.m.Files = append(k.m.Files, f)
	}
	slices.SortFunc(k.m.Files[2:], func(a, b artifact.Record) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

func (k *making) write(ctx context.Context, name string, fill func(io.Writer) error) (artifact.Record, error) {
	return artifact.Write(ctx, k.engine.Catalogue.Store, k.folder, name, k.engine.Seal, fill)
}

// selected chooses what is stored: everything, or what differs from the base,
// with the folders above it and the other names of the same file. What differs
// in its time alone comes separately.
func (k *making) selected(ctx context.Context) (stored, timesOnly []Entry, err error) {
	if k.base == nil {
		return k.now.entries, nil, nil
	}
	wanted := map[string]bool{}
	want := func(p string) {
		wanted[p], wanted["."] = true, true
		for _, folder := range parents(p) {
			wanted[folder] = true
		}
	}
	groups := map[string][]string{} // further names of a file
	for _, e := range k.now.entries {
		if e.Type == HardLink {
			groups[e.Link] = append(groups[e.Link], e.Path)
		}
		verdict := k.base.judge(e, k.From.Coarse())
		if verdict == unsure {
			verdict = different
			read, err := sum(ctx, k.From, e)
			if isNotExist(err) {
				k.gone = append(k.gone, e.Path)
				continue
			}
			if err != nil {
				return nil, nil, err
			}
			o := k.base.entries[e.Path]
			if read.Sum == o.Sum && read.Sum != "" {
				verdict = same
				if !o.Time.Equal(e.Time) {
					timesOnly = append(timesOnly, read)
				}
			}
		}
		if verdict == different {
			want(e.Path)
		}
	}
	for _, p := range k.base.gone(k.now.entries) {
		want(p)
	}
	for file, names := range groups {
		if !slices.ContainsFunc(append(names, file), func(p string) bool { return wanted[p] }) {
			continue
		}
		for _, p := range append(names, file) {
			want(p)
		}
	}
	for _, e := range k.now.entries {
		if wanted[e.Path] {
			stored = append(stored, e)
		}
	}
	timesOnly = slices.DeleteFunc(timesOnly, func(e Entry) bool { return wanted[e.Path] })
	return stored, timesOnly, nil
}
