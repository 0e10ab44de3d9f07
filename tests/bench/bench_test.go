package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/report"
)

func TestCriticalPath(t *testing.T) {
	at := time.Unix(1_770_000_000, 0)
	call := func(name string, ms int) *report.Node {
		return &report.Node{Form: "call", Call: name, Wall: report.Span(time.Duration(ms) * time.Millisecond)}
	}
	branch := func(from, to int, children ...*report.Node) *report.Node {
		return &report.Node{Form: "branch", Started: at.Add(time.Duration(from) * time.Millisecond), Ended: at.Add(time.Duration(to) * time.Millisecond), Children: children}
	}
	run := []*report.Node{
		{Form: "step", Wall: report.Span(time.Hour), Children: []*report.Node{call("hetzner.server", 10), {Form: "note"}, call("host.wait", 20), call("host.ask", 5000), call("run.elapsed", 5000)}},
		{Form: "parallel", Children: []*report.Node{branch(0, 200, call("backup.restore", 150), call("pg.counts", 50)), branch(0, 100, call("ssh.sync", 100))}},
		// Two at a time: the third waits for the first, and together they end last.
		{Form: "each", Children: []*report.Node{branch(0, 40, call("ssh.run", 40)), branch(0, 60, call("dns.lookup", 60)), branch(45, 80, call("http.check", 35))}},
	}
	p := sequence(run, asMeasured)
	if p.total != 305*time.Millisecond {
		t.Errorf("total %s", p.total)
	}
	want := map[string]time.Duration{"hetzner": 10, "waits": 20, "backup": 150, "pg": 50, "ssh": 40, "http": 35}
	for module, ms := range want {
		if p.spent[module] != ms*time.Millisecond {
			t.Errorf("%s: %s, want %d ms", module, p.spent[module], ms)
		}
	}
	if got := strings.Join(p.modules(), " "); got != "backup pg ssh http waits hetzner" {
		t.Errorf("modules: %s", got)
	}
}

// TestOutside: at speed 60 a wait of 60 s takes 1 s and 59 s are cut off.
func TestOutside(t *testing.T) {
	call := func(name string, wall, live time.Duration) *report.Node {
		return &report.Node{Form: "call", Call: name, Wall: report.Span(wall), Live: report.Span(live)}
	}
	for _, c := range []struct {
		call  *report.Node
		speed float64
		want  time.Duration
	}{
		{call("hetzner.reboot", 1200*time.Millisecond, 60200*time.Millisecond), 60, time.Second}, // 200 ms of it were work
		{call("ssh.run", 300*time.Millisecond, 300*time.Millisecond), 60, 0},
		{call("backup.restore", 500*time.Millisecond, 500*time.Millisecond), 60, 500 * time.Millisecond},
		{call("hetzner.reboot", 1200*time.Millisecond, 1200*time.Millisecond), 1, 1200 * time.Millisecond},
		{call("http.check", time.Second, 240*time.Second), 60, time.Second}, // never more than it took
	} {
		if got := sequence([]*report.Node{c.call}, outside(c.speed)).total; got != c.want {
			t.Errorf("%s at speed %g: %s, want %s", c.call.Call, c.speed, got, c.want)
		}
	}
}

func TestParseBench(t *testing.T) {
	found := parseBench(`goos: linux
BenchmarkGatedCall-2   	  137380	      8169 ns/op	    3384 B/op	      53 allocs/op
BenchmarkGatedCall-2   	  135242	      7606.5 ns/op	    3384 B/op	      53 allocs/op
BenchmarkGatedCall-2   	  170071	      8633 ns/op	    3384 B/op	      53 allocs/op
PASS`)
	if got, err := found.median("BenchmarkGatedCall", "ns/op"); err != nil || got != 8169 {
		t.Errorf("%v %v", got, err)
	}
	if _, err := found.median("BenchmarkStockCall", "ns/op"); err == nil {
		t.Error("a benchmark that did not run has a median")
	}
}

