package sandbox

import (
	"bytes"
	"fmt"
	"runtime/debug"

	lua "github.com/yuin/gopher-lua"
)

// Uncatchable is what the value of an error userdata implements when no pcall
// may catch it: a denial, a divergence, a stop.
type Uncatchable interface{ Uncatchable() error }

// fatalValue carries an error of the VM itself through a script.
type fatalValue struct{ err error }

func (v fatalValue) Uncatchable() error { return v.err }

// InternalError is a Go panic under a script: a fault of drhost, not of the
// runbook.
type InternalError struct {
	Panic any
	Stack []byte
}

func (e *InternalError) Error() string {
	return fmt.Sprintf("internal fault while the script ran: %v", e.Panic)
}

// ScriptError is an error that left a script.
type ScriptError struct {
	Value     lua.LValue // what was raised
	Where     string     // "file:line" of the innermost Lua function, "" when unknown
	Traceback []string   // innermost first, at most maxTrace entries, pcalls included
	Err       error      // the Go error when it is uncatchable, else nil
}

func (e *ScriptError) Error() string {
	switch v := e.Value.(type) {
	case lua.LString:
		return string(v)
	case lua.LNumber:
		return formatNumber(float64(v))
	}
	if e.Err != nil {
		if e.Where != "" {
			return e.Where + ": " + e.Err.Error()
		}
		return e.Err.Error()
	}
	return fmt.Sprintf("%s: a %s was raised", e.Where, e.Value.Type())
}

func (e *ScriptError) Unwrap() error { return e.Err }

// carried takes a ScriptError from a thread to the one below it.
type carried struct{ script *ScriptError }

func (c carried) Error() string { return c.script.Error() }

// raise is every thread's L.Panic: the error value is on top of the stack.
// gopher-lua's own would build a traceback that can be gigabytes long.
func raise(L *lua.LState) {
	value := L.Get(-1)
	if s, ok := value.(lua.LString); ok {
		value = lua.LString(explain(L, string(s)))
	}
	panic(&lua.ApiError{Type: lua.ApiErrorRun, Object: value})
}

// raiseValue raises value as it is.
func raiseValue(L *lua.LState, value lua.LValue) {
	panic(&lua.ApiError{Type: lua.ApiErrorRun, Object: value})
}

// raiseFatal raises what no pcall catches.
func raiseFatal(L *lua.LState, err error) {
	ud := L.NewUserData()
	ud.Value = fatalValue{err}
	raiseValue(L, ud)
}

// Call calls fn on behalf of the host. Whatever goes wrong in the script, in
// the VM or in a Go function under it comes back as a *ScriptError.
func (vm *VM) Call(L *lua.LState, fn lua.LValue, args ...lua.LValue) ([]lua.LValue, error) {
	vm.meter.enter()
	defer vm.meter.leave()
	results, script := vm.protect(L, fn, args)
	if script != nil {
		return nil, script
	}
	return results, nil
}

// protect calls fn on a thread of its own, or on L when nothing runs there.
// A thread of its own, because gopher-lua closes the captured locals of all
// frames of a thread when an error is raised, also of those that survive.
func (vm *VM) protect(L *lua.LState, fn lua.LValue, args []lua.LValue) (results []lua.LValue, script *ScriptError) {
	f := L.Context().(*fiber)
	if f.depth >= protectedDepth {
		return nil, &ScriptError{Value: lua.LString(position(L, 1) + "stack overflow (too many nested pcalls)")}
	}
	th, borrowed := L, false
	if _, busy := L.GetStack(0); busy {
		th, borrowed = vm.borrow(f), true
	}
	f.depth++
	f.calls = append(f.calls, th)
	finished := false
	defer func() {
		f.depth--
		if !finished {
			results, script = nil, caught(f, th, recover())
		}
		f.calls = f.calls[:len(f.calls)-1]
	}()
	th.Push(fn)
	for _, a := range args {
		th.Push(a)
	}
	th.Call(len(args), lua.MultRet)
	finished = true
	results = make([]lua.LValue, th.GetTop())
	for i := range results {
		results[i] = th.Get(i + 1)
	}
	if borrowed {
		vm.giveBack(th)
	} else {
		th.SetTop(0)
	}
	return results, nil
}

