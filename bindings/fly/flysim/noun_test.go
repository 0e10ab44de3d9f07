package flysim

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/webhost-systems/drhost/host/clock"
)

func (b *bench) list(path string) []obj {
	b.Helper()
	status, text := b.ask("GET", path, nil)
	var out []obj
	if err := json.Unmarshal(text, &out); status != 200 || err != nil {
		b.Fatalf("GET %s: %d %v: %s", path, status, err, text)
	}
	return out
}

// change waits until something about the simulator has become true.
func (b *bench) change(what string, is func() bool) {
	b.Helper()
	for !is() {
		b.sim.mu.Lock()
		changed := b.sim.changed
		b.sim.mu.Unlock()
		if is() {
			return
		}
		select {
		case <-changed:
		case <-b.Context().Done():
			b.Fatalf("never: %s", what)
		}
	}
}

func TestVolumesAndSnapshots(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	made := b.want(200, "POST", "/v1/apps/web/volumes", obj{"name": "data", "region": "fra", "size_gb": 3})
	id := word(made, "id")
	if made["state"] != "created" || !strings.HasPrefix(id, "vol_") {
		t.Errorf("volume: %v", made)
	}
	b.want(400, "POST", "/v1/apps/web/volumes", obj{"name": "no-dashes", "region": "fra"})
	c := config(image)
	c["mounts"] = []obj{{"volume": id, "path": "/data"}}
	b.want(400, "POST", "/v1/apps/web/machines", obj{"region": "ams", "config": c})
	machine := b.want(200, "POST", "/v1/apps/web/machines", obj{"region": "fra", "config": c})
	b.want(412, "POST", "/v1/apps/web/machines", obj{"region": "fra", "config": c})
	if got := b.want(200, "GET", "/v1/apps/web/volumes/"+id, nil); got["attached_machine_id"] != machine["id"] {
		t.Errorf("attached to %v", got["attached_machine_id"])
	}
	b.want(412, "DELETE", "/v1/apps/web/volumes/"+id, nil)
	b.want(200, "POST", "/v1/apps/web/volumes/"+id+"/snapshots", nil)
	taken := func() obj { return b.list("/v1/apps/web/volumes/" + id + "/snapshots")[0] }
	b.change("the snapshot is ready", func() bool { return taken()["status"] == "created" })
	restored := b.want(200, "POST", "/v1/apps/web/volumes", obj{"name": "data", "region": "ams", "size_gb": 1, "snapshot_id": taken()["id"]})
	if number(restored, "size_gb") != 3 {
		t.Errorf("a restored volume is smaller than its snapshot: %v", restored)
	}
	b.want(404, "POST", "/v1/apps/web/volumes", obj{"name": "data", "snapshot_id": "vs_none"})
	b.want(400, "PUT", "/v1/apps/web/volumes/"+id+"/extend", obj{"size_gb": 2})
	if got := b.want(200, "PUT", "/v1/apps/web/volumes/"+id+"/extend", obj{"size_gb": 5}); number(part(got, "volume"), "size_gb") != 5 {
		t.Errorf("extended: %v", got)
	}
	b.want(200, "DELETE", "/v1/apps/web/machines/"+word(machine, "id")+"?force=true", nil)
	b.wait("/v1/apps/web/machines/"+word(machine, "id"), "destroyed")
	b.want(200, "DELETE", "/v1/apps/web/volumes/"+id, nil)
	b.want(404, "GET", "/v1/apps/web/volumes/"+id, nil)
}

func TestRegionsAndCapacity(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.sim.SetFull("fra", true)
	for _, path := range []string{"machines", "volumes"} {
		got := b.want(412, "POST", "/v1/apps/web/"+path, obj{"name": "x", "region": "fra", "config": config(image)})
		if got["status"] != Capacity {
			t.Errorf("%s: %v", path, got)
		}
	}
	for _, r := range list(b.want(200, "POST", "/v1/platform/placements", obj{"region": "fra,ams", "count": 2}), "Regions") {
		if want := map[any]int{"fra": 0, "ams": 2}[r["Region"]]; number(r, "Count") != want {
			t.Errorf("placements: %v", r)
		}
	}
	if got := b.want(200, "GET", "/v1/platform/regions", nil); got["Nearest"] != "ams" || len(list(got, "Regions")) < 10 {
		t.Errorf("regions: %v", got)
	}
	b.want(400, "POST", "/v1/apps/web/machines", obj{"region": "xyz", "config": config(image)})
}

