package run

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/policy"
	"github.com/webhost-systems/drhost/host/secret"
)

// willing consents to everything and answers a failed step with remedy.
type willing struct {
	nobody
	remedy gate.Remedy
	asked  []gate.Question
}

func (w *willing) Approve(_ context.Context, q gate.Question) (gate.Answer, error) {
	w.asked = append(w.asked, q)
	return gate.Answer{Text: "approved", By: "alice"}, nil
}

func (w *willing) Recover(context.Context, gate.Failure) (gate.Remedy, error) {
	if w.remedy.Do == "" {
		return gate.Remedy{}, gate.ErrNobody
	}
	return w.remedy, nil
}

func options(log *memory, o gate.Operator) gate.Options {
	return gate.Options{Run: "r1", Log: log, Rules: policy.Rules{Mode: policy.Run}, Operator: o, Clock: clock.Scaled{Factor: 1000}, Redactor: &secret.Redactor{}}
}

// undo is one `drhost undo`: the script is gone over again, then taken back.
func undo(t *testing.T, log *memory, o gate.Operator, script func(now *life) Body) (journal.Finished, *Undoing, error) {
	t.Helper()
	records := append([]journal.Record(nil), log.records...)
	now := &life{}
	g, err := gate.Retrace(options(log, o), records)
	if err != nil {
		t.Fatal(err)
	}
	now.g, now.e = g, New(Options{Gate: g, Operator: o, Clock: clock.Scaled{Factor: 1000}, Started: journal.Started{Run: "r1"}})
	u, err := now.e.Retrace(context.Background(), script(now))
	if err != nil {
		return journal.Finished{}, nil, err
	}
	if now.g, err = gate.Undo(options(log, o), records); err != nil {
		t.Fatal(err)
	}
	now.e = New(Options{Gate: now.g, Operator: o, Clock: clock.Scaled{Factor: 1000}, Started: journal.Started{Run: "r1"}})
	if err := now.e.Consent(context.Background(), u, records); err != nil {
		return journal.Finished{}, u, err
	}
	return now.e.Undo(context.Background(), u), u, nil
}

// life is what a script acts with; it is exchanged between the two halves of
// an undo, as a session is.
type life struct {
	e *Engine
	g *gate.Gate
}

func (l *life) run(t *testing.T, log *memory, o gate.Operator, script func(*life) Body) journal.Finished {
	t.Helper()
	l.e, l.g = newEngine(t, log, o)
	return l.e.Run(context.Background(), script(l))
}

// step makes and takes back a thing called title.
func (l *life) step(p *provider, title string, more ...func(context.Context, *gate.Scope) error) func(context.Context, *gate.Scope) error {
	return func(ctx context.Context, sc *gate.Scope) error {
		spec := Spec{Title: title, Attempts: 1, Undo: func(value any) Body {
			return func(ctx context.Context, sc *gate.Scope) (any, error) {
				return l.g.Do(ctx, sc, p.op(fmt.Sprintf("undo %v", value), 0))
			}
		}}
		_, err := l.e.Step(ctx, sc, spec, func(ctx context.Context, sc *gate.Scope) (any, error) {
			for _, m := range more {
				if err := m(ctx, sc); err != nil {
					return nil, err
				}
			}
			return l.g.Do(ctx, sc, p.op(title, 0))
		})
		return err
	}
}

func (l *life) fan(p *provider, title string, names ...string) func(context.Context, *gate.Scope) error {
	return func(ctx context.Context, sc *gate.Scope) error {
		var branches []Branch
		for _, name := range names {
			branches = append(branches, Branch{Name: name, Run: func(ctx context.Context, sc *gate.Scope) (any, error) {
				if err := l.step(p, title+" "+name+" first")(ctx, sc); err != nil {
					return nil, err
				}
				return name, l.step(p, title+" "+name+" second")(ctx, sc)
			}})
		}
		_, err := l.e.Parallel(ctx, sc, Spec{Title: title, Form: "parallel", Attempts: 1}, branches, Fan{AtOnce: 2})
		return err
	}
}

// whole has steps in sequence, nested ones, and branches, also inside a step.
func whole(p *provider) func(*life) Body {
	return func(l *life) Body {
		return func(ctx context.Context, sc *gate.Scope) (any, error) {
			read := func(ctx context.Context, sc *gate.Scope) error {
				_, err := l.g.Do(ctx, sc, gate.Op{Call: "test.read", Effect: binding.Reads, Exec: func(context.Context) (any, error) { return "x", nil }})
				return err
			}
			for _, part := range []func(context.Context, *gate.Scope) error{
				l.step(p, "A", read),
				l.step(p, "B", read, l.step(p, "nested", read)),
				l.fan(p, "Fan", "x", "y", "z"),
				l.step(p, "C", l.fan(p, "inner", "u", "v"), read),
			} {
				if err := part(ctx, sc); err != nil {
					return nil, err
				}
			}
			return nil, nil
		}
	}
}

