package sandbox

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/words"
)

const maxResults = words.MaxResults // values that unpack and string.byte return at once

// openBase declares the basic functions. Absent on purpose: everything that
// loads code, touches environments or files, collects garbage or prints.
func (vm *VM) openBase() {
	for name, fn := range map[string]lua.LGFunction{
		"assert": baseAssert, "error": baseError, "getmetatable": baseGetMetatable, "ipairs": vm.ipairs(),
		"next": vm.next, "pairs": vm.pairs(), "pcall": vm.pcall, "rawequal": baseRawEqual, "rawget": vm.rawGet,
		"rawset": vm.rawSet, "select": baseSelect, "setmetatable": vm.setMetatable, "tonumber": baseToNumber,
		"tostring": baseToString, "type": baseType, "unpack": baseUnpack, "xpcall": vm.xpcall,
	} {
		vm.SetWord(name, fn)
	}
	slices.Sort(vm.words)
	vm.env.RawSetString(concatName, vm.root.NewFunction(concat))
	vm.env.RawSetString(buildName, vm.root.NewFunction(build))
}

// fail raises an error at the line that called the running Go function.
func fail(L *lua.LState, format string, args ...any) {
	place := topLine(L)
	if place != "" {
		place += ": "
	}
	raiseValue(L, lua.LString(place+fmt.Sprintf(format, args...)))
}

// argument raises that argument n of function name is wrong.
func argument(L *lua.LState, n int, name, what string) {
	fail(L, "bad argument #%d to '%s' (%s)", n, name, what)
}

func expected(L *lua.LState, n int, name, kind string) {
	got := "no value"
	if L.GetTop() >= n {
		got = L.Get(n).Type().String()
	}
	argument(L, n, name, kind+" expected, got "+got)
}

func present(L *lua.LState, n int, name string) lua.LValue {
	if L.GetTop() < n {
		argument(L, n, name, "value expected")
	}
	return L.Get(n)
}

func tableArgument(L *lua.LState, n int, name string) *lua.LTable {
	t, ok := L.Get(n).(*lua.LTable)
	if !ok {
		expected(L, n, name, "table")
	}
	return t
}

// textOf is the text of a string or a number.
func textOf(v lua.LValue) (string, bool) {
	switch v := v.(type) {
	case lua.LString:
		return string(v), true
	case lua.LNumber:
		return formatNumber(float64(v)), true
	}
	return "", false
}

func stringArgument(L *lua.LState, n int, name string) string {
	s, ok := textOf(L.Get(n))
	if !ok {
		expected(L, n, name, "string")
	}
	return s
}

// numberOf is the value of a number, or of a string that reads as one.
func numberOf(v lua.LValue) (float64, bool) {
	switch v := v.(type) {
	case lua.LNumber:
		return float64(v), true
	case lua.LString:
		return parseNumber(string(v))
	}
	return 0, false
}

func numberArgument(L *lua.LState, n int, name string) float64 {
	v, ok := numberOf(L.Get(n))
	if !ok {
		expected(L, n, name, "number")
	}
	return v
}

func intArgument(L *lua.LState, n int, name string) int { return toInt(numberArgument(L, n, name)) }

func optionalInt(L *lua.LState, n int, name string, otherwise int) int {
	if L.Get(n) == lua.LNil {
		return otherwise
	}
	return intArgument(L, n, name)
}

// toInt cuts off the fraction; what does not fit becomes the nearest bound.
func toInt(v float64) int {
	switch {
	case math.IsNaN(v):
		return 0
	case v >= math.MaxInt64:
		return math.MaxInt64
	case v <= math.MinInt64:
		return math.MinInt64
	}
	return int(v)
}

