package sandbox

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/policy"
	"github.com/webhost-systems/drhost/host/run"
	"github.com/webhost-systems/drhost/host/secret"
)

// Box is what the test's provider deals in.
type Box struct {
	Name string `lua:"name" doc:"Its name."`
	Size int    `lua:"size" doc:"How big."`
	Note string `lua:"note,optional" doc:"Remarks."`
}

type boxArgs struct {
	Name string        `lua:"name" doc:"Name of the box."`
	Size int           `lua:"size" default:"1" doc:"How big."`
	Key  secret.Value  `lua:"key,optional" doc:"Opens it."`
	Wait time.Duration `lua:"wait" default:"1s" doc:"How long."`
}

type boxes struct {
	lock  sync.Mutex
	calls []string
}

func testCatalog(t *testing.T) *binding.Catalog {
	t.Helper()
	open := func(c *boxes, _ context.Context, a boxArgs) (Box, error) {
		c.lock.Lock()
		c.calls = append(c.calls, "open "+a.Name+" "+a.Key.Reveal())
		c.lock.Unlock()
		if a.Name == "missing" {
			return Box{}, fault.New(fault.NotFound, "there is no box %q", a.Name).WithHint("look in the cellar")
		}
		return Box{Name: a.Name, Size: a.Size}, nil
	}
	catalog, err := binding.NewCatalog(binding.NewModule[*boxes, struct{}]("box", "Boxes.",
		func(binding.Env, struct{}) (*boxes, error) { return &boxes{}, nil },
		binding.Declare(binding.Func[*boxes, boxArgs, Box]{Name: "box", Doc: "A box.", Example: `box.box { name = "a" }`, Call: open}),
		binding.Declare(binding.Func[*boxes, boxArgs, Box]{Name: "fill", Effect: binding.Mutates, Doc: "Fill it.", Says: "fill {name} ({size})",
			Example: `box.fill { name = "a" }`, Call: open,
			Predict: func(_ *boxes, _ context.Context, a boxArgs) (Box, error) { return Box{Name: a.Name}, nil },
			Settled: func(*boxes, context.Context, boxArgs) (binding.Settlement[Box], error) {
				return binding.Settlement[Box]{}, nil
			}})))
	if err != nil {
		t.Fatal(err)
	}
	return catalog
}

// play loads and runs a runbook whose run function has the given body.
func play(t *testing.T, body string) (journal.Finished, *boxes) {
	t.Helper()
	end, client, err := tryPlay(t, `local box = require "box"
return runbook { title = "T", input = { server = { doc = "x" } }, run = function(input)
`+body+`
end }`)
	if err != nil {
		t.Fatal(err)
	}
	return end, client
}

func tryPlay(t *testing.T, source string) (journal.Finished, *boxes, error) {
	t.Helper()
	s, err := Load(Options{Source: Source{File: "t.lua", Text: []byte(source)}, Catalog: testCatalog(t)})
	if err != nil {
		return journal.Finished{}, nil, err
	}
	client := &boxes{}
	redactor := &secret.Redactor{}
	g, err := gate.New(gate.Options{Run: "r", Rules: policy.Rules{Mode: policy.Run}, Clock: clock.Scaled{Factor: 1000}, Redactor: redactor}, nil)
	if err != nil {
		t.Fatal(err)
	}
	e := run.New(run.Options{Gate: g, Clock: clock.Scaled{Factor: 1000}, Operator: refuser{}, Started: journal.Started{Run: "r", Mode: "run", RTO: "1h", DetectedAt: time.Now()}})
	s.Begin(Session{Engine: e, Gate: g, Clients: map[string]any{"box": client}, Secret: func(ref string) (secret.Value, error) {
		v := secret.New("s3cr3t-" + ref)
		redactor.Add(v)
		return v, nil
	}})
	return e.Run(context.Background(), s.Body("run", Input{"server": "hobby-1"})), client, nil
}

type refuser struct{ gate.Operator }

func (refuser) Recover(context.Context, gate.Failure) (gate.Remedy, error) {
	return gate.Remedy{}, gate.ErrNobody
}

func TestRunbookRuns(t *testing.T) {
	end, client := play(t, `
  local a = step("One", function() return box.box { name = "a", size = 3 } end)
  local out = parallel("Both", { x = function() return box.fill { name = "x" }.size end, y = function() return { a.size } end })
  local all = each("All", { "p", "q" }, { at_once = 1 }, function(name) return box.fill { name = name }.name end)
  local tries = 0
  local ok = eventually("1m", function() tries = tries + 1; return tries == 3 end)
  local again = retry({ attempts = 3 }, function() tries = tries + 1; if tries < 5 then error("not yet") end; return tries end)
  note("seen", { a = a.size })
  expect("it adds up", out.y[1] == 3 and out.x == 1 and all.p == "p" and ok and again == 5 and run.id == "r" and run:remaining() > 0)
  print("x", 1)
  assert(run:result("One").size == 3 and a.note == nil and input.server == "hobby-1")
  return finish("done with " .. a.name)`)
	if end.Result != "done" || end.Message != "done with a" {
		t.Fatalf("%+v", end)
	}
	if got := len(client.calls); got != 4 {
		t.Fatalf("calls: %q", client.calls)
	}
}

