package flysim

import (
	"context"
	"fmt"
	"time"
)

// writable tells whether a change may be made: the host must be in reach, and
// a lease must be the caller's. The caller holds the lock.
func (s *Sim) writable(c *call) error {
	if s.unreachable(c.one) {
		return &problem{503, fmt.Sprintf("unavailable: the host of machine %s is unreachable", c.one.id), "unavailable"}
	}
	return s.leaseAllows(c)
}

// blueprint is what the metal starts; the caller holds the lock.
func (m *machine) blueprint() Blueprint {
	return Blueprint{ID: m.id, Name: m.name, App: m.app.name, Region: m.region, Image: word(m.config, "image"),
		PrivateIP: m.privateIP, Volume: mount(m.config), Env: m.env, Postgres: m.app.postgres}
}

// enter puts a machine into a state; the caller holds the lock.
func (s *Sim) enter(m *machine, state string) {
	m.state, m.updated = state, s.now()
	s.announce()
}

// turn runs the steps of a change on a machine, after what is being done to it
// already. A step that is overtaken ends it. The caller holds the lock.
func (s *Sim) turn(m *machine, steps ...func(ctx context.Context, life int) bool) {
	m.life++
	life, before, done := m.life, m.working, make(chan struct{})
	m.working = done
	s.begin(func(ctx context.Context) {
		defer close(done)
		if before != nil {
			select {
			case <-before:
			case <-ctx.Done():
				return
			}
		}
		for _, step := range steps {
			if !step(ctx, life) {
				return
			}
		}
	})
	if s.closed {
		close(done)
	}
}

// pause is a step that waits.
func (s *Sim) pause(d time.Duration) func(context.Context, int) bool {
	return func(ctx context.Context, _ int) bool { return s.sleep(ctx, d) == nil }
}

// bring is a step that starts the machine on the metal.
func (s *Sim) bring(m *machine) func(context.Context, int) bool {
	return func(ctx context.Context, life int) bool {
		s.mu.Lock()
		if m.life != life || s.unreachable(m) {
			s.mu.Unlock()
			return false
		}
		b := m.blueprint()
		s.mu.Unlock()
		err := s.metal.Start(ctx, b)
		s.mu.Lock()
		defer s.mu.Unlock()
		if m.life != life {
			return false
		}
		if err != nil {
			s.addLog(m, "error", fmt.Sprintf("could not start: %v", err))
			s.note(m, "exit", failed, "flyd", obj{"exit_event": exitEvent(1, s.now(), false)})
			s.enter(m, failed)
			return false
		}
		m.hung = false
		s.note(m, "start", started, "flyd", nil)
		s.enter(m, started)
		return true
	}
}

// end is a step that stops it there. state is what the machine is in then.
func (s *Sim) end(m *machine, state string, requested bool) func(context.Context, int) bool {
	return func(ctx context.Context, life int) bool {
		if err := s.metal.Stop(ctx, m.id); err != nil && ctx.Err() == nil {
			s.metal.Kill(m.id)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if m.life != life {
			return false
		}
		m.hung = false
		s.note(m, "exit", stopped, "flyd", obj{"exit_event": exitEvent(0, s.now(), requested)})
		s.enter(m, state)
		return true
	}
}

func exitEvent(code int, at time.Time, requested bool) obj {
	return obj{"exit_code": code, "guest_exit_code": code, "guest_signal": -1, "oom_killed": false,
		"requested_stop": requested, "restarting": false, "signal": -1, "exited_at": at.Format(time.RFC3339Nano)}
}

// launch starts a machine after a while; the caller holds the lock.
func (s *Sim) launch(m *machine, latency time.Duration) {
	s.turn(m, s.pause(latency), s.move(m, starting), s.pause(s.latency.Start), s.bring(m))
}

// move is a step that puts the machine into a state.
func (s *Sim) move(m *machine, state string) func(context.Context, int) bool {
	return func(_ context.Context, life int) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		if m.life == life {
			s.enter(m, state)
		}
		return m.life == life
	}
}

// relaunch starts a machine anew after an update, except one that was stopped:
// that stays so, as Fly's log says ("machine was in a non-started state prior
// to the update so leaving the new version stopped"). The caller holds the
// lock.
func (s *Sim) relaunch(m *machine) {
	ran := m.state == started || m.state == starting || m.state == restarting
	rested := m.state == stopped || m.state == suspended
	s.enter(m, replacing)
	switch {
	case ran:
		s.turn(m, s.pause(s.latency.Update), s.end(m, starting, true), s.pause(s.latency.Start), s.bring(m))
		return
	case rested:
		s.addLog(m, "info", "machine was in a non-started state prior to the update so leaving the new version stopped")
		s.turn(m, s.pause(s.latency.Update), s.move(m, stopped))
		return
	}
	s.turn(m, s.pause(s.latency.Update), s.move(m, starting), s.pause(s.latency.Start), s.bring(m))
}