func TestRegionDownAndUp(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.sim.SetDown("ams", true)
	m := b.want(200, "GET", b.machine(0), nil)
	if m["host_status"] != "unreachable" || m["config"] != nil || part(m, "incomplete_config")["image"] != image {
		t.Errorf("machine: %v", m)
	}
	for _, action := range []string{"/start", "/stop", "/restart", "/lease", "/exec"} {
		b.want(503, "POST", b.machine(0)+action, obj{"cmd": "true"})
	}
	b.want(503, "POST", "/v1/apps/web/machines", obj{"region": "ams", "config": config(image)})
	if _, runs := b.metal.Running(b.ids[0]); runs {
		t.Error("a machine in a region that is down runs")
	}
	b.sim.SetDown("ams", false)
	b.wait(b.machine(0), "started")
	if _, runs := b.metal.Running(b.ids[0]); !runs {
		t.Error("a machine does not run again")
	}
}

func TestFaultsOfMachines(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if err := b.sim.KillMachine(b.ids[0]); err != nil {
		t.Fatal(err)
	}
	m := b.want(200, "GET", b.machine(0), nil)
	exit := part(part(list(m, "events")[0], "request"), "exit_event")
	if m["state"] != "stopped" || number(exit, "exit_code") != 137 || exit["requested_stop"] != false {
		t.Errorf("killed: %v, %v", m["state"], exit)
	}
	if err := b.sim.Hung(b.ids[1]); err != nil {
		t.Fatal(err)
	}
	if got := list(b.want(200, "GET", b.machine(1), nil), "checks")[0]; got["status"] != Critical {
		t.Errorf("check of a hung machine: %v", got)
	}
	b.want(200, "POST", b.machine(1)+"/restart", nil)
	b.wait(b.machine(1), "started")
	if got := list(b.want(200, "GET", b.machine(1), nil), "checks")[0]; got["status"] != Passing {
		t.Errorf("check after the restart: %v", got)
	}
	if err := b.sim.LoseMachine(b.ids[1]); err != nil {
		t.Fatal(err)
	}
	b.want(503, "POST", b.machine(1)+"/restart", nil)
	b.want(503, "DELETE", b.machine(1), nil)
	b.want(200, "DELETE", b.machine(1)+"?force=true", nil)
	if b.sim.KillMachine("nobody") == nil {
		t.Error("a machine that is not there was killed")
	}
}

func TestCordonAndMetadata(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	one := b.machine(0)
	instance := b.want(200, "GET", one, nil)["instance_id"]
	b.want(200, "POST", one+"/cordon", nil)
	if got := b.want(200, "GET", one, nil); got["cordoned"] != true {
		t.Errorf("cordoned: %v", got["cordoned"])
	}
	b.want(200, "POST", one+"/uncordon", nil)
	b.want(204, "POST", one+"/metadata/role", obj{"value": "spare"})
	if got := b.want(200, "GET", one+"/metadata", nil); got["role"] != "spare" || got["fly_platform_version"] != "v2" {
		t.Errorf("metadata: %v", got)
	}
	if got := b.list("/v1/apps/web/machines?metadata.role=spare"); len(got) != 1 || got[0]["id"] != b.ids[0] {
		t.Errorf("by metadata: %v", got)
	}
	b.want(204, "DELETE", one+"/metadata/role", nil)
	got := b.want(200, "GET", one, nil)
	if got["instance_id"] != instance || got["cordoned"] != false || part(part(got, "config"), "metadata")["role"] != nil {
		t.Errorf("afterwards: %v", got)
	}
}

func TestReleasesAndDeploy(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	made := b.want(201, "POST", "/api/v1/releases", obj{"app_name": "web", "image": "web:2", "strategy": "ROLLING"})
	id := word(part(made, "release"), "id")
	b.want(200, "PATCH", "/api/v1/releases/"+id, obj{"status": "complete"})
	if got := b.want(200, "GET", "/api/v1/apps/web/releases/current", nil); number(got, "version") != 3 || got["status"] != "complete" {
		t.Errorf("current: %v", got)
	}
	if err := b.sim.Deploy(b.Context(), "web", "web:bad"); err != nil {
		t.Fatal(err)
	}
	if p, _ := b.metal.Running(b.ids[1]); p.Image != "web:bad" {
		t.Errorf("deployed %q", p.Image)
	}
	if got := b.sim.State().Apps["web"].Releases; len(got) != 4 || got[3] != "web:bad" {
		t.Errorf("releases: %v", got)
	}
}

