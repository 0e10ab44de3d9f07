// Package gate is the one way from a script into the world. Every call goes
// replay -> policy -> intent -> execute or predict -> outcome. The gate alone
// journals, asks, and repeats; it knows neither Lua nor any provider, and it
// must never let a mutation leave whose intent is not on disk, nor a script go
// on whose outcome is not.
package gate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/plan"
	"github.com/webhost-systems/drhost/host/policy"
	"github.com/webhost-systems/drhost/host/secret"
)

// Options are what a gate needs. Log may be nil: then nothing is journaled,
// which serves benchmarks and expectations of a drill.
type Options struct {
	Run      string
	Log      journal.Log
	Rules    policy.Rules
	Operator Operator
	Clock    clock.Clock
	Redactor *secret.Redactor
	// Levers tell what people hold from outside; nil: nothing is ever held.
	Levers Levers
	// Signatures are the answers that people sign elsewhere; nil: the
	// operator's word is enough.
	Signatures Signatures
	// Attended tells that a person is at the run, so that it may wait for
	// others without an end being set.
	Attended bool
	// Hurry tells that somebody waits for this one call, as for a program: what
	// passes is tried a few times and not for a minute, and what gave no answer
	// within its time is not asked again.
	Hurry bool
	// By is who runs it, for what the gate itself records.
	By string
	// Env is the environment's name, for messages; may be empty.
	Env string
	// Way is the way that a plan follows; what would be journaled goes there.
	Way *plan.Way
	// Follow is the plan that the run follows; nil: none.
	Follow *plan.Follower
	// Observe sees every record after it was appended, and the progress that
	// long calls report. It must return quickly.
	Observe func(Event)
}

// Event is something a terminal may show. Exactly one field is set.
type Event struct {
	Record   *journal.Record
	Calling  *Calling // a call leaves
	Progress *Progress
}

// Calling announces a call that is about to be carried out.
type Calling struct {
	Key, Says string
	Site      journal.Site
	Effect    binding.Effect
}

// Progress is how a long call is getting on.
type Progress struct{ Key, Text string }

// Gate carries the calls of one run. Its methods are called by the branch that
// holds the baton; Do and Wait lay it down and take it up again.
type Gate struct {
	o         Options
	turn      *turn
	cursor    *cursor
	succeeded map[string]journal.Outcome // mutations of this process, by key
	pending   map[string]journal.Intent  // intents without an outcome
	since     map[string]time.Time       // when they were recorded
	asking    sync.Mutex                 // guards what an earlier life asked: questions are put without the baton
	told      told
	trail     *trail       // set while a run is retraced: nothing new is done
	appended  atomic.Int64 // number of the last record that was appended
	taken     taken        // by the journal so far
}

// Op is one call. Args are plain data. Exec, Predict and Settle run without
// the baton.
type Op struct {
	Call    string
	Effect  binding.Effect
	Args    map[string]any
	Target  string
	Says    string
	Site    journal.Site
	People  bool          // it waits for people, for as long as they take
	Result  *binding.Type // for what a plan makes up; may be nil
	Exec    func(ctx context.Context) (any, error)
	Predict func(ctx context.Context) (any, error)
	Settle  func(ctx context.Context) (binding.Settlement[any], error)
}

// New makes the gate of a run; records are those of its earlier lives.
func New(o Options, records []journal.Record) (*Gate, error) {
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.Observe == nil {
		o.Observe = func(Event) {}
	}
	c, err := newCursor(records)
	if err != nil {
		return nil, err
	}
	g := &Gate{o: o, cursor: c, succeeded: map[string]journal.Outcome{}, pending: c.intents, since: c.since}
	for _, r := range records {
		g.taken.add(r)
	}
	g.turn = &turn{held: true, events: append([]string(nil), c.events...), stuck: g.stuck}
	return g, nil
}

// Mode is how the run is meant.
func (g *Gate) Mode() policy.Mode { return g.o.Rules.Mode }

// Append journals a record, without any secret in it, and shows it. A failed
// append stops the run.
func (g *Gate) Append(kind journal.Kind, payload any, sync bool) error {
	if g.o.Log == nil && g.o.Way == nil {
		return nil
	}
	_, err := g.append(kind, g.cleaned(payload), sync)
	return err
}

