package hetznersim

import (
	"slices"
	"strconv"
)

// primaryIP is a server's own public address. It changes hands only while the
// server is off.
type primaryIP struct {
	head
	kind, ip      string
	server        int64
	location      *location
	autoDelete    bool
	protectDelete bool
	ptr           pointers
	busy          int
}

func itoa(id int64) string { return strconv.FormatInt(id, 10) }

func (p *primaryIP) resource() resource { return resource{p.id, "primary_ip"} }

func (s *Sim) primaryView(p *primaryIP) obj {
	return obj{
		"id": p.id, "name": p.name, "ip": p.ip, "type": p.kind, "labels": shown(p.labels), "created": stamp(p.created),
		"protection": obj{"delete": p.protectDelete}, "dns_ptr": p.ptr.view(p.ip), "assignee_id": optionalID(p.server),
		"assignee_type": "server", "auto_delete": p.autoDelete, "blocked": false, "location": p.location.view(),
	}
}

// primaryOf is the address of a kind that a server has, or nil.
func (s *Sim) primaryOf(server int64, kind string) *primaryIP {
	for _, p := range s.primary {
		if p.server == server && p.kind == kind {
			return p
		}
	}
	return nil
}

func (s *Sim) listPrimary(c *call) (int, any, error) {
	list := slices.DeleteFunc(inOrder(s.primary), func(p *primaryIP) bool {
		return !oneOf(c.query["ip"], p.ip) && !oneOf(c.query["ip"], host(p.ip))
	})
	return listing(c, "primary_ips", list, s.primaryView)
}

func (s *Sim) getPrimary(c *call) (int, any, error) {
	p := s.primary[c.id]
	if p == nil {
		return 0, nil, notFound("primary IP", c.id)
	}
	return 200, obj{"primary_ip": s.primaryView(p)}, nil
}

func (s *Sim) freePrimary(id int64) (*primaryIP, error) {
	p := s.primary[id]
	switch {
	case p == nil:
		return nil, notFound("primary IP", id)
	case p.busy > 0:
		return nil, locked("primary IP")
	}
	return p, nil
}

// newPrimary makes an address; without a name it is called like the vendor
// calls it.
func (s *Sim) newPrimary(name, kind string, where *location) (*primaryIP, error) {
	ip, err := s.addresses.give(kind)
	if err != nil {
		return nil, err
	}
	p := &primaryIP{head: s.newHead(name, nil), kind: kind, ip: ip, location: where, ptr: pointers{}}
	if name == "" {
		p.name = "primary_ip-" + itoa(p.id)
	}
	s.primary[p.id] = p
	return p, nil
}

// primaryFits checks an address that a new server is to be created with.
func (s *Sim) primaryFits(id int64, kind string, v *server) error {
	p := s.primary[id]
	switch {
	case p == nil:
		return notFound("primary IP", id)
	case p.kind != kind:
		return refused("primary_ip_version_mismatch", "the specified primary IP has the wrong IP version")
	case p.server != 0:
		return refused("primary_ip_assigned", "the specified primary IP is already assigned to a server")
	case p.location.id != v.location.id:
		return refused("primary_ip_datacenter_mismatch", "the specified primary IP is in another location")
	}
	return nil
}

func (s *Sim) createPrimary(c *call) (int, any, error) {
	var asked struct {
		Name         string            `json:"name"`
		Type         string            `json:"type"`
		AssigneeID   int64             `json:"assignee_id"`
		AssigneeType string            `json:"assignee_type"`
		AutoDelete   bool              `json:"auto_delete"`
		Labels       map[string]string `json:"labels"`
		Location     ref               `json:"location"`
		Datacenter   ref               `json:"datacenter"` // deprecated, and all that older clients send
	}
	if err := c.decode(&asked); err != nil {
		return 0, nil, err
	}
	switch {
	case asked.Name == "":
		return 0, nil, invalid("name", "must be given")
	case asked.Type != "ipv4" && asked.Type != "ipv6":
		return 0, nil, invalid("type", "must be ipv4 or ipv6")
	case asked.AssigneeType != "" && asked.AssigneeType != "server":
		return 0, nil, invalid("assignee_type", "must be server")
	case used(inOrder(s.primary), asked.Name, 0):
		return 0, nil, taken("primary IP")
	}
	if err := checkLabels(asked.Labels); err != nil {
		return 0, nil, err
	}
	where, v := findLocation(asked.Location), (*server)(nil)
	if i := slices.IndexFunc(locations(), func(l *location) bool { return l.datacenter == asked.Datacenter.name }); where == nil && i >= 0 {
		where = locations()[i]
	}
	if asked.AssigneeID != 0 {
		var err error
		if v, err = s.assignable(asked.AssigneeID, asked.Type); err != nil {
			return 0, nil, err
		}
		where = v.location
	}
	if where == nil {
		return 0, nil, invalid("location", "a location or an assignee must be given")
	}
	p, err := s.newPrimary(asked.Name, asked.Type, where)
	if err != nil {
		return 0, nil, err
	}
	p.labels, p.autoDelete = asked.Labels, asked.AutoDelete
	s.route(host(p.ip), 0)
	if v == nil {
		return 201, obj{"primary_ip": s.primaryView(p)}, nil
	}
	a := s.assignPrimaryTo(p, v)
	return 201, obj{"primary_ip": s.primaryView(p), "action": s.actionView(a)}, nil
}

