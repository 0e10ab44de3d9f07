package hetznersim

import (
	"fmt"
	"net/netip"
	"slices"
)

// network is a private network.
type network struct {
	head
	ipRange       netip.Prefix
	subnets       []subnet
	routes        []obj
	expose        bool
	protectDelete bool
	busy          int
}

type subnet struct {
	kind, zone string
	ipRange    netip.Prefix
}

func (n *network) resource() resource { return resource{n.id, "network"} }

func (s *Sim) networkView(n *network) obj {
	subnets, members := []obj{}, []int64{}
	for _, one := range n.subnets {
		subnets = append(subnets, obj{
			"type": one.kind, "ip_range": one.ipRange.String(), "network_zone": one.zone, "gateway": n.ipRange.Addr().Next().String(),
		})
	}
	for _, v := range inOrder(s.servers) {
		if v.attachedTo(n.id) >= 0 {
			members = append(members, v.id)
		}
	}
	return obj{
		"id": n.id, "name": n.name, "created": stamp(n.created), "ip_range": n.ipRange.String(), "subnets": subnets,
		"routes": listed(n.routes), "servers": members, "load_balancers": []int64{},
		"protection": obj{"delete": n.protectDelete}, "labels": shown(n.labels), "expose_routes_to_vswitch": n.expose,
	}
}

func (s *Sim) listNetworks(c *call) (int, any, error) {
	return listing(c, "networks", inOrder(s.networks), s.networkView)
}

func (s *Sim) getNetwork(c *call) (int, any, error) {
	n := s.networks[c.id]
	if n == nil {
		return 0, nil, notFound("network", c.id)
	}
	return 200, obj{"network": s.networkView(n)}, nil
}

type subnetRequest struct {
	Type        string `json:"type"`
	IPRange     string `json:"ip_range"`
	NetworkZone string `json:"network_zone"`
}

func (s *Sim) createNetwork(c *call) (int, any, error) {
	var asked struct {
		Name    string            `json:"name"`
		IPRange string            `json:"ip_range"`
		Subnets []subnetRequest   `json:"subnets"`
		Routes  []obj             `json:"routes"`
		Labels  map[string]string `json:"labels"`
		Expose  bool              `json:"expose_routes_to_vswitch"`
	}
	if err := c.decode(&asked); err != nil {
		return 0, nil, err
	}
	prefix, err := netip.ParsePrefix(asked.IPRange)
	switch {
	case asked.Name == "":
		return 0, nil, invalid("name", "must be given")
	case err != nil || !prefix.Addr().IsPrivate() || prefix.Masked() != prefix:
		return 0, nil, invalid("ip_range", "must be a private IPv4 network")
	case used(inOrder(s.networks), asked.Name, 0):
		return 0, nil, taken("network")
	}
	if err := checkLabels(asked.Labels); err != nil {
		return 0, nil, err
	}
	n := &network{ipRange: prefix, routes: asked.Routes, expose: asked.Expose}
	for _, one := range asked.Subnets {
		if err := n.addSubnet(one); err != nil {
			return 0, nil, err
		}
	}
	n.head = s.newHead(asked.Name, asked.Labels)
	s.networks[n.id] = n
	return 201, obj{"network": s.networkView(n)}, nil
}

// addSubnet adds a subnet; without a range it takes the first free /24.
func (n *network) addSubnet(asked subnetRequest) error {
	known := slices.ContainsFunc(locations(), func(l *location) bool { return l.zone == asked.NetworkZone })
	switch {
	case asked.Type != "cloud" && asked.Type != "server":
		return invalid("type", "must be cloud or server")
	case !known:
		return invalid("network_zone", "%q is not a network zone", asked.NetworkZone)
	}
	prefix := netip.PrefixFrom(n.ipRange.Addr(), 24)
	if asked.IPRange != "" {
		var err error
		if prefix, err = netip.ParsePrefix(asked.IPRange); err != nil {
			return invalid("ip_range", "is not a network")
		}
	} else {
		for n.overlaps(prefix) && n.ipRange.Contains(prefix.Addr()) {
			a := prefix.Addr().As4()
			prefix = netip.PrefixFrom(netip.AddrFrom4([4]byte{a[0], a[1], a[2] + 1, 0}), 24)
		}
	}
	if !n.ipRange.Contains(prefix.Addr()) || prefix.Bits() < n.ipRange.Bits() || n.overlaps(prefix) {
		return invalid("ip_range", "does not fit into the network")
	}
	n.subnets = append(n.subnets, subnet{asked.Type, asked.NetworkZone, prefix})
	return nil
}

func (n *network) overlaps(p netip.Prefix) bool {
	return slices.ContainsFunc(n.subnets, func(one subnet) bool { return one.ipRange.Overlaps(p) })
}

func (s *Sim) updateNetwork(c *call) (int, any, error) {
	n := s.networks[c.id]
	if n == nil {
		return 0, nil, notFound("network", c.id)
	}
	if err := rename(c, &n.head, inOrder(s.networks), "network"); err != nil {
		return 0, nil, err
	}
	return 200, obj{"network": s.networkView(n)}, nil
}

