package sandbox

import (
	"context"
	"fmt"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/run"
	"github.com/webhost-systems/drhost/host/words"
)

const (
	wordCost    = 1000              // instructions that a word costs beside what its body does
	noteCost    = 1000              // and one that writes a line into the journal
	stepCost    = 4000              // or a step, or a branch
	callCost    = 1000              // or a call of a provider
	faultCost   = 3000              // and one that fails
	clockCost   = 1000              // or a look at the run's clock
	maxBranches = words.MaxBranches // of one parallel or each
	maxAtOnce   = words.MaxAtOnce   // of them at the same time
	maxAlive    = words.MaxAlive    // branches in all that were started and did not end
	maxAttempts = words.MaxAttempts
	maxChoices  = 100
	shortest    = 100 * time.Millisecond // between two tries of eventually
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
		spend(L, wordCost)
		n := 0
		s.vm.outside(func() { n = fn(L) })
		return n
	}
}

func (s *Script) step(L *lua.LState) int {
	site := s.site(L)
	spend(L, stepCost)
	title := title(L, 1, "step", "a title")
	fn, options := s.functionAndOptions(L, 2, "step", "timeout", "attempts", "optional", "owner", "undo")
	spec := run.Spec{Title: title, Site: site, Attempts: options.count("attempts", 1, maxAttempts), Timeout: options.duration("timeout", 0),
		Optional: options.flag("optional"), Owner: options.text("owner")}
	if undo, ok := options.get("undo", lua.LTFunction); ok {
		spec.Undo = func(value any) run.Body { return s.bodyOf(undo.(*lua.LFunction), value) }
	}
	value, err := s.session.Engine.Step(contextOf(L), scopeOf(L), spec, s.body1(fn))
	return s.push(L, value, err, site)
}

// branch is body1 for one of several: what the ones before it used up is not
// held against it.
func (s *Script) branch(fn *lua.LFunction, args ...lua.LValue) run.Body {
	body := s.body1(fn, args...)
	return func(ctx context.Context, sc *gate.Scope) (any, error) {
		if s.branches >= maxAlive {
			return nil, fault.New(fault.Invalid, "more than %d branches are under way; set at_once, or do not put parallel inside parallel", maxAlive)
		}
		s.branches++
		defer func() { s.branches-- }()
		s.vm.meter.forgive()
		_ = s.vm.meter.charge(stepCost) // when nothing is left, the body ends before its first instruction
		return body(ctx, sc)
	}
}

// atMost refuses more branches than a machine should carry.
func atMost(L *lua.LState, word string, n int) {
	if n > maxBranches {
		raiseText(L, fmt.Sprintf("%s: there are more than %d branches; go through them in several parts", word, maxBranches))
	}
}

// bodyOf makes a body of a Lua function that is given one value.
func (s *Script) bodyOf(fn *lua.LFunction, value any) run.Body {
	return func(ctx context.Context, sc *gate.Scope) (any, error) {
		L := s.thread(ctx, sc)
		return s.call(ctx, L, fn, s.values.toLua(L, value))
	}
}

// body1 makes a body of a Lua function.
func (s *Script) body1(fn *lua.LFunction, args ...lua.LValue) run.Body {
	return func(ctx context.Context, sc *gate.Scope) (any, error) {
		return s.call(ctx, s.thread(ctx, sc), fn, args...)
	}
}

func (s *Script) eventually(L *lua.LState) int {
	site := s.site(L)
	within := s.span(L, 1, "eventually")
	fn, options := s.functionAndOptions(L, 2, "eventually", "every")
	sc := scopeOf(L)
	ok, err := s.session.Engine.Eventually(contextOf(L), sc, within, max(options.duration("every", 5*time.Second), shortest), site, s.try(L, fn, sc))
	return s.push(L, ok, err, site)
}

// try makes a try of a Lua function. All tries of a step draw from the step's
// numbers of chance: they are all made again when it is resumed.
func (s *Script) try(L *lua.LState, fn *lua.LFunction, sc *gate.Scope) run.Try {
	chance := s.vm.chance(L)
	return func(ctx context.Context) (any, error) {
		th := s.vm.NewThread(withScope(ctx, sc))
		if f, ok := th.Context().(*fiber); ok {
			f.random = chance
		}
		return s.call(ctx, th, fn)
	}
}

func (s *Script) retry(L *lua.LState) int {
	site := s.site(L)
	fn, options := s.functionAndOptions(L, 1, "retry", "attempts", "backoff")
	sc := scopeOf(L)
	value, err := s.session.Engine.Retry(contextOf(L), sc, options.count("attempts", 3, maxAttempts), options.duration("backoff", 2*time.Second), site, s.try(L, fn, sc))
	return s.push(L, value, err, site)
}

func (s *Script) approve(L *lua.LState) int {
	site := s.site(L)
	q := gate.Question{Text: clip(text(L, 1, "approve", "what is to be approved"), maxMessage), Site: site}
	options := s.options(L, 2, "approve", "needs", "within")
	_, err := s.session.Engine.Approve(contextOf(L), scopeOf(L), q, options.count("needs", 1, maxBranches), options.duration("within", 0))
	return s.push(L, true, err, site)
}

func (s *Script) ask(L *lua.LState) int {
	site := s.site(L)
	q := gate.Question{Text: clip(text(L, 1, "ask", "a question"), maxMessage), Site: site}
	options := s.options(L, 2, "ask", "choices")
	q.Choices = options.list("choices")
	answer, err := s.session.Engine.Ask(contextOf(L), scopeOf(L), q)
	return s.push(L, answer, err, site)
}

func (s *Script) expect(L *lua.LState) int {
	site := s.site(L)
	what := clip(text(L, 1, "expect", "what is expected"), maxMessage)
	if L.GetTop() < 2 {
		raiseText(L, "expect takes a text and a condition")
	}
	spend(L, noteCost)
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
	s.session.Engine.Finish(clip(text(L, 1, "finish", "a closing sentence"), maxMessage))
	L.Push(lua.LTrue)
	return 1
}

func (s *Script) note(L *lua.LState) int {
	n := journal.NoteText{Text: clip(text(L, 1, "note", "a text"), maxText), Site: s.site(L), Form: "note"}
	if L.GetTop() > 1 {
		plain, err := s.values.toPlain(L.CheckTable(2))
		if err != nil {
			raiseText(L, "note: "+err.Error())
		}
		var byName bool
		if n.Evidence, byName = plain.(map[string]any); !byName && L.CheckTable(2).Len() > 0 {
			raiseText(L, "note takes a table with named fields as evidence, not a list")
		}
		n.Form = "evidence"
	}
	return s.record(L, n)
}

func (s *Script) print(L *lua.LState) int {
	var line strings.Builder
	for i := 1; i <= L.GetTop() && line.Len() <= maxMessage; i++ {
		if i > 1 {
			line.WriteByte('\t')
		}
		line.WriteString(display(L, L.Get(i)))
	}
	return s.record(L, journal.NoteText{Text: clip(line.String(), maxMessage), Site: s.site(L), Form: "print"})
}

func (s *Script) record(L *lua.LState, n journal.NoteText) int {
	spend(L, noteCost)
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
	if err != nil || d < 0 {
		raiseText(L, fmt.Sprintf(`%s: %q is no time such as "30s" or "5m"`, word, named(L.Get(n))))
	}
	return d
}
