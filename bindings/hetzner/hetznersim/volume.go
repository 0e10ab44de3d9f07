package hetznersim

import (
	"fmt"
	"slices"
)

// volume is network storage. It is bookkeeping only: the machines have no
// second disk.
type volume struct {
	head
	server        int64
	location      *location
	status        string // creating, available
	size          int    // GB
	format        string
	protectDelete bool
	busy          int
}

// The vendor's limits of a volume's size in GB.
const (
	smallestVolume = 10
	largestVolume  = 10240
)

func (d *volume) resource() resource { return resource{d.id, "volume"} }

// fits tells why a volume cannot be attached to a server.
func (d *volume) fits(v *server) error {
	switch {
	case d.busy > 0:
		return locked("volume")
	case d.server != 0:
		return refused("volume_already_attached", "volume is already attached to a server")
	case d.location.id != v.location.id:
		return invalid("server", "server and volume are in different locations")
	}
	return nil
}

func (s *Sim) volumeView(d *volume) obj {
	return obj{
		"id": d.id, "name": d.name, "server": optionalID(d.server), "status": d.status, "location": d.location.view(),
		"size": d.size, "format": optional(d.format), "protection": obj{"delete": d.protectDelete}, "labels": shown(d.labels),
		"linux_device": fmt.Sprintf("/dev/disk/by-id/scsi-0HC_Volume_%d", d.id), "created": stamp(d.created),
	}
}

// volumesOf lists the volumes of a server.
func (s *Sim) volumesOf(server int64) []int64 {
	list := []int64{}
	for _, d := range inOrder(s.volumes) {
		if d.server == server {
			list = append(list, d.id)
		}
	}
	return list
}

func (s *Sim) listVolumes(c *call) (int, any, error) {
	list := slices.DeleteFunc(inOrder(s.volumes), func(d *volume) bool { return !oneOf(c.query["status"], d.status) })
	return listing(c, "volumes", list, s.volumeView)
}

func (s *Sim) getVolume(c *call) (int, any, error) {
	d := s.volumes[c.id]
	if d == nil {
		return 0, nil, notFound("volume", c.id)
	}
	return 200, obj{"volume": s.volumeView(d)}, nil
}

func (s *Sim) freeVolume(id int64) (*volume, error) {
	d := s.volumes[id]
	switch {
	case d == nil:
		return nil, notFound("volume", id)
	case d.busy > 0:
		return nil, locked("volume")
	}
	return d, nil
}

func (s *Sim) createVolume(c *call) (int, any, error) {
	var asked struct {
		Name     string            `json:"name"`
		Size     int               `json:"size"`
		Server   int64             `json:"server"`
		Location ref               `json:"location"`
		Labels   map[string]string `json:"labels"`
		Format   string            `json:"format"`
	}
	if err := c.decode(&asked); err != nil {
		return 0, nil, err
	}
	switch {
	case asked.Name == "":
		return 0, nil, invalid("name", "must be given")
	case asked.Size < smallestVolume || asked.Size > largestVolume:
		return 0, nil, invalid("size", "must be from %d to %d", smallestVolume, largestVolume)
	case !oneOf([]string{"", "ext4", "xfs"}, asked.Format):
		return 0, nil, invalid("format", "must be ext4 or xfs")
	case used(inOrder(s.volumes), asked.Name, 0):
		return 0, nil, taken("volume")
	}
	if err := checkLabels(asked.Labels); err != nil {
		return 0, nil, err
	}
	where, v := findLocation(asked.Location), (*server)(nil)
	if asked.Server != 0 {
		var err error
		if v, err = s.freeServer(asked.Server); err != nil {
			return 0, nil, err
		}
		where = v.location
	}
	if where == nil {
		return 0, nil, invalid("location", "a location or a server must be given")
	}
	d := &volume{head: s.newHead(asked.Name, asked.Labels), location: where, status: "creating", size: asked.Size, format: asked.Format}
	s.volumes[d.id] = d
	first := s.start(job{
		command: "create_volume", on: []resource{d.resource()}, took: s.latency.CreateVolume, busy: []*int{&d.busy},
		end: func() { d.status = "available" }, fail: func() { delete(s.volumes, d.id) },
	})
	next := []*action{}
	if v != nil {
		next = append(next, s.attach(d, v, first))
	}
	return 201, obj{"volume": s.volumeView(d), "action": s.actionView(first), "next_actions": s.actionViews(next)}, nil
}

