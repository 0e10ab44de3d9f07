package sandbox

import "testing"

// TestMiscompiled holds one program for each shape that gopher-lua compiles
// wrongly by itself; what it must print is what PUC Lua 5.1 prints.
func TestMiscompiled(t *testing.T) {
	for name, c := range map[string]struct{ source, want string }{
		"logical value to a local":           {`local f, v = false, 4; v = (not f) and 5; print(v)`, "5\n"},
		"field of a failed check to a local": {`local r, val = {ok = false, value = 1}, 7; val = r.ok and r.value; print(val)`, "false\n"},
		"or keeps the first":                 {`local a, b = nil, 2; local v = 1; v = a or b; print(v)`, "2\n"},
		"swap":                               {`local a, b = 1, 2; a, b = b, a; print(a, b)`, "2\t1\n"},
		"swap of fields":                     {`local t = {1, 2}; t[1], t[2] = t[2], t[1]; print(t[1], t[2])`, "2\t1\n"},
		"index that is assigned too":         {`local i, t = 1, {}; i, t[i] = 2, "x"; print(i, t[1], t[2])`, "2\tx\tnil\n"},
		"table that is assigned too":         {`local t = {}; local old = t; t.a, t = 1, {}; print(old.a, t.a)`, "1\tnil\n"},
		"more targets than values":           {`local a, b, c = 1, 2, 3; a, b, c = (function() return 7, 8 end)(); print(a, b, c)`, "7\t8\tnil\n"},
		"call in parentheses to a parameter": {`local function f(p) local a, b = 1, 2; p = (print("x")); print(p, a, b) end f(0)`, "x\nnil\t1\t2\n"},
		"varargs to a parameter":             {`local function f(p, ...) local a, b = 1, 2; p = (...); print(p, a, b) end f(0, 9)`, "9\t1\t2\n"},
		"body that starts with break":        {`while true do break end repeat break until false for _ in pairs {1} do break end print "done"`, "done\n"},
		"body that starts with a dead branch": {`local n = 0; while n < 3 do if false then print "no" end n = n + 1 end
			for _ in ipairs {1, 2} do if nil then print "no" end n = n + 1 end
			repeat if not true then print "no" end n = n + 1 until n > 6 print(n)`, "7\n"},
		"body that starts with a constant operand": {`local r = 0
			repeat if ("a" == (false and "x" or "b")) then elseif not false then r = r + 1 end until r > 2 print(r)`, "3\n"},
		"body that starts with a folded constant": {`local r = 0
			for _, i in ipairs {5, 6, 7} do local a = ((1 / 2) - ((true or true) and 1e2 or i)) r = r + a end print(r)`, "-298.5\n"},
		"condition that is no condition": {`local n = 0; while not false do n = n + 1; if n > 2 then break end end while nil do end while false and n do end print(n)`, "3\n"},
		"function that shadows what it calls": {`local f = function() return "outer" end
			do local f = function() return f() .. "!" end print(f()) end`, "outer!\n"},
		"local function that calls itself": {`local function f(n) return n == 0 and "end" or f(n - 1) end print(f(3))`, "end\n"},
		"break out of a block with a captured local": {`local g
			for i = 1, 3 do do local v = i * 10; g = function() return v end; if i == 2 then break end end end
			local a, b, c, d, e, h, j = 1, 2, 3, 4, 5, 6, 7; print(g())`, "20\n"},
		"for with one function":                   {`local n = 0; for i in function() n = n + 1; if n < 3 then return n end end do print(i) end`, "1\n2\n"},
		"for with state from a call":              {`for i in function(s, c) if c < s then return c + 1 end end, (function() return 2, 0 end)() do print(i) end`, "1\n2\n"},
		"call as the fiftieth item before a name": {`local t = {1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40,41,42,43,44,45,46,47,48,49, select(1, 7, 8, 9), h = 5} print(#t, t[50], t[51], t.h)`, "50\t7\tnil\t5\n"},
		"constructor ending in a named call":      {`local function f() return 5, 6 end local t = {1, x = f()} print(#t, t[2], t.x)`, "1\tnil\t5\n"},
		"fifty items and a name":                  {fifty + `x = f(1)} print(t[1], t[50], t.x, #t)`, "1\t50\t1\t50\n"},
		"fifty items and a call":                  {fifty + `f(51, 52)} print(t[1], t[50], t[51], t[52])`, "1\t50\t51\t52\n"},
		"fifty items, computed keys, a call":      {fifty + `[60] = "k", 51, f(52)} print(t[1], t[50], t[51], t[52], t[60])`, "1\t50\t51\t52\tk\n"},
		"numbers":                                 {`print(0011, 08, 1e3, 0x10, 1e999 == math.huge, "0011" + 1, -"2", "0x10" * 2)`, "11\t8\t1000\t16\ttrue\t12\t-2\t32\n"},
		"constant before and":                     {`local v = 1 local function f() v = v + 1 return v end print((true and v) == f(), (nil or v) == f(), (v and v) == f())`, "true\ttrue\tfalse\n"},
		"constant before and a call":              {`local function f(...) return 1, 2 end print((true and f()), nil or f()) local t = {1 and f()} print(#t)`, "1\t1\n1\n"},
		"concatenation keeps its order": {`local log = {}
			local function v(x) log[#log + 1] = x return x end
			print(v "a" .. v "b" .. v "c", table.concat(log))`, "abc\tabc\n"},
		"result of a concatenation to a parameter": {`local function f(p) local a = 1; p = p .. "x"; print(p, a) end f "y"`, "yx\t1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := runLua(t, c.source)
			if err != nil || got != c.want {
				t.Errorf("printed %q (error %v), want %q", got, err, c.want)
			}
		})
	}
}

const fifty = `local function f(...) return ... end
local t = {1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40,41,42,43,44,45,46,47,48,49,50, `

// TestProtectedCalls is about locals that closures captured and that survive
// an error, which gopher-lua detaches.
func TestProtectedCalls(t *testing.T) {
	for name, c := range map[string]struct{ source, want string }{
		"pcall": {`local n = 0; local function inc() n = n + 1 end
			inc(); print(pcall(function() inc(); error("E") end)); n = n + 10; inc(); print(n)`, "false\tt.lua:2: E\n13\n"},
		"xpcall": {`local n = 0; local function inc() n = n + 1 return n end
			print(xpcall(function() inc(); error({}) end, function(e) inc() return type(e) end)); n = n + 10; print(inc(), n)`, "false\ttable\n13\t13\n"},
		"captured inside, used after": {`local get; pcall(function() local v = 1; get = function() v = v + 1 return v end; error "E" end) print(get(), get())`, "2\t3\n"},
		"values go through unchanged": {`local e = {}; local ok, got = pcall(error, e); print(ok, got == e, select("#", pcall(function() return 1, nil, nil end)))`, "false\ttrue\t4\n"},
		"levels":                      {"local function f()\n error('E', 2)\nend\nlocal function g()\n f()\nend\nprint(pcall(g))", "false\tt.lua:5: E\n"},
		"no value":                    {`print(pcall(error))`, "false\tnil\n"},
		"nested":                      {`print(pcall(pcall, error, "E"))`, "true\tfalse\tE\n"},
		"failing handler":             {`print(xpcall(error, function() error "again" end))`, "false\terror in error handling\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := runLua(t, c.source)
			if err != nil || got != c.want {
				t.Errorf("printed %q (error %v), want %q", got, err, c.want)
			}
		})
	}
}