// query asks GraphQL and returns the data; the first error is a failure.
func (b *bench) query(text string, variables obj) obj {
	b.Helper()
	got := b.want(200, "POST", "/graphql", obj{"query": text, "variables": variables})
	if errs := list(got, "errors"); len(errs) > 0 {
		b.Fatalf("%s: %v", text, errs)
	}
	return part(got, "data")
}

func TestGraphQL(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	got := b.query(`query($name: String!) { appcompact: app(name: $name) { id name hostname organization { slug } postgresAppRole: role { name } } }`, obj{"name": "web"})
	if a := part(got, "appcompact"); a["hostname"] != "web.fly.dev" || part(a, "organization")["slug"] != "webhost-systems" || a["postgresAppRole"] != nil {
		t.Errorf("appcompact: %v", a)
	}
	got = b.query(`query($name: String!, $n: Int!) { app(name: $name) { releases: releasesUnprocessed(first: $n) { nodes { version imageRef } } } }`, obj{"name": "web", "n": 1})
	if nodes := list(part(part(got, "app"), "releases"), "nodes"); len(nodes) != 1 || nodes[0]["imageRef"] != image || number(nodes[0], "version") != 2 {
		t.Errorf("releases: %v", nodes)
	}
	got = b.query(`query { viewer { ... on User { email } ... on Macaroon { other } } nearestRegion { code } }`, nil)
	if part(got, "viewer")["email"] != owner || part(got, "nearestRegion")["code"] != "ams" {
		t.Errorf("viewer: %v", got)
	}
	got = b.query(`mutation($input: AddWireGuardPeerInput!) { addWireGuardPeer(input: $input) { peerip endpointip pubkey } }`, obj{"input": obj{"name": "x"}})
	if peer := part(got, "addWireGuardPeer"); peer["endpointip"] != "127.0.0.1" || peer["pubkey"] == "" {
		t.Errorf("peer: %v", peer)
	}
	for query, want := range map[string]string{
		`{ app(name: "none") { id } }`:           "Could not find App",
		`{ app(name: "web") { id wombat } }`:     "Field 'wombat' doesn't exist on type 'App'",
		`{ app(name: "web") { ...F } }`:          "Fragment F was used, but not defined",
		`{ app(name: `:                           "Unexpected <EOF>",
		`mutation { deleteEverything { done } }`: "Field 'deleteEverything' doesn't exist on type 'Mutations'",
	} {
		got := b.want(200, "POST", "/graphql", obj{"query": query})
		if errs := list(got, "errors"); len(errs) != 1 || !strings.Contains(word(errs[0], "message"), want) {
			t.Errorf("%s: %v", query, got)
		}
	}
}

// TestQuestions: what comes by POST and only asks is marked; the rest is not.
func TestQuestions(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, q := range []struct {
		path string
		body obj
		want string
	}{
		{"/graphql", obj{"query": `{ app(name: "web") { id } }`}, "yes"},
		{"/graphql", obj{"query": `mutation($input: AddWireGuardPeerInput!) { addWireGuardPeer(input: $input) { peerip } }`, "variables": obj{"input": obj{"name": "x"}}}, ""},
		{"/v1/platform/placements", obj{"region": "any"}, "yes"},
		{b.machine(0) + "/exec", obj{"cmd": "true"}, "yes"},
		{b.machine(0) + "/exec", obj{"cmd": "false"}, ""},
		{b.machine(0) + "/cordon", nil, ""},
	} {
		encoded, err := json.Marshal(q.body)
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequestWithContext(t.Context(), "POST", b.url+q.path, bytes.NewReader(encoded))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer secret")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if got := answer.Header.Get(QuestionHeader); answer.StatusCode != 200 || got != q.want {
			t.Errorf("%s %v: %d, a question %q", q.path, q.body, answer.StatusCode, got)
		}
	}
}

func TestLogs(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.sim.Log(b.ids[0], "error", "connection refused")
	got := b.want(200, "GET", "/api/v1/apps/web/logs?next_token=&instance="+b.ids[0], nil)
	lines := list(got, "data")
	last := part(lines[len(lines)-1], "attributes")
	if last["message"] != "connection refused" || last["level"] != "error" || last["instance"] != b.ids[0] || last["region"] != "ams" {
		t.Errorf("last line: %v", last)
	}
	token := word(part(got, "meta"), "next_token")
	if again := b.want(200, "GET", "/api/v1/apps/web/logs?next_token="+token, nil); len(list(again, "data")) != 0 || word(part(again, "meta"), "next_token") != token {
		t.Errorf("nothing new: %v", again)
	}
	b.sim.Log(b.ids[1], "info", "later")
	if again := b.want(200, "GET", "/api/v1/apps/web/logs?next_token="+token, nil); len(list(again, "data")) != 1 {
		t.Errorf("one new: %v", again)
	}
	b.want(400, "GET", "/api/v1/apps/web/logs?next_token=x", nil)
}

