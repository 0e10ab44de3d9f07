package world

import (
	"strings"
	"testing"
)

func (f *flight) inject(fault string, args map[string]any) {
	f.Helper()
	if err := f.Inject(fault, args); err != nil {
		f.Fatal(err)
	}
}

func (f *flight) restart(machine string) {
	f.Helper()
	f.call("POST", f.path(machine)+"/restart", nil)
	f.call("GET", f.path(machine)+"/wait?state=started&timeout=60", nil)
}

// becomes waits until a Postgres machine is what it should be: PostgreSQL
// comes up a little after its machine.
func (f *flight) becomes(machine, role string) {
	f.Helper()
	f.until(machine+" is "+role, func() bool { return f.role(machine) == role })
}

// update gives every machine of the web app another image, or the same and
// with it the secrets of today.
func (f *flight) update(image string) {
	f.Helper()
	for _, m := range []string{"webhost-prod-1", "webhost-prod-2"} {
		config := f.call("GET", f.path(m), nil)["config"].(map[string]any)
		if image != "" {
			config["image"] = image
		}
		made := f.call("POST", f.path(m), map[string]any{"config": config})
		f.call("GET", f.path(m)+"/wait?state=started&timeout=60&version="+made["instance_id"].(string), nil)
	}
}

func TestFlyApplicationFails(t *testing.T) {
	t.Parallel()
	f := startFly(t, alone)
	visit := func() Visit { return f.Customer(f.ctx, "https://webhost-prod.fly.dev/health") }

	f.inject("bad_release", map[string]any{"app": "webhost-prod"})
	if v := visit(); v.Status != 500 || !strings.Contains(v.Body, "deployment-bad") {
		t.Errorf("with a bad release: %+v", v)
	}
	f.update("registry.fly.io/webhost-prod:deployment-2024.11.1")
	f.until("the earlier image serves", f.healthy)

	f.inject("hang_machine", map[string]any{"machine": "webhost-prod-1"})
	f.inject("kill_machine", map[string]any{"machine": "webhost-prod-2"})
	if v := visit(); v.Status != 503 {
		t.Errorf("with no machine: %+v", v)
	}
	f.restart("webhost-prod-1")
	f.until("one machine serves", f.healthy)
	f.call("POST", f.path("webhost-prod-1")+"/cordon", nil)
	if v := visit(); v.Status != 503 {
		t.Errorf("with the last machine cordoned: %+v", v)
	}
	f.call("POST", f.path("webhost-prod-1")+"/uncordon", nil)
	f.restart("webhost-prod-2")

	// A secret takes effect with the next update, and a wrong one is seen.
	f.call("POST", "/v1/apps/webhost-prod/secrets", map[string]any{"values": map[string]any{databaseVariable: "postgres://postgres:x@nowhere.flycast/webhost_prod"}})
	f.restart("webhost-prod-1")
	f.until("a restart changes no secret", f.healthy)
	f.update("")
	if v := visit(); v.Status != 503 || !strings.Contains(v.Body, "nowhere.flycast") {
		t.Errorf("with a wrong DATABASE_URL: %+v", v)
	}

	f.inject("cut_provider", map[string]any{"provider": "fly"})
	if v := visit(); v.Error == "" {
		t.Errorf("with the network cut: %+v", v)
	}
	f.inject("heal_api", map[string]any{"provider": "fly"})
	f.call("GET", "/v1/apps/webhost-prod", nil)
}

