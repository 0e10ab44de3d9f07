package sandbox

import (
	"strings"
	"testing"

	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/policy"
	"github.com/webhost-systems/drhost/host/run"
	"github.com/webhost-systems/drhost/host/secret"
)

// TestWorldCannotBeChanged: a script that overwrites a fault of the world, or
// slips it another name, would break nothing and see its drill pass.
func TestWorldCannotBeChanged(t *testing.T) {
	for body, want := range map[string]string{
		`world.kill = nil`:                      "world cannot be changed",
		`world.kill = function() end`:           "world cannot be changed",
		`world.fresh = 1`:                       "world cannot be changed",
		`rawset(world, "kill", function() end)`: "cannot be changed",
		`setmetatable(world, {})`:               "protected metatable",
		`table.insert(world, 1)`:                "cannot be changed",
		`local w = world w.kil(w)`:              `did you mean "kill"`,
		`for name in pairs(world) do assert(name == "kill") end world:kill("hobby-1")`: "",
	} {
		var killed []any
		s, err := Load(Options{Source: Source{File: "t.lua", Text: []byte("return runbook { title = \"T\", run = function(world)\n" + body + "\nend }")}, Catalog: testCatalog(t)})
		if err != nil {
			t.Fatal(err)
		}
		world := s.Object("world", map[string]Method{"kill": func(args []any) (any, error) {
			killed = append(killed, args...)
			return nil, nil
		}})
		g, err := gate.New(gate.Options{Run: "r", Rules: policy.Rules{Mode: policy.Run}, Clock: clock.System{}, Redactor: &secret.Redactor{}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		e := run.New(run.Options{Gate: g, Clock: clock.System{}, Operator: refuser{}, Started: journal.Started{Run: "r", Mode: "run"}})
		s.Begin(Session{Engine: e, Gate: g})
		end := e.Run(t.Context(), s.Body("run", world))
		switch {
		case want == "" && (end.Result != "done" || len(killed) != 1):
			t.Errorf("%s: %s %s, killed %v", body, end.Result, end.Message, killed)
		case want != "" && (end.Result != "failed" || !strings.Contains(end.Message, want)):
			t.Errorf("%s: %s %q, not %q", body, end.Result, end.Message, want)
		}
	}
}