func TestManagedPostgres(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.sim.AddCluster("main", "ams")
	base := "/v1/postgres/" + id
	if got := list(b.want(200, "GET", "/v1/postgres", nil), "data"); len(got) != 1 || got[0]["status"] != "ready" {
		t.Errorf("clusters: %v", got)
	}
	b.want(400, "POST", base+"/backups", obj{"type": "huge"})
	b.want(201, "POST", base+"/backups", obj{"type": "incr"})
	backups := func() []obj { return list(b.want(200, "GET", base+"/backups", nil), "data") }
	b.change("the backup is complete", func() bool { return backups()[0]["status"] == "completed" })
	made := part(b.want(201, "POST", base+"/restore", obj{"backup_id": backups()[0]["id"]}), "data")
	if made["id"] == id || made["status"] != "creating" {
		t.Errorf("restored: %v", made)
	}
	b.want(404, "POST", base+"/restore", obj{"backup_id": "none"})
	fork := part(b.want(201, "POST", base+"/fork", obj{"name": "copy"}), "data")
	if fork["name"] != "copy" {
		t.Errorf("fork: %v", fork)
	}
	b.change("both are ready", func() bool { m := b.sim.State().Managed; return m["copy"] == "ready" && m["main-restored"] == "ready" })
}

func TestOneManagedBackupAtATime(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) { o.Clock, o.Speed = clock.System{}, 1 })
	base := "/v1/postgres/" + b.sim.AddCluster("main", "ams") + "/backups"
	b.want(201, "POST", base, obj{"type": "full"})
	b.want(409, "POST", base, obj{"type": "full"})
}

func TestAppsAreMadeAndDeleted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.want(201, "POST", "/v1/apps", obj{"app_name": "second", "org_slug": "webhost-systems"})
	b.want(422, "POST", "/v1/apps", obj{"app_name": "second", "org_slug": "webhost-systems"})
	b.want(422, "POST", "/v1/apps", obj{"app_name": "No.Good"})
	if got := b.want(200, "GET", "/v1/apps?org_slug=webhost-systems", nil); len(list(got, "apps")) != 2 {
		t.Errorf("apps: %v", got)
	}
	b.want(202, "DELETE", "/v1/apps/web", nil)
	b.want(404, "GET", "/v1/apps/web", nil)
	if _, runs := b.metal.Running(b.ids[0]); runs {
		t.Error("a machine of a deleted app runs")
	}
}

func TestRequestsAreKept(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.want(409, "POST", "/v1/apps/web/machines", obj{"name": b.sim.State().Apps["web"].Machines[b.ids[0]].Name, "config": config(image)})
	all := b.sim.Requests()
	last := all[len(all)-1]
	if last.Status != 409 || last.Method != "POST" || !strings.Contains(last.Body, image) || last.ID == "" {
		t.Errorf("last request: %+v", last)
	}
}

// slowMetal starts machines only when it is let.
type slowMetal struct {
	Bare
	let chan struct{}
}

func (m *slowMetal) Start(ctx context.Context, b Blueprint) error {
	select {
	case <-m.let:
	case <-ctx.Done():
		return ctx.Err()
	}
	return m.Bare.Start(ctx, b)
}

func TestAWaitOutlastsRealWork(t *testing.T) {
	t.Parallel()
	metal := &slowMetal{let: make(chan struct{})}
	b := newBench(t, func(o *Options) { o.Metal = metal })
	b.want(200, "POST", b.machine(0)+"/restart", nil)
	done := make(chan int)
	go func() {
		status, _ := b.ask("GET", b.machine(0)+"/wait?timeout=1", nil) // a millisecond at this speed
		done <- status
	}()
	b.change("the machine is starting", func() bool { return b.sim.State().Apps["web"].Machines[b.ids[0]].State == "starting" })
	close(metal.let)
	if status := <-done; status != 200 {
		t.Errorf("the wait ended with %d", status)
	}
}
