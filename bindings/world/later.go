package world

import (
	"fmt"
	"net/http"
)

// later is a fault that waits for the recovery to come to a certain point: a
// request to a provider that was carried out.
type later struct {
	on   APIFault // its Method, Path and Count say which request
	fire func() error
}

// Later puts a fault into the world as soon as the count-th request to a
// provider that method and path describe (as in an APIFault) was carried out:
// the second disaster, during the recovery from the first.
func (w *World) Later(provider, method, path string, count int, fault string, args map[string]any) error {
	g, err := w.gateway(provider)
	if err != nil {
		return fmt.Errorf("later: %w", err)
	}
	if fault == "later" {
		return fmt.Errorf("later: a fault that waits cannot wait for another")
	}
	a := &arguments{name: fault, given: args}
	if w.fault(a) == nil {
		return fmt.Errorf("later: %w", w.known(fault))
	}
	if err := a.finish(); err != nil {
		return fmt.Errorf("later: %w", err)
	}
	on := APIFault{Kind: Failing, Method: method, Path: path, Count: max(count, 1)}
	if err := on.check(); err != nil {
		return fmt.Errorf("later: %w", err)
	}
	g.mu.Lock()
	g.later = append(g.later, &later{on, func() error { return w.Inject(fault, args) }})
	g.mu.Unlock()
	w.record("later", map[string]any{"provider": provider, "method": method, "path": path, "fault": fault, "args": args})
	return nil
}

// come lets the faults happen that waited for a request, before its answer is
// sent: whoever sees the answer is in the world after them.
func (g *gateway) come(r *http.Request) {
	g.mu.Lock()
	var due, left []*later
	for _, l := range g.later {
		if l.on.hits(r) {
			l.on.Count--
		}
		if l.on.Count == 0 {
			due = append(due, l)
		} else {
			left = append(left, l)
		}
	}
	g.later = left
	g.mu.Unlock()
	for _, l := range due {
		if err := l.fire(); err != nil {
			g.failed(err)
		}
	}
}
