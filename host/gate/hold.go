package gate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/policy"
)

// Levers are what people hold runs with from outside. Both are asked before
// every call, so they must be cheap.
type Levers interface {
	// Halted is why no run may change anything at present; "": nothing is
	// halted.
	Halted() string
	// Paused is why this run is to wait; "": it is not.
	Paused() string
}

// lookAgain is how often a lever is looked at while it is down. It is people's
// time, so no drill shortens it.
const lookAgain = 200 * time.Millisecond

// errLifted ends a question that the lifting of the lever has answered.
var errLifted = errors.New("the lever was lifted")

// told remembers what was journaled about levers, so that a run that is held
// in many branches says it once.
type told struct {
	mu    sync.Mutex
	texts map[string]bool
}

func (t *told) first(text string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.texts[text] {
		return false
	}
	if t.texts == nil {
		t.texts = map[string]bool{}
	}
	t.texts[text] = true
	return true
}

func request(op Op) policy.Request {
	return policy.Request{Call: op.Call, Effect: op.Effect, Target: op.Target, Args: op.Args, Says: op.Says}
}

// look asks the policy whether op is held at present.
func (g *Gate) look(op Op) (policy.Request, policy.Decision) {
	r := request(op)
	r.Paused = g.o.Levers.Paused()
	if op.Effect != binding.Reads {
		r.Halted = g.o.Levers.Halted()
	}
	return r, policy.Decide(r, g.o.Rules)
}

// hold returns when no lever holds op any more. A person is offered to wait or
// to stop; without one a halt stops the run. wait lays the baton down for as
// long as the function it is given runs.
func (g *Gate) hold(ctx context.Context, op Op, wait func(func()) error) error {
	if g.o.Levers == nil {
		return nil
	}
	r, d := g.look(op)
	if d.Verdict != policy.Hold {
		if r.Halted != "" {
			return g.brokenHalt(ctx, op, r.Halted)
		}
		return nil
	}
	var err error
	if waitErr := wait(func() { err = g.held(ctx, op, r, d) }); waitErr != nil {
		return waitErr
	}
	if err != nil {
		return Stopped(ctx, err)
	}
	return g.hold(ctx, op, wait)
}

// held waits at a lever that is down.
func (g *Gate) held(ctx context.Context, op Op, r policy.Request, d policy.Decision) error {
	text := fmt.Sprintf("held before %q: %s", op.Says, d.Reason)
	if g.told.first(d.Reason) {
		if err := g.Append(journal.Note, journal.NoteText{Key: callOf(ctx), Text: g.CleanText(text), Site: op.Site, Form: "held"}, true); err != nil {
			return err
		}
	}
	g.o.Observe(Event{Progress: &Progress{Key: callOf(ctx), Text: text}})
	wait := g.waitOrStop
	if r.Paused != "" {
		wait = func(ctx context.Context, op Op, _ string) error { return g.untilLifted(ctx, op) }
	}
	if err := wait(ctx, op, d.Reason); err != nil || !g.told.first("lifted: "+d.Reason) {
		return err
	}
	return g.Append(journal.Note, journal.NoteText{Key: callOf(ctx), Text: g.CleanText("no longer held, going on: " + d.Reason), Site: op.Site, Form: "held"}, false)
}

// waitOrStop asks whether to wait for a halt to be lifted; when it is lifted
// meanwhile, that is the answer.
func (g *Gate) waitOrStop(ctx context.Context, op Op, reason string) error {
	asked, answered := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if g.untilLifted(asked, op) == nil {
			answered(errLifted)
		}
	}()
	answer, err := g.o.Operator.Choose(asked, Question{Site: op.Site, Choices: []string{"wait", "stop"},
		Text: fmt.Sprintf("%s: %q is held: %s. Wait until the halt is lifted, or stop?", op.Site, op.Says, reason)})
	if err == nil && answer.Text == "wait" {
		<-done
	}
	answered(nil)
	<-done
	switch {
	case errors.Is(context.Cause(asked), errLifted):
		return nil
	case ctx.Err() != nil:
		return Stopped(ctx, ctx.Err())
	case errors.Is(err, ErrNobody):
		return &Stop{Why: Held, Err: err, Text: fmt.Sprintf("%s: %q was not sent: %s. Lift it with `drhost halt --lift`, then resume", op.Site, op.Says, reason)}
	case err != nil:
		return err
	}
	return &Stop{Why: Chosen, Text: fmt.Sprintf("stopped by %s while halted: %s", answer.By, reason)}
}

// untilLifted returns nil when the policy does not hold op any more, and
// ctx.Err() when ctx ends first.
func (g *Gate) untilLifted(ctx context.Context, op Op) error {
	for {
		if _, d := g.look(op); d.Verdict != policy.Hold {
			return nil
		}
		if err := (clock.System{}).Sleep(ctx, lookAgain); err != nil {
			return err
		}
	}
}

// brokenHalt records that a halt was gone past with a written justification.
func (g *Gate) brokenHalt(ctx context.Context, op Op, halted string) error {
	if !g.told.first("break-glass " + halted) {
		return nil
	}
	return g.Append(journal.Note, journal.NoteText{Key: callOf(ctx), Site: op.Site, Form: "break_glass",
		Text:     g.CleanText(fmt.Sprintf("BREAK-GLASS by %s: %s. It goes on although %s", g.o.By, g.o.Rules.BreakGlass, halted)),
		Evidence: map[string]any{"by": g.o.By, "justification": g.CleanText(g.o.Rules.BreakGlass), "although": halted}}, true)
}

// heldAgain is op's Exec with a look at the levers before it is sent once
// more. The first sending has been looked at, unless an earlier life wrote the
// intent: then known is true.
func (g *Gate) heldAgain(ctx context.Context, op Op, known bool) func(context.Context) (any, error) {
	send, looked := op.Exec, !known
	return func(sending context.Context) (any, error) {
		if !looked {
			if err := g.hold(ctx, op, func(do func()) error { do(); return nil }); err != nil {
				return nil, err
			}
		}
		looked = false
		return send(sending)
	}
}

// place says in which environment something does not exist: a name from
// another environment is the likeliest mistake.
func (g *Gate) place(f *fault.Fault) {
	if f.Kind != fault.NotFound || g.o.Env == "" {
		return
	}
	name, _, _ := strings.Cut(g.o.Env, ":") // behind it comes the world's name
	where := fmt.Sprintf("this is environment %q", name)
	if f.Hint != "" {
		where = f.Hint + "; " + where
	}
	f.Hint = where
}

type callKey struct{}

func withCall(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, callKey{}, key)
}

// callOf is the key of the call that ctx belongs to; "" outside of one.
func callOf(ctx context.Context) string {
	key, _ := ctx.Value(callKey{}).(string)
	return key
}
