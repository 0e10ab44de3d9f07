package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"

	"github.com/webhost-systems/drhost/host/words"
)

// TestCatchableLimits are refusals that a script may catch.
func TestCatchableLimits(t *testing.T) {
	for name, c := range map[string]struct{ source, want string }{
		"rep":              {`string.rep("x", 1e9)`, "longer than 8 MiB"},
		"rep of much":      {`string.rep(string.rep("x", 1e6), 9)`, "longer than 8 MiB"},
		"doubling":         {`local s = "x" for i = 1, 40 do s = s .. s end`, "longer than 8 MiB"},
		"many operands":    {`local s = string.rep("x", 1e6) local r = s..s..s..s..s..s..s..s..s..s`, "longer than 8 MiB"},
		"table.concat":     {`local s, t = string.rep("x", 1e6), {} for i = 1, 10 do t[i] = s end return table.concat(t)`, "longer than 8 MiB"},
		"gsub":             {`string.gsub(string.rep("x", 1e5), "x", string.rep("y", 1000))`, "longer than 8 MiB"},
		"format width":     {`string.format("%999d", 1)`, "width or precision too long"},
		"format of Go":     {`string.format("%[1]s", 1)`, "invalid option '%[' to 'format'"},
		"format verb":      {`string.format("%p", {})`, "invalid option '%p' to 'format'"},
		"unpack":           {`unpack({}, 1, 1e6)`, "too many results"},
		"byte":             {`string.byte(string.rep("x", 1e5), 1, -1)`, "too long"},
		"nested pcalls":    {`local function f() return select(2, pcall(f)) end error(f(), 0)`, "stack overflow"},
		"tail calls":       {`local function f(...) return f(1, 2, 3, ...) end return f()`, "t.lua:1: registry overflow"},
		"recursion":        {`local function f() return 1 + f() end f()`, "stack overflow"},
		"metamethods":      {`local t = {} setmetatable(t, {__index = function(t, k) return t[k .. "x"] end}) return t.x`, "stack overflow"},
		"pattern length":   {`string.find("x", string.rep("a.", 3000))`, "longer than 4096 bytes"},
		"pattern depth":    {`string.find(string.rep("a", 300), string.rep("a?", 300) .. "b")`, "pattern too complex"},
		"costly pattern":   {`string.find(string.rep("a", 3000), string.rep("a*", 20) .. "b")`, "too costly"},
		"parentheses":      {`string.find("x", string.rep("(", 100))`, "too many captures"},
		"numeric overflow": {`table.insert({}, -5, 1)`, "position out of bounds"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := runLua(t, "print(pcall(function() "+c.source+" end))")
			if err != nil || !strings.HasPrefix(out, "false\t") || !strings.Contains(out, c.want) {
				t.Errorf("printed %.200q (error %v), want it to fail with %q", out, err, c.want)
			}
		})
	}
}

// TestUncatchableLimits are programs that no pcall keeps alive.
func TestUncatchableLimits(t *testing.T) {
	for name, source := range map[string]string{
		"endless loop":       `while true do end`,
		"endless loop again": `while true do pcall(function() while true do end end) end`,
		"endless tail call":  `local function f() return f() end f()`,
		"endless repeat":     `repeat until false`,
		"endless iterator":   `for _ in function() return 1 end do end`,
		"slow sort":          `local t = {} for i = 1, 5000 do t[i] = -i end while true do table.sort(t) end`,
		"slow patterns":      `while true do string.find(string.rep("a", 500), "a*a*a*b") end`,
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			err := RunPlain(context.Background(), Limits{Instructions: 300_000}, "t.lua", []byte("pcall(function() "+source+" end) print 'alive'"), &out)
			var limit *LimitError
			if !errors.As(err, &limit) || out.Len() > 0 {
				t.Fatalf("error %v, printed %q; want a LimitError", err, out.String())
			}
			var script *ScriptError
			if !errors.As(err, &script) || script.Where != "t.lua:1" || len(script.Traceback) > maxTrace {
				t.Errorf("where %q, %d lines of traceback", script.Where, len(script.Traceback))
			}
		})
	}
}

func TestMemoryEndsAScript(t *testing.T) {
	var out bytes.Buffer
	source := `pcall(function() local t = {} for i = 1, 1e7 do t[i % 500000 + 1] = string.rep("x", 1000) .. i end end) print "alive"`
	err := RunPlain(context.Background(), Limits{Heap: 64 << 20, CPU: time.Minute}, "t.lua", []byte(source), &out)
	if err == nil || !strings.Contains(err.Error(), "memory runs out") || out.Len() > 0 {
		t.Errorf("error %v, printed %q", err, out.String())
	}
}

