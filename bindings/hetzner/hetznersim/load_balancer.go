package hetznersim

import (
	"encoding/json"
	"slices"
	"time"
)

// loadBalancer spreads traffic over targets. It is bookkeeping: its own address
// leads nowhere, and a target is healthy when its machine is powered.
type loadBalancer struct {
	head
	kind          *balancerType
	location      *location
	ipv4, ipv6    string
	algorithm     string
	services      []service
	targets       []*target
	enabled       bool
	protectDelete bool
	busy          int
}

type balancerType struct {
	head
	connections, services, targets, certificates int
	monthly                                      float64
}

func balancerTypes() []*balancerType {
	return []*balancerType{
		{head{id: 1, name: "lb11"}, 10000, 5, 25, 10, 5.39},
		{head{id: 2, name: "lb21"}, 20000, 15, 75, 25, 15.9},
		{head{id: 3, name: "lb31"}, 40000, 30, 150, 50, 29.9},
	}
}

func (t *balancerType) prices() []obj { return pricesAt(everywhere(), t.monthly, 20) }

func (t *balancerType) view() obj {
	return obj{
		"id": t.id, "name": t.name, "description": "Load balancer " + t.name, "max_connections": t.connections,
		"max_services": t.services, "max_targets": t.targets, "max_assigned_certificates": t.certificates,
		"prices": t.prices(), "deprecated": nil, "deprecation": nil,
	}
}

// target is what receives traffic: a server, servers by label, or an address.
type target struct {
	kind       string // server, label_selector, ip
	server     int64
	selector   string
	ip         string
	usePrivate bool
	since      time.Time
}

type service struct {
	Protocol        string `json:"protocol"`
	ListenPort      int    `json:"listen_port"`
	DestinationPort int    `json:"destination_port"`
	Proxyprotocol   bool   `json:"proxyprotocol"`
	HealthCheck     check  `json:"health_check"`
	HTTP            *web   `json:"http,omitempty"`
}

type check struct {
	Protocol string    `json:"protocol"`
	Port     int       `json:"port"`
	Interval int       `json:"interval"`
	Timeout  int       `json:"timeout"`
	Retries  int       `json:"retries"`
	HTTP     *checkWeb `json:"http,omitempty"`
}

type checkWeb struct {
	Domain      string   `json:"domain"`
	Path        string   `json:"path"`
	Response    string   `json:"response"`
	StatusCodes []string `json:"status_codes"`
	TLS         bool     `json:"tls"`
}

type web struct {
	CookieName     string  `json:"cookie_name"`
	CookieLifetime int     `json:"cookie_lifetime"`
	Certificates   []int64 `json:"certificates"`
	RedirectHTTP   bool    `json:"redirect_http"`
	StickySessions bool    `json:"sticky_sessions"`
	TimeoutIdle    int     `json:"timeout_idle"`
}

// UnmarshalJSON fills in what the vendor fills in: ports by protocol, a check
// of the destination port every 15 seconds.
func (v *service) UnmarshalJSON(data []byte) error {
	type plain service
	p := plain{HealthCheck: check{Interval: 15, Timeout: 10, Retries: 3}}
	if err := json.Unmarshal(data, &p); err != nil {
		return err
	}
	usual := map[string]int{"http": 80, "https": 443}[p.Protocol]
	if p.ListenPort == 0 {
		p.ListenPort = usual
	}
	if p.DestinationPort == 0 {
		p.DestinationPort = 80
		if p.Protocol == "tcp" {
			p.DestinationPort = p.ListenPort
		}
	}
	if p.HealthCheck.Protocol == "" {
		p.HealthCheck.Protocol = "tcp"
	}
	if p.HealthCheck.Port == 0 {
		p.HealthCheck.Port = p.DestinationPort
	}
	if h := p.HealthCheck.HTTP; h != nil && len(h.StatusCodes) == 0 {
		h.StatusCodes = []string{"2??", "3??"}
	}
	if p.HTTP != nil {
		p.HTTP.Certificates = listed(p.HTTP.Certificates)
	}
	*v = service(p)
	return nil
}

func (b *loadBalancer) resource() resource { return resource{b.id, "load_balancer"} }

