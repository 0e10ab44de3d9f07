package gate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/policy"
)

const (
	readTries     = 6
	mutationTries = 8
	hurriedTries  = 3
	// stormTries is how often a provider is asked that asks for patience: some
	// four minutes. When a region is out everybody calls it.
	stormTries = 16

	firstBackoff = 500 * time.Millisecond
	longBackoff  = 30 * time.Second
)

// carry makes the call until its outcome is known. A read is repeated on
// passing faults. A mutation is repeated only when it is certain that nothing
// was done: the provider refused, or Settle found no trace of it. lost says
// that an earlier life of the run sent it and did not see the answer. ctx may
// be shielded from the end of script, which is what the script runs under;
// between two tries script counts.
func (g *Gate) carry(ctx, script context.Context, op Op, lost bool, out *journal.Outcome) error {
	if !op.People {
		bounded := limit(ctx, out.Started.Add(longest))
		defer bounded.stop()
		ctx = bounded
	}
	why := "drhost was stopped while it was under way"
	for try := 1; ; try++ {
		var err error
		if !lost {
			out.Value, err = op.Exec(ctx)
			out.Tries = try
			if try == 1 {
				out.Tries = 0
			}
			if err == nil {
				return nil
			}
			var stop *Stop
			if errors.As(err, &stop) {
				return stop // held before it was sent once more
			}
			if errors.Is(ctx.Err(), context.Canceled) {
				return err
			}
		}
		f := fault.As(err2(err))
		last := try >= g.tries(op, f)
		if op.Effect == binding.Reads {
			if !f.Transient || last {
				return err
			}
		} else if lost || f.Sent == fault.Unclear {
			if err != nil {
				why = f.Message
			}
			again, settleErr := g.settle(ctx, script, op, why, out)
			if settleErr != nil || !again {
				return settleErr
			}
			lost = false
			if script.Err() != nil {
				return givenUp(script, op, f)
			}
			if err == nil {
				try-- // nothing was sent by this life yet
				continue
			}
			if last {
				return f.NothingDone()
			}
		} else if !f.Transient || last {
			return err
		}
		wait := backoff(try, f.RetryAfter)
		binding.Progress(ctx, "%s; once more in %s", f.Message, wait.Round(time.Second/10))
		if err := g.o.Clock.Sleep(script, wait); err != nil {
			return givenUp(script, op, f)
		}
	}
}

// tries is how often a call is made in all that keeps failing so.
func (g *Gate) tries(op Op, f *fault.Fault) int {
	switch {
	case g.o.Hurry && f.Kind == fault.Timeout:
		return 1
	case g.o.Hurry:
		return hurriedTries
	case f.Kind == fault.RateLimited:
		return stormTries
	case op.Effect == binding.Reads:
		return readTries
	}
	return mutationTries
}

// givenUp is what becomes of a call that was to be repeated when the script's
// time is up. A mutation that a person has interrupted stays without outcome:
// a resume finds that it did not land, and sends it.
func givenUp(script context.Context, op Op, f *fault.Fault) error {
	if op.Effect == binding.Reads {
		return f
	}
	if stop := interruption(script); stop != nil {
		return stop
	}
	return f.NothingDone()
}

// interruption is the stop with which a person ended ctx, or nil.
func interruption(ctx context.Context) *Stop {
	var stop *Stop
	if ctx.Err() != nil && errors.As(context.Cause(ctx), &stop) && stop.Why == Interrupted {
		return stop
	}
	return nil
}

// unlessInterrupted is ctx, ended too when a person interrupts script; other
// ends of script do not touch it.
func unlessInterrupted(ctx, script context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	release := context.AfterFunc(script, func() {
		if stop := interruption(script); stop != nil {
			cancel(stop)
		}
	})
	return ctx, func() { release(); cancel(nil) }
}

// err2 stands in for the answer that nobody saw.
func err2(err error) error {
	if err == nil {
		return fault.New(fault.Timeout, "the answer was lost")
	}
	return err
}

