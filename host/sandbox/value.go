package sandbox

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	lua "github.com/yuin/gopher-lua"

	"github.com/webhost-systems/drhost/host/binding"
)

// Limits of plain data that leaves a script: what is deeper or larger is a
// mistake, and would only fill the journal.
const (
	maxDepth = 32
	maxItems = 100_000
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
}

// toPlain turns v into plain data; path names v in the error.
func (vs *values) toPlain(v lua.LValue) (any, error) {
	count := 0
	return vs.plain(v, "", 0, &count)
}

func (vs *values) plain(v lua.LValue, path string, depth int, count *int) (any, error) {
	if *count++; *count > maxItems {
		return nil, fmt.Errorf("%sholds more than %d values", at(path), maxItems)
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("%sis nested deeper than %d tables, or contains itself", at(path), maxDepth)
	}
	switch v := v.(type) {
	case *lua.LNilType:
		return nil, nil
	case lua.LBool:
		return bool(v), nil
	case lua.LNumber:
		n := float64(v)
		if vs.foresee != nil && binding.IsPlannedNumber(n) {
			return binding.PlannedValue(binding.Number, "number"), nil
		}
		if math.IsNaN(n) || math.IsInf(n, 0) {
			return nil, fmt.Errorf("%sis %v, which is no number that can be recorded", at(path), n)
		}
		return n, nil
	case lua.LString:
		if !utf8.ValidString(string(v)) {
			return nil, fmt.Errorf("%sis no valid UTF-8 text", at(path))
		}
		return string(v), nil
	case *lua.LUserData:
		if ref, ok := v.Value.(secretRef); ok {
			return binding.SecretRef(ref.name), nil
		}
	case *lua.LTable:
		return vs.plainTable(v, path, depth, count)
	}
	return nil, fmt.Errorf("%sis a %s, which is no plain data", at(path), v.Type())
}

func at(path string) string {
	if path == "" {
		return "the value "
	}
	return fmt.Sprintf("%q ", path)
}

func (vs *values) plainTable(t *lua.LTable, path string, depth int, count *int) (any, error) {
	length := t.Len()
	list := make([]any, 0, length)
	fields := map[string]any{}
	for k, v := t.Next(lua.LNil); k != lua.LNil; k, v = t.Next(k) {
		switch k := k.(type) {
		case lua.LString:
			x, err := vs.plain(v, join(path, string(k)), depth+1, count)
			if err != nil {
				return nil, err
			}
			fields[string(k)] = x
		case lua.LNumber:
			if float64(k) != float64(len(list)+1) {
				return nil, fmt.Errorf("%sis a list with a hole, or with a key that is no name", at(path))
			}
			x, err := vs.plain(v, fmt.Sprintf("%s[%d]", path, len(list)+1), depth+1, count)
			if err != nil {
				return nil, err
			}
			list = append(list, x)
		default:
			return nil, fmt.Errorf("%shas a key that is a %s", at(path), k.Type())
		}
	}
	if len(list) > 0 && len(fields) > 0 {
		return nil, fmt.Errorf("%smixes list items and named fields", at(path))
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

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
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
		v, _ := binding.PlannedEntry(m, L.Get(2).String())
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
		text := fmt.Sprintf("%s has no field %q", what, key.String())
		if near := binding.Nearest(key.String(), fields); near != "" {
			text += fmt.Sprintf("; did you mean %q?", near)
		} else {
			text += "; it has " + strings.Join(fields, ", ")
		}
		raiseText(L, text)
		return 0
	}))
	return m
}
