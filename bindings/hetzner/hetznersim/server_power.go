package hetznersim

import (
	"context"
	"fmt"
	"time"
)

// Rescuer is a Metal that can boot the vendor's rescue system. Rescue says
// whether the machine's next boot goes into it. It is optional: without it the
// API keeps its books and machines boot from their disks.
type Rescuer interface {
	Rescue(id int64, next bool)
}

// setRescue tells the metal about the next boot. The caller does not hold the
// lock.
func (s *Sim) setRescue(id int64, next bool) {
	if r, can := s.metal.(Rescuer); can {
		r.Rescue(id, next)
	}
}

// doing makes a step of an action out of what the metal does with a machine.
func (s *Sim) doing(id int64, act func(int64) error) func(context.Context) error {
	return func(context.Context) error {
		if err := act(id); err != nil {
			return fmt.Errorf("server %d: %w", id, err)
		}
		return nil
	}
}

// booting powers a server on. A rescue system is used up by the boot.
func (s *Sim) booting(v *server) func(context.Context) error {
	return func(context.Context) error {
		if err := s.metal.Boot(v.id); err != nil {
			return fmt.Errorf("boot server %d: %w", v.id, err)
		}
		on := s.metal.Powered(v.id)
		s.mu.Lock()
		defer s.mu.Unlock()
		v.heldOff, v.powered, v.rescue = false, on, false
		return nil
	}
}

// command answers a command on a server that nothing else is locking.
func (s *Sim) command(name string, took time.Duration, phase string, begin func(v *server) func(context.Context) error) handler {
	return func(c *call) (int, any, error) {
		v, err := s.freeServer(c.id)
		if err != nil {
			return 0, nil, err
		}
		v.phase = phase
		done := func() { v.phase = "" }
		return s.acted(s.start(job{
			command: name, on: []resource{v.resource()}, took: took, busy: []*int{&v.busy},
			begin: begin(v), end: done, fail: done,
		}))
	}
}

func (s *Sim) powerCommands() map[string]handler {
	l := s.latency
	off := func(v *server) func(context.Context) error {
		return func(context.Context) error {
			if err := s.metal.Cut(v.id); err != nil {
				return fmt.Errorf("power off server %d: %w", v.id, err)
			}
			s.holdOff(v)
			return nil
		}
	}
	press := func(reboot bool) func(v *server) func(context.Context) error {
		return func(v *server) func(context.Context) error {
			return func(context.Context) error { return s.press(v, reboot) }
		}
	}
	reset := func(v *server) func(context.Context) error {
		return func(ctx context.Context) error {
			if err := s.metal.Cut(v.id); err != nil {
				return fmt.Errorf("power off server %d: %w", v.id, err)
			}
			return s.booting(v)(ctx)
		}
	}
	return map[string]handler{
		"poweron":  s.command("start_server", l.StartServer, "starting", s.booting),
		"poweroff": s.command("stop_server", l.StopServer, "stopping", off),
		"reset":    s.command("reset_server", l.ResetServer, "", reset),
		// Both succeed when the signal was sent, whatever the guest does with it.
		"reboot":   s.command("reboot_server", l.RebootServer, "", press(true)),
		"shutdown": s.command("shutdown_server", l.ShutdownServer, "", press(false)),
	}
}

// press sends the ACPI signal, which a guest that hangs ignores. The metal
// cannot say whether the guest did reboot, so a rescue system counts as used
// once a powered machine was told to.
func (s *Sim) press(v *server, reboot bool) error {
	if err := s.metal.Press(v.id, reboot); err != nil {
		return fmt.Errorf("signal server %d: %w", v.id, err)
	}
	on := s.metal.Powered(v.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	v.powered = on
	if reboot && v.on() {
		v.rescue = false
	}
	return nil
}

// enableRescue sets the rescue system for the next boot, for 60 minutes.
func (s *Sim) enableRescue(c *call) (int, any, error) {
	v, err := s.freeServer(c.id)
	if err != nil {
		return 0, nil, err
	}
	var asked struct {
		Type    string `json:"type"`
		SSHKeys []ref  `json:"ssh_keys"`
	}
	if err := c.decode(&asked); err != nil {
		return 0, nil, err
	}
	if asked.Type != "" && asked.Type != "linux64" {
		return 0, nil, invalid("type", "must be linux64")
	}
	if _, err := s.keysFor(asked.SSHKeys); err != nil {
		return 0, nil, err
	}
	a := s.start(job{
		command: "enable_rescue", on: []resource{v.resource()}, took: s.latency.Rescue, busy: []*int{&v.busy},
		begin: func(context.Context) error { s.setRescue(v.id, true); return nil },
		end:   func() { v.rescue, v.rescueUntil = true, s.now().Add(s.scaled(s.latency.RescueLapses)) },
	})
	return 201, obj{"action": s.actionView(a), "root_password": s.password()}, nil
}

func (s *Sim) disableRescue(c *call) (int, any, error) {
	v, err := s.freeServer(c.id)
	if err != nil {
		return 0, nil, err
	}
	return s.acted(s.start(job{
		command: "disable_rescue", on: []resource{v.resource()}, took: s.latency.Rescue, busy: []*int{&v.busy},
		begin: func(context.Context) error { s.setRescue(v.id, false); return nil },
		end:   func() { v.rescue = false },
	}))
}
