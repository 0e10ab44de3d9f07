package sandbox

import (
	"fmt"
	"reflect"
	"sort"

	lua "github.com/yuin/gopher-lua"
	luar "layeh.com/gopher-luar"

	"github.com/webhost-systems/drhost/host/binding"
)

// exposed makes a Lua value of something that belongs to the host.
type exposed func(L *lua.LState) lua.LValue

// Method is one thing a script may do with an object: world:kill_server { server = "x" }.
// Arguments and result are plain data.
type Method func(args []any) (any, error)

// Object returns an argument for Body: a table called name whose functions
// are the methods, and nothing else. It cannot be changed: a fault that a
// script has overwritten would be no fault, and the drill that has it passes.
func (s *Script) Object(name string, methods map[string]Method) any {
	var names []string
	for m := range methods {
		names = append(names, m)
	}
	sort.Strings(names)
	return exposed(func(L *lua.LState) lua.LValue {
		t := L.NewTable()
		for _, m := range names {
			t.RawSetString(m, L.NewFunction(s.method(name, m, methods[m])))
		}
		return s.vm.freeze(name, t, func(key lua.LValue) string { return noField(name, names, key) })
	})
}

func (s *Script) method(object, name string, method Method) lua.LGFunction {
	return func(L *lua.LState) int {
		if L.Get(1).Type() != lua.LTTable {
			raiseText(L, fmt.Sprintf("write %s:%s(...), with a colon", object, name))
		}
		var args []any
		for i := 2; i <= L.GetTop(); i++ {
			v, err := s.values.toPlain(L.Get(i))
			if err != nil {
				raiseText(L, fmt.Sprintf("%s:%s: argument %d: %v", object, name, i-1, err))
			}
			args = append(args, v)
		}
		v, err := method(args)
		if err != nil {
			raiseText(L, fmt.Sprintf("%s:%s: %v", object, name, err))
		}
		L.Push(s.values.toLua(L, v))
		return 1
	}
}

// runObject is the word `run`: what a script may know of its own run. It is
// read-only; gopher-luar gives it its Lua face.
type runObject struct {
	ID    string `luar:"id"`
	Mode  string `luar:"mode"`
	Drill bool   `luar:"drill"`
	s     *Script
}

// Elapsed is run:elapsed(): seconds since the disaster was detected.
func (r *runObject) Elapsed(L *luar.LState) int {
	if r.unknown(L) {
		return 1
	}
	spend(L.LState, clockCost)
	site := r.s.site(L.LState)
	d, err := r.s.session.Engine.Elapsed(contextOf(L.LState), scopeOf(L.LState), site)
	return r.s.push(L.LState, d.Seconds(), err, site)
}

// Remaining is run:remaining(): seconds left until the RTO; negative when it
// is missed, nil when the runbook has none.
func (r *runObject) Remaining(L *luar.LState) int {
	if r.unknown(L) {
		return 1
	}
	spend(L.LState, clockCost)
	site := r.s.site(L.LState)
	d, has, err := r.s.session.Engine.Remaining(contextOf(L.LState), scopeOf(L.LState), site)
	if err == nil && !has {
		return 0
	}
	return r.s.push(L.LState, d.Seconds(), err, site)
}

// unknown pushes a planned number when a plan cannot know the time: changes
// that it only predicts take theirs.
func (r *runObject) unknown(L *luar.LState) bool {
	if !r.s.o.Foresee || !r.s.session.Gate.Doubtful() {
		return false
	}
	L.Push(lua.LNumber(binding.PlannedNumber()))
	return true
}

// Result is run:result("Title"): the value of a finished step.
func (r *runObject) Result(L *luar.LState) int {
	title := text(L.LState, 1, "run:result", "the title of a step")
	v, ok := r.s.session.Engine.Result(title)
	if !ok {
		raiseText(L.LState, fmt.Sprintf("run:result: no step called %q has finished", title))
	}
	return r.s.push(L.LState, v, nil, r.s.site(L.LState))
}

var runMethods = map[string]string{"Elapsed": "elapsed", "Remaining": "remaining", "Result": "result"}

// runWord makes the object, with everything taken away that gopher-luar would
// let a script change.
func (s *Script) runWord(L *lua.LState) lua.LValue {
	config := luar.GetConfig(L)
	config.MethodNames = func(_ reflect.Type, m reflect.Method) []string {
		if name, ok := runMethods[m.Name]; ok {
			return []string{name}
		}
		return nil
	}
	config.FieldNames = func(_ reflect.Type, f reflect.StructField) []string {
		if name := f.Tag.Get("luar"); name != "" {
			return []string{name}
		}
		return nil
	}
	started := s.session.Engine.Started()
	object := &runObject{ID: started.Run, Mode: started.Mode, Drill: started.Mode == "drill", s: s}
	v := luar.New(L, object)
	meta := luar.MT(L, object).LTable
	for _, key := range []string{"__newindex", "__pow", "__unm", "__add", "__eq", "__tostring", "__call", "__len"} {
		meta.RawSetString(key, lua.LNil)
	}
	index := meta.RawGetString("__index")
	methods := map[string]*lua.LFunction{}
	for _, name := range runMethods {
		methods[name] = ownMethod(L, v, index, name)
	}
	meta.RawSetString("__index", L.NewFunction(func(L *lua.LState) int {
		L.Push(index)
		L.Push(L.Get(1))
		L.Push(L.Get(2))
		L.Call(2, 1)
		if name, ok := L.Get(2).(lua.LString); ok && methods[string(name)] != nil {
			L.Push(methods[string(name)])
			return 1
		}
		if L.Get(-1) == lua.LNil {
			names := []string{"id", "mode", "drill", "elapsed", "remaining", "result"}
			text := fmt.Sprintf("run has no field %q", named(L.Get(2)))
			if near := binding.Nearest(named(L.Get(2)), names); near != "" {
				text += fmt.Sprintf("; did you mean %q?", near)
			}
			raiseText(L, text)
		}
		return 1
	}))
	meta.RawSetString("__metatable", lua.LString("locked"))
	return v
}

// ownMethod is a method that only the object itself can be given: gopher-luar
// would try to make an object of a script's table, and panics on some.
func ownMethod(L *lua.LState, object, index lua.LValue, name string) *lua.LFunction {
	L.Push(index)
	L.Push(object)
	L.Push(lua.LString(name))
	L.Call(2, 1)
	method := L.Get(-1)
	L.Pop(1)
	return L.NewFunction(func(L *lua.LState) int {
		if L.Get(1) != object {
			raiseText(L, fmt.Sprintf("write run:%s(), with a colon", name))
		}
		n := L.GetTop()
		L.Push(method)
		for i := 1; i <= n; i++ {
			L.Push(L.Get(i))
		}
		L.Call(n, lua.MultRet)
		return L.GetTop() - n
	})
}
