package fly

import (
	"context"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

type moveArgs struct {
	App    string        `lua:"app" doc:"Name of the app."`
	To     string        `lua:"to" doc:"Code of the region to move to: fra."`
	From   string        `lua:"from,optional" doc:"Only machines of this region; those of all others when left out."`
	Data   string        `lua:"data,optional" enum:"empty,snapshot,fork" doc:"What machines get whose model has a volume."`
	Ready  string        `lua:"ready" enum:"healthy,started" default:"healthy" doc:"When a new machine counts as made. started does not ask for its checks: for an app that cannot be well before something else is mended, such as its database."`
	Within time.Duration `lua:"within" default:"5m" doc:"How long each new machine may take until it is ready."`
}

// Moved is what became of a move.
type Moved struct {
	Region  string    `lua:"region" doc:"Where the app is now."`
	Made    []Machine `lua:"made" doc:"The machines there."`
	Stopped []string  `lua:"stopped" doc:"Ids of the old machines, cordoned and stopped: they can be started again."`
	Left    []string  `lua:"left" doc:"Ids of old machines on dead hosts: they come back when their host does, with the old configuration; cordon and stop them then."`
}

var moveRegion = binding.Func[*Client, moveArgs, Moved]{
	Name: "move_region", Effect: binding.Mutates,
	Doc: "Move an app to another region: a copy of each machine there, and when all are ready the old ones are cordoned and stopped, as far as their hosts " +
		"answer. Nothing is destroyed. When the region is full half-way, the old machines go on; a repeated call goes on where it stopped. For a " +
		"Postgres cluster use fly.pg_failover: a copied database would be a second one.",
	Says:    "move {app} to region {to}",
	Raises:  raises(fault.Invalid, fault.Conflict, fault.Exhausted, fault.Failed),
	Example: `fly.move_region { app = "webhost-prod", to = "fra" }`,
	Target:  "app",
	Call:    (*Client).moveRegion,
	Predict: func(c *Client, ctx context.Context, a moveArgs) (Moved, error) {
		out := Moved{Region: a.To, Made: []Machine{}, Stopped: []string{}, Left: []string{}}
		if binding.IsPlanned(a.App) || binding.IsPlanned(a.To) {
			return out, nil
		}
		pairs, _, err := c.pairs(ctx, "move "+a.App, a)
		for _, p := range pairs {
			out.Made = append(out.Made, copyForetold(copying{app: a.App, region: a.To}, p.old))
			if p.old.reachable() {
				out.Stopped = append(out.Stopped, p.old.ID)
			} else {
				out.Left = append(out.Left, p.old.ID)
			}
		}
		return out, err
	},
	Settled: func(c *Client, ctx context.Context, a moveArgs) (binding.Settlement[Moved], error) {
		c.repeated(ctx)
		return settled(c, ctx, func(ctx context.Context) (Moved, bool, error) {
			pairs, _, err := c.pairs(ctx, "find out about the move of "+a.App, a)
			if err != nil || len(pairs) == 0 {
				return Moved{}, false, err
			}
			out := Moved{Region: a.To, Made: []Machine{}, Stopped: []string{}, Left: []string{}}
			for _, p := range pairs {
				if p.made == nil || !p.made.ready(a.Ready == "started") || p.old.reachable() && !retired(p.old) {
					return Moved{}, false, nil
				}
				out.add(a.App, p)
			}
			return out, true, nil
		})
	},
}

func (out *Moved) add(app string, p pair) {
	out.Made = append(out.Made, machineOf(app, p.made))
	if p.old.reachable() {
		out.Stopped = append(out.Stopped, p.old.ID)
	} else {
		out.Left = append(out.Left, p.old.ID)
	}
}

// retired tells whether an old machine is out of use.
func retired(m *machine) bool { return m.Cordoned && m.rests() }

// pair is an old machine and its copy, once it is made.
type pair struct{ old, made *machine }

// pairs are the machines to move, with the copies that this call has made. An
// old machine that rests is moved only when it has its copy: then it was this
// call that stopped it.
func (c *Client) pairs(ctx context.Context, op string, a moveArgs) ([]pair, []*machine, error) {
	all, err := c.list(ctx, op, a.App)
	if err != nil {
		return nil, nil, err
	}
	var out []pair
	there := 0
	for _, m := range all {
		if m.Region == a.To && m.healthy() && !m.Cordoned {
			there++
		}
		if m.Region == a.To || a.From != "" && m.Region != a.From {
			continue
		}
		made := keyed(all, part(binding.Key(ctx), m.ID))
		if made == nil && m.rests() {
			continue
		}
		if m.postgres() {
			return nil, nil, fault.New(fault.Conflict, "%s is a Postgres cluster", a.App).WithOp("%s", op).
				WithHint("fly.pg_failover { app = %q, region = %q } promotes a replica there", a.App, a.To)
		}
		if err := volumeChoice(copying{op: op, data: a.Data}, m); err != nil {
			return nil, nil, err
		}
		out = append(out, pair{m, made})
	}
	if len(out) == 0 && there == 0 {
		return nil, nil, fault.New(fault.Conflict, "%s has no machine to move to %s, and none there", a.App, a.To).WithOp("%s", op).
			WithHint("fly.status { app = %q } shows what there is", a.App)
	}
	return out, all, nil
}

func (c *Client) moveRegion(ctx context.Context, a moveArgs) (Moved, error) {
	op := "move " + a.App + " to " + a.To
	pairs, all, err := c.pairs(ctx, op, a)
	if err != nil {
		return Moved{}, before(err)
	}
	out := Moved{Region: a.To, Made: []Machine{}, Stopped: []string{}, Left: []string{}}
	k := copying{op: op, app: a.App, region: a.To, data: a.Data, within: a.Within, bare: a.Ready == "started"}
	for i, p := range pairs {
		binding.Progress(ctx, "%s: copy %d of %d", op, i+1, len(pairs))
		made, err := c.copy(ctx, k, p.old, all, part(binding.Key(ctx), p.old.ID))
		if err != nil {
			return out, orBegun(i > 0, err)
		}
		pairs[i].made = made
	}
	for _, p := range pairs {
		if err := c.retire(ctx, op, a.App, p.old); err != nil {
			return out, begun(err)
		}
		out.add(a.App, p)
	}
	if len(pairs) == 0 { // it was there before
		for _, m := range all {
			if m.Region == a.To {
				out.Made = append(out.Made, machineOf(a.App, m))
			}
		}
	}
	return out, nil
}

// retire cordons and stops an old machine. Its host may die meanwhile: then it
// is left, as those whose host was dead before.
func (c *Client) retire(ctx context.Context, op, app string, m *machine) error {
	if !m.reachable() || retired(m) {
		return nil
	}
	ctx, b := c.budget(ctx, retireWithin)
	err := c.leased(ctx, op, app, m.ID, func(ctx context.Context, l *lease) error {
		if !m.Cordoned {
			if err := c.act(ctx, op, l, "cordon", "/cordon", nil, nil); err != nil {
				return err
			}
		}
		if !m.rests() {
			if err := c.act(ctx, op, l, "stop", "/stop", map[string]any{}, nil); err != nil {
				return err
			}
		}
		_, err := c.reach(ctx, b, op, app, m.ID, "stopped", func(m *machine) bool { return m.State == "stopped" || m.State == "suspended" })
		return accepted(err)
	})
	if err == nil || ctx.Err() != nil {
		return err
	}
	now, lookErr := c.look(ctx, op, app, m.ID)
	if lookErr == nil && !now.reachable() {
		m.HostStatus = now.HostStatus
		binding.Progress(ctx, "%s: the host of the old machine %s does not answer; it is left", op, m.ID)
		return nil
	}
	return err
}

// retireWithin is how long an old machine may take to stop.
const retireWithin = 3 * time.Minute
