package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/policy"
	"github.com/webhost-systems/drhost/host/secret"
)

// memory is a journal.Log that dies after a number of appends: from then on
// nothing is written any more, as after kill -9.
type memory struct {
	mu      sync.Mutex
	records []journal.Record
	left    int // appends until death; negative: immortal
}

var errDead = errors.New("killed")

func (m *memory) Append(kind journal.Kind, payload any, _ bool) (journal.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.left == 0 {
		return journal.Record{}, errDead
	}
	m.left--
	text, err := json.Marshal(payload)
	if err != nil {
		return journal.Record{}, err
	}
	r := journal.Record{Seq: int64(len(m.records) + 1), Kind: kind, Payload: text}
	m.records = append(m.records, r)
	return r, nil
}
func (m *memory) Records() []journal.Record { return m.records }
func (m *memory) Close() error              { return nil }

// provider is a world with idempotency keys: it remembers what it was asked.
type provider struct {
	mu     sync.Mutex
	landed map[string]string // idempotency key -> what
	twice  []string
	log    []string
}

func (p *provider) mutate(ctx context.Context, what string) (any, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := binding.Key(ctx)
	if _, ok := p.landed[key]; ok {
		p.twice = append(p.twice, what)
	}
	p.landed[key] = what
	p.log = append(p.log, what)
	return "done " + what, nil
}

func (p *provider) settle(ctx context.Context, what string) (binding.Settlement[any], error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.landed[binding.Key(ctx)]; ok {
		return binding.Settlement[any]{Landed: binding.Yes, Result: "done " + what}, nil
	}
	return binding.Settlement[any]{Landed: binding.No}, nil
}

func (p *provider) op(what string, pause time.Duration) gate.Op {
	return gate.Op{Call: "test.mutate", Effect: binding.Mutates, Says: what, Args: map[string]any{"what": what},
		Exec: func(ctx context.Context) (any, error) {
			v, err := p.mutate(ctx, what)
			time.Sleep(pause)
			return v, err
		},
		Settle: func(ctx context.Context) (binding.Settlement[any], error) { return p.settle(ctx, what) }}
}

// nobody is an operator who is not there.
type nobody struct{}

func (nobody) Approve(context.Context, gate.Question) (gate.Answer, error) {
	return gate.Answer{}, gate.ErrNobody
}
func (nobody) Choose(context.Context, gate.Question) (gate.Answer, error) {
	return gate.Answer{}, gate.ErrNobody
}
func (nobody) Settle(context.Context, gate.Lost) (gate.Verdict, error) {
	return gate.Verdict{}, gate.ErrNobody
}
func (nobody) Recover(context.Context, gate.Failure) (gate.Remedy, error) {
	return gate.Remedy{}, gate.ErrNobody
}

func newEngine(t *testing.T, log *memory, operator gate.Operator) (*Engine, *gate.Gate) {
	t.Helper()
	g, err := gate.New(gate.Options{Run: "r1", Log: log, Rules: policy.Rules{Mode: policy.Run}, Operator: operator,
		Clock: clock.Scaled{Factor: 1000}, Redactor: &secret.Redactor{}}, append([]journal.Record(nil), log.records...))
	if err != nil {
		t.Fatal(err)
	}
	return New(Options{Gate: g, Operator: operator, Clock: clock.Scaled{Factor: 1000}, Started: journal.Started{DetectedAt: time.Now()}}), g
}

// script is a run in which branches share a variable, so that what they do
// depends on the order in which their calls come back.
func script(e *Engine, g *gate.Gate, p *provider, jitter *rand.Rand) Body {
	return func(ctx context.Context, sc *gate.Scope) (any, error) {
		first, err := e.Step(ctx, sc, Spec{Title: "First", Attempts: 1}, func(ctx context.Context, sc *gate.Scope) (any, error) {
			return g.Do(ctx, sc, p.op("first", 0))
		})
		if err != nil {
			return nil, err
		}
		_, err = e.Step(ctx, sc, Spec{Title: "Second", Attempts: 1}, func(ctx context.Context, sc *gate.Scope) (any, error) {
			order := fmt.Sprint(first)
			branch := func(name string, calls int) Branch {
				return Branch{Name: name, Run: func(ctx context.Context, sc *gate.Scope) (any, error) {
					for i := range calls {
						if _, err := g.Do(ctx, sc, p.op(fmt.Sprintf("%s%d after %s", name, i, order), time.Duration(jitter.IntN(300))*time.Microsecond)); err != nil {
							return nil, err
						}
						order += " " + name
					}
					return name, nil
				}}
			}
			j, err := e.Parallel(ctx, sc, Spec{Title: "Fan", Form: "parallel", Attempts: 1},
				[]Branch{branch("a", 3), branch("b", 2), branch("c", 4)}, Fan{AtOnce: 2})
			if err != nil {
				return nil, err
			}
			return g.Do(ctx, sc, p.op(fmt.Sprintf("last %v", j.Results), 0))
		})
		return nil, err
	}
}