// mirrored tells whether what was undone is what was done, the last that
// finished first.
func mirrored(log *memory) error {
	var done, undone []string
	for _, r := range log.records {
		if r.Kind != journal.StepFinished {
			continue
		}
		var s journal.Step
		if err := json.Unmarshal(r.Payload, &s); err != nil {
			return err
		}
		switch {
		case s.Form == "undo":
			undone = append(undone, strings.TrimPrefix(s.Path, journal.UndoRoot+"/"))
		case s.Form == "step" && s.Result == "value":
			done = append(done, s.Path)
		}
	}
	slices.Reverse(done)
	if !slices.Equal(done, undone) {
		return fmt.Errorf("done, reversed: %v; undone: %v", done, undone)
	}
	return nil
}

// TestUndoOrder takes back a run that is done.
func TestUndoOrder(t *testing.T) {
	p, log := &provider{landed: map[string]string{}}, &memory{left: -1}
	if end := (&life{}).run(t, log, nobody{}, whole(p)); end.Result != "done" {
		t.Fatalf("%+v", end)
	}
	before := len(log.records)
	o := &willing{}
	end, u, err := undo(t, log, o, whole(p))
	if err != nil || end.Result != "done" || end.Exit != ExitDone {
		t.Fatalf("%+v %v", end, err)
	}
	if err := mirrored(log); err != nil {
		t.Error(err)
	}
	if len(u.Steps) != 14 || len(u.Left)+len(u.Lost) > 0 || len(p.log) != 28 || len(p.twice) > 0 {
		t.Errorf("%d steps, left %v, lost %v, %d mutations, twice %v", len(u.Steps), u.Left, u.Lost, len(p.log), p.twice)
	}
	if len(o.asked) != 1 || len(o.asked[0].Detail) != 14 || o.asked[0].Detail[0] != "1. C" {
		t.Errorf("asked %+v", o.asked)
	}
	for _, r := range log.records[before:] {
		if r.Kind == journal.RunFinished || r.Kind == journal.Note {
			t.Errorf("going over the run wrote %s", r.Kind)
		}
	}
}

// TestUndoOfADeadRun kills the run at every record, and its undo at every
// record too; whatever had been done by steps that finished is taken back once.
func TestUndoOfADeadRun(t *testing.T) {
	for death := 3; death < 100; death += 4 {
		for second := 1 + death%7; second < 60; second += 9 {
			p, log := &provider{landed: map[string]string{}}, &memory{left: death}
			end := (&life{}).run(t, log, nobody{}, whole(p))
			log.left = second
			var err error
			var u *Undoing
			for lives := 0; lives < 40; lives++ {
				end, u, err = undo(t, log, &willing{}, whole(p))
				if err == nil && end.Exit != ExitJournal {
					break
				}
				if err != nil && ExitOf(err) != ExitJournal {
					t.Fatalf("death %d, %d: %v", death, second, err)
				}
				log.left = second + lives
			}
			if err != nil || end.Result != "done" {
				t.Fatalf("death %d, %d: %+v %v", death, second, end, err)
			}
			if err := mirrored(log); err != nil {
				t.Fatalf("death %d, %d: %v", death, second, err)
			}
			if len(p.twice) > 0 {
				t.Fatalf("death %d, %d: twice %v", death, second, p.twice)
			}
			undone := 0
			for _, what := range p.log {
				if strings.HasPrefix(what, "undo ") {
					undone++
				}
			}
			if undone != len(u.Steps) || len(p.log)-undone != len(u.Steps)+len(u.Left) {
				t.Fatalf("death %d, %d: %d of %d undone, left %v, lost %v: %v", death, second, undone, len(u.Steps), u.Left, u.Lost, p.log)
			}
		}
	}
}

// TestUndoOfResumedRun: a run that died several times, and was resumed to its
// end, is gone over as if it had been one.
func TestUndoOfResumedRun(t *testing.T) {
	for death := 1; death < 40; death++ {
		p, log := &provider{landed: map[string]string{}}, &memory{left: death}
		var end journal.Finished
		for lives := 0; lives < 80 && end.Result != "done"; lives++ {
			end = (&life{}).run(t, log, nobody{}, whole(p))
			log.left = death + lives
		}
		log.left = -1
		if end.Result != "done" {
			t.Fatalf("death %d: %+v", death, end)
		}
		end, u, err := undo(t, log, &willing{}, whole(p))
		if err != nil || end.Result != "done" || len(u.Steps) != 14 || len(u.Lost)+len(u.Left) > 0 {
			t.Fatalf("death %d: %+v %+v %v", death, end, u, err)
		}
		if err := mirrored(log); err != nil {
			t.Fatalf("death %d: %v", death, err)
		}
	}
}

