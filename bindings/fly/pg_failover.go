package fly

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// Metadata by which a repeated failover finds what it chose.
const (
	promoteLabel = "drhost_promote" // on the replica that becomes primary
	demoteLabel  = "drhost_demote"  // on the primary that it takes over from
)

type failoverArgs struct {
	App        string        `lua:"app" doc:"Name of the Postgres app with the replicas."`
	Machine    string        `lua:"machine,optional" doc:"Id of the replica to promote; the best one when left out."`
	Region     string        `lua:"region,optional" doc:"Only replicas of this region."`
	PrimaryApp string        `lua:"primary_app,optional" doc:"App of the old primary, when the replicas are an app of their own; it is stopped first, as far as its host answers."`
	Force      bool          `lua:"force" default:"false" doc:"Whether to go on when the old primary does not stop although its host answers, and when a replica cannot be told to follow."`
	Rejoin     bool          `lua:"rejoin" default:"true" doc:"Whether to start the old primary again afterwards, so that it joins as a replica. One of another app stays stopped."`
	Within     time.Duration `lua:"within" default:"10m" doc:"How long the whole may take."`
}

// Failover is what became of a cluster.
type Failover struct {
	Primary   Machine  `lua:"primary" doc:"The machine that is primary now."`
	Old       []string `lua:"old" doc:"Ids of the machines that were."`
	OldLeft   []string `lua:"old_left" doc:"Those of them that could not be stopped, because their host does not answer: keep them from customers when they come back, for they may still take themselves for primary."`
	Replicas  int      `lua:"replicas" doc:"How many replicas follow it."`
	Position  *int64   `lua:"position" doc:"How far its write-ahead log went when it was chosen, in bytes; nil when it did not say."`
	Candidate string   `lua:"candidate" doc:"Why it was chosen."`
}

var pgFailover = binding.Func[*Client, failoverArgs, Failover]{
	Name: "pg_failover", Effect: binding.Mutates,
	Doc: "Make the best replica the primary of a Postgres cluster, with or without a primary: flyctl refuses without one. The best is the one whose " +
		"write-ahead log goes furthest; PRIMARY_REGION and health decide among equals. The old primary is stopped first when its host answers; PRIMARY_REGION moves along " +
		"to the new one's region. Killed half-way and repeated, it goes on with the same replica.",
	Says:    "promote a replica of {app} (region {region}, machine {machine})",
	Raises:  raises(fault.Invalid, fault.Conflict, fault.Failed),
	Example: `fly.pg_failover { app = "webhost-prod-db", region = "fra" }`,
	Target:  "app",
	Call:    (*Client).pgFailover,
	Predict: func(c *Client, ctx context.Context, a failoverArgs) (Failover, error) {
		out := Failover{Old: []string{}, OldLeft: []string{}, Replicas: binding.PlannedInteger}
		if binding.IsPlanned(a.App) || binding.IsPlanned(a.Machine) || binding.IsPlanned(a.Region) {
			out.Primary.ID = binding.Planned("new primary of " + a.App)
			return out, nil
		}
		p, err := c.plan(ctx, a)
		if err != nil {
			return out, err
		}
		out.Primary, out.Candidate = machineOf(a.App, p.best.machine), p.why
		out.Primary.Role = "primary"
		for _, o := range p.old {
			out.Old = append(out.Old, o.ID)
		}
		return out, nil
	},
	Settled: func(c *Client, ctx context.Context, a failoverArgs) (binding.Settlement[Failover], error) {
		return settled(c, ctx, func(ctx context.Context) (Failover, bool, error) {
			p, err := c.plan(ctx, a)
			if err != nil || !p.chosen || p.best.is() != "primary" {
				return Failover{}, false, err
			}
			for _, o := range p.old {
				if o.reachable() && (o.rests() && a.Rejoin && o.app == a.App || o.is() == "primary") {
					return Failover{}, false, nil
				}
			}
			return p.result(a, clusterOf(a.App, p.nodes)), true, nil
		})
	},
}

// former is a machine that is or was primary.
type former struct {
	member
	app string
}

// failover is what is to be done, or was begun.
type failover struct {
	op     string
	nodes  []member
	best   member
	why    string
	old    []former
	chosen bool // by an earlier attempt of this call
}

