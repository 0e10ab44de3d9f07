package sandbox

import (
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// openString declares string, and what strings themselves can do: methods, and
// arithmetic on those that read as numbers.
func (vm *VM) openString() {
	t := vm.root.NewTable()
	vm.register(t, map[string]lua.LGFunction{"byte": stringByte, "char": stringChar, "find": stringFind, "format": stringFormat,
		"gmatch": stringGmatch, "gsub": stringGsub, "len": stringLen, "lower": stringLower, "match": stringMatch,
		"rep": stringRep, "reverse": stringReverse, "sub": stringSub, "upper": stringUpper})
	vm.library("string", t)
	meta := vm.root.NewTable()
	meta.RawSetString("__index", vm.freeze("string", t, nil))
	meta.RawSetString("__metatable", lua.LString("locked"))
	vm.register(meta, stringArithmetic())
	vm.root.SetMetatable(lua.LString(""), meta)
}

// relative turns a position that may count from the end into one from the start.
func relative(i, length int) int {
	if i < 0 {
		return max(i+length+1, 0)
	}
	return i
}

func stringByte(L *lua.LState) int {
	s := stringArgument(L, 1, "byte")
	first := relative(optionalInt(L, 2, "byte", 1), len(s))
	last := relative(optionalInt(L, 3, "byte", first), len(s))
	first, last = max(first, 1), min(last, len(s))
	if last-first >= maxResults {
		fail(L, "string slice too long (at most %d bytes)", maxResults)
	}
	for i := first; i <= last; i++ {
		L.Push(lua.LNumber(s[i-1]))
	}
	return max(last-first+1, 0)
}

func stringChar(L *lua.LState) int {
	b := make([]byte, L.GetTop())
	for i := range b {
		c := intArgument(L, i+1, "char")
		if c < 0 || c > 255 {
			argument(L, i+1, "char", "invalid value")
		}
		b[i] = byte(c)
	}
	L.Push(lua.LString(b))
	return 1
}

func stringLen(L *lua.LState) int {
	L.Push(lua.LNumber(len(stringArgument(L, 1, "len"))))
	return 1
}

// mapped pushes s with each byte changed; bytes beyond ASCII are left alone.
func mapped(L *lua.LState, s string, change func(byte) byte) int {
	spend(L, len(s)/64)
	b := []byte(s)
	for i, c := range b {
		b[i] = change(c)
	}
	L.Push(lua.LString(b))
	return 1
}

func stringLower(L *lua.LState) int { return mapped(L, stringArgument(L, 1, "lower"), lower) }

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

func stringUpper(L *lua.LState) int {
	return mapped(L, stringArgument(L, 1, "upper"), func(c byte) byte {
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		return c
	})
}

func stringRep(L *lua.LState) int {
	s, n := stringArgument(L, 1, "rep"), intArgument(L, 2, "rep")
	if n <= 0 || s == "" {
		L.Push(lua.LString(""))
		return 1
	}
	if n > maxString/len(s) {
		checkString(L, maxString+1)
	}
	spend(L, n*len(s)/64)
	L.Push(lua.LString(strings.Repeat(s, n)))
	return 1
}

func stringReverse(L *lua.LState) int {
	s := stringArgument(L, 1, "reverse")
	spend(L, len(s)/64)
	b := make([]byte, len(s))
	for i := range b {
		b[i] = s[len(s)-1-i]
	}
	L.Push(lua.LString(b))
	return 1
}

func stringSub(L *lua.LState) int {
	s := stringArgument(L, 1, "sub")
	first := max(relative(intArgument(L, 2, "sub"), len(s)), 1)
	last := min(relative(optionalInt(L, 3, "sub", -1), len(s)), len(s))
	if first > last {
		L.Push(lua.LString(""))
	} else {
		L.Push(lua.LString(s[first-1 : last]))
	}
	return 1
}

// concat is what `..` becomes. Operands are joined from the right.
func concat(L *lua.LState) int {
	n := L.GetTop()
	if s, ok := joined(L, 1, n); ok {
		L.Push(s)
		return 1
	}
	right := L.Get(n)
	for i := n - 1; i >= 1; i-- {
		left := L.Get(i)
		a, okA := textOf(left)
		b, okB := textOf(right)
		if okA && okB {
			checkString(L, len(a)+len(b))
			spend(L, (len(a)+len(b))/64)
			right = lua.LString(a + b)
			continue
		}
		right = concatMeta(L, left, right)
	}
	L.Push(right)
	return 1
}

// joined is the text of the arguments first to last when all are text.
func joined(L *lua.LState, first, last int) (lua.LString, bool) {
	var store [8]string
	parts, size := store[:0], 0
	for i := first; i <= last; i++ {
		s, ok := textOf(L.Get(i))
		if !ok {
			return "", false
		}
		parts, size = append(parts, s), size+len(s)
	}
	checkString(L, size)
	spend(L, size/64)
	return lua.LString(strings.Join(parts, "")), true
}

func concatMeta(L *lua.LState, left, right lua.LValue) lua.LValue {
	for _, v := range []lua.LValue{left, right} {
		if meta, ok := metatableOf(v); ok {
			if fn := meta.RawGetString("__concat"); fn != lua.LNil {
				return callTwo(L, fn, left, right)
			}
		}
	}
	bad := left
	if _, ok := textOf(left); ok {
		bad = right
	}
	fail(L, "attempt to concatenate a %s value", bad.Type())
	return nil
}

func callTwo(L *lua.LState, fn, a, b lua.LValue) lua.LValue {
	L.Push(fn)
	L.Push(a)
	L.Push(b)
	L.Call(2, 1)
	v := L.Get(-1)
	L.Pop(1)
	return v
}

// build is what a table constructor becomes that gopher-lua would compile
// wrongly: see rewriter.build.
func build(L *lua.LState) int {
	t := L.CheckTable(1)
	for i := 2; i <= L.GetTop(); i += 3 {
		if form, _ := L.Get(i).(lua.LString); form == "p" {
			L.RawSet(t, L.Get(i+1), L.Get(i+2))
			continue
		}
		offset := int(L.CheckNumber(i + 1))
		from := L.CheckTable(i + 2)
		for k, v := from.Next(lua.LNil); k != lua.LNil; k, v = from.Next(k) {
			at := k
			if n, ok := k.(lua.LNumber); ok {
				at = n + lua.LNumber(offset)
			}
			t.RawSet(at, v)
		}
	}
	L.Push(t)
	return 1
}