// append is Append for a payload that is clean. It returns the record.
func (g *Gate) append(kind journal.Kind, payload any, sync bool) (journal.Record, error) {
	if g.o.Way != nil {
		g.o.Way.Take(kind, payload)
		return journal.Record{}, nil
	}
	if g.o.Log == nil {
		return journal.Record{}, nil
	}
	r, err := g.o.Log.Append(kind, payload, sync)
	if err != nil {
		return r, &Stop{Why: Unwritable, Text: fmt.Sprintf("the journal cannot be written: %v", err), Err: err}
	}
	g.taken.add(r)
	g.appended.Store(r.Seq)
	g.o.Observe(Event{Record: &r})
	return r, nil
}

// Do makes the call op in scope sc and returns its result as plain data.
func (g *Gate) Do(ctx context.Context, sc *Scope, op Op) (any, error) {
	key := sc.next()
	op.Args, op.Says = g.cleanArgs(op.Args), g.CleanText(op.Says)
	if g.trail != nil {
		return g.retrace(ctx, key, sc, op)
	}
	if out, ok := g.cursor.done[key]; ok && same(out.Call, out.Args, op) {
		return out.Value, nil
	}
	if out, ok := g.cursor.outcomes[key]; ok {
		return g.replay(ctx, key, out, op)
	}
	in, sent := g.pending[key]
	if sent && !same(in.Call, in.Args, op) {
		return nil, diverged(key, in.Call, in.Args, in.Site, op)
	}
	waiting := ctx
	if sent { // what has left is settled, also in a branch that is cancelled
		waiting = context.WithoutCancel(ctx)
	}
	what := func() string { return describeOp(op) }
	if err := g.turn.awaitLive(waiting, what); err != nil {
		return nil, Stopped(ctx, err)
	}
	if err := ctx.Err(); err != nil && !sent {
		return nil, Stopped(ctx, err)
	}
	if err := g.unsettled(sc.Path, key, what); err != nil {
		return nil, err
	}
	if err := g.Room(op.Site); err != nil {
		return nil, err
	}
	if g.o.Rules.Mode == policy.Plan {
		return g.plan(ctx, key, sc, op)
	}
	return g.live(ctx, key, op)
}

func (g *Gate) replay(ctx context.Context, key string, out journal.Outcome, op Op) (any, error) {
	if !same(out.Call, out.Args, op) {
		return nil, diverged(key, out.Call, out.Args, out.Site, op)
	}
	if err := g.turn.awaitEvent(key); err != nil {
		return nil, err
	}
	delete(g.cursor.outcomes, key)
	if out.Effect != binding.Reads.String() && out.Fault == nil {
		g.succeeded[key] = out
	}
	if err := ctx.Err(); err != nil {
		return nil, Stopped(ctx, err)
	}
	if out.Fault != nil {
		return nil, out.Fault
	}
	return out.Value, nil
}

// live carries a call out between its intent and its outcome.
func (g *Gate) live(ctx context.Context, key string, op Op) (any, error) {
	sent, known := g.pending[key]
	mutation := op.Effect != binding.Reads
	ctx = withCall(ctx, key)
	if mutation {
		idem := sent.Idem // what an earlier life has sent it with
		if idem == "" {
			idem = g.idempotencyKey(key, op)
		}
		ctx = binding.WithKey(ctx, idem)
	}
	if !mutation || !known {
		if err := g.hold(ctx, op, g.Wait); err != nil {
			return nil, err
		}
	}
	if mutation && !known {
		if err := g.consent(ctx, key, op); err != nil {
			return nil, err
		}
		// A lever may have been pulled while somebody was asked.
		if err := g.hold(ctx, op, g.Wait); err != nil {
			return nil, err
		}
		in := journal.Intent{Key: key, Call: op.Call, Effect: op.Effect.String(), Args: op.Args, Idem: binding.Key(ctx), Says: op.Says, Site: op.Site}
		if _, err := g.append(journal.CallIntent, in, true); err != nil {
			return nil, err
		}
		g.pending[key], g.since[key] = in, g.o.Clock.Now()
	}
	if mutation {
		ctx = binding.WithSince(ctx, g.since[key])
	}
	g.o.Observe(Event{Calling: &Calling{Key: key, Says: op.Says, Site: op.Site, Effect: op.Effect}})
	out := journal.Outcome{Key: key, Call: op.Call, Effect: op.Effect.String(), Site: op.Site, Started: g.o.Clock.Now()}
	if !mutation {
		out.Args, out.Says = op.Args, op.Says
	}
	ctx, meter := clock.WithMeter(ctx)
	if mutation {
		op.Exec = g.heldAgain(ctx, op, known)
	}

	g.turn.release()
	err := g.carry(g.shielded(ctx, key, op), ctx, op, known, &out)
	if turnErr := g.turn.take(); turnErr != nil {
		return nil, turnErr
	}
	if err != nil {
		var stop *Stop
		if errors.As(err, &stop) {
			return nil, stop
		}
		if !mutation && ctx.Err() != nil {
			return nil, Stopped(ctx, ctx.Err())
		}
	}
	out.Took = g.o.Clock.Now().Sub(out.Started).Seconds()
	out.Cut = meter.Total().Seconds()
	return g.conclude(ctx, out, op, err)
}

