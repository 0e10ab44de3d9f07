package fly

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// act sends one command to a machine under its lease.
func (c *Client) act(ctx context.Context, op string, l *lease, action, path string, body, out any) error {
	if err := l.keep(ctx, op); err != nil {
		return before(err)
	}
	return c.do(ctx, op, request{action: action, subject: l.id, method: http.MethodPost, nonce: l.nonce, body: body,
		url: c.appURL(l.app, "/machines/%s%s", l.id, path)}, out)
}

// restartOne restarts a machine under its lease and waits until it has come
// back. One that this call has restarted before is only waited for.
func (c *Client) restartOne(ctx context.Context, b *budget, op string, m *machine, l *lease, force bool) (*machine, error) {
	seen, err := c.look(ctx, op, l.app, m.ID)
	if err != nil {
		return m, before(err)
	}
	mark := seen.newest()
	done, err := c.restartedBy(ctx, op, l.app, seen)
	if err != nil {
		return m, before(err)
	}
	if !done {
		if err := c.markRestart(ctx, op, l, seen); err != nil {
			return m, before(err)
		}
		action, path := "restart", fmt.Sprintf("/restart?force_stop=%t", force)
		if seen.State == "stopped" || seen.State == "suspended" {
			action, path = "start", "/start"
		}
		if err := c.act(ctx, op, l, action, path, nil, nil); err != nil {
			return m, err
		}
		seen, err = c.reach(ctx, b, op, l.app, m.ID, "started", func(m *machine) bool {
			return started(m) && (m.newest() != mark || mark == "")
		})
	} else {
		seen, err = c.reach(ctx, b, op, l.app, m.ID, "started", started)
	}
	return seen, accepted(err)
}

type restartMachineArgs struct {
	App     string        `lua:"app" doc:"Name of the app."`
	Machine string        `lua:"machine" doc:"Id or name of the machine."`
	Force   bool          `lua:"force" default:"false" doc:"Whether to kill it instead of asking it to end."`
	Within  time.Duration `lua:"within" default:"5m" doc:"How long it may take until it is healthy again."`
}

var machineRestart = binding.Func[*Client, restartMachineArgs, Machine]{
	Name: "machine_restart", Effect: binding.Mutates,
	Doc:     "Restart a machine under its lease and wait until it is started and its checks pass.",
	Says:    "restart machine {machine} of {app}",
	Raises:  raises(fault.Conflict, fault.Failed),
	Example: `fly.machine_restart { app = "webhost-prod", machine = "d891234567890a" }`,
	Target:  "machine",
	Call:    (*Client).machineRestart,
	Predict: func(c *Client, ctx context.Context, a restartMachineArgs) (Machine, error) {
		m, err := c.restartable(ctx, "restart machine "+a.Machine, a.App, a.Machine)
		return foretold(a.App, m, "started"), err
	},
	Settled: func(c *Client, ctx context.Context, a restartMachineArgs) (binding.Settlement[Machine], error) {
		op := "find out about the restart of " + a.Machine
		return settled(c, ctx, func(ctx context.Context) (Machine, bool, error) {
			m, err := c.find(ctx, op, a.App, a.Machine)
			if err != nil {
				return Machine{}, false, err
			}
			done, err := c.restartedBy(ctx, op, a.App, m)
			return machineOf(a.App, m), done && m.healthy(), err
		})
	},
}

func (c *Client) restartable(ctx context.Context, op, app, name string) (*machine, error) {
	if binding.IsPlanned(app) || binding.IsPlanned(name) {
		return &machine{ID: name, State: "started"}, nil
	}
	m, err := c.find(ctx, op, app, name)
	if err != nil {
		return nil, before(err)
	}
	ours, err := c.restartedBy(ctx, op, app, m)
	switch {
	case err != nil:
		return nil, before(err)
	case !m.reachable():
		return nil, deadHost(op, app, m)
	case m.rests() && !ours:
		return nil, fault.New(fault.Conflict, "machine %s is %s", m.ID, m.State).WithOp("%s", op).
			WithHint("fly.machine_start { app = %q, machine = %q } starts it", app, m.ID)
	}
	return m, nil
}

// deadHost is the fault of a machine that Fly cannot act on.
func deadHost(op, app string, m *machine) error {
	return fault.New(fault.Conflict, "the host of machine %s (%s) does not answer", m.ID, m.Region).WithOp("%s", op).
		WithHint("nothing can be done to it until Fly has its host back: fly.clone or fly.move_region { app = %q, ... } builds a substitute elsewhere", app)
}

// foretold is a machine as a plan expects it after a change.
func foretold(app string, m *machine, state string) Machine {
	if m == nil {
		return Machine{}
	}
	out := machineOf(app, m)
	out.State, out.Healthy = state, state == "started"
	return out
}

func (c *Client) machineRestart(ctx context.Context, a restartMachineArgs) (Machine, error) {
	op := "restart machine " + a.Machine
	m, err := c.restartable(ctx, op, a.App, a.Machine)
	if err != nil {
		return Machine{}, err
	}
	var out Machine
	ctx, b := c.budget(ctx, a.Within)
	return out, c.leased(ctx, op, a.App, m.ID, func(ctx context.Context, l *lease) error {
		if _, err := c.restartOne(ctx, b, op, m, l, a.Force); err != nil {
			return err
		}
		m, err := c.reach(ctx, b, op, a.App, m.ID, "healthy", (*machine).healthy)
		out = machineOf(a.App, m)
		return accepted(err)
	})
}

