package world

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/bindings/hetzner/hetznersim"
)

// Fault is a fault that was put into the world.
type Fault struct {
	Time time.Time      `json:"time"`
	Name string         `json:"name"`
	Args map[string]any `json:"args"`
}

// Faults returns the faults so far, oldest first.
func (w *World) Faults() []Fault {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]Fault{}, w.faults...)
}

func (w *World) record(name string, args map[string]any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, Fault{w.opt.Clock.Now().UTC(), name, args})
}

// KillServer takes the power of a server away: its processes die as by kill
// -9, its disk stays, and giving power again heals it.
func (w *World) KillServer(name string) error {
	return w.hit("kill_server", name, func(id int64) error { return w.metal.Cut(id) })
}

// HangServer lets a server's guest stop where it stands; only cutting the
// power heals it, so that a soft reboot is in vain and a hard one is not.
func (w *World) HangServer(name string) error {
	return w.hit("hang_server", name, func(id int64) error {
		m, err := w.rack.Machine(id)
		if err == nil {
			m.Hang()
		}
		return err
	})
}

// BreakServer lets a server's hardware fail: no reboot brings it back.
func (w *World) BreakServer(name string) error {
	return w.hit("break_server", name, func(id int64) error {
		m, err := w.rack.Machine(id)
		if err == nil {
			m.Break()
		}
		return err
	})
}

// hit carries out a fault of a server and tells its writer.
func (w *World) hit(fault, name string, do func(id int64) error) error {
	state, known := w.hetzner.State().Servers[name]
	if !known {
		return fmt.Errorf("%s: there is no server %q; there are %s", fault, name, w.serverNames())
	}
	if err := do(state.ID); err != nil {
		return fmt.Errorf("%s %s: %w", fault, name, err)
	}
	w.record(fault, map[string]any{"server": name})
	w.mu.Lock()
	defer w.mu.Unlock()
	if writer := w.writers[name]; writer != nil {
		writer.Fault(w.opt.Clock.Now().UTC())
	}
	return nil
}

func (w *World) serverNames() string {
	return strings.Join(slices.Sorted(maps.Keys(w.hetzner.State().Servers)), ", ")
}

// SoldOut makes a location refuse new servers; of one type when serverType is
// not empty.
func (w *World) SoldOut(location, serverType string) error {
	if unknown := hetznersim.Unknown(location, serverType); unknown != "" {
		return fmt.Errorf("sold_out: %s", unknown)
	}
	w.hetzner.SetTypeSoldOut(location, serverType, true)
	args := map[string]any{"location": location}
	if serverType != "" {
		args["type"] = serverType
	}
	w.record("sold_out", args)
	return nil
}

// FailAPI puts a fault in the way of a provider's API ("hetzner",
// "cloudflare").
func (w *World) FailAPI(provider string, f APIFault) error {
	g, err := w.gateway(provider)
	if err == nil {
		err = g.inject(f)
	}
	if err != nil {
		return fmt.Errorf("api: %w", err)
	}
	args := map[string]any{"provider": provider, "kind": f.Kind}
	for name, v := range map[string]any{"count": float64(f.Count), "factor": f.Factor, "status": float64(f.Status)} {
		if v != 0.0 {
			args[name] = v
		}
	}
	for name, v := range map[string]string{"method": f.Method, "path": f.Path} {
		if v != "" {
			args[name] = v
		}
	}
	if f.Cut {
		args["cut"] = true
	}
	w.record("api", args)
	return nil
}

// HealAPI lifts every fault of a provider's API but a revoked token.
func (w *World) HealAPI(provider string) error {
	g, err := w.gateway(provider)
	if err != nil {
		return fmt.Errorf("heal_api: %w", err)
	}
	g.heal()
	w.record("heal_api", map[string]any{"provider": provider})
	return nil
}

// RevokeToken makes a provider refuse its token from now on.
func (w *World) RevokeToken(provider string) error {
	g, err := w.gateway(provider)
	if err != nil {
		return fmt.Errorf("revoke_token: %w", err)
	}
	g.revoke()
	w.record("revoke_token", map[string]any{"provider": provider})
	return nil
}

func (w *World) gateway(provider string) (*gateway, error) {
	if g := w.gateways[provider]; g != nil {
		return g, nil
	}
	return nil, fmt.Errorf("there is no provider %q; there are %s", provider, strings.Join(slices.Sorted(maps.Keys(w.gateways)), ", "))
}
