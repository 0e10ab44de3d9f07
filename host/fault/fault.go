// Package fault holds the one error type that crosses from a binding to a
// runbook. It must never carry a secret and never decide what happens next:
// retrying, asking and stopping belong to the gate and the engine.
package fault

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind classifies a fault. A runbook branches on it, so the words are a
// contract: they appear in Lua, in the journal and in --json output.
type Kind string

const (
	NotFound    Kind = "not_found"    // what the call names does not exist
	Denied      Kind = "denied"       // wrong or missing rights, or a person said no
	Unanswered  Kind = "unanswered"   // nobody answered in time
	Invalid     Kind = "invalid"      // the call itself is wrong; the same call can never succeed
	Conflict    Kind = "conflict"     // the present state forbids it (locked, exists already, wrong state)
	Exhausted   Kind = "exhausted"    // no capacity, quota or space
	RateLimited Kind = "rate_limited" // the provider asks for patience; nothing was done
	Unavailable Kind = "unavailable"  // connection refused, cut, or a 5xx
	Timeout     Kind = "timeout"      // no answer within the deadline
	Failed      Kind = "failed"       // the provider tried and reports failure; or a check failed
	Diverged    Kind = "diverged"     // a replay met another call than the journal holds
	Cancelled   Kind = "cancelled"    // the run or the branch was told to stop
	Script      Kind = "script"       // the runbook itself is wrong: a Lua error
	Internal    Kind = "internal"     // a fault of drhost itself
)

// Sent says what is known of a mutation whose call ended in a fault.
type Sent int

const (
	// Unclear: it may have been carried out. The zero value, because it is
	// the only assumption that is safe.
	Unclear Sent = iota
	// NotDone: the provider certainly did not carry it out.
	NotDone
	// Done: the provider accepted it, and what went wrong afterwards is known:
	// its action failed, or did not finish in time. Sending it again or asking
	// what became of it would teach nothing.
	Done
)

// Fault is an error with everything an operator needs. Op is the operation in
// lower case ("reboot hobby-1"), Message one sentence without a secret, Hint
// what to do next.
type Fault struct {
	Kind       Kind          `json:"kind"`
	Op         string        `json:"op,omitempty"`
	Message    string        `json:"message"`
	Hint       string        `json:"hint,omitempty"`
	Provider   string        `json:"provider,omitempty"`  // the module: "hetzner"
	Call       string        `json:"call,omitempty"`      // "hetzner.reboot"; filled in by the gate
	Transient  bool          `json:"transient,omitempty"` // the same call may succeed a little later
	Sent       Sent          `json:"sent,omitempty"`      // for mutations: is it certain that nothing was done?
	RetryAfter time.Duration `json:"-"`                   // how long the provider asks to wait; 0 when it does not say
	Cause      error         `json:"-"`
}

// New returns a fault. Kinds that by their meaning exclude that anything was
// done (not_found, denied, invalid, conflict, exhausted, rate_limited) are
// marked NotDone; rate_limited, unavailable and timeout are marked Transient.
func New(kind Kind, format string, args ...any) *Fault {
	f := &Fault{Kind: kind, Message: fmt.Sprintf(format, args...)}
	for _, a := range args {
		if err, ok := a.(error); ok {
			f.Cause = err
		}
	}
	switch kind {
	case NotFound, Denied, Unanswered, Invalid, Conflict, Exhausted, RateLimited, Diverged:
		f.Sent = NotDone
	}
	switch kind {
	case RateLimited, Unavailable, Timeout:
		f.Transient = true
	}
	return f
}

// WithHint sets what to do next and returns f.
func (f *Fault) WithHint(format string, args ...any) *Fault {
	f.Hint = fmt.Sprintf(format, args...)
	return f
}

// WithOp sets the operation and returns f.
func (f *Fault) WithOp(format string, args ...any) *Fault {
	f.Op = fmt.Sprintf(format, args...)
	return f
}

// NothingDone marks that the provider certainly did not act (connection
// refused before a byte was sent, a name that does not resolve).
func (f *Fault) NothingDone() *Fault {
	f.Sent = NotDone
	return f
}

// AlreadyDone marks that the provider accepted the mutation and that what went
// wrong afterwards is known; such a fault is never transient.
func (f *Fault) AlreadyDone() *Fault {
	f.Sent, f.Transient = Done, false
	return f
}

// Passing marks that the same call may succeed a little later.
func (f *Fault) Passing() *Fault {
	f.Transient = true
	return f
}

// Error reads "op: message (hint)".
func (f *Fault) Error() string {
	var b strings.Builder
	if f.Op != "" {
		b.WriteString(f.Op + ": ")
	}
	b.WriteString(f.Message)
	if f.Hint != "" {
		b.WriteString(" (" + f.Hint + ")")
	}
	return b.String()
}

func (f *Fault) Unwrap() error { return f.Cause }

// As returns err as a fault; an error that is none becomes one of kind
// Internal with unclear outcome.
func As(err error) *Fault {
	var f *Fault
	if errors.As(err, &f) {
		return f
	}
	return &Fault{Kind: Internal, Message: err.Error(), Cause: err}
}

// KindOf returns the kind of err, or "" for nil.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	return As(err).Kind
}
