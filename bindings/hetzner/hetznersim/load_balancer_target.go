package hetznersim

import (
	"net/netip"
	"slices"
)

type targetRequest struct {
	Type   string `json:"type"`
	Server struct {
		ID int64 `json:"id"`
	} `json:"server"`
	LabelSelector struct {
		Selector string `json:"selector"`
	} `json:"label_selector"`
	IP struct {
		IP string `json:"ip"`
	} `json:"ip"`
	UsePrivateIP bool `json:"use_private_ip"`
}

func (r targetRequest) target() *target {
	return &target{
		kind: r.Type, server: r.Server.ID, selector: r.LabelSelector.Selector, ip: r.IP.IP, usePrivate: r.UsePrivateIP,
	}
}

// is tells whether two targets are the same one.
func (t *target) is(other *target) bool {
	return t.kind == other.kind && t.server == other.server && t.selector == other.selector && t.ip == other.ip
}

// checkTarget tells why a target cannot be added.
func (s *Sim) checkTarget(b *loadBalancer, t *target) error {
	switch t.kind {
	case "server":
		if s.servers[t.server] == nil {
			return notFound("server", t.server)
		}
		if !t.usePrivate && s.primaryOf(t.server, "ipv4") == nil {
			return refused("missing_ipv4", "the server has no public IPv4 address")
		}
	case "label_selector":
		if _, err := parseSelector(t.selector); err != nil || t.selector == "" {
			return invalid("label_selector", "is not a label selector")
		}
	case "ip":
		if _, err := netip.ParseAddr(t.ip); err != nil {
			return invalid("ip", "is not an address")
		}
		for _, p := range s.primary {
			if p.ip == t.ip {
				return refused("cloud_resource_ip_not_allowed", "the IP belongs to a cloud resource")
			}
		}
		return refused("ip_not_owned", "the IP is not owned by the owner of the project")
	default:
		return invalid("type", "must be server, label_selector or ip")
	}
	switch {
	case t.usePrivate:
		return refused("load_balancer_not_attached_to_network", "load balancer is not attached to a network")
	case slices.ContainsFunc(b.targets, t.is):
		return refused("target_already_defined", "load balancer target is already defined")
	case len(b.targets) >= b.kind.targets:
		return &problem{status: 403, code: "resource_limit_exceeded", message: "maximum number of targets reached"}
	}
	return nil
}

func (s *Sim) checkService(b *loadBalancer, one service) error {
	switch {
	case !slices.Contains([]string{"tcp", "http", "https"}, one.Protocol):
		return invalid("protocol", "must be tcp, http or https")
	case one.ListenPort < 1 || one.ListenPort > 65535:
		return invalid("listen_port", "must be a port")
	case b.serviceAt(one.ListenPort) >= 0:
		return refused("source_port_already_used", "the source port is already in use")
	}
	return s.knownCertificates(one)
}

func (b *loadBalancer) serviceAt(port int) int {
	return slices.IndexFunc(b.services, func(one service) bool { return one.ListenPort == port })
}

type balancerRequest struct {
	Name             string            `json:"name"`
	LoadBalancerType ref               `json:"load_balancer_type"`
	Location         ref               `json:"location"`
	NetworkZone      string            `json:"network_zone"`
	Labels           map[string]string `json:"labels"`
	Targets          []targetRequest   `json:"targets"`
	Services         []service         `json:"services"`
	PublicInterface  *bool             `json:"public_interface"`
	Algorithm        struct {
		Type string `json:"type"`
	} `json:"algorithm"`
}

func (s *Sim) createBalancer(c *call) (int, any, error) {
	var asked balancerRequest
	if err := c.decode(&asked); err != nil {
		return 0, nil, err
	}
	b, err := s.draftBalancer(asked)
	if err != nil {
		return 0, nil, err
	}
	for _, one := range asked.Services {
		if err := s.checkService(b, one); err != nil {
			return 0, nil, err
		}
		b.services = append(b.services, one)
	}
	for _, one := range asked.Targets {
		t := one.target()
		if err := s.checkTarget(b, t); err != nil {
			return 0, nil, err
		}
		t.since = s.clock.Now()
		b.targets = append(b.targets, t)
	}
	if b.ipv4, err = s.addresses.ipv4(); err != nil {
		return 0, nil, err
	}
	b.ipv6, b.head = s.addresses.ipv6(), s.newHead(asked.Name, asked.Labels)
	s.balancers[b.id] = b
	a := s.start(job{command: "create_load_balancer", on: []resource{b.resource()}, took: s.latency.LoadBalancer, busy: []*int{&b.busy}})
	return 201, obj{"load_balancer": s.balancerView(b), "action": s.actionView(a)}, nil
}

