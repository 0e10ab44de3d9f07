package flysim

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/host/clock"
)

const image = "registry.fly.io/webhost-prod:deployment-1"

// bench is a simulator with an app of two machines and who asks it.
type bench struct {
	*testing.T
	sim   *Sim
	metal *Bare
	url   string
	ids   []string
}

func newBench(t *testing.T, change ...func(*Options)) *bench {
	t.Helper()
	b := &bench{T: t, metal: &Bare{}}
	o := Options{Metal: b.metal, Clock: clock.Scaled{Factor: 1000}, Token: "secret", Unlimited: true}
	for _, c := range change {
		c(&o)
	}
	b.sim = New(o)
	t.Cleanup(b.sim.Close)
	server := httptest.NewServer(b.sim.Handler())
	t.Cleanup(server.Close)
	b.url = server.URL
	if _, err := b.sim.AddApp(AppSpec{Name: "web", Images: []string{"web:0", image}, Secrets: map[string]string{"DATABASE_URL": "postgres://old"}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		p, err := b.sim.AddMachine(MachineSpec{App: "web", Region: "ams", Config: config(image)})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.metal.Start(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		b.ids = append(b.ids, p.ID)
	}
	return b
}

func config(image string) obj {
	return obj{"image": image, "guest": obj{"cpu_kind": "shared", "cpus": 1, "memory_mb": 512}, "metadata": obj{"fly_platform_version": "v2"},
		"checks": obj{"alive": obj{"type": "http", "port": 8080}}}
}

// ask makes a request and returns its status and its body.
func (b *bench) ask(method, path string, body any, headers ...string) (int, []byte) {
	b.Helper()
	var text io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			b.Fatal(err)
		}
		text = bytes.NewReader(encoded)
	}
	r, err := http.NewRequestWithContext(b.Context(), method, b.url+path, text)
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer secret")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.Header.Get("fly-request-id") == "" {
		b.Errorf("%s %s: no fly-request-id", method, path)
	}
	got, err := io.ReadAll(answer.Body)
	if err != nil {
		b.Fatal(err)
	}
	return answer.StatusCode, got
}

// want makes a request that must be answered with a status, and decodes it.
func (b *bench) want(status int, method, path string, body any, headers ...string) obj {
	b.Helper()
	got, text := b.ask(method, path, body, headers...)
	if got != status {
		b.Fatalf("%s %s: %d, want %d: %s", method, path, got, status, text)
	}
	out := obj{}
	if len(text) > 0 && text[0] == '{' {
		if err := json.Unmarshal(text, &out); err != nil {
			b.Fatalf("%s %s: %v", method, path, err)
		}
	}
	return out
}

func (b *bench) machine(i int) string { return "/v1/apps/web/machines/" + b.ids[i] }

func (b *bench) wait(path, state string) {
	b.Helper()
	b.want(200, "GET", path+"/wait?state="+state+"&timeout=60", nil)
}

func TestTokens(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, header := range []string{"Bearer secret", "FlyV1 secret"} {
		b.want(200, "GET", "/v1/apps/web", nil, "Authorization", header)
	}
	for _, header := range []string{"Bearer other", "secret", ""} {
		if got := b.want(401, "GET", "/v1/apps/web", nil, "Authorization", header); got["error"] != "Authenticate: token validation error" {
			t.Errorf("%q: %v", header, got)
		}
	}
	b.sim.RevokeToken()
	b.want(401, "GET", "/v1/apps/web", nil)
}

func TestMachineFromStoppedToStarted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	one := b.machine(0)
	b.want(200, "POST", one+"/stop", obj{"id": b.ids[0]})
	b.wait(one, "stopped")
	if _, runs := b.metal.Running(b.ids[0]); runs {
		t.Error("a stopped machine runs")
	}
	if got := b.want(412, "POST", one+"/exec", obj{"cmd": "true"}); got["error"] != "failed_precondition: unable to exec on machine from current state: 'stopped'" {
		t.Errorf("exec on a stopped machine: %v", got)
	}
	if got := b.want(200, "POST", one+"/start", nil); got["previous_state"] != "stopped" {
		t.Errorf("start: %v", got)
	}
	b.wait(one, "started")
	m := b.want(200, "GET", one, nil)
	if m["state"] != "started" || m["host_status"] != "ok" {
		t.Errorf("machine: %v", m)
	}
	var kinds []string
	for _, e := range list(m, "events") {
		kinds = append(kinds, word(e, "type")+":"+word(e, "status"))
	}
	if got := strings.Join(kinds, " "); !strings.HasPrefix(got, "start:started start:starting exit:stopped stop:stopping") {
		t.Errorf("events, newest first: %s", got)
	}
}