func (s *Sim) balancerView(b *loadBalancer) obj {
	targets := []obj{}
	for _, t := range b.targets {
		targets = append(targets, s.targetView(b, t))
	}
	return obj{
		"id": b.id, "name": b.name, "private_net": []obj{}, "location": b.location.view(), "load_balancer_type": b.kind.view(),
		"public_net": obj{
			"enabled": b.enabled,
			"ipv4":    obj{"ip": b.ipv4, "dns_ptr": reverse(b.ipv4)},
			"ipv6":    obj{"ip": host(b.ipv6), "dns_ptr": ""},
		},
		"protection": obj{"delete": b.protectDelete}, "labels": shown(b.labels), "created": stamp(b.created),
		"services": listed(b.services), "targets": targets, "algorithm": obj{"type": b.algorithm},
		"included_traffic": included(b.location.name, 20, 1), "outgoing_traffic": nil, "ingoing_traffic": nil,
	}
}

func (s *Sim) targetView(b *loadBalancer, t *target) obj {
	view := obj{"type": t.kind, "use_private_ip": t.usePrivate}
	switch t.kind {
	case "server":
		view["server"], view["health_status"] = obj{"id": t.server}, s.health(b, t, t.server)
	case "ip":
		view["ip"], view["health_status"] = obj{"ip": t.ip}, s.health(b, t, 0)
	default:
		selected := []obj{}
		for _, id := range s.covers(t.selector) {
			selected = append(selected, obj{
				"type": "server", "server": obj{"id": id}, "use_private_ip": t.usePrivate, "health_status": s.health(b, t, id),
			})
		}
		view["label_selector"], view["targets"] = obj{"selector": t.selector}, selected
	}
	return view
}

// health is the state of a target per service: unknown until it was checked
// once, and for addresses outside the project.
func (s *Sim) health(b *loadBalancer, t *target, server int64) []obj {
	state := "unknown"
	if v := s.servers[server]; v != nil && s.clock.Now().Sub(t.since) >= s.scaled(s.latency.HealthCheckWait) {
		if state = "unhealthy"; v.status() == "running" {
			state = "healthy"
		}
	}
	list := []obj{}
	for _, one := range b.services {
		list = append(list, obj{"listen_port": one.ListenPort, "status": state})
	}
	return list
}

// balancersOf lists the load balancers that send traffic to a server.
func (s *Sim) balancersOf(server int64) []int64 {
	list := []int64{}
	for _, b := range inOrder(s.balancers) {
		if slices.ContainsFunc(b.targets, func(t *target) bool {
			return t.server == server || (t.kind == "label_selector" && slices.Contains(s.covers(t.selector), server))
		}) {
			list = append(list, b.id)
		}
	}
	return list
}

func (s *Sim) listBalancers(c *call) (int, any, error) {
	return listing(c, "load_balancers", inOrder(s.balancers), s.balancerView)
}

func (s *Sim) getBalancer(c *call) (int, any, error) {
	b := s.balancers[c.id]
	if b == nil {
		return 0, nil, notFound("load balancer", c.id)
	}
	return 200, obj{"load_balancer": s.balancerView(b)}, nil
}

func (s *Sim) updateBalancer(c *call) (int, any, error) {
	b := s.balancers[c.id]
	if b == nil {
		return 0, nil, notFound("load balancer", c.id)
	}
	if err := rename(c, &b.head, inOrder(s.balancers), "load balancer"); err != nil {
		return 0, nil, err
	}
	return 200, obj{"load_balancer": s.balancerView(b)}, nil
}

// deleteBalancer answers with an action, as the vendor does since October 2026.
func (s *Sim) deleteBalancer(c *call) (int, any, error) {
	b, err := s.freeBalancer(c.id)
	switch {
	case err != nil:
		return 0, nil, err
	case b.protectDelete:
		return 0, nil, protected("load balancer deletion")
	}
	return s.acted(s.start(job{
		command: "delete_load_balancer", on: []resource{b.resource()}, took: s.latency.LoadBalancer, busy: []*int{&b.busy},
		end: func() {
			delete(s.balancers, b.id)
			s.addresses.take(b.ipv4)
		},
	}))
}

func (s *Sim) listBalancerTypes(c *call) (int, any, error) {
	return listing(c, "load_balancer_types", balancerTypes(), (*balancerType).view)
}

func (s *Sim) getBalancerType(c *call) (int, any, error) {
	for _, t := range balancerTypes() {
		if t.id == c.id {
			return 200, obj{"load_balancer_type": t.view()}, nil
		}
	}
	return 0, nil, notFound("load balancer type", c.id)
}

func (s *Sim) freeBalancer(id int64) (*loadBalancer, error) {
	b := s.balancers[id]
	switch {
	case b == nil:
		return nil, notFound("load balancer", id)
	case b.busy > 0:
		return nil, locked("load balancer")
	}
	return b, nil
}
