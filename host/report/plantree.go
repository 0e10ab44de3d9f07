package report

import (
	"bufio"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/webhost-systems/drhost/host/journal"
)

// PlanTree prints a plan so that it is read at a glance: what is done, where
// the ways part, and how each ends.
func PlanTree(w io.Writer, p *Planned, s Style) error {
	if s.Width <= 0 {
		s.Width = 80
	}
	out := bufio.NewWriter(w)
	t := planPrinter{out: out, style: s}
	t.nodes(p.Tree, 0, false)
	return out.Flush()
}

type planPrinter struct {
	out   *bufio.Writer
	style Style
	told  string // the fault that was told last, so that it is told once
}

const (
	bold    = "\x1b[1m"
	redBold = "\x1b[1;31m"
)

// nodes prints a list; more tells that the run goes on behind it.
func (t *planPrinter) nodes(nodes []journal.PlanNode, indent int, more bool) {
	for i, n := range nodes {
		t.node(n, indent+n.Depth, indent, more || i+1 < len(nodes))
	}
}

func (t *planPrinter) node(n journal.PlanNode, at, indent int, more bool) {
	switch n.Form {
	case "step", "parallel", "each", "branch":
		title := oneLine(n.Title)
		if n.Form != "step" && n.Form != "branch" {
			title += " (all at once)"
		}
		if n.Optional {
			title += " (may fail)"
		}
		t.line(at, t.sign("▸", ">"), "", title)
	case "call":
		t.call(n, at)
	case "approval":
		who := "ASKS A PERSON: "
		if n.Needs > 1 {
			who = fmt.Sprintf("ASKS %d DIFFERENT PEOPLE: ", n.Needs)
		}
		t.line(at, t.sign("☞", "@"), yellow, who+oneLine(n.Title))
	case "expect":
		t.line(at, t.sign("✓", "="), dim, "checks: "+oneLine(n.Title))
	case "note":
		t.line(at, t.sign("›", "-"), dim, oneLine(n.Title))
	case "failed":
		t.line(at, t.sign("✗", "x"), red, "the step fails"+t.because(n))
	case "end":
		t.end(n, indent)
	case "fork":
		t.fork(n, at, indent, more)
	}
}

// because is the fault of n, unless it was told already.
func (t *planPrinter) because(n journal.PlanNode) string {
	if n.Fault == nil || t.knows(n.Fault.Message) {
		return ""
	}
	t.told = n.Fault.Message
	return ": " + n.Fault.Error()
}

// knows tells whether text only repeats the fault that was told last.
func (t *planPrinter) knows(text string) bool {
	return t.told != "" && strings.Contains(text, t.told)
}

func (t *planPrinter) call(n journal.PlanNode, at int) {
	if n.Effect == "reads" {
		if n.Fault != nil {
			t.line(at, t.sign("✗", "x"), red, n.Title+t.because(n))
		}
		return
	}
	text, color := oneLine(n.Title), ""
	if n.Effect == "destroys" {
		text, color = "DESTROYS: "+text, redBold
	}
	t.line(at, t.sign("→", "*"), color, text)
	if n.Fault != nil {
		t.line(at+1, " ", red, "this would fail"+t.because(n))
	}
}

func (t *planPrinter) end(n journal.PlanNode, at int) {
	color, text := t.ending(n)
	t.line(at, t.sign("■", "#"), color, text)
}

// ending is how a way ends, in words.
func (t *planPrinter) ending(n journal.PlanNode) (color, text string) {
	color, text = green, "DONE"
	if n.Result != "done" {
		color, text = red, strings.ToUpper(n.Result)
	}
	if n.Title != "" && (n.Result == "done" || !t.knows(n.Title)) {
		text += ": " + oneLine(n.Title)
	}
	return color, text
}

// fork prints a question with its answers. Where no answer leads back to the
// others, that after which most happens goes on below at the same indent, so
// that a long plan stays narrow.
func (t *planPrinter) fork(n journal.PlanNode, at, indent int, more bool) {
	long := longest(n)
	if stopsElse(n, long) {
		then := n.Choices[long].Then
		if len(then) > 0 && then[0].Form == "expect" {
			t.line(at, t.sign("✓", "="), yellow, "checks: "+oneLine(then[0].Title)+" [if not, the run stops here]")
			then = then[1:]
		} else {
			t.line(at, "?", yellow, fmt.Sprintf("%s [%s: the run stops here]", oneLine(n.Title), oneLine(n.Choices[1-long].Answer)))
		}
		t.nodes(then, indent, more)
		return
	}
	title := oneLine(n.Title)
	if n.Site.Line > 0 {
		title += fmt.Sprintf(" (%s:%d)", path.Base(n.Site.File), n.Site.Line)
	}
	t.line(at, "?", yellow, title)
	if more {
		long = -1
	}
	last := len(n.Choices) - 1
	for i, c := range n.Choices {
		if i != long {
			t.choice(c, at+1, more, i == last && long < 0)
		}
	}
	if long >= 0 {
		c := n.Choices[long]
		t.line(at+1, t.sign("└", "\\"), bold, oneLine(c.Answer)+": goes on below")
		t.nodes(c.Then, indent, more)
	}
}