func TestMachineIsMadeAndDestroyed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	made := b.want(200, "POST", "/v1/apps/web/machines", obj{"region": "fra", "name": "third", "config": config(image)})
	one := "/v1/apps/web/machines/" + word(made, "id")
	if made["state"] != "created" {
		t.Errorf("a new machine is %v", made["state"])
	}
	b.wait(one, "started")
	if p, runs := b.metal.Running(word(made, "id")); !runs || p.Env["DATABASE_URL"] != "postgres://old" || p.Region != "fra" {
		t.Errorf("on the metal: %v %+v", runs, p)
	}
	b.want(409, "POST", "/v1/apps/web/machines", obj{"name": "third", "config": config(image)})
	b.want(412, "DELETE", one, nil)
	b.want(200, "DELETE", one+"?force=true", nil)
	b.wait(one, "destroyed")
	if _, runs := b.metal.Running(word(made, "id")); runs {
		t.Error("a destroyed machine runs")
	}
	if _, listed := b.ask("GET", "/v1/apps/web/machines", nil); strings.Contains(string(listed), word(made, "id")) {
		t.Error("a destroyed machine is listed")
	}
}

func TestAMachineThatIsBeingMadeCannotStart(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) { o.Clock, o.Speed = clock.System{}, 1 })
	made := b.want(200, "POST", "/v1/apps/web/machines", obj{"config": config(image)})
	got := b.want(412, "POST", "/v1/apps/web/machines/"+word(made, "id")+"/start", nil)
	if got["error"] != "failed_precondition: unable to start machine from current state: 'created'" {
		t.Errorf("start of a created machine: %v", got)
	}
}

func TestAMachineThatIsNotLaunchedStops(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	one := "/v1/apps/web/machines/" + word(b.want(200, "POST", "/v1/apps/web/machines", obj{"config": config(image), "skip_launch": true}), "id")
	b.wait(one, "stopped")
	b.want(200, "POST", one+"/start", nil)
	b.wait(one, "started")
}

func TestUpdateMakesAVersion(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	one := b.machine(0)
	before := b.want(200, "GET", one, nil)
	b.want(412, "POST", one, obj{"config": config("web:2"), "current_version": "01OLD"})
	after := b.want(200, "POST", one, obj{"config": config("web:2"), "current_version": before["instance_id"]})
	if after["instance_id"] == before["instance_id"] {
		t.Error("an update gives no new instance_id")
	}
	b.want(200, "GET", one+"/wait?state=started&version="+word(after, "instance_id"), nil)
	if p, _ := b.metal.Running(b.ids[0]); p.Image != "web:2" {
		t.Errorf("runs %q", p.Image)
	}
	_, text := b.ask("GET", one+"/versions", nil)
	var versions []struct {
		Version string `json:"version"`
		Config  obj    `json:"user_config"`
	}
	if err := json.Unmarshal(text, &versions); err != nil || len(versions) != 2 || versions[1].Config["image"] != image {
		t.Errorf("versions: %v %s", err, text)
	}
	b.want(400, "POST", one, obj{"config": config("web:2"), "region": "fra"})
	bad := config("web:2")
	bad["guest"] = obj{"cpu_kind": "shared", "cpus": 1, "memory_mb": 700}
	b.want(400, "POST", one, obj{"config": bad})
}

func TestLease(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	one := b.machine(0)
	if status, text := b.ask("GET", one+"/lease", nil); status != 404 || string(text) != "lease not found" {
		t.Errorf("no lease: %d %s", status, text)
	}
	taken := b.want(201, "POST", one+"/lease?ttl=3600000", nil)
	data := part(taken, "data")
	nonce := word(data, "nonce")
	if taken["status"] != "success" || nonce == "" || data["version"] != b.want(200, "GET", one, nil)["instance_id"] {
		t.Errorf("lease: %v", taken)
	}
	for _, refused := range []string{"/lease", "/restart", "/stop", "/cordon"} {
		got := b.want(409, "POST", one+refused, nil)
		if !strings.HasPrefix(word(got, "error"), "aborted: machine ID "+b.ids[0]+" lease currently held by ") {
			t.Errorf("%s: %v", refused, got)
		}
	}
	b.want(409, "DELETE", one+"?force=true", nil)
	b.want(409, "DELETE", one+"/lease", nil)
	b.want(201, "POST", one+"/lease?ttl=3600000", nil, nonceHeader, nonce)
	b.want(200, "POST", one+"/restart", nil, nonceHeader, nonce)
	b.wait(one, "started")
	b.want(200, "DELETE", one+"/lease", nil, nonceHeader, nonce)
	b.want(200, "POST", one+"/stop", nil)
}

