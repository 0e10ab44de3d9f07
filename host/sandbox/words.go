package sandbox

import (
	"context"
	"fmt"
	"time"

	lua "github.com/yuin/gopher-lua"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/run"
)

// words are what a runbook says beside plain Lua. DESIGN section 5 lists them.
func (s *Script) words() map[string]lua.LGFunction {
	return map[string]lua.LGFunction{
		"runbook":    s.declare("runbook"),
		"drill":      s.declare("drill"),
		"require":    s.require,
		"step":       s.running("step", s.step),
		"parallel":   s.running("parallel", s.parallel),
		"each":       s.running("each", s.each),
		"eventually": s.running("eventually", s.eventually),
		"retry":      s.running("retry", s.retry),
		"approve":    s.running("approve", s.approve),
		"ask":        s.running("ask", s.ask),
		"expect":     s.running("expect", s.expect),
		"finish":     s.running("finish", s.finish),
		"note":       s.running("note", s.note),
		"print":      s.running("print", s.print),
		"secret":     s.secret,
	}
}

// running refuses a word while the file is only being loaded.
func (s *Script) running(name string, fn lua.LGFunction) lua.LGFunction {
	return func(L *lua.LState) int {
		if s.session == nil {
			raiseText(L, name+" is called while the file is loaded; it belongs inside run = function(input) ... end")
		}
		return fn(L)
	}
}

func (s *Script) step(L *lua.LState) int {
	site := s.site(L)
	title := text(L, 1, "step", "a title")
	fn, options := s.functionAndOptions(L, 2, "step", "timeout", "attempts", "optional", "owner", "undo")
	spec := run.Spec{Title: title, Site: site, Attempts: options.count("attempts", 1), Timeout: options.duration("timeout", 0),
		Optional: options.flag("optional"), Owner: options.text("owner")}
	if undo, ok := options.get("undo", lua.LTFunction); ok {
		spec.Undo = func(value any) run.Body { return s.bodyOf(undo.(*lua.LFunction), value) }
	}
	value, err := s.session.Engine.Step(contextOf(L), scopeOf(L), spec, s.body1(fn))
	return s.push(L, value, err, site)
}

// bodyOf makes a body of a Lua function that is given one value.
func (s *Script) bodyOf(fn *lua.LFunction, value any) run.Body {
	return func(ctx context.Context, sc *gate.Scope) (any, error) {
		L := s.vm.NewThread(withScope(ctx, sc))
		return s.call(ctx, L, fn, s.values.toLua(L, value))
	}
}

// body1 makes a body of a Lua function.
func (s *Script) body1(fn *lua.LFunction, args ...lua.LValue) run.Body {
	return func(ctx context.Context, sc *gate.Scope) (any, error) {
		return s.call(ctx, s.vm.NewThread(withScope(ctx, sc)), fn, args...)
	}
}

func (s *Script) eventually(L *lua.LState) int {
	site := s.site(L)
	within := s.span(L, 1, "eventually")
	fn, options := s.functionAndOptions(L, 2, "eventually", "every")
	sc := scopeOf(L)
	ok, err := s.session.Engine.Eventually(contextOf(L), sc, within, options.duration("every", 5*time.Second), site, s.try(fn, sc))
	return s.push(L, ok, err, site)
}

func (s *Script) try(fn *lua.LFunction, sc *gate.Scope) run.Try {
	return func(ctx context.Context) (any, error) {
		return s.call(ctx, s.vm.NewThread(withScope(ctx, sc)), fn)
	}
}

func (s *Script) retry(L *lua.LState) int {
	site := s.site(L)
	fn, options := s.functionAndOptions(L, 1, "retry", "attempts", "backoff")
	sc := scopeOf(L)
	value, err := s.session.Engine.Retry(contextOf(L), sc, options.count("attempts", 3), options.duration("backoff", 2*time.Second), site, s.try(fn, sc))
	return s.push(L, value, err, site)
}

func (s *Script) approve(L *lua.LState) int {
	site := s.site(L)
	q := gate.Question{Text: text(L, 1, "approve", "what is to be approved"), Site: site}
	options := s.options(L, 2, "approve", "needs", "within")
	_, err := s.session.Engine.Approve(contextOf(L), scopeOf(L), q, options.count("needs", 1), options.duration("within", 0))
	return s.push(L, true, err, site)
}

func (s *Script) ask(L *lua.LState) int {
	site := s.site(L)
	q := gate.Question{Text: text(L, 1, "ask", "a question"), Site: site}
	options := s.options(L, 2, "ask", "choices")
	q.Choices = options.list("choices")
	answer, err := s.session.Engine.Ask(contextOf(L), scopeOf(L), q)
	return s.push(L, answer, err, site)
}

func (s *Script) expect(L *lua.LState) int {
	site := s.site(L)
	what := text(L, 1, "expect", "what is expected")
	if L.GetTop() < 2 {
		raiseText(L, "expect takes a text and a condition")
	}
	err := s.session.Engine.Expect(scopeOf(L), what, lua.LVAsBool(L.Get(2)), site)
	if err != nil {
		s.values.raise(L, err, site)
	}
	if !lua.LVAsBool(L.Get(2)) { // a plan that looks at what is done when it holds
		L.Push(lua.LTrue)
		return 1
	}
	L.Push(L.Get(2))
	return 1
}

func (s *Script) finish(L *lua.LState) int {
	s.session.Engine.Finish(text(L, 1, "finish", "a closing sentence"))
	L.Push(lua.LTrue)
	return 1
}

