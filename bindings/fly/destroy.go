package fly

import (
	"context"
	"fmt"
	"net/http"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

type destroyArgs struct {
	App     string `lua:"app" doc:"Name of the app."`
	Machine string `lua:"machine" doc:"Id or name of the machine."`
	Force   bool   `lua:"force" default:"false" doc:"Whether to kill one that runs; else only a stopped one goes."`
}

// Destroyed is what became of a machine.
type Destroyed struct {
	Machine string `lua:"machine" doc:"Its id."`
	Volume  string `lua:"volume,optional" doc:"Id of the volume that it leaves behind, with its data."`
}

var machineDestroy = binding.Func[*Client, destroyArgs, Destroyed]{
	Name: "machine_destroy", Effect: binding.Destroys,
	Doc:     "Destroy a machine. Its volume stays, with the data. One that is gone already is no fault.",
	Says:    "destroy machine {machine} of {app}",
	Raises:  raises(fault.Conflict, fault.Failed),
	Example: `fly.machine_destroy { app = "webhost-prod", machine = "d891234567890a" }`,
	Target:  "machine",
	Call:    (*Client).machineDestroy,
	Predict: func(c *Client, ctx context.Context, a destroyArgs) (Destroyed, error) {
		if binding.IsPlanned(a.App) || binding.IsPlanned(a.Machine) {
			return Destroyed{Machine: a.Machine}, nil
		}
		m, err := c.find(ctx, "destroy machine "+a.Machine, a.App, a.Machine)
		if err != nil {
			return Destroyed{}, err
		}
		return Destroyed{m.ID, m.volume()}, destroyable(m, a)
	},
	Settled: func(c *Client, ctx context.Context, a destroyArgs) (binding.Settlement[Destroyed], error) {
		return settled(c, ctx, func(ctx context.Context) (Destroyed, bool, error) {
			m, err := c.find(ctx, "find out about the end of "+a.Machine, a.App, a.Machine)
			if fault.KindOf(err) == fault.NotFound {
				return Destroyed{Machine: a.Machine}, true, nil
			}
			if err != nil {
				return Destroyed{}, false, err
			}
			return Destroyed{m.ID, m.volume()}, m.gone(), nil
		})
	},
}

func destroyable(m *machine, a destroyArgs) error {
	if m.State == "started" && !a.Force {
		return fault.New(fault.Conflict, "machine %s runs", m.ID).WithOp("destroy machine %s", a.Machine).
			WithHint("fly.machine_stop { app = %q, machine = %q } first, or force = true", a.App, m.ID)
	}
	return nil
}

func (c *Client) machineDestroy(ctx context.Context, a destroyArgs) (Destroyed, error) {
	op := "destroy machine " + a.Machine
	m, err := c.find(ctx, op, a.App, a.Machine)
	if err != nil {
		return Destroyed{}, before(err)
	}
	out := Destroyed{m.ID, m.volume()}
	if m.gone() {
		return out, nil
	}
	if err := destroyable(m, a); err != nil {
		return Destroyed{}, err
	}
	return out, c.leased(ctx, op, a.App, m.ID, func(ctx context.Context, l *lease) error {
		return c.remove(ctx, op, l, a.Force)
	})
}

// remove destroys a machine under its lease, which ends with it.
func (c *Client) remove(ctx context.Context, op string, l *lease, force bool) error {
	if err := l.keep(ctx, op); err != nil {
		return before(err)
	}
	err := c.do(ctx, op, request{action: "destroy", subject: l.id, method: http.MethodDelete, nonce: l.nonce,
		url: c.appURL(l.app, "/machines/%s?force=%s", l.id, fmt.Sprint(force))}, nil)
	if err != nil {
		return err
	}
	_, b := c.budget(ctx, releaseWithin*6)
	return accepted(c.await(ctx, b, op, func() string { return "machine " + l.id + " is still there" }, func(ctx context.Context) (bool, error) {
		m, err := c.look(ctx, op, l.app, l.id)
		if fault.KindOf(err) == fault.NotFound {
			return true, nil
		}
		return err == nil && m.gone(), err
	}))
}
