package gate

import (
	"context"
	"fmt"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/plan"
	"github.com/webhost-systems/drhost/host/policy"
)

// patience is how long a plan waits for one answer. It is meant to be read
// before a run begins; what does not answer by then is one more thing that it
// cannot know.
const patience = 20 * time.Second

// tooLong ends a call of a plan that takes too long.
func tooLong(op Op) *fault.Fault {
	f := fault.New(fault.Timeout, "no answer within %s, and a plan waits no longer", patience)
	f.Call = op.Call
	return f
}

// Way is the way that a plan follows; nil outside of a plan.
func (g *Gate) Way() *plan.Way { return g.o.Way }

// Doubtful tells whether the world that is read is not the one that the run
// will meet: a plan has predicted changes, and decisions are recorded.
func (g *Gate) Doubtful() bool {
	return g.Mode() == policy.Plan && g.o.Way.Changes() > 0 && !g.o.Way.Quiet()
}

// Decide answers what only the world or a person can decide, in a plan.
func (g *Gate) Decide(d journal.Decision) int {
	d.Text = g.CleanText(d.Text)
	return g.o.Way.Decide(d)
}

// Decided records, in a run that follows a plan, which way it goes.
func (g *Gate) Decided(d journal.Decision) error {
	if g.o.Follow == nil || g.trail != nil || g.Mode() == policy.Plan {
		return nil
	}
	g.o.Follow.Decided(d)
	if g.cursor.notes[d.Key] {
		return nil
	}
	g.cursor.notes[d.Key] = true
	return g.Append(journal.DecisionMade, d, false)
}

// plan answers without acting. A read whose arguments are only planned cannot
// be made; it answers what a good result would look like. What the world
// refuses now, it may not refuse after changes that were only predicted: then
// both is followed.
func (g *Gate) plan(ctx context.Context, key string, sc *Scope, op Op) (any, error) {
	out, known := g.o.Way.Known(key, op.Call, op.Args)
	if !known {
		out = journal.Outcome{Key: key, Call: op.Call, Effect: op.Effect.String(), Args: op.Args, Says: op.Says, Site: op.Site, Started: g.o.Clock.Now()}
		g.turn.release()
		err := g.foresee(ctx, op, &out)
		if turnErr := g.turn.take(); turnErr != nil {
			return nil, turnErr
		}
		if ctx.Err() != nil {
			return nil, Stopped(ctx, ctx.Err())
		}
		if err != nil {
			out.Fault, out.Value = g.CleanFault(fault.As(err)), nil
			g.place(out.Fault)
		}
		out.Value = g.Clean(out.Value)
		out.Took = g.o.Clock.Now().Sub(out.Started).Seconds()
		if err := g.o.Way.Keep(out); err != nil {
			return nil, &Stop{Why: Unwritable, Text: fmt.Sprintf("the journal cannot be written: %v", err), Err: err}
		}
	}
	g.weigh(&out, sc, op)
	if op.Effect != binding.Reads {
		if d := policy.Decide(request(op), g.asRun()); d.Verdict == policy.Ask {
			asked := journal.Approval{Key: key, Text: fmt.Sprintf("%s (%s)", op.Says, d.Reason), Site: op.Site, Needs: 1, Call: key}
			if err := g.Append(journal.ApprovalAsked, asked, false); err != nil {
				return nil, err
			}
		}
		g.o.Way.Predict(op.Call, op.Args)
	}
	var err error
	if out.Fault != nil {
		err = out.Fault
	}
	return g.conclude(ctx, out, op, err)
}

// foresee makes a read, or predicts a change.
func (g *Gate) foresee(ctx context.Context, op Op, out *journal.Outcome) error {
	bounded := limit(ctx, out.Started.Add(patience))
	defer bounded.stop()
	var err error
	switch {
	case op.Effect == binding.Reads && !binding.HoldsPlanned(op.Args):
		err = g.carry(bounded, bounded, op, false, out)
	case op.Predict != nil && op.Effect != binding.Reads:
		out.Value, err = op.Predict(bounded)
	case op.Result != nil:
		out.Value = binding.PlannedResult(op.Result, op.Call)
	}
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		return tooLong(op)
	}
	return err
}

// asRun are the rules under which the run itself would be.
func (g *Gate) asRun() policy.Rules {
	rules := g.o.Rules
	rules.Mode = policy.Run
	return rules
}

// weigh lets a plan follow both, that a call works and that it fails as it does
// now, where the world may be another by then.
func (g *Gate) weigh(out *journal.Outcome, sc *Scope, op Op) {
	f := out.Fault
	if f == nil || g.o.Way == nil || g.o.Way.Quiet() || !passes(f) {
		return
	}
	if g.o.Way.Changes() == 0 && f.Message != tooLong(op).Message {
		return // so it is, and so the run will find it
	}
	what := op.Says
	if op.Effect == binding.Reads {
		what = plan.Describe(op.Call, op.Args)
	}
	choice := g.Decide(journal.Decision{Key: out.Key + "/call", Form: "call", Text: what + ": does it work?", Site: out.Site,
		Choices: []string{"works", fmt.Sprintf("fails, as it would now (%s: %s)", f.Kind, f.Message)}})
	if choice != 0 {
		return
	}
	out.Fault, out.Value = nil, nil
	if op.Result != nil {
		out.Value = binding.PlannedResult(op.Result, op.Call)
	}
}

// passes tells of a fault that lies in the world, not in the call.
func passes(f *fault.Fault) bool {
	switch f.Kind {
	case fault.NotFound, fault.Conflict, fault.Exhausted, fault.RateLimited, fault.Unavailable, fault.Timeout, fault.Failed:
		return true
	}
	return false
}

// deviates compares a change that is about to be made with the plan, and
// records that it is not in it; why is "" when it is.
func (g *Gate) deviates(key string, op Op) (why string, err error) {
	if g.o.Follow == nil {
		return "", nil
	}
	why = g.o.Follow.Calling(key, op.Call, op.Args)
	if why == "" || !g.o.Follow.First(key) {
		return why, nil
	}
	asked := op.Effect == binding.Destroys && !g.o.Rules.YesDestroys
	return why, g.Append(journal.PlanDeviated, journal.Deviation{Plan: g.o.Follow.ID, Key: key, Call: op.Call, Effect: op.Effect.String(),
		Says: op.Says, Why: why, Site: op.Site, Asked: asked}, true)
}

// NotDone are the changes of the plan that the run follows and that it has not
// made.
func (g *Gate) NotDone() []journal.PlanCall {
	if g.o.Follow == nil {
		return nil
	}
	return g.o.Follow.NotDone()
}
