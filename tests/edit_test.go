package tests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// editable is a runbook with a step that finishes, one that stays under way,
// because it waits for an approval, and one that comes later.
const editable = `local health = require "std.health"
return runbook {
  title = "Greet", objective = { rto = "4h" },
  input = { who = { doc = "Whom to greet", example = "anna" } },
  run = function(input)
    local found = step("Find", function() return run:elapsed() >= 0 end)
    step("Ask", function()
      local since = run:elapsed()
      approve("Greet " .. input.who)
      return { since = since, now = run:elapsed(), with = health ~= nil }
    end)
    step("Later", function() note("later: " .. tostring(found) .. ", " .. input.who) end)
    return finish("greeted " .. input.who)
  end,
}
`

// edit is a change of the runbook between the stop and the resume, and what
// becomes of the run then.
type edit struct {
	name     string
	old, new string // "" and "": none
	twice    [2]string
	exit     int
	says     []string
	lacks    string
	// back tells that the run ends well once the runbook is as it was.
	back bool
}

func edits() []edit {
	const ask, later, find = `    step("Ask", function()`, `    step("Later", function()`, `    local found = step("Find", function() return run:elapsed() >= 0 end)` + "\n"
	const done = "done: greeted anna"
	return []edit{
		{name: "nothing", says: []string{done}, lacks: "was edited"},
		{name: "finished step", old: ">= 0", new: "< 0", says: []string{"-    local found", "+    local found",
			`touches: "Find"`, `step "Find" (line 6): changed, but it is finished: what it returned stays`, "later: true, anna", done}},
		{name: "open step, behind what it called", old: "now = run:elapsed()", new: "now = 5",
			says: []string{`step "Ask" (line 7): changed, and it is under way`, done}},
		{name: "open step, a call that it has made is gone", old: "local since = run:elapsed()", new: "local since = 1", exit: 3, back: true,
			says: []string{"the journal holds run.elapsed made at greet.lua:8, the script now makes the approval of \"Greet anna\"", "at greet.lua:9", "put", "as it was"}},
		{name: "later step", old: `"later: "`, new: `"much later: "`, says: []string{`step "Later" (line 12): changed, and it has not begun`, "much later: true", done}},
		{name: "finished step renamed", old: `"Find"`, new: `"Seek"`, exit: 3, back: true, says: []string{`step "Seek" (line 6): new`,
			`step "Find" (line 6 of the run's own copy): removed or renamed`, `the finished step "Find" (greet.lua:6)`, `the new step "Seek" at greet.lua:6`}},
		{name: "finished step removed", old: find, new: "local found = true\n", exit: 3, back: true, says: []string{
			`step "Find" (line 6 of the run's own copy): removed or renamed; it is finished`, `the finished step "Find" (greet.lua:6)`, "run.elapsed made at greet.lua:8"}, lacks: "later:"},
		{name: "open step renamed", old: `"Ask"`, new: `"Plead"`, exit: 3, back: true, says: []string{`it is under way`,
			`run.elapsed made at greet.lua:8 in step "Ask"`, `the new step "Plead" at greet.lua:7`}},
		{name: "later step renamed", old: `"Later"`, new: `"Afterwards"`, says: []string{`step "Later" (line 12 of the run's own copy): removed or renamed; it has done nothing`, done}},
		{name: "inserted before the finished one", old: find, new: `step("New", function() note("new") end)` + "\n" + find, exit: 3, back: true,
			says: []string{`step "New" (line 6): new; it comes before "Ask", which is under way`, `the finished step "Find" (greet.lua:6)`, `the new step "New" at greet.lua:6`}},
		{name: "inserted before the open one", old: ask, new: `step("New", function() note("new") end)` + "\n" + ask, exit: 3, back: true,
			says: []string{`step "New" (line 7): new; it comes before "Ask", which is under way`, `run.elapsed made at greet.lua:8 in step "Ask"`, `the new step "New" at greet.lua:7`}, lacks: "    new\n"},
		{name: "inserted behind the open one", old: later, new: `step("New", function() note("brand new") end)` + "\n" + later,
			says: []string{`step "New" (line 12): new` + "\n", "brand new", done}},
		{name: "reordered", old: find, new: "local found\n", twice: [2]string{later, `    found = step("Find", function() return run:elapsed() >= 0 end)` + "\n" + later}, exit: 3, back: true,
			says: []string{`step "Find" (line 12): moved to another place`, `the finished step "Find" (greet.lua:6)`, "moved"}},
		{name: "head", old: `title = "Greet", objective = { rto = "4h" }`, new: `title = "Hail", objective = { rto = "1ms" }`,
			says: []string{"none, the change is outside of the steps", "head (title, objective): changed; this run keeps what it began with", done}},
		{name: "new input", old: "input = {", new: `input = { how = { doc = "How", example = "x" },`, exit: 2, back: true,
			says: []string{`wants an input "how"`, "needs a default"}},
		{name: "new input with a default", old: "input = {", new: `input = { how = { doc = "How", default = "warmly" },`, twice: [2]string{`"later: "`, `"later " .. input.how`},
			says: []string{`input "how": new; this run takes its default`, "later warmly", done}},
		{name: "input removed", old: `input = { who = { doc = "Whom to greet", example = "anna" } }`, new: "input = {}", exit: 2, back: true, says: []string{`"who"`, "-  input", "+  input"}},
		{name: "wrong", old: "note(", new: "nte(", exit: 2, back: true, says: []string{`greet.lua:12: `, `did you mean "note"`, "+    step"}},
	}
}