// overflowing is on the stack of a thread that has run out of room for values.
// gopher-lua itself panics over the message when a tail call has just begun.
var overflowing = []byte("gopher-lua.(*LState).registryOverflow")

// caught makes a ScriptError of what was recovered on th.
func caught(f *fiber, th *lua.LState, rcv any) *ScriptError {
	api, ok := rcv.(*lua.ApiError)
	if !ok {
		api = &lua.ApiError{Object: ofPanic(th, rcv, debug.Stack())}
	}
	if c, ok := api.Cause.(carried); ok {
		return c.script
	}
	s := &ScriptError{Value: api.Object, Traceback: traceback(th)}
	if file, line := where(th, 1); line > 0 {
		s.Where = fmt.Sprintf("%s:%d", file, line)
	}
	if ud, ok := api.Object.(*lua.LUserData); ok {
		if u, ok := ud.Value.(Uncatchable); ok {
			s.Err = u.Uncatchable()
		}
	}
	if s.Err == nil {
		if err := f.Err(); err != nil { // the message of a dead context is not the script's to catch
			ud := th.NewUserData()
			ud.Value = fatalValue{err}
			s.Value, s.Err = ud, err
		}
	}
	return s
}

// ofPanic is the error value of a Go panic under a script.
func ofPanic(th *lua.LState, rcv any, stack []byte) lua.LValue {
	if bytes.Contains(stack, overflowing) {
		file, line := where(th, 1)
		return lua.LString(fmt.Sprintf("%s:%d: registry overflow", file, line))
	}
	ud := th.NewUserData()
	ud.Value = fatalValue{&InternalError{Panic: rcv, Stack: stack}}
	return ud
}

// pcall is the Lua function.
func (vm *VM) pcall(L *lua.LState) int {
	if L.GetTop() == 0 {
		argument(L, 1, "pcall", "value expected")
	}
	results, script := vm.protect(L, L.Get(1), arguments(L, 2))
	if script == nil {
		return push(L, lua.LTrue, results)
	}
	rethrow(L, script)
	return push(L, lua.LFalse, []lua.LValue{script.Value})
}

// xpcall is the Lua function. The handler is called with the error value after
// the stack is gone: there is no debug library that could look at it.
func (vm *VM) xpcall(L *lua.LState) int {
	if L.GetTop() < 2 {
		argument(L, 2, "xpcall", "value expected")
	}
	results, script := vm.protect(L, L.Get(1), nil)
	if script == nil {
		return push(L, lua.LTrue, results)
	}
	rethrow(L, script)
	results, failed := vm.protect(L, L.Get(2), []lua.LValue{script.Value})
	if failed != nil {
		rethrow(L, failed)
		return push(L, lua.LFalse, []lua.LValue{lua.LString("error in error handling")})
	}
	if len(results) == 0 {
		results = []lua.LValue{lua.LNil}
	}
	return push(L, lua.LFalse, results[:1])
}

// rethrow lets an uncatchable error go on its way; others return.
func rethrow(L *lua.LState, script *ScriptError) {
	if script.Err != nil {
		panic(&lua.ApiError{Type: lua.ApiErrorRun, Object: script.Value, Cause: carried{script}})
	}
}

// arguments are the arguments of the running Go function from number first on.
func arguments(L *lua.LState, first int) []lua.LValue {
	var args []lua.LValue
	for i := first; i <= L.GetTop(); i++ {
		args = append(args, L.Get(i))
	}
	return args
}

func push(L *lua.LState, first lua.LValue, rest []lua.LValue) int {
	L.Push(first)
	for _, v := range rest {
		L.Push(v)
	}
	return len(rest) + 1
}
