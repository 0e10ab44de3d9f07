package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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
// it. A plan tries once, and follows both answers unless it is true already and
// nothing was changed before.
func (e *Engine) Eventually(ctx context.Context, sc *gate.Scope, within, every time.Duration, site journal.Site, try Try) (bool, error) {
	d := journal.Decision{Key: sc.Decision("eventually"), Form: "eventually", Choices: []string{"yes", "no"}, Site: site}
	if e.planning() {
		return e.foresee(ctx, d, within, try)
	}
	ok, err := e.poll(ctx, sc, within, every, site, try)
	if err != nil {
		return ok, err
	}
	if !ok {
		d.Choice = 1
	}
	d.Text = fmt.Sprintf("does it come true within %s?", brief(within))
	return ok, e.gate.Decided(d)
}

// planning tells whether this is a plan.
func (e *Engine) planning() bool { return e.gate.Mode() == policy.Plan }

// foresee answers for a plan whether something comes true.
func (e *Engine) foresee(ctx context.Context, d journal.Decision, within time.Duration, try Try) (bool, error) {
	end := e.gate.Way().Hush()
	v, err := try(ctx)
	end()
	switch {
	case isStop(err):
		return false, err
	case e.gate.Way().Changes() > 0: // the world is another by then
	case err != nil && !passing(err):
		return false, err
	case err == nil && v == true:
		return true, nil
	}
	d.Text = fmt.Sprintf("does it come true within %s?", brief(within))
	if read := e.gate.Way().LastRead(); read != "" {
		d.Text = fmt.Sprintf("does %s come true within %s?", read, brief(within))
	}
	return e.gate.Decide(d) == 0, nil
}

// brief writes 2m, not 2m0s.
func brief(d time.Duration) string {
	text := d.String()
	for _, nothing := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, nothing) {
			text = text[:len(text)-2]
		}
	}
	return text
}

// poll runs try until it returns true.
func (e *Engine) poll(ctx context.Context, sc *gate.Scope, within, every time.Duration, site journal.Site, try Try) (bool, error) {
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
		if within <= 0 {
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
	if e.planning() {
		return false, spent(), nil // it would only take time
	}
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
	if e.planning() {
		return nil, e.gate.Append(journal.ApprovalAsked, journal.Approval{Key: sc.Path, Text: q.Text, Site: q.Site, Needs: needs}, false)
	}
	v, err := e.gate.Do(ctx, sc, gate.Op{Call: gate.ApproveCall, Effect: binding.Reads, Says: "approve: " + q.Text, Site: q.Site, People: true,
		Args: map[string]any{"text": q.Text, "needs": float64(needs)},
		Exec: func(ctx context.Context) (any, error) {
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

// Ask puts a question and returns the answer. A plan follows each of the
// choices.
func (e *Engine) Ask(ctx context.Context, sc *gate.Scope, q gate.Question) (string, error) {
	d := journal.Decision{Key: sc.Decision("ask"), Form: "ask", Text: q.Text, Choices: q.Choices, Site: q.Site}
	if e.planning() {
		if len(q.Choices) > 0 {
			return q.Choices[e.gate.Decide(d)], nil
		}
		asked := journal.Approval{Key: sc.Path, Text: q.Text, Site: q.Site, Needs: 1}
		return binding.Planned("answer to " + q.Text), e.gate.Append(journal.ApprovalAsked, asked, false)
	}
	choices := make([]any, len(q.Choices))
	for i, c := range q.Choices {
		choices[i] = c
	}
	v, err := e.gate.Do(ctx, sc, gate.Op{Call: "host.ask", Effect: binding.Reads, Says: "ask: " + q.Text, Site: q.Site, People: true,
		Args: map[string]any{"text": q.Text, "choices": choices},
		Exec: func(ctx context.Context) (any, error) {
			q.Text = e.gate.CleanText(q.Text)
			a, err := e.operator.Choose(ctx, q)
			if errors.Is(err, gate.ErrNobody) {
				return nil, &gate.Stop{Why: gate.Nobody, Err: err, Text: fmt.Sprintf("%s:%d: %q needs an answer and nobody is there to give it; resume with a person present", q.Site.File, q.Site.Line, q.Text)}
			}
			return a.Text, err
		}})
	text, _ := v.(string)
	d.Choice = slices.Index(q.Choices, text)
	if err == nil && d.Choice >= 0 {
		err = e.gate.Decided(d)
	}
	return text, err
}
