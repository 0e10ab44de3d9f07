package sandbox

import (
	"fmt"
	"strings"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/run"
)

// compareName and lengthName are globals that the source of a plan calls where
// it compares, or asks how long something is. No script can spell them.
const (
	compareName = "=="
	lengthName  = "#"
)

// foreseer answers, in a plan, a question on which the script depends and that
// nobody can know yet: with the first choice, or not.
type foreseer func(L *lua.LState, form, text string, choices ...string) bool

// foreseeing is what answers for L; nil outside of a plan.
func foreseeing(L *lua.LState) foreseer {
	if f, ok := L.Context().(*fiber); ok {
		return f.vm.foresee
	}
	return nil
}

// compare makes a comparison of a plan a call, so that one with a planned value
// invents no truth.
func (r *rewriter) compare(e *ast.RelationalOpExpr) (ast.Expr, int) {
	operator := &ast.StringExpr{Value: e.Operator}
	operator.SetLine(e.Line())
	single(e.Lhs)
	single(e.Rhs)
	call := hostCall(e, compareName, operator, e.Lhs, e.Rhs)
	return call, r.call(call)
}

// length makes the operator # of a plan a call.
func (r *rewriter) length(e *ast.UnaryLenOpExpr) (ast.Expr, int) {
	single(e.Expr)
	call := hostCall(e, lengthName, e.Expr)
	return call, r.call(call)
}

// openForesight makes a VM that of a plan.
func (vm *VM) openForesight(foresee foreseer) {
	vm.foresee = foresee
	vm.env.RawSetString(compareName, vm.root.NewFunction(compare))
	vm.env.RawSetString(lengthName, vm.root.NewFunction(length))
}

// compare is a comparison in a plan.
func compare(L *lua.LState) int {
	op, l, r := L.CheckString(1), L.Get(2), L.Get(3)
	what, planned := plannedIn(l)
	other, too := plannedIn(r)
	if planned || too {
		if !planned {
			what = display(L, l)
		}
		if !too {
			other = display(L, r)
		}
		text, foresee := fmt.Sprintf("is %s %s %s?", what, op, other), L.Context().(*fiber).vm.foresee
		if op == "~=" { // that it is equal is looked at first, so that a loop until it is ends
			L.Push(lua.LBool(!foresee(L, "value", text, "no", "yes")))
		} else {
			L.Push(lua.LBool(foresee(L, "value", text, "yes", "no")))
		}
		return 1
	}
	L.Push(lua.LBool(compared(L, op, l, r)))
	return 1
}

func compared(L *lua.LState, op string, l, r lua.LValue) bool {
	switch op {
	case "==":
		return L.Equal(l, r)
	case "~=":
		return !L.Equal(l, r)
	case "<":
		return L.LessThan(l, r)
	case ">":
		return L.LessThan(r, l)
	}
	if a, ok := l.(lua.LNumber); ok {
		if b, ok := r.(lua.LNumber); ok {
			return op == "<=" && a <= b || op == ">=" && a >= b
		}
	}
	if op == "<=" {
		return !L.LessThan(r, l)
	}
	return !L.LessThan(l, r)
}

// plannedIn tells whether v is planned, and what it is called.
func plannedIn(v lua.LValue) (what string, planned bool) {
	switch v := v.(type) {
	case lua.LString:
		return string(v), binding.IsPlanned(string(v))
	case lua.LNumber:
		return binding.Planned("number"), binding.IsPlannedNumber(float64(v))
	case *lua.LTable:
		if meta, ok := v.Metatable.(*lua.LTable); ok {
			if ud, ok := meta.RawGetString(plannedKey).(*lua.LUserData); ok {
				what, _, _ := binding.PlannedKind(ud.Value)
				return binding.Planned(what), true
			}
		}
	}
	return "", false
}