func (p failover) result(a failoverArgs, k Cluster) Failover {
	out := Failover{Primary: machineOf(a.App, p.best.machine), Old: []string{}, OldLeft: []string{}, Candidate: p.why, Replicas: k.Replicas}
	if p.best.probe != nil {
		out.Position = &p.best.probe.Position
	}
	out.Primary.Role = "primary"
	for _, o := range p.old {
		out.Old = append(out.Old, o.ID)
		if !o.reachable() {
			out.OldLeft = append(out.OldLeft, o.ID)
		}
	}
	return out
}

// plan looks at the cluster and chooses, unless this call has chosen before.
func (c *Client) plan(ctx context.Context, a failoverArgs) (failover, error) {
	p := failover{op: "fail " + a.App + " over"}
	all, err := c.cluster(ctx, p.op, a.App)
	if err != nil {
		return p, err
	}
	if p.nodes, err = c.members(ctx, p.op, a.App, all); err != nil {
		return p, err
	}
	key := binding.Key(ctx)
	marked := func(n member, label string) bool { return key != "" && n.metadata(label) == key }
	for _, n := range p.nodes {
		switch {
		case marked(n, promoteLabel):
			p.best, p.chosen, p.why = n, true, "it was chosen when this began"
		case marked(n, demoteLabel) || wasPrimary(n):
			p.old = append(p.old, former{n, a.App})
		}
	}
	if a.PrimaryApp != "" && a.PrimaryApp != a.App {
		others, err := c.cluster(ctx, p.op, a.PrimaryApp)
		if err != nil {
			return p, err
		}
		nodes, err := c.members(ctx, p.op, a.PrimaryApp, others)
		if err != nil {
			return p, err
		}
		for _, n := range nodes {
			if marked(n, demoteLabel) || wasPrimary(n) {
				p.old = append(p.old, former{n, a.PrimaryApp})
			}
		}
	}
	if !p.chosen {
		p.best, p.why, err = choose(p.op, a, p.nodes)
	}
	return p, err
}

// wasPrimary tells of a node that is primary or fenced, or that may have been
// primary when it or its host died: the check no longer says which it was.
func wasPrimary(n member) bool {
	switch n.is() {
	case "primary", "zombie":
		return true
	case "unknown":
		return !n.rests() && n.role() != "replica" && n.role() != "witness" && n.role() != "barman"
	}
	return false
}

// choose picks the replica to promote.
func choose(op string, a failoverArgs, nodes []member) (member, string, error) {
	var fit []member
	var refused []string
	home := regionOf(nodes)
	for _, n := range nodes {
		why := ""
		switch role := n.is(); {
		case a.Machine != "" && n.ID != a.Machine && n.Name != a.Machine:
			continue
		case !n.reachable():
			why = "its host does not answer"
		case a.Region != "" && n.Region != a.Region:
			why = "it is in " + n.Region
		case n.State != "started":
			why = "it is " + n.State
		case role == "replica", role == "readonly" && (n.probe == nil || n.probe.Recovery):
			fit = append(fit, n)
			continue
		case role == "primary":
			why = "it is the primary"
		default:
			why = "it is " + role
		}
		refused = append(refused, n.ID+": "+why)
	}
	if len(fit) == 0 {
		if len(refused) == 0 {
			return member{}, "", fault.New(fault.NotFound, "%s has no machine %q", a.App, a.Machine).WithOp("%s", op).WithHint("fly.pg_status { app = %q } lists them", a.App)
		}
		return member{}, "", fault.New(fault.Conflict, "%s has no replica that could be promoted: %s", a.App, strings.Join(refused, "; ")).WithOp("%s", op).
			WithHint("fly.machine_start starts stopped ones; without any replica it takes a backup: fly.pg_restore, or the backup module")
	}
	position := func(n member) int64 {
		if n.probe == nil {
			return -1
		}
		return n.probe.Position
	}
	best := slices.MaxFunc(fit, func(x, y member) int {
		return cmp.Or(cmp.Compare(position(x), position(y)), btoi(x.Region == home)-btoi(y.Region == home), btoi(x.healthy())-btoi(y.healthy()), strings.Compare(y.ID, x.ID))
	})
	why := fmt.Sprintf("its write-ahead log goes furthest among %d", len(fit))
	if len(fit) == 1 {
		why = "it is the only one that can"
	}
	if best.probe == nil {
		why = "no replica told its position; its role and region decide"
	}
	return best, why, nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
