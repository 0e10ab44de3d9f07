package sandbox

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"sort"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/run"
)

// Source is one Lua file: File is how it is named to the operator.
type Source struct {
	File string
	Text []byte
}

// Options are what loading a script needs.
type Options struct {
	Source  Source
	Catalog *binding.Catalog
	Std     map[string]Source // "std.health" -> its source
	Limits  Limits
	// Foresee makes it the script of a plan: where it branches on what nobody
	// can know yet, the gate decides.
	Foresee bool
}

// Session is what a script acts with while it runs.
type Session struct {
	Engine  *run.Engine
	Gate    *gate.Gate
	Clients map[string]any // of the modules the script requires
	Secret  binding.Resolver
}

// Script is a loaded file: `return runbook { ... }` or `return drill { ... }`.
// Loading makes no call.
type Script struct {
	Form     string         // runbook | drill
	Head     map[string]any // its fields that are data
	Requires []string       // modules of the catalog, also through std modules
	file     string
	body     *lua.LTable
	vm       *VM
	values   *values
	session  *Session
	o        Options
	loaded   map[string]lua.LValue // std modules by name
	branches int                   // under way; whoever holds the baton may touch it
}

// Load compiles the file and runs its top level.
func Load(o Options) (*Script, error) {
	proto, err := compile(o.Source.File, o.Source.Text, o.Foresee)
	if err != nil {
		return nil, err
	}
	s := &Script{file: o.Source.File, o: o, loaded: map[string]lua.LValue{},
		values: &values{catalog: o.Catalog, metas: map[string]*lua.LTable{}}}
	s.vm = newVM(o.Limits)
	s.values.charge = s.vm.meter.charge
	for name, word := range s.words() {
		s.vm.SetWord(name, word)
	}
	if o.Foresee {
		s.foresees()
	}
	L := s.vm.NewThread(context.Background())
	returned, err := s.vm.Call(L, s.vm.Function(proto))
	if err != nil {
		return nil, s.values.toError(err)
	}
	if s.body == nil || len(returned) == 0 || returned[0] != s.body {
		return nil, fmt.Errorf("%s: the file must end in `return runbook { ... }`", s.file)
	}
	sort.Strings(s.Requires)
	return s, nil
}

// declare is the word `runbook` or `drill`.
func (s *Script) declare(form string) lua.LGFunction {
	return func(L *lua.LState) int {
		t := L.CheckTable(1)
		if s.body != nil {
			raiseText(L, "a file declares one runbook or drill, this is the second")
		}
		s.Form, s.body, s.Head = form, t, map[string]any{}
		for k, v := t.Next(lua.LNil); k != lua.LNil; k, v = t.Next(k) {
			name, ok := k.(lua.LString)
			if !ok {
				raiseText(L, form+" takes named fields only")
			}
			if v.Type() == lua.LTFunction {
				continue
			}
			plain, err := s.values.toPlain(v)
			if err != nil {
				raiseText(L, fmt.Sprintf("%s.%s: %v", form, name, err))
			}
			s.Head[string(name)] = plain
		}
		L.Push(t)
		return 1
	}
}

// Has tells whether the file declares a function called name.
func (s *Script) Has(name string) bool { return s.body.RawGetString(name).Type() == lua.LTFunction }

// Begin gives the script what it acts with.
func (s *Script) Begin(session Session) {
	s.session = &session
	s.vm.SetGlobal("run", s.runWord(s.vm.root))
}

// Body is the function called name as a piece of a run; args are plain data
// or what Expose made.
func (s *Script) Body(name string, args ...any) run.Body {
	return func(ctx context.Context, sc *gate.Scope) (any, error) {
		L := s.thread(ctx, sc)
		values := make([]lua.LValue, len(args))
		for i, a := range args {
			values[i] = s.argument(L, a)
		}
		return s.call(ctx, L, s.body.RawGetString(name), values...)
	}
}

func (s *Script) argument(L *lua.LState, a any) lua.LValue {
	switch a := a.(type) {
	case exposed:
		return a(L)
	case Input:
		return s.inputTable(L, a)
	}
	return s.values.toLua(L, a)
}

