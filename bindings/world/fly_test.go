package world

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/host/clock"
)

const productionFile = "../../runbooks/worlds/production.toml"

// flight is a running world with Fly.io and what a test needs in it.
type flight struct {
	*testing.T
	*World
	ctx context.Context
	url string
}

func startFly(t *testing.T, change ...func(*Spec)) *flight {
	t.Helper()
	spec, err := Load(productionFile)
	if err != nil {
		t.Fatal(err)
	}
	spec.Servers, spec.Images = nil, nil // the hobby tier has tests of its own
	spec.Zones[0].Records = spec.Zones[0].Records[:3]
	for _, c := range change {
		c(&spec)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	t.Cleanup(cancel)
	w, err := Start(ctx, spec, Options{Speed: 100, WriteEvery: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return &flight{t, w, ctx, w.Descriptor().Settings["fly"]["api_url"].(string)}
}

// alone is a change of the world: its database has no copy in another region.
func alone(s *Spec) { s.Postgres = s.Postgres[:1] }

// call asks Fly's API and returns the answer, which must be no refusal.
func (f *flight) call(method, path string, body any) map[string]any {
	f.Helper()
	status, text := f.ask(method, path, body)
	if status >= 300 {
		f.Fatalf("%s %s: %d %s", method, path, status, text)
	}
	out := map[string]any{}
	if len(text) > 0 && text[0] == '{' {
		if err := json.Unmarshal(text, &out); err != nil {
			f.Fatal(err)
		}
	}
	return out
}

func (f *flight) ask(method, path string, body any) (int, []byte) {
	f.Helper()
	encoded, err := json.Marshal(body)
	if err != nil {
		f.Fatal(err)
	}
	req, err := http.NewRequestWithContext(f.ctx, method, f.url+path, bytes.NewReader(encoded))
	if err != nil {
		f.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+f.access.flyToken)
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		f.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		f.Fatal(err)
	}
	return r.StatusCode, text
}

func (f *flight) path(machine string) string {
	f.Helper()
	id, _, app, err := f.flyMachine(machine)
	if err != nil {
		f.Fatal(err)
	}
	return "/v1/apps/" + app + "/machines/" + id
}

// run executes a command on a machine.
func (f *flight) run(machine, command string) (stdout string, exit int) {
	f.Helper()
	out := f.call("POST", f.path(machine)+"/exec", map[string]any{"cmd": command, "timeout": 60})
	return out["stdout"].(string) + out["stderr"].(string), int(out["exit_code"].(float64))
}

// role is what the check says that a Postgres machine is.
func (f *flight) role(machine string) string {
	f.Helper()
	checks, _ := f.call("GET", f.path(machine), nil)["checks"].([]any)
	for _, one := range checks {
		if check := one.(map[string]any); check["name"] == "role" {
			return check["output"].(string)
		}
	}
	return ""
}

// until waits for something to become true.
func (f *flight) until(what string, is func() bool) {
	f.Helper()
	err := clock.Poll(f.ctx, clock.System{}, 30*time.Second, 50*time.Millisecond, func(context.Context) (bool, error) { return is(), nil })
	if err != nil {
		f.Fatalf("wait until %s: %v; %+v", what, err, f.State().Nodes)
	}
}

// healthy tells whether a customer finds the application well.
func (f *flight) healthy() bool {
	v := f.Customer(f.ctx, "https://webhost-prod.fly.dev/health")
	return v.Status == 200
}

func TestFlyServesCustomersAndFailsOver(t *testing.T) {
	t.Parallel()
	f := startFly(t)
	for _, url := range []string{"https://webhost-prod.fly.dev/health", "http://webhost-prod.fly.dev/health", "https://www.webhost.systems/health", "https://app.webhost.systems/health"} {
		if v := f.Customer(f.ctx, url); v.Status != 200 || !strings.Contains(v.Body, `"release":"deployment-2024.11.1"`) {
			t.Errorf("%s: %+v", url, v)
		}
	}
	for machine, want := range map[string]string{"webhost-prod-db-1": "primary", "webhost-prod-db-2": "replica", "webhost-prod-db-replica-1": "replica"} {
		if got := f.role(machine); got != want {
			t.Errorf("%s is %s, want %s", machine, got, want)
		}
	}
	if out, exit := f.run("webhost-prod-db-2", "gosu postgres repmgr standby promote -f /data/repmgr.conf"); exit != 8 || !strings.Contains(out, "already has an active primary server") {
		t.Errorf("promotion beside a living primary: %d %s", exit, out)
	}
	if err := f.Inject("lose_leader", map[string]any{"app": "webhost-prod-db"}); err != nil {
		t.Fatal(err)
	}
	f.until("customers see it", func() bool { return !f.healthy() })
	if status, _ := f.ask("POST", f.path("webhost-prod-db-1")+"/restart", nil); status != 503 {
		t.Errorf("restart on a lost host: %d", status)
	}
	if out, exit := f.run("webhost-prod-db-2", "gosu postgres repmgr standby promote --siblings-follow -f /data/repmgr.conf -F"); exit != 0 {
		t.Fatalf("promote: %d %s", exit, out)
	}
	if got := f.role("webhost-prod-db-2"); got != "primary" {
		t.Errorf("the promoted one is %s", got)
	}
	f.until("customers are served again", f.healthy)
	before, err := f.Truth("webhost-prod")
	if err != nil {
		t.Fatal(err)
	}
	f.until("customers write again", func() bool { now, _ := f.Truth("webhost-prod"); return now.Count > before.Count+5 })
	f.until("the other app's replica follows", func() bool {
		out, _ := f.run("webhost-prod-db-replica-1", `psql -Atc "SELECT status FROM pg_stat_wal_receiver"`)
		return strings.HasPrefix(out, "streaming")
	})
}

// TestFlyStandbyFollowsByItsSettings: a standby whose own PostgreSQL is told
// to follow the promoted one of another app does so, also when it starts anew.
func TestFlyStandbyFollowsByItsSettings(t *testing.T) {
	t.Parallel()
	f := startFly(t)
	if f.node("webhost-prod-db-2").m.Following() == "" {
		t.Fatal("a standby follows nobody")
	}
	f.inject("lose_leader", map[string]any{"app": "webhost-prod-db"})
	if out, exit := f.run("webhost-prod-db-replica-1", "gosu postgres repmgr standby promote -f /data/repmgr.conf"); exit != 0 {
		t.Fatalf("promote: %d %s", exit, out)
	}
	primary := f.node("webhost-prod-db-replica-1").b.PrivateIP
	for _, sql := range []string{"alter system set primary_conninfo = 'host=" + primary + " port=5433 user=postgres'", "select pg_reload_conf()"} {
		if out, exit := f.run("webhost-prod-db-2", `psql -Atc "`+sql+`"`); exit != 0 {
			t.Fatalf("%s: %d %s", sql, exit, out)
		}
	}
	streams := func() bool {
		out, _ := f.run("webhost-prod-db-2", `psql -Atc "SELECT sender_host FROM pg_stat_wal_receiver WHERE status = 'streaming'"`)
		return strings.TrimSpace(out) == primary
	}
	f.until("the surviving standby follows the other app's primary", streams)
	f.restart("webhost-prod-db-2")
	f.until("it follows that one after a restart", streams)
	id, _, _, err := f.flyMachine("webhost-prod-db-2")
	if err != nil {
		t.Fatal(err)
	}
	if from := f.State().Nodes[id].From; from != f.node("webhost-prod-db-replica-1").b.ID {
		t.Errorf("the world says that it follows %q", from)
	}
}

// node is the cluster that a machine runs.
func (f *flight) node(machine string) *node {
	f.Helper()
	id, _, _, err := f.flyMachine(machine)
	if err != nil {
		f.Fatal(err)
	}
	n := f.metalFly.nodeOf(id)
	if n == nil {
		f.Fatalf("%s runs no cluster", machine)
	}
	return n
}
