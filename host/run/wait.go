package run

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/policy"
)

// Try is a piece of script that may be run several times in the same scope.
type Try func(ctx context.Context) (any, error)

// Eventually runs try until it returns true, every so often, and tells whether
// it did within the time given. Passing faults count as "not yet"; others end
// it. In a plan it tries once: what was only predicted counts as come true.
func (e *Engine) Eventually(ctx context.Context, sc *gate.Scope, within, every time.Duration, site journal.Site, try Try) (bool, error) {
	var spent time.Duration
	for {
		meterCtx, meter := clock.WithMeter(ctx)
		start := e.clock.Now()
		v, err := try(meterCtx)
		if err != nil && !passing(err) {
			return false, err
		}
		if err == nil && v == true {
			return true, nil
		}
		if e.gate.Mode() == policy.Plan || within <= 0 {
			return false, nil
		}
		if err := neither(v); err != nil {
			return false, err
		}
		expired, at, err := e.tick(ctx, sc, within, every, site, func() time.Duration {
			return spent + e.clock.Now().Sub(start) + meter.Total()
		})
		if err != nil || expired {
			return false, err
		}
		spent = at
	}
}

// neither refuses what is neither yes nor no: waiting for it to become true
// would only use the time up.
func neither(v any) error {
	switch v.(type) {
	case nil, bool:
		return nil
	}
	return fault.New(fault.Script, "eventually waits until its function returns true, and it returned %v", v)
}

func passing(err error) bool {
	var stop *gate.Stop
	return !errors.As(err, &stop) && fault.As(err).Transient
}

// tick waits between two tries. Its outcome is journaled, so that a replay
// tries as often as the first life did.
func (e *Engine) tick(ctx context.Context, sc *gate.Scope, within, every time.Duration, site journal.Site, spent func() time.Duration) (expired bool, at time.Duration, err error) {
	v, err := e.gate.Do(ctx, sc, gate.Op{Call: "host.wait", Effect: binding.Reads, Site: site,
		Says: fmt.Sprintf("wait %s (for at most %s in all)", every, within),
		Exec: func(ctx context.Context) (any, error) {
			now := spent()
			pause := every
			if within > 0 { // the last try is made when the time is over, not before
				pause = min(every, within-now)
			}
			if within > 0 && now >= within {
				return map[string]any{"expired": true, "spent": now.Seconds()}, nil
			}
			if err := e.clock.Sleep(ctx, pause); err != nil {
				return nil, err
			}
			return map[string]any{"expired": false, "spent": (now + pause).Seconds()}, nil
		}})
	if err != nil {
		return false, 0, err
	}
	m, _ := v.(map[string]any)
	expired, _ = m["expired"].(bool)
	seconds, _ := m["spent"].(float64)
	return expired, time.Duration(seconds * float64(time.Second)), nil
}

// Retry runs try up to attempts times, waiting backoff, then twice as long,
// and so on, in between. The last failure is returned.
func (e *Engine) Retry(ctx context.Context, sc *gate.Scope, attempts int, backoff time.Duration, site journal.Site, try Try) (any, error) {
	for n := 1; ; n++ {
		v, err := try(ctx)
		if err == nil || n >= attempts || isStop(err) || ctx.Err() != nil {
			return v, err
		}
		if _, _, err := e.tick(ctx, sc, 0, backoff<<(n-1), site, func() time.Duration { return 0 }); err != nil {
			return nil, err
		}
	}
}

// Approve asks for the consent of needs different people. Being denied, and
// being left without an answer, stop the run; no script can go on past it.
func (e *Engine) Approve(ctx context.Context, sc *gate.Scope, q gate.Question, needs int, within time.Duration) (by []string, _ error) {
	v, err := e.gate.Do(ctx, sc, gate.Op{Call: gate.ApproveCall, Effect: binding.Reads, Says: "approve: " + q.Text, Site: q.Site, People: true,
		Args: map[string]any{"text": q.Text, "needs": float64(needs)},
		Exec: func(ctx context.Context) (any, error) {
			if e.gate.Mode() == policy.Plan {
				return []any{"nobody: this is a plan"}, nil
			}
			given, err := e.gate.Gather(ctx, sc.Path, q, needs, within)
			names := make([]any, len(given))
			for i, name := range given {
				names[i] = name
			}
			return names, err
		}})
	if err != nil {
		return nil, err
	}
	list, _ := v.([]any)
	for _, name := range list {
		by = append(by, fmt.Sprint(name))
	}
	return by, nil
}

// Ask puts a question and returns the answer.
func (e *Engine) Ask(ctx context.Context, sc *gate.Scope, q gate.Question) (string, error) {
	choices := make([]any, len(q.Choices))
	for i, c := range q.Choices {
		choices[i] = c
	}
	v, err := e.gate.Do(ctx, sc, gate.Op{Call: "host.ask", Effect: binding.Reads, Says: "ask: " + q.Text, Site: q.Site, People: true,
		Args: map[string]any{"text": q.Text, "choices": choices},
		Exec: func(ctx context.Context) (any, error) {
			if e.gate.Mode() == policy.Plan {
				if len(q.Choices) > 0 {
					return q.Choices[0], nil
				}
				return binding.Planned("answer to " + q.Text), nil
			}
			q.Text = e.gate.CleanText(q.Text)
			a, err := e.operator.Choose(ctx, q)
			if errors.Is(err, gate.ErrNobody) {
				return nil, &gate.Stop{Why: gate.Nobody, Err: err, Text: fmt.Sprintf("%s:%d: %q needs an answer and nobody is there to give it; resume with a person present", q.Site.File, q.Site.Line, q.Text)}
			}
			return a.Text, err
		}})
	text, _ := v.(string)
	return text, err
}
