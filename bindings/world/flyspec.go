package world

import (
	"errors"
	"fmt"
)

// AppSpec is a web app at Fly.io.
type AppSpec struct {
	Name     string            `toml:"name"`
	Images   []string          `toml:"images"`   // of its releases, oldest first; the last one runs
	Machines []string          `toml:"machines"` // the region of each
	Memory   int               `toml:"memory"`   // MB of each; 512 when 0
	Database string            `toml:"database"` // the Postgres app that DATABASE_URL names
	Secrets  map[string]string `toml:"secrets"`
}

// PostgresSpec is a Postgres app at Fly.io: servers with streaming
// replication.
type PostgresSpec struct {
	Name      string   `toml:"name"`
	Machines  []string `toml:"machines"`   // the region of each; the first one is the primary
	Memory    int      `toml:"memory"`     // MB of each; 1024 when 0
	Volume    int      `toml:"volume"`     // GB of each; 10 when 0
	ReplicaOf string   `toml:"replica_of"` // the Postgres app that all of it replicates
	Customers int      `toml:"customers"`  // rows to begin with
	Updates   int      `toml:"updates"`
	Live      bool     `toml:"live"`    // customers keep writing, through the app that uses it
	Managed   bool     `toml:"managed"` // a managed cluster: it exists in the books only
}

// RegionSpec is a region of Fly.io that is not as it should be.
type RegionSpec struct {
	Name string `toml:"name"`
	Full bool   `toml:"full"` // it has no room for another machine
}

func (s Spec) hasFly() bool { return len(s.Apps)+len(s.Postgres) > 0 }

func (s Spec) appNames() map[string]bool {
	names := map[string]bool{}
	for _, a := range s.Apps {
		names[a.Name] = true
	}
	return names
}

// checkFly finds what the simulator would refuse or misunderstand.
func (s Spec) checkFly() error {
	names, databases := map[string]bool{}, map[string]bool{}
	for _, p := range s.Postgres {
		switch {
		case p.Name == "" || names[p.Name]:
			return fmt.Errorf("postgres %q: every app needs a name of its own", p.Name)
		case len(p.Machines) == 0 && !p.Managed:
			return fmt.Errorf("postgres %s: machines names no region", p.Name)
		case p.ReplicaOf != "" && !databases[p.ReplicaOf]:
			return fmt.Errorf("postgres %s: there is no postgres %q above it to replicate", p.Name, p.ReplicaOf)
		case p.ReplicaOf != "" && (p.Customers > 0 || p.Updates > 0 || p.Live):
			return fmt.Errorf("postgres %s: a replica has the rows of what it replicates", p.Name)
		}
		names[p.Name], databases[p.Name] = true, !p.Managed
	}
	for _, a := range s.Apps {
		switch {
		case a.Name == "" || names[a.Name]:
			return fmt.Errorf("app %q: every app needs a name of its own", a.Name)
		case len(a.Machines) == 0 || len(a.Images) == 0:
			return fmt.Errorf("app %s: it needs machines and images", a.Name)
		case a.Database != "" && !databases[a.Database]:
			return fmt.Errorf("app %s: there is no postgres %q", a.Name, a.Database)
		}
		names[a.Name] = true
	}
	for _, p := range s.Postgres {
		if p.Live && s.userOf(p.Name) == "" {
			return fmt.Errorf("postgres %s: customers write to it through an app, and none uses it", p.Name)
		}
	}
	if len(s.Regions) > 0 && !s.hasFly() {
		return errors.New("region: there is no app that could be in it")
	}
	return nil
}

// userOf is the app that uses a database, or "".
func (s Spec) userOf(database string) string {
	for _, a := range s.Apps {
		if a.Database == database {
			return a.Name
		}
	}
	return ""
}
