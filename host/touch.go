package host

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/webhost-systems/drhost/host/check"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/sandbox"
)

// touched is what an edit means for a run, part by part.
type touched struct {
	script *sandbox.Script // the edited one
	first  string          // title of the first step that is different; "": none
	lines  []string
}

// String is what an operator is told.
func (t touched) String() string {
	first := "none, the change is outside of the steps"
	if t.first != "" {
		first = strconv.Quote(t.first)
	}
	return fmt.Sprintf("The first step it touches: %s.\n%s", first, indent(t.lines))
}

// How far a step has come.
const (
	notBegun = iota
	underWay
	failed
	finished
)

// compare finds out what the edit touches. Its error is that of a script that
// does not load.
func (h *Host) compare(before, after bundle, records []journal.Record) (touched, error) {
	t := touched{}
	was, err := h.load(before)
	if err != nil {
		return t, err
	}
	if t.script, err = h.load(after); err != nil {
		return t, err
	}
	old, err := check.Titles(before.Text)
	if err != nil {
		return t, err
	}
	now, err := check.Titles(after.Text)
	if err != nil {
		return t, err
	}
	c := comparison{old: old, now: now, progress: progressOf(records)}
	c.gone, c.come = changedLines(before.Text, after.Text)
	t.lines = append(t.lines, heads(was.Head, t.script.Head)...)
	c.steps(&t)
	if len(t.lines) == 0 {
		t.lines = []string{"what is outside of the steps; it counts for the steps that still run"}
	}
	return t, nil
}

// heads tells of a head that was changed: the journal keeps the one with which
// the run began.
func heads(before, after map[string]any) []string {
	var names []string
	for _, name := range []string{"title", "severity", "impact", "objective"} {
		if !reflect.DeepEqual(before[name], after[name]) {
			names = append(names, name)
		}
	}
	var out []string
	if len(names) > 0 {
		out = append(out, fmt.Sprintf("head (%s): changed; this run keeps what it began with, the next one has the new", strings.Join(names, ", ")))
	}
	a, _ := before["input"].(map[string]any)
	b, _ := after["input"].(map[string]any)
	all := maps.Clone(a)
	if all == nil {
		all = map[string]any{}
	}
	maps.Copy(all, b)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		_, had := a[name]
		_, has := b[name]
		switch {
		case !had:
			out = append(out, fmt.Sprintf("input %q: new; this run takes its default", name))
		case !has:
			out = append(out, fmt.Sprintf("input %q: removed", name))
		case !reflect.DeepEqual(a[name], b[name]):
			out = append(out, fmt.Sprintf("input %q: changed; this run keeps the value it was given", name))
		}
	}
	return out
}

// progressOf is how far the steps of a run have come, by title.
func progressOf(records []journal.Record) map[string]int {
	by := map[string]map[string]int{} // title -> path -> progress
	for _, r := range records {
		if r.Kind != journal.StepStarted && r.Kind != journal.StepFinished {
			continue
		}
		s, err := journal.Decode[journal.Step](r)
		if err != nil || journal.OfUndo(s.Path) || s.Form == "branch" {
			continue
		}
		if by[s.Title] == nil {
			by[s.Title] = map[string]int{}
		}
		switch {
		case r.Kind == journal.StepStarted || s.Result == "cancelled":
			by[s.Title][s.Path] = underWay
		case s.Result == "fault":
			by[s.Title][s.Path] = failed
		default:
			by[s.Title][s.Path] = finished
		}
	}
	out := map[string]int{}
	for title, paths := range by {
		out[title] = finished
		for _, p := range paths {
			out[title] = min(out[title], p)
		}
	}
	return out
}

// comparison is of two scripts.
type comparison struct {
	old, now   []check.TitleAt
	gone, come map[int]bool // lines that only the old, only the new one has
	progress   map[string]int
}