// assignable is a server that can take an address of a kind: off, and without
// one.
func (s *Sim) assignable(id int64, kind string) (*server, error) {
	v, err := s.freeServer(id)
	switch {
	case err != nil:
		return nil, err
	case v.on():
		return nil, refused("server_not_stopped", "server must be powered off")
	case s.primaryOf(id, kind) != nil:
		return nil, refused("server_has_"+kind, "server already has an address of this kind")
	}
	return v, nil
}

func (s *Sim) updatePrimary(c *call) (int, any, error) {
	p := s.primary[c.id]
	if p == nil {
		return 0, nil, notFound("primary IP", c.id)
	}
	var asked struct {
		AutoDelete *bool `json:"auto_delete"`
	}
	if err := c.decode(&asked); err != nil {
		return 0, nil, err
	}
	if err := rename(c, &p.head, inOrder(s.primary), "primary IP"); err != nil {
		return 0, nil, err
	}
	if asked.AutoDelete != nil {
		p.autoDelete = *asked.AutoDelete
	}
	return 200, obj{"primary_ip": s.primaryView(p)}, nil
}

// deletePrimary refuses an assigned address, as the vendor does since May 2026.
func (s *Sim) deletePrimary(c *call) (int, any, error) {
	p, err := s.freePrimary(c.id)
	switch {
	case err != nil:
		return 0, nil, err
	case p.protectDelete:
		return 0, nil, protected("primary IP deletion")
	case p.server != 0:
		return 0, nil, refused("must_be_unassigned", "primary IP must be unassigned first")
	}
	delete(s.primary, p.id)
	s.addresses.take(p.ip)
	return 204, nil, nil
}

// assignPrimary follows the vendor's rules: not assigned elsewhere, the server
// off and without an address of this kind, in the same location.
func (s *Sim) assignPrimary(c *call) (int, any, error) {
	p, err := s.freePrimary(c.id)
	if err != nil {
		return 0, nil, err
	}
	var asked struct {
		AssigneeID   int64  `json:"assignee_id"`
		AssigneeType string `json:"assignee_type"`
	}
	if err := c.decode(&asked); err != nil {
		return 0, nil, err
	}
	if asked.AssigneeType != "" && asked.AssigneeType != "server" {
		return 0, nil, invalid("assignee_type", "must be server")
	}
	if p.server != 0 {
		return 0, nil, refused("primary_ip_already_assigned", "primary IP is already assigned to a server")
	}
	v, err := s.assignable(asked.AssigneeID, p.kind)
	if err != nil {
		return 0, nil, err
	}
	if v.location.id != p.location.id {
		return 0, nil, refused("primary_ip_datacenter_mismatch", "the primary IP is in another location")
	}
	return s.acted(s.assignPrimaryTo(p, v))
}

func (s *Sim) assignPrimaryTo(p *primaryIP, v *server) *action {
	return s.start(job{
		command: "assign_primary_ip", on: []resource{v.resource(), p.resource()}, took: s.latency.AssignIP, busy: []*int{&p.busy, &v.busy},
		end: func() {
			p.server = v.id
			s.route(host(p.ip), v.id)
		},
	})
}

func (s *Sim) unassignPrimary(c *call) (int, any, error) {
	p, err := s.freePrimary(c.id)
	if err != nil {
		return 0, nil, err
	}
	if p.server == 0 {
		return 0, nil, refused("primary_ip_not_assigned", "primary IP is not assigned")
	}
	v, err := s.freeServer(p.server)
	switch {
	case err != nil:
		return 0, nil, err
	case v.on():
		return 0, nil, refused("server_not_stopped", "server must be powered off")
	case p.kind == "ipv4" && len(s.balancersOf(v.id)) > 0:
		return 0, nil, refused("server_is_load_balancer_target", "the server's IPv4 address is a load balancer target")
	}
	return s.acted(s.start(job{
		command: "unassign_primary_ip", on: []resource{v.resource(), p.resource()}, took: s.latency.AssignIP, busy: []*int{&p.busy, &v.busy},
		end: func() {
			p.server = 0
			s.route(host(p.ip), 0)
		},
	}))
}

func (s *Sim) primaryPtr(c *call) (int, any, error) {
	p, err := s.freePrimary(c.id)
	if err != nil {
		return 0, nil, err
	}
	return s.changePtr(c, p.resource(), &p.busy, map[string]pointers{p.ip: p.ptr})
}

func (s *Sim) protectPrimary(c *call) (int, any, error) {
	p, err := s.freePrimary(c.id)
	switch {
	case err != nil:
		return 0, nil, err
	case p.autoDelete:
		return 0, nil, invalid("delete", "auto_delete must be off")
	}
	return s.protect(c, p.resource(), &p.busy, &p.protectDelete, nil)
}
