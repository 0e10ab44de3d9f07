package gate_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/secret"
)

// BenchmarkRedaction is what it costs to take ten secrets out of a record: the
// gate journals it onto a tape, with and without secrets to look for. They
// take turns; the medians of batches are reported, and beside them what
// encoding the record alone costs.
func BenchmarkRedaction(b *testing.B) {
	out := journal.Outcome{Key: "Provision a replacement/1", Call: "hetzner.create_server", Effect: "mutates",
		Site:  journal.Site{File: "hetzner_failure.lua", Line: 41, Step: "Provision a replacement"},
		Value: map[string]any{"$type": "hetzner.Server", "id": 4711.0, "name": "hobby-1-r", "ipv4": "203.0.113.40", "status": "running"}, Took: 12.5}
	knowing := &secret.Redactor{}
	for i := range 10 {
		knowing.Add(secret.New(fmt.Sprintf("a-token-of-%02d-that/is+secret=", i)))
	}
	var gates [2]*gate.Gate
	for i, r := range []*secret.Redactor{knowing, {}} {
		g, err := gate.New(gate.Options{Run: "bench", Log: paper{}, Clock: clock.System{}, Redactor: r}, nil)
		if err != nil {
			b.Fatal(err)
		}
		gates[i] = g
	}
	const batch = 100
	var took [2][]float64
	for turn := 0; b.Loop(); turn++ {
		for i := range 2 {
			k := (i + turn) % 2
			start := clock.System{}.Now()
			for range batch {
				if err := gates[k].Append(journal.CallOutcome, out, false); err != nil {
					b.Fatal(err)
				}
			}
			took[k] = append(took[k], float64(clock.System{}.Now().Sub(start).Nanoseconds())/batch)
		}
	}
	b.ReportMetric(0, "ns/op") // of both: says nothing
	for k, unit := range []string{"redacted-ns/op", "bare-ns/op"} {
		slices.Sort(took[k])
		b.ReportMetric(took[k][len(took[k])/2], unit)
	}
}

// paper is a journal that encodes and keeps nothing.
type paper struct{}

func (paper) Append(kind journal.Kind, payload any, _ bool) (journal.Record, error) {
	text, err := json.Marshal(payload)
	return journal.Record{Kind: kind, Payload: text}, err
}
func (paper) Records() []journal.Record { return nil }
func (paper) Close() error              { return nil }
