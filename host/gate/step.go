package gate

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/journal"
)

// Replayed returns what the journal holds of the finished step or branch at
// path, waiting for its turn. ok is false when it has to run.
func (g *Gate) Replayed(path string) (s journal.Step, ok bool, err error) {
	s, ok = g.cursor.steps[path]
	if !ok {
		return s, false, nil
	}
	if g.turn.holds(stepEvent + path) {
		if err := g.turn.awaitEvent(stepEvent + path); err != nil {
			return s, true, err
		}
	}
	delete(g.cursor.steps, path)
	return s, true, nil
}

// Attempts is how often the step at path was started in earlier lives. open
// tells that the last attempt was under way when the run died; else it failed
// and is to be tried again.
func (g *Gate) Attempts(path string) (n int, open bool) {
	n = g.cursor.attempts[path]
	return n, n > 0 && !g.cursor.reopened[path]
}

// Note journals a note, once: a replay does not repeat it.
func (g *Gate) Note(sc *Scope, n journal.NoteText) error {
	sc.notes++
	n.Key = sc.Path + "/note" + strconv.Itoa(sc.notes)
	if g.cursor.notes[n.Key] {
		return nil
	}
	if g.trail != nil {
		return nil
	}
	if err := g.Room(n.Site); err != nil {
		return err
	}
	g.cursor.notes[n.Key] = true
	return g.Append(journal.Note, n, false)
}

// OnRecord tells whether the end of the branch at path is journaled already.
func (g *Gate) OnRecord(path string) bool {
	_, ok := g.cursor.branches[path]
	return ok
}

// BrokenOnRecord tells whether the journal says last of the branch at path that
// it ended with this result: fault or cancelled.
func (g *Gate) BrokenOnRecord(path, result string) bool { return g.cursor.broken[path] == result }

// AwaitLive waits until the journal has nothing more to tell.
func (g *Gate) AwaitLive(ctx context.Context, at string) error {
	if err := g.turn.awaitLive(ctx, at); err != nil {
		return Stopped(ctx, err)
	}
	return nil
}

// Again makes the step at path ready to run once more: its mutations that
// succeeded answer from memory.
func (g *Gate) Again(path string) {
	g.cursor.beginAnew(path)
	for key, out := range g.succeeded {
		if under(key, path) {
			g.cursor.done[key] = out
		}
	}
	for key := range g.cursor.outcomes {
		if under(key, path) {
			delete(g.cursor.outcomes, key)
		}
	}
	for inner := range g.cursor.branches {
		if under(inner, path) {
			delete(g.cursor.branches, inner)
		}
	}
	g.turn.drop(func(event string) bool { return under(eventKey(event), path) })
}

// Orphan returns a divergence when the journal holds calls or unsettled
// mutations inside path that the script did not make.
func (g *Gate) Orphan(path string) error {
	for key, in := range g.pending {
		if under(key, path) {
			return &Stop{Why: Diverged, Text: fmt.Sprintf("%s:%d: the journal says that %q was sent from here and its outcome is unknown, but the script no longer makes this call; "+
				"restore the line, or settle it by hand", in.Site.File, in.Site.Line, in.Says)}
		}
	}
	for key, out := range g.cursor.outcomes {
		if under(key, path) {
			return g.orphaned(out)
		}
	}
	return nil
}

// Finish ends the holding of the baton by a branch that is through.
func (g *Gate) Finish() { g.turn.release() }

// Branch takes a place in the queue for a branch about to be started; the
// branch calls the result before anything else and then holds the baton.
func (g *Gate) Branch(path string) (start func() error) {
	if g.trail != nil && g.trail.started[path] && !g.turn.holds(startEvent+path) {
		return g.next(path) // the order in which it was started is not known any more
	}
	k := g.turn.enqueueEvent(startEvent + path)
	return func() error { return <-k.ready }
}

// Rejoin takes a place in the queue for whoever joins branches.
func (g *Gate) Rejoin(path string) (back func() error) {
	if g.trail != nil {
		return g.next(path)
	}
	return g.Branch(path + " (joined)")
}

// next takes a place that waits for nothing but the baton.
func (g *Gate) next(path string) func() error {
	k := g.turn.enqueue(path)
	return func() error { return <-k.ready }
}

func (g *Gate) stuck(next string, parked []string) error {
	if out, ok := g.cursor.outcomes[next]; ok {
		return g.orphaned(out)
	}
	return &Stop{Why: Diverged, Text: fmt.Sprintf("the journal says that the script came to %q here, but now it never does (waiting: %s); was it renamed or removed?",
		eventKey(next), strings.Join(parked, ", "))}
}

func (g *Gate) orphaned(out journal.Outcome) error {
	return &Stop{Why: Diverged, Text: fmt.Sprintf("%s:%d: the journal holds the outcome of %s (%s), a call the script no longer makes; restore it, or start a new run",
		out.Site.File, out.Site.Line, describeCall(out.Call, out.Args), out.Key)}
}

func diverged(key, call string, args map[string]any, site journal.Site, op Op) error {
	return &Stop{Why: Diverged, Err: fault.New(fault.Diverged, "call %s differs from the journal", key),
		Text: fmt.Sprintf("the script changed inside a step that was under way: the journal holds %s made at %s:%d, the script now makes %s at %s:%d; restore the first, or start a new run",
			describeCall(call, args), site.File, site.Line, describeCall(op.Call, op.Args), op.Site.File, op.Site.Line)}
}

func describeCall(call string, args map[string]any) string {
	text, err := json.Marshal(args)
	if err != nil || len(args) == 0 {
		return call
	}
	if len(text) > 160 {
		text = append(text[:157], "..."...)
	}
	return call + string(text)
}

func decodeJSON(raw json.RawMessage) any {
	if len(raw) == 0 {
		return nil
	}
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return string(raw)
	}
	return v
}