// longest is the choice after which most happens; -1 when none was followed.
func longest(n journal.PlanNode) int {
	long, weight := -1, -1
	for i, c := range n.Choices {
		if w := heft(c.Then); !c.LeftOut && w > weight {
			long, weight = i, w
		}
	}
	return long
}

// choice prints an answer and what follows it, indented.
func (t *planPrinter) choice(c journal.PlanChoice, at int, more, last bool) {
	sign := t.sign("├", "|")
	if last {
		sign = t.sign("└", "\\")
	}
	switch {
	case c.LeftOut:
		t.line(at, sign, yellow, oneLine(c.Answer)+": not followed")
	case len(c.Then) == 0:
		t.line(at, sign, bold, oneLine(c.Answer)+": nothing but what follows below")
	case len(c.Then) == 1 && c.Then[0].Form == "end":
		color, text := t.ending(c.Then[0])
		t.line(at, sign, color, oneLine(c.Answer)+": "+text)
	default:
		t.line(at, sign, bold, oneLine(c.Answer)+":")
		t.nodes(shallow(c.Then), at+1, more)
		if more && !ends(c.Then) {
			t.line(at+1, t.sign("↓", "v"), dim, "then what follows below")
		}
	}
}

// ends tells whether nodes lead to the end of the run.
func ends(nodes []journal.PlanNode) bool {
	last := nodes[len(nodes)-1]
	if last.Form != "fork" {
		return last.Form == "end"
	}
	for _, c := range last.Choices {
		if c.LeftOut || len(c.Then) == 0 || !ends(c.Then) {
			return false
		}
	}
	return true
}

// shallow is nodes with their depths counted from the least of them.
func shallow(nodes []journal.PlanNode) []journal.PlanNode {
	least := -1
	for _, n := range nodes {
		if n.Form != "end" && (least < 0 || n.Depth < least) {
			least = n.Depth
		}
	}
	return lifted(nodes, max(least, 0))
}

func lifted(nodes []journal.PlanNode, by int) []journal.PlanNode {
	out := make([]journal.PlanNode, len(nodes))
	for i, n := range nodes {
		n.Depth = max(n.Depth-by, 0)
		choices := make([]journal.PlanChoice, len(n.Choices))
		for j, c := range n.Choices {
			c.Then = lifted(c.Then, by)
			choices[j] = c
		}
		n.Choices = choices
		out[i] = n
	}
	return out
}

// stopsElse tells of a fork of which every answer but the long one ends the run
// at once, badly and without another change.
func stopsElse(n journal.PlanNode, long int) bool {
	if len(n.Choices) != 2 || long < 0 || n.Choices[1-long].LeftOut {
		return false
	}
	other := n.Choices[1-long].Then
	for _, x := range other {
		switch {
		case x.Form == "expect", x.Form == "failed", x.Form == "note", x.Form == "call" && x.Effect == "reads":
		case x.Form == "end" && x.Result != "done":
		default:
			return false
		}
	}
	return len(other) > 0 && ends(other)
}

// heft is how much happens in nodes. A change counts more than other lines, and
// a good end more than a bad one.
func heft(nodes []journal.PlanNode) int {
	sum := 0
	count(nodes, func(n journal.PlanNode) {
		switch {
		case n.Form == "call" && n.Effect != "reads", n.Form == "end" && n.Result == "done":
			sum += 10
		case n.Form != "end" && n.Form != "failed":
			sum++
		}
	})
	return sum
}

func (t *planPrinter) sign(sign, ascii string) string {
	if t.style.ASCII {
		return ascii
	}
	return sign
}

// line prints text, broken where it is too long: nothing of a plan is cut off.
func (t *planPrinter) line(at int, sign, color, text string) {
	indent := strings.Repeat("  ", at)
	for i, row := range wrap(text, max(t.style.Width-len(indent)-2, 24)) {
		if i > 0 {
			sign = " "
		}
		if t.style.Color && color != "" {
			row = color + row + reset
		}
		fmt.Fprintln(t.out, strings.TrimRight(indent+sign+" "+row, " "))
	}
}
