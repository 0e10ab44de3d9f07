package sandbox

import (
	"fmt"
	"sort"

	lua "github.com/yuin/gopher-lua"

	"github.com/webhost-systems/drhost/host/run"
)

func (s *Script) parallel(L *lua.LState) int {
	site := s.site(L)
	title := title(L, 1, "parallel", "a title")
	t := L.CheckTable(2)
	options := s.options(L, 3, "parallel", "keep_going", "at_once")
	var branches []run.Branch
	for k, v := t.Next(lua.LNil); k != lua.LNil; k, v = t.Next(k) {
		name, ok := k.(lua.LString)
		fn, isFunction := v.(*lua.LFunction)
		if !ok || !isFunction {
			raiseText(L, "parallel takes { name = function() ... end, ... }")
		}
		branches = append(branches, run.Branch{Name: checkedTitle(L, "parallel", string(name)), Run: s.branch(fn)})
		atMost(L, "parallel", len(branches))
	}
	sort.Slice(branches, func(i, j int) bool { return branches[i].Name < branches[j].Name })
	spec := run.Spec{Title: title, Form: "parallel", Site: site, Attempts: 1}
	return s.fan(L, spec, branches, options)
}

func (s *Script) each(L *lua.LState) int {
	site := s.site(L)
	title := title(L, 1, "each", "a title")
	list := L.CheckTable(2)
	lookAt(L, list)
	fn, options := s.functionAndOptions(L, 3, "each", "key", "at_once", "keep_going")
	key := options.text("key")
	atMost(L, "each", list.Len())
	whole(L, list)
	var branches []run.Branch
	seen := map[string]bool{}
	for i := 1; i <= list.Len(); i++ {
		item := list.RawGetInt(i)
		name := s.itemName(L, item, key)
		if seen[name] {
			raiseText(L, fmt.Sprintf("each: two items are called %q; name the field that tells them apart with key = ...", name))
		}
		seen[name] = true
		branches = append(branches, run.Branch{Name: name, Run: s.branch(fn, item)})
	}
	spec := run.Spec{Title: title, Form: "each", Site: site, Attempts: 1}
	return s.fan(L, spec, branches, options)
}

// whole refuses a table of which each would pass over a part in silence.
func whole(L *lua.LState, list *lua.LTable) {
	n := list.Len()
	for k, v := list.Next(lua.LNil); k != lua.LNil; k, v = list.Next(k) {
		if _, isNumber := k.(lua.LNumber); !isNumber {
			raiseText(L, fmt.Sprintf("each takes a list, and this table has the key %q; put the values into a list", named(k)))
		}
		if v.Type() == lua.LTFunction {
			raiseText(L, "each takes a list of plain data, and this one holds a function; parallel runs functions")
		}
	}
	for i := 1; i <= n; i++ {
		if list.RawGetInt(i) == lua.LNil {
			raiseText(L, fmt.Sprintf("each: item %d of the list is nil", i))
		}
	}
}

func (s *Script) itemName(L *lua.LState, item lua.LValue, key string) string {
	t, ok := item.(*lua.LTable)
	if !ok {
		return checkedTitle(L, "each", named(item))
	}
	if key == "" {
		key = "name"
	}
	v := t.RawGetString(key)
	if v == lua.LNil {
		raiseText(L, fmt.Sprintf("each: an item has no field %q to be named by; set key = ...", key))
	}
	return checkedTitle(L, "each", named(v))
}

func (s *Script) fan(L *lua.LState, spec run.Spec, branches []run.Branch, options options) int {
	spend(L, stepCost)
	fan := run.Fan{AtOnce: min(maxAtOnce, options.count("at_once", maxAtOnce, maxBranches)), KeepGoing: options.flag("keep_going")}
	joined, err := s.session.Engine.Parallel(contextOf(L), scopeOf(L), spec, branches, fan)
	if err != nil {
		s.values.raise(L, err, spec.Site)
	}
	s.vm.meter.forgive()
	failures := s.failures(L, spec.Title, joined, fan)
	for name, f := range joined.Failures {
		failures.RawSetString(name, s.values.faultTable(L, f, spec.Site))
	}
	L.Push(s.values.toLua(L, nonNil(joined.Results)))
	L.Push(failures)
	return 2
}

func nonNil(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}
