package check

import (
	"github.com/yuin/gopher-lua/ast"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/words"
)

// kind of a value, as far as it is known without running the script.
type kind int

const (
	unknown  kind = iota
	nothing       // nil
	data          // of a declared type: value.typ
	shaped        // a table that the script builds: value.shape
	mapped        // what each gives: value.elem by names that only a run knows
	function      // of the script: value.fn
	provider      // a declared function: value.spec
	module        // a provider module
	std           // a std module; value.names are its members, when they are known
	word          // a runbook word or a function of the base library: value.name
	library       // string, table or math
	object        // with fixed members: value.members
	world         // a drill's world
	given         // the input of a runbook
	declared      // what runbook or drill returned
)

// value is what is known of an expression.
type value struct {
	kind    kind
	typ     *binding.Type
	shape   *shape
	elem    *value
	fn      *fn
	spec    *binding.Spec
	module  *binding.Module
	members []words.Member
	names   []string
	name    string
	maybe   bool // may be nil or false as well
}

func ofKind(k binding.Kind) value { return value{kind: data, typ: &binding.Type{Kind: k}} }

// ofType is the value of a declared type; any is unknown.
func ofType(t *binding.Type) value {
	switch {
	case t == nil || t.Kind == binding.Any:
		return value{}
	case t.Kind == binding.Nothing:
		return value{kind: nothing}
	}
	return value{kind: data, typ: t}
}

// is tells whether v certainly is of one of the declared kinds.
func (v value) is(kinds ...binding.Kind) bool {
	for _, k := range kinds {
		if v.kind == data && v.typ.Kind == k {
			return true
		}
	}
	return false
}

// isText tells whether v certainly is a string in Lua.
func (v value) isText() bool { return v.is(binding.String, binding.Duration, binding.Moment) }

// isTable tells whether v certainly is a table of data.
func (v value) isTable() bool {
	return v.kind == shaped || v.kind == mapped || v.kind == given || v.is(binding.Record, binding.List, binding.Map)
}

// shape is a table that the script itself builds. Nobody can be sure of its
// fields once it was changed or handed to a function: then it is open.
type shape struct {
	node    *ast.TableExpr // nil when it was put together from others
	fields  map[string]value
	order   []string
	elem    *value // of list items
	loose   bool   // it has keys that are no literals
	open    bool
	parents []*shape
}

func (s *shape) isOpen() bool { return s.opened(map[*shape]bool{}) }

func (s *shape) opened(seen map[*shape]bool) bool {
	if seen[s] {
		return false
	}
	seen[s] = true
	if s.open || s.loose {
		return true
	}
	for _, p := range s.parents {
		if p.opened(seen) {
			return true
		}
	}
	return false
}

// holds tells whether the table, or one that it may be, has the field by now.
func (s *shape) holds(key string, seen map[*shape]bool) bool {
	if _, ok := s.fields[key]; ok || seen[s] {
		return ok
	}
	seen[s] = true
	for _, p := range s.parents {
		if p.holds(key, seen) {
			return true
		}
	}
	return false
}

// leak opens the shape of v, and those inside it.
func (v value) leak() { v.leakAt(0) }

func (v value) leakAt(depth int) {
	if v.kind != shaped || depth > 8 || v.shape.open {
		return
	}
	v.shape.open = true
	for _, p := range v.shape.parents {
		value{kind: shaped, shape: p}.leakAt(depth + 1)
	}
	for _, f := range v.shape.fields {
		f.leakAt(depth + 1)
	}
	if v.shape.elem != nil {
		v.shape.elem.leakAt(depth + 1)
	}
}

// join is what is known of a value that is a or b.
func join(a, b value) value { return joined(a, b, union) }

// joined leaves it to shapes what becomes of two tables of the script.
func joined(a, b value, shapes func(a, b *shape) value) value {
	switch {
	case falsy(a):
		b.maybe = true
		return b
	case falsy(b):
		a.maybe = true
		return a
	case a.kind != b.kind || a.kind == unknown:
		return value{}
	}
	maybe := a.maybe || b.maybe
	same := false
	switch a.kind {
	case data:
		same = sameType(a.typ, b.typ)
	case shaped:
		if a.shape != b.shape {
			a = shapes(a.shape, b.shape)
		}
		same = true
	case mapped:
		item := joined(*a.elem, *b.elem, shapes)
		a.elem, same = &item, true
	case function:
		same = a.fn == b.fn
	case provider:
		same = a.spec == b.spec
	case module:
		same = a.module == b.module
	case std, word, library, object:
		same = a.name == b.name
	case world, given, declared:
		same = true
	}
	if !same {
		return value{}
	}
	a.maybe = maybe
	return a
}

// falsy tells whether v is only the nil or false that stands for "none".
func falsy(v value) bool {
	return v.kind == nothing || v.is(binding.Bool) && v.name == "false"
}

func sameType(a, b *binding.Type) bool {
	if a == b {
		return true
	}
	if a.Kind != b.Kind || a.Kind == binding.Record {
		return a.Kind == b.Kind && a.Name != "" && a.Name == b.Name
	}
	if a.Kind == binding.List || a.Kind == binding.Map {
		return sameType(a.Elem, b.Elem)
	}
	return true
}

// union is a table that is a or b. Tables inside them that differ are left
// open: they may contain themselves, and there is no end to that.
func union(a, b *shape) value {
	inner := func(x, y value) value { return joined(x, y, func(_, _ *shape) value { return value{} }) }
	out := &shape{fields: map[string]value{}, parents: []*shape{a, b}, loose: a.loose || b.loose}
	for _, s := range []*shape{a, b} {
		for _, name := range s.order {
			v := s.fields[name]
			if old, ok := out.fields[name]; ok {
				v = inner(old, v)
			} else {
				out.order = append(out.order, name)
			}
			out.fields[name] = v
		}
		if s.elem != nil && out.elem == nil {
			out.elem = s.elem
		} else if s.elem != nil {
			item := inner(*out.elem, *s.elem)
			out.elem = &item
		}
	}
	return value{kind: shaped, shape: out}
}

// describe is how v is called in a message: "a hetzner.Server".
func describe(v value) string {
	switch v.kind {
	case nothing:
		return "nil"
	case data:
		return describeType(v.typ)
	case shaped, given:
		return "a table"
	case mapped:
		return "a table of names"
	case function, provider:
		return "a function"
	case module, std:
		return "a module"
	case word:
		return "the word " + v.name
	case library:
		return "the library " + v.name
	case object, world:
		return "the object " + v.name
	case declared:
		return "a runbook"
	}
	return "something else"
}

func describeType(t *binding.Type) string {
	switch t.Kind {
	case binding.Bool:
		return "true or false"
	case binding.Integer, binding.Number:
		return "a number"
	case binding.Duration, binding.Moment, binding.String:
		return "a string"
	case binding.Secret:
		return "a secret"
	case binding.List:
		return "a list"
	case binding.Map:
		return "a table of names"
	case binding.Record:
		if t.Name != "" {
			return "a " + t.Name
		}
		return "a table"
	}
	return string(t.Kind)
}