func TestFlyRegionIsLost(t *testing.T) {
	t.Parallel()
	f := startFly(t)
	f.inject("region_down", map[string]any{"region": "ams"})
	if f.healthy() {
		t.Error("customers are served out of a region that is down")
	}
	if status, text := f.ask("POST", f.path("webhost-prod-1")+"/restart", nil); status != 503 {
		t.Errorf("restart in a region that is down: %d %s", status, text)
	}
	if out, exit := f.run("webhost-prod-db-replica-1", "gosu postgres repmgr standby promote -f /data/repmgr.conf"); exit != 0 {
		t.Fatalf("promote: %s", out)
	}
	f.becomes("webhost-prod-db-replica-1", "primary")
	f.call("POST", "/v1/apps/webhost-prod/secrets", map[string]any{"values": map[string]any{databaseVariable: f.databaseURL("webhost-prod-db-replica")}})
	f.call("POST", "/v1/apps/webhost-prod/machines", map[string]any{"region": "fra", "config": webConfig(f.spec.Apps[0])})
	f.until("the backup region serves", f.healthy)
	truth, err := f.Truth("webhost-prod-db")
	if err != nil || truth.FaultAt.IsZero() {
		t.Errorf("truth: %+v %v", truth, err)
	}
	f.inject("region_full", map[string]any{"region": "fra"})
	if status, text := f.ask("POST", "/v1/apps/webhost-prod/machines", map[string]any{"region": "fra", "config": webConfig(f.spec.Apps[0])}); status != 412 || !strings.Contains(string(text), "insufficient_capacity") {
		t.Errorf("in a region that is full: %d %s", status, text)
	}
	f.inject("region_up", map[string]any{"region": "ams"})
	f.call("GET", f.path("webhost-prod-db-1")+"/wait?state=started&timeout=60", nil)
	f.becomes("webhost-prod-db-1", "primary")
}

func TestFlySplitBrain(t *testing.T) {
	t.Parallel()
	f := startFly(t, alone)
	f.inject("hang_machine", map[string]any{"machine": "webhost-prod-db-1"})
	if out, exit := f.run("webhost-prod-db-2", "repmgr standby promote --siblings-follow -f /data/repmgr.conf"); exit != 0 {
		t.Fatalf("promote beside a primary that hangs: %s", out)
	}
	f.until("customers are served", f.healthy)
	f.restart("webhost-prod-db-1")
	f.becomes("webhost-prod-db-1", "zombie")
	f.until("its database answers", func() bool { _, exit := f.run("webhost-prod-db-1", `psql -c "SELECT 1"`); return exit == 0 })
	if out, exit := f.run("webhost-prod-db-1", `psql -d webhost_prod -c "DELETE FROM sync_updates"`); exit == 0 || !strings.Contains(out, "read-only") {
		t.Errorf("a write to the zombie: %d %s", exit, out)
	}
	f.restart("webhost-prod-db-1")
	f.becomes("webhost-prod-db-1", "replica")
	// Now both live and one is promoted by force.
	if out, exit := f.run("webhost-prod-db-1", "repmgr standby promote -f /data/repmgr.conf -F"); exit != 0 {
		t.Fatalf("promote by force: %s", out)
	}
	f.becomes("webhost-prod-db-1", "primary")
	f.becomes("webhost-prod-db-2", "zombie")
}

func TestFlyReplicaLagAndFullDisk(t *testing.T) {
	t.Parallel()
	f := startFly(t, alone)
	f.inject("replica_lag", map[string]any{"machine": "webhost-prod-db-2"})
	before, err := f.Truth("webhost-prod")
	if err != nil {
		t.Fatal(err)
	}
	f.until("customers wrote", func() bool { now, _ := f.Truth("webhost-prod"); return now.Count > before.Count+20 })
	count := `psql -At -d webhost_prod -c "SELECT count(*) FROM sync_updates"`
	primary, _ := f.run("webhost-prod-db-1", count)
	replica, _ := f.run("webhost-prod-db-2", count)
	if primary == replica {
		t.Errorf("the replica has the %s rows of its primary", strings.TrimSpace(replica))
	}
	f.restart("webhost-prod-db-2")
	f.until("it catches up", func() bool {
		out, _ := f.run("webhost-prod-db-2", `psql -Atc "SELECT status FROM pg_stat_wal_receiver"`)
		return strings.HasPrefix(out, "streaming")
	})

	f.inject("disk_full", map[string]any{"app": "webhost-prod-db"})
	f.becomes("webhost-prod-db-1", "readonly")
	_, text := f.ask("GET", "/v1/apps/webhost-prod-db/volumes", nil)
	id, _, _, err := f.flyMachine("webhost-prod-db-1")
	if err != nil || !strings.Contains(string(text), id) {
		t.Fatalf("volumes: %v %s", err, text)
	}
	for volume, machine := range f.fly.State().Apps["webhost-prod-db"].Volumes {
		if machine == id {
			f.call("PUT", "/v1/apps/webhost-prod-db/volumes/"+volume+"/extend", map[string]any{"size_gb": 20})
		}
	}
	f.becomes("webhost-prod-db-1", "primary")
}

