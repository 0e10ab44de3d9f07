package flysim

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Statuses of a health check.
const (
	Passing  = "passing"
	Warning  = "warning"
	Critical = "critical"
)

// checkState remembers since when a check says what it says.
type checkState struct {
	Check
	since time.Time
}

// look asks the metal what a machine's checks say. It is called without the
// lock.
func (s *Sim) look(ctx context.Context, m *machine) []Check {
	s.mu.Lock()
	runs, hung := m.state == started && !s.unreachable(m), m.hung
	s.mu.Unlock()
	if !runs || hung {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return s.metal.Checks(ctx, m.id)
}

// checkNames are the checks that a machine's configuration asks for, as the
// API names them.
func checkNames(m *machine) []string {
	names := slices.Sorted(maps.Keys(part(m.config, "checks")))
	for i, service := range list(m.config, "services") {
		for j, check := range list(service, "checks") {
			port := number(check, "port")
			if port == 0 {
				port = number(service, "internal_port")
			}
			name := fmt.Sprintf("servicecheck-%02d-%s-%d", i, or(word(check, "type"), "tcp"), port)
			if j > 0 {
				name = fmt.Sprintf("%s-%d", name, j)
			}
			names = append(names, name)
		}
	}
	return names
}

// checkViews tells what each check says; the caller holds the lock. A check
// that the metal says nothing of passes while the machine runs.
func (s *Sim) checkViews(m *machine, seen []Check) []obj {
	views := []obj{}
	names := checkNames(m)
	for _, c := range seen {
		if !slices.Contains(names, c.Name) {
			names = append(names, c.Name)
		}
	}
	for _, name := range names {
		now := Check{Name: name, Status: Passing, Output: "Success"}
		switch {
		case m.hung:
			now.Status, now.Output = Critical, "context deadline exceeded"
		case m.state != started || s.unreachable(m):
			now.Status, now.Output = Critical, "the machine hasn't started"
		}
		if i := slices.IndexFunc(seen, func(c Check) bool { return c.Name == name }); i >= 0 {
			now = seen[i]
		}
		old, known := m.checks[name]
		if !known || old.Status != now.Status || old.Output != now.Output {
			old = checkState{now, s.now()}
			m.checks[name] = old
		}
		views = append(views, obj{"name": name, "status": old.Status, "output": old.Output, "updated_at": stamp(old.since)})
	}
	return views
}
