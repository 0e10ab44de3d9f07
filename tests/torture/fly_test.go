package torture

import (
	"testing"

	"github.com/webhost-systems/drhost/bindings/world"
	"github.com/webhost-systems/drhost/host"
)

// TestFlyIsTheSameInEveryWorld: ids of Fly.io that were there before have their
// names, those that were made since are new, and only that is taken away.
func TestFlyIsTheSameInEveryWorld(t *testing.T) {
	trial := &trial{stage: &host.Stage{Run: "20260101-0000-drill-abcd"}, before: before{names: map[string]string{
		"0123456789abcd": "db-1", "vol_0123456789abcdef": "the volume of db-1"}}}
	for text, want := range map[string]string{
		"machine 0123456789abcd with vol_0123456789abcdef":               "machine db-1 with the volume of db-1",
		"machine fedcba98765432 with vol_fedcba9876543210":               "machine new with new",
		"drhost_restart:r 01M8BAA4ZHBB1RTNRWYZZ8Q6Q2 fly":                "drhost_restart:r new fly",
		"key 20260101-0000-drill-abcd-0123456789abcdef.0123456789abcd":   "key RUN-key.db-1",
		"image registry.fly.io/webhost-prod:deployment-2024.11.1 512 MB": "image registry.fly.io/webhost-prod:deployment-2024.11.1 512 MB",
	} {
		if got := trial.plain(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
	ends := trial.ending(&end{Exit: 1, Message: "Fly answers HTTP 401: no, request 01M8B8VVKASM010A98PMVEWCKE-ams; request two-fold, cf-ray 00007a0000000002-FRA"})
	if want := (ending{1, "Fly answers HTTP 401: no, request -; request two-fold, cf-ray -"}); ends.unlike(want) != "" {
		t.Errorf("%+v", ends)
	}
	if held := trial.ending(&end{Exit: 1, Message: "leased by anna until 2026-11-26T07:22:27Z (ask her)"}); held.unlike(ending{1, "leased by anna until - (ask her)"}) != "" {
		t.Errorf("%+v", held)
	}
	if u := ends.unlike(ending{1, "another"}); u == "" {
		t.Error("another message is the same end")
	}
	for _, d := range []struct{ method, path, body, want string }{
		{"POST", "/v1/apps/db/machines/0123456789abcd/restart", "", "POST /v1/apps/db/machines/db-1/restart"},
		{"POST", "/v1/apps/db/machines/fedcba98765432", "{}", "POST /v1/apps/db/machines/new"},
		{"POST", "/v1/apps/db/machines/0123456789abcd/lease", "{}", ""},
		{"DELETE", "/v1/apps/db/machines/0123456789abcd/lease", "", ""},
		{"POST", "/v1/apps/db/machines/0123456789abcd/metadata/drhost_restart", "{}", ""},
		{"POST", "/v1/apps/db/machines/0123456789abcd/metadata/drhost_promote", "{}", "POST /v1/apps/db/machines/db-1/metadata/drhost_promote"},
		{"POST", "/v1/apps/db/machines/0123456789abcd/exec", `{"command":["repmgr","standby","promote"]}`, "POST /v1/apps/db/machines/db-1/exec repmgr standby promote"},
	} {
		if got := trial.flyDeed(world.Request{Method: d.method, Path: d.path, Body: d.body}); got != d.want {
			t.Errorf("%s %s is %q, want %q", d.method, d.path, got, d.want)
		}
	}
}
