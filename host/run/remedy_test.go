package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
)

// TestRemedies: every choice on a failed step is recorded with who and why.
func TestRemedies(t *testing.T) {
	for _, c := range []struct {
		remedy gate.Remedy
		result string
		exit   int
		value  any
	}{
		{gate.Remedy{Do: "skip", Reason: "not needed", Value: json.RawMessage(`"s"`), By: "alice"}, "skipped", ExitDone, "s"},
		{gate.Remedy{Do: "by_hand", Reason: "typed it", Value: json.RawMessage(`{"a":1}`), By: "alice"}, "by_hand", ExitDone, map[string]any{"a": 1.0}},
		{gate.Remedy{Do: "edit", By: "alice"}, "fault", ExitInterrupted, nil},
	} {
		log := &memory{left: -1}
		e, g := newEngine(t, log, &willing{remedy: c.remedy})
		e.started.Run = "r1"
		var value any
		end := e.Run(context.Background(), failing(e, g, &value, true))
		s := lastEnd(t, log)
		if end.Exit != c.exit || s.Result != c.result || s.By != "alice" || s.Reason == "" || fmt.Sprint(value) != fmt.Sprint(c.value) {
			t.Errorf("%s: %+v, %+v, value %v", c.remedy.Do, end, s, value)
		}
	}
}

func failing(e *Engine, g *gate.Gate, value *any, broken bool) Body {
	return func(ctx context.Context, sc *gate.Scope) (any, error) {
		var err error
		*value, err = e.Step(ctx, sc, Spec{Title: "S", Attempts: 1, Site: journal.Site{File: "x.lua", Line: 3}}, func(ctx context.Context, sc *gate.Scope) (any, error) {
			return g.Do(ctx, sc, gate.Op{Call: "test.x", Effect: binding.Reads, Args: map[string]any{"broken": broken}, Exec: func(context.Context) (any, error) {
				if broken {
					return nil, errors.New("broken")
				}
				return "fixed", nil
			}})
		})
		return nil, err
	}
}

func lastEnd(t *testing.T, log *memory) journal.Step {
	t.Helper()
	var s journal.Step
	for _, r := range log.records {
		if r.Kind == journal.StepFinished {
			s = journal.Step{}
			if err := json.Unmarshal(r.Payload, &s); err != nil {
				t.Fatal(err)
			}
		}
	}
	return s
}

// TestEditAndRetry: after "edit" a resume tries the step again, although its
// call is another now and a sibling was still at work when it was stopped.
func TestEditAndRetry(t *testing.T) {
	p, log := &provider{landed: map[string]string{}}, &memory{left: -1}
	script := func(broken bool, value *any) func(l *life) Body {
		return func(l *life) Body {
			return func(ctx context.Context, sc *gate.Scope) (any, error) {
				_, err := l.e.Parallel(ctx, sc, Spec{Title: "P", Form: "parallel", Attempts: 1}, []Branch{
					{"bad", func(ctx context.Context, sc *gate.Scope) (any, error) {
						return failing(l.e, l.g, value, broken)(ctx, sc)
					}},
					{"slow", func(ctx context.Context, sc *gate.Scope) (any, error) {
						return l.g.Do(ctx, sc, p.op("slow", 50*time.Millisecond))
					}},
				}, Fan{})
				return nil, err
			}
		}
	}
	var value any
	end := (&life{}).run(t, log, &willing{remedy: gate.Remedy{Do: "edit", By: "alice"}}, script(true, &value))
	if end.Exit != ExitInterrupted || !strings.Contains(end.Message, "x.lua") || !strings.Contains(end.Message, "drhost resume") {
		t.Fatalf("%+v", end)
	}
	if end = (&life{}).run(t, log, nobody{}, script(false, &value)); end.Result != "done" || value != "fixed" || len(p.log) != 1 {
		t.Fatalf("%+v, value %v, %v", end, value, p.log)
	}
}
