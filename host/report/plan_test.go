package report

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/journal"
)

// samplePlan has everything that a plan may print.
func samplePlan() journal.Plan {
	call := func(depth int, effect, says string) journal.PlanNode {
		return journal.PlanNode{Form: "call", Title: says, Depth: depth, Call: "x.y", Effect: effect}
	}
	done := journal.PlanNode{Form: "end", Title: "it serves again", Result: "done"}
	failed := journal.PlanNode{Form: "end", Title: "expected: it is there", Result: "failed", Exit: 1}
	return journal.Plan{LeftOut: 2, Reads: 3, Earlier: []journal.PlanForecast{{Run: "a", Mode: "drill", Seconds: 400}, {Run: "b", Mode: "run", Seconds: 7200}},
		Calls: []journal.PlanCall{{Says: "reboot db-1", Effect: "mutates"}, {Says: "delete db-1", Effect: "destroys"}},
		Ways: []journal.PlanWay{{Calls: []int{0}, Result: "done"}, {Calls: []int{0, 1}, People: 3, Result: "done"},
			{Calls: []int{0, 1}, People: 3, Result: "failed"}},
		Tree: []journal.PlanNode{
			{Form: "step", Title: "Try what is mild", Optional: true},
			{Form: "call", Title: "look db-1", Depth: 1, Call: "x.look", Effect: "reads", Before: true},
			call(1, "mutates", "reboot db-1 and wait until it says of itself that it has come back and serves whoever asks"),
			{Form: "fork", Title: "is it so: ok of db-1?", Depth: 1, Site: journal.Site{File: "runbooks/a.lua", Line: 7}, Choices: []journal.PlanChoice{
				{Answer: "yes", Then: []journal.PlanNode{call(1, "destroys", "wipe db-1")}},
				{Answer: "no"},
			}},
			{Form: "fork", Title: "does x.look db-1 come true within 2m?", Depth: 1, Choices: []journal.PlanChoice{
				{Answer: "yes", Then: []journal.PlanNode{done}},
				{Answer: "no", Then: []journal.PlanNode{
					{Form: "fork", Title: "Which way?", Choices: []journal.PlanChoice{
						{Answer: "by sea", Then: []journal.PlanNode{{Form: "step", Title: "Sail", Depth: 0}, call(1, "mutates", "sail"), done}},
						{Answer: "by rail", LeftOut: true},
						{Answer: "by air", Then: []journal.PlanNode{
							{Form: "approval", Title: "Give up db-1", Needs: 2},
							{Form: "parallel", Title: "Rebuild"},
							{Form: "branch", Title: "a", Depth: 1},
							call(2, "destroys", "delete db-1"),
							{Form: "note", Title: "gone\x1b[2J", Depth: 2},
							{Form: "fork", Title: "it is there", Depth: 0, Choices: []journal.PlanChoice{
								{Answer: "holds", Then: []journal.PlanNode{{Form: "expect", Title: "it is there"}, done}},
								{Answer: "does not hold", Then: []journal.PlanNode{{Form: "expect", Title: "it is there"},
									{Form: "failed", Fault: fault.New(fault.Failed, "expected: it is there")}, failed}},
							}},
						}},
					}},
				}},
			}},
		}}
}

