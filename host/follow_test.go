package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/policy"
	"github.com/webhost-systems/drhost/host/run"
)

// Valve is what the works of these tests are about.
type Valve struct {
	Name string `lua:"name" doc:"Its name."`
	OK   bool   `lua:"ok" doc:"Whether it does what it should."`
	Note string `lua:"note" doc:"What is written on it."`
}

type valveArgs struct {
	Name string `lua:"name" doc:"Which valve."`
}

// works is a world that outlives the process that dies in these tests.
type works struct {
	mu      sync.Mutex
	refuses string // a change that is refused
	note    string // on every valve once one was turned
	turned  bool
	well    bool
	landed  map[string]string
	done    []string
}

func (w *works) act(ctx context.Context, what string) (Valve, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refuses != "" && strings.HasPrefix(what, w.refuses) {
		return Valve{}, fault.New(fault.Conflict, "it does not move")
	}
	if _, twice := w.landed[binding.Key(ctx)]; twice {
		what += " AGAIN"
	}
	w.landed[binding.Key(ctx)] = what
	w.done = append(w.done, what)
	w.turned = true
	return Valve{Name: what}, nil
}

func (w *works) settled(ctx context.Context) (binding.Settlement[Valve], error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if what, yes := w.landed[binding.Key(ctx)]; yes {
		return binding.Settlement[Valve]{Landed: binding.Yes, Result: Valve{Name: what}}, nil
	}
	return binding.Settlement[Valve]{Landed: binding.No}, nil
}

func (w *works) change(name string, effect binding.Effect) binding.Function {
	return binding.Declare(binding.Func[*works, valveArgs, Valve]{Name: name, Effect: effect, Doc: "Do it.", Says: name + " {name}",
		Example: `valve.` + name + ` { name = "main" }`, Target: "name",
		Call: func(w *works, ctx context.Context, a valveArgs) (Valve, error) { return w.act(ctx, name+" "+a.Name) },
		Predict: func(_ *works, _ context.Context, a valveArgs) (Valve, error) {
			return Valve{Name: binding.Planned("seal of " + a.Name)}, nil
		},
		Settled: func(w *works, ctx context.Context, _ valveArgs) (binding.Settlement[Valve], error) {
			return w.settled(ctx)
		}})
}

// host is drhost with these works as its only provider.
func (w *works) host(t *testing.T, state string) *Host {
	t.Helper()
	look := func(w *works, _ context.Context, a valveArgs) (Valve, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		v := Valve{Name: a.Name, Note: "fine", OK: w.well}
		if w.turned {
			v.Note = w.note
		}
		return v, nil
	}
	module := binding.NewModule[*works, struct{}]("valve", "Valves.", func(binding.Env, struct{}) (*works, error) { return w, nil },
		binding.Declare(binding.Func[*works, valveArgs, Valve]{Name: "look", Doc: "A valve.", Example: `valve.look { name = "main" }`, Call: look}),
		w.change("turn", binding.Mutates), w.change("shut", binding.Mutates), w.change("drain", binding.Destroys))
	h, err := New([]*binding.Module{module}, nil, nil, nil, "test")
	if err != nil {
		t.Fatal(err)
	}
	h.State = state
	h.Seams.Clock = func(clock.Clock) clock.Clock { return clock.Scaled{Factor: 10000} }
	return h
}

const valves = `local valve = require "valve"
return runbook { title = "Valves", objective = { rto = "1h" }, input = { name = { doc = "Which", example = "main" } }, run = function(input)
  local turned = step("Turn it", function() return valve.turn { name = input.name }.name end)
  step("Look at it", function()
    local v = valve.look { name = input.name }
    if v.note == "rusty" then valve.shut { name = input.name .. "-inlet" } end
    if v.note == "rusty" or v.note == "leaking" then valve.drain { name = input.name } end
  end)
  local well = step("Wait", function()
    return eventually("20s", { every = "10s" }, function() return valve.look { name = input.name }.ok end)
  end)
  if well then return finish("it works") end
  step("Seal it", function() valve.shut { name = turned } end)
  return finish("shut")
end }
`

// site is a folder with the runbook and the works it is about.
type site struct {
	*works
	dir string
	h   *Host
}

func newSite(t *testing.T) *site {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"drhost.toml": "default_env = \"here\"\n[env.here]\n[env.there]\n", "valves.lua": valves} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w := &works{note: "fine", landed: map[string]string{}}
	return &site{works: w, dir: dir, h: w.host(t, filepath.Join(dir, ".drhost"))}
}

func (s *site) request(r Request) Request {
	r.Runbook = filepath.Join(s.dir, "valves.lua")
	if r.Input == nil {
		r.Input = map[string]string{"name": "main"}
	}
	if r.Operator == nil {
		r.Operator = &Unattended{}
	}
	return r
}

