package tests

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/webhost-systems/drhost/bindings/world"
)

// deeds counts the mutations that a provider carried out at a path that begins
// and ends so.
func deeds(t *testing.T, dir, from, to string) int {
	t.Helper()
	var all []world.Request
	if err := json.Unmarshal([]byte(drhost(t, dir, 0, "sim", "show", "requests")), &all); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, r := range all {
		if r.Acted && r.Method == "POST" && strings.HasPrefix(r.Path, from) && strings.HasSuffix(r.Path, to) {
			n++
		}
	}
	return n
}

// TestFlyIsCutOffAndComesBack: the network to Fly.io is cut before a recovery
// begins, and in the middle of a change. The run ends, says why and how to go
// on; resumed it goes on, and nothing is lost or done twice.
func TestFlyIsCutOffAndComesBack(t *testing.T) {
	if testing.Short() {
		t.Skip("starts PostgreSQL")
	}
	dir := workingFolder(t)
	startSim(t, dir, 60, "--world", "runbooks/worlds/production.toml")
	fault := func(args ...string) { drhost(t, dir, 0, append([]string{"sim", "fault"}, args...)...) }
	run := func(exit int, args ...string) string {
		return drhost(t, dir, exit, append(args, "--yes", "--no-input")...)
	}
	const region = "runbooks/region_outage.lua"

	fault("region_down", "region=ams")
	fault("cut_provider", "provider=fly")
	if out := run(1, "run", region, "--env", "sim"); !strings.Contains(out, "the connection to Fly broke") || !strings.Contains(out, "to go on: drhost resume") {
		t.Errorf("cut off at the start:\n%s", out)
	}
	fault("heal_api", "provider=fly")
	fault("later", "provider=fly", "method=POST", "path=/v1/apps/webhost-prod/machines", "fault=cut_provider", `args={"provider":"fly"}`)
	if out := run(1, "resume", "last"); !strings.Contains(out, "the connection to Fly broke") || !strings.Contains(out, "to go on: drhost resume") {
		t.Errorf("cut off in the middle of the move:\n%s", out)
	}
	fault("heal_api", "provider=fly")
	fault("later", "provider=fly", "method=POST", "path=/v1/apps/webhost-prod/secrets", "fault=cut_provider", `args={"provider":"fly"}`)
	if out := run(1, "resume", "last"); !strings.Contains(out, "the connection to Fly broke") || !strings.Contains(out, "to go on: drhost resume") {
		t.Errorf("cut off while secrets are set:\n%s", out)
	}
	fault("heal_api", "provider=fly")
	run(0, "resume", "last")
	if made := deeds(t, dir, "/v1/apps/webhost-prod/machines", "/machines"); made != 2 {
		t.Errorf("%d machines were made, and not 2", made)
	}
	if promoted := deeds(t, dir, "/v1/apps/webhost-prod-db-replica/", "/metadata/drhost_promote"); promoted != 1 {
		t.Errorf("%d promotions were begun, and not 1", promoted)
	}
}
