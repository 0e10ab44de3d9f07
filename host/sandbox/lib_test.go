package sandbox

import (
	"context"
	"errors"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

// TestAbsent is about what would let a script out, or would hang it.
func TestAbsent(t *testing.T) {
	for _, name := range []string{"collectgarbage", "dofile", "load", "loadfile", "loadstring", "module", "newproxy", "_printregs",
		"getfenv", "setfenv", "_G", "package", "io", "os", "debug", "channel", "coroutine", "string.dump", "string.gfind", "require"} {
		_, err := runLua(t, "local x = "+name)
		want := "t.lua:1: global '" + name + "' is not declared"
		if strings.HasPrefix(name, "string.") {
			want = "t.lua:1: there is no " + name
		}
		if err == nil || err.Error() != want {
			t.Errorf("%s: error %v, want %s", name, err, want)
		}
	}
}

func TestFrozen(t *testing.T) {
	for source, want := range map[string]string{
		`string.rep = nil`:                                          "t.lua:1: string cannot be changed",
		`rawset(string, "rep", 1)`:                                  "t.lua:1: this table cannot be changed",
		`table.insert(string, 1)`:                                   "t.lua:1: this table cannot be changed",
		`table.sort(math)`:                                          "t.lua:1: this table cannot be changed",
		`table.remove(math)`:                                        "t.lua:1: this table cannot be changed",
		`setmetatable(string, {})`:                                  "t.lua:1: cannot change a protected metatable",
		`setmetatable("", {})`:                                      "t.lua:1: bad argument #1 to 'setmetatable' (table expected, got string)",
		`getmetatable("").__index = nil`:                            "t.lua:1: attempt to index a string value (key '__index')",
		`local _, t = pairs(string) t.rep = nil`:                    "t.lua:1: string cannot be changed",
		`print(("x").nothing.y)`:                                    "t.lua:1: attempt to index a nil value (key 'y')",
		`print(math.flor(1))`:                                       "t.lua:1: there is no math.flor",
		`local s = "x" s.y = 1`:                                     "t.lua:1: attempt to index a string value (key 'y')",
		`string.format("%s", setmetatable({}, {__index = string}))`: "t.lua:1: bad argument #2 to 'format' (string expected, got table)",
	} {
		if _, err := runLua(t, source); err == nil || err.Error() != want {
			t.Errorf("%s\n error %v\n want  %s", source, err, want)
		}
	}
	got, err := runLua(t, `local n = 0 for k, v in pairs(string) do n = n + 1 end print(n, next(math) ~= nil, rawget(string, "rep") == string.rep, #string, getmetatable(string))`)
	if want := "13\ttrue\ttrue\t0\tlocked\n"; err != nil || got != want {
		t.Errorf("printed %q (error %v), want %q", got, err, want)
	}
}

func TestLibraries(t *testing.T) {
	for source, want := range map[string]string{
		`print(1/3, 100, 1e15, 2^53, -1.5, 1/0, -1/0, 1e100, 123456789012)`:                                                                                "0.33333333333333\t100\t1e+15\t9.007199254741e+15\t-1.5\tinf\t-inf\t1e+100\t123456789012\n",
		`print(tostring({}), tostring(print), tostring(nil), tostring(true))`:                                                                              "table\tfunction\tnil\ttrue\n",
		`print(tonumber("0x1F"), tonumber(" 1e2 "), tonumber("1_0"), tonumber("nan"), tonumber("z", 36), tonumber("8", 8), tonumber(""))`:                  "31\t100\tnil\tnil\t35\tnil\tnil\n",
		`print(select("#", nil, nil), select(-1, 1, 2), select(2, "a", "b"))`:                                                                              "2\t2\tb\n",
		`print(("x"):rep(3), ("abc"):sub(-2), ("abc"):byte(1, -1))`:                                                                                        "xxx\tbc\t97\t98\t99\n",
		`print(string.find("hello world", "o w")) print(string.find("a.b", ".", 1, true)) print(string.find("abc", "(b)(c)"))`:                             "5\t7\n2\t2\n2\t3\tb\tc\n",
		`print(string.gsub("hello", "l", {l = "L"})) print(string.gsub("THE (quick) fox", "%f[%a]%a+", "w")) print(string.gsub("abc", "", "-"))`:           "heLLo\t2\nw (w) w\t3\n-a-b-c-\t4\n",
		`print(string.format("%5.1f|%-4d|%04x|%q|%s|%c|%g|%e", 3.14159, 7, 255, "a\nb", "s", 65, 1e20, 1))`:                                                "  3.1|7   |00ff|\"a\\\nb\"|s|A|1e+20|1.000000e+00\n",
		`print(string.format("%3s|%-3s|%.2s|%%|%i|%u|%o|%+d", "é", "a", "abc", "7", 7, 8, 3))`:                                                             " é|a  |ab|%|7|7|10|+3\n",
		`for k, v in string.gmatch("a=1, b=2", "(%w+)=(%w+)") do print(k, v) end`:                                                                          "a\t1\nb\t2\n",
		`local t = {3, 1, 2} table.sort(t, function(a, b) return a > b end) print(table.concat(t, ","), table.remove(t), table.remove(t, 1), #t)`:          "3,2,1\t1\t3\t1\n",
		`local t = {{1, "a"}, {0, "b"}, {1, "c"}, {0, "d"}} table.sort(t, function(a, b) return a[1] < b[1] end) for _, x in ipairs(t) do print(x[2]) end`: "b\nd\na\nc\n",
		`local t = {"a", "b"} table.insert(t, 2, "c") print(table.concat(t), table.maxn({1, [7] = 2}), unpack({1, nil, 3}, 1, 3))`:                         "acb\t7\t1\tnil\t3\n",
		`print(math.huge, -math.huge, math.floor(-1.5), math.max(1, 5, 3), math.fmod(-7, 3), -7 % 3, math.modf(3.5))`:                                      "inf\t-inf\t-2\t5\t-1\t2\t3\t0.5\n",
		`local t = {} t.z = 1 t.a = 2 t[1] = 3 t.m = 4 t.a = nil t.a = 5 for k in pairs(t) do print(k) end`:                                                "1\nz\na\nm\n",
		`print(rawequal("a", "a"), type(nil), next({}), rawget({5}, 1), pcall(type))`:                                                                      "true\tnil\tnil\t5\tfalse\tbad argument #1 to 'type' (value expected)\n",
		`print(setmetatable({}, {__tostring = function() return "me" end}), getmetatable(setmetatable({}, {__metatable = "no"})))`:                         "me\tno\n",
		`local e = {} print(select(2, pcall(assert, nil, e)) == e, assert(1, 2), pcall(assert, false, "m"))`:                                               "true\t1\tfalse\tm\n",
	} {
		if got, err := runLua(t, source); err != nil || got != want {
			t.Errorf("%s\n printed %q (error %v)\n want    %q", source, got, err, want)
		}
	}
}

func TestMessages(t *testing.T) {
	for source, want := range map[string]string{
		"local t = {}\nt.x()":                 "t.lua:2: attempt to call 'x' (it is not a function)",
		"local t = {}\nt:go()":                "t.lua:2: attempt to call 'go' (it is not a function)",
		"local s = nil\nprint(s.name)":        "t.lua:2: attempt to index a nil value (key 'name')",
		"local a = {}\nlocal b = a + 1":       "t.lua:2: attempt to perform arithmetic on a table value",
		"local a\nlocal b = 'x' .. a":         "t.lua:2: attempt to concatenate a nil value",
		"local a = 'x' * 2":                   "t.lua:1: attempt to perform arithmetic on a string value",
		"local a = -{}":                       "t.lua:1: attempt to perform arithmetic on a value that is no number",
		"local a = #5":                        "t.lua:1: attempt to get the length of a value that has none",
		"print(1 < 'x')":                      "t.lua:1: attempt to compare number with string",
		"local t = {}\nt[nil] = 1":            "t.lua:2: table index is nil",
		"\nprint(undeclared)":                 "t.lua:2: global 'undeclared' is not declared",
		"local x = ('x'):rep({})":             "t.lua:1: bad argument #2 to 'rep' (number expected, got table)",
		"error('plain', 0)":                   "plain",
		"error({})":                           "t.lua:1: a table was raised",
		"local s = {\n a = 1,\n b = ('x')()}": "t.lua:3: attempt to call a value that is not a function",
	} {
		_, err := runLua(t, source)
		if err == nil || err.Error() != want {
			t.Errorf("%q\n error %v\n want  %s", source, err, want)
		}
	}
}

func TestTraceback(t *testing.T) {
	_, err := runLua(t, "local function inner()\n error('E')\nend\nlocal function outer()\n inner()\nend\npcall(outer)\nouter()")
	var script *ScriptError
	if !errors.As(err, &script) {
		t.Fatal(err)
	}
	if got, want := strings.Join(script.Traceback, "; "), "t.lua:2 in inner; t.lua:5 in outer; t.lua:8"; got != want || script.Where != "t.lua:2" {
		t.Errorf("where %s, traceback %s, want %s", script.Where, got, want)
	}
}

func TestWhere(t *testing.T) {
	vm := newVM(Limits{})
	var got []int
	vm.SetWord("here", func(L *lua.LState) int {
		for level := range 3 {
			_, line := where(L, level+1)
			got = append(got, line)
		}
		return 0
	})
	proto, err := Compile("t.lua", []byte("local function f()\n pcall(here)\n here()\nend\nf()"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := vm.Call(vm.NewThread(context.Background()), vm.Function(proto)); err != nil {
		t.Fatal(err)
	}
	want := []int{2, 5, 0, 3, 5, 0}
	for i := range want {
		if len(got) != len(want) || got[i] != want[i] {
			t.Fatalf("lines %v, want %v", got, want)
		}
	}
}

func TestChanceIsSeeded(t *testing.T) {
	draw := func(seed uint64) string {
		vm := newVM(Limits{})
		vm.Seed(seed)
		got, err := vm.Call(vm.NewThread(context.Background()), mustCompile(t, vm, `local r = {} for i = 1, 20 do r[i] = math.random(1000) end return table.concat(r, " ")`))
		if err != nil {
			t.Fatal(err)
		}
		return got[0].String()
	}
	if draw(1) != draw(1) || draw(1) == draw(2) {
		t.Error("the seed does not decide")
	}
	got, err := runLua(t, `for i = 1, 1000 do local a, b, c = math.random(), math.random(3), math.random(-2, 2)
		assert(a >= 0 and a < 1 and b >= 1 and b <= 3 and c >= -2 and c <= 2 and b % 1 == 0) end print(pcall(math.random, 0))`)
	if want := "false\tbad argument #1 to 'random' (interval is empty)\n"; err != nil || got != want {
		t.Errorf("printed %q, error %v", got, err)
	}
}
