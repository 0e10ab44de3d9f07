package gate

import (
	"context"
	"errors"
	"testing"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/plan"
	"github.com/webhost-systems/drhost/host/policy"
	"github.com/webhost-systems/drhost/host/secret"
)

// planning is a gate on one way of a plan.
func planning(t *testing.T, book *plan.Book, forced map[string]int) (*Gate, *plan.Way) {
	t.Helper()
	way := plan.NewWay(book, forced)
	g, err := New(Options{Run: "p", Clock: clock.System{}, Redactor: &secret.Redactor{}, Way: way,
		Rules: policy.Rules{Mode: policy.Plan, Protected: map[string]bool{"db-1": true}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return g, way
}

// untouched is a mutation that must not be made.
func untouched(t *testing.T, target string) Op {
	return Op{Call: "x.change", Effect: binding.Mutates, Args: map[string]any{"server": target}, Target: target, Says: "change " + target,
		Exec:    func(context.Context) (any, error) { t.Error("the plan changed something"); return nil, nil },
		Predict: func(context.Context) (any, error) { return "changed", nil }}
}

// TestPlanFaults: what the world refuses now is a fact before any change, and
// one of two possibilities after; what is wrong with a call stays wrong.
func TestPlanFaults(t *testing.T) {
	for _, c := range []struct {
		name    string
		fault   *fault.Fault
		changed bool
		choice  int
		want    string // kind, "" for an answer
	}{
		{"before a change", fault.New(fault.NotFound, "it is not there"), false, 0, "not_found"},
		{"after one, it works", fault.New(fault.NotFound, "it is not there"), true, 0, ""},
		{"after one, it fails", fault.New(fault.NotFound, "it is not there"), true, 1, "not_found"},
		{"denied", fault.New(fault.Denied, "no"), true, 0, "denied"},
		{"invalid", fault.New(fault.Invalid, "no"), true, 0, "invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			calls := 0
			read := Op{Call: "x.look", Effect: binding.Reads, Args: map[string]any{"name": "a"}, Result: &binding.Type{Kind: binding.String},
				Exec: func(context.Context) (any, error) { calls++; return nil, c.fault }}
			kept := 0
			book := plan.NewBook(func(journal.Outcome) error { kept++; return nil })
			for range 2 { // the second way knows the answer
				g, _ := planning(t, book, map[string]int{"S/2/call": c.choice, "S/1/call": c.choice})
				sc := &Scope{Path: "S"}
				if c.changed {
					if _, err := g.Do(t.Context(), sc, untouched(t, "a")); err != nil {
						t.Fatal(err)
					}
				}
				v, err := g.Do(t.Context(), sc, read)
				if got := fault.KindOf(err); err != nil && string(got) != c.want || err == nil && (c.want != "" || !binding.HoldsPlanned(v)) {
					t.Errorf("%v, %v", v, err)
				}
			}
			if calls != 1 || kept != 1 {
				t.Errorf("%d calls, %d kept", calls, kept)
			}
		})
	}
}

// TestPlanAsks: a plan tells for which changes a person will be asked.
func TestPlanAsks(t *testing.T) {
	g, way := planning(t, plan.NewBook(func(journal.Outcome) error { return nil }), nil)
	destroys := untouched(t, "web-1")
	destroys.Effect = binding.Destroys
	for _, op := range []Op{untouched(t, "web-1"), destroys, untouched(t, "DB-1")} {
		if _, err := g.Do(t.Context(), &Scope{Path: "S"}, op); err != nil {
			t.Fatal(err)
		}
	}
	p := plan.Of([]*plan.Way{way}, 0, 0)
	var asked []string
	for _, n := range p.Tree {
		if n.Form == "approval" {
			asked = append(asked, n.Title)
		}
	}
	if len(asked) != 2 || asked[0] != "change web-1 (it cannot be undone)" || asked[1] != "change DB-1 (DB-1 is protected)" || p.Ways[0].People != 2 {
		t.Errorf("asked %q, %d people", asked, p.Ways[0].People)
	}
}

// TestPlanStops: an interrupt ends a plan as it ends a run.
func TestPlanStops(t *testing.T) {
	g, _ := planning(t, plan.NewBook(func(journal.Outcome) error { return nil }), nil)
	ctx, cancel := context.WithCancelCause(t.Context())
	_, err := g.Do(ctx, &Scope{}, Op{Call: "x.look", Effect: binding.Reads, Exec: func(ctx context.Context) (any, error) {
		cancel(&Stop{Why: Interrupted, Text: "interrupted"})
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	var stop *Stop
	if !errors.As(err, &stop) || stop.Why != Interrupted {
		t.Errorf("%v", err)
	}
}