// ahead is a clock that can be put forward.
type ahead struct {
	clock.Scaled
	by atomic.Int64
}

func (c *ahead) Now() time.Time { return c.Scaled.Now().Add(time.Duration(c.by.Load())) }

func TestLeaseEndsByItself(t *testing.T) {
	t.Parallel()
	c := &ahead{Scaled: clock.Scaled{Factor: 100}}
	b := newBench(t, func(o *Options) { o.Clock = c })
	b.want(201, "POST", b.machine(0)+"/lease?ttl=3600", nil) // 36 s at this speed
	b.want(409, "POST", b.machine(0)+"/stop", nil)
	c.by.Store(int64(30 * time.Second))
	b.want(409, "POST", b.machine(0)+"/stop", nil)
	c.by.Store(int64(40 * time.Second))
	b.want(200, "POST", b.machine(0)+"/stop", nil)
	b.want(201, "POST", b.machine(1)+"/lease?ttl=120", nil) // 1.2 s, and no less than 5
	c.by.Store(int64(43 * time.Second))
	b.want(409, "POST", b.machine(1)+"/stop", nil)
}

func TestWait(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	one := b.machine(0)
	for _, wrong := range []string{"timeout=61", "timeout=0", "state=happy"} {
		if got := b.want(400, "GET", one+"/wait?"+wrong, nil); !strings.HasPrefix(word(got, "error"), "invalid_argument: ") {
			t.Errorf("%s: %v", wrong, got)
		}
	}
	got := b.want(408, "GET", one+"/wait?state=stopped&timeout=1", nil)
	if got["error"] != "deadline_exceeded: machine failed to reach desired state, stopped, currently started" {
		t.Errorf("timeout: %v", got)
	}
	b.want(200, "GET", one+"/wait?state=settled&timeout=1", nil)
}

func TestExecTellsTheExitCodeInTheBody(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if got := b.want(200, "POST", b.machine(0)+"/exec", obj{"cmd": "false"}); number(got, "exit_code") != 1 {
		t.Errorf("false: %v", got)
	}
	if got := b.want(200, "POST", b.machine(0)+"/exec", obj{"command": []string{"echo", "a b"}}); got["stdout"] != "a b\n" || number(got, "exit_code") != 0 {
		t.Errorf("echo: %v", got)
	}
	b.want(400, "POST", b.machine(0)+"/exec", obj{})
}

func TestSecretsTakeEffectWithTheNextUpdate(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	before := b.want(200, "GET", "/v1/apps/web/secrets", nil)
	b.want(200, "POST", "/v1/apps/web/secrets", obj{"values": obj{"DATABASE_URL": "postgres://new", "EXTRA": "x"}})
	_, text := b.ask("GET", "/v1/apps/web/secrets?show_secrets=true", nil)
	after := obj{}
	if err := json.Unmarshal(text, &after); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "postgres://") {
		t.Errorf("a value comes out: %s", text)
	}
	if list(before, "secrets")[0]["digest"] == list(after, "secrets")[0]["digest"] {
		t.Error("another value has the same digest")
	}
	b.want(200, "POST", b.machine(0)+"/restart", nil)
	b.wait(b.machine(0), "started")
	if p, _ := b.metal.Running(b.ids[0]); p.Env["DATABASE_URL"] != "postgres://old" {
		t.Errorf("a restart took the secret over: %v", p.Env)
	}
	updated := b.want(200, "POST", b.machine(0), obj{"config": config(image)})
	b.want(200, "GET", b.machine(0)+"/wait?version="+word(updated, "instance_id"), nil)
	if p, _ := b.metal.Running(b.ids[0]); p.Env["DATABASE_URL"] != "postgres://new" || p.Env["EXTRA"] != "x" {
		t.Errorf("an update did not take the secret over: %v", p.Env)
	}
	b.want(200, "POST", "/v1/apps/web/secrets", obj{"values": obj{"EXTRA": nil}})
	b.want(404, "GET", "/v1/apps/web/secrets/EXTRA", nil)
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) { o.Unlimited, o.Clock, o.Speed = false, clock.System{}, 1 })
	for i := range 4 {
		want := 200
		if i == 3 {
			want = 429
		}
		b.want(want, "POST", b.machine(0)+"/cordon", nil)
	}
	b.want(200, "POST", b.machine(1)+"/cordon", nil)
	b.want(200, "POST", b.machine(0)+"/uncordon", nil)
}
