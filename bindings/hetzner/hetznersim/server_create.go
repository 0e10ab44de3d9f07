package hetznersim

import (
	"context"
	"fmt"
	"slices"
)

// userDataLimit is the vendor's: 32 KiB.
const userDataLimit = 32 << 10

type serverRequest struct {
	Name             string            `json:"name"`
	ServerType       ref               `json:"server_type"`
	Image            ref               `json:"image"`
	Location         ref               `json:"location"`
	Datacenter       ref               `json:"datacenter"`
	StartAfterCreate *bool             `json:"start_after_create"`
	SSHKeys          []ref             `json:"ssh_keys"`
	Volumes          []int64           `json:"volumes"`
	Networks         []int64           `json:"networks"`
	UserData         string            `json:"user_data"`
	Labels           map[string]string `json:"labels"`
	PlacementGroup   *int64            `json:"placement_group"`
	Firewalls        []struct {
		Firewall int64 `json:"firewall"`
	} `json:"firewalls"`
	PublicNet *struct {
		EnableIPv4 *bool  `json:"enable_ipv4"`
		EnableIPv6 *bool  `json:"enable_ipv6"`
		IPv4       *int64 `json:"ipv4"`
		IPv6       *int64 `json:"ipv6"`
	} `json:"public_net"`
}

// createServer checks everything before it takes anything, so that a refusal
// leaves no trace.
func (s *Sim) createServer(c *call) (int, any, error) {
	var asked serverRequest
	if err := c.decode(&asked); err != nil {
		return 0, nil, err
	}
	v, err := s.draft(asked)
	if err != nil {
		return 0, nil, err
	}
	attached, err := s.checkAttachments(asked, v)
	if err != nil {
		return 0, nil, err
	}
	if err := s.giveAddresses(asked, v); err != nil {
		return 0, nil, err
	}
	for _, id := range asked.Networks {
		s.join(v, s.networks[id], "", nil)
	}
	for _, f := range asked.Firewalls {
		s.firewalls[f.Firewall].servers = append(s.firewalls[f.Firewall].servers, v.id)
	}
	s.servers[v.id] = v
	var password string
	if len(asked.SSHKeys) == 0 {
		password = s.password()
	}
	starts := asked.StartAfterCreate == nil || *asked.StartAfterCreate
	first, rest := s.startCreation(v, starts, attached)
	return 201, obj{
		"server": s.serverView(v), "action": s.actionView(first), "next_actions": s.actionViews(rest),
		"root_password": optional(password),
	}, nil
}

// draft is the server that is asked for, with a number but in no list yet.
func (s *Sim) draft(asked serverRequest) (*server, error) {
	switch {
	case !isHostname(asked.Name):
		return nil, invalid("name", "is not a valid hostname")
	case asked.ServerType.empty():
		return nil, invalid("server_type", "must be given")
	case asked.Image.empty():
		return nil, invalid("image", "must be given")
	case !asked.Datacenter.empty():
		return nil, invalid("datacenter", "was removed, use location")
	case len(asked.UserData) > userDataLimit:
		return nil, invalid("user_data", "is longer than 32 KiB")
	}
	if err := checkLabels(asked.Labels); err != nil {
		return nil, err
	}
	kind := findServerType(asked.ServerType)
	if kind == nil {
		return nil, notFound("server type", asked.ServerType.key())
	}
	from, err := s.findImage(asked.Image, kind.arch)
	if err != nil {
		return nil, err
	}
	if from.diskSize > kind.disk {
		return nil, invalid("image", "the image needs a disk of %d GB, the server type has %d", from.diskSize, kind.disk)
	}
	where, err := s.place(asked.Location, kind)
	if err != nil {
		return nil, err
	}
	keys, err := s.keysFor(asked.SSHKeys)
	if err != nil {
		return nil, err
	}
	if used(inOrder(s.servers), asked.Name, 0) {
		return nil, taken("server")
	}
	return &server{
		head: s.newHead(asked.Name, asked.Labels), kind: kind, image: from, location: where,
		phase: "initializing", keys: keys, userData: asked.UserData, disk: kind.disk,
	}, nil
}

// place finds where a server goes, or says in the vendor's words why nowhere.
func (s *Sim) place(asked ref, kind *serverType) (*location, error) {
	if asked.empty() {
		for _, l := range locations() {
			if s.available(kind, l.name) {
				return l, nil
			}
		}
		return nil, unavailable("error during placement")
	}
	where := findLocation(asked)
	switch {
	case where == nil:
		return nil, notFound("location", asked.key())
	case s.disabled[where.name]:
		return nil, unavailable("server location disabled")
	case !slices.Contains(kind.where, where.name):
		return nil, invalid("server_type", "unsupported location for server type")
	case !s.available(kind, where.name):
		return nil, unavailable("error during placement")
	}
	return where, nil
}

