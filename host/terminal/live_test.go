package terminal

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
)

// still is a live view on s that draws only when it is told to.
func still(s *screen, o Options) (*Live, *tape) {
	o.Width, o.Height = func() int { return s.width }, func() int { return s.height }
	l := newLive(s, o)
	p := newTape(l.Observe)
	l.o.Clock = p.clock
	l.begun, l.stop, l.stopped = true, func() {}, make(chan struct{})
	close(l.stopped)
	return l, p
}

func TestFrames(t *testing.T) {
	for _, c := range []struct {
		name          string
		width, height int
	}{
		{"wide", 120, 40}, {"usual", 80, 24}, {"narrow", 36, 60}, {"low", 80, 19}, {"short", 80, 15}, {"shorter", 80, 12}, {"shortest", 80, 6}, {"slit", 60, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScreen(t, c.width, c.height)
			l, p := still(s, Options{})
			p.middle()
			l.tick()
			text := s.text()
			if rows := strings.Count(text, "\n") + 1; rows > c.height {
				t.Errorf("%d rows on a terminal of %d", rows, c.height)
			}
			if n := columns(text); n > c.width {
				t.Errorf("%d columns on a terminal of %d", n, c.width)
			}
			golden(t, "frame_"+c.name+".txt", text)
		})
	}
}

func TestFitsEverySize(t *testing.T) {
	for width := 1; width < 130; width += 8 {
		for height := 1; height < 45; height += 3 {
			s := newScreen(t, width, height)
			l, p := still(s, Options{Color: width%16 == 1})
			p.middle()
			l.tick()
			text := s.text()
			if rows, n := strings.Count(text, "\n")+1, columns(text); rows > max(height, 2) || n > width {
				t.Fatalf("%d x %d: the frame is %d x %d:\n%s", width, height, n, rows, text)
			}
			if height >= 7 && width >= 40 && !strings.Contains(text, "verify backup") {
				t.Fatalf("%d x %d: what is running is not seen:\n%s", width, height, text)
			}
		}
	}
}

func TestCloseLeavesTheWholeTree(t *testing.T) {
	s := newScreen(t, 80, 10)
	s.Write([]byte("$ drhost run\r\n"))
	l, p := still(s, Options{})
	p.middle()
	l.tick()
	p.finish()
	l.tick()
	l.Close()
	l.Close()
	p.say(0, journal.Note, journal.NoteText{Text: "too late"})
	l.tick()
	golden(t, "closed.txt", s.text())
	for _, mode := range []string{"?7", "?25"} {
		if !s.modes[mode] {
			t.Errorf("mode %s is left switched off", mode)
		}
	}
}

func TestCloseErases(t *testing.T) {
	s := newScreen(t, 80, 24)
	s.Write([]byte("$ drhost run\r\n"))
	l, p := still(s, Options{Erase: true})
	p.middle()
	l.tick()
	l.Close()
	if got := s.text(); got != "$ drhost run\n" {
		t.Errorf("left behind:\n%s", got)
	}
}

func TestColorIsOnlyColor(t *testing.T) {
	for _, size := range [][2]int{{100, 40}, {50, 12}} {
		bare, painted := newScreen(t, size[0], size[1]), newScreen(t, size[0], size[1])
		for i, s := range []*screen{bare, painted} {
			l, p := still(s, Options{Color: i == 1})
			p.middle()
			l.tick()
			l.mu.Lock()
			lines := strings.Join(l.drawn, "\n")
			l.mu.Unlock()
			if strings.Contains(lines, "\x1b[1m") != (i == 1) {
				t.Errorf("color %v, but the lines are %q", i == 1, lines)
			}
		}
		if bare.text() != painted.text() {
			t.Errorf("colour changes the text:\n%s\n%s", bare.text(), painted.text())
		}
	}
}

func TestRedrawKeepsWhatStoodAbove(t *testing.T) {
	s := newScreen(t, 80, 30)
	s.Write([]byte("$ drhost run\r\n"))
	l, p := still(s, Options{})
	p.middle()
	for range 5 {
		l.tick()
		p.clock.forward(time.Second)
	}
	if n := strings.Count(s.text(), "Hetzner server failure"); n != 1 || !strings.HasPrefix(s.text(), "$ drhost run\n") {
		t.Errorf("%d headers:\n%s", n, s.text())
	}
}

func TestNothingNewNothingWritten(t *testing.T) {
	s := newScreen(t, 80, 30)
	l, p := still(s, Options{})
	p.middle()
	l.tick()
	for len(s.wrote) > 0 {
		<-s.wrote
	}
	l.tick()
	if len(s.wrote) != 0 {
		t.Error("the same frame was written twice")
	}
}

