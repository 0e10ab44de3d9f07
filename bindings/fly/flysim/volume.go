package flysim

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"
)

// volume is the disk of a machine.
type volume struct {
	id, name, region, state string
	size, retention         int
	machine                 string // id, "" when detached
	created                 time.Time
	zone                    string
	automatic               bool
	snapshots               []*snapshot // oldest first
}

// snapshot is a volume as it was.
type snapshot struct {
	id, status, digest string
	size, volumeSize   int
	retention          int
	created            time.Time
}

func (a *app) volumesInOrder() []*volume {
	list := slices.Collect(maps.Values(a.volumes))
	slices.SortFunc(list, func(x, y *volume) int {
		if d := x.created.Compare(y.created); d != 0 {
			return d
		}
		return strings.Compare(x.id, y.id)
	})
	return list
}

func (s *Sim) volumeView(v *volume) obj {
	view := obj{"id": v.id, "name": v.name, "state": v.state, "size_gb": v.size, "region": v.region, "zone": v.zone,
		"encrypted": true, "attached_machine_id": nil, "attached_alloc_id": nil, "created_at": stamp(v.created),
		"host_dedication_id": "", "snapshot_retention": v.retention, "auto_backup_enabled": v.automatic, "fstype": "ext4",
		"host_status": "ok", "blocks": v.size * 262144, "block_size": 4096, "blocks_free": v.size * 200000, "blocks_avail": v.size * 200000}
	if v.machine != "" {
		view["attached_machine_id"] = v.machine
	}
	if s.down[v.region] {
		view["host_status"] = "unreachable"
	}
	for _, a := range s.apps {
		if m := a.machines[v.machine]; m != nil && m.lost {
			view["host_status"] = "unreachable"
		}
	}
	return view
}

func snapshotView(p *snapshot) obj {
	return obj{"id": p.id, "status": p.status, "size": p.size, "volume_size": p.volumeSize << 30, "digest": p.digest,
		"created_at": stamp(p.created), "retention_days": p.retention}
}

// volumeOf finds the volume that a path names; the caller holds the lock.
func (s *Sim) volumeOf(c *call) (*volume, error) {
	if v := c.app.volumes[c.PathValue("volume")]; v != nil {
		return v, nil
	}
	return nil, notFound("volume")
}

func (s *Sim) listVolumes(c *call) (int, any, error) {
	list := []obj{}
	for _, v := range c.app.volumesInOrder() {
		list = append(list, s.volumeView(v))
	}
	return 200, list, nil
}

func (s *Sim) getVolume(c *call) (int, any, error) {
	v, err := s.volumeOf(c)
	if err != nil {
		return 0, nil, err
	}
	return 200, s.volumeView(v), nil
}

// volumeInput is the body of a creation.
type volumeInput struct {
	Name      string `json:"name"`
	Region    string `json:"region"`
	Size      *int   `json:"size_gb"`
	Retention *int   `json:"snapshot_retention"`
	Snapshot  string `json:"snapshot_id"`
	Source    string `json:"source_volume_id"`
}