// TestUndoAfterRetries: what an attempt that failed has done counts, also when
// the next one only took it over.
func TestUndoAfterRetries(t *testing.T) {
	p, log := &provider{landed: map[string]string{}}, &memory{left: -1}
	broken := 2
	script := func(l *life) Body {
		return func(ctx context.Context, sc *gate.Scope) (any, error) {
			fragile := func(ctx context.Context, sc *gate.Scope) error {
				_, err := l.g.Do(ctx, sc, gate.Op{Call: "test.read", Effect: binding.Reads, Exec: func(context.Context) (any, error) {
					if broken--; broken >= 0 {
						return nil, fault.New(fault.Failed, "broken")
					}
					return "x", nil
				}})
				return err
			}
			return nil, l.step(p, "Outer", l.step(p, "inner", l.fan(p, "Fan", "x", "y")), fragile)(ctx, sc)
		}
	}
	for want := range []int{0, 1, 2} { // two lives fail, the third is done
		end := (&life{}).run(t, log, nobody{}, script)
		if (end.Result == "done") != (want == 2) {
			t.Fatalf("life %d: %+v", want, end)
		}
	}
	end, u, err := undo(t, log, &willing{}, script)
	if err != nil || end.Result != "done" || len(u.Steps) != 6 || len(u.Lost)+len(u.Left) > 0 || len(p.log) != 12 {
		t.Fatalf("%+v %+v %v %v", end, u, p.log, err)
	}
}

// TestUndoOfFailedRun: what the steps before the failure did is taken back, and
// what the failed step itself did is named.
func TestUndoOfFailedRun(t *testing.T) {
	p, log := &provider{landed: map[string]string{}}, &memory{left: -1}
	script := func(l *life) Body {
		return func(ctx context.Context, sc *gate.Scope) (any, error) {
			if err := l.step(p, "A")(ctx, sc); err != nil {
				return nil, err
			}
			return l.e.Step(ctx, sc, Spec{Title: "Bad", Attempts: 2, Undo: func(any) Body { return nil }}, func(ctx context.Context, sc *gate.Scope) (any, error) {
				if err := l.step(p, "inside")(ctx, sc); err != nil {
					return nil, err
				}
				if _, err := l.g.Do(ctx, sc, p.op("half", 0)); err != nil {
					return nil, err
				}
				return nil, fault.New(fault.Failed, "no good")
			})
		}
	}
	if end := (&life{}).run(t, log, nobody{}, script); end.Result != "failed" {
		t.Fatalf("%+v", end)
	}
	end, u, err := undo(t, log, &willing{}, script)
	if err != nil || end.Result != "done" || len(u.Steps) != 2 || u.Steps[0].Title != "inside" || len(u.Left) != 1 || !strings.Contains(u.Left[0], "half") {
		t.Fatalf("%+v %+v %v", end, u, err)
	}
	if !strings.Contains(end.Message, "2 steps undone; left as it is: 1 change") {
		t.Errorf("message %q", end.Message)
	}
}

// TestUndoSettles: a mutation that left without an answer is found out about
// and never sent.
func TestUndoSettles(t *testing.T) {
	for _, c := range []struct {
		name   string
		landed binding.Landed
		acted  bool
		steps  int
		exit   int
	}{
		{"it landed", binding.Yes, true, 2, ExitDone},
		{"it did not", binding.No, false, 1, ExitDone},
		{"nobody knows", binding.Unknown, true, 0, ExitWaits},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, log := &provider{landed: map[string]string{}}, &memory{left: -1}
			sent := 0
			script := func(l *life) Body {
				return func(ctx context.Context, sc *gate.Scope) (any, error) {
					if err := l.step(p, "A")(ctx, sc); err != nil {
						return nil, err
					}
					_, err := l.e.Parallel(ctx, sc, Spec{Title: "P", Form: "parallel", Attempts: 1}, []Branch{
						{"a", func(ctx context.Context, sc *gate.Scope) (any, error) {
							return l.g.Do(ctx, sc, gate.Op{Call: "test.slow", Effect: binding.Reads, Exec: func(ctx context.Context) (any, error) {
								<-ctx.Done()
								return nil, ctx.Err()
							}})
						}},
						{"b", func(ctx context.Context, sc *gate.Scope) (any, error) {
							return l.e.Step(ctx, sc, Spec{Title: "S", Attempts: 1, Undo: func(value any) Body {
								return func(ctx context.Context, sc *gate.Scope) (any, error) {
									return l.g.Do(ctx, sc, p.op(fmt.Sprint("undo ", value), 0))
								}
							}}, func(ctx context.Context, sc *gate.Scope) (any, error) {
								return l.g.Do(ctx, sc, gate.Op{Call: "test.lost", Effect: binding.Mutates, Says: "do it",
									Exec: func(ctx context.Context) (any, error) {
										sent++
										log.left = 0 // the process dies before the answer
										return "made", nil
									},
									Settle: func(context.Context) (binding.Settlement[any], error) {
										return binding.Settlement[any]{Landed: c.landed, Result: "made", Look: "look there"}, nil
									}})
							})
						}},
					}, Fan{})
					return nil, err
				}
			}
			(&life{}).run(t, log, nobody{}, script)
			log.left = -1
			end, u, err := undo(t, log, &willing{}, script)
			if c.exit == ExitWaits {
				if ExitOf(err) != ExitWaits || !strings.Contains(err.Error(), "look there") {
					t.Fatalf("%v", err)
				}
				return
			}
			if err != nil || end.Exit != c.exit || len(u.Steps) != c.steps || sent != 1 || len(u.Lost) > 0 {
				t.Fatalf("%+v %+v sent %d: %v", end, u, sent, err)
			}
			if c.steps == 2 && !slices.Contains(p.log, "undo made") {
				t.Errorf("%v", p.log)
			}
		})
	}
}

