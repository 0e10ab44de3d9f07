package filestore

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/journal"
)

var (
	benchIntent = journal.Intent{Key: "Provision a replacement/1", Call: "hetzner.create_server", Effect: "mutates",
		Args: map[string]any{"name": "hobby-1-r", "like": "hobby-1", "locations": []any{"fsn1", "nbg1"}},
		Idem: "dr-20260228-120000-1", Says: "create hobby-1-r like hobby-1", Site: journal.Site{File: "hetzner_failure.lua", Line: 41, Step: "Provision a replacement"}}
	benchOutcome = journal.Outcome{Key: benchIntent.Key, Call: benchIntent.Call, Effect: "mutates", Site: benchIntent.Site,
		Value:   map[string]any{"$type": "hetzner.Server", "id": 4711.0, "name": "hobby-1-r", "ipv4": "203.0.113.40", "status": "running"},
		Started: time.Unix(1_770_000_000, 0).UTC(), Took: 12.5, Cut: 11.9}
)

// BenchmarkJournalMutation is what a mutation costs: intent and outcome, each
// chained, written and synced. Compare with BenchmarkBareTwoSyncs.
func BenchmarkJournalMutation(b *testing.B) {
	s := New(b.TempDir(), clock.System{})
	l, err := s.Create(b.Context(), "run-1", journal.Holder{})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := l.Append(journal.CallIntent, benchIntent, true); err != nil {
			b.Fatal(err)
		}
		if _, err := l.Append(journal.CallOutcome, benchOutcome, true); err != nil {
			b.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkBareTwoSyncs writes as many bytes twice with a sync each, and does
// nothing else.
func BenchmarkBareTwoSyncs(b *testing.B) {
	f, err := os.OpenFile(filepath.Join(b.TempDir(), "bare"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	line := bytes.Repeat([]byte("x"), 600)
	for b.Loop() {
		for range 2 {
			if _, err := f.Write(line); err != nil {
				b.Fatal(err)
			}
			if err := f.Sync(); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkJournalRead is the cost of a record that is not synced.
func BenchmarkJournalRead(b *testing.B) {
	s := New(b.TempDir(), clock.System{})
	l, err := s.Create(b.Context(), "run-1", journal.Holder{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Append(journal.CallOutcome, benchOutcome, false); err != nil {
			b.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkChain is a record that is not synced, and beside it as much JSON
// encoded and written without sequence, chain and lock. They take turns; the
// medians of batches are reported.
func BenchmarkChain(b *testing.B) {
	l, err := New(b.TempDir(), clock.System{}).Create(b.Context(), "run-1", journal.Holder{})
	if err != nil {
		b.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(b.TempDir(), "bare"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	hash := strings.Repeat("0", 64)
	bare := journal.Record{Seq: 1, Epoch: 1, Kind: journal.CallOutcome, Prev: hash, Hash: hash}
	chained := func() error {
		_, err := l.Append(journal.CallOutcome, benchOutcome, false)
		return err
	}
	plain := func() error {
		line, err := json.Marshal(struct {
			journal.Record
			Payload any `json:"payload"`
		}{bare, benchOutcome})
		if err == nil {
			_, err = f.Write(append(line, '\n'))
		}
		return err
	}
	const batch = 100
	took := [2][]float64{}
	for turn := 0; b.Loop(); turn++ {
		for i := range 2 {
			k := (i + turn) % 2
			start := clock.System{}.Now()
			for range batch {
				if err := []func() error{chained, plain}[k](); err != nil {
					b.Fatal(err)
				}
			}
			took[k] = append(took[k], float64(clock.System{}.Now().Sub(start).Nanoseconds())/batch)
		}
	}
	b.ReportMetric(0, "ns/op") // of both: says nothing
	for k, unit := range []string{"chained-ns/op", "bare-ns/op"} {
		slices.Sort(took[k])
		b.ReportMetric(took[k][len(took[k])/2], unit)
	}
	if err := errors.Join(l.Close(), f.Close()); err != nil {
		b.Fatal(err)
	}
}
