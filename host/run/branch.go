package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/words"
)

// Branch is one of several pieces of script that run at the same time.
type Branch struct {
	Name string
	Run  Body
}

// Fan says how branches run.
type Fan struct {
	AtOnce    int  // how many at a time; 0: all
	KeepGoing bool // a failure does not cancel the others
}

// Joined is what branches gave, by name. Failures is filled only with
// KeepGoing.
type Joined struct {
	Results  map[string]any
	Failures map[string]*fault.Fault
}

// Parallel runs the branches in the order given, as many at a time as fan
// says, and joins them. Without KeepGoing the first failure cancels the others
// and is returned.
func (e *Engine) Parallel(ctx context.Context, sc *gate.Scope, spec Spec, branches []Branch, fan Fan) (Joined, error) {
	value, err := e.frame(ctx, sc, spec, func(ctx context.Context, child *gate.Scope) (any, error) {
		joined, err := e.fanOut(ctx, child, branches, fan)
		if err != nil {
			return nil, err
		}
		return plainJoined(joined)
	})
	if err != nil {
		return Joined{}, err
	}
	return parseJoined(value)
}

// join is the state that the branches of one fan share. It is touched only
// with the baton held.
type join struct {
	e       *Engine
	ctx     context.Context
	cancel  context.CancelCauseFunc
	scope   *gate.Scope
	fan     Fan
	todo    []Branch
	running int
	out     Joined
	weight  int // of the results so far
	first   error
	done    chan func() error
}

func (e *Engine) fanOut(ctx context.Context, sc *gate.Scope, branches []Branch, fan Fan) (Joined, error) {
	j := &join{e: e, scope: sc, fan: fan, todo: branches, done: make(chan func() error, 1),
		out: Joined{Results: map[string]any{}, Failures: map[string]*fault.Fault{}}}
	if len(branches) == 0 {
		return j.out, nil
	}
	j.ctx, j.cancel = context.WithCancelCause(ctx)
	defer j.cancel(nil)
	atOnce := fan.AtOnce
	if atOnce <= 0 || atOnce > len(branches) {
		atOnce = len(branches)
	}
	if e.planning() {
		atOnce = 1 // so that every way of the plan meets things in the same order
	}
	for range atOnce {
		j.startNext()
	}
	e.gate.Finish()
	back := <-j.done
	if err := back(); err != nil {
		return Joined{}, err
	}
	if j.first != nil {
		return Joined{}, j.first
	}
	return j.out, nil
}

// startNext starts the next branch; the caller holds the baton.
func (j *join) startNext() {
	b := j.todo[0]
	j.todo = j.todo[1:]
	j.running++
	start := j.e.gate.Branch(j.scope.Child(b.Name).Path)
	go j.run(b, start)
}

// run is a branch's goroutine. It ends by handing the baton on: to the next
// branch or, when it is the last, to whoever joins.
func (j *join) run(b Branch, start func() error) {
	err := start()
	var value any
	if err == nil {
		spec := Spec{Title: b.Name, Form: "branch", Attempts: 1}
		value, err = j.e.frame(j.ctx, j.scope, spec, func(ctx context.Context, sc *gate.Scope) (v any, err error) {
			defer func() {
				if p := recover(); p != nil {
					err = fault.New(fault.Internal, "branch %q: %v", b.Name, p)
				}
			}()
			return b.Run(ctx, sc)
		})
	}
	j.note(b.Name, value, err)
	j.running--
	if len(j.todo) > 0 && j.ctx.Err() == nil {
		j.startNext()
	}
	if j.running == 0 {
		j.done <- j.e.gate.Rejoin(j.scope.Path)
	}
	j.e.gate.Finish()
}

func (j *join) note(name string, value any, err error) {
	if err == nil {
		if j.weight += weight(value); j.weight <= maxJoined {
			j.out.Results[name] = value
			return
		}
		err = fault.New(fault.Script, "branch %q: the branches return more than %d MiB together; let each return less", name, maxJoined>>20)
	}
	var stop *gate.Stop
	stops := errors.As(err, &stop)
	if j.fan.KeepGoing && !stops {
		j.out.Failures[name] = fault.As(err)
		return
	}
	if rank(err) > rank(j.first) {
		j.first = err
	}
	if j.e.planning() && !isStop(err) {
		return // in the run the others have begun by then
	}
	j.cancel(&gate.Stop{Why: gate.Cancelled, Text: fmt.Sprintf("cancelled, because branch %q failed", name)})
}

// maxJoined is how many bytes the results of one fan may have together: they
// become one record.
const maxJoined = words.MaxJoined

// weight is about how many bytes a value takes in the journal.
func weight(v any) int {
	n := 8
	switch v := v.(type) {
	case string:
		n += len(v)
	case []any:
		for _, x := range v {
			n += weight(x)
		}
	case map[string]any:
		for key, x := range v {
			n += len(key) + weight(x)
		}
	}
	return n
}

// rank orders what branches ended in: a stop counts more than the failure that
// came first, and one that has something to say more than the journal's end.
func rank(err error) int {
	var stop *gate.Stop
	switch {
	case err == nil:
		return 0
	case !errors.As(err, &stop) || stop.Why == gate.Cancelled:
		return 1
	case stop.Why == gate.Retraced:
		return 2
	}
	return 3
}

func isStop(err error) bool {
	var stop *gate.Stop
	return errors.As(err, &stop) && stop.Why != gate.Cancelled
}

func plainJoined(j Joined) (any, error) {
	failures := map[string]any{}
	for name, f := range j.Failures {
		text, err := json.Marshal(f)
		if err != nil {
			return nil, err
		}
		failures[name] = parseValue(text)
	}
	return map[string]any{"results": j.Results, "failures": failures}, nil
}

func parseJoined(value any) (Joined, error) {
	m, _ := value.(map[string]any)
	j := Joined{Failures: map[string]*fault.Fault{}}
	j.Results, _ = m["results"].(map[string]any)
	failures, _ := m["failures"].(map[string]any)
	for name, v := range failures {
		text, err := json.Marshal(v)
		if err != nil {
			return j, err
		}
		f := &fault.Fault{}
		if err := json.Unmarshal(text, f); err != nil {
			return j, fmt.Errorf("read the failure of branch %q: %w", name, err)
		}
		j.Failures[name] = f
	}
	return j, nil
}

func parseValue(raw json.RawMessage) any {
	var v any
	if len(raw) == 0 || json.Unmarshal(raw, &v) != nil {
		return nil
	}
	return v
}
