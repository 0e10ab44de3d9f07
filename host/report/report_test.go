package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/journal"
)

var update = flag.Bool("update", false, "write the golden files")

func built(t *testing.T, records []journal.Record) *Run {
	t.Helper()
	r, err := Build(records)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestGolden(t *testing.T) {
	for name, records := range map[string][]journal.Record{"drill": drill(t), "broken": broken(t)} {
		r := built(t, records)
		var md, js, html, color, ascii bytes.Buffer
		for _, err := range []error{Markdown(&md, r), JSON(&js, r), HTML(&html, r), Tree(&color, r, Style{Color: true, Calls: true}), Tree(&ascii, r, Style{ASCII: true, Width: 60})} {
			if err != nil {
				t.Fatal(err)
			}
		}
		for ext, got := range map[string][]byte{".md": md.Bytes(), ".json": js.Bytes(), ".html": html.Bytes(), ".color.txt": color.Bytes(), ".ascii.txt": ascii.Bytes()} {
			golden(t, filepath.Join("testdata", name+ext), got)
		}
	}
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; run with -update and review it:\n%s", path, got)
	}
}

func near(t *testing.T, what string, got Span, want float64) {
	t.Helper()
	if d := time.Duration(got).Seconds() - want; d > 0.001 || d < -0.001 {
		t.Errorf("%s: %.3f s, want %.3f s", what, time.Duration(got).Seconds(), want)
	}
}

func TestLiveTimeOfADrill(t *testing.T) {
	r := built(t, drill(t))
	// In sequence: 0.06 + 295 + max(118, 30) of the branches + 1.
	near(t, "cut", r.Clock.Cut, 0.06+295+117.95+1+0.05)
	near(t, "wall", r.Clock.Wall, 190)
	near(t, "live", r.Clock.Live, 190+414.06)
	near(t, "detect", r.Clock.Detect, 90)
	near(t, "people", r.Clock.People, 30.1)
	near(t, "RTO", r.RTO.Measured, 604.06)
	near(t, "RTO wall", r.RTO.Wall, 190)
	near(t, "RPO", r.RPO.Measured, 18*60) // from the fault, which was before the detection
	if r.RTO.Verdict != "met" || r.RPO.Verdict != "met" {
		t.Errorf("%+v %+v", r.RTO, r.RPO)
	}
}

// branches makes an each whose branches run from..to with that cut.
func branches(t *testing.T, spans ...[3]float64) *Run {
	w := newWriter(t, "run-3")
	w.begin("drill", func(s *journal.Started) { s.DetectedAt = start })
	w.open(0, "each", "All", "All")
	last := 0.0
	for i, s := range spans {
		path := "All/" + string(rune('a'+i))
		w.open(s[0], "branch", path, path[4:])
		w.read(s[1], path+"/1", "http.check", s[1]-s[0], s[2], nil)
		w.end(s[1], "branch", path, path[4:], "value", nil)
		last = max(last, s[1])
	}
	w.end(last, "each", "All", "All", "value", nil)
	w.add(last, journal.RunFinished, journal.Finished{Result: "done"})
	return built(t, w.records)
}

func TestLiveTimeOfBranches(t *testing.T) {
	for _, c := range []struct {
		name  string
		spans [][3]float64
		want  float64
	}{
		{"none", nil, 0},
		{"the most delayed counts", [][3]float64{{0, 1, 10}, {0, 1, 60}}, 61},
		{"the longest real one is not the longest live one", [][3]float64{{0, 9, 0}, {0, 1, 60}}, 61},
		{"cuts shorter than the longest branch change nothing", [][3]float64{{0, 9, 0}, {0, 1, 3}}, 9},
		{"one at once adds up", [][3]float64{{0, 1, 10}, {1, 2, 10}, {2, 3, 10}}, 33},
		{"two at once", [][3]float64{{0, 1, 10}, {0, 1, 10}, {1, 2, 10}, {1, 2, 10}}, 22},
	} {
		near(t, c.name, branches(t, c.spans...).Clock.Live, c.want)
	}
}

// TestWaitsCount: the engine's own waits are calls of host.
func TestWaitsCount(t *testing.T) {
	w := newWriter(t, "run-4")
	w.begin("drill", func(s *journal.Started) { s.DetectedAt = start })
	w.open(0, "step", "Wait", "Wait")
	w.read(1, "Wait/1", "host.wait", 1, 40, nil)
	w.end(2, "step", "Wait", "Wait", "value", nil)
	w.add(2, journal.RunFinished, journal.Finished{Result: "done"})
	r := built(t, w.records)
	near(t, "live", r.Clock.Live, 42)
	var out bytes.Buffer
	if err := Tree(&out, r, Style{}); err != nil || strings.Contains(out.String(), "read") {
		t.Errorf("a wait is no read: %s (%v)", out.String(), err)
	}
}

