package flysim

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// longestWait is the most that one wait may take; 60 s too when none is given.
const longestWait = 60

// settledStates are those in which nothing is being done.
func settledStates() []string { return []string{started, stopped, suspended, destroyed, failed} }

// waitMachine waits until a machine reaches a state.
func (s *Sim) waitMachine(c *call) (int, any, error) {
	query := c.URL.Query()
	seconds := longestWait
	if text := query.Get("timeout"); text != "" {
		var err error
		if seconds, err = strconv.Atoi(text); err != nil || seconds < 1 || seconds > longestWait {
			return 0, nil, invalid("timeout must be between 1 and %d seconds", longestWait)
		}
	}
	states := query["state"]
	if len(states) == 0 {
		states = []string{started}
	}
	for _, state := range states {
		if !slices.Contains(append(settledStates(), "settled"), state) {
			return 0, nil, invalid("cannot wait for state %q", state)
		}
	}
	instance := or(query.Get("version"), query.Get("instance_id"))
	ctx, cancel := context.WithCancel(c.Context())
	defer cancel()
	over := s.timeout(ctx, c.one, time.Duration(seconds)*time.Second)
	for {
		s.mu.Lock()
		now, changed, version := c.one.state, s.changed, c.one.instance
		reached := s.reached(c.one, states, instance)
		s.mu.Unlock()
		if reached {
			return 200, obj{"ok": true, "state": now, "version": version, "event_id": version}, nil
		}
		select {
		case <-changed:
		case <-s.ctx.Done():
			return 0, nil, context.Canceled
		case <-over:
			s.mu.Lock()
			now, reached = c.one.state, s.reached(c.one, states, instance)
			s.mu.Unlock()
			if reached {
				continue
			}
			return 0, nil, &problem{408, fmt.Sprintf("deadline_exceeded: machine failed to reach desired state, %s, currently %s",
				strings.Join(states, ", "), now), "deadline_exceeded"}
		}
	}
}

// timeout closes what it returns when a wait is over. A simulator that runs
// faster than life shortens waits and not what is really being done on the
// metal: that may go on for as long as the wait was meant to be.
func (s *Sim) timeout(ctx context.Context, m *machine, d time.Duration) <-chan struct{} {
	over := make(chan struct{})
	go func() {
		defer close(over)
		if s.sleep(ctx, d) != nil || s.speed <= 1 {
			return
		}
		s.mu.Lock()
		working := m.working
		s.mu.Unlock()
		if working == nil {
			return
		}
		real, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		select {
		case <-working:
		case <-real.Done():
		}
	}()
	return over
}

// reached tells whether a wait is over; the caller holds the lock.
func (s *Sim) reached(m *machine, states []string, instance string) bool {
	if instance != "" && instance != m.instance {
		return false
	}
	return slices.Contains(states, m.state) || (slices.Contains(states, "settled") && slices.Contains(settledStates(), m.state))
}