// TestDeathAtEveryAppend kills the run at every record it writes, resumes it
// and finds that it ends, that nothing was done twice, and that what was done
// is what a run without a death does.
func TestDeathAtEveryAppend(t *testing.T) {
	for death := 0; death < 60; death++ {
		for round := range 4 {
			p := &provider{landed: map[string]string{}}
			log := &memory{left: death}
			var end journal.Finished
			for life := 0; life < 10; life++ {
				jitter := rand.New(rand.NewPCG(uint64(death), uint64(round*10+life)))
				e, g := newEngine(t, log, nobody{})
				end = e.Run(context.Background(), script(e, g, p, jitter))
				if end.Exit != ExitJournal {
					break
				}
				log.left = death + 7*life // the next life dies later
				if life > 6 {
					log.left = -1
				}
			}
			if end.Result != "done" {
				t.Fatalf("death %d round %d: ended %s: %s", death, round, end.Result, end.Message)
			}
			if len(p.twice) > 0 {
				t.Fatalf("death %d: done twice: %v", death, p.twice)
			}
			if len(p.log) != 11 {
				t.Fatalf("death %d: %d mutations, want 11: %v", death, len(p.log), p.log)
			}
		}
	}
}

// TestFailedStepTriedAgain resumes a run whose step failed after a mutation
// had succeeded: the mutation answers from the journal, the read is new.
func TestFailedStepTriedAgain(t *testing.T) {
	p := &provider{landed: map[string]string{}}
	log := &memory{left: -1}
	healthy := false
	body := func(e *Engine, g *gate.Gate) Body {
		return func(ctx context.Context, sc *gate.Scope) (any, error) {
			return e.Step(ctx, sc, Spec{Title: "Repair", Attempts: 1}, func(ctx context.Context, sc *gate.Scope) (any, error) {
				if _, err := g.Do(ctx, sc, p.op("create", 0)); err != nil {
					return nil, err
				}
				v, err := g.Do(ctx, sc, gate.Op{Call: "test.check", Effect: binding.Reads, Exec: func(context.Context) (any, error) { return healthy, nil }})
				if err != nil {
					return nil, err
				}
				return nil, e.Expect(sc, "it is healthy", v == true, journal.Site{})
			})
		}
	}
	e, g := newEngine(t, log, nobody{})
	if end := e.Run(context.Background(), body(e, g)); end.Result != "failed" || end.Exit != ExitFailed {
		t.Fatalf("the first life ended %+v", end)
	}
	healthy = true
	e, g = newEngine(t, log, nobody{})
	if end := e.Run(context.Background(), body(e, g)); end.Result != "done" {
		t.Fatalf("the second life ended %+v", end)
	}
	if len(p.log) != 1 {
		t.Fatalf("mutations: %v", p.log)
	}
}

// TestLostAnswer covers a provider that acts and then fails.
func TestLostAnswer(t *testing.T) {
	for _, c := range []struct {
		name   string
		settle binding.Settlement[any]
		exit   int
		sends  int
	}{
		{"it landed", binding.Settlement[any]{Landed: binding.Yes, Result: "x"}, ExitDone, 1},
		{"nobody knows", binding.Settlement[any]{Landed: binding.Unknown, Look: "look there"}, ExitWaits, 1},
		{"it did not land", binding.Settlement[any]{Landed: binding.No}, ExitDone, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			log := &memory{left: -1}
			e, g := newEngine(t, log, nobody{})
			sends := 0
			end := e.Run(context.Background(), func(ctx context.Context, sc *gate.Scope) (any, error) {
				return g.Do(ctx, sc, gate.Op{Call: "test.cut", Effect: binding.Mutates, Says: "cut",
					Exec: func(context.Context) (any, error) {
						if sends++; sends == 1 {
							return nil, fault.New(fault.Unavailable, "502")
						}
						return "y", nil
					},
					Settle: func(context.Context) (binding.Settlement[any], error) { return c.settle, nil }})
			})
			if end.Exit != c.exit || sends != c.sends {
				t.Fatalf("exit %d after %d sends, want %d after %d: %s", end.Exit, sends, c.exit, c.sends, end.Message)
			}
		})
	}
}

