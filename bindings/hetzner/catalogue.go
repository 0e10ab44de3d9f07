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

// Availability says where a server type can be had.
type Availability struct {
	Type         string   `lua:"type" doc:"Server type."`
	Architecture string   `lua:"architecture" doc:"x86 or arm."`
	Cores        int      `lua:"cores" doc:"Number of virtual CPUs."`
	Memory       float64  `lua:"memory" doc:"Memory in GB."`
	Disk         int      `lua:"disk" doc:"Disk in GB."`
	Available    []string `lua:"available" doc:"Locations in which one can be created at the moment."`
	SoldOut      []string `lua:"sold_out" doc:"Locations that offer it and have none at the moment."`
	Deprecated   bool     `lua:"deprecated" doc:"Whether Hetzner is giving it up."`
}

type availabilityArgs struct {
	Type string `lua:"type" doc:"Server type, such as cpx21."`
}

var readAvailability = binding.Func[*Client, availabilityArgs, Availability]{
	Name: "availability", Effect: binding.Reads,
	Doc:     "Where a server type can be had at the moment. The answer ages fast: give create_server alternatives all the same.",
	Raises:  []fault.Kind{fault.NotFound, fault.Denied, fault.RateLimited, fault.Unavailable},
	Example: `hetzner.availability { type = "cpx21" }`,
	Call:    (*Client).availability,
}

func (c *Client) availability(ctx context.Context, a availabilityArgs) (Availability, error) {
	t, err := c.findType(ctx, "look up server type "+a.Type, a.Type)
	if err != nil {
		return Availability{}, err
	}
	out := Availability{Type: t.Name, Architecture: string(t.Architecture), Cores: t.Cores, Memory: float64(t.Memory), Disk: t.Disk,
		Deprecated: t.IsDeprecated()}
	for _, l := range t.Locations {
		switch {
		case l.IsDeprecated():
		case l.Available:
			out.Available = append(out.Available, l.Location.Name)
		default:
			out.SoldOut = append(out.SoldOut, l.Location.Name)
		}
	}
	return out, nil
}

func (c *Client) findType(ctx context.Context, op, name string) (*hcloud.ServerType, error) {
	return lookUp(ctx, c, op, "server type", name, c.api.ServerType.Get, func(ctx context.Context) ([]string, error) {
		all, err := c.api.ServerType.All(ctx)
		return namesOf(all, func(t *hcloud.ServerType) string { return t.Name }), err
	})
}

func (c *Client) findLocation(ctx context.Context, op, name string) (*hcloud.Location, error) {
	return lookUp(ctx, c, op, "location", name, c.api.Location.Get, func(ctx context.Context) ([]string, error) {
		all, err := c.api.Location.All(ctx)
		return namesOf(all, func(l *hcloud.Location) string { return l.Name }), err
	})
}

// Network is a private network.
type Network struct {
	ID      string            `lua:"id" doc:"Its id."`
	Name    string            `lua:"name" doc:"Its name."`
	Range   string            `lua:"range" doc:"Its address range, such as 10.0.0.0/16."`
	Zones   []string          `lua:"zones" doc:"Network zones of its subnets; a server joins only from there."`
	Servers []string          `lua:"servers" doc:"Ids of its servers."`
	Labels  map[string]string `lua:"labels" doc:"Its labels."`
}

type labelArgs struct {
	Label string `lua:"label,optional" doc:"Only those that match this label selector."`
}

var readNetworks = binding.Func[*Client, labelArgs, []Network]{
	Name: "networks", Effect: binding.Reads,
	Doc:     "The private networks of the project by name.",
	Raises:  []fault.Kind{fault.Invalid, fault.Denied, fault.RateLimited, fault.Unavailable},
	Example: `hetzner.networks {}`,
	Call:    (*Client).networks,
}

