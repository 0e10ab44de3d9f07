package terminal

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; got\n%s\nwant\n%s", name, got, want)
	}
}

// hand is a clock that is moved by hand.
type hand struct {
	mu  sync.Mutex
	now time.Time
}

func (h *hand) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}
func (h *hand) Speed() float64                                   { return 1 }
func (h *hand) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }
func (h *hand) forward(d time.Duration)                          { h.mu.Lock(); h.now = h.now.Add(d); h.mu.Unlock() }
func (h *hand) record(kind journal.Kind, payload any) journal.Record {
	return at(h.Now(), kind, payload)
}

func at(when time.Time, kind journal.Kind, payload any) journal.Record {
	text, err := json.Marshal(payload)
	if err != nil {
		panic(err)
	}
	return journal.Record{Time: when, Kind: kind, Payload: text}
}

// tape feeds a view with a run.
type tape struct {
	clock *hand
	to    func(gate.Event)
	seen  []journal.Record
}

var start = time.Date(2026, 2, 28, 3, 5, 0, 0, time.UTC)

func newTape(to func(gate.Event)) *tape {
	return &tape{clock: &hand{now: start}, to: to}
}

func (p *tape) say(after float64, kind journal.Kind, payload any) {
	p.clock.forward(time.Duration(after * float64(time.Second)))
	r := p.clock.record(kind, payload)
	p.seen = append(p.seen, r)
	p.to(gate.Event{Record: &r})
}

func (p *tape) begin(after float64, form, path string) {
	p.say(after, journal.StepStarted, journal.Step{Path: path, Title: path[strings.LastIndexByte(path, '/')+1:], Form: form, Attempt: 1})
}

func (p *tape) end(after float64, path, result string) {
	p.say(after, journal.StepFinished, journal.Step{Path: path, Title: path[strings.LastIndexByte(path, '/')+1:], Result: result})
}

func (p *tape) read(step, key, says string) {
	p.to(gate.Event{Calling: &gate.Calling{Key: key, Says: says, Site: journal.Site{Step: step}}})
}

func (p *tape) mutate(step, key, says string) {
	p.say(0, journal.CallIntent, journal.Intent{Key: key, Call: "x.y", Effect: "mutates", Says: says, Site: journal.Site{Step: step}})
	p.to(gate.Event{Calling: &gate.Calling{Key: key, Says: says, Site: journal.Site{Step: step}, Effect: binding.Mutates}})
}

func (p *tape) outcome(after float64, step, key, effect string, f *fault.Fault) {
	p.say(after, journal.CallOutcome, journal.Outcome{Key: key, Call: "x.y", Effect: effect, Site: journal.Site{Step: step}, Fault: f})
}

func (p *tape) progress(key, text string) {
	p.to(gate.Event{Progress: &gate.Progress{Key: key, Text: text}})
}

const (
	fork    = "Provision a replacement while finding the newest backup"
	forkNew = fork + "/replacement"
	create  = forkNew + "/Create the replacement"
	forkOld = fork + "/backup"
	find    = forkOld + "/Find the newest backup that is whole"
)

// middle is a recovery up to its parallel part.
func (p *tape) middle() {
	p.say(0, journal.RunStarted, journal.Started{Run: "20260228-0305-hetzner-failure-3f9a", Title: "Hetzner server failure", Env: "production", Mode: "run",
		DetectedAt: start.Add(-90 * time.Second), RTO: "4h", RPO: "1h"})
	p.begin(0.2, "step", "Assess the server")
	p.read("Assess the server", "Assess the server/1", "look at server hobby-1")
	p.outcome(0.3, "Assess the server", "Assess the server/1", "reads", nil)
	p.say(0.1, journal.Note, journal.NoteText{Text: "hobby-1 is running at fsn1, its application does not answer", Site: journal.Site{Step: "Assess the server"}})
	p.end(0.1, "Assess the server", "value")
	p.begin(0, "step", "Tell the team")
	p.mutate("Tell the team", "Tell the team/1", "send \"Outage: hobby-1\" to on-call")
	f := fault.New(fault.Unavailable, "the webhook answered 503").Passing()
	f.Hint = "tell the team by telephone"
	p.outcome(2, "Tell the team", "Tell the team/1", "mutates", f)
	f.Op = `step "Tell the team"`
	p.say(0, journal.StepFinished, journal.Step{Path: "Tell the team", Title: "Tell the team", Result: "fault", Fault: f})
	p.begin(0, "step", "Try a hard reboot")
	p.mutate("Try a hard reboot", "Try a hard reboot/1", "reboot hobby-1 (hard)")
	p.outcome(34, "Try a hard reboot", "Try a hard reboot/1", "mutates", nil)
	p.end(151, "Try a hard reboot", "value")
	p.say(0, journal.ApprovalAsked, journal.Approval{Key: "1", Text: "Give up hobby-1 and build a replacement"})
	p.say(45, journal.ApprovalGiven, journal.Approval{Key: "1", Text: "Give up hobby-1 and build a replacement", Answer: "approved", By: "mira"})
	p.begin(0, "parallel", fork)
	p.begin(0, "branch", forkNew)
	p.begin(0, "step", create)
	p.mutate(create, create+"/1", "create server hobby-1-replacement like hobby-1 in fsn1, nbg1, hel1")
	p.progress(create+"/1", "fsn1 is sold out; trying nbg1")
	p.begin(0.1, "branch", forkOld)
	p.begin(0, "step", find)
	p.read(find, find+"/1", "find the newest backup of webhost_prod")
	p.outcome(1.5, find, find+"/1", "reads", nil)
	p.read(find, find+"/2", "verify backup 20260228T0200Z")
	p.progress(find+"/2", "checksum: 41 %")
	p.clock.forward(12 * time.Second)
}

