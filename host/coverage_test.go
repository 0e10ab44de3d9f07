package host

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/drill"
	"github.com/webhost-systems/drhost/host/report"
)

func TestCoverageOfAResource(t *testing.T) {
	at := time.Date(2026, 2, 3, 4, 5, 0, 0, time.UTC)
	drilled := func(file, state string, days int, names ...string) *rehearsed {
		r := &rehearsed{drill: &drill.Drill{File: file}, names: names, state: state}
		if state != neverDrilled {
			r.run = &report.Run{ID: "run-" + file, Ended: at.AddDate(0, 0, -days)}
		}
		return r
	}
	drills := []*rehearsed{
		drilled("failed.lua", drillFailed, 1, "hobby-1"),
		drilled("old.lua", drillPassed, 9, "hobby-1", "webhost.systems"),
		drilled("new.lua", drillPassed, 2, "HOBBY-1"),
		drilled("overdue.lua", drillOverdue, 90, "example.com"),
		drilled("never.lua", neverDrilled, 0, "example.com", "tier=hobby"),
	}
	for _, c := range []struct {
		resource binding.Resource
		result   string
		by       string
		covers   bool
	}{
		{binding.Resource{Kind: "server", Name: "hobby-1"}, drillPassed, "new.lua old.lua failed.lua", true},
		{binding.Resource{Kind: "zone", Name: "webhost.systems"}, drillPassed, "old.lua", true},
		{binding.Resource{Kind: "zone", Name: "example.com"}, drillOverdue, "overdue.lua never.lua", false},
		{binding.Resource{Kind: "server", Name: "hobby-7", Labels: map[string]string{"tier": "hobby"}}, neverDrilled, "never.lua", false},
		{binding.Resource{Kind: "server", Name: "hobby", Labels: map[string]string{"tier": "pro"}}, noScenario, "", false},
	} {
		got := judgeCoverage(c.resource, drills)
		if got.Result != c.result || strings.Join(got.By, " ") != c.by || got.Covers != c.covers {
			t.Errorf("%s: %s by %v, covers %v; wanted %s by %s", c.resource.Name, got.Result, got.By, got.Covers, c.result, c.by)
		}
	}
}

func TestJudgedNeedsAJudgement(t *testing.T) {
	if judged(&report.Run{}) == nil {
		t.Error("a drill that nobody judged has passed")
	}
	if err := judged(&report.Run{Judgement: []*report.Node{{Title: "Judge the drill", State: "failed"}}}); err == nil {
		t.Error("a failed judgement counts as passed")
	}
	if err := judged(&report.Run{Judgement: []*report.Node{{Title: "Judge the drill", State: "done"}}}); err != nil {
		t.Error(err)
	}
}

func TestCoverageTable(t *testing.T) {
	ended := time.Date(2026, 2, 3, 4, 5, 0, 0, time.Local)
	var out bytes.Buffer
	c := &Coverage{Env: "production", Unread: map[string]string{"cloudflare": "the API token is empty"}, Resources: []Covered{
		{Resource: binding.Resource{Kind: "server", Name: "hobby-1"}, By: []string{"a.lua", "b.lua"}, Drilled: &ended, Result: drillPassed, Covers: true},
		{Resource: binding.Resource{Kind: "server", Name: "hobby-9"}, Result: noScenario}}}
	if err := (&Host{}).CoverageTable(&out, c); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a.lua and 1 more", "2026-02-03 04:05", "no scenario", "not looked at: cloudflare: the API token is empty", "1 of 2 resources of production"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}
