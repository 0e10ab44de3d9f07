package world

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"

	"github.com/webhost-systems/drhost/host/clock"
)

// small is a world that starts without PostgreSQL.
func small(t *testing.T, speed float64) *tour {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	w, err := Start(ctx, Spec{Servers: []ServerSpec{{Name: "bare-1", Image: "debian-12", Role: RoleStorage}, {Name: "off-1", Off: true}},
		Zones: []ZoneSpec{{Name: "example.org", Records: []RecordSpec{{Name: "www", Server: "bare-1", TTL: 60}}}}},
		Options{Name: "small", Speed: speed, StateDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return &tour{t, w, ctx, hetznerClient(w, w.access.hetznerToken)}
}

func now() time.Time { return clock.System{}.Now() }

func TestAPIFaults(t *testing.T) {
	x := small(t, 100)
	create := func(name string) error {
		_, _, err := x.client.Server.Create(x.ctx, hcloud.ServerCreateOpts{Name: name, ServerType: &hcloud.ServerType{Name: "cx22"},
			Image: &hcloud.Image{Name: "debian-12"}, Labels: map[string]string{"drhost-key": "key-" + name}})
		return err
	}
	for _, f := range []APIFault{{Kind: "odd"}, {Kind: Slow}, {Kind: Failing, Status: 200}, {Kind: Failing, Path: "["}} {
		if x.FailAPI("hetzner", f) == nil {
			t.Errorf("accepted: %+v", f)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(x.FailAPI("hetzner", APIFault{Kind: Failing, Count: 2, Status: 503, Method: "POST", Path: "/v1/servers"}))
	x.server("bare-1") // a GET is not hit
	for range 2 {
		if err := create("a"); !hcloud.IsError(err, hcloud.ErrorCode("unavailable")) {
			t.Errorf("failing: %v", err)
		}
	}
	must(create("a"))
	must(x.FailAPI("hetzner", APIFault{Kind: RateLimited, Method: "mutation"}))
	if err := create("b"); !hcloud.IsError(err, hcloud.ErrorCodeRateLimitExceeded) {
		t.Errorf("rate limited: %v", err)
	}
	must(x.FailAPI("hetzner", APIFault{Kind: ActThenFail, Method: "POST"}))
	if err := create("b"); !hcloud.IsError(err, hcloud.ErrorCode("bad_gateway")) {
		t.Errorf("act then fail: %v", err)
	}
	x.server("b")
	must(x.FailAPI("hetzner", APIFault{Kind: ActThenFail, Method: "POST", Cut: true}))
	if err := create("c"); err == nil || !strings.Contains(err.Error(), "EOF") {
		t.Errorf("cut after acting: %v", err)
	}
	x.server("c")

	acted := map[string][2]any{}
	for _, r := range x.Requests() {
		if r.Mutation {
			acted[r.Key+" "+r.Fault] = [2]any{r.Status, r.Acted}
		}
		if strings.Contains(fmt.Sprint(r), x.access.hetznerToken) {
			t.Error("the token is in the log")
		}
	}
	want := map[string][2]any{"key-a failing": {503, false}, "key-a ": {201, true}, "key-b rate_limited": {429, false},
		"key-b act_then_fail": {502, true}, "key-c act_then_fail": {0, true}}
	if fmt.Sprint(acted) != fmt.Sprint(want) {
		t.Errorf("log\n got %v\nwant %v", acted, want)
	}

	must(x.FailAPI("hetzner", APIFault{Kind: Slow, Factor: 50}))
	began := now()
	_, r, err := x.client.Server.GetByName(x.ctx, "bare-1")
	if took := now().Sub(began); err != nil || took < 40*time.Millisecond { // 80 ms * 50 / 100
		t.Errorf("slow: %v after %v", err, took)
	}
	if cut := r.Header.Get("Drhost-Cut"); cut != "3.960000" {
		t.Errorf("cut %s", cut)
	}
	must(x.HealAPI("hetzner"))
	must(x.RevokeToken("hetzner"))
	if _, _, err := x.client.Server.GetByName(x.ctx, "bare-1"); !hcloud.IsError(err, hcloud.ErrorCodeUnauthorized) {
		t.Errorf("revoked: %v", err)
	}
}

func TestControl(t *testing.T) {
	x := small(t, 100)
	for body, want := range map[string]string{
		`{"name":"kill"}`: "there is no fault",
		`{"name":"kill_server","args":{"server":"nope"}}`:                      "there are bare-1, off-1",
		`{"name":"kill_server","args":{}}`:                                     "kill_server needs server",
		`{"name":"sold_out","args":{"location":"fsn9"}}`:                       "sold_out: there is no location \"fsn9\"; there are fsn1, nbg1",
		`{"name":"sold_out","args":{"location":"fsn1","type":"cx1"}}`:          "there is no server type \"cx1\"; there are cpx11",
		`{"name":"later","args":{"provider":"hetzner","fault":"kill_server"}}`: "later: kill_server needs server",
		`{"name":"kill_server","args":{"server":"bare-1","x":1}}`:              `no argument "x"`,
		`{"name":"api","args":{"provider":"aws","kind":"slow"}}`:               "no provider",
		`{"name":"wrong_record","args":{"name":"a.b","content":"::"}}`:         "none of the zones",
		`{"name":"sold_out","args":{"location":5}}`:                            "location must be a text",
	} {
		if status, text := x.post("/fault", json.RawMessage(body)); status != 400 || !strings.Contains(text, strings.ReplaceAll(want, `"`, `\"`)) {
			t.Errorf("%s: %d %s", body, status, text)
		}
	}
	if status, text := x.post("/fault", Fault{Name: "api", Args: map[string]any{"provider": "cloudflare", "kind": "failing", "count": 2}}); status != 200 {
		t.Errorf("%d %s", status, text)
	}
	if status, _ := x.post("/fault", Fault{Name: "wrong_record", Args: map[string]any{"name": "www.example.org", "content": "203.0.113.99"}}); status != 200 {
		t.Error("wrong_record refused")
	}
	if v := x.visit("www.example.org"); v.Address != "203.0.113.99" || v.Status != 0 {
		t.Errorf("a wrong record: %+v", v)
	}
	ip := x.addresses["bare-1"]
	routes := map[string]Route{ip + ":80": {Refuse: true}, x.addresses["off-1"] + ":22": {Drop: true}, "203.0.113.200:22": {Drop: true},
		"8.8.8.8:53": {Drop: true}, "127.0.0.1:9": {To: "127.0.0.1:9"}, resolver1 + ":80": {Refuse: true}}
	for address, want := range routes {
		var to Route
		if x.get("/route?network=tcp&address="+url.QueryEscape(address), &to); to != (want) {
			t.Errorf("%s: %+v", address, to)
		}
	}
	var ssh Route
	if x.get("/route?network=tcp&address="+ip+":22", &ssh); ssh.To == "" {
		t.Errorf("ssh: %+v", ssh)
	}
	if err := x.KillServer("bare-1"); err != nil {
		t.Fatal(err)
	}
	var state State
	if x.get("/state", &state); state.Machines["bare-1"] != "off" || state.Hetzner.Servers["bare-1"].Status != "off" || len(state.Records["example.org"]) != 1 {
		t.Errorf("state: %+v", state)
	}
	if err := x.LoseRecord("www.example.org", ""); err != nil || len(x.State().Records["example.org"]) != 0 {
		t.Errorf("lose_record: %v, left are %v", err, x.State().Records)
	}
	if err := x.Inject("lose_record", map[string]any{"name": "www.example.org"}); err == nil || !strings.Contains(err.Error(), "no record www.example.org of type any") {
		t.Errorf("lose_record of what is not there: %v", err)
	}
	for range 2 {
		req, err := http.NewRequest("POST", x.Descriptor().Control+"/inbox", strings.NewReader(`{"subject":"[DRILL] down"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Idempotency-Key", "m1")
		r, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
	}
	var inbox []Message
	if x.get("/inbox", &inbox); len(inbox) != 1 || inbox[0].Key != "m1" {
		t.Errorf("inbox: %+v", inbox)
	}
	d, err := ReadDescriptor(x.opt.StateDir, "small")
	if err != nil || d.Control != x.Descriptor().Control || d.PID != os.Getpid() {
		t.Errorf("descriptor: %+v %v", d, err)
	}
	if info, err := os.Stat(DescriptorPath(x.opt.StateDir, "small")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its mode: %v %v", info.Mode(), err)
	}
	if status, _ := x.post("/stop", nil); status != 200 {
		t.Error("stop refused")
	}
	<-x.Stopped()
	if err := x.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(x.Dir()); !os.IsNotExist(err) {
		t.Errorf("the folder stayed: %v", err)
	}
	if _, err := ReadDescriptor(x.opt.StateDir, "small"); !os.IsNotExist(err) {
		t.Errorf("the descriptor stayed: %v", err)
	}
}

// TestEveryFaultTellsItsArguments: what a shell completes is what Inject reads.
func TestEveryFaultTellsItsArguments(t *testing.T) {
	for _, name := range FaultNames() {
		if len(FaultArguments(name)) == 0 {
			t.Errorf("%s tells no argument", name)
		}
	}
	if got := strings.Join(FaultArguments("rogue_record"), " "); got != "name type content ttl" {
		t.Errorf("rogue_record tells %s", got)
	}
	if got := FaultArguments("nosuch"); len(got) != 0 {
		t.Errorf("what is no fault tells %v", got)
	}
}
