package check

import (
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/yuin/gopher-lua/ast"

	"github.com/webhost-systems/drhost/host/words"
)

// item is a step, a parallel or an each; form "call" stands for the steps of a
// function of the script, "poll" for those under eventually or retry.
type item struct {
	form     string
	title    string
	line     int
	branches []branch
	callee   *fn
	looped   bool // it is a call, and stands in a loop
}

type branch struct {
	name string
	fn   *fn
}

func (it *item) branch(name string, f *fn) {
	if it != nil {
		it.branches = append(it.branches, branch{name, f})
	}
}

// last is the line in which the functions of the item end that stand in it.
func (it *item) last() int {
	last := it.line
	for _, b := range it.branches {
		if b.fn != nil && b.fn.node.Line() >= it.line {
			last = max(last, b.fn.node.LastLine())
		}
	}
	return last
}

// beginItem adds the item of a word that holds steps, or is one.
func (c *checker) beginItem(e *ast.FuncCallExpr, w *words.Word, placed map[string]ast.Expr, line int) *item {
	it := &item{form: w.Name, line: line}
	switch w.Name {
	case "step", "parallel", "each":
		it.title, _ = literalString(placed["title"])
		if c.fn.loops > 0 && it.title != "" {
			c.errorf(line, CodeTitle, "a %s in a loop has the same title each time; go through the list with each(title, list, function(item) ... end)", w.Name)
		}
	case "eventually", "retry":
		it.form = "poll"
	default:
		return nil
	}
	c.fn.items = append(c.fn.items, it)
	return it
}

// titleArgument judges the title of a step, parallel or each.
func (c *checker) titleArgument(w *words.Word, e ast.Expr, v value) {
	text, ok := literalString(e)
	switch {
	case ok && strings.TrimSpace(text) == "":
		c.errorf(e.Line(), CodeTitle, "the title of a %s is empty", w.Name)
	case !ok && (v.kind == unknown || v.isText()):
		c.errorf(e.Line(), CodeTitle, "the title of a %s must be literal: a resumed run finds its steps by their titles", w.Name)
	case !ok:
		c.errorf(e.Line(), CodeTitle, "%s takes its title first, not %s; it is written %s", w.Name, describe(v), w.Signature())
	}
}

// TitleAt is a step, parallel or each of a script.
type TitleAt struct {
	Title string
	Line  int
	Last  int    // line in which what it runs ends; Line when that stands elsewhere
	Form  string // step | parallel | each
	Path  string // of titles and branches, separated by " / "
}

const pathMark = " / "

// Titles lists the titled parts of a script in the order of their lines. It
// needs no catalog; the error is that of the parser.
func Titles(source []byte) ([]TitleAt, error) {
	c := newChecker("", source, Options{})
	if problem := c.analyse(); problem != nil {
		return nil, fmt.Errorf("line %d: %w", problem.Line, errors.New(problem.Message))
	}
	var out []TitleAt
	c.outline(func(t TitleAt, _ int, _ *fn) { out = append(out, t) })
	sort.SliceStable(out, func(i, j int) bool { return out[i].Line < out[j].Line })
	return out, nil
}

// outline visits every titled part with its path; with the line that a reader
// would look at, which is that of the call for the steps of a function that is
// called by name; and with the root that its path starts from.
func (c *checker) outline(visit func(t TitleAt, at int, root *fn)) {
	o := &outliner{visit: visit, seen: map[*fn]bool{}}
	roots := []*fn{c.main}
	for _, f := range c.ordered() {
		if f.entry() {
			roots = append(roots, f)
		}
	}
	for _, f := range append(roots, c.ordered()...) { // after the entries, what nobody calls
		if !o.seen[f] {
			o.root = f
			o.function(f, "", 0, nil)
		}
	}
}

// entry tells whether the host calls the function: run, setup, fault, expect.
func (f *fn) entry() bool {
	switch f.form {
	case "run", "setup", "fault", "expect":
		return true
	}
	return false
}