func TestNarrowerTerminalBreaksLines(t *testing.T) {
	line := strings.Repeat("x", 70)
	for _, c := range []struct {
		width int
		want  string
	}{{80, "\r\x1b[2A"}, {70, "\r\x1b[2A"}, {69, "\r\x1b[4A"}, {20, "\r\x1b[8A"}} {
		if got := back([]string{line, line}, c.width); got != c.want {
			t.Errorf("width %d: %q, want %q", c.width, got, c.want)
		}
	}
}

func TestPauseMakesRoomForAQuestion(t *testing.T) {
	s := newScreen(t, 80, 40)
	l, p := still(s, Options{})
	p.middle()
	in, answers := io.Pipe()
	person := NewPerson(in, s, "mira").Over(l)
	go func() {
		for !strings.Contains(s.text(), "approve? [yes/no]") {
			<-s.wrote
		}
		p.say(1, journal.Note, journal.NoteText{Text: "meanwhile"})
		l.tick()
		if strings.Contains(s.text(), "meanwhile") {
			t.Error("the view drew over a question")
		}
		s.Write([]byte("yes\r\n")) // the terminal's echo
		io.WriteString(answers, "yes\n")
	}()
	answer, err := person.Approve(context.Background(), gate.Question{Text: "Give up hobby-1"})
	if err != nil || answer.Text != "approved" || answer.By != "mira" {
		t.Fatal(answer, err)
	}
	before := s.text()
	l.tick()
	after := s.text()
	if !strings.HasPrefix(after, before) || !strings.Contains(after[len(before):], "meanwhile") {
		t.Errorf("before the answer:\n%s\nafter it:\n%s", before, after)
	}
}

func TestWriteGoesAboveTheTree(t *testing.T) {
	s := newScreen(t, 80, 40)
	l, p := still(s, Options{})
	fmt.Fprintln(l, "before the tree")
	p.middle()
	l.tick()
	fmt.Fprintln(l, "drhost: stopping at the next safe point")
	fmt.Fprint(l, "no end of line")
	p.clock.forward(time.Second)
	l.tick()
	text := s.text()
	if !strings.HasPrefix(text, "before the tree\ndrhost: stopping at the next safe point\nno end of line\nHetzner server failure") ||
		strings.Count(text, "Hetzner server failure") != 1 {
		t.Errorf("got:\n%s", text)
	}
}

func TestTheTerminalMayBeGoneOrStopped(t *testing.T) {
	s := newScreen(t, 80, 24)
	s.fail = errGone
	l, p := still(s, Options{})
	p.middle()
	l.tick()
	l.Close()

	stuck := newLive(blocked{}, Options{Clock: &hand{now: start}, Width: func() int { return 80 }, Height: func() int { return 24 }})
	q := newTape(stuck.Observe)
	done := make(chan struct{})
	go func() { q.middle(); q.finish(); close(done) }()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Fatal("a stopped terminal stops the run")
	}
}

// blocked is a terminal that was stopped with Ctrl-S for good.
type blocked struct{}

func (blocked) Write([]byte) (int, error) { select {} }

func TestDrawsByItself(t *testing.T) {
	s := newScreen(t, 80, 24)
	v := New(s, Options{Clock: &hand{now: start}, Live: true, Width: func() int { return 80 }, Height: func() int { return 24 }})
	p := newTape(v.Observe)
	var all sync.WaitGroup
	for n := range 4 { // branches report at the same time
		all.Add(1)
		go func() {
			defer all.Done()
			q := &tape{clock: &hand{now: start}, to: v.Observe}
			for i := range 50 {
				path := fmt.Sprintf("step %d", n)
				q.begin(0, "step", path)
				q.read(path, fmt.Sprintf("%s/%d", path, i), "look")
				q.progress(fmt.Sprintf("%s/%d", path, i), "half")
			}
		}()
	}
	p.middle()
	<-s.wrote
	v.Pause()
	v.Write([]byte("a word\n"))
	v.Resume()
	all.Wait()
	p.finish()
	v.Close()
	if got := s.text(); !strings.Contains(got, "done: The hobby tier serves again") || !strings.Contains(got, "✓ Create the replacement") {
		t.Errorf("got:\n%s", got)
	}
	select {
	case <-v.(*Live).stopped:
	default:
		t.Error("Close left the drawing goroutine behind")
	}
}

func TestCloseOfAViewThatSawNothing(t *testing.T) {
	s := newScreen(t, 80, 24)
	l := newLive(s, Options{Clock: &hand{now: start}})
	l.Pause()
	l.Resume()
	l.Close()
	l.Observe(gate.Event{Progress: &gate.Progress{Key: "x"}})
	if s.text() != "" {
		t.Errorf("wrote %q", s.text())
	}
}

