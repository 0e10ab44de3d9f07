// Package terminal is how a person sees a run and answers it: plain lines, a
// live step tree on a terminal, and questions. It must never decide anything
// for the person, and never show what the journal would not.
package terminal

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
)

// Lines prints a run as it goes, one line for each thing that happens.
type Lines struct {
	mu      sync.Mutex
	out     io.Writer
	clock   clock.Clock
	start   time.Time
	color   bool
	started map[string]time.Time
	last    string // the progress shown last, so that it is not repeated
}

// NewLines returns a view that writes to out.
func NewLines(out io.Writer, c clock.Clock, color bool) *Lines {
	return &Lines{out: out, clock: c, start: c.Now(), color: color, started: map[string]time.Time{}}
}

// Observe shows one event.
func (l *Lines) Observe(e gate.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case e.Record != nil:
		l.record(*e.Record)
	case e.Calling != nil && e.Calling.Effect != 0:
		l.line(depth(e.Calling.Site.Step)+1, "→ "+tame(e.Calling.Says))
	case e.Progress != nil && e.Progress.Text != l.last:
		l.last = e.Progress.Text
		l.line(2, dim(l.color, "… "+tame(e.Progress.Text)))
	}
}

// Close ends the view.
func (l *Lines) Close() {}

func (l *Lines) record(r journal.Record) {
	switch r.Kind {
	case journal.RunStarted:
		if s, err := journal.Decode[journal.Started](r); err == nil {
			l.start = s.DetectedAt
			l.line(0, bold(l.color, tame(s.Title))+fmt.Sprintf("  %s · %s · run %s", s.Mode, s.Env, s.Run))
		}
	case journal.StepStarted:
		s, err := journal.Decode[journal.Step](r)
		if err != nil {
			return
		}
		l.started[s.Path] = l.clock.Now()
		again := ""
		if s.Attempt > 1 {
			again = fmt.Sprintf(" (attempt %d)", s.Attempt)
		}
		l.line(depth(s.Path), "▶ "+tame(s.Title)+again)
	case journal.StepFinished:
		if s, err := journal.Decode[journal.Step](r); err == nil {
			l.finished(s)
		}
	case journal.CallOutcome:
		if o, err := journal.Decode[journal.Outcome](r); err == nil && o.Fault != nil {
			l.line(depth(o.Site.Step)+1, red(l.color, "✗ ")+o.Call+": "+tame(o.Fault.Error()))
		}
	case journal.Note:
		if n, err := journal.Decode[journal.NoteText](r); err == nil {
			l.note(n)
		}
	case journal.ApprovalGiven:
		if a, err := journal.Decode[journal.Approval](r); err == nil {
			text := fmt.Sprintf("%s by %s: %s", a.Answer, a.By, tame(a.Text))
			if a.By == "" {
				text = fmt.Sprintf("%s: %s", a.Answer, tame(a.Text))
			}
			if a.BreakGlass != "" {
				text += " " + red(l.color, "BREAK-GLASS: "+tame(a.BreakGlass))
			}
			l.line(1, text)
		}
	case journal.PlanDeviated:
		if d, err := journal.Decode[journal.Deviation](r); err == nil {
			l.line(depth(d.Site.Step)+1, red(l.color, "! NOT IN THE PLAN: ")+tame(d.Says)+": "+tame(d.Why))
		}
	case journal.UndoStarted:
		if u, err := journal.Decode[journal.Undoing](r); err == nil {
			l.line(0, bold(l.color, "undo")+", the last step first:\n"+tame(strings.Join(u.List(), "\n")))
		}
	case journal.UndoFinished:
		if f, err := journal.Decode[journal.Finished](r); err == nil {
			l.line(0, bold(l.color, "undo "+f.Result)+": "+tame(f.Message))
		}
	case journal.RunFinished:
		if f, err := journal.Decode[journal.Finished](r); err == nil {
			l.line(0, bold(l.color, f.Result)+": "+tame(f.Message))
		}
	}
}

func (l *Lines) finished(s journal.Step) {
	mark, why := green(l.color, "✓ "), ""
	switch s.Result {
	case "fault":
		mark = red(l.color, "✗ ")
		if s.Fault != nil {
			why = ": " + tame(s.Fault.Error())
		}
	case "skipped", "by_hand", "cancelled":
		mark, why = "- ", " ("+s.Result+")"
	}
	took := ""
	if at, ok := l.started[s.Path]; ok {
		took = dim(l.color, fmt.Sprintf("  %.1f s", l.clock.Now().Sub(at).Seconds()))
	}
	l.line(depth(s.Path), mark+tame(s.Title)+why+took)
}

func (l *Lines) note(n journal.NoteText) {
	mark := "  "
	if n.Form == "expect" {
		mark = green(l.color, "✓ ")
		if ok, _ := n.Evidence["ok"].(bool); !ok {
			mark = "? "
			if _, planned := n.Evidence["planned"]; !planned {
				mark = red(l.color, "✗ ")
			}
		}
	}
	l.line(depth(n.Site.Step)+1, mark+tame(n.Text))
}

func (l *Lines) line(indent int, text string) {
	at := l.clock.Now().Sub(l.start).Round(100 * time.Millisecond)
	clock := fmt.Sprintf("%02d:%02d:%04.1f", int(at.Hours()), int(at.Minutes())%60, at.Seconds()-60*float64(int(at.Minutes())))
	for i, row := range strings.Split(text, "\n") {
		if i > 0 {
			clock = strings.Repeat(" ", len(clock))
		}
		fmt.Fprintf(l.out, "%s %s%s\n", dim(l.color, clock), strings.Repeat("  ", indent), row)
	}
}

// depth is how far a step's line is indented.
func depth(path string) int {
	if path == "" {
		return 0
	}
	if journal.OfUndo(path) {
		return 1
	}
	return strings.Count(path, "/")
}

func paint(on bool, code, text string) string {
	if !on {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func bold(on bool, s string) string  { return paint(on, "1", s) }
func dim(on bool, s string) string   { return paint(on, "2", s) }
func red(on bool, s string) string   { return paint(on, "31", s) }
func green(on bool, s string) string { return paint(on, "32", s) }