func TestFlyBackupsAndSnapshotsRestore(t *testing.T) {
	t.Parallel()
	f := startFly(t)
	if out, exit := f.run("webhost-prod-db-2", "flexctl backup create"); exit == 0 || !strings.Contains(out, "only be performed against the primary") {
		t.Errorf("a backup of a replica: %d %s", exit, out)
	}
	if out, exit := f.run("webhost-prod-db-1", "flexctl backup create -n mine"); exit != 0 {
		t.Fatalf("create: %s", out)
	}
	if out, _ := f.run("webhost-prod-db-1", "flexctl backup list --json"); strings.Count(out, `"backup_id"`) != 2 || !strings.Contains(out, `"backup_name":"mine"`) {
		t.Errorf("backups: %s", out)
	}
	var acted []string
	for _, r := range f.Requests() {
		if r.Acted {
			acted = append(acted, r.Body)
		}
	}
	if len(acted) != 2 || strings.Contains(strings.Join(acted, ""), "backup list") { // the refused one is no question
		t.Errorf("taken for changes: %q", acted)
	}
	restore := func(app string, secrets map[string]any, volume map[string]any) {
		t.Helper()
		f.call("POST", "/v1/apps", map[string]any{"app_name": app, "org_slug": "webhost-systems", "app_role_id": "postgres_cluster"})
		if secrets != nil {
			f.call("POST", "/v1/apps/"+app+"/secrets", map[string]any{"values": secrets})
		}
		volume["name"], volume["region"] = "pg_data", "ams"
		made := f.call("POST", "/v1/apps/"+app+"/volumes", volume)
		config := flexConfig(PostgresSpec{Machines: []string{"ams"}})
		config["mounts"] = []any{map[string]any{"volume": made["id"], "path": "/data"}}
		machine := f.call("POST", "/v1/apps/"+app+"/machines", map[string]any{"region": "ams", "name": app, "config": config})
		f.call("GET", "/v1/apps/"+app+"/machines/"+machine["id"].(string)+"/wait?state=started&timeout=60", nil)
		f.becomes(app, "primary")
		var out string
		f.until(app+" answers with its customers", func() bool { // after its recovery
			out, _ = f.run(app, `psql -At -d webhost_prod -c "SELECT count(*) >= 200 FROM customers"`)
			return !strings.Contains(out, "starting up")
		})
		if out != "t\n" {
			t.Errorf("%s: %s", app, out)
		}
	}
	restore("from-backup", map[string]any{restoreSecret: "https://k:s@fly.storage.tigris.dev/b/webhost-prod-db?targetName=mine"}, map[string]any{})
	for volume := range f.fly.State().Apps["webhost-prod-db-replica"].Volumes {
		f.call("POST", "/v1/apps/webhost-prod-db-replica/volumes/"+volume+"/snapshots", nil)
		var snapshot string
		f.until("the snapshot is ready", func() bool {
			_, text := f.ask("GET", "/v1/apps/webhost-prod-db-replica/volumes/"+volume+"/snapshots", nil)
			snapshot = strings.SplitN(string(text[strings.Index(string(text), "vs_"):]), `"`, 2)[0]
			return strings.Contains(string(text), `"status":"created"`)
		})
		restore("from-snapshot", nil, map[string]any{"snapshot_id": snapshot})
	}
}
