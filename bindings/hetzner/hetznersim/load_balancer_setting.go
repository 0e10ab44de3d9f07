package hetznersim

import (
	"encoding/json"
	"slices"
)

// changed is a service with what a body says of it; the rest stays.
func (v service) changed(body []byte) (service, error) {
	type plain service // without the defaults of a new one
	var p plain
	text, err := json.Marshal(plain(v))
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err != nil {
		return v, err
	}
	c := &call{body: body}
	err = c.decode(&p)
	return service(p), err
}

func (s *Sim) updateService(c *call) (int, any, error) {
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
	at := b.serviceAt(asked.ListenPort)
	if at < 0 {
		return 0, nil, &problem{status: 404, code: "not_found", message: "load balancer service not found"}
	}
	now, err := b.services[at].changed(c.body)
	if err != nil {
		return 0, nil, err
	}
	rest := &loadBalancer{services: slices.Delete(slices.Clone(b.services), at, at+1)}
	if err := s.checkService(rest, now); err != nil {
		return 0, nil, err
	}
	return s.acted(s.start(job{
		command: "update_service", on: []resource{b.resource()}, took: s.latency.Setting, busy: []*int{&b.busy},
		end: func() { b.services[at] = now },
	}))
}

func (s *Sim) changeAlgorithm(c *call) (int, any, error) {
	b, err := s.freeBalancer(c.id)
	if err != nil {
		return 0, nil, err
	}
	var asked struct {
		Type string `json:"type"`
	}
	if err := c.decode(&asked); err != nil {
		return 0, nil, err
	}
	if asked.Type != "round_robin" && asked.Type != "least_connections" {
		return 0, nil, invalid("type", "must be round_robin or least_connections")
	}
	return s.acted(s.start(job{
		command: "change_algorithm", on: []resource{b.resource()}, took: s.latency.Setting, busy: []*int{&b.busy},
		end: func() { b.algorithm = asked.Type },
	}))
}

func (s *Sim) changeBalancerType(c *call) (int, any, error) {
	b, err := s.freeBalancer(c.id)
	if err != nil {
		return 0, nil, err
	}
	var asked struct {
		Type ref `json:"load_balancer_type"`
	}
	if err := c.decode(&asked); err != nil {
		return 0, nil, err
	}
	types := balancerTypes()
	i := slices.IndexFunc(types, func(t *balancerType) bool { return asked.Type.means(t.id, t.name) })
	switch {
	case i < 0:
		return 0, nil, notFound("load balancer type", asked.Type.key())
	case len(b.services) > types[i].services || len(b.targets) > types[i].targets:
		return 0, nil, refused("invalid_load_balancer_type", "the load balancer type does not fit for the given load balancer")
	}
	return s.acted(s.start(job{
		command: "change_load_balancer_type", on: []resource{b.resource()}, took: s.latency.LoadBalancer, busy: []*int{&b.busy},
		end: func() { b.kind = types[i] },
	}))
}