// foresees gives the script of a plan its foresight.
func (s *Script) foresees() {
	s.vm.openForesight(func(L *lua.LState, form, text string, choices ...string) bool {
		if s.session == nil {
			return true // nothing was planned while the file is loaded
		}
		sc, site := scopeOf(L), s.site(L)
		return s.session.Gate.Decide(journal.Decision{Key: fmt.Sprintf("%s/%s:%d", sc.Path, form, site.Line), Form: form, Text: text,
			Choices: choices, Site: site}) == 0
	})
	s.values.foresee = s.vm.foresee
	s.vm.env.RawSetString("pcall", s.vm.root.NewFunction(s.foreseePcall))
}

// foreseePcall is pcall in a plan: what was only predicted inside may fail.
func (s *Script) foreseePcall(L *lua.LState) int {
	before := 0
	if s.session != nil {
		before = s.session.Gate.Way().Changes()
	}
	n := s.vm.pcall(L)
	if s.session == nil || L.Get(-n) != lua.LTrue || s.session.Gate.Way().Changes() == before {
		return n
	}
	if s.vm.foresee(L, "pcall", "does what is tried here work?", "works", "fails") {
		return n
	}
	f := &fault.Fault{Kind: fault.Kind(binding.Planned("kind of the fault")), Message: binding.Planned("fault")}
	L.Push(lua.LFalse)
	L.Push(s.values.faultTable(L, f, s.site(L)))
	return 2
}

// plannedValue makes a Lua value of a planned one; ok is false when m is none.
func (vs *values) plannedValue(L *lua.LState, m map[string]any) (lua.LValue, bool) {
	what, kind, ok := binding.PlannedKind(m)
	if !ok {
		return nil, false
	}
	switch kind {
	case binding.Integer, binding.Number:
		return lua.LNumber(binding.PlannedNumber()), true
	case binding.Bool:
		return lua.LBool(vs.decide(L, "is it so: "+what+"?", "yes", "no")), true
	case binding.List:
		return vs.plannedList(L, m, what), true
	}
	return vs.plannedTable(L, m), true
}

// plannedList is a list of which nobody knows yet whether it holds anything. It
// is decided when the script first looks.
func (vs *values) plannedList(L *lua.LState, m map[string]any, what string) *lua.LTable {
	t, meta, ud := L.NewTable(), L.NewTable(), L.NewUserData()
	ud.Value = m
	meta.RawSetString(plannedKey, ud)
	meta.RawSetString("__metatable", lua.LString("locked"))
	look := func(L *lua.LState) {
		if meta.RawGetString(plannedKey) == lua.LNil {
			return
		}
		meta.RawSetString(plannedKey, lua.LNil)
		if item := binding.PlannedItem(m); item != nil && vs.decide(L, "is there any of "+what+"?", "yes", "none") {
			t.Append(vs.toLua(L, item))
		}
	}
	meta.RawSetString(lookKey, L.NewFunction(func(L *lua.LState) int { look(L); return 0 }))
	meta.RawSetString("__index", L.NewFunction(func(L *lua.LState) int {
		look(L)
		L.Push(t.RawGet(L.Get(2)))
		return 1
	}))
	t.Metatable = meta
	return t
}

// lookKey is where the metatable of a planned list keeps what decides it.
const lookKey = "$look"

// lookAt decides what the planned list v holds; other values are left alone.
func lookAt(L *lua.LState, v lua.LValue) {
	t, ok := v.(*lua.LTable)
	if !ok || foreseeing(L) == nil {
		return
	}
	if meta, ok := t.Metatable.(*lua.LTable); ok {
		if look := meta.RawGetString(lookKey); look != lua.LNil {
			L.Push(look)
			L.Call(0, 0)
		}
	}
}

// length is the operator # in a plan.
func length(L *lua.LState) int {
	v := L.Get(1)
	lookAt(L, v)
	if text, ok := v.(lua.LString); ok && binding.IsPlanned(string(text)) {
		L.Push(lua.LNumber(binding.PlannedNumber()))
		return 1
	}
	L.Push(lua.LNumber(L.ObjLen(v)))
	return 1
}

