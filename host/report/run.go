// Package report renders a run from its journal and nothing else: what the
// journal lacks did not happen. It must never read the clock, the
// configuration or a provider, and never flatter: what is not known is called
// unknown, and what was not measured "not measured".
package report

import (
	"encoding/json"
	"io"
	"maps"
	"time"

	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/journal"
)

// Run is a run as its journal tells it.
type Run struct {
	ID         string         `json:"id"`
	Title      string         `json:"title"`
	Runbook    string         `json:"runbook"`
	Severity   string         `json:"severity,omitempty"`
	Impact     string         `json:"impact,omitempty"`
	Mode       string         `json:"mode"` // run, plan, drill
	Drill      string         `json:"drill,omitempty"`
	Env        string         `json:"env"`
	World      string         `json:"world,omitempty"`
	Speed      float64        `json:"speed,omitempty"`
	Operator   string         `json:"operator"`
	Version    string         `json:"version"`
	Input      map[string]any `json:"input,omitempty"`
	SourceHash string         `json:"source_hash"`

	// Status is done, failed, stopped, or unfinished when the journal ends
	// without an end.
	Status  string       `json:"status"`
	Message string       `json:"message,omitempty"`
	Fault   *fault.Fault `json:"fault,omitempty"`
	Exit    int          `json:"exit"`

	Detected time.Time `json:"detected_at"`
	Started  time.Time `json:"started_at"`
	Ended    time.Time `json:"ended_at"` // of the last record when unfinished
	Clock    Clock     `json:"clock"`
	RTO      Objective `json:"rto"`
	RPO      Objective `json:"rpo"`

	Steps         []*Node            `json:"steps"`
	Judgement     []*Node            `json:"judgement,omitempty"` // after the end: a drill's expectations
	Changes       []*Node            `json:"changes"`             // mutations in the order of their intents; also in Steps
	Approvals     []*Node            `json:"approvals,omitempty"`
	BreakGlass    []BreakGlass       `json:"break_glass,omitempty"`
	Evidence      []Evidence         `json:"evidence,omitempty"`
	Notes         []*Node            `json:"notes,omitempty"`
	Faults        []journal.Injected `json:"faults_injected,omitempty"`
	Interruptions []Interruption     `json:"interruptions,omitempty"`
	Edits         []journal.Change   `json:"edits,omitempty"`
	Repairs       []journal.Repair   `json:"repairs,omitempty"`
	Undo          *Undo              `json:"undo,omitempty"`
	Plan          *Planned           `json:"plan,omitempty"` // of a plan: what it found

	Follows    string             `json:"follows_plan,omitempty"` // id of the plan that the run follows
	Deviations []Deviation        `json:"deviations,omitempty"`
	NotDone    []journal.PlanCall `json:"planned_not_done,omitempty"`

	Records int    `json:"records"`
	Head    string `json:"head"` // hash of the last record
}

// Node is one line of the step tree.
type Node struct {
	// Form is step, parallel, each, branch, undo, call, note, approval.
	Form  string `json:"form"`
	Title string `json:"title"` // for a call its sentence, for a note its text
	Path  string `json:"path"`
	// State is done, failed, skipped, by_hand, cancelled, open, or of a
	// mutation without an outcome unknown.
	State    string       `json:"state"`
	Started  time.Time    `json:"started"`
	Ended    time.Time    `json:"ended"`
	Wall     Span         `json:"wall_s"` // as the run's clock went
	Live     Span         `json:"live_s"` // with what a drill's speed cut off
	Attempts int          `json:"attempts,omitempty"`
	Owner    string       `json:"owner,omitempty"`
	Call     string       `json:"call,omitempty"`
	Effect   string       `json:"effect,omitempty"`
	Tries    int          `json:"tries,omitempty"`
	Settled  string       `json:"settled,omitempty"` // how a lost answer was found out: probe, operator
	Answer   string       `json:"answer,omitempty"`
	Signed   string       `json:"signed,omitempty"` // fingerprint of the key that signed the answer
	Reason   string       `json:"reason,omitempty"`
	Undone   bool         `json:"undone,omitempty"` // taken back since
	By       string       `json:"by,omitempty"`
	Fault    *fault.Fault `json:"fault,omitempty"`
	Site     journal.Site `json:"site"`
	Children []*Node      `json:"children,omitempty"`

	cut time.Duration // the node's own, without its children's
}

// Clock splits the time from detection to end, in live time.
type Clock struct {
	Wall   Span `json:"wall_s"` // from detection, as the run's clock went
	Live   Span `json:"live_s"` // the same with what a drill's speed cut off
	Cut    Span `json:"cut_s"`
	Detect Span `json:"detect_s"` // from detection to the start of the run
	People Span `json:"people_s"` // approvals and questions that were open
	Act    Span `json:"act_s"`    // the rest: the machine's work
}

// Objective is a target and what was measured.
type Objective struct {
	Target string `json:"target,omitempty"`
	// Measured counts when HasMeasure. For RTO it is live time.
	Measured   Span   `json:"measured_s"`
	HasMeasure bool   `json:"measured"`
	Wall       Span   `json:"wall_s"`
	Verdict    string `json:"verdict"` // met, missed, not measured, not reached, no target
	Basis      string `json:"basis,omitempty"`
}

// Deviation is a change that the plan which the run follows does not have.
type Deviation struct {
	At time.Time `json:"at"`
	journal.Deviation
}

// BreakGlass is where one person went on without the others, or past a halt.
type BreakGlass struct {
	At            time.Time    `json:"at"`
	By            string       `json:"by"`
	Justification string       `json:"justification"`
	What          string       `json:"what"` // what was gone past
	Site          journal.Site `json:"site"`
}

// Evidence is a note that proves something.
type Evidence struct {
	At    time.Time      `json:"at"`
	Text  string         `json:"text"`
	Form  string         `json:"form"` // evidence, expect
	Step  string         `json:"step,omitempty"`
	Facts map[string]any `json:"facts,omitempty"`
}

// said is what was found: an expectation that did not hold must not read like
// one that did.
func (e Evidence) said() string {
	facts := e.listed()
	if e.Form == "expect" && e.Facts["ok"] == false {
		return "NOT SO: " + e.Text + facts
	}
	return e.Text + facts
}

// listed is " (name = value, ...)" but for the ok of an expectation.
func (e Evidence) listed() string {
	rest := maps.Clone(e.Facts)
	if e.Form == "expect" {
		delete(rest, "ok")
	}
	if len(rest) == 0 {
		return ""
	}
	return " (" + facts(rest) + ")"
}

// Interruption is a time in which nobody held the run.
type Interruption struct {
	From  time.Time `json:"from"` // the last record before
	To    time.Time `json:"to"`
	Lost  Span      `json:"lost_s"`
	By    string    `json:"taken_over_by"`
	Host  string    `json:"host,omitempty"`
	Epoch int64     `json:"epoch"`
}

// Span is a duration that JSON shows in seconds.
type Span time.Duration

// MarshalJSON writes seconds with milliseconds.
func (s Span) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Duration(s).Round(time.Millisecond).Seconds())
}

// String reads "340 ms", "12.3 s", "12 min 30 s", "4 h 05 min".
func (s Span) String() string { return duration(time.Duration(s)) }

// JSON writes the report for programs.
func JSON(w io.Writer, r *Run) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}
