// Package storetest is the conformance suite of journal stores. A store is one
// when Run passes; a store that keeps a journal.jsonl in the run's folder also
// passes RunFiles. The suite uses the Store interface, the run's folder and
// child processes, never a store's insides.
package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/journal"
)

// Open makes a store over a folder, which may not exist yet or hold the runs
// of an earlier store. The suite also calls it in child processes.
type Open func(dir string, c clock.Clock) journal.Store

// Fixed is a clock that stands where it was put; waits are over at once.
type Fixed struct {
	mu sync.Mutex
	at time.Time
}

// NewFixed returns a clock that stands at the time given.
func NewFixed(at time.Time) *Fixed { return &Fixed{at: at} }

// Set puts the clock forward or back.
func (f *Fixed) Set(at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at = at
}

// Now is the time the clock was put to.
func (f *Fixed) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at
}

// Sleep moves the clock on by d.
func (f *Fixed) Sleep(ctx context.Context, d time.Duration) error {
	f.Set(f.Now().Add(d))
	return ctx.Err()
}

// Speed is 1.
func (f *Fixed) Speed() float64 { return 1 }

var noon = time.Date(2026, 2, 28, 12, 0, 0, 0, time.UTC)

func me() journal.Holder {
	return journal.Holder{Operator: "alice", Host: "ops-1", PID: os.Getpid()}
}

