package host

import (
	"strings"
	"testing"

	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/report"
	"github.com/webhost-systems/drhost/host/run"
)

// TestContinuation: what stopped says the command that goes on with it, and no
// other; a plan and a drill have none.
func TestContinuation(t *testing.T) {
	begun := &report.Undo{Status: "unfinished"}
	for _, c := range []struct {
		name    string
		report  report.Run
		folder  string
		command string
	}{
		{"a run", report.Run{Mode: "run"}, "runs/R", "drhost resume R"},
		{"a run with an undo that nobody consented to", report.Run{Mode: "run", Undo: &report.Undo{Status: "asked"}}, "runs/R", "drhost resume R"},
		{"an undo", report.Run{Mode: "run", Undo: begun}, "runs/R", "drhost undo R"},
		{"a plan", report.Run{Mode: "plan"}, "runs/R", ""},
		{"a drill", report.Run{Mode: "drill", Drill: "fire"}, "runs/R", ""},
		{"one that only looked", report.Run{Mode: "run"}, "", ""},
	} {
		r := &Result{ID: "R", Report: &c.report, Folder: c.folder}
		if got := r.Continuation(); got != c.command {
			t.Errorf("%s: %q, not %q", c.name, got, c.command)
		}
	}
	full := journal.Finished{Result: "stopped", Message: "the journal cannot be written", Exit: run.ExitJournal}
	for _, r := range []*Result{
		{ID: "R", Folder: "runs/R", Report: &report.Run{Mode: "run", Status: "done", Message: "all well", Undo: begun}, End: full},
		{ID: "R", Folder: "runs/R", Report: &report.Run{Mode: "run", Status: "done", Undo: &report.Undo{Status: "failed", Message: "the journal cannot be written"}}},
	} {
		if text := ending(r); !strings.Contains(text, "cannot be written") || !strings.Contains(text, "drhost undo R") || strings.Contains(text, "all well") {
			t.Errorf("an undo that stopped ends with %q", text)
		}
	}
}
