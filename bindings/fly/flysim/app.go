package flysim

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// app is one app with everything that belongs to it.
type app struct {
	id       string
	number   int
	name     string
	postgres bool
	created  time.Time
	shared   string // the IPv4 address at the edge
	machines map[string]*machine
	volumes  map[string]*volume
	secrets  map[string]*secret
	version  int        // of the secrets
	releases []*release // oldest first
	config   obj        // what a release defines when it brings nothing
	logs     []logLine
}

// role is what the vendor calls the kind of an app.
func (a *app) role() string {
	if a.postgres {
		return "postgres_cluster"
	}
	return ""
}

// status is suspended for an app of which nothing runs.
func (a *app) status() string {
	if len(a.machines) == 0 {
		return "pending"
	}
	for _, m := range a.machines {
		if m.state == started {
			return "deployed"
		}
	}
	return "suspended"
}

// inOrder lists an app's machines, oldest first, so that answers do not vary.
func (a *app) inOrder() []*machine {
	list := slices.Collect(maps.Values(a.machines))
	slices.SortFunc(list, func(x, y *machine) int { return x.number - y.number })
	return list
}

func (s *Sim) inOrder() []*app {
	list := slices.Collect(maps.Values(s.apps))
	slices.SortFunc(list, func(x, y *app) int { return x.number - y.number })
	return list
}

func (s *Sim) appView(a *app) obj {
	return obj{"id": a.id, "name": a.name, "internal_numeric_id": a.number, "network": "default", "status": a.status(),
		"machine_count": len(a.machines), "volume_count": len(a.volumes), "cname_target": a.id + "." + a.name + ".fly.dev",
		"app_role": a.role(), "organization": obj{"name": s.org, "slug": s.org, "internal_numeric_id": orgNumber}}
}

func (s *Sim) listApps(c *call) (int, any, error) {
	org, role := c.URL.Query().Get("org_slug"), c.URL.Query().Get("app_role")
	if org == "" {
		return 0, nil, invalid("org_slug is missing")
	}
	list := []obj{}
	for _, a := range s.inOrder() {
		if org == s.org && (role == "" || role == a.role()) {
			list = append(list, s.appView(a))
		}
	}
	return 200, obj{"total_apps": len(list), "apps": list}, nil
}

func (s *Sim) getApp(c *call) (int, any, error) { return 200, s.appView(c.app), nil }

func (s *Sim) createApp(c *call) (int, any, error) {
	var in struct {
		Name string `json:"name"`
		App  string `json:"app_name"`
		Org  string `json:"org_slug"`
		Role string `json:"app_role_id"`
	}
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	name := or(in.App, in.Name)
	switch {
	case name == "" || strings.ToLower(name) != name || strings.ContainsAny(name, "._ "):
		return 0, nil, &problem{422, "Validation failed: Name may only contain numbers, lowercase letters and dashes", "unprocessable"}
	case s.apps[name] != nil:
		return 0, nil, &problem{422, "Validation failed: Name has already been taken", "unprocessable"}
	case in.Org != "" && in.Org != s.org:
		return 0, nil, notFound("organization")
	}
	a := s.addApp(name, in.Role == "postgres_cluster")
	return 201, s.appView(a), nil
}

// addApp makes an app; the caller holds the lock.
func (s *Sim) addApp(name string, postgres bool) *app {
	s.sequence++
	a := &app{id: s.hex(16), number: 1000 + s.sequence, name: name, postgres: postgres, created: s.now(),
		machines: map[string]*machine{}, volumes: map[string]*volume{}, secrets: map[string]*secret{}, config: obj{"app": name}}
	a.shared = fmt.Sprintf("203.0.113.%d", 200+len(s.apps)%50)
	s.apps[name] = a
	return a
}

func (s *Sim) deleteApp(c *call) (int, any, error) {
	s.mu.Lock()
	machines, volumes := c.app.inOrder(), slices.Sorted(maps.Keys(c.app.volumes))
	for _, m := range machines {
		m.life++
	}
	delete(s.apps, c.app.name)
	s.announce()
	s.mu.Unlock()
	for _, m := range machines {
		s.metal.Kill(m.id)
		s.metal.Destroy(m.id)
	}
	for _, id := range volumes {
		s.metal.DestroyVolume(id)
	}
	return 202, obj{}, context.Cause(c.Context())
}
