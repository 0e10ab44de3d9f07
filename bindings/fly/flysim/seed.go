package flysim

import (
	"fmt"
	"time"
)

// The Add methods set an organization up as if it had existed before: no
// request, no wait. They do not touch the metal; whoever made it lets run what
// runs already.

// AppSpec describes an app that exists already.
type AppSpec struct {
	Name     string
	Postgres bool
	Secrets  map[string]string
	Images   []string // of its releases, oldest first
	Region   string   // its primary region
	// Definition is what its releases say of it, as fly.toml in JSON; nil: its
	// name and region.
	Definition map[string]any
}

// AddApp enters an app in the books. It returns the address of its edge.
func (s *Sim) AddApp(spec AppSpec) (address string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.apps[spec.Name] != nil || spec.Name == "" {
		return "", fmt.Errorf("app %q exists already or has no name", spec.Name)
	}
	a := s.addApp(spec.Name, spec.Postgres)
	a.config["primary_region"] = or(spec.Region, home)
	if spec.Definition != nil {
		a.config = clone(spec.Definition)
	}
	for name, value := range spec.Secrets {
		s.setValue(a, name, &value)
		v := a.secrets[name]
		v.created = v.created.Add(-24 * time.Hour * time.Duration(len(spec.Images)+1)) // older than any release
		v.updated = v.created
		a.version++
	}
	for i, image := range spec.Images {
		r := s.addRelease(a, image, "complete", "rolling", nil)
		r.created = r.created.Add(-24 * time.Hour * time.Duration(len(spec.Images)-i))
	}
	return a.shared, nil
}

// MachineSpec describes a machine that exists already.
type MachineSpec struct {
	App, Name, Region string
	Config            map[string]any
	Volume            string // name of the volume it has; "" for none
	VolumeSize        int    // GB; 0 is 1
	Off               bool
}

// AddMachine enters a machine in the books, running unless it is off, and
// returns what the metal is to be started from.
func (s *Sim) AddMachine(spec MachineSpec) (Blueprint, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.apps[spec.App]
	if a == nil {
		return Blueprint{}, fmt.Errorf("there is no app %q", spec.App)
	}
	config := clone(spec.Config)
	if spec.Volume != "" {
		size := max(spec.VolumeSize, 1)
		v, err := s.newVolume(a, volumeInput{Name: spec.Volume, Region: spec.Region, Size: &size})
		if err != nil {
			return Blueprint{}, err
		}
		v.state = "created"
		config["mounts"] = []any{obj{"encrypted": true, "path": "/data", "size_gb": size, "volume": v.id, "name": v.name}}
	}
	m, err := s.newMachine(a, launchInput{Config: config, Region: spec.Region, Name: spec.Name})
	if err != nil {
		return Blueprint{}, fmt.Errorf("machine %s: %w", spec.Name, err)
	}
	s.note(m, "launch", created, "user", nil)
	if spec.Off {
		s.enter(m, stopped)
	} else {
		s.note(m, "start", started, "flyd", nil)
		s.enter(m, started)
	}
	return m.blueprint(), nil
}

// AddCluster enters a managed Postgres cluster with one complete backup.
func (s *Sim) AddCluster(name, region string) (id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.addCluster(name, region, "basic", 10, "")
	c.status = "ready"
	at := s.now().Add(-2 * time.Hour)
	c.backups = []*clusterBackup{{id: at.Format("20060102-150405") + "F", kind: "full", status: "completed", start: at, stop: at.Add(time.Minute)}}
	return c.id
}

// name makes up a machine's name; the caller holds the lock.
func (s *Sim) name() string {
	first := []string{"wispy", "frosty", "quiet", "silent", "long", "old", "bold", "misty", "small", "red"}
	second := []string{"frost", "river", "moon", "cloud", "fire", "lake", "leaf", "wind", "rain", "star"}
	return fmt.Sprintf("%s-%s-%d", first[s.random.IntN(len(first))], second[s.random.IntN(len(second))], 1000+s.random.IntN(9000))
}
