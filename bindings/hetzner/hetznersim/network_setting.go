package hetznersim

import (
	"net/netip"
	"slices"
)

// changeNetwork decodes what is asked of a network and, when allowed says
// nothing against it, does it in an action.
func changeNetwork[T any](s *Sim, c *call, command string, allowed func(*network, T) error, do func(*network, T)) (int, any, error) {
	n := s.networks[c.id]
	switch {
	case n == nil:
		return 0, nil, notFound("network", c.id)
	case n.busy > 0:
		return 0, nil, locked("network")
	}
	var asked T
	if err := c.decode(&asked); err != nil {
		return 0, nil, err
	}
	if err := allowed(n, asked); err != nil {
		return 0, nil, err
	}
	return s.acted(s.start(job{command: command, on: []resource{n.resource()}, took: s.latency.Setting, busy: []*int{&n.busy}, end: func() { do(n, asked) }}))
}

type rangeRequest struct {
	IPRange string `json:"ip_range"`
}

// changeRange lets a network grow; it does not shrink.
func (s *Sim) changeRange(c *call) (int, any, error) {
	return changeNetwork(s, c, "change_ip_range", func(n *network, asked rangeRequest) error {
		p, err := netip.ParsePrefix(asked.IPRange)
		if err != nil || !p.Addr().IsPrivate() || p.Masked() != p || !p.Contains(n.ipRange.Addr()) || p.Bits() > n.ipRange.Bits() {
			return invalid("ip_range", "must be a private IPv4 network that holds the present one")
		}
		return nil
	}, func(n *network, asked rangeRequest) { n.ipRange = mustPrefix(asked.IPRange) })
}

func (s *Sim) deleteSubnet(c *call) (int, any, error) {
	is := func(asked rangeRequest) func(subnet) bool {
		return func(one subnet) bool { return one.ipRange.String() == asked.IPRange }
	}
	return changeNetwork(s, c, "delete_subnet", func(n *network, asked rangeRequest) error {
		at := slices.IndexFunc(n.subnets, is(asked))
		if at < 0 {
			return &problem{status: 404, code: "not_found", message: "subnet not found"}
		}
		for _, v := range s.servers {
			if i := v.attachedTo(n.id); i >= 0 && n.subnets[at].ipRange.Contains(netip.MustParseAddr(v.nets[i].ip)) {
				return refused("resource_in_use", "subnet is still in use by a server")
			}
		}
		return nil
	}, func(n *network, asked rangeRequest) { n.subnets = slices.DeleteFunc(n.subnets, is(asked)) })
}

type routeRequest struct {
	Destination string `json:"destination"`
	Gateway     string `json:"gateway"`
}

func (r routeRequest) is(one obj) bool {
	return one["destination"] == r.Destination && one["gateway"] == r.Gateway
}

func (s *Sim) addRoute(c *call) (int, any, error) {
	return changeNetwork(s, c, "add_route", func(n *network, asked routeRequest) error {
		_, err := netip.ParsePrefix(asked.Destination)
		gateway, gatewayErr := netip.ParseAddr(asked.Gateway)
		switch {
		case err != nil:
			return invalid("destination", "is not a network")
		case gatewayErr != nil || !n.ipRange.Contains(gateway):
			return invalid("gateway", "is not an address of the network")
		case slices.ContainsFunc(n.routes, func(one obj) bool { return one["destination"] == asked.Destination }):
			return invalid("destination", "has a route already")
		}
		return nil
	}, func(n *network, asked routeRequest) {
		n.routes = append(n.routes, obj{"destination": asked.Destination, "gateway": asked.Gateway})
	})
}

func (s *Sim) deleteRoute(c *call) (int, any, error) {
	return changeNetwork(s, c, "delete_route", func(n *network, asked routeRequest) error {
		if !slices.ContainsFunc(n.routes, asked.is) {
			return &problem{status: 404, code: "not_found", message: "route not found"}
		}
		return nil
	}, func(n *network, asked routeRequest) { n.routes = slices.DeleteFunc(n.routes, asked.is) })
}