func (s *site) plan(t *testing.T) string {
	t.Helper()
	r, err := s.h.Run(t.Context(), s.request(Request{Mode: policy.Plan}))
	if err != nil || r.End.Result != "done" {
		t.Fatalf("plan: %+v, %v", r, err)
	}
	if len(s.done) > 0 {
		t.Fatalf("the plan did %v", s.done)
	}
	return r.ID
}

// TestFollowed: a run that does what was planned says so, on each of its ways.
func TestFollowed(t *testing.T) {
	for _, well := range []bool{true, false} {
		s := newSite(t)
		id := s.plan(t)
		s.well = well
		r, err := s.h.Run(t.Context(), s.request(Request{Plan: id}))
		if err != nil || r.End.Result != "done" {
			t.Fatalf("%+v, %v", r, err)
		}
		if r.Report.Follows != id || len(r.Report.Deviations) != 0 || len(r.Report.NotDone) != 0 {
			t.Errorf("well %v: follows %q, deviations %+v, not done %+v", well, r.Report.Follows, r.Report.Deviations, r.Report.NotDone)
		}
		var out bytes.Buffer
		if err := s.h.Summary(&out, r, false); err != nil || !strings.Contains(out.String(), "as planned") {
			t.Errorf("%v: %s", err, &out)
		}
		if _, err := s.h.Verify(t.Context(), s.dir, id); err != nil {
			t.Error(err)
		}
	}
}

// TestDeviates: an unplanned change is told, one that destroys something is
// asked about first, and what was planned but not done is listed.
func TestDeviates(t *testing.T) {
	s := newSite(t)
	id := s.plan(t)
	s.note, s.well = "rusty", true
	r, err := s.h.Run(t.Context(), s.request(Request{Plan: id, Operator: &Unattended{Yes: true}}))
	if err != nil {
		t.Fatal(err)
	}
	if r.End.Exit != run.ExitWaits || !strings.Contains(r.End.Message, "NOT IN PLAN "+id) || !strings.Contains(r.End.Message, "--yes=destroys") {
		t.Errorf("it ends in %+v", r.End)
	}
	if got := strings.Join(s.done, ", "); got != "turn main, shut main-inlet" {
		t.Errorf("it did %s", got)
	}
	if d := r.Report.Deviations; len(d) != 2 || d[0].Asked || !d[1].Asked || d[1].Says != "drain main" || d[1].Site.Line != 7 {
		t.Errorf("deviations: %+v", d)
	}
	r, err = s.h.Resume(t.Context(), s.dir, r.ID, Request{Operator: &Unattended{}, YesDestroy: true})
	if err != nil || r.End.Result != "done" {
		t.Fatalf("%+v, %v", r, err)
	}
	if len(r.Report.Deviations) != 2 || len(r.Report.NotDone) != 0 {
		t.Errorf("deviations: %+v, not done: %+v", r.Report.Deviations, r.Report.NotDone)
	}
	var text bytes.Buffer
	if err := s.h.WriteReport(&text, r, "md"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"## Deviations from the plan", "drain main", "valves.lua:7", "destroys", "no such call in this step"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the report says nothing of %q", want)
		}
	}
}

// TestAskedOnce: a person at the run is asked about an unplanned change that
// destroys something, in words that say so, and may say no.
func TestAskedOnce(t *testing.T) {
	s := newSite(t)
	id := s.plan(t)
	s.note = "leaking"
	asked := &asking{}
	r, err := s.h.Run(t.Context(), s.request(Request{Plan: id, Operator: asked}))
	if err != nil || r.End.Exit != run.ExitWaits || len(asked.texts) != 1 || !strings.Contains(asked.texts[0], "NOT IN PLAN") {
		t.Errorf("%+v, %v, asked %q", r, err, asked.texts)
	}
	if got := strings.Join(s.done, ", "); got != "turn main" {
		t.Errorf("it did %s", got)
	}
}

// TestNotDone: what was planned on the way that a run has taken, and not come
// to, is listed.
func TestNotDone(t *testing.T) {
	s := newSite(t)
	id := s.plan(t)
	s.refuses = "shut"
	r, err := s.h.Run(t.Context(), s.request(Request{Plan: id}))
	if err != nil || r.End.Result != "failed" {
		t.Fatalf("%+v, %v", r, err)
	}
	if left := r.Report.NotDone; len(left) != 1 || left[0].Call != "valve.shut" || len(r.Report.Deviations) != 0 {
		t.Errorf("not done: %+v, deviations: %+v", left, r.Report.Deviations)
	}
}

// asking denies and remembers.
type asking struct {
	Unattended
	texts []string
}

