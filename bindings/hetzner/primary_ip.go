package hetzner

import (
	"context"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// PrimaryIP is the address that a server is born with; it can outlive it.
type PrimaryIP struct {
	ID         string            `lua:"id" doc:"Its id."`
	Name       string            `lua:"name" doc:"Its name."`
	IP         string            `lua:"ip" doc:"The address."`
	Type       string            `lua:"type" doc:"ipv4 or ipv6."`
	Server     string            `lua:"server,optional" doc:"Name of the server that has it; nil when none has."`
	ServerID   string            `lua:"server_id,optional" doc:"Id of that server."`
	Location   string            `lua:"location" doc:"Location; only servers there can have it."`
	AutoDelete bool              `lua:"auto_delete" doc:"Whether it is deleted together with its server."`
	Labels     map[string]string `lua:"labels" doc:"Its labels."`
}

func primaryOf(p *hcloud.PrimaryIP, names map[int64]string) PrimaryIP {
	out := PrimaryIP{ID: idText(p.ID), Name: p.Name, IP: p.IP.String(), Type: string(p.Type), AutoDelete: p.AutoDelete, Labels: p.Labels}
	if p.Type == hcloud.PrimaryIPTypeIPv6 {
		out.IP = firstHost(p.IP)
	}
	if p.AssigneeID != 0 {
		out.ServerID, out.Server = idText(p.AssigneeID), names[p.AssigneeID]
	}
	if p.Location != nil {
		out.Location = p.Location.Name
	}
	return out
}

var primaryIPs = holding[hcloud.PrimaryIP, PrimaryIP]{
	what: "primary IP",
	get:  getPrimary,
	byID: func(c *Client, ctx context.Context, id int64) (*hcloud.PrimaryIP, *hcloud.Response, error) {
		return c.api.PrimaryIP.GetByID(ctx, id)
	},
	all: func(c *Client, ctx context.Context, o hcloud.ListOpts) ([]*hcloud.PrimaryIP, error) {
		return c.api.PrimaryIP.AllWithOpts(ctx, hcloud.PrimaryIPListOpts{ListOpts: o})
	},
	acts: func(c *Client, ctx context.Context, p *hcloud.PrimaryIP, o hcloud.ActionListOpts) ([]*hcloud.Action, *hcloud.Response, error) {
		return c.api.PrimaryIP.Action.ListFor(ctx, p, o)
	},
	id:     func(p *hcloud.PrimaryIP) int64 { return p.ID },
	name:   func(p *hcloud.PrimaryIP) string { return p.Name },
	holder: func(p *hcloud.PrimaryIP) int64 { return p.AssigneeID },
	shown:  primaryOf,
}

// getPrimary returns a primary IP by name, id or address.
func getPrimary(c *Client, ctx context.Context, name string) (*hcloud.PrimaryIP, *hcloud.Response, error) {
	found, resp, err := c.api.PrimaryIP.Get(ctx, name)
	if err != nil || found != nil {
		return found, resp, err
	}
	return c.api.PrimaryIP.GetByIP(ctx, name)
}

type primaryIPArgs struct {
	Name string `lua:"name" doc:"Name, id or address."`
}

var readPrimaryIP = binding.Func[*Client, primaryIPArgs, PrimaryIP]{
	Name: "primary_ip", Effect: binding.Reads,
	Doc:     "One primary IP by name, id or address.",
	Raises:  []fault.Kind{fault.NotFound, fault.Denied, fault.RateLimited, fault.Unavailable},
	Example: `hetzner.primary_ip { name = "203.0.113.10" }`,
	Call: func(c *Client, ctx context.Context, a primaryIPArgs) (PrimaryIP, error) {
		return primaryIPs.read(c, ctx, a.Name)
	},
}

type assignPrimaryIPArgs struct {
	IP     string        `lua:"ip" doc:"Name, id or address of the primary IP."`
	Server string        `lua:"server" doc:"Name or id of the server that shall have it."`
	Within time.Duration `lua:"within" default:"2m" doc:"How long it may take."`
}

var assignPrimaryIP = binding.Func[*Client, assignPrimaryIPArgs, PrimaryIP]{
	Name: "assign_primary_ip", Effect: binding.Mutates,
	Doc: "Give a primary IP to a server. Hetzner wants the server to be off, in the same location and without an address of that kind, and the " +
		"address to belong to no server: power off and unassign first. Nothing is done when the server has it already.",
	Says:    "assign the primary IP {ip} to {server}",
	Raises:  []fault.Kind{fault.NotFound, fault.Conflict, fault.Failed, fault.Timeout, fault.Denied, fault.RateLimited, fault.Unavailable},
	Example: `hetzner.assign_primary_ip { ip = "203.0.113.10", server = "hobby-1-r" }`,
	Target:  "ip",
	Call:    (*Client).assignPrimaryIP,
	Predict: func(c *Client, ctx context.Context, a assignPrimaryIPArgs) (PrimaryIP, error) {
		p, s, err := c.primaryAndServer(ctx, a)
		if err != nil {
			return PrimaryIP{}, err
		}
		shown := c.serverOf(s)
		out := primaryOf(p, nil)
		out.Server, out.ServerID = shown.Name, shown.ID
		return out, nil
	},
	Settled: func(c *Client, ctx context.Context, a assignPrimaryIPArgs) (binding.Settlement[PrimaryIP], error) {
		p, s, err := c.primaryAndServer(ctx, a)
		if err != nil {
			return binding.Settlement[PrimaryIP]{}, err
		}
		return primaryIPs.settled(c, ctx, p, s.ID, a.Within)
	},
}

func (c *Client) primaryAndServer(ctx context.Context, a assignPrimaryIPArgs) (*hcloud.PrimaryIP, *hcloud.Server, error) {
	return primaryIPs.withServer(c, ctx, "assign the primary IP "+a.IP, a.IP, a.Server)
}

// assignable says which of Hetzner's rules stands in the way, if one does,
// before Hetzner refuses with less of an explanation.
func assignable(p *hcloud.PrimaryIP, s *hcloud.Server) error {
	op := "assign the primary IP " + p.Name
	has := !s.PublicNet.IPv4.IsUnspecified()
	if p.Type == hcloud.PrimaryIPTypeIPv6 {
		has = !s.PublicNet.IPv6.IsUnspecified()
	}
	switch {
	case p.AssigneeID != 0:
		return fault.New(fault.Conflict, "%s belongs to server %d", p.Name, p.AssigneeID).WithOp("%s", op).
			WithHint("hetzner.unassign_primary_ip { ip = %q } first; that server has to be off", p.Name)
	case p.Location != nil && s.Location != nil && p.Location.Name != s.Location.Name:
		return fault.New(fault.Conflict, "%s is in %s and %s in %s", p.Name, p.Location.Name, s.Name, s.Location.Name).WithOp("%s", op).
			WithHint("a primary IP cannot leave its location: create the server there, or use a floating IP")
	case s.Status != hcloud.ServerStatusOff:
		return fault.New(fault.Conflict, "%s is %s", s.Name, s.Status).WithOp("%s", op).
			WithHint("hetzner.poweroff { server = %q } first", s.Name)
	case has:
		return fault.New(fault.Conflict, "%s has an address of type %s already", s.Name, p.Type).WithOp("%s", op).
			WithHint("hetzner.unassign_primary_ip on that address first")
	}
	return nil
}

func (c *Client) assignPrimaryIP(ctx context.Context, a assignPrimaryIPArgs) (PrimaryIP, error) {
	op := "assign the primary IP " + a.IP
	p, s, err := c.primaryAndServer(ctx, a)
	if err != nil {
		return PrimaryIP{}, err
	}
	if p.AssigneeID == s.ID {
		return primaryOf(p, map[int64]string{s.ID: s.Name}), nil
	}
	if err := assignable(p, s); err != nil {
		return PrimaryIP{}, err
	}
	action, _, err := c.api.PrimaryIP.Assign(ctx, hcloud.PrimaryIPAssignOpts{ID: p.ID, AssigneeID: s.ID, AssigneeType: "server"})
	return primaryIPs.done(c, ctx, op, p, a.Within, action, err)
}

type unassignPrimaryIPArgs struct {
	IP     string        `lua:"ip" doc:"Name, id or address of the primary IP."`
	Within time.Duration `lua:"within" default:"2m" doc:"How long it may take."`
}

var unassignPrimaryIP = binding.Func[*Client, unassignPrimaryIPArgs, PrimaryIP]{
	Name: "unassign_primary_ip", Effect: binding.Mutates,
	Doc:     "Take a primary IP from its server, which has to be off. Nothing is done when no server has it.",
	Says:    "unassign the primary IP {ip}",
	Raises:  []fault.Kind{fault.NotFound, fault.Conflict, fault.Failed, fault.Timeout, fault.Denied, fault.RateLimited, fault.Unavailable},
	Example: `hetzner.unassign_primary_ip { ip = "203.0.113.10" }`,
	Target:  "ip",
	Call: func(c *Client, ctx context.Context, a unassignPrimaryIPArgs) (PrimaryIP, error) {
		op := "unassign the primary IP " + a.IP
		p, err := primaryIPs.find(c, ctx, op, a.IP)
		if err != nil {
			return PrimaryIP{}, before(err)
		}
		if p.AssigneeID == 0 {
			return primaryOf(p, nil), nil
		}
		action, _, err := c.api.PrimaryIP.Unassign(ctx, p.ID)
		return primaryIPs.done(c, ctx, op, p, a.Within, action, err)
	},
	Predict: func(c *Client, ctx context.Context, a unassignPrimaryIPArgs) (PrimaryIP, error) {
		p, err := primaryIPs.find(c, ctx, "unassign the primary IP "+a.IP, a.IP)
		if err != nil {
			return PrimaryIP{}, err
		}
		p.AssigneeID = 0
		return primaryOf(p, nil), nil
	},
	Settled: func(c *Client, ctx context.Context, a unassignPrimaryIPArgs) (binding.Settlement[PrimaryIP], error) {
		return primaryIPs.released(c, ctx, a.IP, a.Within)
	},
}
