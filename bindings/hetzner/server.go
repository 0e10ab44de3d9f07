package hetzner

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// Server is a cloud server.
type Server struct {
	ID          string            `lua:"id" doc:"Its id."`
	Name        string            `lua:"name" doc:"Its name."`
	Status      string            `lua:"status" doc:"running, off, starting, stopping, initializing, rebuilding, migrating, deleting or unknown."`
	Type        string            `lua:"type" doc:"Server type, such as cpx21."`
	Image       string            `lua:"image,optional" doc:"Name of its image, or the id of a snapshot; nil when the image is gone."`
	Location    string            `lua:"location" doc:"Location, such as fsn1."`
	IPv4        string            `lua:"ipv4,optional" doc:"Public IPv4 address; nil without one."`
	IPv6        string            `lua:"ipv6,optional" doc:"First address of its public IPv6 network; nil without one."`
	PrivateIPs  []string          `lua:"private_ips" doc:"Addresses in private networks."`
	Labels      map[string]string `lua:"labels" doc:"Its labels."`
	Created     time.Time         `lua:"created,optional" doc:"When it was created."`
	Volumes     []string          `lua:"volumes" doc:"Ids of the attached volumes."`
	FloatingIPs []string          `lua:"floating_ips" doc:"Ids of the floating IPs that lead to it."`
	Networks    []string          `lua:"networks" doc:"Ids of its private networks."`
	Firewalls   []string          `lua:"firewalls" doc:"Ids of the firewalls applied to it."`
	Rescue      bool              `lua:"rescue" doc:"Whether its next boot goes into the rescue system."`
	Locked      bool              `lua:"locked" doc:"Whether an action holds it."`
	Protected   bool              `lua:"protected" doc:"Whether it is protected against deletion."`
}

// foretoldServer is a server that a plan would have created: as the runbook
// sees it and as the rest of this package needs it.
type foretoldServer struct {
	api   *hcloud.Server
	shown Server
}

func (c *Client) serverOf(s *hcloud.Server) Server {
	if f, ok := c.foretoldAs(s.Name); ok && s.ID == 0 {
		return f.shown
	}
	out := Server{ID: idText(s.ID), Name: s.Name, Status: string(s.Status), Labels: s.Labels, Created: s.Created,
		Rescue: s.RescueEnabled, Locked: s.Locked, Protected: s.Protection.Delete}
	if s.ServerType != nil {
		out.Type = s.ServerType.Name
	}
	if s.Location != nil {
		out.Location = s.Location.Name
	}
	if s.Image != nil {
		out.Image = imageRef(s.Image)
	}
	if !s.PublicNet.IPv4.IsUnspecified() {
		out.IPv4 = s.PublicNet.IPv4.IP.String()
	}
	if !s.PublicNet.IPv6.IsUnspecified() {
		out.IPv6 = firstHost(s.PublicNet.IPv6.IP)
	}
	for _, n := range s.PrivateNet {
		out.PrivateIPs = append(out.PrivateIPs, n.IP.String())
		out.Networks = append(out.Networks, idText(n.Network.ID))
	}
	for _, v := range s.Volumes {
		out.Volumes = append(out.Volumes, idText(v.ID))
	}
	for _, f := range s.PublicNet.FloatingIPs {
		out.FloatingIPs = append(out.FloatingIPs, idText(f.ID))
	}
	for _, f := range s.PublicNet.Firewalls {
		out.Firewalls = append(out.Firewalls, idText(f.Firewall.ID))
	}
	return out
}

// firstHost is the address that Hetzner's images configure: ::1 of the /64.
func firstHost(network net.IP) string {
	host := slices.Clone(network.To16())
	if len(host) == net.IPv6len && host[15] == 0 {
		host[15] = 1
	}
	return host.String()
}

type serverArgs struct {
	Name string `lua:"name" doc:"Name or id of the server."`
}

var readServer = binding.Func[*Client, serverArgs, Server]{
	Name: "server", Effect: binding.Reads,
	Doc:     "One server by name or id.",
	Raises:  []fault.Kind{fault.NotFound, fault.Denied, fault.RateLimited, fault.Unavailable},
	Example: `hetzner.server { name = "hobby-1" }`,
	Call:    (*Client).server,
}

func (c *Client) server(ctx context.Context, a serverArgs) (Server, error) {
	s, err := c.find(ctx, "look up server "+a.Name, a.Name)
	if err != nil {
		return Server{}, err
	}
	return c.serverOf(s), nil
}

type serversArgs struct {
	Label string `lua:"label,optional" doc:"Only servers that match this label selector, such as \"tier=hobby\"."`
}