// attach starts the action that attaches a volume, after another one when that
// is not nil.
func (s *Sim) attach(d *volume, v *server, after *action) *action {
	return s.start(job{
		command: "attach_volume", on: []resource{v.resource(), d.resource()}, took: s.latency.AttachVolume, after: after,
		busy: []*int{&d.busy, &v.busy},
		end: func() {
			if s.servers[v.id] != nil {
				d.server = v.id
			}
		},
	})
}

func (s *Sim) updateVolume(c *call) (int, any, error) {
	d := s.volumes[c.id]
	if d == nil {
		return 0, nil, notFound("volume", c.id)
	}
	if err := rename(c, &d.head, inOrder(s.volumes), "volume"); err != nil {
		return 0, nil, err
	}
	return 200, obj{"volume": s.volumeView(d)}, nil
}

func (s *Sim) deleteVolume(c *call) (int, any, error) {
	d, err := s.freeVolume(c.id)
	switch {
	case err != nil:
		return 0, nil, err
	case d.protectDelete:
		return 0, nil, protected("volume deletion")
	case d.server != 0:
		return 0, nil, refused("volume_already_attached", "volume must be detached first")
	}
	delete(s.volumes, d.id)
	return 204, nil, nil
}

func (s *Sim) attachVolume(c *call) (int, any, error) {
	d := s.volumes[c.id]
	if d == nil {
		return 0, nil, notFound("volume", c.id)
	}
	var asked struct {
		Server int64 `json:"server"`
	}
	if err := c.decode(&asked); err != nil {
		return 0, nil, err
	}
	v, err := s.freeServer(asked.Server)
	if err != nil {
		return 0, nil, err
	}
	if err := d.fits(v); err != nil {
		return 0, nil, err
	}
	return s.acted(s.attach(d, v, nil))
}

func (s *Sim) detachVolume(c *call) (int, any, error) {
	d, err := s.freeVolume(c.id)
	if err != nil {
		return 0, nil, err
	}
	v := s.servers[d.server]
	if v == nil {
		return 0, nil, refused("volume_not_attached", "volume is not attached to a server")
	}
	if v.busy > 0 {
		return 0, nil, locked("server")
	}
	return s.acted(s.start(job{
		command: "detach_volume", on: []resource{v.resource(), d.resource()}, took: s.latency.AttachVolume, busy: []*int{&d.busy, &v.busy},
		end: func() { d.server = 0 },
	}))
}

func (s *Sim) resizeVolume(c *call) (int, any, error) {
	d, err := s.freeVolume(c.id)
	if err != nil {
		return 0, nil, err
	}
	var asked struct {
		Size int `json:"size"`
	}
	if err := c.decode(&asked); err != nil {
		return 0, nil, err
	}
	if asked.Size <= d.size || asked.Size > largestVolume {
		return 0, nil, invalid("size", "must be from %d to %d", d.size+1, largestVolume)
	}
	return s.acted(s.start(job{
		command: "resize_volume", on: []resource{d.resource()}, took: s.latency.ResizeVolume, busy: []*int{&d.busy},
		end: func() { d.size = asked.Size },
	}))
}

func (s *Sim) protectVolume(c *call) (int, any, error) {
	d, err := s.freeVolume(c.id)
	if err != nil {
		return 0, nil, err
	}
	return s.protect(c, d.resource(), &d.busy, &d.protectDelete, nil)
}
