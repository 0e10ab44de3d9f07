// Package run is the engine of a run: steps, branches, waits, approvals and
// the end. It is free of Lua, so that what a word means can be tested without
// a script. It must never reach the world but through the gate.
package run

import (
	"context"
	"errors"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/policy"
)

// Body is a piece of script: the run itself, a step, a branch. Its value is
// plain data.
type Body func(ctx context.Context, sc *gate.Scope) (any, error)

// Options are what an engine needs.
type Options struct {
	Gate     *gate.Gate
	Operator gate.Operator
	Clock    clock.Clock
	Started  journal.Started
}

// Engine runs one runbook.
type Engine struct {
	gate     *gate.Gate
	operator gate.Operator
	clock    clock.Clock
	started  journal.Started
	message  string
	results  map[string]any // values of finished steps by title
	undos    []Undo         // what a retraced run came by
}

// New returns an engine. Its gate's baton is held by whoever calls Run.
func New(o Options) *Engine {
	return &Engine{gate: o.Gate, operator: o.Operator, clock: o.Clock, started: o.Started, results: map[string]any{}}
}

// Exit codes, as the command line documents them.
const (
	ExitDone        = 0
	ExitFailed      = 1
	ExitUsage       = 2
	ExitWaits       = 3
	ExitInterrupted = 4
	ExitMissed      = 5
	ExitJournal     = 6
	ExitInternal    = 70
)

// Run executes main from the start; what the journal knows is not done again.
// It journals the end, except when the run was interrupted: then it can be
// resumed as it stands.
func (e *Engine) Run(ctx context.Context, main Body) journal.Finished {
	root := &gate.Scope{}
	_, err := main(ctx, root)
	if err == nil {
		err = e.gate.AwaitLive(ctx, "the end")
	}
	if err == nil {
		err = e.gate.Orphan("")
	}
	end := e.conclude(err)
	end.NotDone = e.gate.NotDone()
	end.Message, end.Fault = e.gate.CleanText(end.Message), e.gate.CleanFault(end.Fault)
	if end.Exit == ExitInterrupted || end.Exit == ExitJournal {
		return end
	}
	if err := e.gate.Append(journal.RunFinished, end, true); err != nil {
		return e.conclude(err)
	}
	return end
}

func (e *Engine) conclude(err error) journal.Finished {
	var stop *gate.Stop
	switch {
	case err == nil:
		end := journal.Finished{Result: "done", Message: e.message, Exit: ExitDone}
		if rto, parseErr := time.ParseDuration(e.started.RTO); parseErr == nil && e.gate.Mode() == policy.Run &&
			e.clock.Now().Sub(e.started.DetectedAt) > rto {
			end.Exit = ExitMissed
		}
		return end
	case errors.As(err, &stop):
		return journal.Finished{Result: "stopped", Message: stop.Text, Exit: exitOf(stop.Why)}
	}
	f := fault.As(err)
	return journal.Finished{Result: "failed", Message: f.Error(), Fault: f, Exit: ExitFailed}
}

// ExitOf is the exit code of what ended a run before it could be journaled.
func ExitOf(err error) int {
	var stop *gate.Stop
	if errors.As(err, &stop) {
		return exitOf(stop.Why)
	}
	return ExitInternal
}

func exitOf(why gate.StopReason) int {
	switch why {
	case gate.Interrupted, gate.Chosen, gate.Cancelled:
		return ExitInterrupted
	case gate.Unwritable:
		return ExitJournal
	case gate.Full:
		return ExitFailed
	}
	return ExitWaits
}

// Finish sets the run's closing sentence.
func (e *Engine) Finish(text string) { e.message = text }

// Result is the value of the finished step called title; ok is false when no
// such step has finished.
func (e *Engine) Result(title string) (any, bool) {
	v, ok := e.results[title]
	return v, ok
}

// Started is the head of the run.
func (e *Engine) Started() journal.Started { return e.started }

// Note journals text with what it proves.
func (e *Engine) Note(sc *gate.Scope, n journal.NoteText) error { return e.gate.Note(sc, n) }

// Elapsed is the time since detection. It passes the gate, so that a replay
// sees what the first life saw.
func (e *Engine) Elapsed(ctx context.Context, sc *gate.Scope, site journal.Site) (time.Duration, error) {
	v, err := e.gate.Do(ctx, sc, gate.Op{Call: "run.elapsed", Effect: binding.Reads, Says: "read the objective's clock", Site: site,
		Exec: func(context.Context) (any, error) {
			return e.clock.Now().Sub(e.started.DetectedAt).Seconds(), nil
		}})
	if err != nil {
		return 0, err
	}
	seconds, _ := v.(float64)
	return time.Duration(seconds * float64(time.Second)), nil
}

// Expect fails the step when condition is false. In a plan that has predicted
// changes nobody can know: both is followed.
func (e *Engine) Expect(sc *gate.Scope, text string, condition bool, site journal.Site) error {
	n := journal.NoteText{Text: text, Site: site, Form: "expect", Evidence: map[string]any{"ok": condition}}
	d := journal.Decision{Key: sc.Decision("expect"), Form: "expect", Text: text, Choices: []string{"holds", "does not hold"}, Site: site}
	if e.gate.Doubtful() && !e.gate.Way().JustDecided(site) {
		n.Evidence = map[string]any{"planned": true}
		condition = e.gate.Decide(d) == 0
	}
	if !condition {
		d.Choice = 1
	}
	if err := e.gate.Decided(d); err != nil {
		return err
	}
	if err := e.gate.Note(sc, n); err != nil {
		return err
	}
	if !condition {
		return fault.New(fault.Failed, "expected: %s", text)
	}
	return nil
}

// Remaining is the time left until the RTO; has is false without one.
func (e *Engine) Remaining(ctx context.Context, sc *gate.Scope, site journal.Site) (left time.Duration, has bool, err error) {
	rto, err := time.ParseDuration(e.started.RTO)
	if err != nil {
		return 0, false, nil
	}
	elapsed, err := e.Elapsed(ctx, sc, site)
	return rto - elapsed, true, err
}