// Run holds every store to what journal.Store and journal.Log say.
func Run(t *testing.T, open Open) {
	if actAsChild(t, open) {
		return
	}
	for name, test := range map[string]func(*testing.T, Open){
		"append and read":               appendAndRead,
		"a run is created once":         createOnce,
		"a missing run is not created":  missing,
		"two holders":                   twoHolders,
		"epochs grow":                   epochs,
		"a clock that is set back":      clockBack,
		"payloads keep their text":      payloads,
		"a payload that is no JSON":     badPayload,
		"list by age":                   list,
		"appends from many branches":    concurrent,
		"closed":                        closed,
		"cancelled":                     cancelled,
		"kill -9 loses nothing acked":   killed,
		"the lock dies with its holder": lockDies,
	} {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

func mustCreate(t *testing.T, s journal.Store, run string) journal.Log {
	t.Helper()
	l, err := s.Create(t.Context(), run, me())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func mustOpen(t *testing.T, s journal.Store, run string) journal.Log {
	t.Helper()
	l, err := s.Open(t.Context(), run, me())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func mustAppend(t *testing.T, l journal.Log, kind journal.Kind, payload any, sync bool) journal.Record {
	t.Helper()
	r, err := l.Append(kind, payload, sync)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func mustClose(t *testing.T, l journal.Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func mustRead(t *testing.T, s journal.Store, run string) []journal.Record {
	t.Helper()
	records, err := s.Read(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// note is the payload most tests write.
func note(i int) journal.NoteText { return journal.NoteText{Text: fmt.Sprintf("note %d", i)} }

func appendAndRead(t *testing.T, open Open) {
	s := open(t.TempDir(), NewFixed(noon))
	l := mustCreate(t, s, "run-1")
	if n := len(l.Records()); n != 0 {
		t.Fatalf("a new run has %d records", n)
	}
	var want []journal.Record
	for i := range 5 {
		want = append(want, mustAppend(t, l, journal.Note, note(i), i%2 == 0))
	}
	check := func(got []journal.Record) {
		t.Helper()
		if len(got) != len(want) {
			t.Fatalf("%d records, want %d", len(got), len(want))
		}
		prev := journal.Genesis("run-1")
		for i, r := range got {
			if r.Seq != int64(i)+1 || r.Prev != prev || r.Hash != want[i].Hash || r.Epoch != 1 || !r.Time.Equal(noon) {
				t.Errorf("record %d: %+v", i, r)
			}
			if p, err := journal.Decode[journal.NoteText](r); err != nil || p.Text != note(i).Text {
				t.Errorf("record %d: payload %s (%v)", i, r.Payload, err)
			}
			prev = r.Hash
		}
	}
	check(mustRead(t, s, "run-1")) // while it is held
	mustClose(t, l)
	check(mustRead(t, s, "run-1"))
}

func createOnce(t *testing.T, open Open) {
	s := open(t.TempDir(), NewFixed(noon))
	l := mustCreate(t, s, "run-1")
	for range 2 {
		if _, err := s.Create(t.Context(), "run-1", me()); !errors.Is(err, journal.ErrExists) {
			t.Fatalf("second create: %v", err)
		}
		mustClose(t, l)
	}
	for _, id := range []string{"", ".", "..", "a/b", "../x", "a b", strings.Repeat("x", 200)} {
		if _, err := s.Create(t.Context(), id, me()); err == nil {
			t.Errorf("created a run called %q", id)
		}
	}
}

func missing(t *testing.T, open Open) {
	s := open(t.TempDir(), NewFixed(noon))
	for _, id := range []string{"run-1", "", "../run-1"} {
		if _, err := s.Open(t.Context(), id, me()); !errors.Is(err, journal.ErrNotFound) {
			t.Errorf("open %q: %v", id, err)
		}
		if _, err := s.Read(t.Context(), id); !errors.Is(err, journal.ErrNotFound) {
			t.Errorf("read %q: %v", id, err)
		}
	}
	if ids, err := s.List(t.Context()); err != nil || len(ids) != 0 {
		t.Fatalf("list: %v %v", ids, err)
	}
	mustClose(t, mustCreate(t, s, "run-1")) // the failed ones left nothing behind
}

func twoHolders(t *testing.T, open Open) {
	dir := t.TempDir()
	s := open(dir, NewFixed(noon))
	l := mustCreate(t, s, "run-1")
	mustAppend(t, l, journal.Note, note(1), true)
	_, err := open(dir, NewFixed(noon)).Open(t.Context(), "run-1", journal.Holder{Operator: "bob"})
	var held *journal.HeldError
	if !errors.As(err, &held) {
		t.Fatalf("the second holder got %v", err)
	}
	if held.Holder.Operator != "alice" || held.Holder.Host != "ops-1" || held.Holder.PID != os.Getpid() || held.Holder.Epoch != 1 {
		t.Errorf("held by %+v", held.Holder)
	}
	mustAppend(t, l, journal.Note, note(2), true) // the first one is not disturbed
	mustClose(t, l)
	mustClose(t, mustOpen(t, s, "run-1"))
	if n := len(mustRead(t, s, "run-1")); n != 3 {
		t.Errorf("%d records, want two notes and one lease", n)
	}
}

func epochs(t *testing.T, open Open) {
	s := open(t.TempDir(), NewFixed(noon))
	mustClose(t, mustCreate(t, s, "run-1"))
	for i := range 3 {
		l := mustOpen(t, s, "run-1")
		records := l.Records()
		last := records[len(records)-1]
		by, err := journal.Decode[journal.Holder](last)
		if err != nil || last.Kind != journal.LeaseTaken || by.Epoch != int64(i)+2 || last.Epoch != by.Epoch || by.Operator != "alice" {
			t.Fatalf("opening %d: %s by %+v (%v)", i, last.Kind, by, err)
		}
		if r := mustAppend(t, l, journal.Note, note(i), false); r.Epoch != by.Epoch || r.Seq != last.Seq+1 || r.Prev != last.Hash {
			t.Fatalf("appended %+v after %+v", r, last)
		}
		mustClose(t, l)
	}
}

func clockBack(t *testing.T, open Open) {
	c := NewFixed(noon)
	s := open(t.TempDir(), c)
	l := mustCreate(t, s, "run-1")
	mustAppend(t, l, journal.Note, note(1), true)
	c.Set(noon.Add(-48 * time.Hour))
	mustAppend(t, l, journal.Note, note(2), true)
	mustClose(t, l)
	c.Set(time.Unix(0, 0))
	l = mustOpen(t, s, "run-1")
	mustAppend(t, l, journal.Note, note(3), true)
	mustClose(t, l)
	if records := mustRead(t, s, "run-1"); len(records) != 4 || !records[1].Time.Equal(noon.Add(-48*time.Hour)) {
		t.Errorf("read %d records", len(records))
	}
}

func payloads(t *testing.T, open Open) {
	s := open(t.TempDir(), NewFixed(noon))
	l := mustCreate(t, s, "run-1")
	texts := []string{"<b>&</b>", "line\nline", "zero\x00byte", "ünïcödé ✓ \u2028", `"},"hash":"`, strings.Repeat("x", 3<<20), ""}
	for _, text := range texts {
		mustAppend(t, l, journal.Note, journal.NoteText{Text: text}, false)
	}
	mustAppend(t, l, journal.Note, json.RawMessage("{\n \"text\": \"spread out\"\n}"), false)
	mustAppend(t, l, journal.Note, nil, false)
	mustClose(t, l)
	records := mustRead(t, s, "run-1")
	for i, text := range texts {
		if p, err := journal.Decode[journal.NoteText](records[i]); err != nil || p.Text != text {
			t.Errorf("text %d came back as %.40q (%v)", i, p.Text, err)
		}
	}
	if strings.Contains(string(records[0].Payload), `\u003c`) {
		t.Errorf("HTML was escaped: %s", records[0].Payload)
	}
}

func badPayload(t *testing.T, open Open) {
	s := open(t.TempDir(), NewFixed(noon))
	l := mustCreate(t, s, "run-1")
	if _, err := l.Append(journal.Note, func() {}, true); err == nil {
		t.Fatal("a function was journaled")
	}
	mustAppend(t, l, journal.Note, note(1), true) // nothing had been written
	mustClose(t, l)
	if n := len(mustRead(t, s, "run-1")); n != 1 {
		t.Errorf("%d records", n)
	}
}

func list(t *testing.T, open Open) {
	c := NewFixed(noon)
	s := open(t.TempDir(), c)
	for i, id := range []string{"zebra", "ape", "mule"} {
		c.Set(noon.Add(time.Duration(i) * time.Hour))
		l := mustCreate(t, s, id)
		mustAppend(t, l, journal.RunStarted, journal.Started{Run: id}, true)
		mustClose(t, l)
	}
	mustClose(t, mustOpen(t, s, "zebra")) // opening makes it no newer
	ids, err := s.List(t.Context())
	if err != nil || strings.Join(ids, " ") != "zebra ape mule" {
		t.Errorf("list: %v %v", ids, err)
	}
}

func concurrent(t *testing.T, open Open) {
	s := open(t.TempDir(), clock.System{})
	l := mustCreate(t, s, "run-1")
	const branches, each = 8, 25
	var wg sync.WaitGroup
	for b := range branches {
		wg.Go(func() {
			for i := range each {
				if _, err := l.Append(journal.Note, note(b*each+i), i%8 == 0); err != nil {
					t.Error(err)
				}
				if _, err := s.Read(t.Context(), "run-1"); i%10 == 0 && err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	mustClose(t, l)
	if n := len(mustRead(t, s, "run-1")); n != branches*each {
		t.Errorf("%d records, want %d", n, branches*each)
	}
}

func closed(t *testing.T, open Open) {
	s := open(t.TempDir(), NewFixed(noon))
	l := mustCreate(t, s, "run-1")
	mustClose(t, l)
	mustClose(t, l)
	if _, err := l.Append(journal.Note, note(1), true); err == nil {
		t.Error("a closed log took a record")
	}
	if n := len(mustRead(t, s, "run-1")); n != 0 {
		t.Errorf("%d records", n)
	}
}

func cancelled(t *testing.T, open Open) {
	s := open(t.TempDir(), NewFixed(noon))
	mustClose(t, mustCreate(t, s, "run-1"))
	ctx, stop := context.WithCancel(t.Context())
	stop()
	_, created := s.Create(ctx, "run-2", me())
	_, opened := s.Open(ctx, "run-1", me())
	_, read := s.Read(ctx, "run-1")
	for _, err := range []error{created, opened, read} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
}
