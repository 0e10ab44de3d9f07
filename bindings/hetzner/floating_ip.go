package hetzner

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// FloatingIP is an address that can lead to any server.
type FloatingIP struct {
	ID       string            `lua:"id" doc:"Its id."`
	Name     string            `lua:"name" doc:"Its name."`
	IP       string            `lua:"ip" doc:"The address."`
	Type     string            `lua:"type" doc:"ipv4 or ipv6."`
	Server   string            `lua:"server,optional" doc:"Name of the server that it leads to; nil when to none."`
	ServerID string            `lua:"server_id,optional" doc:"Id of that server."`
	Location string            `lua:"location" doc:"Its home location; from elsewhere traffic takes a detour through it."`
	Labels   map[string]string `lua:"labels" doc:"Its labels."`
}

func floatingOf(f *hcloud.FloatingIP, names map[int64]string) FloatingIP {
	out := FloatingIP{ID: idText(f.ID), Name: f.Name, IP: f.IP.String(), Type: string(f.Type), Labels: f.Labels}
	if f.Type == hcloud.FloatingIPTypeIPv6 {
		out.IP = firstHost(f.IP)
	}
	if f.Server != nil {
		out.ServerID, out.Server = idText(f.Server.ID), names[f.Server.ID]
	}
	if f.HomeLocation != nil {
		out.Location = f.HomeLocation.Name
	}
	return out
}

func floatingServer(f *hcloud.FloatingIP) int64 {
	if f.Server == nil {
		return 0
	}
	return f.Server.ID
}

// findFloating returns a floating IP by name, id or address.
func (c *Client) findFloating(ctx context.Context, op, name string) (*hcloud.FloatingIP, error) {
	get := func(ctx context.Context, name string) (*hcloud.FloatingIP, *hcloud.Response, error) {
		if !strings.ContainsAny(name, ".:") {
			return c.api.FloatingIP.Get(ctx, name)
		}
		all, err := c.api.FloatingIP.All(ctx)
		for _, f := range all {
			if f.IP.String() == name || firstHost(f.IP) == name || f.Name == name {
				return f, nil, nil
			}
		}
		return nil, nil, err
	}
	return lookUp(ctx, c, op, "floating IP", name, get, func(ctx context.Context) ([]string, error) {
		all, err := c.api.FloatingIP.All(ctx)
		return namesOf(all, func(f *hcloud.FloatingIP) string { return f.Name }), err
	})
}

func (c *Client) floating(ctx context.Context, op string, id int64) (FloatingIP, *hcloud.FloatingIP, error) {
	f, _, err := c.api.FloatingIP.GetByID(ctx, id)
	if err != nil {
		return FloatingIP{}, nil, c.translate(op, err)
	}
	if f == nil {
		return FloatingIP{}, nil, fault.New(fault.NotFound, "the floating IP %d is gone", id).WithOp("%s", op)
	}
	names, err := c.serverNames(ctx, op, floatingServer(f))
	return floatingOf(f, names), f, err
}

type floatingIPArgs struct {
	Name string `lua:"name" doc:"Name, id or address."`
}

var readFloatingIP = binding.Func[*Client, floatingIPArgs, FloatingIP]{
	Name: "floating_ip", Effect: binding.Reads,
	Doc:     "One floating IP by name, id or address.",
	Raises:  []fault.Kind{fault.NotFound, fault.Denied, fault.RateLimited, fault.Unavailable},
	Example: `hetzner.floating_ip { name = "hobby" }`,
	Call: func(c *Client, ctx context.Context, a floatingIPArgs) (FloatingIP, error) {
		op := "look up floating IP " + a.Name
		f, err := c.findFloating(ctx, op, a.Name)
		if err != nil {
			return FloatingIP{}, err
		}
		names, err := c.serverNames(ctx, op, floatingServer(f))
		return floatingOf(f, names), err
	},
}

type floatingIPsArgs struct {
	Server string `lua:"server,optional" doc:"Only those that lead to this server."`
	Label  string `lua:"label,optional" doc:"Only those that match this label selector."`
}

