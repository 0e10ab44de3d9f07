package sandbox

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	lua "github.com/yuin/gopher-lua"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/words"
)

// Limits of plain data that leaves a script: what is deeper or larger is a
// mistake, and would only fill the journal.
const (
	maxDepth = words.MaxDepth
	maxItems = words.MaxItems
	maxPlain = words.MaxPlain // bytes of text in it
	typeKey  = "$type"

	plannedKey = "$planned"
)

// secretRef is what a script holds of a secret: its name.
type secretRef struct{ name string }

// values turns Lua values into plain data and back.
type values struct {
	catalog *binding.Catalog
	metas   map[string]*lua.LTable // record type -> strict metatable
	faults  *lua.LTable            // metatable of raised faults
	foresee foreseer               // in a plan only
	charge  func(int64) error      // takes instructions for the work; may be nil
}

// toPlain turns v into plain data.
func (vs *values) toPlain(v lua.LValue) (any, error) {
	p := plainer{vs: vs}
	plain, err := p.value(v, nil, 0)
	if vs.charge != nil {
		_ = vs.charge(int64(p.bytes + 20*p.count)) // when nothing is left, the script ends before its next instruction
	}
	return plain, err
}

// plainer makes plain data of one value and adds up what it takes.
type plainer struct {
	vs    *values
	count int
	bytes int
}

// place is where in a value something stands. It is put into words only for
// an error.
type place struct {
	parent *place
	name   string
	index  int
}

func (p *place) String() string {
	if p == nil {
		return "the value "
	}
	var path string
	for ; p != nil; p = p.parent {
		switch {
		case p.index > 0:
			path = fmt.Sprintf("[%d]%s", p.index, path)
		case path == "" || path[0] == '[':
			path = clip(p.name, 40) + path
		default:
			path = clip(p.name, 40) + "." + path
		}
	}
	return fmt.Sprintf("%q ", clip(path, 120))
}

func (p *plainer) value(v lua.LValue, at *place, depth int) (any, error) {
	if p.count++; p.count > maxItems {
		return nil, fmt.Errorf("%sholds more than %d values", at, maxItems)
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("%sis nested deeper than %d tables, or contains itself", at, maxDepth)
	}
	switch v := v.(type) {
	case *lua.LNilType:
		return nil, nil
	case lua.LBool:
		return bool(v), nil
	case lua.LNumber:
		n := float64(v)
		if p.vs.foresee != nil && binding.IsPlannedNumber(n) {
			return binding.PlannedValue(binding.Number, "number"), nil
		}
		if math.IsNaN(n) || math.IsInf(n, 0) {
			return nil, fmt.Errorf("%sis %v, which is no number that can be recorded", at, n)
		}
		return n, nil
	case lua.LString:
		return p.text(string(v), at)
	case *lua.LUserData:
		if ref, ok := v.Value.(secretRef); ok {
			return binding.SecretRef(ref.name), nil
		}
	case *lua.LTable:
		return p.table(v, at, depth)
	}
	return nil, fmt.Errorf("%sis a %s, which is no plain data", at, v.Type())
}

func (p *plainer) text(s string, at *place) (string, error) {
	if p.bytes += len(s); p.bytes > maxPlain {
		return "", fmt.Errorf("%sholds more than %d KiB of text; keep it where it is and pass on its name", at, maxPlain>>10)
	}
	if !utf8.ValidString(s) {
		return "", fmt.Errorf("%sis no valid UTF-8 text", at)
	}
	return s, nil
}

func (p *plainer) table(t *lua.LTable, at *place, depth int) (any, error) {
	if content(t) != t {
		return nil, fmt.Errorf("%sis a library or a module, which is no plain data", at)
	}
	var list []any
	fields := map[string]any{}
	for k, v := t.Next(lua.LNil); k != lua.LNil; k, v = t.Next(k) {
		switch k := k.(type) {
		case lua.LString:
			name, err := p.text(string(k), at)
			if err != nil {
				return nil, err
			}
			if fields[name], err = p.value(v, &place{at, name, 0}, depth+1); err != nil {
				return nil, err
			}
		case lua.LNumber:
			if float64(k) != float64(len(list)+1) {
				return nil, fmt.Errorf("%sis a list with a hole, or with a key that is no name", at)
			}
			x, err := p.value(v, &place{at, "", len(list) + 1}, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, x)
		default:
			return nil, fmt.Errorf("%shas a key that is a %s", at, k.Type())
		}
	}
	if len(list) > 0 && len(fields) > 0 {
		return nil, fmt.Errorf("%smixes list items and named fields", at)
	}
	if len(list) > 0 {
		return list, nil
	}
	if meta, ok := t.Metatable.(*lua.LTable); ok {
		if ud, ok := meta.RawGetString(plannedKey).(*lua.LUserData); ok {
			return ud.Value, nil
		}
		if name, ok := meta.RawGetString(typeKey).(lua.LString); ok {
			fields[typeKey] = string(name)
		}
		stillOpen(meta, fields)
	}
	if len(fields) == 0 {
		return []any{}, nil
	}
	return fields, nil
}

