package gate

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/journal"
)

// Operator is the person at the run, or whoever answers in a drill. Every
// method returns ErrNobody when nobody is there to answer.
type Operator interface {
	// Approve asks for consent to what the question describes.
	Approve(ctx context.Context, q Question) (Answer, error)
	// Choose asks for one of q.Choices, or for free text when there are none.
	Choose(ctx context.Context, q Question) (Answer, error)
	// Settle asks what became of a mutation whose answer was lost.
	Settle(ctx context.Context, q Lost) (Verdict, error)
	// Recover asks what to do about a failed step.
	Recover(ctx context.Context, f Failure) (Remedy, error)
}

// Question is put to the operator. Type is what has to be typed to consent,
// empty when yes is enough. An approval that Needs more than one person names
// in Given those who have consented already.
type Question struct {
	Text        string
	Detail      []string // lines to show under it
	Site        journal.Site
	Choices     []string
	Type        string
	Destructive bool
	Needs       int
	Given       []string
}

// remedy is what lets a run go on that found nobody to answer q.
func (q Question) remedy() string {
	switch {
	case q.Type != "":
		return fmt.Sprintf("a person present, who has to type %q", q.Type)
	case q.Destructive:
		return "a person present, or with --yes=destroys"
	}
	return "a person present, or with --yes"
}

// Answer is what came back; By names who gave it.
type Answer struct {
	Text string // approved, denied, or the choice
	By   string
}

// Lost is a mutation with an intent and no outcome. Result is what the call
// gives when it happened; nil when that is not declared.
type Lost struct {
	Call string
	Says string
	Look string // where to look
	Site journal.Site
	Why  string

	Result *binding.Type
}

// Fits tells what is wrong with a result that a person gives, as JSON.
func (l Lost) Fits(result json.RawMessage) error {
	if l.Result == nil {
		return nil
	}
	_, err := l.Result.Fit(decodeJSON(result))
	return err
}

// Verdict is the operator's finding. With Landed Yes, Result is the call's
// result as JSON (empty: nothing).
type Verdict struct {
	Landed binding.Landed
	Result json.RawMessage
	By     string
}

// Failure is a step that failed. Undo tells that it is the undo of one.
type Failure struct {
	Step  string
	Undo  bool
	Site  journal.Site
	Cause error
}

// Remedy is what to do about a failed step: retry, skip, by_hand, edit (stop,
// and try it again on resume) or stop; anything else leaves the fault to the
// runbook. A skip, and work done by hand, carry their reason and the value that
// stands in for the step's.
type Remedy struct {
	Do     string
	Reason string
	Value  json.RawMessage
	By     string
}

// Stop is an error that no script can catch: the run ends here, resumable.
type Stop struct {
	Why  StopReason
	Text string
	Err  error
}

// StopReason says why a run was stopped; it decides the exit code.
type StopReason string

const (
	Interrupted StopReason = "interrupted" // by a signal
	Nobody      StopReason = "nobody"      // a question found no one to answer it
	Refused     StopReason = "refused"     // a person or the policy said no
	Diverged    StopReason = "diverged"    // the script no longer fits the journal
	Unwritable  StopReason = "unwritable"  // the journal cannot be written
	Cancelled   StopReason = "cancelled"   // a sibling branch failed
	Retraced    StopReason = "retraced"    // what the journal holds was gone through, and nothing new is done
	Chosen      StopReason = "chosen"      // the operator chose to stop
	Held        StopReason = "held"        // a lever is down: `drhost halt`
	Full        StopReason = "full"        // the run's journal holds as much as a run may record
)

func (s *Stop) Error() string { return s.Text }
func (s *Stop) Unwrap() error { return s.Err }

// ErrNobody is what an Operator answers when no person is there.
var ErrNobody = &Stop{Why: Nobody, Text: "nobody is there to answer"}
