package sandbox

import (
	"fmt"
	"reflect"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

const maxTrace = 20

// frame is one call on a thread. gopher-lua keeps its own frames to itself,
// and its accessors count each of a million tail calls, so they are read here.
type frame struct{ v reflect.Value }

// Where the parts of a frame lie. Every call asks, and looking a field up by
// its name each time would cost more than reading it.
var (
	frameField    = index(reflect.TypeFor[lua.Debug](), "frame")
	callFrame     = reflect.TypeFor[lua.Debug]().Field(frameField).Type.Elem()
	parentField   = index(callFrame, "Parent")
	fnField       = index(callFrame, "Fn")
	pcField       = index(callFrame, "Pc")
	tailCallField = index(callFrame, "TailCall")
	protoField    = index(reflect.TypeFor[lua.LFunction](), "Proto")
)

// index panics when a version of gopher-lua has other names.
func index(t reflect.Type, name string) int {
	f, ok := t.FieldByName(name)
	if !ok || len(f.Index) != 1 {
		panic(fmt.Sprintf("sandbox: %s of gopher-lua has no field %s", t, name))
	}
	return f.Index[0]
}

// topFrame is the running call of L; ok is false when nothing runs.
func topFrame(L *lua.LState) (frame, bool) {
	dbg, ok := L.GetStack(0)
	if !ok {
		return frame{}, false
	}
	v := reflect.ValueOf(dbg).Elem().Field(frameField)
	return frame{v}, !v.IsNil()
}

func (f frame) caller() (frame, bool) {
	v := f.v.Elem().Field(parentField)
	return frame{v}, !v.IsNil()
}

func (f frame) tailCalls() int { return int(f.v.Elem().Field(tailCallField).Int()) }

// fn reads the exported parts of the frame's function.
func (f frame) proto() (*lua.FunctionProto, bool) {
	fn := f.v.Elem().Field(fnField)
	if fn.IsNil() {
		return nil, false
	}
	proto := fn.Elem().Field(protoField)
	if proto.IsNil() {
		return nil, false
	}
	return (*lua.FunctionProto)(proto.UnsafePointer()), true
}

// pc is the number of the instruction that runs, or waits for a call.
func (f frame) pc() int { return int(f.v.Elem().Field(pcField).Int()) - 1 }

// line is the line of the source that runs, 0 for a Go function.
func (f frame) line() (file string, line int) {
	proto, ok := f.proto()
	if !ok {
		return "", 0
	}
	pc := f.pc()
	if pc < 0 || pc >= len(proto.DbgSourcePositions) {
		return proto.SourceName, proto.LineDefined
	}
	return proto.SourceName, proto.DbgSourcePositions[pc]
}

// frames calls visit for each call, innermost first, across the threads that
// protected calls run on, until it returns false.
func frames(L *lua.LState, visit func(frame) bool) {
	threads := []*lua.LState{L}
	if f, ok := L.Context().(*fiber); ok {
		for i := len(f.calls) - 1; i >= 0; i-- {
			if f.calls[i] == L {
				threads = f.calls[:i+1]
				break
			}
		}
	}
	for i := len(threads) - 1; i >= 0; i-- {
		for f, ok := topFrame(threads[i]); ok; f, ok = f.caller() {
			if !visit(f) {
				return
			}
		}
	}
}

// where is the place in the script that called the running Go function, at
// level 1; level 2 is what called that one. Go functions between, pcall among
// them, are passed over. It returns "", 0 when there is no such place.
func where(L *lua.LState, level int) (file string, line int) {
	frames(L, func(f frame) bool {
		if _, isLua := f.proto(); isLua {
			if level--; level <= 0 {
				file, line = f.line()
				return false
			}
		}
		return true
	})
	return file, line
}

// position is what error(message, level) puts before the message: "" when that
// level is a Go function, was left by a tail call, or does not exist. Level 1
// is the caller of the running Go function.
func position(L *lua.LState, level int) string {
	f, ok := topFrame(L)
	for ; ok && level > 0; level-- {
		if _, isLua := f.proto(); isLua {
			if level -= f.tailCalls(); level <= 0 {
				return ""
			}
		}
		f, ok = f.caller()
	}
	if !ok {
		return ""
	}
	if file, line := f.line(); line > 0 {
		return fmt.Sprintf("%s:%d: ", file, line)
	}
	return ""
}

// topLine is "file:line" of the innermost Lua function on L itself: what Lua
// puts before the message of a Go function's error.
func topLine(L *lua.LState) string {
	for f, ok := topFrame(L); ok; f, ok = f.caller() {
		if file, line := f.line(); line > 0 {
			return fmt.Sprintf("%s:%d", file, line)
		}
	}
	return ""
}

// traceback lists the calls that lead to L's present one, innermost first.
func traceback(L *lua.LState) []string {
	var lines []string
	frames(L, func(f frame) bool {
		file, line := f.line()
		if line == 0 {
			return true
		}
		if len(lines) == maxTrace-1 {
			lines = append(lines, "...")
			return false
		}
		entry := fmt.Sprintf("%s:%d", file, line)
		if name := f.name(); name != "" {
			entry += " in " + name
		}
		if n := f.tailCalls(); n > 0 {
			entry += fmt.Sprintf(" (after %d tail calls)", n)
		}
		lines = append(lines, entry)
		return true
	})
	return lines
}

// name is how the calling function names this call, "" when it does not.
func (f frame) name() string {
	caller, ok := f.caller()
	if !ok || f.tailCalls() > 0 {
		return ""
	}
	return caller.callee()
}

// callee names the function that the frame's present instruction calls.
func (f frame) callee() string {
	proto, ok := f.proto()
	if !ok {
		return ""
	}
	pc := f.pc()
	for _, call := range proto.DbgCalls {
		if call.Pc == pc && call.Name != "?" && !strings.HasPrefix(call.Name, "(") {
			return call.Name
		}
	}
	return ""
}

// explain turns gopher-lua's own messages into Lua's, with the names it leaves
// out. Other messages come back unchanged.
func explain(L *lua.LState, message string) string {
	at := strings.Index(message, ": ")
	f, ok := topFrame(L)
	if at < 0 || !ok {
		return message
	}
	place, text := message[:at+2], message[at+2:]
	place = strings.TrimRight(place, " ") + " "
	if text == "attempt to call a non-function object" {
		if name := f.callee(); name != "" {
			return place + "attempt to call '" + name + "' (it is not a function)"
		}
		return place + "attempt to call a value that is not a function"
	}
	if rest, found := strings.CutPrefix(text, "attempt to index a non-table object("); found {
		kind, key, _ := strings.Cut(rest, ") with key ")
		return place + "attempt to index a " + kind + " value (key " + key + ")"
	}
	if rest, found := strings.CutPrefix(text, "cannot perform "); found {
		_, kinds, ok := strings.Cut(rest, " operation between ")
		left, right, ok2 := strings.Cut(kinds, " and ")
		if ok && ok2 {
			bad := left
			if left == "number" {
				bad = right
			}
			return place + "attempt to perform arithmetic on a " + bad + " value"
		}
	}
	switch text {
	case "__unm undefined":
		return place + "attempt to perform arithmetic on a value that is no number"
	case "__len undefined":
		return place + "attempt to get the length of a value that has none"
	}
	return message
}
