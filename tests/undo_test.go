package tests

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// worldState is what the simulated providers hold, without what only says when
// something was changed last.
func worldState(t *testing.T, dir string) string {
	t.Helper()
	var state map[string]any
	if err := json.Unmarshal([]byte(drhost(t, dir, 0, "sim", "show", "state")), &state); err != nil {
		t.Fatal(err)
	}
	zones, _ := state["records"].(map[string]any)
	for _, zone := range zones {
		records, _ := zone.([]any)
		for _, r := range records {
			record, _ := r.(map[string]any)
			delete(record, "ModifiedOn")
			if tags, _ := record["Tags"].([]any); len(tags) == 0 {
				delete(record, "Tags")
			}
		}
	}
	text, err := json.MarshalIndent(state, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestUndo takes a recovery back. Killed on its way, again and again, it goes
// on where it was; in the end the world is the one before the run, and no
// provider was asked to do a thing twice.
func TestUndo(t *testing.T) {
	dir := workingFolder(t)
	startSim(t, dir, 60)
	drhost(t, dir, 0, "sim", "fault", "break_server", "server=hobby-1")
	before := worldState(t, dir)
	drhost(t, dir, 0, append([]string{"run"}, recovery...)...)
	done := acted(t, dir)
	if worldState(t, dir) == before {
		t.Fatal("the run changed nothing")
	}

	out := drhost(t, dir, 3, "undo", "last", "--no-input")
	for _, want := range []string{"Undo 4 steps", "1. Move the", "4. Create the replacement", "left as it is: restore", "--yes"} {
		if !strings.Contains(out, want) {
			t.Errorf("without consent it says nothing of %q:\n%s", want, out)
		}
	}
	out = drhost(t, dir, 3, "undo", "last", "--yes", "--no-input")
	if !strings.Contains(out, "delete the server hobby-1-replacement") || !strings.Contains(out, "--yes=destroys") || !strings.Contains(out, "to go on with taking it back: drhost undo ") {
		t.Errorf("a deletion was not asked about:\n%s", out)
	}
	if out = drhost(t, dir, 2, "resume", "last"); !strings.Contains(out, "drhost undo") {
		t.Errorf("resuming what is being taken back says %s", out)
	}
	if out = drhost(t, dir, 0, "undo", "last", "--yes=destroys", "--no-input"); !strings.Contains(out, "undone: 4 steps undone") || strings.Contains(out, "to go on") {
		t.Errorf("at its end the undo says\n%s", out)
	}

	if after := worldState(t, dir); after != before {
		t.Errorf("the world is not what it was before the run:\n%s", unlike(before, after))
	}
	judgeUndone(t, dir, done)
	if out = drhost(t, dir, 2, "undo", "last", "--yes"); !strings.Contains(out, "undone already") {
		t.Errorf("a second undo says %s", out)
	}
	if out = drhost(t, dir, 0, "report", "last"); !strings.Contains(out, "| Undo | done: 4 steps undone; left as it is: 8 changes") {
		t.Errorf("the report says\n%s", out)
	}
}

// TestUndoKilled kills run and undo on their way.
func TestUndoKilled(t *testing.T) {
	dir := workingFolder(t)
	startSim(t, dir, 60)
	drhost(t, dir, 0, "sim", "fault", "break_server", "server=hobby-1")
	before := worldState(t, dir)
	verb := append([]string{"run"}, recovery...)
	for {
		killed, _ := killAfter(t, dir, 3*time.Second, verb...)
		if !killed || strings.Contains(drhost(t, dir, 0, "show", "last"), "create the server") {
			break // it died in the midst of the replacement; or it is done, which is undone as well
		}
		verb = []string{"resume", "last", "--yes", "--no-input"}
	}
	done := acted(t, dir)
	kills := 0
	for patience := 40 * time.Millisecond; ; patience += 15 * time.Millisecond {
		killed, out := killAfter(t, dir, patience, "undo", "last", "--yes=destroys", "--no-input")
		if !killed || strings.Contains(drhost(t, dir, 0, "runs"), ", undone") {
			break
		}
		if kills++; kills > 100 {
			t.Fatalf("the undo never ended:\n%s", out)
		}
	}
	if kills == 0 {
		t.Error("the undo was over before it could be killed once")
	}
	t.Logf("killed %d times", kills)
	judgeUndone(t, dir, done)
	after := worldState(t, dir)
	shown := drhost(t, dir, 0, "show", "last")
	if after != before {
		t.Errorf("the world is not what it was before the run:\n%s\n%s", unlike(before, after), shown)
	}
}

// judgeUndone finds what was done twice since done.
func judgeUndone(t *testing.T, dir string, done []string) {
	t.Helper()
	seen := map[string]bool{}
	undone := acted(t, dir)[len(done):]
	for _, r := range undone {
		if seen[r] {
			t.Errorf("done twice in the undo: %s", r)
		}
		seen[r] = true
	}
	if len(undone) == 0 {
		t.Error("nothing was undone")
	}
	drhost(t, dir, 0, "verify", "last")
}

// unlike are the lines of two texts that differ.
func unlike(before, after string) string {
	var out bytes.Buffer
	a, b := strings.Split(before, "\n"), strings.Split(after, "\n")
	for i := 0; i < max(len(a), len(b)); i++ {
		var x, y string
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if x != y {
			out.WriteString("- " + x + "\n+ " + y + "\n")
		}
	}
	return out.String()
}
