package sandbox

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/policy"
	"github.com/webhost-systems/drhost/host/run"
	"github.com/webhost-systems/drhost/host/secret"
)

// tape is a journal in memory.
type tape struct{ records []journal.Record }

func (l *tape) Append(kind journal.Kind, payload any, _ bool) (journal.Record, error) {
	text, err := json.Marshal(payload)
	r := journal.Record{Seq: int64(len(l.records) + 1), Kind: kind, Payload: text}
	l.records = append(l.records, r)
	return r, err
}
func (l *tape) Records() []journal.Record { return l.records }
func (l *tape) Close() error              { return nil }

// consenting says yes.
type consenting struct{ refuser }

func (consenting) Approve(context.Context, gate.Question) (gate.Answer, error) {
	return gate.Answer{Text: "approved", By: "alice"}, nil
}

// takeBack runs the body of a runbook and undoes it with a script loaded anew.
func takeBack(t *testing.T, body string) (ran, undone journal.Finished, client *boxes) {
	t.Helper()
	log, client := &tape{}, &boxes{}
	o := gate.Options{Run: "r", Log: log, Operator: consenting{}, Rules: policy.Rules{Mode: policy.Run}, Clock: clock.Scaled{Factor: 1000}, Redactor: &secret.Redactor{}}
	load := func() *Script {
		s, err := Load(Options{Source: Source{File: "t.lua", Text: []byte("local box = require \"box\"\nreturn runbook { title = \"T\", run = function(input)\n" + body + "\nend }")}, Catalog: testCatalog(t)})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	begin := func(s *Script, g *gate.Gate, err error) *run.Engine {
		if err != nil {
			t.Fatal(err)
		}
		e := run.New(run.Options{Gate: g, Clock: o.Clock, Operator: o.Operator, Started: journal.Started{Run: "r"}})
		s.Begin(Session{Engine: e, Gate: g, Clients: map[string]any{"box": client}})
		return e
	}
	s := load()
	g, err := gate.New(o, nil)
	ran = begin(s, g, err).Run(context.Background(), s.Body("run", Input{}))
	calls := len(client.calls)
	s = load()
	records := slices.Clone(log.records)
	g, err = gate.Retrace(o, records)
	u, err := begin(s, g, err).Retrace(context.Background(), s.Body("run", Input{}))
	if err != nil {
		t.Fatal(err)
	}
	if len(client.calls) != calls {
		t.Fatalf("going over the run called %v", client.calls[calls:])
	}
	g, err = gate.Undo(o, records)
	e := begin(s, g, err)
	if err := e.Consent(context.Background(), u, records); err != nil {
		t.Fatal(err)
	}
	undone = e.Undo(context.Background(), u)
	client.calls = client.calls[calls:]
	return ran, undone, client
}

// TestUndoWord: an undo is given the step's value, sees what the run had worked
// out, and runs after those of later steps; a run that failed has some as well.
func TestUndoWord(t *testing.T) {
	ran, undone, client := takeBack(t, `
  local first = step("First", { undo = function(made) box.fill { name = "undo " .. made.name .. " of " .. made.size } end }, function()
    return step("Inner", { undo = function(made) box.fill { name = "undo inner " .. made.name } end }, function()
      return box.fill { name = "a", size = 3 }
    end)
  end)
  local twice = first.size * 2
  parallel("P", {
    x = function() step("X", { undo = function(value) box.fill { name = "undo x " .. twice .. " " .. tostring(value) } end }, function() box.fill { name = "x" } end) end,
  })
  step("Looks only", function() return box.box { name = "b" } end)
  pcall(function() step("Caught", { undo = function() box.fill { name = "never" } end }, function() return box.box { name = "missing" } end) end)
  error("and then it failed")`)
	if ran.Result != "failed" || undone.Result != "done" {
		t.Fatalf("%+v\n%+v", ran, undone)
	}
	want := []string{"open undo x 6 nil ", "open undo a of 3 ", "open undo inner a "}
	if !slices.Equal(client.calls, want) {
		t.Errorf("undone:\n%q\nwant\n%q", client.calls, want)
	}
}

// TestUndoWordFails: a typo in an undo is named with its line.
func TestUndoWordFails(t *testing.T) {
	_, undone, _ := takeBack(t, `step("S", { undo = function(made) return made.naem end }, function() return box.fill { name = "a" } end)`)
	if undone.Result != "failed" || !strings.Contains(undone.Message, "t.lua:3") || !strings.Contains(undone.Message, "naem") {
		t.Errorf("%+v", undone)
	}
	end, _ := play(t, `step("S", { undo = "nothing" }, function() end)`)
	if !strings.Contains(end.Message, "option undo must be a function") {
		t.Errorf("%+v", end)
	}
}
