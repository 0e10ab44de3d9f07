package fly

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

type scaleCountArgs struct {
	App    string        `lua:"app" doc:"Name of the app."`
	Count  int           `lua:"count" doc:"How many machines there shall be on live hosts; those on dead hosts are not counted."`
	Region string        `lua:"region,optional" doc:"Count and make machines in this region only."`
	Group  string        `lua:"group,optional" doc:"Process group; needed when the app has several."`
	Data   string        `lua:"data,optional" enum:"empty,snapshot,fork" doc:"What new machines get whose model has a volume."`
	Within time.Duration `lua:"within" default:"5m" doc:"How long each new machine may take until it is healthy."`
}

// Scaled is what became of the number of machines.
type Scaled struct {
	Machines  []Machine `lua:"machines" doc:"The machines that there are now."`
	Made      []string  `lua:"made" doc:"Ids of new ones."`
	Destroyed []string  `lua:"destroyed" doc:"Ids of those that went."`
}

var scaleCount = binding.Func[*Client, scaleCountArgs, Scaled]{
	Name: "scale_count", Effect: binding.Mutates,
	Doc: "Bring the number of an app's machines to count: new ones are copies of a healthy one; when there are too many, those that are unwell or cordoned go " +
		"first, then the newest. A machine with a volume is never destroyed by this.",
	Says:    "scale {app} to {count} machines",
	Raises:  raises(fault.Invalid, fault.Conflict, fault.Exhausted, fault.Failed),
	Example: `fly.scale_count { app = "webhost-prod", count = 3 }`,
	Target:  "app",
	Call:    (*Client).scaleCount,
	Predict: (*Client).predictCount,
	Settled: func(c *Client, ctx context.Context, a scaleCountArgs) (binding.Settlement[Scaled], error) {
		c.repeated(ctx)
		return settled(c, ctx, func(ctx context.Context) (Scaled, bool, error) {
			live, err := c.counted(ctx, "find out about the scaling of "+a.App, a)
			if err != nil || len(live) != a.Count {
				return Scaled{}, false, err
			}
			out := Scaled{Machines: machinesOf(a.App, live), Made: []string{}, Destroyed: []string{}}
			for _, m := range live {
				if ofCall(ctx, m) {
					out.Made = append(out.Made, m.ID)
					if !m.healthy() {
						return Scaled{}, false, nil
					}
				}
			}
			return out, true, nil
		})
	},
}

// ofCall tells whether a machine is one of several that this call has made.
func ofCall(ctx context.Context, m *machine) bool {
	key := binding.Key(ctx)
	return key != "" && strings.HasPrefix(m.metadata(keyLabel), key+".")
}

// counted are the machines that count.
func (c *Client) counted(ctx context.Context, op string, a scaleCountArgs) ([]*machine, error) {
	if a.Count < 0 {
		return nil, fault.New(fault.Invalid, "%d machines cannot be", a.Count).WithOp("%s", op)
	}
	all, err := c.list(ctx, op, a.App)
	if err != nil {
		return nil, err
	}
	var groups []string
	for _, m := range all {
		if !slices.Contains(groups, m.group()) {
			groups = append(groups, m.group())
		}
	}
	if a.Group == "" && len(groups) > 1 {
		return nil, fault.New(fault.Invalid, "%s has the process groups %s", a.App, strings.Join(groups, ", ")).WithOp("%s", op).WithHint("say which one: group = %q", groups[0])
	}
	return slices.DeleteFunc(inGroup(all, a.Group), func(m *machine) bool {
		return !m.reachable() || a.Region != "" && m.Region != a.Region
	}), nil
}

// model is the machine to copy: a healthy one, else any whose configuration is known.
func (c *Client) model(ctx context.Context, op string, a scaleCountArgs) (*machine, []*machine, error) {
	all, err := c.list(ctx, op, a.App)
	if err != nil {
		return nil, nil, err
	}
	all = inGroup(all, a.Group)
	for _, fit := range []func(*machine) bool{(*machine).healthy, func(m *machine) bool { return m.Config != nil }, func(*machine) bool { return true }} {
		for _, inRegion := range []bool{true, false} {
			at := slices.IndexFunc(all, func(m *machine) bool {
				return fit(m) && (!inRegion || a.Region == "" || m.Region == a.Region)
			})
			if at >= 0 {
				return all[at], all, nil
			}
		}
	}
	return nil, nil, fault.New(fault.Conflict, "%s has no machine to copy", a.App).WithOp("%s", op).WithHint("deploy the app; a machine cannot be made out of nothing")
}

func (c *Client) predictCount(ctx context.Context, a scaleCountArgs) (Scaled, error) {
	out := Scaled{Machines: []Machine{}, Made: []string{}, Destroyed: []string{}}
	if binding.IsPlanned(a.App) {
		return out, nil
	}
	op := "scale " + a.App
	live, err := c.counted(ctx, op, a)
	if err != nil {
		return out, err
	}
	for len(live) > a.Count {
		goes, err := surplus(op, a, live)
		if err != nil {
			return out, err
		}
		out.Destroyed = append(out.Destroyed, goes.ID)
		live = slices.DeleteFunc(live, func(m *machine) bool { return m == goes })
	}
	out.Machines = machinesOf(a.App, live)
	if len(live) >= a.Count {
		return out, nil
	}
	m, _, err := c.model(ctx, op, a)
	if err != nil {
		return out, err
	}
	k := copying{op: op, app: a.App, region: m.Region, data: a.Data}
	if a.Region != "" {
		k.region = a.Region
	}
	for n := len(live); n < a.Count; n++ {
		made := copyForetold(k, m)
		out.Machines, out.Made = append(out.Machines, made), append(out.Made, made.ID)
	}
	return out, volumeChoice(k, m)
}

