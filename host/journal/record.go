// Package journal is the run's memory: an append-only chain of records from
// which a run is resumed, reported and audited. It knows neither Lua nor a
// provider, and it must never acknowledge a record that a power loss could
// take back when the caller asked for it to be synced.
package journal

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/fault"
)

// Kind names what a record is about. The words are a contract: kept journals
// of older versions are replayed in CI.
type Kind string

const (
	RunStarted    Kind = "run_started"
	StepStarted   Kind = "step_started"
	StepFinished  Kind = "step_finished"
	CallIntent    Kind = "call_intent"
	CallOutcome   Kind = "call_outcome"
	ApprovalAsked Kind = "approval_asked"
	ApprovalGiven Kind = "approval_given"
	Note          Kind = "note"
	SourceChanged Kind = "source_changed"
	LeaseTaken    Kind = "lease_taken"
	FaultInjected Kind = "fault_injected"
	TailRepaired  Kind = "tail_repaired" // a torn last line was cut off
	RunFinished   Kind = "run_finished"
	UndoStarted   Kind = "undo_started"  // somebody consented to take the run back
	UndoFinished  Kind = "undo_finished" // its payload is a Finished
)

// Record is one line of journal.jsonl. Hash is the hex SHA-256 of Prev and of
// the record's own line without the hash; the first record's Prev is the hash
// of the run's id.
type Record struct {
	Seq     int64           `json:"seq"` // from 1, without gaps
	Time    time.Time       `json:"time"`
	Epoch   int64           `json:"epoch"` // grows with every holder of the run
	Kind    Kind            `json:"kind"`
	Payload json.RawMessage `json:"payload"`
	Prev    string          `json:"prev"`
	Hash    string          `json:"hash"`
}

// Site is where in a runbook something happened.
type Site struct {
	File string `json:"file,omitempty"` // as the operator named it
	Line int    `json:"line,omitempty"`
	Step string `json:"step,omitempty"` // path of step titles, "/" between
}

// String is "file:line", or the file alone.
func (s Site) String() string {
	if s.Line == 0 {
		return s.File
	}
	return fmt.Sprintf("%s:%d", s.File, s.Line)
}

// Started is the payload of run_started.
type Started struct {
	Run        string `json:"run"`
	Runbook    string `json:"runbook"` // path as given
	Title      string `json:"title"`
	Severity   string `json:"severity,omitempty"`
	Impact     string `json:"impact,omitempty"`
	SourceHash string `json:"source_hash"`
	// Origin is where the runbook lies: relative to the folder of drhost.toml
	// when it is in it, so that a resume finds it from any folder.
	Origin string `json:"origin,omitempty"`
	// Libraries are the std modules that the runbook requires, by their hashes.
	Libraries    map[string]string `json:"libraries,omitempty"`
	Input        map[string]any    `json:"input"`
	Env          string            `json:"env"`
	World        string            `json:"world,omitempty"`         // name of the simulated world
	WorldStarted string            `json:"world_started,omitempty"` // which one of that name it was
	Mode         string            `json:"mode"`                    // run, plan, drill
	Drill        string            `json:"drill,omitempty"`         // title of the drill
	Operator     string            `json:"operator"`
	Plan         string            `json:"plan,omitempty"`      // id of the plan that the run follows
	PlanHead     string            `json:"plan_head,omitempty"` // hash of its last record
	DetectedAt   time.Time         `json:"detected_at"`
	RTO          string            `json:"rto,omitempty"` // "4h"
	RPO          string            `json:"rpo,omitempty"`
	Speed        float64           `json:"speed,omitempty"`
	Version      string            `json:"version"`
	Labels       map[string]string `json:"labels,omitempty"`
}

// Step is the payload of step_started and step_finished. Path is unique in the
// run: titles joined by "/", branches in between ("Provision/server/Boot").
// Kind tells a step from the two that make branches: step, parallel, each,
// branch.
type Step struct {
	Path    string `json:"path"`
	Title   string `json:"title"`
	Form    string `json:"form"` // step | parallel | each | branch
	Attempt int    `json:"attempt,omitempty"`
	Site    Site   `json:"site"`
	Owner   string `json:"owner,omitempty"`
	// Optional tells, when started, that a failure does not stop the run.
	Optional bool   `json:"optional,omitempty"`
	Result   string `json:"result,omitempty"` // finished only: value | fault | skipped | by_hand | cancelled
	// Again tells of a fault that a person looked at and wants tried again on
	// resume, after an edit.
	Again   bool         `json:"again,omitempty"`
	HasUndo bool         `json:"has_undo,omitempty"` // finished with a value only: the runbook says how to take it back
	Value   any          `json:"value"`              // finished only
	Fault   *fault.Fault `json:"fault,omitempty"`
	Reason  string       `json:"reason,omitempty"` // of a skip or of work done by hand, or of another attempt
	By      string       `json:"by,omitempty"`
}

// Intent is the payload of call_intent: written and synced before a mutation
// leaves.
type Intent struct {
	Key    string         `json:"key"` // step path / branch / ordinal
	Call   string         `json:"call"`
	Effect string         `json:"effect"`
	Args   map[string]any `json:"args"`
	Idem   string         `json:"idempotency_key"`
	Says   string         `json:"says"`
	Site   Site           `json:"site"`
}

