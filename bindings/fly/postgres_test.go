package fly

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/webhost-systems/drhost/bindings/fly/flysim"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// db adds a cluster whose machines have these roles; every second one after
// the first is in fra.
func (b *bench) db(roles ...string) *bench {
	b.Helper()
	if _, err := b.sim.AddApp(flysim.AppSpec{Name: "db", Postgres: true}); err != nil {
		b.Fatal(err)
	}
	for i, role := range roles {
		region := "ams"
		if i == 2 {
			region = "fra"
		}
		id := b.add("db", region, "pg_data", data{"image": "flyio/postgres-flex:16.2", "env": data{"PRIMARY_REGION": "ams"}})
		b.metal.mu.Lock()
		b.metal.roles[id], b.metal.at[id] = role, int64(1000+i)
		b.metal.mu.Unlock()
	}
	return b
}

func (b *bench) problems(k data) string {
	b.Helper()
	var out []string
	for _, x := range k["problems"].([]any) {
		p := x.(data)
		if p["cause"] == "" || p["way_out"] == "" {
			b.Errorf("no way out: %v", p)
		}
		out = append(out, p["what"].(string))
	}
	return strings.Join(out, " ")
}

func TestClusterStatusNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	b := newBench(t).db("primary", "replica", "replica")
	k := b.must("pg_status", data{"app": "db"})
	if k["leader"] != b.ids[0] || k["replicas"] != 2.0 || k["healthy"] != true || k["quorum"] != true || b.problems(k) != "" {
		t.Errorf("%v", k)
	}
	b.metal.mu.Lock()
	b.metal.slots = `[{"name":"gone","active":false,"bytes":1073741824},{"name":"used","active":true,"bytes":1073741824}]`
	b.metal.mu.Unlock()
	if got := b.problems(b.must("pg_status", data{"app": "db"})); got != "slot" {
		t.Errorf("slots: %s", got)
	}
	for roles, want := range map[string]string{"zombie replica replica": "no_leader zombie", "primary primary replica": "split_brain", "readonly replica replica": "no_leader readonly", "failed failed replica": "no_leader no_quorum checks checks"} {
		b.metal.mu.Lock()
		for i, role := range strings.Fields(roles) {
			b.metal.roles[b.ids[i]] = role
		}
		b.metal.slots = ""
		b.metal.mu.Unlock()
		if got := b.problems(b.must("pg_status", data{"app": "db"})); got != want {
			t.Errorf("%s: %q, want %q", roles, got, want)
		}
	}
	_, err := b.web().call("pg_status", data{"app": "web"})
	b.wantFault(err, fault.Invalid, fault.NotDone, "fly.status")
}

func TestAFailoverWithoutALeader(t *testing.T) {
	t.Parallel()
	b := newBench(t).db("primary", "replica", "replica")
	if err := b.sim.LoseMachine(b.ids[0]); err != nil {
		t.Fatal(err)
	}
	args := data{"app": "db"}
	if p := b.predict("pg_failover", args); p["primary"].(data)["id"] != b.ids[2] {
		t.Errorf("predicted %v", p)
	}
	// The process dies while the replica is being promoted.
	b.front.fail(func(w http.ResponseWriter, r *http.Request, next http.Handler) bool {
		if len(b.metal.commands("promote")) > 0 {
			panic(http.ErrAbortHandler)
		}
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		if len(b.metal.commands("promote")) > 0 {
			panic(http.ErrAbortHandler)
		}
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, err := answer.Body.WriteTo(w)
		return err == nil
	})
	if _, err := b.call("pg_failover", args); err == nil {
		t.Fatal("the lost answer was not noticed")
	}
	b.front.fail(nil)
	b.reopen()
	b.settle("pg_failover", args)
	out := b.must("pg_failover", args)
	if out["primary"].(data)["id"] != b.ids[2] || strings.Join(texts(out["old_left"]), "") != b.ids[0] {
		t.Errorf("%v", out)
	}
	if got := b.metal.commands("promote"); len(got) != 1 || !strings.HasSuffix(got[0], "gosu postgres repmgr standby promote --siblings-follow -f /data/repmgr.conf -F") {
		t.Errorf("promoted by %q", got)
	}
	for _, id := range b.ids[1:] {
		m, err := b.client.(*Client).look(t.Context(), "look", "db", id)
		if err != nil || m.env("PRIMARY_REGION") != "fra" {
			t.Errorf("machine %s elects in %s, %v", id, m.env("PRIMARY_REGION"), err)
		}
	}
	if s := b.settle("pg_failover", args); s.Landed != binding.Yes {
		t.Errorf("settled %s", s.Landed)
	}
	b.free()
}