// TestJudgedDrill: what follows the end of a drill is neither its time nor an
// interruption, whatever its result; a drill that is resumed goes on.
func TestJudgedDrill(t *testing.T) {
	for _, result := range []string{"done", "failed"} {
		w := newWriter(t, "run-11")
		w.begin("drill", func(s *journal.Started) { s.DetectedAt = start })
		w.add(10, journal.RunFinished, journal.Finished{Result: result})
		w.add(20, journal.LeaseTaken, journal.Holder{Operator: "alice"})
		w.open(20, "step", "Judge", "Judge")
		w.read(21, "Judge/1", "http.check", 1, 100, nil)
		w.end(21, "step", "Judge", "Judge", "value", nil)
		r := built(t, w.records)
		if r.Status != result || len(r.Steps) != 0 || len(r.Judgement) != 1 || len(r.Interruptions) != 0 {
			t.Errorf("%s: %s, %d steps, %d in judgement, %d interruptions", result, r.Status, len(r.Steps), len(r.Judgement), len(r.Interruptions))
		}
		near(t, result, r.Clock.Live, 10)
		near(t, "judgement", r.Judgement[0].Live, 101)
		w.add(30, journal.RunFinished, journal.Finished{Result: "done"})
		r = built(t, w.records)
		if r.Status != "done" || len(r.Steps) != 1 || len(r.Judgement) != 0 || len(r.Interruptions) != 1 {
			t.Errorf("%s, resumed: %s, %d steps, %d interruptions", result, r.Status, len(r.Steps), len(r.Interruptions))
		}
		near(t, "resumed", r.Clock.Live, 130)
	}
}

func TestUnfinished(t *testing.T) {
	r := built(t, broken(t))
	if r.Status != "unfinished" || r.RTO.Verdict != "not reached" || r.RPO.Verdict != "not measured" {
		t.Errorf("%s %+v %+v", r.Status, r.RTO, r.RPO)
	}
	near(t, "so far", r.Clock.Wall, 154)
	near(t, "people", r.Clock.People, 60)
	if len(r.Changes) != 1 || r.Changes[0].State != "unknown" {
		t.Errorf("changes: %+v", r.Changes)
	}
}

