package run

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/words"
)

// Spec is the head of a step, of a parallel or of one of its branches.
type Spec struct {
	Title    string
	Form     string // step | parallel | each | branch | undo
	Site     journal.Site
	Timeout  time.Duration // 0: none
	Attempts int           // at least 1
	Optional bool          // a failure is recorded and nil returned
	Owner    string
	// Undo makes, of the step's value, what takes the step back; nil when the
	// runbook does not say how.
	Undo func(value any) Body
}

// Step runs fn as a titled step. A finished step hands back its recorded value
// instead of running; one that failed may be tried again, skipped or given up.
func (e *Engine) Step(ctx context.Context, sc *gate.Scope, spec Spec, fn Body) (any, error) {
	spec.Form = "step"
	return e.frame(ctx, sc, spec, fn)
}

// maxNested is how deep steps and branches may stand inside each other.
const maxNested = words.MaxNested

// frame is what steps, parallels and branches have in common.
func (e *Engine) frame(ctx context.Context, sc *gate.Scope, spec Spec, fn Body) (any, error) {
	if !sc.Claim(spec.Title) {
		return nil, fault.New(fault.Invalid, "there are two %ss titled %q here; titles must be unique, because a resume finds a step by its title", spec.Form, spec.Title)
	}
	if depth := strings.Count(sc.Path, "/"); depth >= maxNested {
		return nil, fault.New(fault.Invalid, "%q would be a step inside %d others; a report, and a resume, can use no more", spec.Title, depth+1)
	}
	child := sc.Child(spec.Title)
	if spec.Form == "branch" && sc.Step != "" {
		child.Step = sc.Step + "/" + spec.Title
	}
	return e.enter(ctx, child, spec, fn)
}

// enter runs fn in child, its own scope.
func (e *Engine) enter(ctx context.Context, child *gate.Scope, spec Spec, fn Body) (any, error) {
	if e.gate.Retracing() {
		return e.retrace(ctx, child, spec, fn)
	}
	if s, ok, err := e.gate.Replayed(child.Path); err != nil {
		return nil, err
	} else if ok {
		return e.handBack(s, spec)
	}
	attempt, open := e.gate.Attempts(child.Path)
	if attempt == 0 {
		if err := e.gate.Begin(ctx, child.Path, spec.Form, spec.Title, spec.Site); err != nil {
			return nil, err
		}
	}
	if !open {
		attempt++
		if err := e.begin(child.Path, spec, journal.Step{Attempt: attempt}); err != nil {
			return nil, err
		}
	}
	for ; ; attempt++ {
		value, err := e.attempt(ctx, child, spec, fn)
		if err == nil {
			return e.end(child.Path, spec, journal.Step{Result: "value", Value: value})
		}
		next := journal.Step{Attempt: attempt + 1}
		done, value, err := e.failed(ctx, child, spec, &next, err)
		if done || err != nil {
			return value, err
		}
		e.gate.Again(child.Path)
		child.Restart()
		if err := e.begin(child.Path, spec, next); err != nil {
			return nil, err
		}
	}
}

func (e *Engine) handBack(s journal.Step, spec Spec) (any, error) {
	if s.Result == "fault" && s.Fault != nil && !spec.Optional {
		return nil, raised(s.Fault, spec)
	}
	e.remember(spec, s.Value)
	return s.Value, nil
}

// failedIn is the operation that the journal gives to a fault which names none.
func failedIn(spec Spec) string { return fmt.Sprintf("step %q", spec.Title) }

// raised is a recorded fault as the script got it when the step failed: without
// what the journal adds for its readers. A script that goes on by the words of a
// fault must find the same ones in every life.
func raised(recorded *fault.Fault, spec Spec) error {
	f := *recorded
	if f.Op == failedIn(spec) {
		f.Op = ""
	}
	return &f
}

func (e *Engine) remember(spec Spec, value any) {
	if spec.Form == "step" {
		e.results[spec.Title] = value
	}
}

// begin journals an attempt; s says which, and who wanted it and why.
func (e *Engine) begin(path string, spec Spec, s journal.Step) error {
	if err := e.gate.Room(spec.Site); err != nil {
		return err
	}
	s.Path, s.Title, s.Form, s.Site, s.Owner, s.Optional = path, spec.Title, spec.Form, spec.Site, spec.Owner, spec.Optional
	return e.gate.Append(journal.StepStarted, s, false)
}