// Input is what a run was given, by name.
type Input map[string]any

func (s *Script) inputTable(L *lua.LState, in Input) lua.LValue {
	t := s.values.tableOf(L, in).(*lua.LTable)
	var names []string
	declared, _ := s.Head["input"].(map[string]any)
	for name := range declared {
		names = append(names, name)
	}
	sort.Strings(names)
	t.Metatable = strictMeta(L, "input", names)
	return t
}

// call runs a Lua function on a thread of its own and returns plain data.
func (s *Script) call(ctx context.Context, L *lua.LState, fn lua.LValue, args ...lua.LValue) (any, error) {
	returned, err := s.vm.Call(L, fn, args...)
	if err != nil {
		err = s.values.toError(err)
		if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
			err = gate.Stopped(ctx, err)
		}
		return nil, err
	}
	if len(returned) == 0 {
		return nil, nil
	}
	plain, err := s.values.toPlain(returned[0])
	if err != nil { // the script's mistake, not drhost's
		return nil, fault.New(fault.Script, "%swhat this function returns cannot be kept: %v", begins(fn), err)
	}
	return plain, nil
}

// begins is where a function begins, as an error says it.
func begins(fn lua.LValue) string {
	if f, ok := fn.(*lua.LFunction); ok && f.Proto != nil {
		return fmt.Sprintf("%s:%d: ", f.Proto.SourceName, f.Proto.LineDefined)
	}
	return ""
}

// require is the word; catalog modules, and std modules from the binary.
func (s *Script) require(L *lua.LState) int {
	name := L.CheckString(1)
	if v, ok := s.loaded[name]; ok {
		L.Push(v)
		return 1
	}
	var value lua.LValue
	if m := s.o.Catalog.Module(name); m != nil {
		s.Requires = append(s.Requires, name)
		value = s.moduleTable(L, m)
	} else if src, ok := s.o.Std[name]; ok {
		value = s.requireStd(L, name, src)
	} else {
		var names []string
		for _, m := range s.o.Catalog.Modules() {
			names = append(names, m.Name)
		}
		for std := range s.o.Std {
			names = append(names, std)
		}
		sort.Strings(names)
		text := fmt.Sprintf("there is no module %q", name)
		if near := binding.Nearest(name, names); near != "" {
			text += fmt.Sprintf("; did you mean %q?", near)
		} else {
			text += "; there are " + strings.Join(names, ", ")
		}
		raiseText(L, text)
	}
	s.loaded[name] = value
	L.Push(value)
	return 1
}

func (s *Script) requireStd(L *lua.LState, name string, src Source) lua.LValue {
	proto, err := compile(src.File, src.Text, s.o.Foresee)
	if err != nil {
		raiseText(L, err.Error())
	}
	s.loaded[name] = lua.LNil // a module that requires itself gets nil, not a loop
	L.Push(s.vm.Function(proto))
	L.Call(0, 1)
	value := L.Get(-1)
	L.Pop(1)
	return value
}

// thread makes a thread for the run, a step or a branch. Each draws its own
// numbers of chance, from the run's id and its path on: a resumed run skips
// what has finished, and what comes after must draw what it drew before.
func (s *Script) thread(ctx context.Context, sc *gate.Scope) *lua.LState {
	L := s.vm.NewThread(withScope(ctx, sc))
	if f, ok := L.Context().(*fiber); ok {
		h := fnv.New64a()
		io.WriteString(h, s.session.Engine.Started().Run+"\x00"+sc.Path)
		f.random = seeded(h.Sum64())
	}
	return L
}

type scopeKey struct{}

func withScope(ctx context.Context, sc *gate.Scope) context.Context {
	return context.WithValue(ctx, scopeKey{}, sc)
}

func scopeOf(L *lua.LState) *gate.Scope {
	sc, _ := contextOf(L).Value(scopeKey{}).(*gate.Scope)
	return sc
}

// site is the line that called the running word or function.
func (s *Script) site(L *lua.LState) journal.Site {
	file, line := where(L, 1)
	site := journal.Site{File: file, Line: line}
	if sc := scopeOf(L); sc != nil {
		site.Step = sc.Step
	}
	return site
}