func TestOddEvents(t *testing.T) {
	s := newScreen(t, 60, 20)
	l, p := still(s, Options{})
	p.to(gate.Event{})
	p.to(gate.Event{Record: &journal.Record{Kind: journal.StepStarted, Payload: []byte("{")}})
	p.to(gate.Event{Record: &journal.Record{Kind: "of a later version", Payload: []byte(`{}`)}})
	p.begin(0, "step", "")
	p.end(0, "", "value")
	p.end(0, "never/started/this", "fault")
	p.progress("nobody/1", "50 %")
	p.outcome(0, "nowhere", "nowhere/9", "mutates", nil)
	p.outcome(0, "", "/1", "reads", fault.New(fault.Timeout, "no answer"))
	p.say(0, journal.ApprovalGiven, journal.Approval{Key: "unasked", Text: "go on", Answer: "denied", By: "mira"})
	p.say(0, journal.RunFinished, journal.Finished{Result: "failed", Message: "twice"})
	p.say(0, journal.RunFinished, journal.Finished{Result: "failed", Message: "twice"})
	l.tick()
	for _, want := range []string{"… never", "✗ this", "· x.y", "no answer", "✗ go on (denied by mira)", "failed: twice"} {
		if !strings.Contains(s.text(), want) {
			t.Errorf("%q is not in\n%s", want, s.text())
		}
	}
}

func TestTextCannotSteerTheTerminal(t *testing.T) {
	s := newScreen(t, 80, 20)
	l, p := still(s, Options{Color: true})
	p.say(0, journal.RunStarted, journal.Started{Run: "r", Title: "a\x1b[2Jb\rc", Env: "e\x07", Mode: "run", DetectedAt: start})
	p.begin(0, "step", "s")
	p.read("s", "s/1", "look at \u202Eevil\x1b]0;title\x07 \t and\nmore")
	p.progress("s/1", "50\x00 %\x9b2J")
	l.tick()
	for _, line := range strings.Split(s.text(), "\n") {
		if strings.ContainsAny(ansi.Strip(line), "\x00\x07\x1b\r\u202e\u009b") {
			t.Errorf("control characters in %q", line)
		}
	}
	if !strings.Contains(s.text(), "look at evil and more") || !strings.Contains(s.text(), "ab c") {
		t.Errorf("got:\n%s", s.text())
	}
}

func TestResumedRun(t *testing.T) {
	first := newTape(func(gate.Event) {})
	first.middle()
	s := newScreen(t, 80, 40)
	l, p := still(s, Options{})
	records := append(first.seen, at(first.clock.Now(), journal.RunFinished, journal.Finished{Result: "stopped", Message: "interrupted"}),
		at(first.clock.Now().Add(time.Minute), journal.LeaseTaken, journal.Holder{Operator: "jo", Epoch: 2}),
		at(first.clock.Now().Add(time.Minute), journal.StepStarted, journal.Step{Path: create, Title: "Create the replacement", Form: "step", Attempt: 2}))
	l.Recall(records)
	p.clock.forward(10 * time.Minute)
	p.read(find, find+"/2", "verify backup 20260228T0200Z")
	l.tick()
	golden(t, "resumed.txt", s.text())
}

