// Package policy decides what a call may do: allow, hold, deny or ask. It is a
// pure function of the request and the rules: it asks nobody, reads nothing
// and remembers nothing.
package policy

import (
	"fmt"
	"strings"

	"github.com/webhost-systems/drhost/host/binding"
)

// Mode is how a run is meant.
type Mode string

const (
	Run   Mode = "run"
	Plan  Mode = "plan"
	Drill Mode = "drill"
)

// Request is one call about to be made.
type Request struct {
	Call   string
	Effect binding.Effect
	Target string         // what it acts on: a server's name, a zone, a database
	Args   map[string]any // as the runbook gave them, defaults filled in
	Says   string
	Halted string // why no run may change anything at present; "": nothing is halted
	Paused string // why this run is to wait; "": it is not
}

// Rules are fixed when a run starts.
type Rules struct {
	Mode        Mode
	Protected   map[string]bool // names, as Name gives them, whose change needs their name typed
	YesDestroys bool            // --yes=destroys
	BreakGlass  string          // the justification for going on in spite of a halt; "": none
}

// Verdict is what the policy says.
type Verdict int

const (
	Allow Verdict = iota
	Ask
	Deny
	Predict // a plan: answer without acting
	Hold    // wait until the reason is gone
)

// Decision is a verdict with its reason. Type is what must be typed to
// consent, empty when yes is enough.
type Decision struct {
	Verdict Verdict
	Reason  string
	Type    string
}

// Decide applies the rules to r. What is held is not asked about yet.
func Decide(r Request, rules Rules) Decision {
	switch {
	case rules.Mode == Plan && r.Effect != binding.Reads:
		return Decision{Verdict: Predict}
	case rules.Mode == Plan:
		return Decision{Verdict: Allow}
	case r.Paused != "":
		return Decision{Verdict: Hold, Reason: r.Paused}
	case r.Effect == binding.Reads:
		return Decision{Verdict: Allow}
	case r.Halted != "" && rules.BreakGlass == "":
		return Decision{Verdict: Hold, Reason: r.Halted}
	}
	if name := protected(r, rules); name != "" {
		return Decision{Verdict: Ask, Type: name, Reason: fmt.Sprintf("%s is protected", name)}
	}
	if r.Effect == binding.Destroys && !rules.YesDestroys {
		return Decision{Verdict: Ask, Reason: "it cannot be undone"}
	}
	return Decision{Verdict: Allow}
}

// named are the arguments that name a server, a database or a zone, whatever
// the call's own target is: a record is in a zone, a restore goes into a
// database.
func named() []string { return []string{"server", "database", "zone"} }

// protected returns the name in r that is protected, as the runbook wrote it.
func protected(r Request, rules Rules) string {
	candidates := []string{r.Target}
	for _, arg := range named() {
		if name, ok := r.Args[arg].(string); ok {
			candidates = append(candidates, name)
		}
	}
	for _, name := range candidates {
		if name != "" && rules.Protected[Name(name)] {
			return name
		}
	}
	return ""
}

// Name is how names are compared: providers do not tell upper from lower case,
// nor a zone with a dot at its end from one without.
func Name(name string) string {
	return strings.ToLower(strings.TrimSuffix(strings.TrimSpace(name), "."))
}
