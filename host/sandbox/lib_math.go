package sandbox

import (
	"math"
	"math/rand/v2"

	lua "github.com/yuin/gopher-lua"
)

// openMath declares math. Its numbers of chance come from the VM's generator,
// which the host seeds: the same run draws the same numbers.
func (vm *VM) openMath() {
	one := map[string]func(float64) float64{
		"abs": math.Abs, "acos": math.Acos, "asin": math.Asin, "atan": math.Atan, "ceil": math.Ceil, "cos": math.Cos,
		"cosh": math.Cosh, "exp": math.Exp, "floor": math.Floor, "log": math.Log, "log10": math.Log10, "sin": math.Sin,
		"sinh": math.Sinh, "sqrt": math.Sqrt, "tan": math.Tan, "tanh": math.Tanh,
		"deg": func(x float64) float64 { return x / (math.Pi / 180) },
		"rad": func(x float64) float64 { return x * (math.Pi / 180) },
	}
	two := map[string]func(float64, float64) float64{
		"atan2": math.Atan2, "fmod": math.Mod, "pow": math.Pow,
		"ldexp": func(x, e float64) float64 { return math.Ldexp(x, max(min(toInt(e), 5000), -5000)) },
	}
	functions := map[string]lua.LGFunction{"frexp": mathFrexp, "max": mathMax, "min": mathMin, "modf": mathModf,
		"random": vm.mathRandom, "randomseed": vm.mathSeed}
	for name, fn := range one {
		functions[name] = func(L *lua.LState) int {
			L.Push(lua.LNumber(fn(numberArgument(L, 1, name))))
			return 1
		}
	}
	for name, fn := range two {
		functions[name] = func(L *lua.LState) int {
			L.Push(lua.LNumber(fn(numberArgument(L, 1, name), numberArgument(L, 2, name))))
			return 1
		}
	}
	t := vm.root.NewTable()
	vm.register(t, functions)
	t.RawSetString("pi", lua.LNumber(math.Pi))
	t.RawSetString("huge", lua.LNumber(math.Inf(1)))
	vm.library("math", t)
}

func mathFrexp(L *lua.LState) int {
	frac, exp := math.Frexp(numberArgument(L, 1, "frexp"))
	L.Push(lua.LNumber(frac))
	L.Push(lua.LNumber(exp))
	return 2
}

func mathModf(L *lua.LState) int {
	x := numberArgument(L, 1, "modf")
	whole, frac := math.Modf(x)
	if math.IsInf(x, 0) {
		whole, frac = x, 0
	}
	L.Push(lua.LNumber(whole))
	L.Push(lua.LNumber(frac))
	return 2
}

func mathMax(L *lua.LState) int {
	best := numberArgument(L, 1, "max")
	for i := 2; i <= L.GetTop(); i++ {
		if x := numberArgument(L, i, "max"); x > best {
			best = x
		}
	}
	L.Push(lua.LNumber(best))
	return 1
}

func mathMin(L *lua.LState) int {
	best := numberArgument(L, 1, "min")
	for i := 2; i <= L.GetTop(); i++ {
		if x := numberArgument(L, i, "min"); x < best {
			best = x
		}
	}
	L.Push(lua.LNumber(best))
	return 1
}

// mathRandom follows Lua 5.1: no argument gives [0,1), one gives 1..m, two m..n.
func (vm *VM) mathRandom(L *lua.LState) int {
	x := vm.chance(L).Float64()
	low, high := 1.0, 0.0
	switch L.GetTop() {
	case 0:
		L.Push(lua.LNumber(x))
		return 1
	case 1:
		high = math.Floor(numberArgument(L, 1, "random"))
	case 2:
		low, high = math.Floor(numberArgument(L, 1, "random")), math.Floor(numberArgument(L, 2, "random"))
	default:
		fail(L, "wrong number of arguments to 'random'")
	}
	if !(low <= high) {
		argument(L, L.GetTop(), "random", "interval is empty")
	}
	L.Push(lua.LNumber(math.Floor(x*(high-low+1)) + low))
	return 1
}

// mathSeed seeds the generator of this step or branch only.
func (vm *VM) mathSeed(L *lua.LState) int {
	seed := math.Float64bits(numberArgument(L, 1, "randomseed"))
	*vm.chance(L) = *rand.New(rand.NewPCG(seed, seed))
	return 0
}
