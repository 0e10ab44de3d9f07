package sandbox

import (
	"math"

	lua "github.com/yuin/gopher-lua"
)

// stringArithmetic is what makes "10" + 1 eleven. gopher-lua would do it too,
// but reads "0011" as octal.
func stringArithmetic() map[string]lua.LGFunction {
	operators := map[string]func(a, b float64) float64{
		"__add": func(a, b float64) float64 { return a + b },
		"__sub": func(a, b float64) float64 { return a - b },
		"__mul": func(a, b float64) float64 { return a * b },
		"__div": func(a, b float64) float64 { return a / b },
		"__mod": modulo,
		"__pow": math.Pow,
	}
	functions := map[string]lua.LGFunction{}
	for event, op := range operators {
		functions[event] = func(L *lua.LState) int {
			left, right := L.Get(1), L.Get(2)
			a, okA := numberOf(left)
			b, okB := numberOf(right)
			if okA && okB {
				L.Push(lua.LNumber(op(a, b)))
				return 1
			}
			for _, v := range []lua.LValue{left, right} {
				if meta, ok := metatableOf(v); ok {
					if fn := meta.RawGetString(event); fn != lua.LNil {
						L.Push(callTwo(L, fn, left, right))
						return 1
					}
				}
			}
			bad := left
			if okA {
				bad = right
			}
			fail(L, "attempt to perform arithmetic on a %s value", bad.Type())
			return 0
		}
	}
	functions["__unm"] = func(L *lua.LState) int {
		a, ok := numberOf(L.Get(1))
		if !ok {
			fail(L, "attempt to perform arithmetic on a %s value", L.Get(1).Type())
		}
		L.Push(lua.LNumber(-a))
		return 1
	}
	return functions
}

// modulo is Lua's %: the result has the sign of b.
func modulo(a, b float64) float64 {
	m := math.Mod(a, b)
	if b > 0 && m < 0 || b < 0 && m > 0 {
		m += b
	}
	return m
}
