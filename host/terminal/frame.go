package terminal

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
)

// canvas turns a tree into lines of a terminal.
type canvas struct {
	width int
	color bool
	now   time.Time
	final bool // the run is not worked on any more
}

// row is one line, and how much it matters when there are too many.
type row struct {
	text   string
	weight int
}

const (
	past     = iota // what is over
	around          // a step that is open because of what is in it
	progress        // how a call is getting on
	present         // what is going on now
)

// widest is how far the durations are set from the titles at most: a line that
// runs over a wide screen is hard to follow.
const widest = 100

// How much of the tree is shown, from everything to the least.
const (
	everything   = iota
	finishedTops // a finished top-level step is one line
	finishedAll  // every finished step is one line; what finished inside open ones is hidden
	folded       // finished steps that follow each other are one line
	leastDetail
)

// whole is the tree as it is left behind.
func (c canvas) whole(t *tree) []string {
	lines := c.header(t)
	for _, r := range c.under(t.root, 0, everything) {
		lines = append(lines, r.text)
	}
	return append(lines, c.footer(t, everything)...)
}

// fit is the tree in at most height lines; what is going on is kept longest.
func (c canvas) fit(t *tree, height int) []string {
	height = max(height, 1)
	for detail := everything; detail < leastDetail; detail++ {
		header, rows, footer := c.header(t), c.under(t.root, 0, detail), c.footer(t, detail)
		if len(header)+len(rows)+len(footer) <= height {
			return join(header, rows, footer)
		}
	}
	return c.squeeze(c.header(t), c.under(t.root, 0, folded), c.footer(t, folded), height)
}

// squeeze gives up the footer, then rows by their weight from above, and the
// title and the clock on a terminal of a few rows.
func (c canvas) squeeze(header []string, rows []row, footer []string, height int) []string {
	if len(header)+len(rows)+len(footer) > height {
		footer = nil
	}
	if height < 5 && len(header) > 1 {
		header = header[1:] // the clock stays
	}
	if height < 3 && len(rows) > 0 {
		header = nil
	}
	room := height - len(header)
	for weight := past; weight < present; weight++ {
		for i := 0; i < len(rows) && len(rows) > room; {
			if rows[i].weight == weight {
				rows = append(rows[:i:i], rows[i+1:]...)
			} else {
				i++
			}
		}
	}
	if hidden := len(rows) - room; hidden > 0 {
		rows = rows[hidden:]
		if room > 2 {
			rows[0].text = c.line(0, "", fmt.Sprintf("… %d lines above", hidden+1), "", dim)
		}
	}
	lines := join(header, rows, footer)
	return lines[:min(len(lines), height)]
}

func join(header []string, rows []row, footer []string) []string {
	lines := append([]string(nil), header...)
	for _, r := range rows {
		lines = append(lines, r.text)
	}
	return append(lines, footer...)
}

// header is what runs, and the clock of its objective.
func (c canvas) header(t *tree) []string {
	var lines []string
	if h := t.head; h.Title != "" {
		about := []string{h.Mode, h.Env, "run " + h.Run}
		if h.Speed > 1 {
			about = append(about, fmt.Sprintf("waits at %g× speed", h.Speed))
		}
		title := cut(clean(h.Title), c.width)
		rest := cut("  "+clean(strings.Join(about, " · ")), c.width-ansi.StringWidth(title))
		lines = append(lines, bold(c.color, title)+rest)
	}
	if !t.head.DetectedAt.IsZero() {
		lines = append(lines, c.clock(t))
	}
	return lines
}

// clock is the line of the objective: elapsed, target, remaining, and a bar
// where there is room.
func (c canvas) clock(t *tree) string {
	elapsed := max(c.now.Sub(t.head.DetectedAt), 0)
	text := fmt.Sprintf("%02d:%02d:%02d", int(elapsed.Hours()), int(elapsed.Minutes())%60, int(elapsed.Seconds())%60)
	target, err := time.ParseDuration(t.head.RTO)
	if err != nil || target <= 0 {
		return cut(text+" since detection, no RTO set", c.width)
	}
	left, paint, over := target-elapsed, bold, ""
	switch {
	case left < 0:
		left, paint, over = -left, red, " over"
	case left < target/5:
		paint = yellow
	}
	bar := ""
	if cells := 20; c.width >= 70 {
		full := min(int(float64(cells)*elapsed.Seconds()/target.Seconds()), cells)
		bar = "  " + strings.Repeat("━", full) + strings.Repeat("╌", cells-full)
	}
	word := " left"
	if over != "" {
		word = over
	}
	rest := fmt.Sprintf("  of RTO %s%s  %s%s", span(target, true), bar, span(left, true), word)
	return paint(c.color, cut(text, c.width)) + cut(rest, c.width-ansi.StringWidth(text))
}

