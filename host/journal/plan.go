package journal

import "github.com/webhost-systems/drhost/host/fault"

// Kinds of records that plans, and runs that follow one, add.
const (
	DecisionMade Kind = "decision"  // of a run that follows a plan: which way it went
	PlanMade     Kind = "plan_made" // what a plan found
	PlanDeviated Kind = "deviation" // of a run from its plan
)

// Decision is the payload of decision: a point at which only the world, or a
// person, can tell how a run goes on.
type Decision struct {
	Key     string   `json:"key"`  // path of the step, form and ordinal
	Form    string   `json:"form"` // eventually | expect | ask | value | call | pcall
	Text    string   `json:"text"`
	Choices []string `json:"choices"`
	Choice  int      `json:"choice"` // from 0
	Site    Site     `json:"site"`
}

// Answer is what was decided, in words.
func (d Decision) Answer() string {
	if d.Choice < 0 || d.Choice >= len(d.Choices) {
		return "?"
	}
	return d.Choices[d.Choice]
}

// Plan is the payload of plan_made: every way that a run may take, as far as
// they were followed.
type Plan struct {
	Tree []PlanNode `json:"tree"`
	// Calls are the changes of all ways, and Ways says which of them each makes.
	Calls []PlanCall `json:"calls"`
	Ways  []PlanWay  `json:"ways"`
	// LeftOut counts the choices that were not followed.
	LeftOut int `json:"left_out,omitempty"`
	Reads   int `json:"reads"` // calls that were made live
	// Earlier is what is known of how long it takes, from runs before.
	Earlier []PlanForecast `json:"earlier,omitempty"`
}

// PlanNode is one line of a plan. Forks hold what follows each choice.
type PlanNode struct {
	// Form is step, parallel, each, branch, call, approval, expect, note, fork,
	// failed (a step that fails) or end.
	Form  string `json:"form"`
	Title string `json:"title"`
	Path  string `json:"path,omitempty"`
	Depth int    `json:"depth"` // in steps
	// Effect is of calls.
	Call   string `json:"call,omitempty"`
	Effect string `json:"effect,omitempty"`
	// Planned: it rests on values that only the run will know.
	Planned bool `json:"planned,omitempty"`
	// Before: a read of the world as it is now, after changes that were only
	// predicted.
	Before   bool         `json:"before_changes,omitempty"`
	Optional bool         `json:"optional,omitempty"`
	Needs    int          `json:"needs,omitempty"`  // people, of an approval
	Result   string       `json:"result,omitempty"` // of an end: done, failed, stopped
	Exit     int          `json:"exit,omitempty"`   // of an end
	Fault    *fault.Fault `json:"fault,omitempty"`
	Site     Site         `json:"site"`
	Choices  []PlanChoice `json:"choices,omitempty"`
}

// PlanChoice is one answer of a fork.
type PlanChoice struct {
	Answer  string     `json:"answer"`
	LeftOut bool       `json:"left_out,omitempty"` // not followed
	Then    []PlanNode `json:"then,omitempty"`
}

// PlanCall is a change that a plan foresees. Path is that of its step.
type PlanCall struct {
	Path   string         `json:"path"`
	Call   string         `json:"call"`
	Effect string         `json:"effect"`
	Args   map[string]any `json:"args"`
	Says   string         `json:"says"`
	Site   Site           `json:"site"`
}

// PlanWay is one way through a runbook: how every decision on it goes, and the
// changes that it makes, as indexes into Calls.
type PlanWay struct {
	Decisions map[string]int `json:"decisions"`
	Calls     []int          `json:"calls"`
	People    int            `json:"people"`
	Result    string         `json:"result"`
	Message   string         `json:"message,omitempty"`
}

// PlanForecast is how long an earlier run or drill of the runbook took.
type PlanForecast struct {
	Run     string  `json:"run"`
	Mode    string  `json:"mode"`
	Seconds float64 `json:"seconds"` // from detection to the end, live time
}

// Deviation is the payload of deviation.
type Deviation struct {
	Plan   string `json:"plan"`
	Key    string `json:"key"`
	Call   string `json:"call"`
	Effect string `json:"effect"`
	Says   string `json:"says"`
	Why    string `json:"why"`
	Site   Site   `json:"site"`
	Asked  bool   `json:"asked,omitempty"` // somebody has to consent before it is made
}