func TestFaultsCanBeCaught(t *testing.T) {
	end, _ := play(t, `
  local ok, f = pcall(function() return box.box { name = "missing" } end)
  assert(not ok and f.kind == "not_found" and f.hint == "look in the cellar" and f.call == "box.box" and f.line == 4, tostring(f))
  assert(tostring(f) == 't.lua:4: box.box: there is no box "missing" (look in the cellar)', tostring(f))
  local fine, why = pcall(step, "Fails", function() error("no luck") end)
  assert(not fine and why.kind == "script", tostring(why))`)
	if end.Result != "done" {
		t.Fatalf("%+v", end)
	}
}

func TestSecretsStayHidden(t *testing.T) {
	end, client := play(t, `
  local key = secret("env:KEY")
  assert(tostring(key) == "[secret]")
  box.fill { name = "a", key = key }
  error("the key is " .. tostring(key))`)
	if client.calls[0] != "open a s3cr3t-env:KEY" || strings.Contains(end.Message, "s3cr3t") {
		t.Fatalf("%q %q", client.calls, end.Message)
	}
}

// TestMistakes: each names the line and what to do.
func TestMistakes(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{`box.bxo { name = "a" }`, `t.lua:3: there is no function box.bxo; did you mean "box"?`},
		{`box.box { nam = "a" }`, `t.lua:3: box.box: argument "nam": there is no such field; did you mean "name"?`},
		{`box.box { size = 2 }`, `argument "name": is required`},
		{`box.box { name = "a", size = "big" }`, `argument "size": must be a number`},
		{`box.box { name = "a", wait = "soon" }`, `argument "wait": must be a duration`},
		{`box.box("a")`, `takes exactly one table`},
		{`local b = box.box { name = "a" }; return b.siez`, `t.lua:3: sandbox.Box has no field "siez"; did you mean "size"?`},
		{`return input.servr`, `input has no field "servr"; did you mean "server"?`},
		{`return undefined_thing`, `undefined_thing`},
		{`step("A", { atempts = 2 }, function() end)`, `step has no option "atempts"; did you mean "attempts"?`},
		{`step("A", function() end) step("A", function() end)`, `two steps titled "A"`},
		{`step("A", function() return print end)`, `no plain data`},
		{`step("A", function() return 0 / 0 end)`, `no number that can be recorded`},
		{`eventually("soon", function() end)`, `no time such as`},
		{`return run.elapse`, `did you mean "elapsed"?`},
		{`run.id = "x"`, ``},
		{`rawset(box, "box", print)`, `table cannot be changed`},
		{`table.insert(box, 1)`, `table cannot be changed`},
		{`return run.elapsed()`, `with a colon`},
	} {
		end, _ := play(t, c.body)
		if end.Result != "failed" || !strings.Contains(end.Message, c.want) {
			t.Errorf("%s:\n got %s: %s\nwant %s", c.body, end.Result, end.Message, c.want)
		} else if end.Fault.Kind == fault.Internal {
			t.Errorf("%s: the script's mistake is called a fault of drhost itself", c.body)
		}
	}
}

func TestLoadingCallsNothing(t *testing.T) {
	for _, c := range []struct{ source, want string }{
		{`require("box").box { name = "a" }` + "\nreturn runbook {}", "t.lua:1: box.box is called while the file is loaded"},
		{"step('x', function() end)\nreturn runbook {}", "t.lua:1: step is called while the file is loaded"},
		{"local x = 1", "must end in"},
		{"return runbook { title = ", "t.lua:1"},
		{"stray = 1\nreturn runbook {}", "t.lua:1: global 'stray'"},
		{`require "bxo"` + "\nreturn runbook {}", `did you mean "box"?`},
	} {
		_, _, err := tryPlay(t, c.source)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.source, err, c.want)
		}
	}
}

func TestAListKeepsThePlacesAroundAGap(t *testing.T) {
	vs := &values{}
	L := lua.NewState()
	defer L.Close()
	list, ok := vs.toLua(L, []any{1.0, nil, 3.0, nil}).(*lua.LTable)
	if !ok || list.RawGetInt(1) != lua.LNumber(1) || list.RawGetInt(2) != lua.LNil || list.RawGetInt(3) != lua.LNumber(3) {
		t.Fatal(list)
	}
}
