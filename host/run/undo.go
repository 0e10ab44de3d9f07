package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
)

// Undo takes back one finished step.
type Undo struct {
	Path  string
	Title string
	Site  journal.Site
	Run   Body
	seq   int64 // of the record that finished the step
}

// Undoing is a run that is about to be taken back: Steps in the order in which
// they are undone, the last that finished first.
type Undoing struct {
	Steps []Undo
	gate.Traced
}

// Retrace goes over the run once more to come by the undo of every step that
// finished with a value. Nothing new is done; the engine's gate is one that
// retraces. An error is a Stop: an unsettled call that nobody knows about, an
// interrupt, a journal that cannot be written.
func (e *Engine) Retrace(ctx context.Context, main Body) (*Undoing, error) {
	_, err := main(ctx, &gate.Scope{})
	var stop *gate.Stop
	if errors.As(err, &stop) {
		switch stop.Why {
		case gate.Retraced, gate.Cancelled:
		case gate.Diverged:
			e.gate.Strayed(err)
		default:
			return nil, err
		}
	}
	sort.SliceStable(e.undos, func(i, j int) bool { return e.undos[i].seq > e.undos[j].seq })
	u := &Undoing{Steps: e.undos}
	var paths []string
	for _, s := range u.Steps {
		paths = append(paths, s.Path)
	}
	u.Traced = e.gate.Traced(paths)
	return u, nil
}

// retrace is enter in a run that is retraced: the body answers from the
// journal, and what became of the step is what the journal says.
func (e *Engine) retrace(ctx context.Context, child *gate.Scope, spec Spec, fn Body) (any, error) {
	end, known := e.gate.Ended(child.Path)
	value, err := fn(ctx, child)
	var stop *gate.Stop
	if errors.As(err, &stop) {
		e.gate.Strayed(err)
		if lost := stop.Why == gate.Retraced || stop.Why == gate.Diverged || stop.Why == gate.Cancelled; !known || !lost {
			return nil, err
		}
	}
	if !known {
		if err != nil {
			return nil, e.gate.GoneThrough(ctx, child.Path) // it failed, and would be tried again
		}
		// All it did is done; the run only died before it could say so.
		if value, err = e.end(child.Path, spec, journal.Step{Result: "value", Value: value}); err != nil {
			return nil, err
		}
		end = gate.End{Step: journal.Step{Path: child.Path, Result: "value", Value: value}, Seq: e.gate.Appended()}
	} else if err := e.gate.Arrived(child.Path); err != nil {
		e.gate.Strayed(err)
	}
	return e.recall(end, spec, err)
}

// recall hands on what the journal says of a retraced step; err is what its
// body ended in.
func (e *Engine) recall(end gate.End, spec Spec, err error) (any, error) {
	switch end.Result {
	case "cancelled":
		return nil, &gate.Stop{Why: gate.Cancelled, Text: "cancelled, because another branch failed"}
	case "fault":
		var stop *gate.Stop
		switch {
		case spec.Optional:
			return nil, nil
		case err != nil && !errors.As(err, &stop):
			return nil, err
		case end.Fault != nil:
			return nil, raised(end.Fault, spec)
		}
		return nil, fault.New(fault.Failed, "step %q failed", spec.Title)
	case "value":
		if spec.Undo != nil {
			e.undos = append(e.undos, Undo{Path: end.Path, Title: spec.Title, Site: spec.Site, Run: spec.Undo(end.Value), seq: end.Seq})
		}
	}
	e.remember(spec, end.Value)
	return end.Value, nil
}

// Consent asks whether u is to be carried out and journals the answer with the
// list. An undo that was begun and has not changed since needs no second one.
func (e *Engine) Consent(ctx context.Context, u *Undoing, records []journal.Record) error {
	begun := journal.Undoing{Left: u.Left, Lost: u.Lost, Refuted: u.Refuted}
	for _, s := range u.Steps {
		begun.Steps = append(begun.Steps, journal.Undone{Path: s.Path, Title: s.Title})
	}
	for _, r := range records {
		if r.Kind != journal.UndoStarted {
			continue
		}
		before, err := journal.Decode[journal.Undoing](r)
		if err != nil {
			return err
		}
		if slices.Equal(before.Steps, begun.Steps) && slices.Equal(before.Lost, begun.Lost) {
			return nil
		}
	}
	q := gate.Question{Text: fmt.Sprintf("Undo %s of run %s", plural(len(u.Steps), "step"), e.started.Run), Detail: begun.List(),
		Site: journal.Site{File: e.started.Runbook}, Destructive: len(u.Lost) > 0}
	var answer gate.Answer
	var err error
	if turnErr := e.gate.Wait(func() { answer, err = e.gate.Approve(ctx, journal.UndoRoot, q, 1) }); turnErr != nil {
		return turnErr
	}
	if err != nil {
		return unasked(err, q, len(u.Lost) > 0)
	}
	begun.By = answer.By
	return e.gate.Append(journal.UndoStarted, begun, true)
}

// unasked says what would have been undone when nobody was there to consent.
func unasked(err error, q gate.Question, lost bool) error {
	var stop *gate.Stop
	if !errors.As(err, &stop) || stop.Why != gate.Nobody {
		return err
	}
	how := "run it with a person present, or with --yes"
	if lost {
		how = "not all of it can be undone, so --yes is not enough: run it with a person present, or restore the runbook as it was"
	}
	return &gate.Stop{Why: gate.Nobody, Err: err, Text: fmt.Sprintf("%s:\n%s\nNobody is there to consent; %s", q.Text, strings.Join(q.Detail, "\n"), how)}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Undo carries out what was consented to. What earlier undos of the run
// finished is not done again. It journals the end, except when it was
// interrupted: then it can be resumed as it stands.
func (e *Engine) Undo(ctx context.Context, u *Undoing) journal.Finished {
	var err error
	for _, s := range u.Steps {
		spec := Spec{Title: "Undo: " + s.Title, Form: "undo", Site: s.Site, Attempts: 1}
		if _, err = e.enter(ctx, gate.UndoScope(s.Path), spec, s.Run); err != nil {
			break
		}
	}
	if err == nil {
		err = e.gate.AwaitLive(ctx, "the end of the undo")
	}
	if err == nil {
		err = e.gate.Orphan(journal.UndoRoot)
	}
	end := e.conclude(err)
	if err == nil {
		end = journal.Finished{Result: "done", Message: plural(len(u.Steps), "step") + " undone"}
		if n := len(u.Left) + len(u.Lost); n > 0 {
			end.Message += fmt.Sprintf("; left as it is: %s", plural(n, "change"))
		}
	}
	end.Message, end.Fault = e.gate.CleanText(end.Message), e.gate.CleanFault(end.Fault)
	if end.Exit == ExitInterrupted || end.Exit == ExitJournal {
		return end
	}
	if err := e.gate.Append(journal.UndoFinished, end, true); err != nil {
		return e.conclude(err)
	}
	return end
}
