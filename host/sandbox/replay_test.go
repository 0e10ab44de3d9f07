package sandbox

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/policy"
	"github.com/webhost-systems/drhost/host/run"
	"github.com/webhost-systems/drhost/host/secret"
)

const chanceful = `local box = require "box"
return runbook { title = "T", run = function()
  local seen = { tostring(run:elapsed()), tostring({}), tostring(print), tostring(run), math.random(1e9) }
  local function see(x) seen[#seen + 1] = tostring(x) end
  local function keys(t) local out = {} for k in pairs(t) do out[#out + 1] = tostring(k) end return table.concat(out, ",") end
  see(step("One", function()
    local drawn = { math.random(1e9), math.random(1e9) }
    box.fill { name = "a" }
    return table.concat(drawn, "-") .. "-" .. math.random(1e9)
  end))
  see(math.random(1e9))
  local both = parallel("Both", {
    x = function() box.fill { name = "x" } local n = math.random(1e9) box.box { name = "y" } return n .. "-" .. math.random(1e9) end,
    y = function() local n = math.random(1e9) box.fill { name = "z" } return n end,
    z = function() return keys({ q = 1, w = 2, [{}] = 3, e = 4, 5 }) .. run:elapsed() end,
  })
  see(both.x) see(both.y) see(both.z) see(keys(both))
  local tries = 0
  eventually("1m", { every = "1s" }, function() tries = tries + 1 see(math.random(1e9)) return tries == 3 end)
  local made = box.fill { name = "b", size = 3 }
  see(keys(made)) see(made.size) see(run:elapsed()) see(math.random(1e9))
  see(step("Two", function() return math.random(1e9) .. tostring(run:remaining()) end))
  print(table.concat(seen, " "))
  return finish(table.concat(seen, " "))
end }`

// TestReplaySeesTheSame kills a run after each of its records and resumes it:
// the order of pairs, the text of tables, the numbers of chance and the times
// that the first life saw are seen again.
func TestReplaySeesTheSame(t *testing.T) {
	live := func(records []journal.Record) (journal.Finished, []journal.Record) {
		t.Helper()
		s, err := Load(Options{Source: Source{File: "t.lua", Text: []byte(chanceful)}, Catalog: testCatalog(t)})
		if err != nil {
			t.Fatal(err)
		}
		log, c := &tape{slices.Clone(records)}, clock.Scaled{Factor: 10_000}
		g, err := gate.New(gate.Options{Run: "r", Log: log, Rules: policy.Rules{Mode: policy.Run}, Clock: c, Operator: settler{}, Redactor: &secret.Redactor{}}, records)
		if err != nil {
			t.Fatal(err)
		}
		started := journal.Started{Run: "r", Mode: "run", RTO: "1h", DetectedAt: c.Now()}
		e := run.New(run.Options{Gate: g, Clock: c, Operator: settler{}, Started: started})
		s.Begin(Session{Engine: e, Gate: g, Clients: map[string]any{"box": &boxes{}}})
		return e.Run(context.Background(), s.Body("run", Input{})), log.records
	}
	first, records := live(nil)
	if first.Result != "done" {
		t.Fatalf("%+v", first)
	}
	words := strings.Fields(first.Message)
	compared := 0
	for cut := range records {
		if records[cut].Kind == journal.RunFinished {
			continue
		}
		again, _ := live(records[:cut+1])
		if again.Result != "done" {
			t.Fatalf("killed after record %d: %+v", cut+1, again)
		}
		for i, word := range strings.Fields(again.Message) {
			// A time that was not recorded before the kill is another one: the first is
			// the run's first call, all are there before the last record.
			if strings.Contains(word, ".") && cut < len(records)-2 && (i > 0 || cut < 1) {
				continue
			}
			if compared++; word != words[i] {
				t.Errorf("killed after record %d: word %d is %q, was %q", cut+1, i+1, word, words[i])
			}
		}
	}
	if compared < 200 {
		t.Errorf("only %d words were compared", compared)
	}
}

// settler says of every mutation without an outcome that it did not happen.
type settler struct{ refuser }

func (settler) Settle(context.Context, gate.Lost) (gate.Verdict, error) {
	return gate.Verdict{Landed: binding.No, By: "alice"}, nil
}