func (a *asking) Approve(_ context.Context, q gate.Question) (gate.Answer, error) {
	a.texts = append(a.texts, q.Text)
	return gate.Answer{Text: "denied", By: "mira"}, nil
}

// TestFollowRefuses: a plan of something else is not followed.
func TestFollowRefuses(t *testing.T) {
	s := newSite(t)
	id := s.plan(t)
	started, err := s.h.Run(t.Context(), s.request(Request{}))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		r    Request
		want string
	}{
		"another input":       {Request{Plan: id, Input: map[string]string{"name": "side"}}, "input name=main"},
		"another environment": {Request{Plan: id, Env: "there"}, "environment here"},
		"no plan":             {Request{Plan: started.ID}, "is no plan"},
		"nothing":             {Request{Plan: "nosuch"}, `there is no run "nosuch"`},
	} {
		if _, err := s.h.Run(t.Context(), s.request(c.r)); err == nil || !strings.Contains(err.Error(), c.want) || ExitCode(err) != ExitUsage {
			t.Errorf("%s: %v", name, err)
		}
	}
	edited := strings.Replace(valves, `finish("shut")`, `finish("tight")`, 1)
	if err := os.WriteFile(filepath.Join(s.dir, "valves.lua"), []byte(edited), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.h.Run(t.Context(), s.request(Request{Plan: id})); err == nil || !strings.Contains(err.Error(), `+  return finish("tight")`) {
		t.Errorf("an edited runbook: %v", err)
	}
}

// TestFollowOld: a plan says its age.
func TestFollowOld(t *testing.T) {
	s := newSite(t)
	id := s.plan(t)
	s.h.Clock = late{}
	warned := ""
	if _, err := s.h.Run(t.Context(), s.request(Request{Plan: id, Warn: func(text string) { warned = text }})); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(warned, "1 h 00 min ago") {
		t.Errorf("warned of %q", warned)
	}
}

// late is a clock an hour ahead.
type late struct{ clock.System }

func (late) Now() time.Time { return clock.System{}.Now().Add(time.Hour) }

var errDied = errors.New("died")

// dying is a store whose journals die after so many appends.
type dying struct {
	journal.Store
	left int
}

func (d *dying) Create(ctx context.Context, id string, by journal.Holder) (journal.Log, error) {
	log, err := d.Store.Create(ctx, id, by)
	return &dyingLog{log, d}, err
}

func (d *dying) Open(ctx context.Context, id string, by journal.Holder) (journal.Log, error) {
	log, err := d.Store.Open(ctx, id, by)
	return &dyingLog{log, d}, err
}

type dyingLog struct {
	journal.Log
	of *dying
}

func (l *dyingLog) Append(kind journal.Kind, payload any, sync bool) (journal.Record, error) {
	if l.of.left == 0 {
		return journal.Record{}, errDied
	}
	l.of.left--
	return l.Log.Append(kind, payload, sync)
}

// TestFollowedThroughDeath: wherever a run dies that follows a plan, in the end
// each deviation is told once and nothing was done twice.
func TestFollowedThroughDeath(t *testing.T) {
	for appends := 1; ; appends += 1 + appends/2 {
		s := newSite(t)
		id := s.plan(t)
		s.note = "rusty"
		store := &dying{left: appends}
		s.h.Seams.Store = func(real journal.Store) journal.Store { store.Store = real; return store }
		r, err := s.h.Run(t.Context(), s.request(Request{ID: "r", Plan: id, YesDestroy: true}))
		deaths := 0
		for ; err != nil || r.End.Result != "done"; deaths++ {
			if deaths > 300 {
				t.Fatalf("dying after %d appends it never ends: %+v, %v", appends, r, err)
			}
			store.left = appends
			if r, err = s.h.Resume(t.Context(), s.dir, "r", Request{YesDestroy: true}); err != nil && strings.Contains(err.Error(), "died before its first record") {
				r, err = s.h.Run(t.Context(), s.request(Request{ID: "r", Plan: id, YesDestroy: true}))
			}
			if err != nil && !errors.Is(err, errDied) {
				t.Fatalf("dying after %d appends: %v", appends, err)
			}
		}
		if got := strings.Join(s.done, ", "); got != "turn main, shut main-inlet, drain main, shut turn main" {
			t.Fatalf("dying after %d appends it did %s", appends, got)
		}
		var said []string
		for _, d := range r.Report.Deviations {
			said = append(said, d.Says)
		}
		if fmt.Sprint(said) != "[shut main-inlet drain main]" || len(r.Report.NotDone) != 0 || r.Report.Follows != id {
			t.Fatalf("dying after %d appends: deviations %v, not done %+v", appends, said, r.Report.NotDone)
		}
		if deaths == 0 {
			if appends < 15 {
				t.Errorf("it was never killed after %d appends", appends)
			}
			return
		}
	}
}