// surplus is the machine to destroy next.
func surplus(op string, a scaleCountArgs, live []*machine) (*machine, error) {
	free := slices.DeleteFunc(slices.Clone(live), hasMount)
	if len(free) == 0 {
		return nil, fault.New(fault.Conflict, "all %d machines of %s that are left have volumes", len(live), a.App).WithOp("%s", op).
			WithHint("fly.machine_destroy takes one of them, once you know which data is to go")
	}
	rank := func(m *machine) int {
		switch {
		case !m.healthy():
			return 0
		case m.Cordoned:
			return 1
		}
		return 2
	}
	return slices.MinFunc(free, func(a, b *machine) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return strings.Compare(b.Created+b.ID, a.Created+a.ID)
	}), nil
}

func (c *Client) scaleCount(ctx context.Context, a scaleCountArgs) (Scaled, error) {
	op := "scale " + a.App
	out := Scaled{Machines: []Machine{}, Made: []string{}, Destroyed: []string{}}
	live, err := c.counted(ctx, op, a)
	if err != nil {
		return out, before(err)
	}
	for len(live) > a.Count {
		goes, err := surplus(op, a, live)
		if err == nil {
			err = c.leased(ctx, op, a.App, goes.ID, func(ctx context.Context, l *lease) error { return c.remove(ctx, op, l, true) })
		}
		if err != nil {
			return out, orBegun(len(out.Destroyed) > 0, err)
		}
		out.Destroyed = append(out.Destroyed, goes.ID)
		live = slices.DeleteFunc(live, func(m *machine) bool { return m == goes })
	}
	for _, m := range live { // made in an earlier life: wait for it
		if ofCall(ctx, m) {
			out.Made = append(out.Made, m.ID)
			waiting, b := c.budget(ctx, a.Within)
			if _, err := c.reach(waiting, b, op, a.App, m.ID, "healthy", (*machine).healthy); err != nil {
				return out, accepted(err)
			}
		}
	}
	for len(live) < a.Count {
		m, all, err := c.model(ctx, op, a)
		if err != nil {
			return out, orBegun(len(out.Made) > 0, err)
		}
		k := copying{op: op, app: a.App, region: m.Region, data: a.Data, within: a.Within}
		if a.Region != "" {
			k.region = a.Region
		}
		made, err := c.copy(ctx, k, m, all, part(binding.Key(ctx), strconv.Itoa(len(live)+1)))
		if err != nil {
			return out, orBegun(len(out.Made) > 0, err)
		}
		out.Made, live = append(out.Made, made.ID), append(live, made)
	}
	out.Machines = machinesOf(a.App, live)
	return out, nil
}

// orBegun marks a fault that comes after parts that were done.
func orBegun(some bool, err error) error {
	if some {
		return begun(err)
	}
	return err
}

type scaleMemoryArgs struct {
	App    string        `lua:"app" doc:"Name of the app."`
	Memory int           `lua:"memory" doc:"Memory of each machine in MiB: a multiple of 256 for shared CPUs, of 1024 for performance CPUs."`
	Group  string        `lua:"group,optional" doc:"Only machines of this process group."`
	Within time.Duration `lua:"within" default:"5m" doc:"How long each machine may take until it is healthy again."`
}

var scaleMemory = binding.Func[*Client, scaleMemoryArgs, Updated]{
	Name: "scale_memory", Effect: binding.Mutates,
	Doc:     "Give the machines of an app another amount of memory: one after the other, under its lease, waiting until it is healthy. Nothing is done to one that has it.",
	Says:    "give each machine of {app} {memory} MiB of memory",
	Raises:  raises(fault.Invalid, fault.Conflict, fault.Exhausted, fault.Failed),
	Example: `fly.scale_memory { app = "webhost-prod", memory = 1024 }`,
	Target:  "app",
	Call: func(c *Client, ctx context.Context, a scaleMemoryArgs) (Updated, error) {
		all, err := c.list(ctx, a.change().op, a.App)
		if err != nil {
			return Updated{}, before(err)
		}
		all = inGroup(all, a.Group)
		for _, m := range all {
			if err := fitting(a, section(m.usable(), "guest")); err != nil {
				return Updated{}, err
			}
		}
		return c.roll(ctx, a.change(), all)
	},
	Predict: func(c *Client, ctx context.Context, a scaleMemoryArgs) (Updated, error) {
		return c.predicted(ctx, a.change())
	},
	Settled: func(c *Client, ctx context.Context, a scaleMemoryArgs) (binding.Settlement[Updated], error) {
		return c.rolled(ctx, a.change())
	},
}

func (a scaleMemoryArgs) change() change {
	return change{op: "scale the memory of " + a.App, app: a.App, group: a.Group, within: a.Within,
		has: func(m *machine) bool { return m.memory() == a.Memory },
		edit: func(config map[string]any) error {
			if err := fitting(a, section(config, "guest")); err != nil {
				return err
			}
			put(config, "guest", "memory_mb", a.Memory)
			return nil
		}}
}

// fitting holds an amount of memory against Fly's steps.
func fitting(a scaleMemoryArgs, guest map[string]any) error {
	kind, step := "shared", 256
	if guest["cpu_kind"] == "performance" {
		kind, step = "performance", 1024
	}
	if a.Memory < step || a.Memory%step != 0 {
		near := max(step, (a.Memory+step/2)/step*step)
		return fault.New(fault.Invalid, "%d MiB is no multiple of %d, which %s CPUs need", a.Memory, step, kind).
			WithOp("scale the memory of %s", a.App).WithHint("%s MiB would do", fmt.Sprint(near))
	}
	return nil
}