var readServers = binding.Func[*Client, serversArgs, []Server]{
	Name: "servers", Effect: binding.Reads,
	Doc:     "All servers of the project by name, or those that match a label selector.",
	Raises:  []fault.Kind{fault.Invalid, fault.Denied, fault.RateLimited, fault.Unavailable},
	Example: `hetzner.servers { label = "tier=hobby" }`,
	Call:    (*Client).servers,
}

func (c *Client) servers(ctx context.Context, a serversArgs) ([]Server, error) {
	found, err := c.api.Server.AllWithOpts(ctx, hcloud.ServerListOpts{ListOpts: hcloud.ListOpts{LabelSelector: a.Label}})
	if err != nil {
		return nil, c.translate("list servers", err)
	}
	var out []Server
	for _, s := range found {
		out = append(out, c.serverOf(s))
	}
	slices.SortFunc(out, func(a, b Server) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

type waitStatusArgs struct {
	Server string        `lua:"server" doc:"Name or id of the server."`
	Status string        `lua:"status" enum:"running,off" default:"running" doc:"What to wait for."`
	Within time.Duration `lua:"within" default:"5m" doc:"How long to wait."`
}

var waitStatus = binding.Func[*Client, waitStatusArgs, Server]{
	Name: "wait_status", Effect: binding.Reads,
	Doc:     "Wait until Hetzner reports a server running or off. It says nothing about what runs on the server.",
	Raises:  []fault.Kind{fault.NotFound, fault.Timeout, fault.Denied, fault.Unavailable},
	Example: `hetzner.wait_status { server = "hobby-1", status = "off", within = "2m" }`,
	Call:    (*Client).waitStatus,
}

func (c *Client) waitStatus(ctx context.Context, a waitStatusArgs) (Server, error) {
	op := fmt.Sprintf("wait until %s is %s", a.Server, a.Status)
	s, err := c.find(ctx, op, a.Server)
	if err != nil {
		return Server{}, err
	}
	ctx, b := c.budget(ctx, a.Within)
	return c.reach(ctx, b, op, s, hcloud.ServerStatus(a.Status))
}

// reach waits until s has the wanted status and returns it as it is then.
func (c *Client) reach(ctx context.Context, b *budget, op string, s *hcloud.Server, want hcloud.ServerStatus) (Server, error) {
	if s.ID == 0 { // foretold by a plan
		return c.serverOf(s), nil
	}
	var now *hcloud.Server
	err := c.await(ctx, b, op, fmt.Sprintf("%s is not %s", s.Name, want), func(ctx context.Context) (bool, error) {
		seen, _, err := c.serverByID(ctx, s.ID)
		if err != nil {
			return false, c.translate(op, err)
		}
		if seen == nil {
			return false, fault.New(fault.NotFound, "%s is gone", s.Name).WithOp("%s", op)
		}
		now = seen
		binding.Progress(ctx, "%s is %s", s.Name, seen.Status)
		return seen.Status == want, nil
	})
	if err != nil {
		return Server{}, err
	}
	return c.serverOf(now), nil
}

// find returns a server by name or id. In a plan it knows those that the plan
// would have created.
func (c *Client) find(ctx context.Context, op, name string) (*hcloud.Server, error) {
	if f, ok := c.foretoldAs(name); ok {
		return f.api, nil
	}
	return lookUp(ctx, c, op, "server", name, c.serverCalled, func(ctx context.Context) ([]string, error) {
		all, err := c.api.Server.All(ctx)
		return namesOf(all, func(s *hcloud.Server) string { return s.Name }), err
	})
}

// foretell remembers a server that a plan would have created.
func (c *Client) foretell(api *hcloud.Server, shown Server) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.foretold[shown.Name] = foretoldServer{api, shown}
}

func (c *Client) foretoldAs(name string) (foretoldServer, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, ok := c.foretold[name]
	if !ok && binding.IsPlanned(name) {
		for _, f := range c.foretold {
			if f.shown.ID == name {
				return f, true
			}
		}
	}
	return f, ok
}

// serverNames maps the ids to names; an id without a server is left out.
func (c *Client) serverNames(ctx context.Context, op string, ids ...int64) (map[int64]string, error) {
	out := map[int64]string{}
	ids = slices.DeleteFunc(ids, func(id int64) bool { return id == 0 })
	if len(ids) == 0 {
		return out, nil
	}
	if len(ids) == 1 {
		s, _, err := c.api.Server.GetByID(ctx, ids[0])
		if s != nil {
			out[s.ID] = s.Name
		}
		return out, c.translate(op, err)
	}
	all, err := c.api.Server.All(ctx)
	for _, s := range all {
		out[s.ID] = s.Name
	}
	return out, c.translate(op, err)
}
