package hetznersim

import (
	"context"
	"fmt"
	"math"
	"strconv"
)

// createImage makes a snapshot of a server's disk.
func (s *Sim) createImage(c *call) (int, any, error) {
	v, err := s.freeServer(c.id)
	if err != nil {
		return 0, nil, err
	}
	var asked struct {
		Type        *string           `json:"type"`
		Description *string           `json:"description"`
		Labels      map[string]string `json:"labels"`
	}
	if err := c.decode(&asked); err != nil {
		return 0, nil, err
	}
	if asked.Type != nil && *asked.Type != "snapshot" {
		return 0, nil, invalid("type", "backups are not enabled for the server: only snapshot is possible")
	}
	if err := checkLabels(asked.Labels); err != nil {
		return 0, nil, err
	}
	i := &image{
		head: s.newHead("", asked.Labels), kind: "snapshot", status: "creating", flavor: "unknown", arch: v.kind.arch,
		description: fmt.Sprintf("%s snapshot", v.name), diskSize: v.disk, from: &resourceName{v.id, v.name},
	}
	if v.image != nil {
		i.flavor, i.version = v.image.flavor, v.image.version
	}
	if asked.Description != nil {
		i.description = *asked.Description
	}
	s.images[i.id] = i
	a := s.start(job{
		command: "create_image", on: []resource{v.resource(), {i.id, "image"}}, took: s.latency.CreateImage,
		busy: []*int{&v.busy, &i.busy},
		begin: func(context.Context) error {
			if err := s.metal.Image(v.id, strconv.FormatInt(i.id, 10)); err != nil {
				return fmt.Errorf("image of server %d: %w", v.id, err)
			}
			return nil
		},
		// About a twentieth of a disk is in use and stays after compression.
		end:  func() { i.status, i.imageSize = "available", math.Round(float64(v.disk)*5)/100 },
		fail: func() { delete(s.images, i.id) },
	})
	return 201, obj{"image": s.imageView(i), "action": s.actionView(a)}, nil
}

// rebuildServer overwrites a server's disk with an image and boots it.
func (s *Sim) rebuildServer(c *call) (int, any, error) {
	v, err := s.freeServer(c.id)
	if err != nil {
		return 0, nil, err
	}
	if v.protectRebuild {
		return 0, nil, protected("server rebuild")
	}
	var asked struct {
		Image    ref     `json:"image"`
		UserData *string `json:"user_data"`
	}
	if err := c.decode(&asked); err != nil {
		return 0, nil, err
	}
	if asked.Image.empty() {
		return 0, nil, invalid("image", "must be given")
	}
	if asked.UserData != nil && len(*asked.UserData) > userDataLimit {
		return 0, nil, invalid("user_data", "is longer than 32 KiB")
	}
	from, err := s.findImage(asked.Image, v.kind.arch)
	if err != nil {
		return 0, nil, err
	}
	if asked.UserData != nil {
		v.userData = *asked.UserData
	}
	v.image, v.phase = from, "rebuilding"
	plan, addresses := s.blueprint(v), s.addressesOf(v.id)
	done := func() { v.phase = "" }
	a := s.start(job{
		command: "rebuild_server", on: []resource{v.resource()}, took: s.latency.RebuildServer, busy: []*int{&v.busy},
		begin: func(ctx context.Context) error { return s.rebuild(ctx, v, plan, addresses) },
		end:   done, fail: done,
	})
	password := ""
	if len(v.keys) == 0 {
		password = s.password()
	}
	return 201, obj{"action": s.actionView(a), "root_password": optional(password)}, nil
}

func (s *Sim) rebuild(ctx context.Context, v *server, plan Blueprint, addresses []string) error {
	if err := s.metal.Cut(v.id); err != nil {
		return fmt.Errorf("power off server %d: %w", v.id, err)
	}
	if err := s.metal.Destroy(v.id); err != nil {
		return fmt.Errorf("wipe server %d: %w", v.id, err)
	}
	if err := s.metal.Provision(ctx, plan); err != nil {
		return fmt.Errorf("provision server %d: %w", v.id, err)
	}
	for _, address := range addresses {
		s.metal.Route(address, v.id) // the machine is a new one
	}
	return s.booting(v)(ctx)
}

// addressesOf are all addresses that lead to a server.
func (s *Sim) addressesOf(id int64) []string {
	var list []string
	for _, p := range inOrder(s.primary) {
		if p.server == id {
			list = append(list, host(p.ip))
		}
	}
	for _, f := range inOrder(s.floating) {
		if f.server == id {
			list = append(list, host(f.ip))
		}
	}
	return list
}

// changeType moves a stopped server to another size.
func (s *Sim) changeType(c *call) (int, any, error) {
	v, err := s.freeServer(c.id)
	if err != nil {
		return 0, nil, err
	}
	var asked struct {
		ServerType  ref  `json:"server_type"`
		UpgradeDisk bool `json:"upgrade_disk"`
	}
	if err := c.decode(&asked); err != nil {
		return 0, nil, err
	}
	kind := findServerType(asked.ServerType)
	switch {
	case kind == nil:
		return 0, nil, notFound("server type", asked.ServerType.key())
	case v.on():
		return 0, nil, refused("server_not_stopped", "server must be stopped to change its type")
	case kind.arch != v.kind.arch || kind.disk < v.disk:
		return 0, nil, refused("invalid_server_type", "server type does not fit for the server")
	case !s.available(kind, v.location.name):
		return 0, nil, unavailable("error during placement")
	}
	v.phase = "migrating"
	return s.acted(s.start(job{
		command: "change_server_type", on: []resource{v.resource()}, took: s.latency.ChangeType, busy: []*int{&v.busy},
		end: func() {
			v.phase, v.kind = "", kind
			if asked.UpgradeDisk {
				v.disk = kind.disk
			}
		},
		fail: func() { v.phase = "" },
	}))
}

// changeServerPtr sets the reverse DNS of one of the server's own addresses.
func (s *Sim) changeServerPtr(c *call) (int, any, error) {
	v, err := s.freeServer(c.id)
	if err != nil {
		return 0, nil, err
	}
	kinds := map[string]pointers{}
	for _, p := range s.primary {
		if p.server == v.id {
			kinds[p.ip] = p.ptr
		}
	}
	return s.changePtr(c, v.resource(), &v.busy, kinds)
}

// changePtr is the command change_dns_ptr of any resource with addresses.
func (s *Sim) changePtr(c *call, on resource, busy *int, names map[string]pointers) (int, any, error) {
	var asked struct {
		IP     string  `json:"ip"`
		DNSPtr *string `json:"dns_ptr"`
	}
	if err := c.decode(&asked); err != nil {
		return 0, nil, err
	}
	err := error(invalid("ip", "%q does not belong to this resource", asked.IP))
	for ip, p := range names {
		if set := p.set(ip, asked.IP, asked.DNSPtr); set == nil {
			err = nil
		}
	}
	if err != nil {
		return 0, nil, err
	}
	return s.acted(s.start(job{command: "change_dns_ptr", on: []resource{on}, took: s.latency.Setting, busy: []*int{busy}}))
}