// Outcome is the payload of call_outcome. A read has no intent, so an outcome
// holds everything.
type Outcome struct {
	Key     string         `json:"key"`
	Call    string         `json:"call"`
	Effect  string         `json:"effect"`
	Args    map[string]any `json:"args,omitempty"` // of reads; mutations have them in the intent
	Says    string         `json:"says,omitempty"`
	Site    Site           `json:"site"`
	Value   any            `json:"value"`
	Fault   *fault.Fault   `json:"fault,omitempty"`
	Started time.Time      `json:"started"`
	Took    float64        `json:"took_s"`            // real seconds
	Cut     float64        `json:"cut_s,omitempty"`   // seconds a drill's speed cut off
	Tries   int            `json:"tries,omitempty"`   // when more than one
	Settled string         `json:"settled,omitempty"` // after a lost answer: probe | operator
	By      string         `json:"by,omitempty"`
}

// Approval is the payload of approval_asked and approval_given.
type Approval struct {
	Key    string `json:"key"`
	Text   string `json:"text"`
	Site   Site   `json:"site"`
	Needs  int    `json:"needs,omitempty"`
	Answer string `json:"answer,omitempty"` // approved | denied | unanswered, or the choice
	By     string `json:"by,omitempty"`
	// Call is the key of the call that asks.
	Call string `json:"call,omitempty"`
	// Asked is the hash of the approval_asked record that this one answers.
	Asked string `json:"asked,omitempty"`
	// Signing tells, when asked, that only signed answers count.
	Signing bool `json:"signing,omitempty"`
	// Until tells, when asked, the moment after which no answer counts.
	Until *time.Time `json:"until,omitempty"`
	// Signed proves the answer.
	Signed *Signature `json:"signed,omitempty"`
	// BreakGlass is the written justification of one person who went on
	// without the approvals that were needed.
	BreakGlass string `json:"break_glass,omitempty"`
}

// Signature proves an answer: it covers the question, the answer, By and At,
// see package approval.
type Signature struct {
	At          time.Time `json:"at"`
	PublicKey   string    `json:"public_key"` // "ssh-ed25519 AAAA..."
	Fingerprint string    `json:"fingerprint"`
	Signature   string    `json:"signature"` // as ssh-keygen -Y sign writes it
}

// NoteText is the payload of note: from note{}, print and the engine itself.
type NoteText struct {
	Key  string `json:"key,omitempty"` // step path and ordinal: a replay does not repeat a note
	Text string `json:"text"`
	Site Site   `json:"site"`
	Form string `json:"form,omitempty"` // note | print | expect | evidence | held | break_glass | progress
	// Evidence is what a note proves, such as {"rpo_until": "2026-..Z"}.
	Evidence map[string]any `json:"evidence,omitempty"`
}

// Change is the payload of source_changed.
type Change struct {
	From  string   `json:"from"` // source hashes
	To    string   `json:"to"`
	Diff  string   `json:"diff"`
	Step  string   `json:"step"` // the first step it touches; "": none
	By    string   `json:"by"`
	Files []string `json:"files"`
	// Touches says, part by part, what is different and what that means for
	// the run.
	Touches []string `json:"touches,omitempty"`
	// Libraries are those of the edited runbook, by their hashes.
	Libraries map[string]string `json:"libraries,omitempty"`
}

// Holder is the payload of lease_taken.
type Holder struct {
	Operator string `json:"operator"`
	Host     string `json:"host"`
	PID      int    `json:"pid"`
	Epoch    int64  `json:"epoch"`
}

// Injected is the payload of fault_injected.
type Injected struct {
	Fault string         `json:"fault"`
	Args  map[string]any `json:"args,omitempty"`
	At    time.Time      `json:"at"`
}

// Repair is the payload of tail_repaired.
type Repair struct {
	Bytes int    `json:"bytes"` // cut off
	Text  string `json:"text"`  // the first of them
}

// UndoRoot is the path of what `drhost undo` does: it undoes the step at
// UndoRoot + "/" + its path. No step's own path begins with a slash.
const UndoRoot = "/undo"

// OfUndo tells whether a path or a call's key belongs to an undo.
func OfUndo(path string) bool { return path == UndoRoot || strings.HasPrefix(path, UndoRoot+"/") }

// Undoing is the payload of undo_started.
type Undoing struct {
	By    string   `json:"by"`
	Steps []Undone `json:"steps"` // in the order in which they are undone
	// Left are changes of the run that stay as they are, in the words of Says.
	Left []string `json:"left,omitempty"`
	// Lost are steps that have an undo which cannot be run, and why.
	Lost []string `json:"lost,omitempty"`
	// Refuted are keys of calls that had left without an answer and were found
	// not to have happened.
	Refuted []string `json:"refuted,omitempty"`
}

// List tells in lines what is undone and what is not.
func (u Undoing) List() []string {
	var lines []string
	for i, s := range u.Steps {
		lines = append(lines, fmt.Sprintf("%d. %s", i+1, s.Title))
	}
	for _, text := range u.Left {
		lines = append(lines, "left as it is: "+text)
	}
	for _, text := range u.Lost {
		lines = append(lines, "cannot be undone: "+text)
	}
	return lines
}

// Undone names a step that is undone.
type Undone struct {
	Path  string `json:"path"`
	Title string `json:"title"`
}

// Finished is the payload of run_finished and of undo_finished.
type Finished struct {
	Result  string       `json:"result"` // done | failed | stopped
	Message string       `json:"message"`
	Fault   *fault.Fault `json:"fault,omitempty"`
	Exit    int          `json:"exit"`
	// NotDone are the changes of the plan that the run followed and has not
	// made when it ended.
	NotDone []PlanCall `json:"not_done,omitempty"`
}
