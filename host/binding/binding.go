// Package binding is what a provider declares itself with. One declaration of
// a function gives argument checking, documentation, the editor stub, the
// checker's data, the plan's sentence and the policy's effect. The package
// knows neither Lua nor the gate nor any provider, and it must never call one.
package binding

import (
	"context"
	"fmt"

	"github.com/webhost-systems/drhost/host/fault"
)

// Effect is what a call does to the world.
type Effect int

const (
	Reads    Effect = iota // changes nothing; may be repeated
	Mutates                // changes something that can be changed back
	Destroys               // something is gone afterwards
)

func (e Effect) String() string { return [...]string{"reads", "mutates", "destroys"}[e] }

// Module is one `require`-able provider.
type Module struct {
	Name      string // "hetzner"
	Doc       string // one or two sentences for the reference
	Settings  *Type  // of [env.NAME.<module>] in drhost.toml
	Functions []Function
	Services  []*Service
	// Open makes the client of one run. It must not call the provider: a
	// missing credential is a fault of kind invalid that names the variable.
	Open func(env Env) (any, error)
	// Inventory lists what the environment holds that a disaster may strike;
	// nil: the module knows of nothing. See Listing.
	Inventory func(ctx context.Context, client any) ([]Resource, error)
}

// NewModule declares a module whose client is C and whose settings are the
// struct S (same tags as arguments).
func NewModule[C, S any](name, doc string, open func(Env, S) (C, error), functions ...Function) *Module {
	settings := typeFor[S]()
	return &Module{Name: name, Doc: doc, Settings: settings, Functions: functions,
		Open: func(env Env) (any, error) {
			var s S
			if err := decodeInto(&s, settings, env.Settings, env.Secret); err != nil {
				return nil, err
			}
			return open(env, s)
		}}
}

// Function is a declared function with its Go types erased. Func is the one
// implementation.
type Function interface {
	Spec() *Spec
	// Decode turns plain data (maps, slices, strings, float64, bool) into the
	// function's argument struct. Errors are *ArgumentError.
	Decode(plain any, resolve Resolver) (any, error)
	// Call carries the call out. The result is plain data, see Encode.
	Call(ctx context.Context, client, args any) (any, error)
	// Predict answers in a plan, without touching anything.
	Predict(ctx context.Context, client, args any) (any, error)
	// Settle finds out whether a mutation with the idempotency key of ctx
	// landed. The result is plain data.
	Settle(ctx context.Context, client, args any) (Settlement[any], error)
}

// Spec is a declaration as data, for the checker, the reference and the policy.
type Spec struct {
	Module  string // filled in by Catalog
	Name    string
	Effect  Effect
	Doc     string
	Says    string // "reboot {server}[ in mode {mode}]": what is in brackets is said when its argument is given
	Raises  []fault.Kind
	Example string
	Args    *Type // a record
	Result  *Type
	// Target names the argument that holds what the call acts on, for
	// protected resources and approvals; empty when there is none.
	Target string

	says sentence // Says, taken apart
}

// Full is the name a runbook uses: "hetzner.reboot".
func (s *Spec) Full() string { return s.Module + "." + s.Name }

// Func declares one function of a provider with client C, arguments A (a
// struct) and result R. See DESIGN section 4 for the tags.
type Func[C, A, R any] struct {
	Name    string
	Effect  Effect
	Doc     string
	Says    string
	Raises  []fault.Kind
	Example string
	Target  string
	Call    func(C, context.Context, A) (R, error)
	// Predict answers in a plan; it may read the live provider but must not
	// change it. Values that only the write can give are made by Planned.
	// A read without Predict is carried out in a plan.
	Predict func(C, context.Context, A) (R, error)
	// Settled finds out what became of a mutation whose answer was lost. Its
	// fault not_found says that what the mutation acts on is not there: then
	// it is sent again, because that does nothing but say the same.
	Settled func(C, context.Context, A) (Settlement[R], error)
	spec    *Spec
}

// Landed is what is known of a mutation without an outcome.
type Landed int

const (
	Unknown Landed = iota // a person has to look
	Yes
	No // certainly not: it may be sent again
)

func (l Landed) String() string { return [...]string{"unknown", "yes", "no"}[l] }

// Settlement is the answer of Settled. Result counts when Landed is Yes; Look
// tells a person where to look when it is Unknown.
type Settlement[R any] struct {
	Landed Landed
	Result R
	Look   string
}

// Spec returns the declaration as data.
func (f *Func[C, A, R]) Spec() *Spec {
	if f.spec == nil {
		f.spec = &Spec{Name: f.Name, Effect: f.Effect, Doc: f.Doc, Says: f.Says, Raises: f.Raises,
			Example: f.Example, Target: f.Target, Args: typeFor[A](), Result: typeFor[R](), says: parseSentence(f.Says)}
	}
	return f.spec
}

// Decode implements Function.
func (f *Func[C, A, R]) Decode(plain any, resolve Resolver) (any, error) {
	var a A
	err := decodeInto(&a, f.Spec().Args, plain, resolve)
	return a, err
}

// Invoke implements Function.Call.
func (f *Func[C, A, R]) invoke(do func(C, context.Context, A) (R, error), ctx context.Context, client, args any) (any, error) {
	r, err := do(client.(C), ctx, args.(A))
	if err != nil {
		return nil, err
	}
	return Encode(r), nil
}

type erased[C, A, R any] struct{ *Func[C, A, R] }

func (e erased[C, A, R]) Call(ctx context.Context, client, args any) (any, error) {
	return e.invoke(e.Func.Call, ctx, client, args)
}

func (e erased[C, A, R]) Predict(ctx context.Context, client, args any) (any, error) {
	if e.Func.Predict == nil {
		return e.invoke(e.Func.Call, ctx, client, args)
	}
	return e.invoke(e.Func.Predict, ctx, client, args)
}

func (e erased[C, A, R]) Settle(ctx context.Context, client, args any) (Settlement[any], error) {
	if e.Func.Settled == nil {
		return Settlement[any]{}, nil
	}
	s, err := e.Func.Settled(client.(C), ctx, args.(A))
	return Settlement[any]{Landed: s.Landed, Result: Encode(s.Result), Look: s.Look}, err
}

// Declare erases the types of f, so that it fits a module's list.
func Declare[C, A, R any](f Func[C, A, R]) Function {
	f.Spec()
	return erased[C, A, R]{&f}
}

// None is the result of a function that has nothing to say.
type None struct{}

type idempotencyKey struct{}
type progressKey struct{}

// WithKey returns a context that carries the idempotency key of a mutation.
func WithKey(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, idempotencyKey{}, key)
}

// Key is made of run and call: the same on every attempt and after a resume,
// different for every other call. Lower-case letters, digits and dashes, at
// most 63 bytes, so that it fits a Hetzner label.
func Key(ctx context.Context) string {
	key, _ := ctx.Value(idempotencyKey{}).(string)
	return key
}

// WithProgress returns a context whose Progress messages go to report.
func WithProgress(ctx context.Context, report func(text string)) context.Context {
	return context.WithValue(ctx, progressKey{}, report)
}

// Progress tells the operator how a long call is getting on: "create_server
// 40 %". The terminal shows it; of a call that takes long the journal keeps a
// line now and then.
func Progress(ctx context.Context, format string, args ...any) {
	if report, ok := ctx.Value(progressKey{}).(func(string)); ok {
		report(fmt.Sprintf(format, args...))
	}
}
