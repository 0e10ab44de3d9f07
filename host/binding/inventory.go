package binding

import "context"

// Resource is something of an environment that a disaster may strike.
type Resource struct {
	Kind   string            `json:"kind"` // "server", "zone", "app", "postgres", "database"
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels,omitempty"`
}

// Listing declares how the resources of a module's environment are listed; C
// is the module's client. It must only read.
func Listing[C any](m *Module, list func(C, context.Context) ([]Resource, error)) *Module {
	m.Inventory = func(ctx context.Context, client any) ([]Resource, error) { return list(client.(C), ctx) }
	return m
}
