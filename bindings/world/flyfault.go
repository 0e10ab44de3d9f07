package world

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/bindings/fly/flysim"
	"github.com/webhost-systems/drhost/bindings/world/machine"
)

// Node is a server of a Postgres app as it really is.
type Node struct {
	App     string        `json:"app"`
	Region  string        `json:"region"`
	State   machine.State `json:"state"`
	Standby bool          `json:"standby"`
	Zombie  bool          `json:"zombie"`
	Full    bool          `json:"full"`
	From    string        `json:"from,omitempty"` // machine that it follows
}

func (f *flyMetal) state() map[string]Node {
	f.mu.Lock()
	defer f.mu.Unlock()
	nodes, at := map[string]Node{}, map[string]string{}
	for id, n := range f.running {
		at[n.b.PrivateIP], at[id+".vm."+n.b.App+".internal"] = id, id
	}
	for id, n := range f.running {
		nodes[id] = Node{App: n.b.App, Region: n.b.Region, State: n.m.State(), Standby: n.m.Standby(), Zombie: n.zombie, Full: n.full,
			From: at[n.m.Following()]}
	}
	return nodes
}

// flyMachine finds a machine by its id or its name.
func (w *World) flyMachine(key string) (id string, m flysim.MachineState, app string, err error) {
	if w.fly == nil {
		return "", m, "", errNoFly
	}
	var names []string
	for name, a := range w.fly.State().Apps {
		for id, m := range a.Machines {
			if id == key || m.Name == key {
				return id, m, name, nil
			}
			names = append(names, m.Name)
		}
	}
	slices.Sort(names)
	return "", m, "", fmt.Errorf("there is no machine %q; there are %s", key, strings.Join(names, ", "))
}

// hitMachine carries out a fault of a machine at Fly.io and tells the writer.
func (w *World) hitMachine(fault, key string, do func(id, app string) error) error {
	id, _, app, err := w.flyMachine(key)
	if err == nil {
		err = do(id, app)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", fault, err)
	}
	w.record(fault, map[string]any{"machine": key})
	w.struck(app)
	return nil
}

// struck tells the customers' writer that a fault hits an app now.
func (w *World) struck(app string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if writer := w.writers[app]; writer != nil {
		writer.Fault(w.opt.Clock.Now().UTC())
	}
}

// KillMachine lets a machine's main process die for good: starting or
// restarting the machine heals it.
func (w *World) KillMachine(key string) error {
	return w.hitMachine("kill_machine", key, func(id, _ string) error { return w.fly.KillMachine(id) })
}

// LoseMachine lets the host of a machine fail for good.
func (w *World) LoseMachine(key string) error {
	return w.hitMachine("lose_machine", key, func(id, _ string) error { return w.fly.LoseMachine(id) })
}

// HangMachine lets a machine stand still: it counts as started, its checks
// fail, nothing answers. Restarting it heals it.
func (w *World) HangMachine(key string) error {
	return w.hitMachine("hang_machine", key, func(id, _ string) error {
		w.metalFly.mu.Lock()
		n, s := w.metalFly.running[id], w.metalFly.sites[id]
		w.metalFly.mu.Unlock()
		switch {
		case n != nil:
			n.m.Hang()
		case s != nil:
			s.hang()
		default:
			return errors.New("the machine does not run")
		}
		return w.fly.Hung(id)
	})
}

// HoldLease lets somebody else hold a machine's lease, for some minutes (an
// hour when 0), as a deployment does that hangs.
func (w *World) HoldLease(key, by string, minutes float64) error {
	if minutes == 0 {
		minutes = 60
	}
	id, _, _, err := w.flyMachine(key)
	if err == nil {
		err = w.fly.HoldLease(id, or(by, "deployer@webhost.systems"), time.Duration(minutes*float64(time.Minute)))
	}
	if err != nil {
		return fmt.Errorf("hold_lease: %w", err)
	}
	w.record("hold_lease", map[string]any{"machine": key, "by": by})
	return nil
}

