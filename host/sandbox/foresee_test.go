package sandbox

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/plan"
	"github.com/webhost-systems/drhost/host/policy"
	"github.com/webhost-systems/drhost/host/run"
	"github.com/webhost-systems/drhost/host/secret"
)

// Lamp is what a plan's provider tells of.
type Lamp struct {
	Name  string         `lua:"name" doc:"Its name."`
	State string         `lua:"state" doc:"on or off."`
	OK    bool           `lua:"ok" doc:"Whether it is well."`
	Watts int            `lua:"watts" doc:"How bright."`
	Tags  []string       `lua:"tags" doc:"Tags."`
	More  any            `lua:"more,optional" doc:"Anything else."`
	Rows  map[string]int `lua:"rows" doc:"Numbers by name."`
}

type lampArgs struct {
	Name string `lua:"name" doc:"Which."`
}

// lamps counts what it is asked.
type lamps struct{ reads, writes int }

func lampCatalog(t *testing.T, world *lamps) *binding.Catalog {
	t.Helper()
	look := func(_ *lamps, _ context.Context, a lampArgs) (Lamp, error) {
		world.reads++
		if a.Name == "missing" {
			return Lamp{}, fault.New(fault.NotFound, "there is no lamp %q", a.Name)
		}
		return Lamp{Name: a.Name, State: "off", Tags: []string{}}, nil
	}
	write := func(*lamps, context.Context, lampArgs) (Lamp, error) {
		world.writes++
		return Lamp{}, nil
	}
	predict := func(_ *lamps, _ context.Context, a lampArgs) (Lamp, error) {
		return Lamp{Name: binding.Planned("name of " + a.Name), State: "on", OK: true, Watts: binding.PlannedInteger, Tags: []string{}}, nil
	}
	settled := func(*lamps, context.Context, lampArgs) (binding.Settlement[Lamp], error) {
		return binding.Settlement[Lamp]{}, nil
	}
	catalog, err := binding.NewCatalog(binding.NewModule[*lamps, struct{}]("lamp", "Lamps.",
		func(binding.Env, struct{}) (*lamps, error) { return world, nil },
		binding.Declare(binding.Func[*lamps, lampArgs, Lamp]{Name: "look", Doc: "A lamp.", Example: `lamp.look { name = "a" }`, Call: look}),
		binding.Declare(binding.Func[*lamps, lampArgs, Lamp]{Name: "light", Effect: binding.Mutates, Doc: "Light it.", Says: "light {name}",
			Example: `lamp.light { name = "a" }`, Call: write, Predict: predict, Settled: settled}),
		binding.Declare(binding.Func[*lamps, lampArgs, Lamp]{Name: "smash", Effect: binding.Destroys, Doc: "Smash it.", Says: "smash {name}",
			Example: `lamp.smash { name = "a" }`, Call: write, Predict: predict, Settled: settled})))
	if err != nil {
		t.Fatal(err)
	}
	return catalog
}

