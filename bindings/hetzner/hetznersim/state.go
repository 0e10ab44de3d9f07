package hetznersim

import (
	"maps"
	"net/netip"
	"slices"
)

func mustPrefix(text string) netip.Prefix {
	p, err := netip.ParsePrefix(text)
	must(err)
	return p
}

func sortedIDs[V any](m map[int64]V) []int64 { return slices.Sorted(maps.Keys(m)) }

// State is what the project holds at one moment, for expectations of drills
// and tests. Changing it changes nothing.
type State struct {
	Servers     map[string]ServerState // by name
	FloatingIPs map[string]AddressState
	PrimaryIPs  map[string]AddressState
	Volumes     map[string]string   // name -> server, "" when detached
	Balancers   map[string][]string // name -> servers that are targets
	Snapshots   map[int64]string    // id -> description
	Running     []string            // commands of actions that run, oldest first
}

// ServerState is one server.
type ServerState struct {
	ID       int64
	Status   string // as the API says
	Type     string
	Location string
	Image    string // name, or id of a snapshot
	IPv4     string
	IPv6     string
	Labels   map[string]string
	Locked   bool
	Rescue   bool
}

// AddressState is one floating or primary IP.
type AddressState struct {
	ID     int64
	IP     string
	Server string // name, "" when unassigned
}

// State looks at the project and at which machines are powered.
func (s *Sim) State() State {
	s.refresh()
	s.mu.Lock()
	defer s.mu.Unlock()
	st := State{
		Servers: map[string]ServerState{}, FloatingIPs: map[string]AddressState{}, PrimaryIPs: map[string]AddressState{},
		Volumes: map[string]string{}, Balancers: map[string][]string{}, Snapshots: map[int64]string{},
	}
	for _, v := range s.servers {
		st.Servers[v.name] = s.serverState(v)
	}
	for _, f := range s.floating {
		st.FloatingIPs[f.name] = AddressState{f.id, host(f.ip), s.nameOf(f.server)}
	}
	for _, p := range s.primary {
		st.PrimaryIPs[p.name] = AddressState{p.id, host(p.ip), s.nameOf(p.server)}
	}
	for _, d := range s.volumes {
		st.Volumes[d.name] = s.nameOf(d.server)
	}
	for _, b := range s.balancers {
		names := []string{}
		for _, t := range b.targets {
			if t.kind == "server" {
				names = append(names, s.nameOf(t.server))
			}
		}
		st.Balancers[b.name] = names
	}
	for _, i := range s.images {
		if i.kind == "snapshot" {
			st.Snapshots[i.id] = i.description
		}
	}
	for _, a := range inOrder(s.actions) {
		if a.status == "running" {
			st.Running = append(st.Running, a.command)
		}
	}
	return st
}

func (s *Sim) nameOf(server int64) string {
	if v := s.servers[server]; v != nil {
		return v.name
	}
	return ""
}

func (s *Sim) serverState(v *server) ServerState {
	state := ServerState{
		ID: v.id, Status: v.status(), Type: v.kind.name, Location: v.location.name, Labels: maps.Clone(shown(v.labels)),
		Locked: v.busy > 0, Rescue: v.rescue,
	}
	if v.image != nil {
		state.Image = v.image.ref()
	}
	if p := s.primaryOf(v.id, "ipv4"); p != nil {
		state.IPv4 = p.ip
	}
	if p := s.primaryOf(v.id, "ipv6"); p != nil {
		state.IPv6 = host(p.ip)
	}
	return state
}