func backoff(try int, asked time.Duration) time.Duration {
	d := min(firstBackoff<<(try-1), longBackoff)
	d = d/2 + time.Duration(rand.Int64N(int64(d)))
	return max(d, asked)
}

// settle finds out what became of a mutation. It returns true when it
// certainly did not happen and may be sent again.
func (g *Gate) settle(ctx, script context.Context, op Op, why string, out *journal.Outcome) (again bool, err error) {
	ctx, release := unlessInterrupted(ctx, script)
	defer release()
	look := "look at the provider's own console"
	for try := 1; ; try++ {
		s, err := op.Settle(ctx)
		if err == nil {
			switch s.Landed {
			case binding.Yes:
				out.Value, out.Settled = s.Result, "probe"
				return false, nil
			case binding.No:
				return true, nil
			}
			if s.Look != "" {
				look = s.Look
			}
			break
		}
		if stop := interruption(ctx); stop != nil {
			return false, stop
		}
		f := fault.As(err)
		if f.Sent == fault.Done {
			return false, err // it was carried out, and what came of it is known
		}
		if f.Kind == fault.NotFound {
			return true, nil // what it acts on is not there: sent again it does nothing but say so
		}
		if !f.Transient || try >= stormTries || try >= readTries && f.Kind != fault.RateLimited {
			look = "finding out failed as well: " + f.Error()
			break
		}
		if g.o.Clock.Sleep(ctx, backoff(try, fault.As(err).RetryAfter)) != nil {
			break
		}
	}
	return g.askWhatHappened(ctx, op, why, look, out)
}

func (g *Gate) askWhatHappened(ctx context.Context, op Op, why, look string, out *journal.Outcome) (bool, error) {
	v, err := g.o.Operator.Settle(ctx, Lost{Call: op.Call, Says: op.Says, Look: g.CleanText(look), Site: op.Site, Why: g.CleanText(why), Result: op.Result})
	if stop := interruption(ctx); stop != nil {
		return false, stop
	}
	if err != nil || v.Landed == binding.Unknown {
		return false, &Stop{Why: Nobody, Err: err, Text: fmt.Sprintf("%s:%d: nobody knows whether %q happened (%s): %s; then resume and say so",
			op.Site.File, op.Site.Line, op.Says, why, look)}
	}
	if v.Landed == binding.No {
		return true, nil
	}
	value := decodeJSON(v.Result)
	if op.Result != nil {
		if value, err = op.Result.Fit(value); err != nil {
			return false, &Stop{Why: Nobody, Err: err, Text: fmt.Sprintf("%s:%d: what %s says came of %q cannot be used: %v; resume and say it again",
				op.Site.File, op.Site.Line, v.By, op.Says, err)}
		}
	}
	out.Settled, out.By, out.Value = "operator", v.By, value
	return false, nil
}

// consent asks for what the policy does not simply allow.
func (g *Gate) consent(ctx context.Context, key string, op Op) error {
	unplanned, err := g.deviates(key, op)
	if err != nil {
		return err
	}
	d := policy.Decide(request(op), g.o.Rules)
	switch d.Verdict {
	case policy.Allow:
		return nil
	case policy.Deny:
		return &Stop{Why: Refused, Text: fmt.Sprintf("%s:%d: %q is not allowed: %s", op.Site.File, op.Site.Line, op.Says, d.Reason)}
	}
	if unplanned != "" {
		d.Reason += "; it is NOT IN PLAN " + g.o.Follow.ID + ": " + unplanned
	}
	q := Question{Text: fmt.Sprintf("%s (%s)", op.Says, d.Reason), Type: d.Type, Site: op.Site, Destructive: true}
	if turnErr := g.Wait(func() { _, err = g.Approve(ctx, key, q, 1) }); turnErr != nil {
		return turnErr
	}
	return err
}