type powerArgs struct {
	App     string        `lua:"app" doc:"Name of the app."`
	Machine string        `lua:"machine" doc:"Id or name of the machine."`
	Within  time.Duration `lua:"within" default:"3m" doc:"How long it may take."`
}

// command is a mutation of one machine that ends in a state.
type command struct {
	verb   string // "start", for messages
	action string
	path   string
	body   any
	what   string // of the end state
	coming string // state of a machine that is on its way there; empty: there is none
	met    func(*machine) bool
}

// carry brings a machine into a state. Nothing is done to one that is there,
// and one that is on its way, maybe by an earlier life's request, is waited for.
func (c *Client) carry(ctx context.Context, app, name string, within time.Duration, k command) (Machine, error) {
	op := k.verb + " machine " + name
	m, err := c.find(ctx, op, app, name)
	if err != nil {
		return Machine{}, before(err)
	}
	if k.met(m) {
		return machineOf(app, m), nil
	}
	if !m.reachable() {
		return Machine{}, deadHost(op, app, m)
	}
	var out Machine
	ctx, b := c.budget(ctx, within)
	err = c.leased(ctx, op, app, m.ID, func(ctx context.Context, l *lease) error {
		if k.coming == "" || m.State != k.coming {
			if err := c.act(ctx, op, l, k.action, k.path, k.body, nil); err != nil {
				return err
			}
		}
		m, err := c.reach(ctx, b, op, app, m.ID, k.what, k.met)
		out = machineOf(app, m)
		return accepted(err)
	})
	return out, err
}

// commandFunc declares a command.
func commandFunc(name, doc, says, state string, k command, extra ...fault.Kind) binding.Func[*Client, powerArgs, Machine] {
	return binding.Func[*Client, powerArgs, Machine]{
		Name: name, Effect: binding.Mutates, Doc: doc, Says: says, Raises: raises(append(extra, fault.Conflict, fault.Failed)...),
		Example: fmt.Sprintf(`fly.%s { app = "webhost-prod", machine = "d891234567890a" }`, name),
		Target:  "machine",
		Call: func(c *Client, ctx context.Context, a powerArgs) (Machine, error) {
			return c.carry(ctx, a.App, a.Machine, a.Within, k)
		},
		Predict: func(c *Client, ctx context.Context, a powerArgs) (Machine, error) {
			if binding.IsPlanned(a.App) || binding.IsPlanned(a.Machine) {
				return Machine{ID: a.Machine, App: a.App, State: state}, nil
			}
			m, err := c.find(ctx, k.verb+" machine "+a.Machine, a.App, a.Machine)
			if err != nil {
				return Machine{}, err
			}
			if state == "" { // cordoning leaves the state as it is
				m.Cordoned = k.action == "cordon"
				return machineOf(a.App, m), nil
			}
			return foretold(a.App, m, state), nil
		},
		Settled: func(c *Client, ctx context.Context, a powerArgs) (binding.Settlement[Machine], error) {
			return settled(c, ctx, func(ctx context.Context) (Machine, bool, error) {
				m, err := c.find(ctx, "find out about the "+k.verb+" of "+a.Machine, a.App, a.Machine)
				if err != nil {
					return Machine{}, false, err
				}
				return machineOf(a.App, m), k.met(m), nil
			})
		},
	}
}

func machineStart() binding.Func[*Client, powerArgs, Machine] {
	return commandFunc("machine_start", "Start a machine and wait until it is started. Nothing is done to one that is.",
		"start machine {machine} of {app}", "started",
		command{verb: "start", action: "start", path: "/start", what: "started", coming: "starting", met: started}, fault.Exhausted)
}

func machineStop() binding.Func[*Client, powerArgs, Machine] {
	return commandFunc("machine_stop", "Stop a machine and wait until it is stopped. Nothing is done to one that is.",
		"stop machine {machine} of {app}", "stopped",
		command{verb: "stop", action: "stop", path: "/stop", body: map[string]any{}, what: "stopped", coming: "stopping",
			met: func(m *machine) bool { return m.State == "stopped" }})
}

func machineCordon() binding.Func[*Client, powerArgs, Machine] {
	return commandFunc("machine_cordon", "Take a machine out of Fly's proxy, so that customers no longer reach it; it goes on running.",
		"send no more customers to machine {machine} of {app}", "",
		command{verb: "cordon", action: "cordon", path: "/cordon", what: "cordoned", met: func(m *machine) bool { return m.Cordoned }})
}

func machineUncordon() binding.Func[*Client, powerArgs, Machine] {
	return commandFunc("machine_uncordon", "Give a cordoned machine back to Fly's proxy.",
		"send customers to machine {machine} of {app} again", "",
		command{verb: "uncordon", action: "uncordon", path: "/uncordon", what: "uncordoned", met: func(m *machine) bool { return !m.Cordoned }})
}