func (c *Client) networks(ctx context.Context, a labelArgs) ([]Network, error) {
	all, err := c.api.Network.AllWithOpts(ctx, hcloud.NetworkListOpts{ListOpts: hcloud.ListOpts{LabelSelector: a.Label}})
	if err != nil {
		return nil, c.translate("list networks", err)
	}
	var out []Network
	for _, n := range all {
		x := Network{ID: idText(n.ID), Name: n.Name, Labels: n.Labels}
		if n.IPRange != nil {
			x.Range = n.IPRange.String()
		}
		for _, s := range n.Subnets {
			if !slices.Contains(x.Zones, string(s.NetworkZone)) {
				x.Zones = append(x.Zones, string(s.NetworkZone))
			}
		}
		for _, s := range n.Servers {
			x.Servers = append(x.Servers, idText(s.ID))
		}
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b Network) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func (c *Client) findNetwork(ctx context.Context, op, name string) (*hcloud.Network, error) {
	return lookUp(ctx, c, op, "network", name, c.api.Network.Get, func(ctx context.Context) ([]string, error) {
		all, err := c.api.Network.All(ctx)
		return namesOf(all, func(n *hcloud.Network) string { return n.Name }), err
	})
}

// Firewall is a set of rules in front of servers.
type Firewall struct {
	ID      string            `lua:"id" doc:"Its id."`
	Name    string            `lua:"name" doc:"Its name."`
	Rules   int               `lua:"rules" doc:"How many rules it has."`
	Servers []string          `lua:"servers" doc:"Ids of the servers that it is applied to, directly or by label."`
	Labels  map[string]string `lua:"labels" doc:"Its labels."`
}

var readFirewalls = binding.Func[*Client, labelArgs, []Firewall]{
	Name: "firewalls", Effect: binding.Reads,
	Doc:     "The firewalls of the project by name.",
	Raises:  []fault.Kind{fault.Invalid, fault.Denied, fault.RateLimited, fault.Unavailable},
	Example: `hetzner.firewalls {}`,
	Call:    (*Client).firewalls,
}

func (c *Client) firewalls(ctx context.Context, a labelArgs) ([]Firewall, error) {
	all, err := c.api.Firewall.AllWithOpts(ctx, hcloud.FirewallListOpts{ListOpts: hcloud.ListOpts{LabelSelector: a.Label}})
	if err != nil {
		return nil, c.translate("list firewalls", err)
	}
	var out []Firewall
	for _, f := range all {
		out = append(out, Firewall{ID: idText(f.ID), Name: f.Name, Rules: len(f.Rules), Servers: appliedTo(f.AppliedTo), Labels: f.Labels})
	}
	slices.SortFunc(out, func(a, b Firewall) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func appliedTo(resources []hcloud.FirewallResource) []string {
	var out []string
	for _, r := range resources {
		if r.Server != nil {
			out = append(out, idText(r.Server.ID))
		}
		out = append(out, appliedTo(r.AppliedToResources)...)
	}
	return out
}

func (c *Client) findFirewall(ctx context.Context, op, name string) (*hcloud.Firewall, error) {
	return lookUp(ctx, c, op, "firewall", name, c.api.Firewall.Get, func(ctx context.Context) ([]string, error) {
		all, err := c.api.Firewall.All(ctx)
		return namesOf(all, func(f *hcloud.Firewall) string { return f.Name }), err
	})
}

func (c *Client) findPlacement(ctx context.Context, op, name string) (*hcloud.PlacementGroup, error) {
	return lookUp(ctx, c, op, "placement group", name, c.api.PlacementGroup.Get, func(ctx context.Context) ([]string, error) {
		all, err := c.api.PlacementGroup.All(ctx)
		return namesOf(all, func(p *hcloud.PlacementGroup) string { return p.Name }), err
	})
}

// SSHKey is a public key that new servers can be given.
type SSHKey struct {
	ID          string            `lua:"id" doc:"Its id."`
	Name        string            `lua:"name" doc:"Its name."`
	Fingerprint string            `lua:"fingerprint" doc:"MD5 fingerprint."`
	PublicKey   string            `lua:"public_key" doc:"The key as authorized_keys has it."`
	Created     time.Time         `lua:"created,optional" doc:"When it was added."`
	Labels      map[string]string `lua:"labels" doc:"Its labels."`
}

var readSSHKeys = binding.Func[*Client, labelArgs, []SSHKey]{
	Name: "ssh_keys", Effect: binding.Reads,
	Doc:     "The SSH keys of the project by name.",
	Raises:  []fault.Kind{fault.Invalid, fault.Denied, fault.RateLimited, fault.Unavailable},
	Example: `hetzner.ssh_keys {}`,
	Call:    (*Client).sshKeys,
}

func (c *Client) sshKeys(ctx context.Context, a labelArgs) ([]SSHKey, error) {
	all, err := c.api.SSHKey.AllWithOpts(ctx, hcloud.SSHKeyListOpts{ListOpts: hcloud.ListOpts{LabelSelector: a.Label}})
	if err != nil {
		return nil, c.translate("list SSH keys", err)
	}
	var out []SSHKey
	for _, k := range all {
		out = append(out, SSHKey{ID: idText(k.ID), Name: k.Name, Fingerprint: k.Fingerprint, PublicKey: k.PublicKey, Created: k.Created, Labels: k.Labels})
	}
	slices.SortFunc(out, func(a, b SSHKey) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// keysFor returns the named keys, or all keys of the project when names is nil.
func (c *Client) keysFor(ctx context.Context, op string, names []string) ([]*hcloud.SSHKey, error) {
	if names == nil {
		all, err := c.api.SSHKey.All(ctx)
		return all, c.translate(op, err)
	}
	return each(ctx, op, names, c.findKey)
}

func (c *Client) findKey(ctx context.Context, op, name string) (*hcloud.SSHKey, error) {
	return lookUp(ctx, c, op, "SSH key", name, c.api.SSHKey.Get, func(ctx context.Context) ([]string, error) {
		all, err := c.api.SSHKey.All(ctx)
		return namesOf(all, func(k *hcloud.SSHKey) string { return k.Name }), err
	})
}

// each looks up every name.
func each[T any](ctx context.Context, op string, names []string, find func(context.Context, string, string) (*T, error)) ([]*T, error) {
	var out []*T
	for _, name := range names {
		x, err := find(ctx, op, name)
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}