// finish is the rest of it.
func (p *tape) finish() {
	p.outcome(3, find, find+"/2", "reads", nil)
	p.end(0, find, "value")
	p.end(0, forkOld, "value")
	p.outcome(20, create, create+"/1", "mutates", nil)
	p.end(0, create, "value")
	p.end(0, forkNew, "value")
	p.end(0, fork, "value")
	p.begin(0, "step", "Start the application")
	p.say(6, journal.Note, journal.NoteText{Form: "expect", Text: "the application on the replacement is healthy", Evidence: map[string]any{"ok": true}, Site: journal.Site{Step: "Start the application"}})
	p.end(0, "Start the application", "value")
	p.say(0, journal.RunFinished, journal.Finished{Result: "done", Message: "The hobby tier serves again from hobby-1-replacement"})
}

// screen is a terminal that knows what Live uses, and fails on anything else.
type screen struct {
	t      *testing.T
	mu     sync.Mutex
	width  int
	height int
	rows   []string // all that was ever shown; the window is the last height of them
	row    int
	fresh  bool   // the cursor is at the start of the row
	old    string // what the row showed before
	modes  map[string]bool
	fail   error
	wrote  chan struct{}
}

func newScreen(t *testing.T, width, height int) *screen {
	return &screen{t: t, width: width, height: height, rows: []string{""}, modes: map[string]bool{}, wrote: make(chan struct{}, 1000)}
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return 0, s.fail
	}
	text := string(p)
	for text != "" {
		switch {
		case strings.HasPrefix(text, "\x1b["):
			end := strings.IndexFunc(text[2:], func(r rune) bool { return r >= '@' && r <= '~' }) + 2
			s.control(text[2:end], text[end])
			text = text[end+1:]
		case text[0] == '\n':
			if ansi.StringWidth(s.old) > ansi.StringWidth(s.rows[s.row]) {
				s.t.Errorf("row %q still shows the end of %q", s.rows[s.row], s.old)
			}
			s.row, s.fresh = s.row+1, true
			if s.row == len(s.rows) {
				s.rows = append(s.rows, "")
			}
			s.old = s.rows[s.row]
			text = text[1:]
		case text[0] == '\r':
			s.fresh = true
			text = text[1:]
		default:
			n := strings.IndexAny(text, "\x1b\r\n")
			if n < 0 {
				n = len(text)
			}
			if s.fresh {
				s.rows[s.row], s.fresh = "", false
			}
			s.rows[s.row] += text[:n]
			text = text[n:]
		}
	}
	select {
	case s.wrote <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (s *screen) control(args string, final byte) {
	switch {
	case final == 'A':
		n, _ := strconv.Atoi(args)
		top := max(0, len(s.rows)-s.height)
		if s.row-n < top {
			s.t.Errorf("the cursor goes %d rows up from row %d of a window that starts at %d", n, s.row, top)
		}
		s.row, s.fresh = max(top, s.row-n), true
		s.old = s.rows[s.row]
	case final == 'K':
		if s.fresh {
			s.rows[s.row] = ""
		} else if ansi.StringWidth(s.rows[s.row]) >= s.width {
			s.t.Errorf("row %q loses its last column", s.rows[s.row])
		}
		s.old = ""
	case final == 'J':
		s.rows = s.rows[:s.row+1]
		s.rows[s.row], s.old = "", ""
	case final == 'h' || final == 'l':
		s.modes[args] = final == 'h'
	case final == 'm':
	default:
		s.t.Errorf("unexpected sequence ESC[%s%c", args, final)
	}
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.rows, "\n")
}

var errGone = errors.New("the terminal is gone")

// widest line of text, in columns.
func columns(text string) int {
	most := 0
	for _, line := range strings.Split(text, "\n") {
		most = max(most, ansi.StringWidth(line))
	}
	return most
}