func (s *Sim) createVolume(c *call) (int, any, error) {
	var in volumeInput
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	s.mu.Lock()
	v, err := s.newVolume(c.app, in)
	var view obj
	if err == nil {
		view = s.volumeView(v)
	}
	s.mu.Unlock()
	if err != nil {
		return 0, nil, err
	}
	if err := s.sleep(c.Context(), s.latency.Volume); err != nil {
		return 0, nil, err
	}
	if err := s.metal.MakeVolume(c.Context(), v.id, in.Snapshot, in.Source); err != nil {
		s.mu.Lock()
		delete(c.app.volumes, v.id)
		s.mu.Unlock()
		return 0, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v.state = "created"
	view["state"] = v.state
	s.announce()
	return 200, view, nil
}

// newVolume enters a volume in the books; the caller holds the lock.
func (s *Sim) newVolume(a *app, in volumeInput) (*volume, error) {
	region, size := or(in.Region, home), 1
	if in.Size != nil {
		size = *in.Size
	}
	source, from := s.findVolume(in.Source), s.findSnapshot(in.Snapshot)
	switch {
	case in.Name == "" || strings.ContainsAny(in.Name, "- ."):
		return nil, invalid("volume names may hold letters, numbers and underscores only: %q", in.Name)
	case !knownRegion(region):
		return nil, invalid("unknown region: %s", region)
	case s.down[region]:
		return nil, &problem{503, "unavailable: region " + region + " is out of reach", "unavailable"}
	case s.full[region]:
		return nil, &problem{412, "insufficient resources available to fulfill request: no host in " + region + " has room for the volume", Capacity}
	case size < 1 || size > 500:
		return nil, invalid("size_gb must be between 1 and 500")
	case in.Source != "" && source == nil:
		return nil, notFound("source volume")
	case in.Snapshot != "" && from == nil:
		return nil, notFound("snapshot")
	case source != nil && (s.down[source.region] || s.lostMachine(source.machine)):
		return nil, &problem{503, "unavailable: the host of volume " + source.id + " is unreachable", "unavailable"}
	case from != nil && from.status != "created":
		return nil, precondition("snapshot %s is not ready", from.id)
	}
	if source != nil {
		size = max(size, source.size)
	}
	if from != nil {
		size = max(size, from.volumeSize)
	}
	v := &volume{id: "vol_" + s.hex(16), name: in.Name, region: region, state: "creating", size: size, retention: 5,
		created: s.now(), zone: s.hex(4), automatic: true}
	if in.Retention != nil {
		v.retention = *in.Retention
	}
	a.volumes[v.id] = v
	return v, nil
}

func (s *Sim) findVolume(id string) *volume {
	for _, a := range s.apps {
		if v := a.volumes[id]; v != nil {
			return v
		}
	}
	return nil
}

func (s *Sim) findSnapshot(id string) *snapshot {
	for _, a := range s.apps {
		for _, v := range a.volumes {
			for _, p := range v.snapshots {
				if p.id == id {
					return p
				}
			}
		}
	}
	return nil
}

func (s *Sim) lostMachine(id string) bool {
	m := s.findMachine(id)
	return m != nil && m.lost
}

// attach gives a new machine the volume that its configuration mounts; the
// caller holds the lock.
func (s *Sim) attach(a *app, m *machine, config obj) error {
	id := mount(config)
	if id == "" {
		return nil
	}
	v := a.volumes[id]
	switch {
	case v == nil:
		return notFound("volume " + id)
	case v.region != m.region:
		return invalid("volume %s is in region %s, the machine in %s", id, v.region, m.region)
	case v.machine != "":
		return &problem{412, "failed_precondition: volume " + id + " is attached to machine " + v.machine, "failed_precondition"}
	case v.state != "created":
		return precondition("volume %s is %s", id, v.state)
	}
	v.machine = m.id
	return nil
}

// detach lets go of a machine's volume; the caller holds the lock.
func (s *Sim) detach(m *machine) {
	for _, v := range m.app.volumes {
		if v.machine == m.id {
			v.machine = ""
		}
	}
}

func (s *Sim) updateVolume(c *call) (int, any, error) {
	v, err := s.volumeOf(c)
	if err != nil {
		return 0, nil, err
	}
	var in struct {
		Retention *int  `json:"snapshot_retention"`
		Automatic *bool `json:"auto_backup_enabled"`
	}
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	if in.Retention != nil {
		v.retention = *in.Retention
	}
	if in.Automatic != nil {
		v.automatic = *in.Automatic
	}
	return 200, s.volumeView(v), nil
}

func (s *Sim) extendVolume(c *call) (int, any, error) {
	v, err := s.volumeOf(c)
	if err != nil {
		return 0, nil, err
	}
	var in struct {
		Size int `json:"size_gb"`
	}
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	if in.Size <= v.size {
		return 0, nil, invalid("volumes can only grow: %s has %d GB already", v.id, v.size)
	}
	v.size = in.Size
	if grower, able := s.metal.(Grower); able {
		grower.Grow(v.id, in.Size)
	}
	return 200, obj{"volume": s.volumeView(v), "needs_restart": false}, nil
}

// Grower is metal that wants to know of volumes that grow. Grow must not call
// the simulator.
type Grower interface {
	Grow(volume string, gigabytes int)
}

func (s *Sim) deleteVolume(c *call) (int, any, error) {
	s.mu.Lock()
	v, err := s.volumeOf(c)
	var view obj
	if err == nil {
		if v.machine != "" {
			err = precondition("volume %s is attached to machine %s", v.id, v.machine)
		} else {
			v.state = "destroying"
			view = s.volumeView(v)
			delete(c.app.volumes, v.id)
		}
	}
	s.mu.Unlock()
	if err != nil {
		return 0, nil, err
	}
	s.metal.DestroyVolume(v.id)
	return 200, view, nil
}

func (s *Sim) listSnapshots(c *call) (int, any, error) {
	v, err := s.volumeOf(c)
	if err != nil {
		return 0, nil, err
	}
	list := []obj{}
	for i := len(v.snapshots) - 1; i >= 0; i-- {
		list = append(list, snapshotView(v.snapshots[i]))
	}
	return 200, list, nil
}

// createSnapshot copies the volume at once; the books call it ready later.
func (s *Sim) createSnapshot(c *call) (int, any, error) {
	s.mu.Lock()
	v, err := s.volumeOf(c)
	if err == nil && (s.down[v.region] || s.lostMachine(v.machine)) {
		err = &problem{503, "unavailable: the host of volume " + v.id + " is unreachable", "unavailable"}
	}
	if err != nil {
		s.mu.Unlock()
		return 0, nil, err
	}
	p := &snapshot{id: "vs_" + s.hex(16), status: "creating", digest: digestOf(s.hex(16)), size: 64 << 20, volumeSize: v.size,
		retention: v.retention, created: s.now()}
	v.snapshots = append(v.snapshots, p)
	view := snapshotView(p)
	s.mu.Unlock()
	if err := s.metal.Snapshot(c.Context(), v.id, p.id); err != nil {
		s.mu.Lock()
		v.snapshots = slices.DeleteFunc(v.snapshots, func(q *snapshot) bool { return q == p })
		s.mu.Unlock()
		return 0, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin(func(ctx context.Context) {
		if s.sleep(ctx, s.latency.Snapshot) == nil {
			s.mu.Lock()
			p.status = "created"
			s.announce()
			s.mu.Unlock()
		}
	})
	return 200, view, nil
}