func (vs *values) decide(L *lua.LState, text string, choices ...string) bool {
	return vs.foresee == nil || vs.foresee(L, "value", text, choices...)
}

// undecided gives t, a record in which some answers are planned yes or no, a
// metatable that decides each when the script looks at it.
func (vs *values) undecided(L *lua.LState, t *lua.LTable, open map[string]string) {
	behind := t.Metatable
	meta := L.NewTable()
	if b, ok := behind.(*lua.LTable); ok {
		meta.RawSetString(typeKey, b.RawGetString(typeKey))
	}
	meta.RawSetString("__metatable", lua.LString("locked"))
	ud := L.NewUserData()
	ud.Value = open
	meta.RawSetString(undecidedKey, ud)
	meta.RawSetString("__index", L.NewFunction(func(L *lua.LState) int {
		key := L.Get(2)
		if what, ok := open[key.String()]; ok {
			v := lua.LBool(vs.decide(L, "is it so: "+what+"?", "yes", "no"))
			delete(open, key.String())
			L.Get(1).(*lua.LTable).RawSet(key, v)
			L.Push(v)
			return 1
		}
		if b, ok := behind.(*lua.LTable); ok {
			L.Push(b.RawGetString("__index"))
			L.Push(L.Get(1))
			L.Push(key)
			L.Call(2, 1)
			return 1
		}
		L.Push(lua.LNil)
		return 1
	}))
	t.Metatable = meta
}

// undecidedKey is where the metatable of a record keeps what is not decided.
const undecidedKey = "$undecided"

// stillOpen adds to the plain fields of a record what was not decided.
func stillOpen(meta *lua.LTable, fields map[string]any) {
	ud, ok := meta.RawGetString(undecidedKey).(*lua.LUserData)
	if !ok {
		return
	}
	for name, what := range ud.Value.(map[string]string) {
		fields[name] = binding.PlannedValue(binding.Bool, what)
	}
}

// foreseeMatch is string.find and string.match on a text that is only planned.
func foreseeMatch(L *lua.LState, foresee foreseer, text, pattern string, find bool) int {
	if !foresee(L, "value", fmt.Sprintf("does %s match %q?", text, pattern), "yes", "no") {
		L.Push(lua.LNil)
		return 1
	}
	if find {
		L.Push(lua.LNumber(binding.PlannedNumber()))
		L.Push(lua.LNumber(binding.PlannedNumber()))
		return 2
	}
	captures := max(strings.Count(pattern, "(")-strings.Count(pattern, "%("), 1)
	for range captures {
		L.Push(lua.LString(binding.Planned("what matches " + pattern)))
	}
	return captures
}

// failures is what parallel and each return beside the results. In a plan each
// branch may have failed that keep_going lets fail: it is decided when the
// script looks.
func (s *Script) failures(L *lua.LState, title string, joined run.Joined, fan run.Fan) *lua.LTable {
	t := L.NewTable()
	if !s.o.Foresee || !fan.KeepGoing {
		return t
	}
	meta := L.NewTable()
	meta.RawSetString("__index", L.NewFunction(func(L *lua.LState) int {
		name := L.Get(2)
		if _, there := joined.Results[name.String()]; !there || !s.session.Gate.Doubtful() ||
			s.vm.foresee(L, "value", fmt.Sprintf("does %q of %q work?", name.String(), title), "works", "fails") {
			L.Push(lua.LNil)
			return 1
		}
		f := &fault.Fault{Kind: fault.Kind(binding.Planned("kind of the fault")), Message: binding.Planned("fault")}
		v := s.values.faultTable(L, f, s.site(L))
		L.Get(1).(*lua.LTable).RawSet(name, v)
		L.Push(v)
		return 1
	}))
	t.Metatable = meta
	return t
}