// TestPlanTree is what a plan looks like.
func TestPlanTree(t *testing.T) {
	var out strings.Builder
	r := &Run{Status: "done", RTO: Objective{Target: "4h"}, Plan: measured(samplePlan())}
	if err := PlanTree(&out, r.Plan, Style{Width: 60}); err != nil {
		t.Fatal(err)
	}
	if err := PlanSummary(&out, r); err != nil {
		t.Fatal(err)
	}
	want := `▸ Try what is mild (may fail)
  → reboot db-1 and wait until it says of itself that it has
    come back and serves whoever asks
  ? is it so: ok of db-1? (a.lua:7)
    ├ yes:
      → DESTROYS: wipe db-1
      ↓ then what follows below
    └ no: nothing but what follows below
  ? does x.look db-1 come true within 2m?
    ├ yes: DONE: it serves again
    └ no: goes on below
? Which way?
  ├ by sea:
    ▸ Sail
      → sail
    ■ DONE: it serves again
  ├ by rail: not followed
  └ by air: goes on below
☞ ASKS 2 DIFFERENT PEOPLE: Give up db-1
▸ Rebuild (all at once)
  ▸ a
    → DESTROYS: delete db-1
    › gone[2J
✓ checks: it is there [if not, the run stops here]
■ DONE: it serves again

this is a plan: nothing was changed
  ways       3 ways followed, of which 2 end well
  LEFT OUT   2 choices not followed: this plan is not whole
  changes    2 at most, 1 of which DESTROYS SOMETHING
  people     asked 3 times at most
  reads      1 read made of the world as it is now, although changes
             planned before may alter it
  objective  4 h 00 min; the last 2 took 6 min 40 s to 2 h 00 min
  ‹planned›  marks what only the run itself will know
`
	if out.String() != want {
		t.Errorf("it reads\n%s\nnot\n%s", out.String(), want)
	}
	out.Reset()
	if err := PlanTree(&out, r.Plan, Style{Width: 60, ASCII: true, Color: true}); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.ContainsAny(text, "▸→├└■☞✓") || !strings.Contains(text, redBold+"DESTROYS: delete db-1"+reset) {
		t.Errorf("with colour and without signs it reads\n%s", text)
	}
}

// TestBuildPlan: the report of a plan has its changes and none of its reads as
// steps; that of a run which follows one has how it deviated.
func TestBuildPlan(t *testing.T) {
	record := func(seq int64, kind journal.Kind, payload any) journal.Record {
		text, err := json.Marshal(payload)
		if err != nil {
			t.Fatal(err)
		}
		return journal.Record{Seq: seq, Kind: kind, Payload: text}
	}
	r, err := Build([]journal.Record{record(1, journal.RunStarted, journal.Started{Run: "p", Mode: "plan"}),
		record(2, journal.CallOutcome, journal.Outcome{Key: "S/1", Call: "x.look", Effect: "reads"}),
		record(3, journal.PlanMade, samplePlan()),
		record(4, journal.RunFinished, journal.Finished{Result: "done"})})
	if err != nil || len(r.Steps) != 0 || len(r.Changes) != 2 || r.Plan == nil || r.Plan.MostDestroys != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	var md strings.Builder
	if err := Markdown(&md, r); err != nil || !strings.Contains(md.String(), "## The plan\n\n```text\n▸ Try what is mild") || strings.Contains(md.String(), "## Timeline") {
		t.Errorf("%v\n%s", err, md.String())
	}
	var page strings.Builder
	if err := HTML(&page, r); err != nil || !strings.Contains(page.String(), "<h2>The plan</h2>\n<pre>▸ Try what is mild") {
		t.Errorf("%v\n%s", err, page.String())
	}
	stopped := journal.Finished{Result: "stopped", Exit: 3, NotDone: []journal.PlanCall{{Says: "sail"}}}
	records := []journal.Record{record(1, journal.RunStarted, journal.Started{Run: "r", Mode: "run", Plan: "p"}),
		record(2, journal.PlanDeviated, journal.Deviation{Plan: "p", Says: "delete db-1", Effect: "destroys", Why: "no such call", Site: journal.Site{File: "a.lua", Line: 7}}),
		record(3, journal.RunFinished, stopped)}
	if r, err = Build(records); err != nil || r.Follows != "p" || len(r.Deviations) != 1 || len(r.NotDone) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	var text strings.Builder
	if err := Deviations(&text, r); err != nil || text.String() != "DEVIATIONS from plan p:\n  a.lua:7: delete db-1 (destroys): no such call\nplanned, but not done:\n  : sail\n" {
		t.Errorf("%v: %s", err, text.String())
	}
	page.Reset()
	if err := HTML(&page, r); err != nil || !strings.Contains(page.String(), "DEVIATIONS from plan p:") {
		t.Errorf("%v\n%s", err, page.String())
	}
	records = append(records, record(4, journal.CallIntent, journal.Intent{Key: "S/1", Call: "x.y"}))
	if r, err = Build(records); err != nil || len(r.NotDone) != 0 || len(r.Deviations) != 1 {
		t.Errorf("after it went on: %+v, %v", r, err)
	}
}
