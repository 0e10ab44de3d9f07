package policy

import (
	"testing"

	"github.com/webhost-systems/drhost/host/binding"
)

func TestDecide(t *testing.T) {
	protected := map[string]bool{"db-1": true}
	for _, c := range []struct {
		name  string
		r     Request
		rules Rules
		want  Verdict
		typed string
	}{
		{"a read in a run", Request{Effect: binding.Reads}, Rules{Mode: Run}, Allow, ""},
		{"a read in a plan", Request{Effect: binding.Reads}, Rules{Mode: Plan}, Allow, ""},
		{"a mutation in a run", Request{Effect: binding.Mutates}, Rules{Mode: Run}, Allow, ""},
		{"a mutation in a plan", Request{Effect: binding.Mutates}, Rules{Mode: Plan}, Predict, ""},
		{"a destruction in a run", Request{Effect: binding.Destroys}, Rules{Mode: Run}, Ask, ""},
		{"a destruction in a plan", Request{Effect: binding.Destroys}, Rules{Mode: Plan}, Predict, ""},
		{"a destruction, allowed beforehand", Request{Effect: binding.Destroys}, Rules{Mode: Run, YesDestroys: true}, Allow, ""},
		{"a protected target", Request{Effect: binding.Mutates, Target: "db-1"}, Rules{Mode: Run, Protected: protected}, Ask, "db-1"},
		{"a protected target is asked for in spite of --yes=destroys", Request{Effect: binding.Destroys, Target: "db-1"},
			Rules{Mode: Run, Protected: protected, YesDestroys: true}, Ask, "db-1"},
		{"reading a protected target", Request{Effect: binding.Reads, Target: "db-1"}, Rules{Mode: Run, Protected: protected}, Allow, ""},
		{"a protected name in other letters, with a dot", Request{Effect: binding.Mutates, Target: "DB-1."}, Rules{Mode: Run, Protected: protected}, Ask, "DB-1."},
		{"a call whose target is something else of a protected server", Request{Effect: binding.Mutates, Target: "hobby-ip", Args: map[string]any{"server": "db-1"}},
			Rules{Mode: Run, Protected: protected}, Ask, "db-1"},
		{"a record of a protected zone", Request{Effect: binding.Mutates, Target: "www", Args: map[string]any{"zone": "db-1"}}, Rules{Mode: Run, Protected: protected}, Ask, "db-1"},
		{"like a protected server, another one", Request{Effect: binding.Mutates, Target: "db-2", Args: map[string]any{"like": "db-1"}}, Rules{Mode: Run, Protected: protected}, Allow, ""},
		{"a protected target in a plan", Request{Effect: binding.Destroys, Target: "db-1"}, Rules{Mode: Plan, Protected: protected}, Predict, ""},
		{"a read while halted", Request{Effect: binding.Reads, Halted: "an audit"}, Rules{Mode: Run}, Allow, ""},
		{"a mutation while halted", Request{Effect: binding.Mutates, Halted: "an audit"}, Rules{Mode: Run}, Hold, ""},
		{"a drill's mutation while halted", Request{Effect: binding.Mutates, Halted: "an audit"}, Rules{Mode: Drill}, Hold, ""},
		{"a destruction while halted is not asked about", Request{Effect: binding.Destroys, Target: "db-1", Halted: "an audit"}, Rules{Mode: Run, Protected: protected}, Hold, ""},
		{"--yes=destroys does not lift a halt", Request{Effect: binding.Destroys, Halted: "an audit"}, Rules{Mode: Run, YesDestroys: true}, Hold, ""},
		{"a plan while halted", Request{Effect: binding.Mutates, Halted: "an audit"}, Rules{Mode: Plan}, Predict, ""},
		{"break-glass while halted", Request{Effect: binding.Mutates, Halted: "an audit"}, Rules{Mode: Run, BreakGlass: "why"}, Allow, ""},
		{"break-glass does not type a name", Request{Effect: binding.Mutates, Target: "db-1", Halted: "an audit"}, Rules{Mode: Run, BreakGlass: "why", Protected: protected}, Ask, "db-1"},
		{"a read while paused", Request{Effect: binding.Reads, Paused: "wait"}, Rules{Mode: Run}, Hold, ""},
		{"break-glass does not lift a pause", Request{Effect: binding.Mutates, Paused: "wait"}, Rules{Mode: Run, BreakGlass: "why"}, Hold, ""},
		{"a call without a target", Request{Effect: binding.Mutates}, Rules{Mode: Run, Protected: map[string]bool{"": true}}, Allow, ""},
	} {
		got := Decide(c.r, c.rules)
		if got.Verdict != c.want || got.Type != c.typed {
			t.Errorf("%s: got %+v, want verdict %d typed %q", c.name, got, c.want, c.typed)
		}
	}
}
