package world

import (
	"context"
	"sync"

	"github.com/webhost-systems/drhost/bindings/hetzner/hetznersim"
	"github.com/webhost-systems/drhost/bindings/world/machine"
)

// metal lets the simulated API of Hetzner stand on a rack of machines.
type metal struct {
	rack *machine.Rack
	key  string // the world's public key: may log in everywhere

	mu     sync.Mutex
	routes map[string]int64 // address -> machine
}

var _ hetznersim.Metal = (*metal)(nil)
var _ hetznersim.Rescuer = (*metal)(nil)

// Provision is hetznersim.Metal's.
func (m *metal) Provision(ctx context.Context, b hetznersim.Blueprint) error {
	made, err := m.rack.Provision(ctx, machine.Spec{ID: b.ID, Name: b.Name, Image: b.Image, Address: b.IPv4,
		UserData: b.UserData, Keys: append([]string{m.key}, b.SSHKeys...)})
	if err != nil {
		return err
	}
	made.Rescue(b.Rescue)
	if b.Start {
		return made.Boot()
	}
	return nil
}

// Boot is hetznersim.Metal's.
func (m *metal) Boot(id int64) error {
	v, err := m.rack.Machine(id)
	if err != nil {
		return err
	}
	return v.Boot()
}

// Cut is hetznersim.Metal's.
func (m *metal) Cut(id int64) error {
	v, err := m.rack.Machine(id)
	if err != nil {
		return err
	}
	v.Cut()
	return nil
}

// Press is hetznersim.Metal's.
func (m *metal) Press(id int64, reboot bool) error {
	v, err := m.rack.Machine(id)
	if err != nil {
		return err
	}
	v.Press(reboot)
	return nil
}

// Image is hetznersim.Metal's.
func (m *metal) Image(id int64, image string) error { return m.rack.Image(id, image) }

// Destroy is hetznersim.Metal's.
func (m *metal) Destroy(id int64) error { return m.rack.Destroy(id) }

// Rescue is hetznersim.Rescuer's.
func (m *metal) Rescue(id int64, next bool) {
	if v, err := m.rack.Machine(id); err == nil { // else it has just been deleted
		v.Rescue(next)
	}
}

// Route is hetznersim.Metal's.
func (m *metal) Route(address string, id int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.routes[address] = id
}

// Powered is hetznersim.Metal's.
func (m *metal) Powered(id int64) bool {
	v, err := m.rack.Machine(id)
	return err == nil && v.Powered()
}

// behind returns the machine that traffic for an address reaches, or nil.
func (m *metal) behind(address string) *machine.Machine {
	m.mu.Lock()
	id := m.routes[address]
	m.mu.Unlock()
	v, err := m.rack.Machine(id)
	if err != nil {
		return nil
	}
	return v
}
