package gate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/journal"
)

// Retrace makes a gate through which a script goes over its whole run once
// more without doing anything: every call answers from the journal, also those
// inside finished steps, and the first call that the journal does not answer
// ends it. A mutation that left without an answer is settled and recorded, and
// never sent. What an undo has done since is not looked at.
func Retrace(o Options, records []journal.Record) (*Gate, error) {
	ran, undone, err := split(records)
	if err != nil {
		return nil, err
	}
	g, err := New(o, nil)
	if err != nil {
		return nil, err
	}
	t := &trail{cursor: g.cursor, ended: map[string]End{}, started: map[string]bool{}, refuted: map[string]bool{}}
	for _, r := range ran {
		if err := t.take(r); err != nil {
			return nil, err
		}
	}
	for _, r := range undone {
		if r.Kind != journal.UndoStarted {
			continue
		}
		u, err := journal.Decode[journal.Undoing](r)
		if err != nil {
			return nil, err
		}
		for _, key := range u.Refuted {
			t.refuted[key] = true
		}
	}
	g.trail, g.turn.events = t, append([]string(nil), t.events...)
	return g, nil
}

// Undo makes the gate of a run's undo; of records only those of earlier undos
// count.
func Undo(o Options, records []journal.Record) (*Gate, error) {
	_, undone, err := split(records)
	if err != nil {
		return nil, err
	}
	return New(o, undone)
}

// split parts the records of a run from those of its undo.
func split(records []journal.Record) (ran, undone []journal.Record, _ error) {
	type place struct{ Path, Key string }
	for _, r := range records {
		switch r.Kind {
		case journal.UndoStarted, journal.UndoFinished:
			undone = append(undone, r)
			continue
		case journal.StepStarted, journal.StepFinished, journal.CallIntent, journal.CallOutcome, journal.Note, journal.ApprovalAsked, journal.ApprovalGiven:
			p, err := journal.Decode[place](r)
			if err != nil {
				return nil, nil, err
			}
			if journal.OfUndo(p.Path) || journal.OfUndo(p.Key) {
				undone = append(undone, r)
				continue
			}
		}
		ran = append(ran, r)
	}
	return ran, undone, nil
}

// Retracing tells whether nothing new is done.
func (g *Gate) Retracing() bool { return g.trail != nil }

// Ended returns how the step or branch at path ended for good; ok is false
// when it was open, or never reached, when the run ended.
func (g *Gate) Ended(path string) (End, bool) {
	end, ok := g.trail.ended[path]
	return end, ok
}

// Appended is the number of the last record that this gate wrote.
func (g *Gate) Appended() int64 { return g.appended.Load() }

// Arrived is called at the end of a retraced step that is on record. What was
// not asked for in it will not be; then it waits until others have come as far
// as they had when it ended.
func (g *Gate) Arrived(path string) error {
	if g.turn.next() != stepEvent+path {
		g.turn.drop(func(event string) bool { return under(eventKey(event), path) })
		for key := range g.cursor.outcomes {
			if under(key, path) {
				delete(g.cursor.outcomes, key)
			}
		}
	}
	if g.turn.holds(stepEvent + path) {
		return g.turn.awaitEvent(stepEvent + path)
	}
	return nil
}

// Strayed remembers that the script does not fit the journal.
func (g *Gate) Strayed(err error) {
	var stop *Stop
	if g.trail.strayed == nil && errors.As(err, &stop) && stop.Why == Diverged {
		g.trail.strayed = stop
	}
}

// retrace answers a call from the journal.
func (g *Gate) retrace(ctx context.Context, key string, sc *Scope, op Op) (any, error) {
	if out, ok := g.cursor.done[key]; ok && same(out.Call, out.Args, op) {
		if out.Fault != nil {
			return nil, out.Fault
		}
		return out.Value, nil
	}
	if out, ok := g.cursor.outcomes[key]; ok {
		return g.replay(ctx, key, out, op)
	}
	if in, ok := g.pending[key]; ok && !g.trail.refuted[key] {
		if !same(in.Call, in.Args, op) {
			return nil, diverged(key, in.Call, in.Args, in.Site, op)
		}
		return g.findOut(ctx, key, op)
	}
	if g.inEnded(sc.Path) {
		return nil, retraced() // the step was over before this call came to an end
	}
	if err := g.turn.awaitLive(ctx, func() string { return key }); err != nil {
		return nil, Stopped(ctx, err)
	}
	if err := ctx.Err(); err != nil {
		return nil, Stopped(ctx, err)
	}
	return nil, retraced()
}

