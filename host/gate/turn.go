package gate

import (
	"context"
	"sync"
)

// turn is the baton of a run: of all branches one at a time runs script code.
// A branch lays the baton down while it waits for the world, and takes it up
// again in the order in which the waits ended. In a replay that order is the
// journal's: a branch whose next event was recorded is let on only when every
// earlier recorded event has been let on. Branches that share state therefore
// see the same order as in the run that died.
type turn struct {
	mu      sync.Mutex
	held    bool
	events  []string // keys of recorded events not yet let on, in journal order
	waiting []*ticket
	stuck   func(next string, parked []string) error
	failed  error // set once: the replay cannot go on
}

// ticket is a place in the queue. A plain one waits for the baton alone; one
// with an event waits for its turn in the journal; a live one waits until the
// journal is exhausted.
type ticket struct {
	event string
	live  bool
	at    string // where it waits, for the message when nobody can go on
	ready chan error
}

// enqueueEvent takes the place of a recorded event; when the journal does not
// have it, it comes after everything the journal has.
func (t *turn) enqueueEvent(event string) *ticket {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.events {
		if e == event {
			return t.add(&ticket{event: event, at: event})
		}
	}
	return t.add(&ticket{live: true, at: event})
}

// enqueue takes a place that waits for the baton alone.
func (t *turn) enqueue(at string) *ticket {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.add(&ticket{at: at})
}

func (t *turn) add(k *ticket) *ticket {
	k.ready = make(chan error, 1)
	t.waiting = append(t.waiting, k)
	t.grant()
	return k
}

// take waits for the baton.
func (t *turn) take() error {
	t.mu.Lock()
	if !t.held && len(t.waiting) == 0 { // nobody to wait for, so no place in the queue either
		defer t.mu.Unlock()
		t.held = true
		return t.failed
	}
	k := t.add(&ticket{})
	t.mu.Unlock()
	return <-k.ready
}

// release lays the baton down.
func (t *turn) release() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held = false
	t.grant()
}

// replaying tells whether recorded events are left.
func (t *turn) replaying() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.events) > 0
}

// awaitEvent lays the baton down until it is the recorded event's turn. It
// does not heed cancellation: what the journal says has happened.
func (t *turn) awaitEvent(key string) error {
	t.mu.Lock()
	k := &ticket{event: key, at: key}
	t.held = false
	t.add(k)
	t.mu.Unlock()
	return <-k.ready
}

// awaitLive lays the baton down until the journal has nothing more to tell.
// When ctx ends first it returns ctx.Err(), holding the baton. at says where it
// waits; it is asked only when there is something to wait for.
func (t *turn) awaitLive(ctx context.Context, at func() string) error {
	t.mu.Lock()
	if len(t.events) == 0 {
		defer t.mu.Unlock()
		return t.failed
	}
	k := &ticket{live: true, at: at()}
	t.held = false
	t.add(k)
	t.mu.Unlock()
	select {
	case err := <-k.ready:
		return err
	case <-ctx.Done():
		t.mu.Lock()
		k.live = false // from now on it only needs the baton
		t.grant()
		t.mu.Unlock()
		if err := <-k.ready; err != nil {
			return err
		}
		return ctx.Err()
	}
}

// grant hands a free baton on. The caller holds mu.
func (t *turn) grant() {
	if t.held || len(t.waiting) == 0 {
		return
	}
	for i, k := range t.waiting {
		switch {
		case t.failed != nil:
		case k.event != "":
			if len(t.events) == 0 || t.events[0] != k.event {
				continue
			}
			t.events = t.events[1:]
		case k.live && len(t.events) > 0:
			continue
		}
		t.waiting = append(t.waiting[:i:i], t.waiting[i+1:]...)
		t.held = true
		k.ready <- t.failed
		return
	}
	// While events are left nobody is out in the world, so everyone is in
	// this queue and none of them will ever produce the next event.
	var parked []string
	for _, k := range t.waiting {
		parked = append(parked, k.at)
	}
	t.failed = t.stuck(t.events[0], parked)
	t.grant()
}

// drop forgets a recorded event that will not be asked for.
func (t *turn) drop(match func(key string) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	kept := t.events[:0]
	for _, e := range t.events {
		if !match(e) {
			kept = append(kept, e)
		}
	}
	t.events = kept
}

// next returns the first recorded event that was not let on, or "".
func (t *turn) next() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.events) == 0 {
		return ""
	}
	return t.events[0]
}

// holds tells whether event is still to be let on.
func (t *turn) holds(event string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.events {
		if e == event {
			return true
		}
	}
	return false
}