// draftBalancer is the load balancer that is asked for, without number,
// addresses, services and targets.
func (s *Sim) draftBalancer(asked balancerRequest) (*loadBalancer, error) {
	i := slices.IndexFunc(balancerTypes(), func(t *balancerType) bool { return asked.LoadBalancerType.means(t.id, t.name) })
	where := findLocation(asked.Location)
	for _, l := range locations() {
		if where == nil && asked.Location.empty() && l.zone == asked.NetworkZone {
			where = l
		}
	}
	switch {
	case asked.Name == "":
		return nil, invalid("name", "must be given")
	case i < 0:
		return nil, notFound("load balancer type", asked.LoadBalancerType.key())
	case where == nil:
		return nil, invalid("location", "a location or a network zone must be given")
	case used(inOrder(s.balancers), asked.Name, 0):
		return nil, taken("load balancer")
	case !oneOf([]string{"", "round_robin", "least_connections"}, asked.Algorithm.Type):
		return nil, invalid("algorithm", "must be round_robin or least_connections")
	}
	enabled := asked.PublicInterface == nil || *asked.PublicInterface
	b := &loadBalancer{kind: balancerTypes()[i], location: where, algorithm: or(asked.Algorithm.Type, "round_robin"), enabled: enabled}
	return b, checkLabels(asked.Labels)
}

func (s *Sim) addTarget(c *call) (int, any, error) {
	b, t, err := s.targetCall(c)
	if err != nil {
		return 0, nil, err
	}
	if err := s.checkTarget(b, t); err != nil {
		return 0, nil, err
	}
	return s.acted(s.start(job{
		command: "add_target", on: b.with(t), took: s.latency.Target, busy: []*int{&b.busy},
		end: func() {
			if t.kind != "server" || s.servers[t.server] != nil {
				t.since = s.clock.Now()
				b.targets = append(b.targets, t)
			}
		},
	}))
}

func (s *Sim) removeTarget(c *call) (int, any, error) {
	b, t, err := s.targetCall(c)
	if err != nil {
		return 0, nil, err
	}
	if !slices.ContainsFunc(b.targets, t.is) {
		return 0, nil, &problem{status: 404, code: "not_found", message: "load balancer target not found"}
	}
	return s.acted(s.start(job{
		command: "remove_target", on: b.with(t), took: s.latency.Target, busy: []*int{&b.busy},
		end: func() { b.targets = slices.DeleteFunc(b.targets, t.is) },
	}))
}

// with are the resources of an action about a target.
func (b *loadBalancer) with(t *target) []resource {
	if t.kind == "server" {
		return []resource{{t.server, "server"}, b.resource()}
	}
	return []resource{b.resource()}
}

func (s *Sim) targetCall(c *call) (*loadBalancer, *target, error) {
	b, err := s.freeBalancer(c.id)
	if err != nil {
		return nil, nil, err
	}
	var asked targetRequest
	if err := c.decode(&asked); err != nil {
		return nil, nil, err
	}
	return b, asked.target(), nil
}

func (s *Sim) addService(c *call) (int, any, error) {
	b, err := s.freeBalancer(c.id)
	if err != nil {
		return 0, nil, err
	}
	var asked service
	if err := c.decode(&asked); err != nil {
		return 0, nil, err
	}
	if err := s.checkService(b, asked); err != nil {
		return 0, nil, err
	}
	return s.acted(s.start(job{
		command: "add_service", on: []resource{b.resource()}, took: s.latency.Setting, busy: []*int{&b.busy},
		end: func() { b.services = append(b.services, asked) },
	}))
}

func (s *Sim) deleteService(c *call) (int, any, error) {
	b, err := s.freeBalancer(c.id)
	if err != nil {
		return 0, nil, err
	}
	var asked struct {
		ListenPort int `json:"listen_port"`
	}
	if err := c.decode(&asked); err != nil {
		return 0, nil, err
	}
	if b.serviceAt(asked.ListenPort) < 0 {
		return 0, nil, &problem{status: 404, code: "not_found", message: "load balancer service not found"}
	}
	return s.acted(s.start(job{
		command: "delete_service", on: []resource{b.resource()}, took: s.latency.Setting, busy: []*int{&b.busy},
		end: func() {
			b.services = slices.DeleteFunc(b.services, func(one service) bool { return one.ListenPort == asked.ListenPort })
		},
	}))
}

func (s *Sim) protectBalancer(c *call) (int, any, error) {
	b, err := s.freeBalancer(c.id)
	if err != nil {
		return 0, nil, err
	}
	return s.protect(c, b.resource(), &b.busy, &b.protectDelete, nil)
}
