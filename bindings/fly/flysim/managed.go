package flysim

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"
)

// cluster is a managed Postgres cluster. It exists in the books only: no
// database stands behind it, so that nothing can be connected to. What a
// recovery does with the data of one is drilled with the clusters of apps.
type cluster struct {
	id, name, region, plan, status string
	disk                           int
	created                        time.Time
	backups                        []*clusterBackup // oldest first
	from                           string           // what it was made of
}

// clusterBackup is a backup of one.
type clusterBackup struct {
	id, kind, status string
	start, stop      time.Time
}

func (s *Sim) addCluster(name, region, plan string, disk int, from string) *cluster {
	s.sequence++
	c := &cluster{id: strings.ToLower(s.ulid())[10:], name: name, region: region, plan: plan, disk: disk, created: s.now(), status: "creating", from: from}
	s.clusters[c.id] = c
	return c
}

func (s *Sim) clusterView(c *cluster) obj {
	view := obj{"id": c.id, "name": c.name, "region": c.region, "plan": c.plan, "status": c.status, "disk": c.disk, "replicas": 1,
		"created_at": stamp(c.created), "organization": obj{"name": s.org, "slug": s.org}, "ip_assignments": obj{"direct": ""}, // nothing listens
		"attached_apps": []obj{}}
	if c.from != "" {
		view["restored_from"] = c.from
	}
	return view
}

func (s *Sim) clusterOf(c *call) (*cluster, error) {
	if k := s.clusters[c.PathValue("cluster")]; k != nil {
		return k, nil
	}
	return nil, notFound("cluster")
}

func (s *Sim) listClusters(*call) (int, any, error) {
	list := []obj{}
	for _, id := range slices.Sorted(maps.Keys(s.clusters)) {
		list = append(list, s.clusterView(s.clusters[id]))
	}
	return 200, obj{"data": list}, nil
}

func (s *Sim) getCluster(c *call) (int, any, error) {
	k, err := s.clusterOf(c)
	if err != nil {
		return 0, nil, err
	}
	// There is nothing to log into; "error" is how the vendor says that it has
	// no credentials to give.
	return 200, obj{"data": s.clusterView(k), "credentials": obj{"status": "error", "user": "", "password": "", "dbname": "", "pgbouncer_uri": ""}}, nil
}

// noDatabase refuses whatever wants to look into a managed cluster: users,
// databases, extensions, attachments.
func (s *Sim) noDatabase(c *call) (int, any, error) {
	if _, err := s.clusterOf(c); err != nil {
		return 0, nil, err
	}
	return 0, nil, &problem{501, "no database stands behind a managed cluster of this simulator: it has backups, restores and forks, and nothing to connect to", "not_implemented"}
}

func backupView(b *clusterBackup) obj {
	view := obj{"id": b.id, "type": b.kind, "status": b.status, "start": stamp(b.start), "stop": nil}
	if !b.stop.IsZero() {
		view["stop"] = stamp(b.stop)
	}
	return view
}

func (s *Sim) listClusterBackups(c *call) (int, any, error) {
	k, err := s.clusterOf(c)
	if err != nil {
		return 0, nil, err
	}
	list := []obj{}
	for i := len(k.backups) - 1; i >= 0; i-- {
		list = append(list, backupView(k.backups[i]))
	}
	return 200, obj{"data": list}, nil
}

func (s *Sim) createClusterBackup(c *call) (int, any, error) {
	k, err := s.clusterOf(c)
	if err != nil {
		return 0, nil, err
	}
	var in struct {
		Type string `json:"type"`
	}
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	if in.Type = or(in.Type, "full"); !slices.Contains([]string{"full", "incr", "diff"}, in.Type) {
		return 0, nil, invalid("type must be full, incr or diff")
	}
	for _, b := range k.backups {
		if b.status == "running" {
			return 0, nil, &problem{409, "a backup is already running", "conflict"}
		}
	}
	b := &clusterBackup{id: s.now().Format("20060102-150405") + strings.ToUpper(in.Type[:1]) + s.hex(4), kind: in.Type, status: "running", start: s.now()}
	k.backups = append(k.backups, b)
	s.later(s.latency.Backup, func() { b.status, b.stop = "completed", s.now() })
	return 201, obj{"data": backupView(b)}, nil
}

// later does something after a while, under the lock; the caller holds it.
func (s *Sim) later(d time.Duration, do func()) {
	s.begin(func(ctx context.Context) {
		if s.sleep(ctx, d) == nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			do()
			s.announce()
		}
	})
}

func (s *Sim) restoreCluster(c *call) (int, any, error) {
	k, err := s.clusterOf(c)
	if err != nil {
		return 0, nil, err
	}
	var in struct {
		Backup string `json:"backup_id"`
		Name   string `json:"name"`
	}
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	i := slices.IndexFunc(k.backups, func(b *clusterBackup) bool { return b.id == in.Backup })
	switch {
	case i < 0:
		return 0, nil, notFound("backup")
	case k.backups[i].status != "completed":
		return 0, nil, &problem{409, "the backup is not complete", "conflict"}
	}
	made := s.addCluster(or(in.Name, k.name+"-restored"), k.region, k.plan, k.disk, in.Backup)
	s.later(s.latency.Cluster, func() { made.status = "ready" })
	return 201, obj{"data": s.clusterView(made)}, nil
}

func (s *Sim) forkCluster(c *call) (int, any, error) {
	k, err := s.clusterOf(c)
	if err != nil {
		return 0, nil, err
	}
	var in struct {
		Name string `json:"name"`
	}
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	made := s.addCluster(or(in.Name, k.name+"-fork"), k.region, k.plan, k.disk, k.id)
	s.later(s.latency.Cluster, func() { made.status = "ready" })
	return 201, obj{"data": s.clusterView(made)}, nil
}