func TestAFailoverFromALivingLeaderStopsItFirst(t *testing.T) {
	t.Parallel()
	b := newBench(t).db("primary", "replica", "replica")
	out := b.must("pg_failover", data{"app": "db", "region": "ams", "rejoin": false})
	if out["primary"].(data)["id"] != b.ids[1] || strings.Join(texts(out["old"]), "") != b.ids[0] {
		t.Errorf("%v", out)
	}
	b.wantMachines("db", "ams started", "ams stopped", "fra started")
	if got := b.metal.commands("promote"); len(got) != 1 || strings.HasSuffix(got[0], "-F") {
		t.Errorf("promoted by %q", got)
	}
	if n := b.front.count("POST", b.ids[0]+"/stop"); n != 1 {
		t.Errorf("the old leader was stopped %d times", n)
	}
	b.free()
}

func TestAFailoverThatIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t).db("failed", "zombie", "witness")
	_, err := b.call("pg_failover", data{"app": "db"})
	f := b.wantFault(err, fault.Conflict, fault.NotDone, "backup")
	if !strings.Contains(f.Message, b.ids[0]+": it is failed") || !strings.Contains(f.Message, "it is witness") {
		t.Error(f)
	}
	b.metal.mu.Lock()
	b.metal.roles[b.ids[0]], b.metal.deny = "replica", true
	b.metal.mu.Unlock()
	_, err = b.call("pg_failover", data{"app": "db"})
	b.wantFault(err, fault.Failed, fault.Done, "pg.promote")
	b.free()
}

func TestAReplicaThatTellsNothingIsPromotedAllTheSame(t *testing.T) {
	t.Parallel()
	b := newBench(t).db("failed", "replica", "replica")
	b.metal.mu.Lock()
	b.metal.mute = true
	b.metal.mu.Unlock()
	out := b.must("pg_failover", data{"app": "db"})
	if out["primary"].(data)["id"] != b.ids[1] || !strings.Contains(out["candidate"].(string), "no replica told") {
		t.Errorf("%v", out)
	}
}

func TestAClusterWithoutLeaderIsRestarted(t *testing.T) {
	t.Parallel()
	b := newBench(t).db("failed", "replica", "replica")
	b.metal.healBy = b.ids[0] // its restart makes it primary again
	args := data{"app": "db"}
	b.front.fail(actThenCut("POST", b.ids[1]+"/restart"))
	if _, err := b.call("pg_restart", args); err == nil {
		t.Fatal("the lost answer was not noticed")
	}
	b.free()
	b.reopen()
	if s := b.settle("pg_restart", args); s.Landed != binding.No {
		t.Errorf("settled %s half-way", s.Landed)
	}
	if k := b.must("pg_restart", args); k["leader"] != b.ids[0] || k["healthy"] != true {
		t.Errorf("%v", k)
	}
	for _, id := range b.ids {
		if n := b.front.count("POST", id+"/restart"); n != 1 {
			t.Errorf("%s was restarted %d times", id, n)
		}
	}
	if s := b.settle("pg_restart", args); s.Landed != binding.Yes {
		t.Errorf("settled %s", s.Landed)
	}
	b.free()
}

func TestARestartThatBringsNoLeaderSaysWhatToDo(t *testing.T) {
	t.Parallel()
	b := newBench(t).db("zombie", "replica", "replica")
	_, err := b.call("pg_restart", data{"app": "db", "within": "30s"})
	f := b.wantFault(err, fault.Timeout, fault.Done, "pg_failover")
	if !strings.Contains(f.Message, "fenced itself") {
		t.Error(f)
	}
	b.free()
}