// checkAttachments checks what the new server is to be joined with, and
// returns the volumes.
func (s *Sim) checkAttachments(asked serverRequest, v *server) ([]*volume, error) {
	var attached []*volume
	for _, id := range asked.Volumes {
		d := s.volumes[id]
		if d == nil {
			return nil, notFound("volume", id)
		}
		if err := d.fits(v); err != nil {
			return nil, err
		}
		attached = append(attached, d)
	}
	for _, id := range asked.Networks {
		n := s.networks[id]
		if n == nil {
			return nil, notFound("network", id)
		}
		if err := s.joinable(v, n, ""); err != nil {
			return nil, err
		}
	}
	for _, f := range asked.Firewalls {
		if s.firewalls[f.Firewall] == nil {
			return nil, notFound("firewall", f.Firewall)
		}
	}
	if asked.PlacementGroup != nil && *asked.PlacementGroup != 0 {
		if s.placements[*asked.PlacementGroup] == nil {
			return nil, notFound("placement group", *asked.PlacementGroup)
		}
		v.placement = *asked.PlacementGroup
	}
	return attached, nil
}

// giveAddresses assigns the primary IPs that are asked for and makes the
// others.
func (s *Sim) giveAddresses(asked serverRequest, v *server) error {
	wanted := map[string]*int64{"ipv4": nil, "ipv6": nil}
	if n := asked.PublicNet; n != nil {
		wanted["ipv4"], wanted["ipv6"] = n.IPv4, n.IPv6
		if n.EnableIPv4 != nil && !*n.EnableIPv4 {
			delete(wanted, "ipv4")
		}
		if n.EnableIPv6 != nil && !*n.EnableIPv6 {
			delete(wanted, "ipv6")
		}
	}
	if len(wanted) == 0 && len(asked.Networks) == 0 {
		return invalid("public_net", "a server needs at least one network interface")
	}
	for _, kind := range sortedKeys(wanted) {
		if id := wanted[kind]; id != nil && *id != 0 {
			if err := s.primaryFits(*id, kind, v); err != nil {
				return err
			}
		}
	}
	for _, kind := range sortedKeys(wanted) {
		p := (*primaryIP)(nil)
		if id := wanted[kind]; id != nil && *id != 0 {
			p = s.primary[*id]
		} else {
			made, err := s.newPrimary("", kind, v.location)
			if err != nil {
				return err
			}
			made.autoDelete, p = true, made
		}
		p.server = v.id
		s.route(host(p.ip), v.id)
	}
	return nil
}

// blueprint is what the metal is told about a server.
func (s *Sim) blueprint(v *server) Blueprint {
	b := Blueprint{
		ID: v.id, Name: v.name, Image: v.image.ref(), Location: v.location.name,
		UserData: v.userData, SSHKeys: slices.Clone(v.keys),
	}
	if p := s.primaryOf(v.id, "ipv4"); p != nil {
		b.IPv4 = p.ip
	}
	if p := s.primaryOf(v.id, "ipv6"); p != nil {
		b.IPv6 = host(p.ip)
	}
	return b
}

// startCreation starts the actions of a creation: the disk, then the power,
// then the volumes.
func (s *Sim) startCreation(v *server, starts bool, attached []*volume) (*action, []*action) {
	plan := s.blueprint(v)
	first := s.start(job{
		command: "create_server", on: []resource{v.resource()}, took: s.latency.CreateServer, busy: []*int{&v.busy},
		begin: func(ctx context.Context) error {
			if err := s.metal.Provision(ctx, plan); err != nil {
				return fmt.Errorf("provision %s: %w", plan.Name, err)
			}
			if !starts {
				s.holdOff(v)
			}
			return nil
		},
		end: func() {
			if v.phase = ""; starts {
				v.phase = "starting"
			}
		},
		fail: func() { s.forget(v) },
	})
	rest := []*action{}
	last := first
	if starts {
		last = s.start(job{
			command: "start_server", on: []resource{v.resource()}, took: s.latency.StartServer, after: first,
			busy: []*int{&v.busy}, begin: s.booting(v), end: func() { v.phase = "" }, fail: func() { v.phase = "" },
		})
		rest = append(rest, last)
	}
	for _, d := range attached {
		last = s.attach(d, v, last)
		rest = append(rest, last)
	}
	return first, rest
}

// holdOff remembers that a server is switched off when the metal cannot tell.
// The caller does not hold the lock.
func (s *Sim) holdOff(v *server) {
	stillOn := s.metal.Powered(v.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	v.heldOff, v.powered = stillOn, stillOn
}
