package fly

import (
	"context"
	"slices"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

type pgRestartArgs struct {
	App    string        `lua:"app" doc:"Name of the Postgres app."`
	Force  bool          `lua:"force" default:"false" doc:"Whether to kill the machines instead of asking them to end."`
	Within time.Duration `lua:"within" default:"10m" doc:"How long the whole may take until a primary answers again."`
}

var pgRestart = binding.Func[*Client, pgRestartArgs, Cluster]{
	Name: "pg_restart", Effect: binding.Mutates,
	Doc: "Restart the machines of a Postgres cluster: the replicas first, the primary last, all under lease. It works without a primary as well, where " +
		"flyctl gives up: then it restarts what there is and waits whether a primary comes out of it. Nodes on dead hosts are left out.",
	Says:    "restart the Postgres cluster {app}",
	Raises:  raises(fault.Invalid, fault.Conflict, fault.Failed),
	Example: `fly.pg_restart { app = "webhost-prod-db" }`,
	Target:  "app",
	Call:    (*Client).pgRestart,
	Predict: func(c *Client, ctx context.Context, a pgRestartArgs) (Cluster, error) {
		if binding.IsPlanned(a.App) {
			return Cluster{App: a.App, Healthy: true, Quorum: true, Says: binding.Planned("how " + a.App + " is")}, nil
		}
		out, err := pgStatus.Call(c, ctx, appArgs{a.App})
		if out.Leader == "" {
			out.Leader = binding.Planned("primary of " + a.App)
		}
		out.Healthy, out.Problems = true, []Problem{}
		out.Says = out.sentence()
		return out, err
	},
	Settled: func(c *Client, ctx context.Context, a pgRestartArgs) (binding.Settlement[Cluster], error) {
		op := "find out about the restart of " + a.App
		return settled(c, ctx, func(ctx context.Context) (Cluster, bool, error) {
			all, err := c.cluster(ctx, op, a.App)
			if err != nil {
				return Cluster{}, false, err
			}
			order, err := c.restartOrder(ctx, op, a.App, all)
			if err != nil {
				return Cluster{}, false, err
			}
			for _, m := range order {
				if done, err := c.restartedBy(ctx, op, a.App, m); err != nil || !done {
					return Cluster{}, false, err
				}
			}
			nodes, err := c.members(ctx, op, a.App, all)
			if err != nil {
				return Cluster{}, false, err
			}
			k := clusterOf(a.App, nodes)
			return k, k.Healthy, nil
		})
	},
}

// restartOrder are the machines to restart: replicas and whatever else first,
// the primary last.
func (c *Client) restartOrder(ctx context.Context, op, app string, all []*machine) ([]*machine, error) {
	var out []*machine
	for _, m := range all {
		ours, err := c.restartedBy(ctx, op, app, m)
		if err != nil {
			return nil, err
		}
		if m.reachable() && (ours || !m.rests()) {
			out = append(out, m)
		}
	}
	rank := func(m *machine) int {
		switch m.role() {
		case "primary":
			return 2
		case "zombie", "readonly":
			return 1
		}
		return 0
	}
	slices.SortStableFunc(out, func(a, b *machine) int { return rank(a) - rank(b) })
	return out, nil
}

func (c *Client) pgRestart(ctx context.Context, a pgRestartArgs) (Cluster, error) {
	op := "restart cluster " + a.App
	all, err := c.cluster(ctx, op, a.App)
	if err != nil {
		return Cluster{}, before(err)
	}
	order, err := c.restartOrder(ctx, op, a.App, all)
	if err != nil {
		return Cluster{}, before(err)
	}
	if len(order) == 0 {
		return Cluster{}, fault.New(fault.Conflict, "none of the %d machines of %s runs on a live host", len(all), a.App).WithOp("%s", op).
			WithHint("restore from a backup: fly.pg_restore, or the backup module")
	}
	ctx, b := c.budget(ctx, a.Within)
	err = c.leasedAll(ctx, op, a.App, order, func(ctx context.Context, held map[string]*lease) error {
		for i, m := range order {
			binding.Progress(ctx, "%s: machine %d of %d, %s (%s, %s)", op, i+1, len(order), m.ID, m.Region, m.role())
			for _, l := range held {
				if err := l.keep(ctx, op); err != nil {
					return orBegun(i > 0, before(err))
				}
			}
			if _, err := c.restartOne(ctx, b, op, m, held[m.ID], a.Force); err != nil {
				return orBegun(i > 0, err)
			}
		}
		return nil
	})
	if err != nil {
		return Cluster{}, err
	}
	return c.led(ctx, b, op, a.App, "")
}

// led waits until a healthy primary leads the cluster; wanted is the machine
// that should, "" for any.
func (c *Client) led(ctx context.Context, b *budget, op, app, wanted string) (Cluster, error) {
	var k Cluster
	describe := func() string {
		if wanted != "" && k.Leader != "" && k.Leader != wanted {
			return "machine " + k.Leader + " leads, and not " + wanted
		}
		return "no healthy primary leads " + app
	}
	err := c.await(ctx, b, op, describe, func(ctx context.Context) (bool, error) {
		all, err := c.cluster(ctx, op, app)
		if err != nil {
			return false, err
		}
		nodes, err := c.members(ctx, op, app, all)
		if err != nil {
			return false, err
		}
		k = clusterOf(app, nodes)
		if wanted == "" {
			return k.Healthy, nil
		}
		// A check may go on failing for want of the nodes that are dead; what
		// counts is that it leads and takes writes.
		return k.Leader == wanted && slices.ContainsFunc(nodes, func(n member) bool {
			return n.ID == wanted && n.is() == "primary" && (n.probe == nil || !n.probe.ReadOnly)
		}), nil
	})
	if fault.KindOf(err) == fault.Timeout && len(k.Problems) > 0 {
		p := k.Problems[0]
		f := *fault.As(err)
		f.Message += "; " + p.Text + " (usually because " + p.Cause + ")"
		err = f.WithHint("%s", p.WayOut)
	}
	return k, accepted(err)
}