// conclude writes the outcome before the script sees it.
func (g *Gate) conclude(ctx context.Context, out journal.Outcome, op Op, err error) (any, error) {
	if err != nil {
		f := g.CleanFault(fault.As(err))
		f.Call = op.Call
		g.place(f)
		out.Fault, out.Value = f, nil
	} else {
		out.Value = g.Clean(out.Value)
	}
	mutation := op.Effect != binding.Reads
	if _, appendErr := g.append(journal.CallOutcome, out, mutation); appendErr != nil {
		return nil, appendErr
	}
	if mutation {
		delete(g.pending, out.Key)
		if out.Fault == nil {
			out.Args = op.Args
			g.succeeded[out.Key] = out
		} else if g.o.Follow != nil {
			g.o.Follow.Failed(out.Key, out.Fault.Sent == fault.Done)
		}
	}
	if err := ctx.Err(); err != nil && context.Cause(ctx) != context.DeadlineExceeded {
		return nil, Stopped(ctx, err)
	}
	if out.Fault != nil {
		return nil, out.Fault
	}
	return out.Value, nil
}

// shielded lets a mutation that has left come back: a cancelled branch or an
// interrupt must not turn a known outcome into an unknown one.
func (g *Gate) shielded(ctx context.Context, key string, op Op) context.Context {
	ctx = binding.WithProgress(ctx, g.reporter(key, op.Site))
	if op.Effect != binding.Reads {
		return context.WithoutCancel(ctx)
	}
	return ctx
}

// longest is how long a call may take that sets no limit of its own.
const longest = 2 * time.Hour

func (g *Gate) idempotencyKey(key string, op Op) string {
	args, _ := json.Marshal(op.Args)
	sum := sha256.Sum256([]byte(g.o.Run + "\x00" + key + "\x00" + op.Call + "\x00" + string(args)))
	run := g.o.Run
	if len(run) > 40 {
		run = run[:40]
	}
	return run + "-" + hex.EncodeToString(sum[:8])
}

// Wait lays the baton down while do runs and takes it up again. It serves
// waits that are no calls: people, and joining branches.
func (g *Gate) Wait(do func()) error {
	g.turn.release()
	do()
	return g.turn.take()
}

func same(call string, args map[string]any, op Op) bool {
	if call != op.Call {
		return false
	}
	if len(args) == 0 && len(op.Args) == 0 {
		return true
	}
	a, errA := json.Marshal(args)
	b, errB := json.Marshal(op.Args)
	return errA == nil && errB == nil && (string(a) == string(b) || alike(plainArgs(args), plainArgs(op.Args)))
}

// Stopped turns the end of a context into what the script gets.
func Stopped(ctx context.Context, err error) error {
	var stop *Stop
	if errors.As(err, &stop) || errors.As(context.Cause(ctx), &stop) {
		return stop
	}
	if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return fault.New(fault.Timeout, "the step's time ran out").NothingDone()
	}
	return &Stop{Why: Cancelled, Text: "cancelled, because another branch failed"}
}