func (s *Script) note(L *lua.LState) int {
	n := journal.NoteText{Text: text(L, 1, "note", "a text"), Site: s.site(L), Form: "note"}
	if L.GetTop() > 1 {
		plain, err := s.values.toPlain(L.CheckTable(2))
		if err != nil {
			raiseText(L, "note: "+err.Error())
		}
		var named bool
		if n.Evidence, named = plain.(map[string]any); !named && L.CheckTable(2).Len() > 0 {
			raiseText(L, "note takes a table with named fields as evidence, not a list")
		}
		n.Form = "evidence"
	}
	return s.record(L, n)
}

func (s *Script) print(L *lua.LState) int {
	var line string
	for i := 1; i <= L.GetTop(); i++ {
		if i > 1 {
			line += "\t"
		}
		line += display(L, L.Get(i))
	}
	return s.record(L, journal.NoteText{Text: line, Site: s.site(L), Form: "print"})
}

func (s *Script) record(L *lua.LState, n journal.NoteText) int {
	if err := s.session.Engine.Note(scopeOf(L), n); err != nil {
		s.values.raise(L, err, n.Site)
	}
	return 0
}

// secret gives a handle; the value is looked up when a call needs it.
func (s *Script) secret(L *lua.LState) int {
	ud := L.NewUserData()
	ud.Value = secretRef{text(L, 1, "secret", "a reference such as \"env:NAME\"")}
	ud.Metatable = secretMeta(L)
	L.Push(ud)
	return 1
}

func secretMeta(L *lua.LState) *lua.LTable {
	m := L.NewTable()
	m.RawSetString("__metatable", lua.LString("locked"))
	m.RawSetString("__tostring", L.NewFunction(func(L *lua.LState) int {
		L.Push(lua.LString("[secret]"))
		return 1
	}))
	return m
}

// push hands a word's value to the script, or raises its error.
func (s *Script) push(L *lua.LState, value any, err error, site journal.Site) int {
	if err != nil {
		s.values.raise(L, err, site)
	}
	L.Push(s.values.toLua(L, value))
	return 1
}

func text(L *lua.LState, n int, word, what string) string {
	v, ok := L.Get(n).(lua.LString)
	if !ok || v == "" {
		raiseText(L, fmt.Sprintf("%s takes %s (a string) as argument %d, not %s", word, what, n, L.Get(n).Type()))
	}
	return string(v)
}

func (s *Script) span(L *lua.LState, n int, word string) time.Duration {
	d, err := time.ParseDuration(text(L, n, word, `a time such as "5m"`))
	if err != nil {
		raiseText(L, fmt.Sprintf(`%s: %q is no time such as "30s" or "5m"`, word, L.Get(n).String()))
	}
	return d
}

// functionAndOptions reads `[options], fn` from argument n on.
func (s *Script) functionAndOptions(L *lua.LState, n int, word string, known ...string) (*lua.LFunction, options) {
	o := options{word: word, L: L}
	if L.Get(n).Type() == lua.LTTable {
		o = s.options(L, n, word, known...)
		n++
	}
	fn, ok := L.Get(n).(*lua.LFunction)
	if !ok {
		raiseText(L, fmt.Sprintf("%s takes a function as argument %d, not %s", word, n, L.Get(n).Type()))
	}
	return fn, o
}

func (s *Script) options(L *lua.LState, n int, word string, known ...string) options {
	o := options{word: word, L: L}
	if L.GetTop() < n || L.Get(n) == lua.LNil {
		return o
	}
	o.table = L.CheckTable(n)
	for k, _ := o.table.Next(lua.LNil); k != lua.LNil; k, _ = o.table.Next(k) {
		found := false
		for _, name := range known {
			found = found || k.String() == name
		}
		if !found {
			near := binding.Nearest(k.String(), known)
			if near != "" {
				near = fmt.Sprintf("; did you mean %q?", near)
			}
			raiseText(L, fmt.Sprintf("%s has no option %q%s", word, k.String(), near))
		}
	}
	return o
}

// options are a word's optional table.
type options struct {
	word  string
	L     *lua.LState
	table *lua.LTable
}

func (o options) get(name string, want lua.LValueType) (lua.LValue, bool) {
	if o.table == nil {
		return nil, false
	}
	v := o.table.RawGetString(name)
	if v == lua.LNil {
		return nil, false
	}
	if v.Type() != want {
		raiseText(o.L, fmt.Sprintf("%s: option %s must be a %s, not %s", o.word, name, want, v.Type()))
	}
	return v, true
}

func (o options) text(name string) string {
	if v, ok := o.get(name, lua.LTString); ok {
		return v.String()
	}
	return ""
}

func (o options) flag(name string) bool {
	v, ok := o.get(name, lua.LTBool)
	return ok && v == lua.LTrue
}

func (o options) count(name string, otherwise int) int {
	v, ok := o.get(name, lua.LTNumber)
	if !ok {
		return otherwise
	}
	n := int(v.(lua.LNumber))
	if lua.LNumber(n) != v || n < 1 {
		raiseText(o.L, fmt.Sprintf("%s: option %s must be a whole number from 1 on", o.word, name))
	}
	return n
}

func (o options) duration(name string, otherwise time.Duration) time.Duration {
	if _, given := o.get(name, lua.LTString); !given {
		return otherwise
	}
	text := o.text(name)
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		raiseText(o.L, fmt.Sprintf(`%s: option %s must be a time such as "30s" or "5m", not %q`, o.word, name, text))
	}
	return d
}

func (o options) list(name string) []string {
	v, ok := o.get(name, lua.LTTable)
	if !ok {
		return nil
	}
	var out []string
	t := v.(*lua.LTable)
	for i := 1; i <= t.Len(); i++ {
		out = append(out, t.RawGetInt(i).String())
	}
	return out
}
