package tree

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// base is what an increment is held against.
type base struct {
	entries map[string]Entry
	sorted  []Entry
	begun   time.Time // when its scan began, by the clock of this machine
	latest  time.Time // the latest time of a file in it
}

func newBase(entries []Entry, begun time.Time) *base {
	b := &base{entries: map[string]Entry{}, sorted: entries, begun: begun}
	for _, e := range entries {
		b.entries[e.Path] = e
		if e.Type == File && e.Time.After(b.latest) {
			b.latest = e.Time
		}
	}
	return b
}

// settled tells whether a file's time says something: one that was written in
// the very moment of the scan may have been written again in the same one. The
// latest file stands for the clock of a machine whose clock is not known.
func (b *base) settled(e Entry, coarse time.Duration) bool {
	margin := 2 * time.Second
	if coarse >= time.Second {
		margin = time.Minute
	}
	return e.Time.Before(b.begun.Add(-margin)) && (coarse < time.Second || e.Time.Before(b.latest.Add(-2*time.Second)))
}

// verdict is what is known of a file without reading it.
type verdict int

const (
	same      verdict = iota // as in the base, but for its time perhaps
	different                // has to be stored
	unsure                   // has to be read
)

// judge compares an entry with that of the base.
func (b *base) judge(e Entry, coarse time.Duration) verdict {
	o, ok := b.entries[e.Path]
	if !ok || o.Type != e.Type || o.Link != e.Link || o.Mode != e.Mode || o.UID != e.UID || o.GID != e.GID || o.Torn {
		return different
	}
	switch e.Type {
	case Folder, Symlink:
		if !o.Time.Equal(e.Time) {
			return different
		}
		return same
	case HardLink:
		return same // as far as its file is
	}
	switch {
	case o.Size != e.Size:
		return different
	case o.Time.Equal(e.Time) && o.changed == e.changed && o.ino == e.ino && b.settled(o, coarse):
		return same
	}
	return unsure
}

// gone are the topmost paths of the base that have to be removed before an
// increment is laid over it: what is no longer there, and what became a folder
// or is none any more.
func (b *base) gone(now []Entry) []string {
	there := map[string]byte{}
	for _, e := range now {
		there[e.Path] = e.Type
	}
	var out []string
	for _, o := range b.sorted {
		kind, ok := there[o.Path]
		if ok && (kind == Folder) == (o.Type == Folder) {
			continue
		}
		if !slices.ContainsFunc(parents(o.Path), func(p string) bool { _, found := slices.BinarySearch(out, p); return found }) {
			at, _ := slices.BinarySearch(out, o.Path)
			out = slices.Insert(out, at, o.Path)
		}
	}
	return out
}

// parents are the folders above p, but for the root.
func parents(p string) []string {
	var out []string
	for p = path.Dir(p); p != "."; p = path.Dir(p) {
		out = append(out, p)
	}
	return out
}

// listed is a list of paths as xargs -0 reads it.
func listed(paths []string) string {
	var out strings.Builder
	for _, p := range paths {
		out.WriteString("./" + p + "\x00")
	}
	return out.String()
}

// timed is a list of times and paths as xargs -0 -n 2 touch -h -d reads it.
func timed(entries []Entry) string {
	var out strings.Builder
	for _, e := range entries {
		out.WriteString("@" + strconv.FormatInt(e.Time.Unix(), 10) + "." + nine(e.Time.Nanosecond()) + "\x00./" + e.Path + "\x00")
	}
	return out.String()
}

func nine(n int) string {
	text := strconv.Itoa(n)
	return strings.Repeat("0", 9-len(text)) + text
}

// unlisted reads a list of paths.
func unlisted(text string) []string {
	var out []string
	for p := range strings.SplitSeq(text, "\x00") {
		if p = strings.TrimPrefix(p, "./"); p != "" {
			out = append(out, p)
		}
	}
	return out
}
