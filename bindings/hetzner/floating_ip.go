package hetzner

import (
	"context"
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

var floatingIPs = holding[hcloud.FloatingIP, FloatingIP]{
	what: "floating IP",
	get:  getFloating,
	byID: func(c *Client, ctx context.Context, id int64) (*hcloud.FloatingIP, *hcloud.Response, error) {
		return c.api.FloatingIP.GetByID(ctx, id)
	},
	all: func(c *Client, ctx context.Context, o hcloud.ListOpts) ([]*hcloud.FloatingIP, error) {
		return c.api.FloatingIP.AllWithOpts(ctx, hcloud.FloatingIPListOpts{ListOpts: o})
	},
	acts: func(c *Client, ctx context.Context, f *hcloud.FloatingIP, o hcloud.ActionListOpts) ([]*hcloud.Action, *hcloud.Response, error) {
		return c.api.FloatingIP.Action.ListFor(ctx, f, o)
	},
	id:   func(f *hcloud.FloatingIP) int64 { return f.ID },
	name: func(f *hcloud.FloatingIP) string { return f.Name },
	holder: func(f *hcloud.FloatingIP) int64 {
		if f.Server == nil {
			return 0
		}
		return f.Server.ID
	},
	shown: floatingOf,
}

// getFloating returns a floating IP by name, id or address.
func getFloating(c *Client, ctx context.Context, name string) (*hcloud.FloatingIP, *hcloud.Response, error) {
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

type floatingIPArgs struct {
	Name string `lua:"name" doc:"Name, id or address."`
}

var readFloatingIP = binding.Func[*Client, floatingIPArgs, FloatingIP]{
	Name: "floating_ip", Effect: binding.Reads,
	Doc:     "One floating IP by name, id or address.",
	Raises:  []fault.Kind{fault.NotFound, fault.Denied, fault.RateLimited, fault.Unavailable},
	Example: `hetzner.floating_ip { name = "hobby" }`,
	Call: func(c *Client, ctx context.Context, a floatingIPArgs) (FloatingIP, error) {
		return floatingIPs.read(c, ctx, a.Name)
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
	Call: func(c *Client, ctx context.Context, a floatingIPsArgs) ([]FloatingIP, error) {
		return floatingIPs.list(c, ctx, a.Server, a.Label)
	},
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
	Settled: func(c *Client, ctx context.Context, a assignFloatingIPArgs) (binding.Settlement[FloatingIP], error) {
		f, s, err := c.floatingAndServer(ctx, a)
		if err != nil {
			return binding.Settlement[FloatingIP]{}, err
		}
		return floatingIPs.settled(c, ctx, f, s.ID, a.Within)
	},
}

func (c *Client) floatingAndServer(ctx context.Context, a assignFloatingIPArgs) (*hcloud.FloatingIP, *hcloud.Server, error) {
	return floatingIPs.withServer(c, ctx, "assign the floating IP "+a.IP, a.IP, a.Server)
}

func (c *Client) assignFloatingIP(ctx context.Context, a assignFloatingIPArgs) (FloatingIP, error) {
	op := "assign the floating IP " + a.IP
	f, s, err := c.floatingAndServer(ctx, a)
	if err != nil {
		return FloatingIP{}, err
	}
	if floatingIPs.holder(f) == s.ID {
		return floatingOf(f, map[int64]string{s.ID: s.Name}), nil
	}
	action, _, err := c.api.FloatingIP.Assign(ctx, f, s)
	return floatingIPs.done(c, ctx, op, f, a.Within, action, err)
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
		f, err := floatingIPs.find(c, ctx, op, a.IP)
		if err != nil {
			return FloatingIP{}, before(err)
		}
		if f.Server == nil {
			return floatingOf(f, nil), nil
		}
		action, _, err := c.api.FloatingIP.Unassign(ctx, f)
		return floatingIPs.done(c, ctx, op, f, a.Within, action, err)
	},
	Predict: func(c *Client, ctx context.Context, a unassignFloatingIPArgs) (FloatingIP, error) {
		f, err := floatingIPs.find(c, ctx, "unassign the floating IP "+a.IP, a.IP)
		if err != nil {
			return FloatingIP{}, err
		}
		f.Server = nil
		return floatingOf(f, nil), nil
	},
	Settled: func(c *Client, ctx context.Context, a unassignFloatingIPArgs) (binding.Settlement[FloatingIP], error) {
		return floatingIPs.released(c, ctx, a.IP, a.Within)
	},
}
