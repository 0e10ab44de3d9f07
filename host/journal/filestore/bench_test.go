package filestore

import (
	"bytes"
	"os"
	"path/filepath"
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
