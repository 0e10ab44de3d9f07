package binding

import (
	"fmt"
	"sort"
	"strings"
)

// Catalog is the explicit list of modules, checked.
type Catalog struct {
	modules map[string]*Module
	records map[string]*Type
}

// NewCatalog checks every declaration and returns the catalog, or the first
// mistake. drhost refuses to start on one.
func NewCatalog(modules ...*Module) (*Catalog, error) {
	c := &Catalog{modules: map[string]*Module{}, records: map[string]*Type{}}
	for _, m := range modules {
		if c.modules[m.Name] != nil {
			return nil, fmt.Errorf("module %s is declared twice", m.Name)
		}
		c.modules[m.Name] = m
		seen := map[string]bool{}
		for _, f := range m.Functions {
			s := f.Spec()
			s.Module = m.Name
			if seen[s.Name] {
				return nil, fmt.Errorf("%s is declared twice", s.Full())
			}
			seen[s.Name] = true
			if err := checkSpec(s, f); err != nil {
				return nil, fmt.Errorf("%s: %w", s.Full(), err)
			}
			c.collect(s.Result)
			c.collect(s.Args)
		}
	}
	return c, nil
}

func checkSpec(s *Spec, f Function) error {
	if s.Doc == "" || s.Example == "" {
		return fmt.Errorf("needs Doc and Example")
	}
	if s.Args.Kind != Record {
		return fmt.Errorf("takes exactly one table: its arguments must be a struct")
	}
	for _, m := range placeholder.FindAllStringSubmatch(s.Says, -1) {
		if s.Args.Field(m[1]) == nil {
			return fmt.Errorf("Says names {%s}, which is no argument", m[1])
		}
	}
	if s.Target != "" && s.Args.Field(s.Target) == nil {
		return fmt.Errorf("Target %q is no argument", s.Target)
	}
	declared := f.(interface {
		declared() (call, predict, settled bool)
	})
	call, predict, settled := declared.declared()
	if !call {
		return fmt.Errorf("needs Call")
	}
	if s.Effect != Reads && (s.Says == "" || !predict || !settled) {
		return fmt.Errorf("%s needs Says, Predict and Settled", s.Effect)
	}
	return nil
}

func (e erased[C, A, R]) declared() (call, predict, settled bool) {
	return e.Func.Call != nil, e.Func.Predict != nil, e.Func.Settled != nil
}

func (c *Catalog) collect(t *Type) {
	if t == nil || (t.Name != "" && c.records[t.Name] != nil) {
		return
	}
	if t.Kind == Record && t.Name != "" {
		c.records[t.Name] = t
	}
	c.collect(t.Elem)
	for _, f := range t.Fields {
		c.collect(f.Type)
	}
}

// Module returns the module called name, or nil.
func (c *Catalog) Module(name string) *Module { return c.modules[name] }

// Modules returns all of them by name.
func (c *Catalog) Modules() []*Module {
	out := make([]*Module, 0, len(c.modules))
	for _, m := range c.modules {
		out = append(out, m)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// Record returns the record type called name ("hetzner.Server"), or nil.
func (c *Catalog) Record(name string) *Type { return c.records[name] }

// Function returns a function by its full name ("hetzner.reboot"), or nil.
func (c *Catalog) Function(full string) Function {
	module, name, _ := strings.Cut(full, ".")
	if m := c.modules[module]; m != nil {
		return m.Function(name)
	}
	return nil
}

// Function returns the function called name, or nil.
func (m *Module) Function(name string) Function {
	for _, f := range m.Functions {
		if f.Spec().Name == name {
			return f
		}
	}
	return nil
}
