package backup

import (
	"strings"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/bindings/backup/physical"
	"github.com/webhost-systems/drhost/host/binding"
)

func TestExposureIsHeldAgainstTheObjective(t *testing.T) {
	now := time.Date(2026, 2, 28, 12, 0, 0, 0, time.UTC)
	dump := func(subject string, ago time.Duration, damaged string) catalogue.Backup {
		until := now.Add(-ago)
		return catalogue.Backup{Manifest: catalogue.Manifest{Kind: catalogue.Logical, Subject: subject, Until: until, Finished: until.Add(5 * time.Minute), Server: catalogue.Origin{Host: "db"}},
			Checks: catalogue.Checks{Reason: damaged}}
	}
	base := catalogue.Backup{Manifest: catalogue.Manifest{Kind: catalogue.Physical, Subject: "hobby-1", Until: now.Add(-20 * time.Hour), Server: catalogue.Origin{Host: "db"},
		Base: &catalogue.Base{System: "7", Start: 100, Stop: 200, Databases: []string{"carried"}}}}
	e := exposed{now: now, all: []catalogue.Backup{dump("shop", 10*time.Minute, "flipped"), dump("shop", 70*time.Minute, ""), dump("carried", 5*time.Hour, ""), dump("shop", 25*time.Hour, ""), base, dump("free", 40*time.Hour, "")},
		set:     map[string]databaseSettings{"shop": {Tier: "hobby", Objective: "hetzner_database"}, "carried": {Objective: "hetzner_database"}, "never": {Objective: "hetzner_database"}, "odd": {Objective: "hetzner_databse"}},
		targets: map[string]binding.Objective{"hetzner_database": {RPO: time.Hour}}}
	head := physical.Head{System: "7", Server: "db", Position: 900, Until: now.Add(-3 * time.Second), Updated: now.Add(-3 * time.Second)}
	e.logs = []physical.Exposure{head.Exposure(now)}

	shop := e.of("shop", nil)
	if *shop.Age != 70*time.Minute || !shop.Exceeded || shop.Tier != "hobby" || *shop.RPO != time.Hour || shop.Damaged != 1 || *shop.Worst != 25*time.Hour-70*time.Minute+5*time.Minute {
		t.Fatalf("%+v", shop)
	}
	if !strings.Contains(strings.Join(shop.Notes, " "), "lose up to 23h55m0s, more than the objective of 1h0m0s") {
		t.Fatal(shop.Notes)
	}
	for _, name := range []string{"hobby-1", "carried"} {
		if x := e.of(name, nil); *x.Age != 3*time.Second || x.Kind != "archive" || x.Exceeded || x.Worst != nil {
			t.Fatalf("%+v", x)
		}
	}
	if x := e.of("never", nil); !x.Exceeded || x.Until != nil {
		t.Fatalf("%+v", x)
	}
	if x := e.of("odd", nil); !x.Exceeded || !strings.Contains(strings.Join(x.Notes, " "), `did you mean "hetzner_database"?`) {
		t.Fatalf("%+v", x)
	}
	if x := e.of("free", nil); x.Exceeded || x.RPO != nil || !strings.Contains(strings.Join(x.Notes, " "), "[objectives.free] rpo") {
		t.Fatalf("%+v", x)
	}
	head.Gaps = []physical.Gap{{From: 300, To: 400}}
	e.logs = []physical.Exposure{head.Exposure(now)}
	if x := e.of("hobby-1", nil); *x.Age != 20*time.Hour || len(x.Alarms) == 0 {
		t.Fatalf("a gap ends what the log can bring back: %+v", x)
	}
}