// foreseen plans a runbook whose run function has the given body.
func foreseen(t *testing.T, body string, limit int) (journal.Plan, *lamps) {
	t.Helper()
	world := &lamps{}
	catalog := lampCatalog(t, world)
	source := `local lamp = require "lamp"
return runbook { title = "T", input = {}, run = function(input)
` + body + `
end }`
	book := plan.NewBook(func(journal.Outcome) error { return nil })
	ways, left, err := plan.Explore(t.Context(), book, limit, func() bool { return false }, func(ctx context.Context, way *plan.Way) error {
		s, err := Load(Options{Source: Source{File: "t.lua", Text: []byte(source)}, Catalog: catalog, Foresee: true})
		if err != nil {
			return err
		}
		g, err := gate.New(gate.Options{Run: "t", Clock: clock.System{}, Redactor: &secret.Redactor{}, Way: way, Rules: policy.Rules{Mode: policy.Plan}}, nil)
		if err != nil {
			return err
		}
		engine := run.New(run.Options{Gate: g, Clock: clock.System{}, Started: journal.Started{Run: "t", Mode: "plan", RTO: "1h"}})
		s.Begin(Session{Engine: engine, Gate: g, Clients: map[string]any{"lamp": world}})
		engine.Run(ctx, s.Body("run", Input{}))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if world.writes != 0 {
		t.Fatalf("the plan changed something %d times", world.writes)
	}
	return plan.Of(ways, left, book.Reads()), world
}

// TestForesee: where a runbook branches on what nobody can know yet both ways
// are followed, and nowhere else.
func TestForesee(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		ends []string // of the ways, in any order
	}{
		"nothing is changed": {`local l = lamp.look { name = "a" }
			if l.ok or l.state == "on" then return finish("on") end
			return finish("off")`, []string{"off"}},
		"a comparison with a planned text": {`local l = lamp.light { name = "a" }
			return finish(l.name == "x" and "x" or "another")`, []string{"x", "another"}},
		"a planned number": {`local l = lamp.light { name = "a" }
			local half = l.watts / 2 + 1
			return finish(half > 10 and "bright" or "dim")`, []string{"bright", "dim"}},
		"a planned number in words": {`local l = lamp.light { name = "a" }
			return finish("with " .. math.floor(l.watts) .. " W")`, []string{"with ‹planned: number› W"}},
		"what was known stays known": {`local l = lamp.light { name = "a" }
			return finish(l.state == "on" and #"abc" == 3 and 2 >= 1 and "on" or "off")`, []string{"on"}},
		"a read of the world before changes": {`lamp.light { name = "a" }
			local l = lamp.look { name = "a" }
			if not l.ok then return finish("not well") end
			return finish("well " .. tostring(l.ok))`, []string{"not well", "well true"}},
		"a state read before changes": {`lamp.light { name = "a" }
			return finish(lamp.look { name = "a" }.state == "on" and "on" or "off")`, []string{"on", "off"}},
		"a name read before changes": {`lamp.light { name = "a" }
			return finish(lamp.look { name = "a" }.name == "a" and "a" or "another")`, []string{"a"}},
		"an answer through a step": {`local l = lamp.light { name = "a" }
			local ok = step("look", function() return lamp.look { name = l.name } end).ok
			return finish(ok and "well" or "not well")`, []string{"not well", "well"}},
		"eventually": {`lamp.light { name = "a" }
			if eventually("2m", function() return lamp.look { name = "a" }.ok end) then return finish("well") end
			return finish("never")`, []string{"well", "never"}},
		"eventually, of a world as it is": {`if eventually("2m", function() return lamp.look { name = "a" }.state == "off" end) then return finish("off") end
			return finish("never")`, []string{"off"}},
		"expect": {`lamp.light { name = "a" }
			expect("it is lit", false)
			return finish("lit")`, []string{"lit", "t.lua:4: expected: it is lit"}},
		"expect, of eventually": {`lamp.light { name = "a" }
			expect("it is lit", eventually("1m", function() return false end))
			return finish("lit")`, []string{"lit", "t.lua:4: expected: it is lit"}},
		"ask": {`return finish(ask("which?", { choices = { "a", "b", "c" } }))`, []string{"a", "b", "c"}},
		"pcall": {`local ok, err = pcall(function() lamp.light { name = "a" } end)
			return finish(ok and "lit" or tostring(err.kind))`, []string{"lit", "‹planned: kind of the fault›"}},
		"pcall without a change": {`local ok = pcall(function() lamp.look { name = "missing" } end)
			return finish(tostring(ok))`, []string{"false"}},
		"a read that fails as yet": {`lamp.light { name = "a" }
			local ok, l = pcall(lamp.look, { name = "missing" })
			return finish(tostring(ok))`, []string{"true", "false"}},
		"a list": {`local l = lamp.light { name = "a" }
			for _, tag in ipairs(lamp.look { name = l.name }.tags) do lamp.smash { name = tag } end
			return finish("through")`, []string{"through", "through"}},
		"the length of a list": {`local l = lamp.light { name = "a" }
			return finish(#lamp.look { name = l.name }.tags == 0 and "none" or "some")`, []string{"none", "some"}},
		"a match": {`local l = lamp.light { name = "a" }
			local n = l.name:match("^lamp(%d+)$")
			return finish(n and "numbered" or "not")`, []string{"numbered", "not"}},
		"data of no fixed shape": {`local l = lamp.light { name = "a" }
			return finish(lamp.look { name = l.name }.more.deep.state == "ok" and "ok" or "no")`, []string{"ok", "no"}},
		"a number in a map": {`local l = lamp.light { name = "a" }
			return finish(lamp.look { name = l.name }.rows.x > 0 and "rows" or "none")`, []string{"rows", "none"}},
		"the time": {`lamp.light { name = "a" }
			return finish(run:remaining() < 600 and "late" or "early")`, []string{"late", "early"}},
		"a branch that may fail": {`local _, failed = parallel("both", { a = function() lamp.light { name = "a" } end,
				b = function() return 1 end }, { keep_going = true })
			return finish(failed.a and "a failed" or "a works")`, []string{"a failed", "a works"}},
		"a loop until it is": {`local l
			repeat l = lamp.light { name = "a" } until l.name == "x"
			return finish("x")`, []string{"x", "x", "x", "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := foreseen(t, c.body, 20)
			var ends []string
			for _, w := range p.Ways {
				ends = append(ends, w.Message)
			}
			slices.Sort(ends)
			slices.Sort(c.ends)
			if !slices.Equal(ends, c.ends) {
				t.Errorf("the ways end in %q, not in %q", ends, c.ends)
			}
		})
	}
}

// TestForeseeAnswers: the words of a fork say what the runbook meets.
func TestForeseeAnswers(t *testing.T) {
	for _, op := range []string{"==", "~="} {
		p, _ := foreseen(t, `local l = lamp.light { name = "a" }
			if l.name `+op+` "x" then note("it is so") end`, 10)
		fork := p.Tree[1]
		for _, c := range fork.Choices {
			if (c.Answer == "yes") != (len(c.Then) == 1 && c.Then[0].Title == "it is so") {
				t.Errorf("%s: after %q comes %+v", fork.Title, c.Answer, c.Then)
			}
		}
		if want := `is ‹planned: name of a› ` + op + ` x?`; fork.Title != want {
			t.Errorf("the question is %q", fork.Title)
		}
	}
}

// TestForeseeLimit: what is not followed is told, and every decision was
// answered in both manners before two are combined.
func TestForeseeLimit(t *testing.T) {
	p, world := foreseen(t, `local names = {}
		for i = 1, 6 do
			local l = lamp.light { name = "a" .. i }
			step("look " .. i, function() names[i] = lamp.look { name = "here" .. i }.ok and "1" or "0" end)
		end
		return finish(table.concat(names))`, 10)
	if len(p.Ways) != 10 || p.LeftOut == 0 {
		t.Fatalf("%d ways, %d choices left out", len(p.Ways), p.LeftOut)
	}
	for i := range 6 {
		want := strings.Repeat("1", i) + "0"
		if !slices.ContainsFunc(p.Ways, func(w journal.PlanWay) bool { return strings.HasPrefix(w.Message, want) }) {
			t.Errorf("no way answers decision %d with no", i+1)
		}
	}
	if world.reads != 6 {
		t.Errorf("%d reads of the provider, 6 are enough", world.reads)
	}
}

// TestForeseeTree: what follows all answers alike is told once.
func TestForeseeTree(t *testing.T) {
	p, _ := foreseen(t, `lamp.light { name = "a" }
		if lamp.look { name = "a" }.ok then note("well") else lamp.smash { name = "a" } end
		lamp.light { name = "b" }`, 10)
	var forms []string
	for _, n := range p.Tree {
		forms = append(forms, n.Form)
	}
	if got := strings.Join(forms, " "); got != "call call fork call end" {
		t.Errorf("the tree reads %s", got)
	}
	fork := p.Tree[2]
	if len(fork.Choices) != 2 || len(fork.Choices[0].Then) != 1 || fork.Choices[0].Then[0].Title != "well" ||
		len(fork.Choices[1].Then) != 2 || fork.Choices[1].Then[0].Form != "approval" || fork.Choices[1].Then[1].Effect != "destroys" {
		t.Errorf("the fork is %+v", fork)
	}
	if len(p.Calls) != 3 || len(p.Ways[0].Calls) != 2 || len(p.Ways[1].Calls) != 3 {
		t.Errorf("calls %+v, ways %+v", p.Calls, p.Ways)
	}
}