// ordered are all functions in the order of their lines.
func (c *checker) ordered() []*fn {
	var out []*fn
	for _, f := range c.fns {
		out = append(out, f)
	}
	sort.Slice(out, func(i, j int) bool {
		a, b := out[i].node, out[j].node
		if a.Line() != b.Line() {
			return a.Line() < b.Line()
		}
		return a.LastLine() > b.LastLine()
	})
	return out
}

type outliner struct {
	visit func(TitleAt, int, *fn)
	root  *fn
	seen  map[*fn]bool
	count int
}

// maxOutline bounds what functions that call each other may blow up to.
const maxOutline = 5000

func (o *outliner) function(f *fn, path string, at int, stack []*fn) {
	o.seen[f] = true
	for _, on := range stack {
		if on == f {
			return
		}
	}
	stack = append(stack, f)
	for _, it := range f.items {
		if o.count++; o.count > maxOutline {
			return
		}
		line := at
		if line == 0 {
			line = it.line
		}
		switch it.form {
		case "call":
			o.function(it.callee, path, line, stack)
		case "poll": // there can be no step; see judgePolled
		default:
			o.titled(it, path, at, line, stack)
		}
	}
}

func (o *outliner) titled(it *item, path string, at, line int, stack []*fn) {
	own := it.title
	if path != "" {
		own = path + pathMark + it.title
	}
	if it.title != "" {
		o.visit(TitleAt{Title: it.title, Line: it.line, Last: it.last(), Form: it.form, Path: own}, line, o.root)
	}
	for _, b := range it.branches {
		inner := own
		if b.name != "" {
			inner += pathMark + b.name
		} else if it.form == "each" {
			inner += pathMark + "<item>"
		}
		o.function(b.fn, inner, at, stack)
	}
}

// judgeTitles looks for titles that are not unique, that hardly differ, and
// for mentions of titles that do not exist.
func (c *checker) judgeTitles() {
	type place struct {
		root *fn
		path string
	}
	type found struct {
		TitleAt
		at int
	}
	first := map[place]found{}
	var all []TitleAt // with the line to look at
	c.outline(func(t TitleAt, at int, root *fn) {
		before, twice := first[place{root, t.Path}]
		if !twice {
			first[place{root, t.Path}] = found{t, at}
			t.Line = at
			all = append(all, t)
			return
		}
		if before.Line == t.Line && before.at != at {
			c.errorf(at, CodeTitle, "line %d reaches the %s %q already; titles must be unique, because a resumed run finds its steps by them", before.at, t.Form, t.Title)
			return
		}
		c.errorf(at, CodeTitle, "line %d has a %s titled %q already; titles must be unique, because a resumed run finds its steps by them", before.at, before.Form, t.Title)
	})
	c.similar(all)
	known := map[string]bool{}
	var names []string
	for _, t := range all {
		if !known[t.Title] && t.Form == "step" {
			known[t.Title] = true
			names = append(names, t.Title)
		}
	}
	for _, l := range c.lookups {
		if !known[l.title] && !c.stdTitles()[l.title] {
			c.misspelt(l.line, CodeTitle, l.title, names, "no step is titled %q", l.title)
		}
	}
}

// similar warns of titles that differ by a letter or two: one of them may be
// a mistake. Those that differ in a number only are meant to.
func (c *checker) similar(all []TitleAt) {
	for i, t := range all {
		for _, before := range all[:i] {
			if t.Title != before.Title && near(t.Title, before.Title) {
				c.warnf(t.Line, CodeSimilar, "%q is almost the title of line %d, %q", t.Title, before.Line, before.Title)
			}
		}
	}
}

// near tells whether a becomes b by one or two edits that are not of digits.
func near(a, b string) bool {
	if len(a) < 8 || len(b) < 8 {
		return false
	}
	for a != "" && b != "" && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for a != "" && b != "" && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return len(a) <= 2 && len(b) <= 2 && strings.Trim(a+b, "0123456789") != ""
}