func (e *Engine) end(path string, spec Spec, s journal.Step) (any, error) {
	s.Path, s.Title, s.Form, s.Site, s.Owner = path, spec.Title, spec.Form, spec.Site, spec.Owner
	s.HasUndo = s.Result == "value" && spec.Undo != nil
	s.Value = e.gate.Clean(s.Value) // the script goes on with what the journal holds
	if e.gate.OnRecord(path) || e.gate.BrokenOnRecord(path, s.Result) {
		return s.Value, nil
	}
	if err := e.gate.Append(journal.StepFinished, s, true); err != nil {
		return nil, err
	}
	if s.Result != "fault" && s.Result != "cancelled" {
		e.remember(spec, s.Value)
	}
	return s.Value, nil
}

func (e *Engine) attempt(ctx context.Context, child *gate.Scope, spec Spec, fn Body) (any, error) {
	if spec.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, spec.Timeout)
		defer cancel()
	}
	value, err := fn(ctx, child)
	if err != nil {
		return nil, err
	}
	return value, e.gate.Orphan(child.Path)
}

// failed decides what becomes of a step that ended in err. done tells that
// the step is over; neither done nor an error means: once more, as next says.
func (e *Engine) failed(ctx context.Context, child *gate.Scope, spec Spec, next *journal.Step, err error) (done bool, value any, _ error) {
	var stop *gate.Stop
	if errors.As(err, &stop) {
		if stop.Why == gate.Cancelled {
			if _, appendErr := e.end(child.Path, spec, journal.Step{Result: "cancelled"}); appendErr != nil {
				return true, nil, appendErr
			}
		}
		return true, nil, err
	}
	if next.Attempt <= spec.Attempts {
		return false, nil, nil
	}
	f := *fault.As(err)
	if f.Op == "" {
		f.Op = failedIn(spec)
	}
	if (spec.Form == "step" || spec.Form == "undo") && !spec.Optional {
		again, over, value, askErr := e.recover(ctx, child, spec, next, &f)
		if askErr != nil || over {
			return true, value, askErr
		}
		if again {
			return false, nil, nil
		}
	}
	if _, appendErr := e.end(child.Path, spec, journal.Step{Result: "fault", Fault: &f}); appendErr != nil {
		return true, nil, appendErr
	}
	if spec.Optional {
		return true, nil, nil
	}
	return true, nil, err
}

// recover asks the operator about a failed step. What is decided is journaled
// with who decided it and why; over tells that the step needs no more.
func (e *Engine) recover(ctx context.Context, child *gate.Scope, spec Spec, next *journal.Step, f *fault.Fault) (again, over bool, value any, _ error) {
	var remedy gate.Remedy
	var err error
	if turnErr := e.gate.Wait(func() {
		remedy, err = e.operator.Recover(ctx, gate.Failure{Step: child.Path, Undo: spec.Form == "undo", Site: spec.Site, Cause: e.gate.CleanFault(f)})
	}); turnErr != nil {
		return false, false, nil, turnErr
	}
	if errors.Is(err, gate.ErrNobody) {
		return false, false, nil, nil
	}
	if err != nil {
		return false, false, nil, gate.Stopped(ctx, err)
	}
	goOn := "`drhost resume " + e.started.Run + "`"
	if spec.Form == "undo" {
		goOn = "`drhost undo " + e.started.Run + "`"
	}
	switch remedy.Do {
	case "retry":
		next.By, next.Reason = remedy.By, "tried again after: "+f.Message
		return true, false, nil, nil
	case "skip", "by_hand":
		s := journal.Step{Result: "skipped", Value: parseValue(remedy.Value), Reason: remedy.Reason, By: remedy.By}
		if remedy.Do == "by_hand" {
			s.Result = "by_hand"
		}
		value, err := e.end(child.Path, spec, s)
		return false, true, value, err
	case "edit":
		s := journal.Step{Result: "fault", Fault: f, Again: true, By: remedy.By, Reason: "stopped to edit the runbook"}
		if _, err := e.end(child.Path, spec, s); err != nil {
			return false, false, nil, err
		}
		return false, false, nil, &gate.Stop{Why: gate.Chosen, Err: f, Text: fmt.Sprintf("stopped by %s to edit step %q: edit %s (the step begins at line %d), then %s shows the difference and tries the step again",
			remedy.By, spec.Title, spec.Site.File, spec.Site.Line, goOn)}
	case "stop":
		return false, false, nil, &gate.Stop{Why: gate.Chosen, Err: f, Text: fmt.Sprintf("stopped by %s at step %q: %s; %s goes on from here", remedy.By, spec.Title, f.Error(), goOn)}
	}
	return false, false, nil, nil
}