// TestEditedRunbook stops a run at a question, edits its runbook in every way,
// and resumes it: each way has an end of its own, with the difference shown.
func TestEditedRunbook(t *testing.T) {
	t.Parallel()
	for _, e := range edits() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			dir := editableFolder(t)
			path := filepath.Join(dir, "greet.lua")
			text := editable
			for _, c := range [][2]string{{e.old, e.new}, e.twice} {
				if c[0] == "" {
					continue
				}
				if strings.Count(text, c[0]) != 1 {
					t.Fatalf("the runbook has %q %d times", c[0], strings.Count(text, c[0]))
				}
				text = strings.Replace(text, c[0], c[1], 1)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			out := drhost(t, dir, e.exit, "resume", "last", "--yes", "--no-input")
			contains(t, out, e.says...)
			if e.lacks != "" && strings.Contains(out, e.lacks) {
				t.Errorf("%q is in\n%s", e.lacks, out)
			}
			if e.old != "" {
				contains(t, out, "greet.lua was edited since the run stopped", "--- the run's greet.lua", "+++ greet.lua")
			}
			if e.back {
				if err := os.WriteFile(path, []byte(editable), 0o644); err != nil {
					t.Fatal(err)
				}
				contains(t, drhost(t, dir, 0, "resume", "last", "--yes", "--no-input"), "done: greeted anna")
			}
			drhost(t, dir, 0, "verify", "last")
		})
	}
}

// editableFolder holds a run of the runbook that waits for an approval.
func editableFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"drhost.toml": "default_env = \"here\"\n[env.here]\n", "greet.lua": editable} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	drhost(t, dir, 3, "run", "greet.lua", "--input", "who=anna", "--no-input")
	return dir
}

// TestRunbookGone: a run needs its own copy only, and says so; where it was
// found, it is found from any folder.
func TestRunbookGone(t *testing.T) {
	t.Parallel()
	dir := editableFolder(t)
	path := filepath.Join(dir, "greet.lua")
	if err := os.Mkdir(filepath.Join(dir, "elsewhere"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(editable, `"later: "`, `"after: "`, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	contains(t, drhost(t, filepath.Join(dir, "elsewhere"), 3, "resume", "last", "--no-input"), "greet.lua was edited", "after: ")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	contains(t, drhost(t, dir, 0, "resume", "last", "--yes", "--no-input"), "greet.lua is not there any more; the run goes on with its own copy", "done: greeted anna")
	contains(t, drhost(t, dir, 0, "report", "last"), "is not there any more")
}

// TestSealedLibraries: the std modules of a run are sealed with it, and verify
// and resume refuse others.
func TestSealedLibraries(t *testing.T) {
	t.Parallel()
	dir := editableFolder(t)
	files, err := filepath.Glob(filepath.Join(dir, ".drhost", "runs", "*", "source", "std", "health.lua"))
	if err != nil || len(files) != 1 {
		t.Fatalf("sealed std modules: %v, %v", files, err)
	}
	drhost(t, dir, 0, "verify", "last")
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files[0], append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"verify", "resume"} {
		contains(t, drhost(t, dir, 6, verb, "last"), "std.health", "is not what the journal sealed")
	}
}