// TestUndoOfEditedScript: a step whose body changed hands back its value; what
// cannot be come by any more is named, and needs a person.
func TestUndoOfEditedScript(t *testing.T) {
	p, log := &provider{landed: map[string]string{}}, &memory{left: -1}
	inner := "inner"
	script := func(l *life) Body {
		return func(ctx context.Context, sc *gate.Scope) (any, error) {
			for _, part := range []func(context.Context, *gate.Scope) error{l.step(p, "A"), l.step(p, "B", l.step(p, inner)), l.step(p, "C")} {
				if err := part(ctx, sc); err != nil {
					return nil, err
				}
			}
			return nil, nil
		}
	}
	if end := (&life{}).run(t, log, nobody{}, script); end.Result != "done" {
		t.Fatalf("%+v", end)
	}
	inner = "renamed"
	_, u, err := undo(t, log, nobody{}, script)
	if ExitOf(err) != ExitWaits || !strings.Contains(err.Error(), `"B/inner"`) || !strings.Contains(err.Error(), "1. C") {
		t.Fatalf("%v", err)
	}
	if len(u.Steps) != 3 || len(u.Lost) != 1 {
		t.Fatalf("%+v", u)
	}
	o := &willing{}
	end, _, err := undo(t, log, o, script)
	if err != nil || end.Result != "done" || len(o.asked) != 1 || !o.asked[0].Destructive {
		t.Fatalf("%+v %v %+v", end, err, o.asked)
	}
	if len(p.log) != 7 {
		t.Errorf("%v", p.log)
	}
}

// TestUndoThatFails is offered the remedies of a step; without a person it
// stops, and the next undo goes on with it.
func TestUndoThatFails(t *testing.T) {
	p, log := &provider{landed: map[string]string{}}, &memory{left: -1}
	broken := true
	script := func(l *life) Body {
		return func(ctx context.Context, sc *gate.Scope) (any, error) {
			if err := l.step(p, "A")(ctx, sc); err != nil {
				return nil, err
			}
			_, err := l.e.Step(ctx, sc, Spec{Title: "B", Attempts: 1, Undo: func(any) Body {
				return func(ctx context.Context, sc *gate.Scope) (any, error) {
					if broken {
						return nil, fault.New(fault.Failed, "not now")
					}
					return l.g.Do(ctx, sc, p.op("undo B", 0))
				}
			}}, func(ctx context.Context, sc *gate.Scope) (any, error) { return l.g.Do(ctx, sc, p.op("B", 0)) })
			if err != nil {
				return nil, err
			}
			return nil, l.step(p, "C")(ctx, sc)
		}
	}
	if end := (&life{}).run(t, log, nobody{}, script); end.Result != "done" {
		t.Fatalf("%+v", end)
	}
	end, _, err := undo(t, log, &willing{}, script)
	if err != nil || end.Result != "failed" || end.Exit != ExitFailed {
		t.Fatalf("%+v %v", end, err)
	}
	if want := []string{"A", "B", "C", "undo done C"}; !slices.Equal(p.log, want) {
		t.Fatalf("%v", p.log)
	}
	broken = false
	o := &willing{}
	if end, _, err = undo(t, log, o, script); err != nil || end.Result != "done" || len(o.asked) != 0 {
		t.Fatalf("%+v %v, asked %v", end, err, o.asked)
	}
	if want := []string{"A", "B", "C", "undo done C", "undo B", "undo done A"}; !slices.Equal(p.log, want) {
		t.Errorf("%v", p.log)
	}
}
