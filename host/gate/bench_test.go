package gate_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/journal/filestore"
	"github.com/webhost-systems/drhost/host/policy"
	"github.com/webhost-systems/drhost/host/secret"
)

// BenchmarkGatedMutation is what a mutation costs that does nothing: intent and
// outcome through the gate into a journal on disk. Beside it, as much is
// written bare: two appends with a sync each, once with fsync and once with
// what the journal itself uses. The three take turns, because a disk is not
// equally fast all the time; the medians are reported, and their ratios.
func BenchmarkGatedMutation(b *testing.B) {
	folder := b.TempDir()
	g, path := journaledGate(b, folder)
	mutate := func() {
		if err := mutateOnce(b.Context(), g); err != nil {
			b.Fatal(err)
		}
	}
	line := bytes.Repeat([]byte("x"), growth(b, path, mutate)/2)
	contenders := []func(){mutate,
		bareTwoSyncs(b, filepath.Join(folder, "fsync"), line, (*os.File).Sync),
		bareTwoSyncs(b, filepath.Join(folder, "data"), line, syncData)}
	took := make([][]time.Duration, len(contenders))
	turn := 0
	for b.Loop() {
		for i := range contenders {
			k := (i + turn) % len(contenders)
			start := clock.System{}.Now()
			contenders[k]()
			took[k] = append(took[k], clock.System{}.Now().Sub(start))
		}
		turn++
	}
	gated, fsync, data := median(took[0]), median(took[1]), median(took[2])
	b.ReportMetric(0, "ns/op") // of the three together: says nothing
	b.ReportMetric(gated, "gated-ns/op")
	b.ReportMetric(fsync, "fsync-ns/op")
	b.ReportMetric(data, "datasync-ns/op")
	b.ReportMetric(gated/fsync, "x-fsync")
	b.ReportMetric(gated/data, "x-datasync")
}

// journaledGate is a gate over a new run, and the path of its journal.
func journaledGate(b *testing.B, folder string) (*gate.Gate, string) {
	b.Helper()
	store := filestore.New(folder, clock.System{})
	log, err := store.Create(b.Context(), "bench", journal.Holder{Operator: "bench"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := log.Close(); err != nil {
			b.Error(err)
		}
	})
	g, err := gate.New(gate.Options{Run: "bench", Log: log, Rules: policy.Rules{Mode: policy.Run}, Clock: clock.System{}, Redactor: &secret.Redactor{}}, nil)
	if err != nil {
		b.Fatal(err)
	}
	return g, filepath.Join(store.Path("bench"), "journal.jsonl")
}

// mutateOnce makes a call as a recovery would, in a scope of its own so that
// its key does not grow.
func mutateOnce(ctx context.Context, g *gate.Gate) error {
	scope := (&gate.Scope{}).Child("Provision a replacement")
	_, err := g.Do(ctx, scope, gate.Op{Call: "hetzner.create_server", Effect: binding.Mutates, Says: "create hobby-1-r like hobby-1",
		Args: map[string]any{"name": "hobby-1-r", "like": "hobby-1", "locations": []any{"fsn1", "nbg1"}},
		Site: journal.Site{File: "hetzner_failure.lua", Line: 41, Step: "Provision a replacement"},
		Exec: func(context.Context) (any, error) {
			return map[string]any{"$type": "hetzner.Server", "id": 4711.0, "name": "hobby-1-r", "ipv4": "203.0.113.40", "status": "running"}, nil
		}})
	return err
}

// growth is by how many bytes do makes the file at path longer.
func growth(b *testing.B, path string, do func()) int {
	b.Helper()
	size := func() int {
		info, err := os.Stat(path)
		if err != nil {
			b.Fatal(err)
		}
		return int(info.Size())
	}
	before := size()
	do()
	grown := size() - before
	if grown < 200 {
		b.Fatalf("a mutation wrote %d bytes: intent and outcome are not both in the journal", grown)
	}
	return grown
}

func bareTwoSyncs(b *testing.B, path string, line []byte, sync func(*os.File) error) func() {
	b.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := f.Close(); err != nil {
			b.Error(err)
		}
	})
	return func() {
		for range 2 {
			if _, err := f.Write(line); err != nil {
				b.Fatal(err)
			}
			if err := sync(f); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func median(took []time.Duration) float64 {
	slices.Sort(took)
	return float64(took[len(took)/2])
}
