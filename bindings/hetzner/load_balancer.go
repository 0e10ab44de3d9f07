package hetzner

import (
	"context"
	"net"
	"slices"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// LoadBalancer spreads traffic over its targets.
type LoadBalancer struct {
	ID       string            `lua:"id" doc:"Its id."`
	Name     string            `lua:"name" doc:"Its name."`
	Type     string            `lua:"type" doc:"Its type, such as lb11."`
	Location string            `lua:"location" doc:"Its location."`
	IPv4     string            `lua:"ipv4,optional" doc:"Public IPv4 address."`
	IPv6     string            `lua:"ipv6,optional" doc:"Public IPv6 address."`
	Targets  []Target          `lua:"targets" doc:"Where traffic goes."`
	Healthy  int               `lua:"healthy" doc:"How many targets pass every health check."`
	Labels   map[string]string `lua:"labels" doc:"Its labels."`
}

// Target is one destination of a load balancer.
type Target struct {
	Type     string `lua:"type" doc:"server, ip or label_selector."`
	Server   string `lua:"server,optional" doc:"Name of the server."`
	ServerID string `lua:"server_id,optional" doc:"Id of the server."`
	IP       string `lua:"ip,optional" doc:"The address, of type ip."`
	Label    string `lua:"label,optional" doc:"The label selector, of type label_selector."`
	Private  bool   `lua:"private" doc:"Whether traffic takes the private network."`
	Health   string `lua:"health" doc:"healthy, unhealthy or unknown: the worst over all services, and over all servers of a label selector."`
}

func targetServer(t hcloud.LoadBalancerTarget) int64 {
	if t.Server == nil || t.Server.Server == nil {
		return 0
	}
	return t.Server.Server.ID
}

func targetOf(t hcloud.LoadBalancerTarget, names map[int64]string) Target {
	out := Target{Type: string(t.Type), Private: t.UsePrivateIP, Health: healthOf(t)}
	if id := targetServer(t); id != 0 {
		out.ServerID, out.Server = idText(id), names[id]
	}
	if t.IP != nil {
		out.IP = t.IP.IP
	}
	if t.LabelSelector != nil {
		out.Label = t.LabelSelector.Selector
	}
	return out
}

func healthOf(t hcloud.LoadBalancerTarget) string {
	var seen []string
	for _, h := range t.HealthStatus {
		seen = append(seen, string(h.Status))
	}
	for _, part := range t.Targets {
		seen = append(seen, healthOf(part))
	}
	switch {
	case slices.Contains(seen, "unhealthy"):
		return "unhealthy"
	case len(seen) == 0 || slices.Contains(seen, "unknown"):
		return "unknown"
	}
	return "healthy"
}

func (c *Client) balancerOf(ctx context.Context, op string, l *hcloud.LoadBalancer) (LoadBalancer, error) {
	out := LoadBalancer{ID: idText(l.ID), Name: l.Name, Labels: l.Labels}
	if l.LoadBalancerType != nil {
		out.Type = l.LoadBalancerType.Name
	}
	if l.Location != nil {
		out.Location = l.Location.Name
	}
	if ip := l.PublicNet.IPv4.IP; ip != nil {
		out.IPv4 = ip.String()
	}
	if ip := l.PublicNet.IPv6.IP; ip != nil {
		out.IPv6 = ip.String()
	}
	var servers []int64
	for _, t := range l.Targets {
		servers = append(servers, targetServer(t))
	}
	names, err := c.serverNames(ctx, op, servers...)
	for _, t := range l.Targets {
		out.Targets = append(out.Targets, targetOf(t, names))
		if healthOf(t) == "healthy" {
			out.Healthy++
		}
	}
	return out, err
}

func (c *Client) findBalancer(ctx context.Context, op, name string) (*hcloud.LoadBalancer, error) {
	return lookUp(ctx, c, op, "load balancer", name, c.api.LoadBalancer.Get, func(ctx context.Context) ([]string, error) {
		all, err := c.api.LoadBalancer.All(ctx)
		return namesOf(all, func(l *hcloud.LoadBalancer) string { return l.Name }), err
	})
}

type loadBalancerArgs struct {
	Name string `lua:"name" doc:"Name or id of the load balancer."`
}

var readLoadBalancer = binding.Func[*Client, loadBalancerArgs, LoadBalancer]{
	Name: "load_balancer", Effect: binding.Reads,
	Doc:     "One load balancer with its targets and their health.",
	Raises:  []fault.Kind{fault.NotFound, fault.Denied, fault.RateLimited, fault.Unavailable},
	Example: `hetzner.load_balancer { name = "web" }`,
	Call: func(c *Client, ctx context.Context, a loadBalancerArgs) (LoadBalancer, error) {
		op := "look up load balancer " + a.Name
		l, err := c.findBalancer(ctx, op, a.Name)
		if err != nil {
			return LoadBalancer{}, err
		}
		return c.balancerOf(ctx, op, l)
	},
}

type addTargetArgs struct {
	LoadBalancer string        `lua:"load_balancer" doc:"Name or id of the load balancer."`
	Server       string        `lua:"server" doc:"Name or id of a server, or the address of a dedicated one."`
	Private      bool          `lua:"private" default:"false" doc:"Whether traffic shall take the private network."`
	Within       time.Duration `lua:"within" default:"2m" doc:"How long it may take."`
}

var lbAddTarget = binding.Func[*Client, addTargetArgs, LoadBalancer]{
	Name: "lb_add_target", Effect: binding.Mutates,
	Doc:     "Add a server or an address to a load balancer's targets. Nothing is done when it is one already. Its health shows a little later.",
	Says:    "add the target {server} to the load balancer {load_balancer}",
	Raises:  []fault.Kind{fault.NotFound, fault.Invalid, fault.Conflict, fault.Exhausted, fault.Failed, fault.Timeout, fault.Denied, fault.RateLimited, fault.Unavailable},
	Example: `hetzner.lb_add_target { load_balancer = "web", server = "hobby-1-r" }`,
	Target:  "load_balancer",
	Call: func(c *Client, ctx context.Context, a addTargetArgs) (LoadBalancer, error) {
		return c.changeTarget(ctx, targetChange{a.LoadBalancer, a.Server, a.Private, true, a.Within})
	},
	Predict: func(c *Client, ctx context.Context, a addTargetArgs) (LoadBalancer, error) {
		return c.predictTarget(ctx, targetChange{a.LoadBalancer, a.Server, a.Private, true, a.Within})
	},
	Settled: func(c *Client, ctx context.Context, a addTargetArgs) (binding.Settlement[LoadBalancer], error) {
		return c.targetSettled(ctx, targetChange{a.LoadBalancer, a.Server, a.Private, true, a.Within})
	},
}

type removeTargetArgs struct {
	LoadBalancer string        `lua:"load_balancer" doc:"Name or id of the load balancer."`
	Server       string        `lua:"server" doc:"Name or id of a server, or the address of a dedicated one."`
	Within       time.Duration `lua:"within" default:"2m" doc:"How long it may take."`
}

var lbRemoveTarget = binding.Func[*Client, removeTargetArgs, LoadBalancer]{
	Name: "lb_remove_target", Effect: binding.Mutates,
	Doc:     "Take a server or an address out of a load balancer's targets. Nothing is done when it is none.",
	Says:    "remove the target {server} from the load balancer {load_balancer}",
	Raises:  []fault.Kind{fault.NotFound, fault.Invalid, fault.Conflict, fault.Failed, fault.Timeout, fault.Denied, fault.RateLimited, fault.Unavailable},
	Example: `hetzner.lb_remove_target { load_balancer = "web", server = "hobby-1" }`,
	Target:  "load_balancer",
	Call: func(c *Client, ctx context.Context, a removeTargetArgs) (LoadBalancer, error) {
		return c.changeTarget(ctx, targetChange{a.LoadBalancer, a.Server, false, false, a.Within})
	},
	Predict: func(c *Client, ctx context.Context, a removeTargetArgs) (LoadBalancer, error) {
		return c.predictTarget(ctx, targetChange{a.LoadBalancer, a.Server, false, false, a.Within})
	},
	Settled: func(c *Client, ctx context.Context, a removeTargetArgs) (binding.Settlement[LoadBalancer], error) {
		return c.targetSettled(ctx, targetChange{a.LoadBalancer, a.Server, false, false, a.Within})
	},
}

// targetChange is what lb_add_target and lb_remove_target have in common.
type targetChange struct {
	balancer, server string // server may be an address
	private, add     bool
	within           time.Duration
}

func (t targetChange) op() string {
	if t.add {
		return "add a target to " + t.balancer
	}
	return "remove a target from " + t.balancer
}

// resolve looks up what the change names; server is nil for an address.
func (c *Client) resolve(ctx context.Context, t targetChange) (*hcloud.LoadBalancer, *hcloud.Server, error) {
	l, err := c.findBalancer(ctx, t.op(), t.balancer)
	if err != nil || net.ParseIP(t.server) != nil {
		return l, nil, err
	}
	s, err := c.find(ctx, t.op(), t.server)
	return l, s, err
}

// has tells whether l has the target.
func (t targetChange) has(l *hcloud.LoadBalancer, s *hcloud.Server) bool {
	return slices.ContainsFunc(l.Targets, t.matches(s))
}

func (t targetChange) matches(s *hcloud.Server) func(hcloud.LoadBalancerTarget) bool {
	return func(x hcloud.LoadBalancerTarget) bool {
		if s != nil {
			return x.Type == hcloud.LoadBalancerTargetTypeServer && s.ID != 0 && targetServer(x) == s.ID
		}
		return x.IP != nil && x.IP.IP == t.server
	}
}

func (c *Client) changeTarget(ctx context.Context, t targetChange) (LoadBalancer, error) {
	l, s, err := c.resolve(ctx, t)
	if err != nil {
		return LoadBalancer{}, before(err)
	}
	if t.has(l, s) == t.add {
		return c.balancerOf(ctx, t.op(), l)
	}
	action, err := c.postTarget(ctx, t, l, s)
	if err != nil {
		return LoadBalancer{}, c.translate(t.op(), err)
	}
	ctx, b := c.budget(ctx, t.within)
	if err := c.finish(ctx, b, t.op(), action); err != nil {
		return LoadBalancer{}, err
	}
	out, _, err := c.balancer(ctx, t.op(), l.ID)
	return out, accepted(err)
}

func (c *Client) postTarget(ctx context.Context, t targetChange, l *hcloud.LoadBalancer, s *hcloud.Server) (*hcloud.Action, error) {
	var action *hcloud.Action
	var err error
	switch {
	case s != nil && t.add:
		action, _, err = c.api.LoadBalancer.AddServerTarget(ctx, l, hcloud.LoadBalancerAddServerTargetOpts{Server: s, UsePrivateIP: &t.private})
	case s != nil:
		action, _, err = c.api.LoadBalancer.RemoveServerTarget(ctx, l, s)
	case t.add:
		action, _, err = c.api.LoadBalancer.AddIPTarget(ctx, l, hcloud.LoadBalancerAddIPTargetOpts{IP: net.ParseIP(t.server)})
	default:
		action, _, err = c.api.LoadBalancer.RemoveIPTarget(ctx, l, net.ParseIP(t.server))
	}
	return action, err
}

func (c *Client) balancer(ctx context.Context, op string, id int64) (LoadBalancer, *hcloud.LoadBalancer, error) {
	l, _, err := c.api.LoadBalancer.GetByID(ctx, id)
	if err != nil {
		return LoadBalancer{}, nil, c.translate(op, err)
	}
	if l == nil {
		return LoadBalancer{}, nil, fault.New(fault.NotFound, "the load balancer %d is gone", id).WithOp("%s", op)
	}
	out, err := c.balancerOf(ctx, op, l)
	return out, l, err
}

func (c *Client) predictTarget(ctx context.Context, t targetChange) (LoadBalancer, error) {
	l, s, err := c.resolve(ctx, t)
	if err != nil {
		return LoadBalancer{}, err
	}
	if t.has(l, s) != t.add && !t.add {
		l.Targets = slices.DeleteFunc(l.Targets, t.matches(s))
	}
	out, err := c.balancerOf(ctx, t.op(), l)
	if t.add && !t.has(l, s) {
		target := Target{Type: "ip", IP: t.server, Private: t.private, Health: "unknown"}
		if s != nil {
			shown := c.serverOf(s)
			target.Type, target.IP, target.Server, target.ServerID = "server", "", shown.Name, shown.ID
		}
		out.Targets = append(out.Targets, target)
	}
	return out, err
}

func (c *Client) targetSettled(ctx context.Context, t targetChange) (binding.Settlement[LoadBalancer], error) {
	l, s, err := c.resolve(ctx, t)
	if err != nil {
		return binding.Settlement[LoadBalancer]{}, err
	}
	running := func(ctx context.Context) ([]*hcloud.Action, error) {
		actions, _, err := c.api.LoadBalancer.Action.ListFor(ctx, l, hcloud.ActionListOpts{Status: []hcloud.ActionStatus{hcloud.ActionStatusRunning}})
		return busy(actions, err)
	}
	return settlePresent(c, ctx, t.op(), t.within, running, func(ctx context.Context) (LoadBalancer, bool, error) {
		out, now, err := c.balancer(ctx, t.op(), l.ID)
		return out, err == nil && t.has(now, s) == t.add, err
	})
}
