package bindings

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/webhost-systems/drhost/bindings/world"
	"github.com/webhost-systems/drhost/bindings/world/machine"
	"github.com/webhost-systems/drhost/host/clock"
)

// Simulation is a simulated world as a host sees it: everything that crosses
// is JSON or plain data.
type Simulation struct {
	world *world.World
	spec  world.Spec
}

// StartWorld starts the world that the file at path describes.
func StartWorld(ctx context.Context, path, name string, speed float64, seed int64) (*Simulation, error) {
	spec, err := world.Load(path)
	if err != nil {
		return nil, err
	}
	w, err := world.Start(ctx, spec, world.Options{Name: name, Speed: speed, Seed: seed})
	if err != nil {
		return nil, err
	}
	s := &Simulation{w, spec}
	if err := s.awaitCustomers(ctx); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return s, nil
}

// awaitCustomers waits until customers have begun to write, so that a backup
// made now is one of a living database.
func (s *Simulation) awaitCustomers(ctx context.Context) error {
	live := map[string]int{} // rows to begin with, by server or Postgres app
	for _, server := range s.spec.Servers {
		if server.Live && !server.Off {
			live[server.Name] = server.Updates
		}
	}
	for _, p := range s.spec.Postgres {
		if p.Live {
			live[p.Name] = p.Updates
		}
	}
	for name, rows := range live {
		err := clock.Poll(ctx, clock.System{}, 30*time.Second, 20*time.Millisecond, func(context.Context) (bool, error) {
			truth, err := s.world.Truth(name)
			return truth.Count > int64(rows), err
		})
		if err != nil {
			return fmt.Errorf("wait for the customers of %s: %w", name, err)
		}
	}
	return nil
}

// database is one that ought to have a backup before anything happens.
type database struct {
	Server   string `json:"server"`
	Host     string `json:"host"`
	Database string `json:"database"`
}

// Describe says how other processes get into the world, and which databases
// it has.
func (s *Simulation) Describe() ([]byte, error) {
	described := struct {
		world.Descriptor
		Databases []database `json:"databases"`
	}{Descriptor: s.world.Descriptor()}
	servers := s.world.State().Hetzner.Servers
	for _, server := range s.spec.Servers {
		if server.Role == world.RoleApp && !server.Off {
			described.Databases = append(described.Databases, database{server.Name, servers[server.Name].IPv4, machine.Database})
		}
	}
	for _, p := range s.spec.Postgres {
		if p.ReplicaOf == "" && !p.Managed {
			described.Databases = append(described.Databases, database{p.Name, p.Name + ".flycast", machine.Database})
		}
	}
	return json.MarshalIndent(described, "", "  ")
}

// Faults are those injected so far, as JSON: [{time, name, args}].
func (s *Simulation) Faults() ([]byte, error) { return json.Marshal(s.world.Faults()) }

// Stopped is closed when another process asked the world to end.
func (s *Simulation) Stopped() <-chan struct{} { return s.world.Stopped() }

// Close ends the world and everything it started.
func (s *Simulation) Close() error { return s.world.Close() }

// Verbs are what Do understands.
func (s *Simulation) Verbs() []string { return WorldVerbs() }

// WorldVerbs are what a simulated world understands: the faults, and questions.
func WorldVerbs() []string {
	return slices.Concat(world.FaultNames(), []string{"state", "requests", "commands", "inbox", "truth", "customer"})
}

// WorldFaults are the faults that a simulated world knows.
func WorldFaults() []string { return world.FaultNames() }

// WorldFaultArguments are the names of a fault's arguments.
func WorldFaultArguments(fault string) []string { return world.FaultArguments(fault) }

// Do injects a fault or answers a question; args are plain data by name, the
// answer is plain data.
func (s *Simulation) Do(name string, args map[string]any) (any, error) {
	text := func(key string) string { v, _ := args[key].(string); return v }
	switch name {
	case "state":
		return plain(s.world.State())
	case "requests":
		return plain(s.world.Requests())
	case "commands":
		return plain(s.world.Commands())
	case "inbox":
		return plain(s.world.Inbox())
	case "customer":
		return plain(s.world.Customer(context.Background(), text("url")))
	case "truth":
		truth, err := s.world.Truth(text("server"))
		if err != nil {
			return nil, err
		}
		return plain(truth)
	}
	return nil, s.world.Inject(name, args)
}

func plain(v any) (any, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("tell about the world: %w", err)
	}
	var out any
	return out, json.Unmarshal(text, &out)
}
