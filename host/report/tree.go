package report

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Style is how a terminal prints the tree.
type Style struct {
	Color bool
	ASCII bool
	Width int  // columns; 0 is 80
	Calls bool // every call; else mutations, and reads that failed
}

// StyleFor returns the style for an output: getenv gives NO_COLOR, TERM, CI
// and the locale, terminal tells whether a person looks at it.
func StyleFor(getenv func(string) string, terminal bool, width int) Style {
	dumb := getenv("TERM") == "dumb"
	s := Style{Width: width, Color: terminal && !dumb && getenv("NO_COLOR") == "" && getenv("CI") == ""}
	locale := getenv("LC_ALL")
	for _, name := range []string{"LC_CTYPE", "LANG"} {
		if locale == "" {
			locale = getenv(name)
		}
	}
	upper := strings.ToUpper(locale)
	unicode := locale == "" || strings.Contains(upper, "UTF-8") || strings.Contains(upper, "UTF8")
	s.ASCII = dumb || !unicode || getenv("NO_COLOR") != ""
	return s
}

// mark is how a state looks.
type mark struct{ sign, ascii, color string }

const (
	green, red, yellow, dim, reset = "\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[2m", "\x1b[0m"
)

func markOf(n *Node) mark {
	switch n.State {
	case "failed":
		return mark{"✗", "x", red}
	case "unknown":
		return mark{"?", "?", red}
	case "skipped":
		return mark{"↷", "-", yellow}
	case "by_hand":
		return mark{"✎", "@", yellow}
	case "cancelled":
		return mark{"⊘", "/", yellow}
	case "open":
		return mark{"…", ".", yellow}
	}
	switch n.Form {
	case "note":
		return mark{"›", ">", dim}
	case "call":
		return mark{"·", "*", dim}
	}
	return mark{"✓", "+", green}
}

// Tree prints the steps of the run with their live durations.
func Tree(w io.Writer, r *Run, s Style) error {
	nodes := r.Steps
	if r.Undo != nil {
		nodes = append(slices.Clip(nodes), r.Undo.Tree)
	}
	return tree(w, nodes, s)
}

func tree(w io.Writer, nodes []*Node, s Style) error {
	if s.Width <= 0 {
		s.Width = 80
	}
	out := bufio.NewWriter(w)
	p := printer{out: out, style: s}
	for _, n := range nodes {
		p.node(n, 0)
	}
	return out.Flush()
}

type printer struct {
	out   *bufio.Writer
	style Style
}

// quiet is what a tree only counts: a read that went well.
func quiet(n *Node) bool { return n.Form == "call" && n.Effect == "reads" && n.State == "done" }

func (p *printer) node(n *Node, depth int) {
	if quiet(n) && !p.style.Calls {
		return
	}
	took := ""
	if n.Form != "note" && n.State != "unknown" {
		took = n.Live.String()
	}
	p.line(depth, markOf(n), p.title(n), took)
	if n.Fault != nil && !carriesFault(n) {
		p.warn(depth+1, fmt.Sprintf("%s: %s", n.Fault.Kind, n.Fault.Error()))
	}
	if n.State == "unknown" {
		p.warn(depth+1, "sent, and no answer recorded: look whether it happened")
	}
	for _, c := range n.Children {
		p.node(c, depth+1)
	}
}

// warn prints text whole, however long: the hint at the end of a fault is what
// is needed most.
func (p *printer) warn(depth int, text string) {
	for _, line := range wrap(text, max(p.style.Width-2*depth-2, 20)) {
		p.line(depth, mark{" ", " ", red}, line, "")
	}
}

// carriesFault tells whether a child shows the same fault, so that it is
// printed once, where it arose.
func carriesFault(n *Node) bool {
	for _, c := range n.Children {
		if c.Fault != nil && c.Fault.Message == n.Fault.Message && c.State == "failed" {
			return true
		}
	}
	return false
}

func (p *printer) title(n *Node) string {
	var extra []string
	add := func(yes bool, format string, args ...any) {
		if yes {
			extra = append(extra, fmt.Sprintf(format, args...))
		}
	}
	title := oneLine(n.Title)
	if n.Form == "approval" {
		add(n.Answer != "", "%s", n.Answer)
		add(n.Answer == "", "not answered yet")
		add(n.By != "", "by %s", n.By)
		add(n.Signed != "", "(signed)")
		add(n.Reason != "", "- %s", oneLine(n.Reason))
		return title + " (" + strings.Join(extra, " ") + ")"
	}
	reads := 0
	for _, c := range n.Children {
		if c.Form == "call" && c.Effect == "reads" && c.State == "done" && !strings.HasPrefix(c.Call, hostCalls) {
			reads++
		}
	}
	add(reads > 0 && !p.style.Calls, "%s", plural(reads, "read"))
	add(n.Form != "call" && n.Attempts > 1, "%d attempts", n.Attempts)
	add(n.Tries > 1, "%d tries", n.Tries)
	add(n.State == "by_hand", "done by hand")
	add(n.State == "skipped" || n.State == "cancelled", "%s", n.State)
	add(n.Settled == "probe", "answer was lost, found to have happened")
	add(n.Settled == "operator", "answer was lost, settled by the operator")
	add(n.Undone, "undone")
	add(n.By != "", "by %s", n.By)
	add(n.Reason != "", "%s", oneLine(n.Reason))
	add(n.Owner != "", "owner %s", n.Owner)
	if len(extra) == 0 {
		return title
	}
	return title + " (" + strings.Join(extra, ", ") + ")"
}

// line prints sign and text at its depth with took at the right edge.
func (p *printer) line(depth int, m mark, text, took string) {
	sign, more, color := m.sign, "…", m.color
	if p.style.ASCII {
		sign, more = m.ascii, "..."
	}
	indent := strings.Repeat("  ", depth)
	room := p.style.Width - len(indent) - 2
	if took != "" {
		room -= len(took) + 2
	}
	if sign != " " { // a continuation line was wrapped already
		text = shorten(text, max(room, 8), more)
	}
	painted := sign
	if p.style.Color {
		painted = color + sign + reset
		if color == red && sign == " " {
			text = red + text + reset
		}
	}
	line := indent + painted + " " + text
	if took != "" {
		gap := max(room-utf8.RuneCountInString(text), 0) + 2
		if p.style.Color {
			took = dim + took + reset
		}
		line += strings.Repeat(" ", gap) + took
	}
	fmt.Fprintln(p.out, strings.TrimRight(line, " "))
}
