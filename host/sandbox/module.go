package sandbox

import (
	"context"
	"fmt"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/plan"
)

// moduleTable makes what `require "hetzner"` returns.
func (s *Script) moduleTable(L *lua.LState, m *binding.Module) *lua.LTable {
	t := L.NewTable()
	var names []string
	for _, f := range m.Functions {
		name := f.Spec().Name
		names = append(names, name)
		t.RawSetString(name, L.NewFunction(s.provider(m, f)))
	}
	return s.vm.freeze("module "+m.Name, t, func(key lua.LValue) string {
		text := fmt.Sprintf("there is no function %s.%s", m.Name, named(key))
		if near := binding.Nearest(named(key), names); near != "" {
			text += fmt.Sprintf("; did you mean %q?", near)
		}
		return text
	})
}

// provider is the Lua face of one declared function.
func (s *Script) provider(m *binding.Module, f binding.Function) lua.LGFunction {
	spec := f.Spec()
	return func(L *lua.LState) int {
		site := s.site(L)
		if s.session == nil {
			raiseText(L, fmt.Sprintf("%s is called while the file is loaded; calls belong inside run = function(input) ... end", spec.Full()))
		}
		plain, err := s.arguments(L, spec)
		if err != nil {
			raiseText(L, fmt.Sprintf("%s: %v", spec.Full(), err))
		}
		var args any
		s.vm.outside(func() { args, err = f.Decode(plain, s.session.Secret) }) // to open a sealed credential is work, but not the script's
		if err != nil {
			s.refuse(L, spec, err, site)
		}
		client, ok := s.session.Clients[m.Name]
		if !ok {
			raiseText(L, fmt.Sprintf("module %s is not open in this run; name it in a `require` line of the runbook", m.Name))
		}
		spend(L, callCost)
		var value any
		op := callOp(f, client, plain, args, site)
		took := timed(&op)
		s.vm.outside(func() { value, err = s.session.Gate.Do(contextOf(L), scopeOf(L), op) })
		if *took < 0 {
			s.vm.Refill()
		} else {
			s.vm.meter.waited(*took)
		}
		if err != nil {
			spend(L, faultCost)
			s.values.raise(L, err, site)
		}
		if spec.Effect == binding.Reads && s.o.Foresee && s.session.Gate.Doubtful() {
			value = binding.Doubt(value, plan.Describe(spec.Full(), plain))
		}
		L.Push(s.values.toLua(L, value))
		return 1
	}
}

// timed lets op measure how long it is carried out. Below 0: it was not, but
// answered from the journal or by a plan.
func timed(op *gate.Op) *time.Duration {
	took := time.Duration(-1)
	exec := op.Exec
	op.Exec = func(ctx context.Context) (any, error) {
		start := clock.System{}.Now()
		defer func() { took = max(took, 0) + clock.System{}.Now().Sub(start) }()
		return exec(ctx)
	}
	return &took
}

func (s *Script) refuse(L *lua.LState, spec *binding.Spec, err error, site journal.Site) {
	if f, ok := err.(*fault.Fault); ok {
		f.Call = spec.Full()
		s.values.raise(L, f, site)
	}
	raiseText(L, fmt.Sprintf("%s: %v", spec.Full(), err))
}

// arguments reads the one table a provider function takes, defaults filled in.
func (s *Script) arguments(L *lua.LState, spec *binding.Spec) (map[string]any, error) {
	var args map[string]any
	switch {
	case L.GetTop() == 1 && L.Get(1).Type() == lua.LTTable:
		plain, err := s.values.toPlain(L.Get(1))
		if err != nil {
			return nil, err
		}
		if list, ok := plain.([]any); ok && len(list) > 0 {
			return nil, fmt.Errorf("takes named arguments: { %s = ... }", spec.Args.Fields[0].Name)
		}
		args, _ = plain.(map[string]any)
	case L.GetTop() > 0:
		return nil, fmt.Errorf("takes exactly one table, as in %s", strings.SplitN(spec.Example, "\n", 2)[0])
	}
	if args == nil {
		args = map[string]any{}
	}
	delete(args, typeKey)
	for _, f := range spec.Args.Fields {
		if _, given := args[f.Name]; !given && f.Default != "" && f.Type.Kind != binding.Secret {
			args[f.Name] = f.Default
		}
	}
	return args, nil
}

func callOp(f binding.Function, client any, plain map[string]any, args any, site journal.Site) gate.Op {
	spec := f.Spec()
	op := gate.Op{Call: spec.Full(), Effect: spec.Effect, Args: plain, Says: spec.Sentence(plain), Site: site, Result: spec.Result,
		Exec: func(ctx context.Context) (any, error) { return f.Call(ctx, client, args) }}
	if spec.Effect != binding.Reads { // a read is made in a plan too, and has nothing to settle
		op.Predict = func(ctx context.Context) (any, error) { return f.Predict(ctx, client, args) }
		op.Settle = SettleOf(f, client, args)
	}
	if spec.Target != "" {
		op.Target, _ = plain[spec.Target].(string)
	}
	return op
}

// SettleOf is how a declared function finds out what became of its call.
func SettleOf(f binding.Function, client, args any) func(context.Context) (binding.Settlement[any], error) {
	return func(ctx context.Context) (binding.Settlement[any], error) { return f.Settle(ctx, client, args) }
}