var readFloatingIPs = binding.Func[*Client, floatingIPsArgs, []FloatingIP]{
	Name: "floating_ips", Effect: binding.Reads,
	Doc:     "The floating IPs of the project by name, or those of one server.",
	Raises:  []fault.Kind{fault.NotFound, fault.Invalid, fault.Denied, fault.RateLimited, fault.Unavailable},
	Example: `hetzner.floating_ips { server = "hobby-1" }`,
	Call:    (*Client).floatingIPs,
}

func (c *Client) floatingIPs(ctx context.Context, a floatingIPsArgs) ([]FloatingIP, error) {
	op := "list floating IPs"
	only := int64(0)
	if a.Server != "" {
		s, err := c.find(ctx, op, a.Server)
		if err != nil {
			return nil, err
		}
		if only = s.ID; only == 0 {
			return nil, nil // foretold by a plan: none yet
		}
	}
	all, err := c.api.FloatingIP.AllWithOpts(ctx, hcloud.FloatingIPListOpts{ListOpts: hcloud.ListOpts{LabelSelector: a.Label}})
	if err != nil {
		return nil, c.translate(op, err)
	}
	all = slices.DeleteFunc(all, func(f *hcloud.FloatingIP) bool { return a.Server != "" && floatingServer(f) != only })
	var servers []int64
	for _, f := range all {
		servers = append(servers, floatingServer(f))
	}
	names, err := c.serverNames(ctx, op, servers...)
	if err != nil {
		return nil, err
	}
	var out []FloatingIP
	for _, f := range all {
		out = append(out, floatingOf(f, names))
	}
	slices.SortFunc(out, func(a, b FloatingIP) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

type assignFloatingIPArgs struct {
	IP     string        `lua:"ip" doc:"Name, id or address of the floating IP."`
	Server string        `lua:"server" doc:"Name or id of the server that it shall lead to."`
	Within time.Duration `lua:"within" default:"2m" doc:"How long it may take."`
}

var assignFloatingIP = binding.Func[*Client, assignFloatingIPArgs, FloatingIP]{
	Name: "assign_floating_ip", Effect: binding.Mutates,
	Doc: "Let a floating IP lead to a server, whichever it led to before. The server has to have the address configured. " +
		"Nothing is done when it leads there already.",
	Says:    "assign the floating IP {ip} to {server}",
	Raises:  []fault.Kind{fault.NotFound, fault.Conflict, fault.Failed, fault.Timeout, fault.Denied, fault.RateLimited, fault.Unavailable},
	Example: `hetzner.assign_floating_ip { ip = "hobby", server = "hobby-1-r" }`,
	Target:  "ip",
	Call:    (*Client).assignFloatingIP,
	Predict: func(c *Client, ctx context.Context, a assignFloatingIPArgs) (FloatingIP, error) {
		f, s, err := c.floatingAndServer(ctx, a)
		if err != nil {
			return FloatingIP{}, err
		}
		shown := c.serverOf(s)
		out := floatingOf(f, nil)
		out.Server, out.ServerID = shown.Name, shown.ID
		return out, nil
	},
	Settled: (*Client).assignFloatingIPSettled,
}

func (c *Client) floatingAndServer(ctx context.Context, a assignFloatingIPArgs) (*hcloud.FloatingIP, *hcloud.Server, error) {
	op := "assign the floating IP " + a.IP
	f, err := c.findFloating(ctx, op, a.IP)
	if err != nil {
		return nil, nil, before(err)
	}
	s, err := c.find(ctx, op, a.Server)
	if err != nil {
		return nil, nil, before(err)
	}
	return f, s, nil
}

func (c *Client) assignFloatingIP(ctx context.Context, a assignFloatingIPArgs) (FloatingIP, error) {
	op := "assign the floating IP " + a.IP
	f, s, err := c.floatingAndServer(ctx, a)
	if err != nil {
		return FloatingIP{}, err
	}
	if floatingServer(f) == s.ID {
		return floatingOf(f, map[int64]string{s.ID: s.Name}), nil
	}
	action, _, err := c.api.FloatingIP.Assign(ctx, f, s)
	return c.floatingDone(ctx, op, f, a.Within, action, err)
}

// floatingDone waits for an accepted change of a floating IP.
func (c *Client) floatingDone(ctx context.Context, op string, f *hcloud.FloatingIP, within time.Duration, action *hcloud.Action, err error) (FloatingIP, error) {
	if err != nil {
		return FloatingIP{}, c.translate(op, err)
	}
	ctx, b := c.budget(ctx, within)
	if err := c.finish(ctx, b, op, action); err != nil {
		return FloatingIP{}, err
	}
	out, _, err := c.floating(ctx, op, f.ID)
	return out, accepted(err)
}

// floatingSettled waits for what is still at work on f and compares the server
// it leads to then; 0 is none.
func (c *Client) floatingSettled(ctx context.Context, op string, f *hcloud.FloatingIP, server int64, within time.Duration) (binding.Settlement[FloatingIP], error) {
	running := func(ctx context.Context) ([]*hcloud.Action, error) {
		actions, _, err := c.api.FloatingIP.Action.ListFor(ctx, f, hcloud.ActionListOpts{Status: []hcloud.ActionStatus{hcloud.ActionStatusRunning}})
		return busy(actions, err)
	}
	return settlePresent(c, ctx, op, within, running, func(ctx context.Context) (FloatingIP, bool, error) {
		out, now, err := c.floating(ctx, op, f.ID)
		return out, err == nil && floatingServer(now) == server, err
	})
}

func (c *Client) assignFloatingIPSettled(ctx context.Context, a assignFloatingIPArgs) (binding.Settlement[FloatingIP], error) {
	f, s, err := c.floatingAndServer(ctx, a)
	if err != nil {
		return binding.Settlement[FloatingIP]{}, err
	}
	return c.floatingSettled(ctx, "find out about the floating IP "+a.IP, f, s.ID, a.Within)
}

type unassignFloatingIPArgs struct {
	IP     string        `lua:"ip" doc:"Name, id or address of the floating IP."`
	Within time.Duration `lua:"within" default:"2m" doc:"How long it may take."`
}

var unassignFloatingIP = binding.Func[*Client, unassignFloatingIPArgs, FloatingIP]{
	Name: "unassign_floating_ip", Effect: binding.Mutates,
	Doc:     "Let a floating IP lead nowhere. To move it, assign it directly: that needs no unassigning.",
	Says:    "unassign the floating IP {ip}",
	Raises:  []fault.Kind{fault.NotFound, fault.Conflict, fault.Failed, fault.Timeout, fault.Denied, fault.RateLimited, fault.Unavailable},
	Example: `hetzner.unassign_floating_ip { ip = "hobby" }`,
	Target:  "ip",
	Call: func(c *Client, ctx context.Context, a unassignFloatingIPArgs) (FloatingIP, error) {
		op := "unassign the floating IP " + a.IP
		f, err := c.findFloating(ctx, op, a.IP)
		if err != nil {
			return FloatingIP{}, before(err)
		}
		if f.Server == nil {
			return floatingOf(f, nil), nil
		}
		action, _, err := c.api.FloatingIP.Unassign(ctx, f)
		return c.floatingDone(ctx, op, f, a.Within, action, err)
	},
	Predict: func(c *Client, ctx context.Context, a unassignFloatingIPArgs) (FloatingIP, error) {
		f, err := c.findFloating(ctx, "unassign the floating IP "+a.IP, a.IP)
		if err != nil {
			return FloatingIP{}, err
		}
		f.Server = nil
		return floatingOf(f, nil), nil
	},
	Settled: func(c *Client, ctx context.Context, a unassignFloatingIPArgs) (binding.Settlement[FloatingIP], error) {
		op := "find out about the floating IP " + a.IP
		f, err := c.findFloating(ctx, op, a.IP)
		if err != nil {
			return binding.Settlement[FloatingIP]{}, err
		}
		return c.floatingSettled(ctx, op, f, 0, a.Within)
	},
}
