package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/policy"
	"github.com/webhost-systems/drhost/host/run"
	"github.com/webhost-systems/drhost/host/sandbox"
)

// Sim is a simulated world that this process keeps running.
type Sim struct {
	World  *World
	Live   LiveWorld
	remove func()
}

// Close ends the world and takes its description away.
func (s *Sim) Close() error {
	s.remove()
	return s.Live.Close()
}

// StartSim starts the world described at path under the name "sim" or o.Name,
// so that `--env sim` finds it, and takes a first backup of its databases.
func (h *Host) StartSim(ctx context.Context, path string, o WorldOptions) (*Sim, error) {
	if path == "" {
		path = filepath.Join("runbooks", "worlds", "webhost.toml")
	}
	p, err := h.open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	if o.Name == "" {
		o.Name = simulated
	}
	if w, err := readWorld(p.state, o.Name); err == nil {
		return nil, Usage(fmt.Errorf("a simulated world %q runs already (process %d)", w.Name, w.PID))
	}
	return h.startWorld(ctx, p, path, o)
}

func (h *Host) startWorld(ctx context.Context, p *project, path string, o WorldOptions) (*Sim, error) {
	if h.Worlds == nil {
		return nil, Usage(errors.New("this drhost was built without simulated worlds"))
	}
	live, err := h.Worlds(ctx, path, o)
	if err != nil {
		return nil, Usage(fmt.Errorf("start the world %s: %w", path, err))
	}
	sim := &Sim{Live: live, World: &World{}, remove: func() {}}
	description, err := live.Describe()
	if err == nil {
		err = json.Unmarshal(description, sim.World)
	}
	if err == nil {
		sim.remove, err = publishWorld(p.state, o.Name, description)
	}
	if err == nil {
		err = h.firstBackups(ctx, p, sim.World, o.Name)
	}
	if err != nil {
		return nil, errors.Join(err, sim.Close())
	}
	return sim, nil
}

// firstBackups makes the backups that the world's databases would have had.
func (h *Host) firstBackups(ctx context.Context, p *project, w *World, name string) error {
	for _, d := range w.Databases {
		_, err := h.Once(ctx, p, "sim:"+name, "backup.create", map[string]any{"host": d.Host, "database": d.Database, "label": d.Server})
		if err != nil {
			return fmt.Errorf("back up %s of %s: %w", d.Database, d.Server, err)
		}
	}
	return nil
}

// Once makes one call outside of any run, without a journal: for preparing
// simulated worlds only.
func (h *Host) Once(ctx context.Context, p *project, envName, call string, plain map[string]any) (any, error) {
	env, err := p.environment(envName, h.Clock)
	if err != nil {
		return nil, err
	}
	if env.world == nil {
		return nil, fmt.Errorf("%s outside of a run is for simulated worlds only", call)
	}
	function := h.Catalog.Function(call)
	module := function.Spec().Module
	resolve := p.resolver(env, &h.redactor)
	clients, err := h.clients(env, []string{module}, resolve, p.config.Dir)
	if err != nil {
		return nil, err
	}
	defer closeAll(clients)
	args, err := function.Decode(plain, resolve)
	if err != nil {
		return nil, err
	}
	g, err := gate.New(gate.Options{Run: "prepare", Operator: &Unattended{}, Clock: env.clock, Redactor: &h.redactor, Rules: policy.Rules{Mode: policy.Drill}}, nil)
	if err != nil {
		return nil, err
	}
	return g.Do(ctx, &gate.Scope{}, gate.Op{Call: call, Effect: function.Spec().Effect, Args: plain, Says: function.Spec().Sentence(plain),
		Exec:   func(ctx context.Context) (any, error) { return function.Call(ctx, clients[module], args) },
		Settle: sandbox.SettleOf(function, clients[module], args)})
}

// session lets a drill's own functions act on its world, outside the run that
// is being judged and without a journal.
func (h *Host) session(p *project, script *sandbox.Script, source sandbox.Source, envName string, started journal.Started) (*prepared, error) {
	s, err := h.attach(p, script, h.bundle(source), envName)
	if err != nil {
		return nil, err
	}
	g, err := gate.New(gate.Options{Run: started.Run, Operator: &Unattended{Yes: true}, Clock: s.env.clock, Redactor: s.redactor,
		Rules: policy.Rules{Mode: policy.Drill, YesDestroys: true}}, nil)
	if err != nil {
		return nil, err
	}
	engine := run.New(run.Options{Gate: g, Operator: &Unattended{}, Clock: s.env.clock, Started: started})
	script.Begin(sandbox.Session{Engine: engine, Gate: g, Clients: s.clients, Secret: s.resolve})
	return s, nil
}

// waitForRun waits until the run is done or has failed, whoever executes it.
// One that stops for want of a person can be resumed again; stopped is told.
func (p *project) waitForRun(ctx context.Context, id string, stopped func(message string)) error {
	told := 0
	for {
		records, err := p.store.Read(ctx, id)
		if err != nil && !errors.Is(err, journal.ErrNotFound) {
			return err
		}
		ends := 0
		for _, r := range records {
			if r.Kind != journal.RunFinished {
				continue
			}
			end, err := journal.Decode[journal.Finished](r)
			if err != nil || end.Result != "stopped" {
				return err
			}
			if ends++; ends > told {
				told = ends
				stopped(end.Message)
			}
		}
		if err := (clock.System{}).Sleep(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}
