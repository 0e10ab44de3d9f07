package hetznersim

import (
	"regexp"
	"slices"
	"time"
)

// server is the bookkeeping of one machine.
type server struct {
	head
	kind           *serverType
	image          *image
	location       *location
	phase          string // a status that commands pass through; empty: running or off
	powered        bool   // as the metal said last
	heldOff        bool   // switched off by a command though the metal does not say so (Bare)
	busy           int    // commands that lock it
	rescue         bool
	rescueUntil    time.Time
	keys           []string
	userData       string
	disk           int
	nets           []attachment
	placement      int64
	window         string // when backups are made; empty: none are
	iso            *iso   // nil: none is attached
	protectDelete  bool
	protectRebuild bool
}

// attachment is a server's interface in a private network.
type attachment struct {
	network int64
	ip, mac string
	aliases []string
}

func (v *server) on() bool { return v.powered && !v.heldOff }

func (v *server) status() string {
	switch {
	case v.phase != "":
		return v.phase
	case v.on():
		return "running"
	}
	return "off"
}

func (v *server) resource() resource { return resource{v.id, "server"} }

// refresh asks the metal which machines are powered, and lets rescue systems
// lapse. The caller does not hold the lock.
func (s *Sim) refresh() {
	s.mu.Lock()
	ids := sortedIDs(s.servers)
	var lapsed []int64
	for _, v := range s.servers {
		if v.rescue && s.now().After(v.rescueUntil) {
			v.rescue = false
			lapsed = append(lapsed, v.id)
		}
	}
	s.mu.Unlock()
	powered := map[int64]bool{}
	for _, id := range ids {
		powered[id] = s.metal.Powered(id)
	}
	for _, id := range lapsed {
		s.setRescue(id, false)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, on := range powered {
		if v := s.servers[id]; v != nil {
			v.powered = on
		}
	}
}

func (s *Sim) serverView(v *server) obj {
	net := obj{"ipv4": nil, "ipv6": nil, "floating_ips": s.floatingOf(v.id), "firewalls": s.firewallsOf(v)}
	if p := s.primaryOf(v.id, "ipv4"); p != nil {
		net["ipv4"] = obj{"id": p.id, "ip": p.ip, "blocked": false, "dns_ptr": p.ptr.first(p.ip)}
	}
	if p := s.primaryOf(v.id, "ipv6"); p != nil {
		net["ipv6"] = obj{"id": p.id, "ip": p.ip, "blocked": false, "dns_ptr": p.ptr.view(p.ip)}
	}
	private := []obj{}
	for _, a := range v.nets {
		private = append(private, obj{"network": a.network, "ip": a.ip, "alias_ips": listed(a.aliases), "mac_address": a.mac})
	}
	view := obj{
		"id": v.id, "name": v.name, "status": v.status(), "created": stamp(v.created), "public_net": net, "private_net": private,
		"server_type": s.serverTypeView(v.kind), "included_traffic": included(v.location.name, 20, 1),
		"outgoing_traffic": nil, "ingoing_traffic": nil, "backup_window": optional(v.window), "rescue_enabled": v.rescue, "iso": nil,
		"locked": v.busy > 0, "location": v.location.view(), "image": nil,
		"protection": obj{"delete": v.protectDelete, "rebuild": v.protectRebuild}, "labels": shown(v.labels),
		"volumes": s.volumesOf(v.id), "primary_disk_size": v.disk, "placement_group": nil, "load_balancers": s.balancersOf(v.id),
	}
	if v.image != nil {
		view["image"] = s.imageView(v.image)
	}
	if v.iso != nil {
		view["iso"] = v.iso.view()
	}
	if g := s.placements[v.placement]; g != nil {
		view["placement_group"] = s.placementView(g)
	}
	return view
}

func (s *Sim) listServers(c *call) (int, any, error) {
	list := slices.DeleteFunc(inOrder(s.servers), func(v *server) bool { return !oneOf(c.query["status"], v.status()) })
	return listing(c, "servers", list, s.serverView)
}

func (s *Sim) getServer(c *call) (int, any, error) {
	v := s.servers[c.id]
	if v == nil {
		return 0, nil, notFound("server", c.id)
	}
	return 200, obj{"server": s.serverView(v)}, nil
}

// freeServer is a server that no command locks.
func (s *Sim) freeServer(id int64) (*server, error) {
	v := s.servers[id]
	switch {
	case v == nil:
		return nil, notFound("server", id)
	case v.busy > 0:
		return nil, locked("server")
	}
	return v, nil
}

// hostPart is one label of a host name.
const hostPart = `[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?`

var hostForm = regexp.MustCompile(`^` + hostPart + `(?:\.` + hostPart + `)*$`)

// isHostname follows RFC 1123, as the vendor asks of server names.
func isHostname(name string) bool { return len(name) <= 253 && hostForm.MatchString(name) }

func (s *Sim) updateServer(c *call) (int, any, error) {
	v := s.servers[c.id]
	if v == nil {
		return 0, nil, notFound("server", c.id)
	}
	var asked struct {
		Name string `json:"name"`
	}
	if err := c.decode(&asked); err != nil {
		return 0, nil, err
	}
	if asked.Name != "" && !isHostname(asked.Name) {
		return 0, nil, invalid("name", "is not a valid hostname")
	}
	if err := rename(c, &v.head, inOrder(s.servers), "server"); err != nil {
		return 0, nil, err
	}
	return 200, obj{"server": s.serverView(v)}, nil
}

// deleteServer releases everything attached to a server. Its name is free when
// the action has ended.
func (s *Sim) deleteServer(c *call) (int, any, error) {
	v, err := s.freeServer(c.id)
	if err != nil {
		return 0, nil, err
	}
	if v.protectDelete {
		return 0, nil, protected("server deletion")
	}
	v.phase = "deleting"
	a := s.start(job{
		command: "delete_server", on: []resource{v.resource()}, took: s.latency.DeleteServer, busy: []*int{&v.busy},
		begin: s.doing(v.id, s.metal.Destroy),
		end:   func() { s.forget(v) },
		fail:  func() { v.phase = "" },
	})
	return 200, obj{"action": s.actionView(a)}, nil
}

// forget removes a server from the books: addresses of its own are given back,
// others stay, unassigned.
func (s *Sim) forget(v *server) {
	for _, f := range s.floating {
		if f.server == v.id {
			f.server = 0
			s.route(host(f.ip), 0)
		}
	}
	for _, p := range s.primary {
		if p.server != v.id {
			continue
		}
		p.server = 0
		s.route(host(p.ip), 0)
		if p.autoDelete {
			delete(s.primary, p.id)
			s.addresses.take(p.ip)
		}
	}
	for _, d := range s.volumes {
		if d.server == v.id {
			d.server = 0
		}
	}
	for _, f := range s.firewalls {
		f.servers = slices.DeleteFunc(f.servers, func(id int64) bool { return id == v.id })
	}
	for _, b := range s.balancers {
		b.targets = slices.DeleteFunc(b.targets, func(t *target) bool { return t.server == v.id })
	}
	for _, i := range inOrder(s.images) {
		if i.boundTo == v.id {
			delete(s.images, i.id)
		}
	}
	delete(s.servers, v.id)
}
