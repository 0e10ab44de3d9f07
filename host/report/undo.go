package report

import (
	"time"

	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/journal"
)

// Undo is how a run was taken back. It is no part of the recovery: the run's
// status and times are what they were.
type Undo struct {
	// Status is asked (nobody has consented yet), unfinished, done, failed or
	// stopped.
	Status  string       `json:"status"`
	By      string       `json:"by,omitempty"` // who consented
	Message string       `json:"message,omitempty"`
	Fault   *fault.Fault `json:"fault,omitempty"`
	Exit    int          `json:"exit"`
	Left    []string     `json:"left,omitempty"` // changes that stay as they are
	Lost    []string     `json:"lost,omitempty"` // steps with an undo that could not be run
	Tree    *Node        `json:"tree"`
}

// Standing is the run's status with what an undo made of it.
func (r *Run) Standing() string {
	switch {
	case r.Undo == nil || r.Undo.Status == "asked":
		return r.Status
	case r.Undo.Status == "done":
		return r.Status + ", undone"
	}
	return r.Status + ", undo " + r.Undo.Status
}

// ofUndo tells whether r is about an undo, and begins to tell of it then.
func (b *builder) ofUndo(r *journal.Record) bool {
	type place struct{ Path, Key string }
	switch r.Kind {
	case journal.UndoStarted, journal.UndoFinished:
	case journal.StepStarted, journal.StepFinished, journal.CallIntent, journal.CallOutcome, journal.Note, journal.ApprovalAsked, journal.ApprovalGiven:
		p, err := journal.Decode[place](*r)
		if err != nil || !journal.OfUndo(p.Path) && !journal.OfUndo(p.Key) {
			return false
		}
	default:
		return false
	}
	if b.run.Undo == nil {
		tree := &Node{Form: "undo", Title: "Undo", Path: journal.UndoRoot, State: "open", Started: b.now}
		b.run.Undo, b.nodes[journal.UndoRoot] = &Undo{Status: "asked", Tree: tree}, tree
	}
	return true
}

func (b *builder) undoStarted(u journal.Undoing) {
	if b.run.Ended.IsZero() { // the run died and was not gone on with
		b.run.Ended = b.last
	}
	undo := b.run.Undo
	if undo.Status == "asked" {
		for _, line := range u.List()[len(u.Steps):] {
			b.put(undo.Tree, &Node{Form: "note", Title: line, Path: journal.UndoRoot, State: "done", Started: b.now, Ended: b.now})
		}
	}
	undo.Status, undo.By, undo.Left, undo.Lost = "unfinished", u.By, u.Left, u.Lost
}

func (b *builder) undoFinished(f journal.Finished) {
	undo := b.run.Undo
	undo.Status, undo.Message, undo.Fault, undo.Exit = f.Result, f.Message, f.Fault, f.Exit
	undo.Tree.Ended, undo.Tree.Fault = b.now, f.Fault
	undo.Tree.State = f.Result
	if f.Result == "stopped" {
		undo.Tree.State = "open"
	}
}

// undoGoesOn takes back the end of an undo that was gone on with.
func (b *builder) undoGoesOn() {
	if undo := b.run.Undo; undo.Status == "failed" || undo.Status == "stopped" {
		undo.Status, undo.Message, undo.Fault, undo.Exit = "unfinished", "", nil, 0
		undo.Tree.State, undo.Tree.Fault, undo.Tree.Ended = "open", nil, time.Time{}
	}
}

// markUndone marks the step that the finished undo at path took back.
func (b *builder) markUndone(s journal.Step) {
	if len(s.Path) <= len(journal.UndoRoot) || s.Form != "undo" {
		return
	}
	if n := b.nodes[s.Path[len(journal.UndoRoot)+1:]]; n != nil {
		n.Undone = s.Result == "value" || s.Result == "by_hand"
	}
}

// closeUndo works out the times of an undo.
func (b *builder) closeUndo() {
	if b.run.Undo == nil {
		return
	}
	tree := b.run.Undo.Tree
	if tree.Ended.IsZero() {
		tree.Ended = b.last
	}
	b.close(tree)
}