func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		rto, mode, result, want string
	}{
		{"1m", "run", "done", "missed"}, {"10m", "run", "done", "met"}, {"", "run", "done", "no target"},
		{"10m", "plan", "done", "not measured"}, {"10m", "run", "failed", "not reached"}, {"10m", "run", "stopped", "not reached"},
	} {
		w := newWriter(t, "run-5")
		w.begin(c.mode, func(s *journal.Started) { s.RTO = c.rto })
		w.add(10, journal.RunFinished, journal.Finished{Result: c.result})
		if got := built(t, w.records).RTO.Verdict; got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestWorstRPOCounts(t *testing.T) {
	w := newWriter(t, "run-6")
	w.begin("run", func(s *journal.Started) { s.RPO = "15m" })
	for _, facts := range []map[string]any{
		{"rpo_until": "2026-02-28T02:58:00Z"}, {"rpo_until": "2026-02-28T02:00:00Z", "fault_at": "2026-02-28T02:20:00Z"}, {"rpo_until": "whenever"}, {"rows": 1.0},
	} {
		w.add(1, journal.Note, journal.NoteText{Text: "db", Form: "evidence", Evidence: facts})
	}
	w.add(2, journal.RunFinished, journal.Finished{Result: "done"})
	r := built(t, w.records)
	near(t, "RPO", r.RPO.Measured, 20*60)
	if r.RPO.Verdict != "missed" || !strings.Contains(r.RPO.Basis, "02:00:00") {
		t.Errorf("%+v", r.RPO)
	}
}

// TestResumedAfterFailure: an end that was written is taken back by what
// follows, and only by that.
func TestResumedAfterFailure(t *testing.T) {
	w := newWriter(t, "run-7")
	w.begin("run", nil)
	w.open(1, "step", "A/B", "A/B") // a title with a slash
	w.read(2, "A/B/1", "dns.lookup", 1, 0, fault.New(fault.Timeout, "no answer"))
	w.end(2, "step", "A/B", "A/B", "fault", fault.New(fault.Timeout, "no answer"))
	w.add(3, journal.RunFinished, journal.Finished{Result: "failed", Exit: 1})
	w.add(60, journal.LeaseTaken, journal.Holder{Operator: "bob"})
	if r := built(t, w.records); r.Status != "failed" || r.Exit != 1 {
		t.Errorf("looking at a failed run made it %s", r.Status)
	}
	w.open(61, "step", "A/B", "A/B")
	if r := built(t, w.records); r.Status != "unfinished" {
		t.Errorf("resumed, it is %s", r.Status)
	}
	w.end(62, "step", "A/B", "A/B", "value", nil)
	w.add(63, journal.RunFinished, journal.Finished{Result: "done"})
	r := built(t, w.records)
	if r.Status != "done" || len(r.Steps) != 1 || r.Steps[0].State != "done" || r.Steps[0].Attempts != 2 || len(r.Steps[0].Children) != 1 {
		t.Errorf("%+v", r.Steps[0])
	}
	near(t, "interrupted", r.Interruptions[0].Lost, 57)
}

func TestClockSetBackIsNeverNegative(t *testing.T) {
	w := newWriter(t, "run-8")
	w.begin("run", func(s *journal.Started) { s.DetectedAt = start.Add(time.Hour) })
	w.open(10, "step", "A", "A")
	w.end(-500, "step", "A", "A", "value", nil)
	w.add(-600, journal.RunFinished, journal.Finished{Result: "done"})
	r := built(t, w.records)
	if r.Clock.Live < 0 || r.Steps[0].Wall < 0 || r.Clock.Detect < 0 || r.Clock.Act < 0 {
		t.Errorf("%+v %+v", r.Clock, r.Steps[0])
	}
}

func TestNothingToTell(t *testing.T) {
	for _, records := range [][]journal.Record{nil, {{Kind: journal.LeaseTaken, Payload: json.RawMessage(`{}`)}}} {
		if _, err := Build(records); !errors.Is(err, ErrNoRun) {
			t.Errorf("%v", err)
		}
	}
	bad := []journal.Record{{Kind: journal.RunStarted, Payload: json.RawMessage(`[]`)}}
	if _, err := Build(bad); err == nil || errors.Is(err, ErrNoRun) {
		t.Errorf("%v", err)
	}
	w := newWriter(t, "run-9")
	w.begin("run", nil)
	w.add(1, "kind_of_a_later_version", map[string]any{"x": 1})
	built(t, w.records)
}

func TestDurations(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 ms", 340 * time.Millisecond: "340 ms", 12340 * time.Millisecond: "12.3 s", 59999 * time.Millisecond: "1 min 00 s",
		90 * time.Second: "1 min 30 s", time.Hour - time.Millisecond: "1 h 00 min", 4*time.Hour + 5*time.Minute: "4 h 05 min", 999900 * time.Microsecond: "1.0 s",
	} {
		if got := duration(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

func TestStyleFor(t *testing.T) {
	for _, c := range []struct {
		env      string
		terminal bool
		want     Style
	}{
		{"", true, Style{Color: true}}, {"", false, Style{}}, {"NO_COLOR=1", true, Style{ASCII: true}}, {"TERM=dumb", true, Style{ASCII: true}},
		{"CI=true", true, Style{}}, {"LANG=C", true, Style{Color: true, ASCII: true}}, {"LANG=de_DE.UTF-8", true, Style{Color: true}},
		{"LC_ALL=POSIX LANG=de_DE.UTF-8", true, Style{Color: true, ASCII: true}},
	} {
		env := map[string]string{}
		for _, pair := range strings.Fields(c.env) {
			name, value, _ := strings.Cut(pair, "=")
			env[name] = value
		}
		if got := StyleFor(func(name string) string { return env[name] }, c.terminal, 0); got != c.want {
			t.Errorf("%q: %+v", c.env, got)
		}
	}
}

// TestTheTerminalIsNotSteered by what a provider or a runbook said.
func TestTheTerminalIsNotSteered(t *testing.T) {
	w := newWriter(t, "run-10")
	w.begin("run", nil)
	w.add(1, journal.Note, journal.NoteText{Text: "a\x1b[2Jb\nc\u009bd"})
	var out bytes.Buffer
	if err := Tree(&out, built(t, w.records), Style{}); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != "› a[2Jb cd\n" {
		t.Errorf("%q", got)
	}
}

// TestASCIIIsASCII and fits its width.
func TestASCIIIsASCII(t *testing.T) {
	for _, records := range [][]journal.Record{drill(t), broken(t)} {
		var out bytes.Buffer
		if err := Tree(&out, built(t, records), Style{ASCII: true, Calls: true, Width: 50}); err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(out.String(), "\n") {
			if len(line) > 50 || strings.IndexFunc(line, func(r rune) bool { return r > 126 || r < 32 }) >= 0 {
				t.Errorf("%d: %q", len(line), line)
			}
		}
	}
}

// TestHTMLHoldsNothingForeign: what a provider or a runbook says is text, never
// markup, and never steers the page.
func TestHTMLHoldsNothingForeign(t *testing.T) {
	const evil = `<script>alert(1)</script>"onload="x`
	r := &Run{Title: evil, Message: evil, Status: "failed", Mode: "run", Fault: fault.New(fault.NotFound, evil), Input: map[string]any{"a": evil},
		Steps: []*Node{{Form: "step", Title: evil, State: "failed", Fault: fault.New(fault.Invalid, evil)}}}
	var html bytes.Buffer
	if err := HTML(&html, r); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(html.Bytes(), []byte("<script")) {
		t.Error("a title became markup")
	}
	if n := bytes.Count(html.Bytes(), []byte("&lt;script&gt;")); n < 6 {
		t.Errorf("the text is shown %d times, want it wherever it stands in the run", n)
	}
}