// toLua turns plain data into a Lua value. A record gets a metatable that
// raises on a field the record does not have.
func (vs *values) toLua(L *lua.LState, v any) lua.LValue {
	switch v := v.(type) {
	case bool:
		return lua.LBool(v)
	case float64:
		return lua.LNumber(v)
	case string:
		return lua.LString(v)
	case []any:
		t := L.CreateTable(len(v), 0)
		for i, x := range v { // a nil keeps its place, so that the others keep theirs
			t.RawSetInt(i+1, vs.toLua(L, x))
		}
		return t
	case map[string]any:
		return vs.tableOf(L, v)
	}
	return lua.LNil
}

func (vs *values) tableOf(L *lua.LState, m map[string]any) lua.LValue {
	if name, ok := m["$secret"].(string); ok && len(m) == 1 {
		ud := L.NewUserData()
		ud.Value = secretRef{name}
		ud.Metatable = secretMeta(L)
		return ud
	}
	if v, planned := vs.plannedValue(L, m); planned {
		return v
	}
	var room [16]string
	keys := room[:0]
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	t := L.CreateTable(0, len(m))
	var open map[string]string
	for _, k := range keys {
		if what, kind, ok := binding.PlannedKind(m[k]); ok && kind == binding.Bool {
			if open == nil {
				open = map[string]string{}
			}
			open[k] = what
		} else if k != typeKey {
			t.RawSetString(k, vs.toLua(L, m[k]))
		}
	}
	if name, ok := m[typeKey].(string); ok {
		t.Metatable = vs.meta(L, name)
	}
	if open != nil {
		vs.undecided(L, t, open)
	}
	return t
}

// plannedTable answers every key with a planned value.
func (vs *values) plannedTable(L *lua.LState, m map[string]any) *lua.LTable {
	meta := L.NewTable()
	ud := L.NewUserData()
	ud.Value = m
	meta.RawSetString(plannedKey, ud)
	meta.RawSetString("__metatable", lua.LString("locked"))
	meta.RawSetString("__index", L.NewFunction(func(L *lua.LState) int {
		v, _ := binding.PlannedEntry(m, named(L.Get(2)))
		L.Push(vs.toLua(L, v))
		return 1
	}))
	what, _, _ := binding.PlannedKind(m)
	text := func(L *lua.LState) int {
		L.Push(lua.LString(binding.Planned(what)))
		return 1
	}
	meta.RawSetString("__tostring", L.NewFunction(text))
	meta.RawSetString("__concat", L.NewFunction(text))
	t := L.NewTable()
	t.Metatable = meta
	return t
}

// meta is the metatable of the record type called name.
func (vs *values) meta(L *lua.LState, name string) lua.LValue {
	if m := vs.metas[name]; m != nil {
		return m
	}
	record := vs.catalog.Record(name)
	if record == nil {
		return lua.LNil
	}
	var fields []string
	for _, f := range record.Fields {
		fields = append(fields, f.Name)
	}
	m := strictMeta(L, name, fields)
	m.RawSetString(typeKey, lua.LString(name))
	vs.metas[name] = m
	return m
}

// strictMeta makes the metatable of a table called what that has just fields:
// reading another one raises, so that a typo is no nil.
func strictMeta(L *lua.LState, what string, fields []string) *lua.LTable {
	known := map[string]bool{}
	for _, f := range fields {
		known[f] = true
	}
	m := L.NewTable()
	m.RawSetString("__metatable", lua.LString("locked"))
	m.RawSetString("__index", L.NewFunction(func(L *lua.LState) int {
		key := L.Get(2)
		if name, ok := key.(lua.LString); ok && known[string(name)] {
			L.Push(lua.LNil)
			return 1
		}
		if _, ok := key.(lua.LNumber); ok {
			L.Push(lua.LNil)
			return 1
		}
		raiseText(L, noField(what, fields, key))
		return 0
	}))
	return m
}

// noField says that what has fields, and key is none of them.
func noField(what string, fields []string, key lua.LValue) string {
	text := fmt.Sprintf("%s has no field %q", what, named(key))
	if near := binding.Nearest(named(key), fields); near != "" {
		return text + fmt.Sprintf("; did you mean %q?", near)
	}
	return text + "; it has " + strings.Join(fields, ", ")
}