func TestCancellation(t *testing.T) {
	cause := context.Canceled
	ctx, cancel := context.WithCancel(context.Background())
	vm := newVM(Limits{})
	vm.SetWord("cancel", func(*lua.LState) int { cancel(); return 0 })
	proto, err := Compile("t.lua", []byte("pcall(function()\n cancel()\n while true do end\nend)"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = vm.Call(vm.NewThread(ctx), vm.Function(proto))
	var script *ScriptError
	if !errors.As(err, &script) || !errors.Is(err, cause) || script.Where != "t.lua:3" {
		t.Errorf("error %#v", err)
	}
	if _, err := vm.Call(vm.NewThread(context.Background()), mustCompile(t, vm, `return 1`)); err != nil {
		t.Errorf("another branch cannot go on: %v", err)
	}
}

func mustCompile(t *testing.T, vm *VM, source string) *lua.LFunction {
	t.Helper()
	proto, err := Compile("t.lua", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	return vm.Function(proto)
}

func TestRefill(t *testing.T) {
	vm := newVM(Limits{Instructions: 10_000})
	vm.SetWord("refill", func(*lua.LState) int { vm.Refill(); return 0 })
	L := func() *lua.LState { return vm.NewThread(context.Background()) }
	work := `for i = 1, 10 do for j = 1, 500 do end %s end`
	if _, err := vm.Call(L(), mustCompile(t, vm, fmt.Sprintf(work, "refill()"))); err != nil {
		t.Errorf("with refills: %v", err)
	}
	vm.Refill()
	if _, err := vm.Call(L(), mustCompile(t, vm, fmt.Sprintf(work, "")+strings.Repeat(" for j = 1, 5000 do end", 3))); err == nil {
		t.Error("no error without refills")
	}
	if _, err := vm.Call(L(), mustCompile(t, vm, `return 1`)); err == nil {
		t.Error("a spent script went on")
	}
	vm.Refill()
	if _, err := vm.Call(L(), mustCompile(t, vm, `return 1`)); err != nil {
		t.Errorf("after a refill: %v", err)
	}
}

// stop is an error of the host that no script may catch.
type stop struct{ error }

func (s stop) Uncatchable() error { return s.error }

func TestUncatchableErrors(t *testing.T) {
	vm := newVM(Limits{})
	denied := errors.New("denied")
	vm.SetWord("deny", func(L *lua.LState) int {
		ud := L.NewUserData()
		ud.Value = stop{denied}
		L.Error(ud, 0)
		return 0
	})
	vm.SetWord("crash", func(*lua.LState) int { var m map[string]int; m["x"]++; return 0 })
	for source, want := range map[string]string{
		"local x = 1\npcall(function()\n xpcall(deny, tostring)\nend)": "t.lua:3: denied",
		"pcall(table.sort, {3, 2, 1}, deny)":                           "denied",
		"pcall(string.gsub, 'x', 'x', deny)":                           "denied",
		"pcall(crash)":                                                 "internal fault while the script ran: assignment to entry in nil map",
		"xpcall(error, deny)":                                          "denied",
	} {
		_, err := vm.Call(vm.NewThread(context.Background()), mustCompile(t, vm, source))
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", source, err, want)
		}
	}
	_, err := vm.Call(vm.NewThread(context.Background()), mustCompile(t, vm, `pcall(deny)`))
	if !errors.Is(err, denied) {
		t.Errorf("error %v is not the host's", err)
	}
}

// TestBranches runs branches that hand over a baton, as the engine does, with
// errors and captured locals in each.
func TestBranches(t *testing.T) {
	vm := newVM(Limits{})
	var baton sync.Mutex
	vm.SetWord("gate", func(*lua.LState) int {
		baton.Unlock()
		time.Sleep(time.Microsecond)
		baton.Lock()
		return 0
	})
	baton.Lock()
	fn := mustCompile(t, vm, `local n = ...
		local sum = 0
		local function add(x) sum = sum + x end
		for i = 1, 50 do
			local ok, e = pcall(function() add(n) gate() if i % 2 == 0 then error { i = i } end gate() end)
			if not ok then add(-n) end
		end
		return sum`)
	baton.Unlock()
	var wg sync.WaitGroup
	for n := 1; n <= 4; n++ {
		wg.Go(func() {
			baton.Lock()
			defer baton.Unlock()
			got, err := vm.Call(vm.NewThread(context.Background()), fn, lua.LNumber(n))
			if err != nil || len(got) != 1 || got[0] != lua.LNumber(25*n) {
				t.Errorf("branch %d: %v, %v", n, got, err)
			}
		})
	}
	wg.Wait()
}

// TestShortCallsGiveAPart: what a call gives back grows with how long it took.
func TestShortCallsGiveAPart(t *testing.T) {
	vm := newVM(Limits{Instructions: 1_000_000})
	for _, c := range []struct {
		took time.Duration
		left int64
	}{{time.Microsecond, 1000}, {words.FullWait / 10, 101_000}, {words.FullWait, 1_000_000}, {time.Hour, 1_000_000}} {
		vm.meter.left = 1000
		if vm.meter.waited(c.took); vm.meter.left != c.left {
			t.Errorf("a call of %v leaves %d instructions, not %d", c.took, vm.meter.left, c.left)
		}
	}
	vm.meter.left = 999_999
	if vm.meter.waited(words.FullWait / 2); vm.meter.left != 1_000_000 {
		t.Errorf("%d instructions are more than an allowance", vm.meter.left)
	}
}