func TestTable(t *testing.T) {
	done := []measured{{Name: "call", Explain: "What it is.", Rows: []row{
		{Benchmark: "a call", Took: 8 * time.Microsecond, Rival: "stock", RivalTook: 4 * time.Microsecond, TargetTook: 10 * time.Microsecond},
		{Benchmark: "a mutation", Took: 1400 * time.Microsecond, Rival: "bare", RivalTook: time.Millisecond, TargetRatio: 1.3},
		{Benchmark: "start", Took: 20 * time.Millisecond, Rival: "k6", Note: "not to be had"}}},
		{Name: "demo", Explain: "E", Problem: "no PostgreSQL"}}
	var text, js bytes.Buffer
	if err := printTable(&text, done); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"8 µs", "2.00 x", "< 10 µs", "met", "1.40 x", "< 1.30 x", "missed", "not to be had", "did not run: no PostgreSQL"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	if err := printJSON(&js, done); err != nil {
		t.Fatal(err)
	}
	var back []struct {
		Rows []struct {
			Ratio    float64 `json:"ratio"`
			Measured float64 `json:"measured_s"`
			Verdict  string  `json:"verdict"`
		} `json:"rows"`
		Problem string `json:"did_not_run"`
	}
	if err := json.Unmarshal(js.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if r := back[0].Rows[0]; r.Ratio != 2 || r.Measured != 8e-6 || r.Verdict != "met" || back[1].Problem == "" {
		t.Errorf("%s", js.String())
	}
	if err := broken(done); err == nil || !strings.Contains(err.Error(), "demo") {
		t.Errorf("what did not run is no error: %v", err)
	}
	if err := broken(done[:1]); err != nil {
		t.Errorf("a missed target is an error: %v", err)
	}
}

func TestStarterNeedsItsMark(t *testing.T) {
	b := &bench{clock: clock.System{}}
	sh := func(script string) starter { return starter{name: "sh", args: []string{"sh", "-c", script}} }
	if first, whole, err := sh("echo '"+mark+"' >&2").once(context.Background(), b); err != nil || first <= 0 || whole < first {
		t.Errorf("%s %s %v", first, whole, err)
	}
	if _, _, err := sh("echo nothing").once(context.Background(), b); err == nil || !strings.Contains(err.Error(), "never came to its first step") {
		t.Errorf("got %v", err)
	}
	if _, _, err := sh("echo '"+mark+"'; exit 3").once(context.Background(), b); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("got %v", err)
	}
}

func TestUnknownMeasurement(t *testing.T) {
	if _, err := choose("start,cal", sections()); err == nil {
		t.Error("-only takes what there is not")
	}
	if chosen, err := choose("call, demo", sections()); err != nil || len(chosen) != 2 {
		t.Errorf("%v %v", chosen, err)
	}
	if _, err := choose("create", sections()); err == nil {
		t.Error("backups are measured without -backup")
	}
}

func TestBytesHaveRatiosAndTargets(t *testing.T) {
	rows := []row{{Benchmark: "stored", Bytes: 1 << 20, Rival: "the first", RivalBytes: 200 << 20, TargetRatio: 0.01}, {Benchmark: "memory", Bytes: 300 << 20, TargetBytes: 256 << 20}}
	if rows[0].ratio() != 0.005 || rows[0].met() != "met" || rows[1].met() != "missed" {
		t.Errorf("%v %s %s", rows[0].ratio(), rows[0].met(), rows[1].met())
	}
	var text bytes.Buffer
	if err := printTable(&text, []measured{{Name: "files", Explain: "E", Rows: rows}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1.0 MiB", "200 MiB", "0.005 x", "< 256 MiB", "missed"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
}

func TestFleetBound(t *testing.T) {
	if got := leastRequests(500); got != 510 {
		t.Errorf("%d requests for 500 servers", got)
	}
	if got := fleetBound(51, 10); got != 6800*time.Millisecond { // 53 requests and a boot of 15 s, ten times faster
		t.Errorf("51 servers take at least %s", got)
	}
	if text := fleetWorld(3); strings.Count(text, "off = true") != 3 || !strings.Contains(text, "requests_spent = 3600") {
		t.Errorf("the world:\n%s", text)
	}
	for _, c := range []struct {
		figure, most float64
		want         string
	}{{1.2, 1.3, "met"}, {1.4, 1.3, "missed"}, {9, 0, ""}} {
		if got := (row{Count: &count{c.figure, "requests", c.most}}).met(); got != c.want {
			t.Errorf("%v of %v: %q", c.figure, c.most, got)
		}
	}
}