// TestDivergence: a call changed inside an open step, and one that is gone.
func TestDivergence(t *testing.T) {
	first := func(ctx context.Context, g *gate.Gate, sc *gate.Scope, names ...string) error {
		for _, n := range names {
			if _, err := g.Do(ctx, sc, gate.Op{Call: "test." + n, Effect: binding.Reads, Site: journal.Site{File: "x.lua", Line: 3},
				Exec: func(context.Context) (any, error) { return n, nil }}); err != nil {
				return err
			}
		}
		return nil
	}
	life := func(log *memory, names ...string) journal.Finished {
		e, g := newEngine(t, log, nobody{})
		return e.Run(context.Background(), func(ctx context.Context, sc *gate.Scope) (any, error) {
			return e.Step(ctx, sc, Spec{Title: "S", Attempts: 1}, func(ctx context.Context, sc *gate.Scope) (any, error) {
				return nil, first(ctx, g, sc, names...)
			})
		})
	}
	for _, c := range []struct {
		again []string
		want  string
	}{
		{[]string{"a", "other", "c"}, "test.b"},
		{[]string{"a"}, "no longer makes"},
	} {
		log := &memory{left: 4} // step_started and three outcomes
		if end := life(log, "a", "b", "c"); end.Exit != ExitJournal {
			t.Fatalf("the first life ended %+v", end)
		}
		log.left = -1
		end := life(log, c.again...)
		if end.Exit != ExitWaits || !strings.Contains(end.Message, c.want) || !strings.Contains(end.Message, "x.lua:3") {
			t.Errorf("%v: %+v", c.again, end)
		}
	}
}

// TestAFailedStepSaysTheSameInEveryLife: a script that catches the fault of a
// step and puts its words into a call meets no divergence when it is resumed.
func TestAFailedStepSaysTheSameInEveryLife(t *testing.T) {
	for deaths := 0; ; deaths++ {
		log, p := &memory{left: deaths}, &provider{landed: map[string]string{}}
		life := func() journal.Finished {
			e, g := newEngine(t, log, nobody{})
			return e.Run(context.Background(), func(ctx context.Context, sc *gate.Scope) (any, error) {
				_, err := e.Step(ctx, sc, Spec{Title: "Fails", Attempts: 1}, func(ctx context.Context, sc *gate.Scope) (any, error) {
					return nil, fault.New(fault.NotFound, "x.lua:3: no such thing").WithHint("look elsewhere")
				})
				if isStop(err) {
					return nil, err
				}
				if _, err := g.Do(ctx, sc, p.op("tell: "+err.Error(), 0)); err != nil {
					return nil, err
				}
				return nil, err
			})
		}
		first := life()
		log.left = -1
		if first.Exit != ExitJournal { // it has lived
			if deaths < 5 || first.Exit != ExitFailed {
				t.Fatalf("it ended %+v after %d records", first, deaths)
			}
			return
		}
		want := "x.lua:3: no such thing (look elsewhere)"
		if end := life(); end.Exit != ExitFailed || end.Message != want || len(p.twice) > 0 || p.log[len(p.log)-1] != "tell: "+want {
			t.Errorf("died at record %d: %+v, %q", deaths, end, p.log)
		}
	}
}

// TestFirstFailureCancels: siblings are cancelled at their next call, and the
// failure of the first is what the parallel raises.
func TestFirstFailureCancels(t *testing.T) {
	log := &memory{left: -1}
	e, g := newEngine(t, log, nobody{})
	reached := false
	end := e.Run(context.Background(), func(ctx context.Context, sc *gate.Scope) (any, error) {
		_, err := e.Parallel(ctx, sc, Spec{Title: "P", Form: "parallel", Attempts: 1}, []Branch{
			{"bad", func(ctx context.Context, sc *gate.Scope) (any, error) {
				return nil, fault.New(fault.NotFound, "no such thing")
			}},
			{"slow", func(ctx context.Context, sc *gate.Scope) (any, error) {
				if _, err := g.Do(ctx, sc, gate.Op{Call: "test.wait", Effect: binding.Reads, Exec: func(ctx context.Context) (any, error) {
					<-ctx.Done()
					return nil, ctx.Err()
				}}); err != nil {
					return nil, err
				}
				reached = true
				return nil, nil
			}},
		}, Fan{})
		return nil, err
	})
	if end.Exit != ExitFailed || end.Fault.Kind != fault.NotFound || reached {
		t.Fatalf("%+v, the other branch went on: %v", end, reached)
	}
}

// TestEventuallyReplays: a resumed poll goes on where it stopped.
func TestEventuallyReplays(t *testing.T) {
	log := &memory{left: 7}
	asked := 0
	life := func() journal.Finished {
		e, g := newEngine(t, log, nobody{})
		return e.Run(context.Background(), func(ctx context.Context, sc *gate.Scope) (any, error) {
			ok, err := e.Eventually(ctx, sc, time.Minute, time.Second, journal.Site{}, func(ctx context.Context) (any, error) {
				return g.Do(ctx, sc, gate.Op{Call: "test.ok", Effect: binding.Reads, Exec: func(context.Context) (any, error) {
					asked++
					return asked == 6, nil
				}})
			})
			return ok, err
		})
	}
	if end := life(); end.Exit != ExitJournal {
		t.Fatalf("the first life ended %+v", end)
	}
	log.left = -1
	before := asked
	if end := life(); end.Exit != ExitDone || asked != 6 || before == 0 {
		t.Fatalf("%+v after %d questions, %d before the death", end, asked, before)
	}
}