func (s *Sim) startMachine(c *call) (int, any, error) {
	m := c.one
	if err := s.writable(c); err != nil {
		return 0, nil, err
	}
	previous := m.state
	switch previous {
	case started, starting:
		return 200, obj{"previous_state": previous}, nil
	case stopped, suspended, failed:
	default:
		return 0, nil, precondition("unable to start machine from current state: '%s'", previous)
	}
	s.note(m, "start", starting, "user", nil)
	s.enter(m, starting)
	s.turn(m, s.pause(s.latency.Start), s.bring(m))
	return 200, obj{"previous_state": previous}, nil
}

func (s *Sim) stopMachine(c *call) (int, any, error) { return s.halt(c, "stop", stopping, stopped) }

func (s *Sim) suspendMachine(c *call) (int, any, error) {
	return s.halt(c, "suspend", suspending, suspended)
}

func (s *Sim) halt(c *call, event, during, after string) (int, any, error) {
	m := c.one
	if err := s.writable(c); err != nil {
		return 0, nil, err
	}
	switch m.state {
	case started, starting, restarting, replacing:
	case stopped, suspended, stopping, suspending:
		return 200, obj{"ok": true}, nil
	default:
		return 0, nil, precondition("unable to %s machine from current state: '%s'", event, m.state)
	}
	s.note(m, event, during, "user", nil)
	s.enter(m, during)
	s.turn(m, s.pause(s.latency.Stop), s.end(m, after, true))
	return 200, obj{"ok": true}, nil
}

func (s *Sim) restartMachine(c *call) (int, any, error) {
	m := c.one
	if err := s.writable(c); err != nil {
		return 0, nil, err
	}
	switch m.state {
	case started, stopped, starting, failed, suspended:
	default:
		return 0, nil, precondition("unable to restart machine from current state: '%s'", m.state)
	}
	s.note(m, "restart", restarting, "user", nil)
	s.enter(m, restarting)
	s.turn(m, s.pause(s.latency.Stop), s.end(m, starting, true), s.pause(s.latency.Start), s.bring(m))
	return 200, obj{"ok": true}, nil
}

// signalMachine knows the signals that end a process; others pass unheard.
func (s *Sim) signalMachine(c *call) (int, any, error) {
	var in struct {
		Signal any `json:"signal"`
	}
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	m := c.one
	if err := s.writable(c); err != nil {
		return 0, nil, err
	}
	if m.state != started {
		return 0, nil, precondition("unable to signal machine from current state: '%s'", m.state)
	}
	switch fmt.Sprint(in.Signal) {
	case "9", "SIGKILL", "15", "SIGTERM", "2", "SIGINT", "3", "SIGQUIT":
		s.enter(m, stopping)
		s.turn(m, s.end(m, stopped, true))
	}
	return 200, obj{"ok": true}, nil
}

func (s *Sim) cordonMachine(cordoned bool) handler {
	return func(c *call) (int, any, error) {
		if err := s.writable(c); err != nil {
			return 0, nil, err
		}
		c.one.cordoned, c.one.updated = cordoned, s.now()
		s.announce()
		return 200, obj{"ok": true}, nil
	}
}

// destroyMachine also drops one whose host is lost: the books are the
// platform's own.
func (s *Sim) destroyMachine(c *call) (int, any, error) {
	m := c.one
	force := c.URL.Query().Get("force") == "true" || c.URL.Query().Get("kill") == "true"
	if err := s.leaseAllows(c); err != nil {
		return 0, nil, err
	}
	switch {
	case m.state == destroyed || m.state == destroying:
		return 200, obj{"ok": true}, nil
	case !force && s.unreachable(m):
		return 0, nil, s.writable(c)
	case !force && m.state != stopped && m.state != suspended && m.state != created && m.state != failed:
		return 0, nil, precondition("unable to destroy machine, not currently stopped or suspended")
	}
	s.note(m, "destroy", destroying, "user", nil)
	s.enter(m, destroying)
	s.turn(m, s.pause(s.latency.Destroy), func(context.Context, int) bool {
		s.metal.Kill(m.id)
		s.metal.Destroy(m.id)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.note(m, "destroy", destroyed, "flyd", nil)
		m.lease = nil
		s.detach(m)
		s.enter(m, destroyed)
		return true
	})
	return 200, obj{"ok": true}, nil
}
