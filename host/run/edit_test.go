package run

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
)

// change is a step that makes one change.
func change(e *Engine, g *gate.Gate, op gate.Op, title string, line int) func(context.Context, *gate.Scope) error {
	return func(ctx context.Context, sc *gate.Scope) error {
		_, err := e.Step(ctx, sc, Spec{Title: title, Attempts: 1, Site: journal.Site{File: "a.lua", Line: line}}, func(ctx context.Context, sc *gate.Scope) (any, error) {
			op.Site = journal.Site{File: "a.lua", Line: line + 1, Step: sc.Step}
			return g.Do(ctx, sc, op)
		})
		return err
	}
}

// TestChangeLeftBehind: a script that comes past a change which has left
// without an answer stops there, before it changes anything else.
func TestChangeLeftBehind(t *testing.T) {
	for _, call := range []bool{false, true} {
		p := &provider{landed: map[string]string{}}
		log := &memory{left: 2} // the step's start and the intent, but no outcome
		e, g := newEngine(t, log, nobody{})
		e.Run(context.Background(), func(ctx context.Context, sc *gate.Scope) (any, error) {
			return nil, change(e, g, p.op("reboot", 0), "Reboot", 1)(ctx, sc)
		})
		if len(p.log) != 1 {
			t.Fatalf("done: %v", p.log)
		}
		log.left = -1
		e, g = newEngine(t, log, nobody{})
		end := e.Run(context.Background(), func(ctx context.Context, sc *gate.Scope) (any, error) {
			if call {
				op := p.op("delete", 0)
				op.Site = journal.Site{File: "a.lua", Line: 9}
				return g.Do(ctx, sc, op)
			}
			return nil, change(e, g, p.op("delete", 0), "Delete", 9)(ctx, sc)
		})
		if end.Exit != ExitWaits || len(p.log) != 1 {
			t.Errorf("exit %d after %v: %s", end.Exit, p.log, end.Message)
		}
		for _, want := range []string{`a.lua:2: the journal says that "reboot" was sent from here and its outcome is unknown`, "a.lua:9", "put it back"} {
			if !strings.Contains(end.Message, want) {
				t.Errorf("%q is missing in %s", want, end.Message)
			}
		}
	}
}

// TestSettledThoughCancelled: a change that an earlier life has sent is settled
// also when its branch is cancelled before it comes to it, and not sent again.
func TestSettledThoughCancelled(t *testing.T) {
	for _, landed := range []bool{true, false} {
		p := &provider{landed: map[string]string{}}
		log := &memory{left: -1}
		// What the first life has left: branches under way, and an intent.
		for _, r := range []struct {
			kind    journal.Kind
			payload any
		}{
			{journal.StepStarted, journal.Step{Path: "Both", Title: "Both", Form: "parallel", Attempt: 1}},
			{journal.StepStarted, journal.Step{Path: "Both/a", Title: "a", Form: "branch", Attempt: 1}},
			{journal.StepStarted, journal.Step{Path: "Both/b", Title: "b", Form: "branch", Attempt: 1}},
			{journal.CallIntent, journal.Intent{Key: "Both/b/1", Call: "test.mutate", Effect: binding.Mutates.String(), Args: map[string]any{"what": "reboot"}, Idem: "idem", Says: "reboot"}},
		} {
			if _, err := log.Append(r.kind, r.payload, true); err != nil {
				t.Fatal(err)
			}
		}
		if landed {
			p.landed["idem"] = "reboot"
		}
		e, g := newEngine(t, log, nobody{})
		end := e.Run(context.Background(), func(ctx context.Context, sc *gate.Scope) (any, error) {
			_, err := e.Parallel(ctx, sc, Spec{Title: "Both", Form: "parallel", Attempts: 1}, []Branch{
				{Name: "a", Run: func(context.Context, *gate.Scope) (any, error) { return nil, errors.New("no") }},
				{Name: "b", Run: func(ctx context.Context, sc *gate.Scope) (any, error) { return g.Do(ctx, sc, p.op("reboot", 0)) }},
			}, Fan{})
			return nil, err
		})
		if end.Result != "failed" || len(p.log) != 0 {
			t.Errorf("landed %v: %+v, sent %v", landed, end, p.log)
		}
		settled := ""
		for _, r := range log.records {
			if r.Kind == journal.CallOutcome {
				out, err := journal.Decode[journal.Outcome](r)
				if err != nil {
					t.Fatal(err)
				}
				settled = "not done"
				if out.Fault == nil {
					settled = out.Settled
				}
			}
		}
		if want := map[bool]string{true: "probe", false: "not done"}[landed]; settled != want {
			t.Errorf("landed %v: outcome %q, want %q", landed, settled, want)
		}
	}
}
