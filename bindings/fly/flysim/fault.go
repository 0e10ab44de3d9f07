package flysim

import (
	"context"
	"fmt"
	"time"
)

// findMachine finds a machine by its id or its name; the caller holds the
// lock.
func (s *Sim) findMachine(key string) *machine {
	for _, a := range s.apps {
		if m := a.machines[key]; m != nil {
			return m
		}
	}
	for _, a := range s.inOrder() {
		for _, m := range a.inOrder() {
			if m.name == key && m.state != destroyed {
				return m
			}
		}
	}
	return nil
}

// KillMachine lets a machine's main process die and not come back by itself:
// its restarts are used up.
func (s *Sim) KillMachine(key string) error {
	return s.strike(key, func(m *machine) {
		exit := exitEvent(137, s.now(), false)
		exit["oom_killed"], exit["signal"] = true, 9
		s.note(m, "exit", stopped, "flyd", obj{"exit_event": exit, "restart_count": 10})
		s.addLog(m, "error", "Out of memory: Killed process 314. machine has reached its max restart count (10)")
		s.enter(m, stopped)
	})
}

// LoseMachine lets the host of a machine fail for good: the machine is in the
// books, and nothing can be done with it but to destroy it by force.
func (s *Sim) LoseMachine(key string) error {
	return s.strike(key, func(m *machine) { m.lost = true; s.announce() })
}

// strike kills a machine's processes and changes the books.
func (s *Sim) strike(key string, change func(*machine)) error {
	s.mu.Lock()
	m := s.findMachine(key)
	if m == nil {
		s.mu.Unlock()
		return fmt.Errorf("there is no machine %q", key)
	}
	m.life++
	s.mu.Unlock()
	s.metal.Kill(m.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	change(m)
	return nil
}

// Hung notes that a machine stands still: its checks fail, exec does not end.
// The metal is the caller's. Restarting the machine heals it.
func (s *Sim) Hung(key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.findMachine(key)
	if m == nil {
		return fmt.Errorf("there is no machine %q", key)
	}
	m.hung = true
	s.announce()
	return nil
}

// SetFull says whether a region has no room for another machine or volume.
func (s *Sim) SetFull(region string, full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full[region] = full
}

// SetDown says whether a region is out of reach, with every machine and
// volume in it. Its machines die on the metal when it goes down, and those
// that were started start again when it comes back.
func (s *Sim) SetDown(region string, down bool) {
	s.mu.Lock()
	was := s.down[region]
	s.down[region] = down
	var there []*machine
	for _, a := range s.inOrder() {
		for _, m := range a.inOrder() {
			if m.region == region && m.state != destroyed && !m.lost {
				there = append(there, m)
			}
		}
	}
	if was && !down {
		for _, m := range there {
			if m.state == started || m.state == starting || m.state == restarting || m.state == replacing {
				s.enter(m, starting)
				s.turn(m, s.pause(s.latency.Start), s.bring(m))
			}
		}
	}
	s.announce()
	s.mu.Unlock()
	if down && !was {
		for _, m := range there {
			s.metal.Kill(m.id)
		}
	}
}

// Deploy updates every machine of an app to an image and makes a release of
// it, as a deployment just before the story begins did: at once.
func (s *Sim) Deploy(ctx context.Context, app, image string) error {
	s.mu.Lock()
	a := s.apps[app]
	if a == nil {
		s.mu.Unlock()
		return fmt.Errorf("there is no app %q", app)
	}
	r := s.addRelease(a, image, "complete", "rolling", nil)
	var waits []chan struct{}
	for _, m := range a.inOrder() {
		if m.state != started || s.unreachable(m) {
			continue
		}
		config := clone(m.config)
		config["image"] = image
		metadata := part(config, "metadata")
		metadata["fly_release_version"], metadata["fly_release_id"] = fmt.Sprint(r.version), r.id
		config["metadata"] = metadata
		s.configure(m, config)
		s.note(m, "update", replacing, "user", nil)
		s.enter(m, replacing)
		s.turn(m, s.end(m, starting, true), s.bring(m))
		waits = append(waits, m.working)
	}
	s.mu.Unlock()
	for _, done := range waits {
		select {
		case <-done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// HoldLease lets somebody else hold a machine's lease for a while, who renews
// it: a deployment that hangs.
func (s *Sim) HoldLease(key, by string, d time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.findMachine(key)
	if m == nil {
		return fmt.Errorf("there is no machine %q", key)
	}
	m.lease = &lease{nonce: s.hex(12), owner: by, about: "deployment", version: m.instance, expires: s.lasting(d)}
	return nil
}
