package hetznersim

// floatingIP is an address that moves between servers while they run.
type floatingIP struct {
	head
	kind, ip, description string
	server                int64
	home                  *location
	ptr                   pointers
	protectDelete         bool
	busy                  int
}

func (f *floatingIP) resource() resource { return resource{f.id, "floating_ip"} }

func (s *Sim) floatingView(f *floatingIP) obj {
	return obj{
		"id": f.id, "name": f.name, "description": optional(f.description), "created": stamp(f.created), "ip": f.ip,
		"type": f.kind, "server": optionalID(f.server), "dns_ptr": f.ptr.view(f.ip), "home_location": f.home.view(),
		"blocked": false, "protection": obj{"delete": f.protectDelete}, "labels": shown(f.labels),
	}
}

// optionalID is an id that is null when 0.
func optionalID(id int64) any {
	if id == 0 {
		return nil
	}
	return id
}

// floatingOf lists the floating IPs of a server.
func (s *Sim) floatingOf(server int64) []int64 {
	list := []int64{}
	for _, f := range inOrder(s.floating) {
		if f.server == server {
			list = append(list, f.id)
		}
	}
	return list
}

func (s *Sim) listFloating(c *call) (int, any, error) {
	return listing(c, "floating_ips", inOrder(s.floating), s.floatingView)
}

func (s *Sim) getFloating(c *call) (int, any, error) {
	f := s.floating[c.id]
	if f == nil {
		return 0, nil, notFound("floating IP", c.id)
	}
	return 200, obj{"floating_ip": s.floatingView(f)}, nil
}

func (s *Sim) freeFloating(id int64) (*floatingIP, error) {
	f := s.floating[id]
	switch {
	case f == nil:
		return nil, notFound("floating IP", id)
	case f.busy > 0:
		return nil, locked("floating IP")
	}
	return f, nil
}

func (s *Sim) createFloating(c *call) (int, any, error) {
	var asked struct {
		Type         string            `json:"type"`
		HomeLocation ref               `json:"home_location"`
		Server       int64             `json:"server"`
		Description  string            `json:"description"`
		Name         string            `json:"name"`
		Labels       map[string]string `json:"labels"`
	}
	if err := c.decode(&asked); err != nil {
		return 0, nil, err
	}
	if asked.Type != "ipv4" && asked.Type != "ipv6" {
		return 0, nil, invalid("type", "must be ipv4 or ipv6")
	}
	if err := checkLabels(asked.Labels); err != nil {
		return 0, nil, err
	}
	if asked.Name != "" && used(inOrder(s.floating), asked.Name, 0) {
		return 0, nil, taken("floating IP")
	}
	home, v := findLocation(asked.HomeLocation), s.servers[asked.Server]
	switch {
	case asked.Server != 0 && v == nil:
		return 0, nil, notFound("server", asked.Server)
	case v != nil && home == nil:
		home = v.location
	case home == nil:
		return 0, nil, invalid("home_location", "a home location or a server must be given")
	}
	f, err := s.newFloating(asked.Name, asked.Type, home)
	if err != nil {
		return 0, nil, err
	}
	f.description, f.labels = asked.Description, asked.Labels
	if v == nil {
		return 201, obj{"floating_ip": s.floatingView(f)}, nil
	}
	a := s.assignFloatingTo(f, v)
	return 201, obj{"floating_ip": s.floatingView(f), "action": s.actionView(a)}, nil
}

// newFloating makes a floating IP; without a name it is called like the vendor
// calls it.
func (s *Sim) newFloating(name, kind string, home *location) (*floatingIP, error) {
	ip, err := s.addresses.give(kind)
	if err != nil {
		return nil, err
	}
	f := &floatingIP{head: s.newHead(name, nil), kind: kind, ip: ip, home: home, ptr: pointers{}}
	if name == "" {
		f.name = "floating-ip-" + itoa(f.id)
	}
	s.floating[f.id] = f
	s.route(host(f.ip), 0)
	return f, nil
}

func (s *Sim) updateFloating(c *call) (int, any, error) {
	f := s.floating[c.id]
	if f == nil {
		return 0, nil, notFound("floating IP", c.id)
	}
	var asked struct {
		Description *string `json:"description"`
	}
	if err := c.decode(&asked); err != nil {
		return 0, nil, err
	}
	if err := rename(c, &f.head, inOrder(s.floating), "floating IP"); err != nil {
		return 0, nil, err
	}
	if asked.Description != nil {
		f.description = *asked.Description
	}
	return 200, obj{"floating_ip": s.floatingView(f)}, nil
}

// deleteFloating refuses an assigned address, as the vendor does since May 2026.
func (s *Sim) deleteFloating(c *call) (int, any, error) {
	f, err := s.freeFloating(c.id)
	switch {
	case err != nil:
		return 0, nil, err
	case f.protectDelete:
		return 0, nil, protected("floating IP deletion")
	case f.server != 0:
		return 0, nil, refused("must_be_unassigned", "floating IP must be unassigned first")
	}
	delete(s.floating, f.id)
	s.addresses.take(f.ip)
	return 204, nil, nil
}

// assignFloating moves the address; it need not be unassigned before.
func (s *Sim) assignFloating(c *call) (int, any, error) {
	f, err := s.freeFloating(c.id)
	if err != nil {
		return 0, nil, err
	}
	var asked struct {
		Server int64 `json:"server"`
	}
	if err := c.decode(&asked); err != nil {
		return 0, nil, err
	}
	v := s.servers[asked.Server]
	switch {
	case v == nil:
		return 0, nil, notFound("server", asked.Server)
	case v.phase == "initializing" || v.phase == "deleting":
		return 0, nil, locked("server")
	case f.server == v.id:
		return 0, nil, refused("floating_ip_assigned", "floating IP is already assigned to the server")
	}
	return s.acted(s.assignFloatingTo(f, v))
}

// assignFloatingTo starts the action; traffic follows when it ends.
func (s *Sim) assignFloatingTo(f *floatingIP, v *server) *action {
	return s.start(job{
		command: "assign_floating_ip", on: []resource{v.resource(), f.resource()}, took: s.latency.AssignIP, busy: []*int{&f.busy},
		end: func() {
			if s.servers[v.id] == nil || s.floating[f.id] == nil {
				return
			}
			f.server = v.id
			s.route(host(f.ip), v.id)
		},
	})
}

func (s *Sim) unassignFloating(c *call) (int, any, error) {
	f, err := s.freeFloating(c.id)
	if err != nil {
		return 0, nil, err
	}
	on := []resource{f.resource()}
	if f.server != 0 {
		on = append(on, resource{f.server, "server"})
	}
	return s.acted(s.start(job{
		command: "unassign_floating_ip", on: on, took: s.latency.AssignIP, busy: []*int{&f.busy},
		end: func() {
			f.server = 0
			s.route(host(f.ip), 0)
		},
	}))
}

func (s *Sim) floatingPtr(c *call) (int, any, error) {
	f, err := s.freeFloating(c.id)
	if err != nil {
		return 0, nil, err
	}
	return s.changePtr(c, f.resource(), &f.busy, map[string]pointers{f.ip: f.ptr})
}

func (s *Sim) protectFloating(c *call) (int, any, error) {
	f, err := s.freeFloating(c.id)
	if err != nil {
		return 0, nil, err
	}
	return s.protect(c, f.resource(), &f.busy, &f.protectDelete, nil)
}
