package flysim

import (
	"maps"
	"slices"
)

// State is what the organization holds at one moment, for expectations of
// drills and tests. Changing it changes nothing.
type State struct {
	Apps    map[string]AppState `json:"apps"`    // by name
	Full    []string            `json:"full"`    // regions without room
	Down    []string            `json:"down"`    // regions out of reach
	Managed map[string]string   `json:"managed"` // managed clusters: name -> status
}

// AppState is one app.
type AppState struct {
	Postgres bool                    `json:"postgres"`
	Address  string                  `json:"address"`
	Machines map[string]MachineState `json:"machines"` // by id
	Volumes  map[string]string       `json:"volumes"`  // id -> machine, "" when detached
	Secrets  map[string]string       `json:"secrets"`  // name -> digest
	Releases []string                `json:"releases"` // images, oldest first
}

// MachineState is one machine.
type MachineState struct {
	Name      string            `json:"name"`
	Region    string            `json:"region"`
	State     string            `json:"state"`
	Image     string            `json:"image"`
	Instance  string            `json:"instance"`
	PrivateIP string            `json:"private_ip"`
	Cordoned  bool              `json:"cordoned"`
	Reachable bool              `json:"reachable"`
	Hung      bool              `json:"hung"`
	Leased    bool              `json:"leased"`
	MemoryMB  int               `json:"memory_mb"`
	Metadata  map[string]string `json:"metadata"`
}

// State looks at everything but destroyed machines.
func (s *Sim) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := State{Apps: map[string]AppState{}, Managed: map[string]string{}}
	for _, a := range s.apps {
		v := AppState{Postgres: a.postgres, Address: a.shared, Machines: map[string]MachineState{}, Volumes: map[string]string{}, Secrets: map[string]string{}}
		for id, m := range a.machines {
			if m.state != destroyed {
				v.Machines[id] = s.machineState(m)
			}
		}
		for id, d := range a.volumes {
			v.Volumes[id] = d.machine
		}
		for name, secret := range a.secrets {
			v.Secrets[name] = secret.digest
		}
		for _, r := range a.releases {
			v.Releases = append(v.Releases, r.image)
		}
		st.Apps[a.name] = v
	}
	for region := range s.full {
		if s.full[region] {
			st.Full = append(st.Full, region)
		}
	}
	for region := range s.down {
		if s.down[region] {
			st.Down = append(st.Down, region)
		}
	}
	slices.Sort(st.Full)
	slices.Sort(st.Down)
	for _, c := range s.clusters {
		st.Managed[c.name] = c.status
	}
	return st
}

func (s *Sim) machineState(m *machine) MachineState {
	v := MachineState{Name: m.name, Region: m.region, State: m.state, Image: word(m.config, "image"), Instance: m.instance,
		PrivateIP: m.privateIP, Cordoned: m.cordoned, Reachable: !s.unreachable(m), Hung: m.hung, Leased: s.held(m) != nil,
		MemoryMB: number(part(m.config, "guest"), "memory_mb"), Metadata: map[string]string{}}
	for key := range maps.Keys(part(m.config, "metadata")) {
		v.Metadata[key] = word(part(m.config, "metadata"), key)
	}
	return v
}