// LoseLeader lets the host of a Postgres app's primary fail for good.
func (w *World) LoseLeader(app string) error {
	if w.fly == nil {
		return fmt.Errorf("lose_leader: %w", errNoFly)
	}
	n := w.metalFly.leader(app)
	if n == nil {
		return fmt.Errorf("lose_leader: app %q has no leader", app)
	}
	if err := w.fly.LoseMachine(n.b.ID); err != nil {
		return fmt.Errorf("lose_leader: %w", err)
	}
	w.record("lose_leader", map[string]any{"app": app})
	w.struck(app)
	return nil
}

// Region takes a region of Fly.io down, with every machine and volume in it,
// or lets it come back.
func (w *World) Region(name string, up bool) error {
	fault := map[bool]string{true: "region_up", false: "region_down"}[up]
	if w.fly == nil {
		return fmt.Errorf("%s: %w", fault, errNoFly)
	}
	w.fly.SetDown(name, !up)
	w.record(fault, map[string]any{"region": name})
	if !up {
		for app, a := range w.fly.State().Apps {
			for _, m := range a.Machines {
				if m.Region == name {
					w.struck(app)
				}
			}
		}
	}
	return nil
}

// RegionFull makes a region refuse new machines and volumes.
func (w *World) RegionFull(name string) error {
	if w.fly == nil {
		return fmt.Errorf("region_full: %w", errNoFly)
	}
	w.fly.SetFull(name, true)
	w.record("region_full", map[string]any{"region": name})
	return nil
}

// BadRelease deploys an image to an app whose application answers every
// request with 500.
func (w *World) BadRelease(app, image string) error {
	if w.fly == nil {
		return fmt.Errorf("bad_release: %w", errNoFly)
	}
	a, known := w.fly.State().Apps[app]
	if !known || a.Postgres {
		return fmt.Errorf("bad_release: there is no web app %q", app)
	}
	image = or(image, fmt.Sprintf("registry.fly.io/%s:deployment-bad-%d", app, len(a.Releases)+1))
	w.metalFly.mu.Lock()
	w.metalFly.bad[image] = true
	w.metalFly.mu.Unlock()
	if err := w.fly.Deploy(context.Background(), app, image); err != nil {
		return fmt.Errorf("bad_release: %w", err)
	}
	w.record("bad_release", map[string]any{"app": app, "image": image})
	w.struck(app)
	return nil
}

// ReplicaLag cuts a standby off from its primary: what is committed from now
// on does not reach it until its machine is started anew.
func (w *World) ReplicaLag(key string) error {
	return w.hitMachine("replica_lag", key, func(id, _ string) error {
		n := w.metalFly.nodeOf(id)
		if n == nil || !n.m.Standby() {
			return errors.New("the machine is no running replica")
		}
		n.m.HoldStream(true)
		w.metalFly.mu.Lock()
		defer w.metalFly.mu.Unlock()
		n.lag = true
		return nil
	})
}

// DiskFull fills the disk of a Postgres app's primary: it becomes read-only,
// as postgres-flex does at 90 %, until its volume is extended.
func (w *World) DiskFull(app string) error {
	if w.fly == nil {
		return fmt.Errorf("disk_full: %w", errNoFly)
	}
	n := w.metalFly.leader(app)
	if n == nil {
		return fmt.Errorf("disk_full: app %q has no leader", app)
	}
	w.metalFly.mu.Lock()
	n.full = true
	w.metalFly.mu.Unlock()
	if err := n.m.Settings(w.metalFly.settings(n)); err != nil {
		return fmt.Errorf("disk_full: %w", err)
	}
	w.fly.Log(n.b.ID, "error", "monitor | disk usage is above 90%: the cluster is read-only now")
	w.record("disk_full", map[string]any{"app": app})
	w.struck(app)
	return nil
}

// CutProvider cuts the network to a provider: its API and everything that
// runs there is out of reach until heal_api.
func (w *World) CutProvider(provider string) error {
	g, err := w.gateway(provider)
	if err != nil {
		return fmt.Errorf("cut_provider: %w", err)
	}
	g.mu.Lock()
	g.cut = true
	g.mu.Unlock()
	w.record("cut_provider", map[string]any{"provider": provider})
	return nil
}
