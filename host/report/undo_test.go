package report

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/journal"
)

// undone is a run that died, and its undo up to the end of the first attempt.
func undone(t *testing.T) *writer {
	w := &writer{t: t, run: "r1"}
	w.begin("run", nil)
	w.open(1, "parallel", "P", "P")
	w.open(1, "branch", "P/a", "a")
	w.open(1, "step", "P/a/Create", "Create")
	w.end(10, "step", "P/a/Create", "Create", "value", nil)
	w.add(3600, journal.LeaseTaken, journal.Holder{Operator: "mira", Epoch: 2})
	w.add(3601, journal.ApprovalAsked, journal.Approval{Key: journal.UndoRoot, Text: "Undo 1 step of run r1"})
	w.add(3661, journal.ApprovalGiven, journal.Approval{Key: journal.UndoRoot, Text: "Undo 1 step of run r1", Answer: "approved", By: "mira"})
	w.add(3661, journal.UndoStarted, journal.Undoing{By: "mira", Steps: []journal.Undone{{Path: "P/a/Create", Title: "Create"}}, Left: []string{"reboot hobby-1"}})
	path := journal.UndoRoot + "/P/a/Create"
	w.add(3661, journal.StepStarted, journal.Step{Path: path, Title: "Undo: Create", Form: "undo", Attempt: 1})
	w.add(3662, journal.StepFinished, journal.Step{Path: path, Title: "Undo: Create", Form: "undo", Result: "fault", Fault: fault.New(fault.Failed, "not now")})
	w.add(3662, journal.UndoFinished, journal.Finished{Result: "failed", Message: "not now", Exit: 1})
	return w
}

// TestUndoIsNoPartOfTheRun: status and times of the run stay what they were.
func TestUndoIsNoPartOfTheRun(t *testing.T) {
	w := undone(t)
	r, err := Build(w.records)
	if err != nil {
		t.Fatal(err)
	}
	if r.Standing() != "unfinished, undo failed" || r.Undo.By != "mira" || r.Clock.People != 0 || r.Steps[0].Children[0].Children[0].Undone {
		t.Errorf("%s %+v, waited for people %s", r.Standing(), r.Undo, r.Clock.People)
	}
	path := journal.UndoRoot + "/P/a/Create"
	w.add(4000, journal.LeaseTaken, journal.Holder{Operator: "mira", Epoch: 3})
	w.add(4001, journal.StepStarted, journal.Step{Path: path, Title: "Undo: Create", Form: "undo", Attempt: 2, By: "mira", Reason: "tried again after: not now"})
	w.add(4002, journal.StepFinished, journal.Step{Path: path, Title: "Undo: Create", Form: "undo", Result: "value"})
	w.add(4002, journal.UndoFinished, journal.Finished{Result: "done", Message: "1 step undone"})
	if r, err = Build(w.records); err != nil {
		t.Fatal(err)
	}
	if r.Status != "unfinished" || r.Standing() != "unfinished, undone" || r.Ended.After(start.Add(2*time.Hour)) {
		t.Errorf("%s, ended %s", r.Standing(), r.Ended)
	}
	var tree, page bytes.Buffer
	if err := Tree(&tree, r, Style{Width: 100}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"✓ Create (undone)", "✓ Undo  ", "  ✓ Undo: Create (2 attempts, by mira, tried again after: not now)", "  › left as it is: reboot hobby-1"} {
		if !strings.Contains(tree.String(), want) {
			t.Errorf("%q is missing in\n%s", want, tree.String())
		}
	}
	if err := Markdown(&page, r); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(page.String(), "| Undo | done: 1 step undone; consented to by mira |") {
		t.Errorf("%s", page.String())
	}
}
