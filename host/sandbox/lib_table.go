package sandbox

import (
	"sort"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// openTable declares table.
func (vm *VM) openTable() {
	t := vm.root.NewTable()
	vm.register(t, map[string]lua.LGFunction{"concat": vm.tableConcat, "insert": vm.tableInsert, "maxn": vm.tableMaxN,
		"remove": vm.tableRemove, "sort": vm.tableSort})
	vm.library("table", t)
}

func (vm *VM) tableConcat(L *lua.LState) int {
	t := content(tableArgument(L, 1, "concat"))
	sep := ""
	if L.Get(2) != lua.LNil {
		sep = stringArgument(L, 2, "concat")
	}
	first, last := optionalInt(L, 3, "concat", 1), optionalInt(L, 4, "concat", t.Len())
	var b strings.Builder
	paid := 0
	for i := first; i <= last; i++ {
		s, ok := textOf(t.RawGet(lua.LNumber(i)))
		if !ok {
			fail(L, "invalid value (%s) at index %d in table for 'concat'", t.RawGet(lua.LNumber(i)).Type(), i)
		}
		b.WriteString(s)
		if i < last {
			b.WriteString(sep)
		}
		checkString(L, b.Len())
		if done := (i-first)/4 + b.Len()/64; done-paid >= 1024 {
			spend(L, done-paid)
			paid = done
		}
	}
	L.Push(lua.LString(b.String()))
	return 1
}

// checkString refuses a string that would be too large.
func checkString(L *lua.LState, n int) {
	if n > maxString {
		fail(L, "the string would be longer than %d MiB", maxString>>20)
	}
}

func (vm *VM) tableInsert(L *lua.LState) int {
	t := vm.writable(L, tableArgument(L, 1, "insert"))
	end := t.Len() + 1
	switch L.GetTop() {
	case 2:
		set(t, end, L.Get(2))
	case 3:
		at := intArgument(L, 2, "insert")
		if at > end {
			end = at
		}
		if at < 1 {
			argument(L, 2, "insert", "position out of bounds")
		}
		spend(L, (end-at)/16)
		for i := end; i > at; i-- {
			set(t, i, t.RawGet(lua.LNumber(i-1)))
		}
		set(t, at, L.Get(3))
	default:
		fail(L, "wrong number of arguments to 'insert'")
	}
	return 0
}

func set(t *lua.LTable, i int, v lua.LValue) { t.RawSet(lua.LNumber(i), v) }

func (vm *VM) tableMaxN(L *lua.LState) int {
	t := content(tableArgument(L, 1, "maxn"))
	var most lua.LNumber
	for k, _ := t.Next(lua.LNil); k != lua.LNil; k, _ = t.Next(k) {
		if n, ok := k.(lua.LNumber); ok && n > most {
			most = n
		}
	}
	L.Push(most)
	return 1
}

func (vm *VM) tableRemove(L *lua.LState) int {
	t := vm.writable(L, tableArgument(L, 1, "remove"))
	end := t.Len()
	at := optionalInt(L, 2, "remove", end)
	if at < 1 || at > end {
		return 0
	}
	spend(L, (end-at)/16)
	v := t.RawGet(lua.LNumber(at))
	for i := at; i < end; i++ {
		set(t, i, t.RawGet(lua.LNumber(i+1)))
	}
	set(t, end, lua.LNil)
	L.Push(v)
	return 1
}

// tableSort sorts a copy and writes it back, and is stable: the order of equal
// items, and what an order function does that contradicts itself, must not
// differ between a run and its replay.
func (vm *VM) tableSort(L *lua.LState) int {
	t := vm.writable(L, tableArgument(L, 1, "sort"))
	n := t.Len()
	spend(L, n/4)
	items := make([]lua.LValue, n)
	for i := range items {
		items[i] = t.RawGet(lua.LNumber(i + 1))
	}
	less := L.LessThan
	if L.Get(2) != lua.LNil {
		fn, ok := L.Get(2).(*lua.LFunction)
		if !ok {
			expected(L, 2, "sort", "function")
		}
		less = func(a, b lua.LValue) bool {
			L.Push(fn)
			L.Push(a)
			L.Push(b)
			L.Call(2, 1)
			result := lua.LVAsBool(L.Get(-1))
			L.Pop(1)
			return result
		}
	}
	compared := 0
	sort.SliceStable(items, func(i, j int) bool {
		if compared++; compared&255 == 0 {
			spend(L, 256)
		}
		return less(items[i], items[j])
	})
	for i, v := range items {
		set(t, i+1, v)
	}
	return 0
}