// TestARestoreThatDiesGoesOnWhereItWas: the app, its secrets, its volume and its
// machine are made once, whichever answer is lost.
func TestARestoreThatDiesGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	b := newBench(t).db("primary")
	args := data{"app": "db", "to": "db-2", "archive": "env:ARCHIVE"}
	for _, lost := range []string{"/apps", "/apps/db-2/secrets", "/apps/db-2/volumes", "/apps/db-2/machines"} {
		b.front.fail(actThenCut("POST", lost))
		if _, err := b.call("pg_restore", args); err == nil {
			t.Fatalf("the lost answer of %s was not noticed", lost)
		}
		b.front.fail(nil)
		b.reopen()
		if s := b.settle("pg_restore", args); s.Landed != binding.No {
			t.Errorf("settled %s after %s", s.Landed, lost)
		}
	}
	b.metal.mu.Lock()
	for id := range b.sim.State().Apps["db-2"].Machines {
		b.metal.roles[id] = "primary"
	}
	b.metal.mu.Unlock()
	if m := b.must("pg_restore", args); m["role"] != "primary" || m["app"] != "db-2" {
		t.Errorf("%v", m)
	}
	for _, made := range []string{"/apps", "/apps/db-2/secrets", "/apps/db-2/volumes", "/apps/db-2/machines"} {
		if n := b.front.count("POST", "/v1"+made); n != 1 {
			t.Errorf("%s was sent %d times", made, n)
		}
	}
	b.free()
}

// TestAFailoverMarksTheOldPrimaryOnce: also when it dies before it has marked
// the new one.
func TestAFailoverMarksTheOldPrimaryOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t).db("primary", "replica")
	args := data{"app": "db", "rejoin": false}
	b.front.fail(cutUnacted("POST", "/metadata/drhost_promote"))
	if _, err := b.call("pg_failover", args); err == nil {
		t.Fatal("the lost answer was not noticed")
	}
	b.front.fail(nil)
	b.reopen()
	if s := b.settle("pg_failover", args); s.Landed != binding.No {
		t.Errorf("settled %s half-way", s.Landed)
	}
	if f := b.must("pg_failover", args); f["primary"].(data)["id"] != b.ids[1] {
		t.Errorf("%v", f)
	}
	if n := b.front.count("POST", "/metadata/drhost_demote"); n != 1 {
		t.Errorf("the old primary was marked %d times", n)
	}
	b.free()
}

// TestAFailoverWaitsUntilTheOldPrimaryHasStopped: also when an earlier life has
// told it to.
func TestAFailoverWaitsUntilTheOldPrimaryHasStopped(t *testing.T) {
	t.Parallel()
	b := newBench(t).db("primary", "replica")
	args := data{"app": "db", "rejoin": false}
	b.front.fail(actThenCut("POST", "/stop"))
	if _, err := b.call("pg_failover", args); err == nil {
		t.Fatal("the lost answer was not noticed")
	}
	b.reopen()
	var looks, promoted atomic.Int32
	b.front.fail(func(w http.ResponseWriter, r *http.Request, next http.Handler) bool {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/exec") {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			if r.Body = io.NopCloser(bytes.NewReader(body)); strings.Contains(string(body), "promote") {
				promoted.Store(looks.Load())
			}
		}
		one := strings.HasSuffix(r.URL.Path, "/machines/"+b.ids[0])
		if r.Method != http.MethodGet || !one && !strings.HasSuffix(r.URL.Path, "/machines") || looks.Load() >= 3 {
			return false
		}
		if one {
			looks.Add(1)
		}
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		text := strings.Replace(answer.Body.String(), `"state":"stopped"`, `"state":"stopping"`, 1)
		_, err := io.WriteString(w, text)
		return err == nil
	})
	if f := b.must("pg_failover", args); f["primary"].(data)["id"] != b.ids[1] {
		t.Errorf("%v", f)
	}
	if n := promoted.Load(); n < 3 {
		t.Errorf("the replica was promoted while the old primary was stopping, after %d looks", n)
	}
	if n := b.front.count("POST", "/stop"); n != 1 {
		t.Errorf("the old primary was told to stop %d times", n)
	}
	b.free()
}