// footer is the last note where the tree hides it, or how the run ended.
func (c canvas) footer(t *tree, detail int) []string {
	if t.end != nil {
		paint := green
		if t.end.Result != "done" && t.end.Result != "undo done" {
			paint = red
		}
		return c.lines(0, "", t.end.Result+": "+t.end.Message, paint, 4)
	}
	if t.note != "" && detail > everything && !c.final {
		return []string{c.line(0, "›", t.note, "", dim)}
	}
	return nil
}

// under is what lies under s.
func (c canvas) under(s *item, depth, detail int) []row {
	var rows []row
	for i := 0; i < len(s.under); i++ {
		it := s.under[i]
		if detail >= folded && it.finishedStep() {
			run := i
			for run < len(s.under) && (s.under[run].finishedStep() || !s.under[run].isStep() && s.under[run].state != "open") {
				run++
			}
			if text, ok := summary(s.under[i:run]); ok {
				rows = append(rows, row{text: c.line(depth, "✓", text, "", dim)})
				i = run - 1
				continue
			}
		}
		if it.isStep() {
			rows = append(rows, c.step(it, depth, detail)...)
		} else if it.state == "open" || detail < finishedAll {
			rows = append(rows, c.event(it, depth)...)
		}
	}
	return rows
}

// summary says how several steps ended; ok is false for a single one.
func summary(items []*item) (text string, ok bool) {
	steps, failed := 0, 0
	for _, it := range items {
		if it.isStep() {
			steps++
			if it.state == "fault" {
				failed++
			}
		}
	}
	text = fmt.Sprintf("%d steps finished", steps)
	if failed > 0 {
		text += fmt.Sprintf(", %d of them failed", failed)
	}
	return text, steps > 1
}

func (s *item) isStep() bool {
	return s.form != "call" && s.form != "note" && s.form != "approval"
}

func (s *item) weight() int {
	if s.state != "open" {
		return past
	}
	for _, it := range s.under {
		if it.state == "open" {
			return around
		}
	}
	return present
}

func (s *item) finishedStep() bool { return s.isStep() && s.state != "open" }

func (c canvas) step(s *item, depth, detail int) []row {
	title := s.title
	if s.extra != "" {
		title += " (" + s.extra + ")"
	}
	mark, paint := c.mark(s)
	rows := []row{{c.marked(depth, mark, paint, title, c.took(s)), s.weight()}}
	shown := s.state == "open" || detail == everything || detail == finishedTops && depth > 0
	if shown {
		rows = append(rows, c.under(s, depth+1, detail)...)
	}
	if s.state == "fault" && !(shown && s.told()) {
		for _, line := range c.lines(depth+1, " ", s.fault, red, 6) {
			rows = append(rows, row{text: line})
		}
	}
	return rows
}

// told tells whether something under s failed with the same words, so that
// they are read once, where they arose.
func (s *item) told() bool {
	for _, it := range s.under {
		if it.fault != "" && strings.Contains(s.fault, it.fault) || it.told() && it.fault == s.fault {
			return true
		}
	}
	return false
}

// event is a call, a note or a question.
func (c canvas) event(it *item, depth int) []row {
	mark, paint := c.mark(it)
	text, took := it.title, c.took(it)
	if it.extra != "" {
		text += " (" + it.extra + ")"
	}
	var rows []row
	if it.form == "note" {
		for i, line := range strings.Split(strings.TrimSpace(it.title), "\n") {
			if i > 0 {
				mark = " "
			}
			rows = append(rows, row{text: c.marked(depth, mark, paint, line, "")})
		}
		return rows
	}
	rows = append(rows, row{c.marked(depth, mark, paint, text, took), it.weight()})
	if it.state == "open" && it.latest != "" {
		rows = append(rows, row{c.line(depth+1, "…", it.latest, "", dim), progress})
	}
	if it.fault != "" {
		for _, line := range c.lines(depth+1, " ", it.fault, red, 3) {
			rows = append(rows, row{text: line})
		}
	}
	return rows
}

// mark is the sign of an item and its colour.
func (c canvas) mark(it *item) (string, painter) {
	switch it.state {
	case "open":
		switch {
		case c.final:
			return "…", yellow
		case it.form == "approval":
			return "?", yellow
		case it.form == "call":
			return "→", bold
		}
		return "▶", bold
	case "fault":
		return "✗", red
	case "unknown", "planned":
		return "?", yellow
	case "injected":
		return "!", red
	case "note":
		return "›", dim
	case "skipped", "by_hand", "cancelled":
		return "-", yellow
	}
	if it.form == "call" {
		return "·", dim
	}
	return "✓", green
}

// took is how long an item took, or has taken so far.
func (c canvas) took(it *item) string {
	switch {
	case it.form == "note" || it.form == "approval" || it.began.IsZero():
		return ""
	case it.state == "open":
		return span(c.now.Sub(it.began), true)
	}
	return span(it.ended.Sub(it.began), false)
}