// parseNumber reads a number as Lua writes it: decimal or hexadecimal, with
// white space around it.
func parseNumber(s string) (float64, bool) {
	s = strings.Trim(s, " \t\n\v\f\r")
	digits := strings.TrimLeft(s, "+-")
	if len(s)-len(digits) > 1 || digits == "" {
		return 0, false
	}
	if len(digits) > 2 && (digits[:2] == "0x" || digits[:2] == "0X") {
		v, err := strconv.ParseUint(digits[2:], 16, 64)
		if err != nil {
			return 0, false
		}
		if s[0] == '-' {
			return -float64(v), true
		}
		return float64(v), true
	}
	for i := range len(digits) {
		if c := digits[i]; (c < '0' || c > '9') && c != '.' && c != 'e' && c != 'E' && c != '+' && c != '-' {
			return 0, false // ParseFloat takes inf, nan and underscores
		}
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(v, 0) {
		return 0, false
	}
	return v, true
}

func baseAssert(L *lua.LState) int {
	if lua.LVAsBool(present(L, 1, "assert")) {
		return L.GetTop()
	}
	switch v := L.Get(2).(type) {
	case lua.LString, lua.LNumber:
		s, _ := textOf(v)
		fail(L, "%s", s)
	case *lua.LNilType:
		fail(L, "assertion failed!")
	default:
		raiseValue(L, v)
	}
	return 0
}

func baseError(L *lua.LState) int {
	value := L.Get(1)
	level := optionalInt(L, 2, "error", 1)
	if s, ok := textOf(value); ok && level > 0 {
		value = lua.LString(position(L, level) + s)
	}
	raiseValue(L, value)
	return 0
}

func baseGetMetatable(L *lua.LState) int {
	L.Push(L.GetMetatable(present(L, 1, "getmetatable")))
	return 1
}

func (vm *VM) setMetatable(L *lua.LState) int {
	t := tableArgument(L, 1, "setmetatable")
	meta := L.Get(2)
	if L.GetTop() < 2 || meta != lua.LNil && meta.Type() != lua.LTTable {
		argument(L, 2, "setmetatable", "nil or table expected")
	}
	if old, ok := t.Metatable.(*lua.LTable); ok && old.RawGetString("__metatable") != lua.LNil {
		fail(L, "cannot change a protected metatable")
	}
	t.Metatable = meta
	L.Push(t)
	return 1
}

func baseRawEqual(L *lua.LState) int {
	a, b := present(L, 1, "rawequal"), present(L, 2, "rawequal")
	L.Push(lua.LBool(L.RawEqual(a, b)))
	return 1
}

func (vm *VM) rawGet(L *lua.LState) int {
	t := content(tableArgument(L, 1, "rawget"))
	L.Push(t.RawGet(present(L, 2, "rawget")))
	return 1
}

func (vm *VM) rawSet(L *lua.LState) int {
	t := vm.writable(L, tableArgument(L, 1, "rawset"))
	present(L, 3, "rawset")
	L.RawSet(t, L.Get(2), L.Get(3))
	L.SetTop(1)
	return 1
}

func (vm *VM) next(L *lua.LState) int {
	t := content(tableArgument(L, 1, "next"))
	key, value := t.Next(L.Get(2))
	L.Push(key)
	if key == lua.LNil {
		return 1
	}
	L.Push(value)
	return 2
}

func (vm *VM) pairs() lua.LGFunction {
	next := vm.root.NewFunction(vm.next)
	return func(L *lua.LState) int {
		t := tableArgument(L, 1, "pairs")
		L.Push(next)
		L.Push(t)
		L.Push(lua.LNil)
		return 3
	}
}

func (vm *VM) ipairs() lua.LGFunction {
	step := vm.root.NewFunction(func(L *lua.LState) int {
		t := content(tableArgument(L, 1, "ipairs"))
		i := intArgument(L, 2, "ipairs") + 1
		v := t.RawGet(lua.LNumber(i))
		if v == lua.LNil {
			L.Push(lua.LNil)
			return 1
		}
		L.Push(lua.LNumber(i))
		L.Push(v)
		return 2
	})
	return func(L *lua.LState) int {
		t := tableArgument(L, 1, "ipairs")
		lookAt(L, t)
		L.Push(step)
		L.Push(t)
		L.Push(lua.LNumber(0))
		return 3
	}
}

func baseSelect(L *lua.LState) int {
	top := L.GetTop()
	if s, ok := L.Get(1).(lua.LString); ok && s == "#" {
		L.Push(lua.LNumber(top - 1))
		return 1
	}
	i := intArgument(L, 1, "select")
	if i < 0 {
		i = top + i
	} else if i > top {
		i = top
	}
	if i < 1 {
		argument(L, 1, "select", "index out of range")
	}
	return top - i
}

func baseToNumber(L *lua.LState) int {
	v := present(L, 1, "tonumber")
	if text, ok := v.(lua.LString); ok && foreseeing(L) != nil && binding.IsPlanned(string(text)) {
		L.Push(lua.LNumber(binding.PlannedNumber()))
		return 1
	}
	base := optionalInt(L, 2, "tonumber", 10)
	if base == 10 {
		if n, ok := numberOf(v); ok {
			L.Push(lua.LNumber(n))
		} else {
			L.Push(lua.LNil)
		}
		return 1
	}
	if base < 2 || base > 36 {
		argument(L, 2, "tonumber", "base out of range")
	}
	text := strings.ToLower(strings.Trim(stringArgument(L, 1, "tonumber"), " \t\n\v\f\r"))
	if base == 16 {
		text = strings.TrimPrefix(text, "0x")
	}
	n, err := strconv.ParseInt(text, base, 64)
	if err != nil || strings.Contains(text, "_") {
		L.Push(lua.LNil)
	} else {
		L.Push(lua.LNumber(n))
	}
	return 1
}

func baseToString(L *lua.LState) int {
	L.Push(toStringMeta(L, present(L, 1, "tostring")))
	return 1
}

// toStringMeta is what tostring returns: no address ever shows.
func toStringMeta(L *lua.LState, v lua.LValue) lua.LValue {
	if t, ok := metatableOf(v); ok {
		if fn := t.RawGetString("__tostring"); fn != lua.LNil {
			L.Push(fn)
			L.Push(v)
			L.Call(1, 1)
			result := L.Get(-1)
			L.Pop(1)
			return result
		}
	}
	if s, ok := textOf(v); ok {
		return lua.LString(s)
	}
	switch v := v.(type) {
	case *lua.LNilType, lua.LBool:
		return lua.LString(v.String())
	}
	return lua.LString(v.Type().String())
}

// display is the text of any value for an operator.
func display(L *lua.LState, v lua.LValue) string {
	if s, ok := textOf(toStringMeta(L, v)); ok {
		return s
	}
	return v.Type().String()
}

func metatableOf(v lua.LValue) (*lua.LTable, bool) {
	var meta lua.LValue
	switch v := v.(type) {
	case *lua.LTable:
		meta = v.Metatable
	case *lua.LUserData:
		meta = v.Metatable
	}
	t, ok := meta.(*lua.LTable)
	return t, ok
}

func baseType(L *lua.LState) int {
	L.Push(lua.LString(present(L, 1, "type").Type().String()))
	return 1
}

func baseUnpack(L *lua.LState) int {
	t := tableArgument(L, 1, "unpack")
	first := optionalInt(L, 2, "unpack", 1)
	last := optionalInt(L, 3, "unpack", t.Len())
	if first > last {
		return 0
	}
	if last-first >= maxResults || last-first < 0 {
		fail(L, "too many results to unpack (at most %d)", maxResults)
	}
	for i := first; i <= last; i++ {
		L.Push(t.RawGet(lua.LNumber(i)))
	}
	return last - first + 1
}
