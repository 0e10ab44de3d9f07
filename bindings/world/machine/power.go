package machine

import (
	"context"
	"fmt"
	"time"
)

// Boot gives power. It returns at once; the guest comes up later. Without
// effect when there is power already.
func (m *Machine) Boot() error { return m.power(m.rack.opt.Boot) }

// BootAtOnce is Boot without its latency: for a machine that was up already
// when the story begins.
func (m *Machine) BootAtOnce() error { return m.power(0) }

func (m *Machine) power(latency time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.powered {
		return nil
	}
	m.powered = true
	if m.broken {
		return nil
	}
	return m.begin(latency)
}

// begin starts a new life of the guest; m.mu is held.
func (m *Machine) begin(latency time.Duration) error {
	g := newGuest(m, m.rescue)
	m.rescue = false
	m.guest = g
	if err := g.begin(latency); err != nil {
		g.kill()
		m.guest = nil
		return fmt.Errorf("boot %s: %w", m.spec.Name, err)
	}
	return nil
}

// Cut takes the power away: processes die as by kill -9, connections are cut,
// the disk stays. It returns when everything is dead.
func (m *Machine) Cut() {
	m.mu.Lock()
	g := m.guest
	m.guest, m.powered = nil, false
	m.mu.Unlock()
	if g != nil {
		g.kill()
	}
}

// Press is the ACPI button. The guest, unless it hangs or is still booting,
// shuts down in order and, when reboot is true, starts again. It returns at
// once and tells nobody whether the guest listened.
func (m *Machine) Press(reboot bool) {
	g := m.life()
	if g == nil || g.state() != Up {
		return
	}
	if !g.leaving.CompareAndSwap(false, true) {
		return
	}
	go func() {
		if !g.shutDown() {
			return // the power was cut meanwhile, or the guest hung
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.guest != g {
			return
		}
		m.guest = nil
		if m.powered = reboot; reboot && !m.broken {
			if err := m.begin(m.rack.opt.Boot); err != nil {
				m.log.add("systemd", "%v", err)
			}
		}
	}()
}

// Rescue says whether the next boot, and only that, goes into the rescue
// system: SSH with the machine's disk as its own, no other unit.
func (m *Machine) Rescue(next bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rescue = next
}

// Hang stops the guest where it stands: open connections freeze, new ones get
// no answer, the ACPI button is ignored. Cutting and giving power heals it.
func (m *Machine) Hang() {
	if g := m.life(); g != nil {
		g.freeze()
	}
}

// Break is a failure of the hardware: the guest dies and no power-on ever
// brings it back. The disk cannot be read any more over the network.
func (m *Machine) Break() {
	m.mu.Lock()
	g := m.guest
	m.guest, m.broken = nil, true
	m.mu.Unlock()
	if g != nil {
		g.kill()
	}
}

// WaitUp waits until the machine is up and the units that start at boot run.
// Returns ctx's error, or one that names the state, when that cannot be.
func (m *Machine) WaitUp(ctx context.Context) error {
	g := m.life()
	if g == nil {
		return fmt.Errorf("wait for %s: the machine is %s", m.spec.Name, m.State())
	}
	select {
	case <-g.up:
		return nil
	case <-g.ctx.Done():
		return fmt.Errorf("wait for %s: the machine is %s", m.spec.Name, m.State())
	case <-ctx.Done():
		return fmt.Errorf("wait for %s: %w", m.spec.Name, ctx.Err())
	}
}