func (s *Sim) deleteNetwork(c *call) (int, any, error) {
	n := s.networks[c.id]
	switch {
	case n == nil:
		return 0, nil, notFound("network", c.id)
	case n.protectDelete:
		return 0, nil, protected("network deletion")
	}
	for _, v := range s.servers {
		v.nets = slices.DeleteFunc(v.nets, func(a attachment) bool { return a.network == n.id })
	}
	delete(s.networks, n.id)
	return 204, nil, nil
}

func (s *Sim) protectNetwork(c *call) (int, any, error) {
	n := s.networks[c.id]
	if n == nil {
		return 0, nil, notFound("network", c.id)
	}
	return s.protect(c, n.resource(), &n.busy, &n.protectDelete, nil)
}

func (s *Sim) addNetworkSubnet(c *call) (int, any, error) {
	n := s.networks[c.id]
	if n == nil {
		return 0, nil, notFound("network", c.id)
	}
	var asked subnetRequest
	if err := c.decode(&asked); err != nil {
		return 0, nil, err
	}
	if err := n.addSubnet(asked); err != nil {
		return 0, nil, err
	}
	return s.acted(s.start(job{command: "add_subnet", on: []resource{n.resource()}, took: s.latency.Setting, busy: []*int{&n.busy}}))
}

// attachedTo is the place of a network in the server's list, -1 when absent.
func (v *server) attachedTo(id int64) int {
	return slices.IndexFunc(v.nets, func(a attachment) bool { return a.network == id })
}

// joinable tells why a server cannot join a network; ip may be empty.
func (s *Sim) joinable(v *server, n *network, ip string) error {
	if v.attachedTo(n.id) >= 0 {
		return refused("server_already_attached", "server is already attached to the network")
	}
	if ip == "" {
		if s.freeIP(n, v.location.zone) == "" {
			return refused("no_subnet_available", "no subnet or IP is available for the server within the network")
		}
		return nil
	}
	a, err := netip.ParseAddr(ip)
	if err != nil || !slices.ContainsFunc(n.subnets, func(one subnet) bool { return one.ipRange.Contains(a) }) || s.inUse(n.id, ip) {
		return refused("ip_not_available", "the provided IP is not available")
	}
	return nil
}

// freeIP is the lowest unused address of a subnet in the zone.
func (s *Sim) freeIP(n *network, zone string) string {
	for _, one := range n.subnets {
		if one.zone != zone {
			continue
		}
		// The network's own address and the gateway are not given out.
		for a := one.ipRange.Addr().Next().Next(); one.ipRange.Contains(a); a = a.Next() {
			if !s.inUse(n.id, a.String()) {
				return a.String()
			}
		}
	}
	return ""
}

func (s *Sim) inUse(network int64, ip string) bool {
	for _, v := range s.servers {
		if i := v.attachedTo(network); i >= 0 && (v.nets[i].ip == ip || slices.Contains(v.nets[i].aliases, ip)) {
			return true
		}
	}
	return false
}

// join attaches a server to a network that joinable has allowed.
func (s *Sim) join(v *server, n *network, ip string, aliases []string) {
	if ip == "" {
		ip = s.freeIP(n, v.location.zone)
	}
	mac := fmt.Sprintf("86:00:00:%02x:%02x:%02x", byte(v.id>>8), byte(v.id), byte(n.id))
	v.nets = append(v.nets, attachment{network: n.id, ip: ip, mac: mac, aliases: aliases})
}

func (s *Sim) attachToNetwork(c *call) (int, any, error) {
	v, err := s.freeServer(c.id)
	if err != nil {
		return 0, nil, err
	}
	var asked struct {
		Network  int64    `json:"network"`
		IP       string   `json:"ip"`
		AliasIPs []string `json:"alias_ips"`
	}
	if err := c.decode(&asked); err != nil {
		return 0, nil, err
	}
	n := s.networks[asked.Network]
	if n == nil {
		return 0, nil, notFound("network", asked.Network)
	}
	if err := s.joinable(v, n, asked.IP); err != nil {
		return 0, nil, err
	}
	return s.acted(s.start(job{
		command: "attach_to_network", on: []resource{v.resource(), n.resource()}, took: s.latency.AttachNetwork, busy: []*int{&v.busy},
		end: func() { s.join(v, n, asked.IP, asked.AliasIPs) },
	}))
}

func (s *Sim) detachFromNetwork(c *call) (int, any, error) {
	v, err := s.freeServer(c.id)
	if err != nil {
		return 0, nil, err
	}
	var asked struct {
		Network int64 `json:"network"`
	}
	if err := c.decode(&asked); err != nil {
		return 0, nil, err
	}
	if v.attachedTo(asked.Network) < 0 {
		return 0, nil, notFound("network attachment", asked.Network)
	}
	return s.acted(s.start(job{
		command: "detach_from_network", on: []resource{v.resource(), {asked.Network, "network"}}, took: s.latency.AttachNetwork, busy: []*int{&v.busy},
		end: func() {
			v.nets = slices.DeleteFunc(v.nets, func(a attachment) bool { return a.network == asked.Network })
		},
	}))
}
