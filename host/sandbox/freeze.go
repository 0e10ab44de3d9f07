package sandbox

import (
	"maps"
	"slices"

	lua "github.com/yuin/gopher-lua"
)

// frozenKey holds, in the metatable of a frozen table, what the table shows.
// Its value is wrapped in a userdata of the host, so that no script's table
// can pass for frozen.
const frozenKey = "(frozen)"

type frozenContent struct{ table *lua.LTable }

// freeze returns a table that shows content and cannot be changed by any
// means a script has. unknown, when not nil, says what is wrong with a key
// that content does not have; without it the key reads as nil.
func (vm *VM) freeze(name string, content *lua.LTable, unknown func(key lua.LValue) string) *lua.LTable {
	mark := vm.root.NewUserData()
	mark.Value = frozenContent{content}
	meta := vm.root.NewTable()
	meta.RawSetString(frozenKey, mark)
	meta.RawSetString("__metatable", lua.LString("locked"))
	meta.RawSetString("__len", vm.root.NewFunction(func(L *lua.LState) int {
		L.Push(lua.LNumber(content.Len()))
		return 1
	}))
	meta.RawSetString("__newindex", vm.root.NewFunction(func(L *lua.LState) int {
		fail(L, "%s cannot be changed", name)
		return 0
	}))
	if unknown == nil {
		meta.RawSetString("__index", content)
	} else {
		meta.RawSetString("__index", vm.root.NewFunction(func(L *lua.LState) int {
			v := content.RawGet(L.Get(2))
			if v == lua.LNil {
				fail(L, "%s", unknown(L.Get(2)))
			}
			L.Push(v)
			return 1
		}))
	}
	proxy := vm.root.NewTable()
	proxy.Metatable = meta
	return proxy
}

// content is what t shows when it is frozen, else t.
func content(t *lua.LTable) *lua.LTable {
	if meta, ok := t.Metatable.(*lua.LTable); ok {
		if mark, ok := meta.RawGetString(frozenKey).(*lua.LUserData); ok {
			if c, ok := mark.Value.(frozenContent); ok {
				return c.table
			}
		}
	}
	return t
}

// writable refuses a frozen table where a function writes past metatables.
func (vm *VM) writable(L *lua.LState, t *lua.LTable) *lua.LTable {
	if content(t) != t {
		fail(L, "this table cannot be changed")
	}
	return t
}

// library declares a table of functions as a frozen global.
func (vm *VM) library(name string, content *lua.LTable) {
	vm.SetGlobal(name, vm.freeze(name, content, func(key lua.LValue) string {
		return "there is no " + name + "." + named(key)
	}))
}

// lockEnvironment makes reading an undeclared global an error. Assignments are
// refused by Compile; this holds if one slips through.
func (vm *VM) lockEnvironment() {
	meta := vm.root.NewTable()
	meta.RawSetString("__metatable", lua.LString("locked"))
	meta.RawSetString("__index", vm.root.NewFunction(func(L *lua.LState) int {
		fail(L, "global '%s' is not declared", named(L.Get(2)))
		return 0
	}))
	meta.RawSetString("__newindex", vm.root.NewFunction(func(L *lua.LState) int {
		fail(L, "global '%s' is not declared; use local", named(L.Get(2)))
		return 0
	}))
	vm.env.Metatable = meta
}

func sortedNames(functions map[string]lua.LGFunction) []string {
	return slices.Sorted(maps.Keys(functions))
}