func retraced() error {
	return &Stop{Why: Retraced, Text: "here the journal ends; nothing new is done"}
}

// GoneThrough waits until every branch is where the journal ends, and returns
// what ends this one.
func (g *Gate) GoneThrough(ctx context.Context, at string) error {
	if err := g.AwaitLive(ctx, at); err != nil {
		return err
	}
	return retraced()
}

// inEnded tells whether path lies in a step or branch whose end is on record.
func (g *Gate) inEnded(path string) bool {
	for inner := range g.trail.ended {
		if path == inner || under(path, inner) {
			return true
		}
	}
	return false
}

// findOut settles a mutation that left without an answer. It heeds no sibling's
// end: what happened has to be known.
func (g *Gate) findOut(ctx context.Context, key string, op Op) (any, error) {
	whole := context.WithoutCancel(ctx)
	if err := g.turn.awaitLive(whole, func() string { return key }); err != nil {
		return nil, err
	}
	var stop *Stop
	if errors.As(context.Cause(ctx), &stop) && stop.Why != Cancelled {
		return nil, stop
	}
	in := g.pending[key]
	out := journal.Outcome{Key: key, Call: op.Call, Effect: op.Effect.String(), Site: op.Site, Started: g.o.Clock.Now()}
	whole = binding.WithSince(binding.WithKey(whole, in.Idem), g.since[key])
	var again bool
	var err error
	if turnErr := g.Wait(func() {
		bounded := limit(whole, out.Started.Add(longest))
		defer bounded.stop()
		again, err = g.settle(bounded, ctx, op, "drhost was stopped while it was under way", &out)
	}); turnErr != nil {
		return nil, turnErr
	}
	if errors.As(err, &stop) {
		return nil, stop
	}
	if again {
		g.trail.refuted[key] = true
		return nil, retraced()
	}
	out.Took = g.o.Clock.Now().Sub(out.Started).Seconds()
	value, err := g.conclude(whole, out, op, err)
	if done, ok := g.succeeded[key]; ok {
		done.Says = op.Says
		g.trail.changed(done)
	}
	return value, err
}

// Traced is what a retraced run leaves to say.
type Traced struct {
	Left    []string // changes of the run that lie in none of the given steps
	Lost    []string // steps with an undo that was not come by, and why
	Refuted []string // keys of calls that were found not to have happened
}

// Traced sums up a retraced run of which the steps at paths will be undone.
func (g *Gate) Traced(paths []string) Traced {
	var out Traced
	within := func(key string) bool {
		for _, path := range paths {
			if key == path || under(key, path) {
				return true
			}
		}
		return false
	}
	for _, c := range g.trail.changes {
		if !within(c.key) {
			out.Left = append(out.Left, g.CleanText(c.says))
		}
	}
	why := "the script no longer comes to it"
	if g.trail.strayed != nil {
		why = g.CleanText(g.trail.strayed.Error())
	}
	for path, end := range g.trail.ended {
		if end.HasUndo && end.Result == "value" && !slices.Contains(paths, path) {
			out.Lost = append(out.Lost, fmt.Sprintf("the undo of step %q (%s:%d) cannot be run: %s", path, end.Site.File, end.Site.Line, why))
		}
	}
	for key, in := range g.pending {
		if g.trail.refuted[key] {
			out.Refuted = append(out.Refuted, key)
			continue
		}
		out.Lost = append(out.Lost, fmt.Sprintf("%s:%d: nobody knows whether %q happened, and the script no longer makes this call", in.Site.File, in.Site.Line, in.Says))
	}
	sort.Strings(out.Lost)
	sort.Strings(out.Refuted)
	return out
}

// UndoScope is where the undo of the step at path stands.
func UndoScope(path string) *Scope {
	at := journal.UndoRoot + "/" + path
	return &Scope{Path: at, Step: at}
}
