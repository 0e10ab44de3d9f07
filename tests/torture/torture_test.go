package torture

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/webhost-systems/drhost/host"
)

func TestMain(m *testing.M) {
	if IsLife() {
		os.Exit(Live())
	}
	os.Exit(m.Run())
}

// sampled are the drills of the sample: few, so that it stays short however
// many there are. The campaign holds all of them.
var sampled = [...]string{"hetzner_reboot", "hetzner_replacement", "hetzner_under_fire", "dns_many_records", "application_rollback", "database_promote"}

// TestSample lets runs of some drills, and their undos, die a few times.
func TestSample(t *testing.T) {
	if testing.Short() {
		t.Skip("it holds drills")
	}
	g, err := NewGrounds(t.TempDir(), Speed)
	if err != nil {
		t.Fatal(err)
	}
	var drills []string
	for _, name := range sampled {
		drills = append(drills, filepath.Join(g.Dir, "runbooks", "drills", name+".lua"))
	}
	c := &Campaign{Grounds: g, Workers: 2, Log: t.Output()}
	outcomes, err := c.Run(t.Context(), drills, Sample)
	if err != nil {
		t.Fatal(err)
	}
	if c.Table(t.Output()) {
		t.Error("a run that died did not come to what it comes to undisturbed")
	}
	deaths := 0
	for _, o := range outcomes {
		deaths += o.Deaths
	}
	if deaths < 5*len(drills) {
		t.Errorf("only %d deaths in %d drills", deaths, len(drills))
	}
}

// TestNotices: the harness sees what a store does that says it has synced an
// intent and has not: after a power loss nobody knows of the request.
func TestNotices(t *testing.T) {
	if testing.Short() {
		t.Skip("it holds drills")
	}
	g, err := NewGrounds(t.TempDir(), Speed)
	if err != nil {
		t.Fatal(err)
	}
	drill := filepath.Join(g.Dir, "runbooks", "drills", "hetzner_reboot.lua")
	u, err := g.undisturbed(t.Context(), drill)
	if err != nil {
		t.Fatal(err)
	}
	out, err := g.Hold(t.Context(), Trial{Drill: drill, Schedule: "each", Death: Power, Lies: true}, u)
	if err != nil {
		t.Fatal(err)
	}
	if out.Duplicates == 0 || !slices.ContainsFunc(out.Problems, func(p string) bool { return strings.Contains(p, "/actions/reset: ") }) {
		t.Errorf("%d duplicates in %d deaths: %q", out.Duplicates, out.Deaths, out.Problems)
	}
}

// TestNoticesAnotherWorld: an image tells a world apart in which one thing
// more was done, and says which.
func TestNoticesAnotherWorld(t *testing.T) {
	was := image{"/a = 1", "message twice", "message twice"}
	is := image{"/a = 2", "message twice"}
	if got := strings.Join(was.unlike(is), "; "); got != "- /a = 1; + /a = 2; - message twice" {
		t.Errorf("%s", got)
	}
	if got := was.unlike(slices.Clone(was)); len(got) != 0 {
		t.Errorf("the same: %q", got)
	}
	again, n := deeds{"reset": 3, "create": 1}.twice(deeds{"reset": 1, "create": 1})
	if n != 2 || len(again) != 1 {
		t.Errorf("%d more: %q", n, again)
	}
}

// TestPowerLoss takes away what was not synced, and nothing else.
func TestPowerLoss(t *testing.T) {
	dir := t.TempDir()
	path, fresh := filepath.Join(dir, "journal"), filepath.Join(dir, "fresh")
	for _, p := range []string{path, fresh} {
		if err := os.WriteFile(p, []byte("0123456789"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	left := Durable{Synced: map[string]int64{path: 4}, Written: map[string]int64{path: 10}, Fresh: []string{fresh}}
	if err := left.lose(false, 1); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "0123" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := os.Stat(fresh); !os.IsNotExist(err) {
		t.Errorf("a file whose folder was not synced is there: %v", err)
	}
}

// TestBackupsAreLookedAt: a backup more, and one that was left half made, are
// differences; the locks of the dead are none.
func TestBackupsAreLookedAt(t *testing.T) {
	repository := t.TempDir()
	put := func(path, text string) {
		t.Helper()
		at := filepath.Join(repository, path)
		if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("shop/20260101T000000Z-aaaa/manifest.json", `{"kind":"logical","label":"hobby-1","key":"r1-0123456789abcdef"}`)
	put("shop/20260101T000001Z-bbbb/manifest.json", `{"kind":"logical","label":"hobby-1","key":"prepare-0123456789abcdef"}`)
	put("shop/20260101T000002Z-cccc/dump.pgdump.zst", "half of it")
	put("locks/shop/0000000001.json", "{}")
	settings := map[string]map[string]any{"backup": {"repository": repository}}
	trial := &trial{stage: &host.Stage{Run: "r1", Sim: &host.Sim{World: &host.World{Settings: settings}}}}
	var got image
	if err := trial.backups(func(format string, args ...any) { got = append(got, trial.plain(fmt.Sprintf(format, args...))) }); err != nil {
		t.Fatal(err)
	}
	want := image{`backup of shop: logical, label "hobby-1", key RUN-key`, `backup of shop: logical, label "hobby-1", key prepare-key`, "backup of shop: not whole"}
	if lines := want.unlike(got); len(lines) > 0 {
		t.Errorf("%q", lines)
	}
}
