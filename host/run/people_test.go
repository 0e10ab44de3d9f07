package run

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
)

// consenting says yes to everything, or no, in the name of one person.
type consenting struct {
	nobody
	name, says string
	seen       []string // whom a question said to have consented already
}

func (c *consenting) Approve(_ context.Context, q gate.Question) (gate.Answer, error) {
	c.seen = q.Given
	return gate.Answer{Text: c.says, By: c.name}, nil
}

// askTwo is a life of a run that asks for two consents.
func askTwo(t *testing.T, log *memory, operator gate.Operator) (end journal.Finished, by []string) {
	t.Helper()
	e, _ := newEngine(t, log, operator)
	end = e.Run(context.Background(), func(ctx context.Context, sc *gate.Scope) (any, error) {
		var err error
		by, err = e.Approve(ctx, sc, gate.Question{Text: "Delete everything"}, 2, 0)
		return nil, err
	})
	return end, by
}

// TestTwoPeople: consents given in different lives of a run add up, those of
// one person do not, and a refusal takes them back.
func TestTwoPeople(t *testing.T) {
	log := &memory{left: -1}
	for range 2 {
		end, _ := askTwo(t, log, &consenting{name: "ada" + gate.Beforehand, says: "approved"})
		if end.Exit != ExitWaits || !strings.Contains(end.Message, "2 different people, and ada (--yes) has approved so far") {
			t.Fatalf("one person alone: exit %d, %s", end.Exit, end.Message)
		}
	}
	if end, _ := askTwo(t, log, &consenting{name: "ada", says: "approved"}); end.Exit != ExitWaits {
		t.Fatalf("ada is still one person: exit %d, %s", end.Exit, end.Message)
	}
	if end, _ := askTwo(t, log, &consenting{name: "bob", says: "denied"}); end.Exit != ExitWaits || !strings.Contains(end.Message, "denied by bob") {
		t.Fatalf("denied: exit %d, %s", end.Exit, end.Message)
	}
	if end, _ := askTwo(t, log, &consenting{name: "bob", says: "approved"}); end.Exit != ExitWaits {
		t.Fatalf("after a refusal one consent is enough: %s", end.Message)
	}
	second := &consenting{name: "ada", says: "approved"}
	end, by := askTwo(t, log, second)
	if end.Result != "done" || strings.Join(by, " ") != "bob ada" || strings.Join(second.seen, " ") != "bob" {
		t.Fatalf("two people: %s (%s), by %v, the second saw %v", end.Result, end.Message, by, second.seen)
	}
}

// storm is a mutation that the provider refuses for the time being, asking for
// a patience of an hour; from the second life on it is let through.
func storm(refused chan<- struct{}, through *atomic.Bool, sent *atomic.Int32) gate.Op {
	return gate.Op{Call: "test.mutate", Effect: binding.Mutates, Says: "mutate",
		Exec: func(context.Context) (any, error) {
			if through.Load() {
				sent.Add(1)
				return "done", nil
			}
			f := fault.New(fault.RateLimited, "too many requests").NothingDone()
			f.Transient, f.RetryAfter = true, 10*time.Hour // at the test's speed 36 seconds
			close(refused)
			return nil, f
		},
		Settle: func(context.Context) (binding.Settlement[any], error) {
			return binding.Settlement[any]{Landed: binding.No}, nil
		}}
}

// TestInterruptedBetweenTries: Ctrl-C does not wait until a mutation that was
// refused may be sent again. It stays without outcome, and a resume sends it.
func TestInterruptedBetweenTries(t *testing.T) {
	log := &memory{left: -1}
	refused, through, sent := make(chan struct{}), &atomic.Bool{}, &atomic.Int32{}
	ctx, cancel := context.WithCancelCause(context.Background())
	go func() {
		<-refused
		cancel(&gate.Stop{Why: gate.Interrupted, Text: "interrupted"})
	}()
	run := func(ctx context.Context) journal.Finished {
		e, g := newEngine(t, log, nobody{})
		return e.Run(ctx, func(ctx context.Context, sc *gate.Scope) (any, error) {
			return g.Do(ctx, sc, storm(refused, through, sent))
		})
	}
	began := time.Now()
	if end := run(ctx); end.Exit != ExitInterrupted {
		t.Fatalf("exit %d: %s", end.Exit, end.Message)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s to stop", took)
	}
	for _, r := range log.records {
		if r.Kind == journal.CallOutcome {
			t.Fatalf("an outcome is on record: %s", r.Payload)
		}
	}
	through.Store(true)
	if end := run(context.Background()); end.Result != "done" || sent.Load() != 1 {
		t.Fatalf("resumed: %s (%s), sent %d times", end.Result, end.Message, sent.Load())
	}
}

// TestSiblingFailsBetweenTries: a branch that fails does not leave behind a
// mutation of which nobody knows, when it is known that nothing was done.
func TestSiblingFailsBetweenTries(t *testing.T) {
	log := &memory{left: -1}
	refused, sent := make(chan struct{}), &atomic.Int32{}
	e, g := newEngine(t, log, nobody{})
	end := e.Run(context.Background(), func(ctx context.Context, sc *gate.Scope) (any, error) {
		_, err := e.Parallel(ctx, sc, Spec{Title: "Fan", Form: "parallel", Attempts: 1}, []Branch{
			{Name: "storm", Run: func(ctx context.Context, sc *gate.Scope) (any, error) {
				return g.Do(ctx, sc, storm(refused, &atomic.Bool{}, sent))
			}},
			{Name: "fails", Run: func(ctx context.Context, sc *gate.Scope) (any, error) {
				return g.Do(ctx, sc, gate.Op{Call: "test.read", Effect: binding.Reads, Exec: func(context.Context) (any, error) {
					<-refused
					return nil, fault.New(fault.NotFound, "not there")
				}})
			}},
		}, Fan{})
		if fault.As(err).Kind != fault.NotFound {
			t.Errorf("the parallel ended with %v", err)
		}
		return nil, nil // as a script does that catches it
	})
	if end.Result != "done" {
		t.Fatalf("ended %s: %s", end.Result, end.Message)
	}
}