// steps adds a line for each step that is not the same.
func (c comparison) steps(t *touched) {
	add := func(title, format string, args ...any) {
		if t.first == "" {
			t.first = title
		}
		t.lines = append(t.lines, fmt.Sprintf(format, args...))
	}
	moved := c.moved()
	changed := owners(c.old, c.gone)
	maps.Copy(changed, owners(c.now, c.come))
	done := map[string]bool{}
	for _, s := range c.now {
		switch {
		case done[s.Title]:
		case !has(c.old, s.Title):
			add(s.Title, "%s %q (line %d): new%s", s.Form, s.Title, s.Line, c.before(s))
		case moved[s.Title]:
			add(s.Title, "%s %q (line %d): moved to another place; %s", s.Form, s.Title, s.Line, c.movedMeans(s.Title))
		case changed[s.Title]:
			add(s.Title, "%s %q (line %d): changed, %s", s.Form, s.Title, s.Line, c.changedMeans(s.Title))
		}
		done[s.Title] = true
	}
	for _, s := range c.old {
		if !done[s.Title] && !has(c.now, s.Title) {
			add(s.Title, "%s %q (line %d of the run's own copy): removed or renamed; %s", s.Form, s.Title, s.Line, c.removedMeans(s.Title))
			done[s.Title] = true
		}
	}
}

func has(titles []check.TitleAt, title string) bool {
	return slices.ContainsFunc(titles, func(t check.TitleAt) bool { return t.Title == title })
}

func (c comparison) changedMeans(title string) string {
	switch c.progress[title] {
	case finished:
		return "but it is finished: what it returned stays, the edit is for the next run"
	case underWay:
		return "and it is under way: it runs again, and what it has called already is answered from the journal, so those calls must stay as they are"
	case failed:
		return "and it failed: it is tried as edited"
	}
	return "and it has not begun: it runs as edited"
}

func (c comparison) removedMeans(title string) string {
	switch c.progress[title] {
	case finished:
		return "it is finished, and the run does not get past it when it is missed: then put it back under this title"
	case underWay:
		return "it is under way, and the run does not get past what it has called: then put it back under this title"
	}
	return "it has done nothing that counts, so it is left out"
}

func (c comparison) movedMeans(title string) string {
	if c.progress[title] == notBegun {
		return "it has not begun"
	}
	return "steps that have begun must be come to in the order in which they did, else the run stops there"
}

// before warns of a new step that comes before what has begun.
func (c comparison) before(s check.TitleAt) string {
	for _, later := range c.now {
		if later.Line > s.Line && later.Line > s.Last && c.progress[later.Title] == underWay {
			return fmt.Sprintf("; it comes before %q, which is under way, and cannot run in front of what that has called: then put it behind it, or inside it at its end", later.Title)
		}
	}
	return ""
}

// moved are the titles that both scripts have, in another order.
func (c comparison) moved() map[string]bool {
	common := func(titles, others []check.TitleAt) (out []string) {
		for _, t := range titles {
			if has(others, t.Title) && !slices.Contains(out, t.Title) {
				out = append(out, t.Title)
			}
		}
		return out
	}
	a, b := common(c.old, c.now), common(c.now, c.old)
	out := map[string]bool{}
	for len(a) > 0 && len(b) > 0 {
		if a[0] == b[0] {
			a, b = a[1:], b[1:]
			continue
		}
		// The one that is further away from its place is the one that moved.
		at, bt := a[0], b[0]
		title := at
		if slices.Index(a, bt) > slices.Index(b, at) {
			title = bt
		}
		out[title] = true
		same := func(t string) bool { return t == title }
		a, b = slices.DeleteFunc(a, same), slices.DeleteFunc(b, same)
	}
	return out
}

// owners are the innermost steps in which the lines stand.
func owners(titles []check.TitleAt, lines map[int]bool) map[string]bool {
	out := map[string]bool{}
	for line := range lines {
		owner, size := "", 0
		for _, t := range titles {
			if t.Line <= line && line <= t.Last && (owner == "" || t.Last-t.Line < size) {
				owner, size = t.Title, t.Last-t.Line
			}
		}
		if owner != "" {
			out[owner] = true
		}
	}
	return out
}

// changedLines are the numbers of the lines that only one of two texts has.
func changedLines(before, after []byte) (gone, come map[int]bool) {
	gone, come = map[int]bool{}, map[int]bool{}
	a, b := 0, 0
	for i, line := range strings.Split(string(diff.Diff("a", before, "b", after)), "\n") {
		switch {
		case i < 3 || line == "":
		case strings.HasPrefix(line, "@@"):
			var an, bn int
			if _, err := fmt.Sscanf(line, "@@ -%d,%d +%d,%d @@", &a, &an, &b, &bn); err != nil {
				return gone, come
			}
			if an == 0 {
				a++
			}
			if bn == 0 {
				b++
			}
		case line[0] == '-':
			gone[a] = true
			a++
		case line[0] == '+':
			come[b] = true
			b++
		default:
			a, b = a+1, b+1
		}
	}
	return gone, come
}