func TestLinesCannotSteerTheTerminalEither(t *testing.T) {
	s := newScreen(t, 80, 24)
	p := newTape(NewLines(s, &hand{now: start}, false).Observe)
	p.say(0, journal.Note, journal.NoteText{Form: "print", Text: "a\x1b[2Jb\x07\nnext\rline"})
	p.begin(0, "step", "s\x1b]0;title\x07")
	p.to(gate.Event{Progress: &gate.Progress{Key: "s/1", Text: "5\x9b2J0 %"}})
	want := "00:00:00.0     ab\n             next line\n00:00:00.0 ▶ s\n00:00:00.0     … 50 %\n"
	if got := s.text(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestObjectiveClock(t *testing.T) {
	for _, c := range []struct {
		rto   string
		after time.Duration
		want  string
	}{
		{"4h", time.Hour, "01:00:00  of RTO 4 h 00 min  3 h 00 min left"},
		{"15m", 14*time.Minute + 30*time.Second, "00:14:30  of RTO 15 min 00 s  30 s left"},
		{"15m", 16 * time.Minute, "00:16:00  of RTO 15 min 00 s  1 min 00 s over"},
		{"", 30 * time.Hour, "30:00:00 since detection, no RTO set"},
		{"soon", -time.Hour, "00:00:00 since detection, no RTO set"},
	} {
		tr := newTree()
		tr.head = journal.Started{DetectedAt: start, RTO: c.rto}
		if got := (canvas{width: 60, now: start.Add(c.after)}).clock(tr); got != c.want {
			t.Errorf("rto %q after %s: %q, want %q", c.rto, c.after, got, c.want)
		}
	}
}

func TestWhichView(t *testing.T) {
	if _, ok := New(newScreen(t, 80, 24), Options{}).(*Lines); !ok {
		t.Error("without Live it must be lines")
	}
	env := func(vars ...string) func(string) string {
		return func(name string) string {
			for _, v := range vars {
				if value, ok := strings.CutPrefix(v, name+"="); ok {
					return value
				}
			}
			return ""
		}
	}
	for _, c := range []struct {
		vars []string
		want bool
	}{{[]string{"TERM=xterm-256color"}, true}, {[]string{"TERM=xterm", "NO_COLOR=1"}, true}, {[]string{"TERM=xterm", "CI=true"}, false}, {[]string{"TERM=dumb"}, false}, {nil, false}} {
		if got := obeys(env(c.vars...)); got != c.want {
			t.Errorf("%v: %v, want %v", c.vars, got, c.want)
		}
	}
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if Redraws(f, env("TERM=xterm")) || Redraws(newScreen(t, 1, 1), env("TERM=xterm")) {
		t.Error("a file is no terminal")
	}
}

func TestLinesRecallOnlyTheHead(t *testing.T) {
	s := newScreen(t, 80, 24)
	v := New(s, Options{Clock: &hand{now: start.Add(time.Hour)}})
	first := newTape(func(gate.Event) {})
	first.middle()
	v.Recall(first.seen)
	v.Write([]byte("a word\n"))
	got := s.text()
	if !strings.Contains(got, "Hetzner server failure") || strings.Contains(got, "Assess") || !strings.HasSuffix(got, "a word\n") {
		t.Errorf("got:\n%s", got)
	}
}

// TestUndoTree: what an undo does stands under one line, whatever the paths of
// the steps it takes back.
func TestUndoTree(t *testing.T) {
	now := start
	tr := newTree()
	say := func(kind journal.Kind, payload any) {
		t.Helper()
		body, err := journal.EncodePayload(payload)
		if err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Second)
		tr.event(gate.Event{Record: &journal.Record{Kind: kind, Time: now, Payload: body}}, now)
	}
	path := journal.UndoRoot + "/" + create
	say(journal.RunStarted, journal.Started{Title: "Hetzner server failure"})
	say(journal.UndoStarted, journal.Undoing{By: "mira", Steps: []journal.Undone{{Path: create, Title: "Create the replacement"}}, Left: []string{"reboot hobby-1"}})
	say(journal.StepStarted, journal.Step{Path: path, Title: "Undo: Create the replacement", Form: "undo", Attempt: 1})
	say(journal.CallIntent, journal.Intent{Key: path + "/1", Says: "delete the server", Site: journal.Site{Step: path}})
	say(journal.CallOutcome, journal.Outcome{Key: path + "/1", Effect: "destroys", Site: journal.Site{Step: path}})
	say(journal.StepFinished, journal.Step{Path: path, Title: "Undo: Create the replacement", Form: "undo", Result: "value"})
	say(journal.UndoFinished, journal.Finished{Result: "done", Message: "1 step undone"})
	got := strings.Join(canvas{width: 60, now: now, final: true}.whole(tr), "\n")
	for _, want := range []string{"\n✓ Undo ", "\n  › left as it is: reboot hobby-1", "\n  ✓ Undo: Create the replacement ", "\n    · delete the server ", "\nundo done: 1 step undone"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	if strings.Contains(got, "Provision") {
		t.Errorf("steps of the run were made up:\n%s", got)
	}
}

// TestNotInThePlan: a change that the plan does not have is shown at once, on
// every kind of terminal.
func TestNotInThePlan(t *testing.T) {
	strange := journal.Deviation{Plan: "p", Says: "delete db-1", Why: "the plan has no such call in this step", Site: journal.Site{Step: "S"}}
	lines := newScreen(t, 100, 24)
	p := newTape(NewLines(lines, &hand{now: start}, false).Observe)
	p.begin(0, "step", "S")
	p.say(0, journal.PlanDeviated, strange)
	live := newScreen(t, 100, 24)
	l, p := still(live, Options{})
	p.begin(0, "step", "S")
	p.say(0, journal.PlanDeviated, strange)
	l.tick()
	for _, s := range []string{lines.text(), live.text()} {
		if !strings.Contains(s, "NOT IN THE PLAN: delete db-1: the plan has no such call") {
			t.Errorf("it shows\n%s", s)
		}
	}
}
