package gate

import (
	"context"
	"encoding/json"
	"strconv"

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
	if err := g.turn.awaitLive(ctx, func() string { return at }); err != nil {
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
