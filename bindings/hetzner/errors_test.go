package hetzner

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/bindings/hetzner/hetznersim"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/secret"
)

func TestErrorCodesBecomeFaults(t *testing.T) {
	cases := []struct {
		status    int
		code      string
		kind      fault.Kind
		sent      fault.Sent
		transient bool
	}{
		{401, "unauthorized", fault.Denied, fault.NotDone, false},
		{403, "forbidden", fault.Denied, fault.NotDone, false},
		{404, "not_found", fault.NotFound, fault.NotDone, false},
		{423, "locked", fault.Conflict, fault.NotDone, true},
		{409, "conflict", fault.Conflict, fault.NotDone, true},
		{423, "resource_locked", fault.Conflict, fault.NotDone, false},
		{403, "protected", fault.Conflict, fault.NotDone, false},
		{422, "server_not_stopped", fault.Conflict, fault.NotDone, false},
		{429, "rate_limit_exceeded", fault.RateLimited, fault.NotDone, true},
		{403, "resource_limit_exceeded", fault.Exhausted, fault.NotDone, false},
		{412, "resource_unavailable", fault.Exhausted, fault.NotDone, false},
		{422, "placement_error", fault.Exhausted, fault.NotDone, false},
		{503, "maintenance", fault.Unavailable, fault.NotDone, true},
		{422, "invalid_input", fault.Invalid, fault.NotDone, false},
		{400, "json_error", fault.Invalid, fault.NotDone, false},
		{500, "server_error", fault.Unavailable, fault.Unclear, true},
		{502, "bad_gateway", fault.Unavailable, fault.Unclear, true},
		{503, "service_error", fault.Unavailable, fault.Unclear, true},
		{504, "timeout", fault.Timeout, fault.Unclear, true},
		{418, "new_code_of_next_year", fault.Invalid, fault.NotDone, false},
		{422, "another_new_code", fault.Conflict, fault.NotDone, false},
	}
	b := newBench(t)
	b.addHobby()
	for _, c := range cases {
		b.hook(once(1, "POST", "/actions/reboot", refuse(c.status, c.code)), nil)
		f := b.fails(c.kind, "reboot", table{"server": "hobby-1"})
		wantSent(t, f, c.sent, c.transient)
		contains(t, f.Error(), "reboot hobby-1", "said the test", c.code)
	}
	if b.count("POST", "/actions/reboot") != len(cases) {
		t.Error("a mutation was repeated by the binding")
	}
}

func TestForeignAnswers(t *testing.T) {
	b := newBench(t)
	b.addHobby()
	page := func(status int, kind string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Retry-After", "7")
			w.Header().Set("Location", "/v1/servers")
			w.WriteHeader(status)
			if _, err := w.Write([]byte("<html>502</html>")); err != nil {
				t.Log(err)
			}
		}
	}
	post := func(status int, kind string) { b.hook(once(1, "POST", "/actions/reboot", page(status, kind)), nil) }
	args := table{"server": "hobby-1"}
	post(502, "text/html")
	f := b.fails(fault.Unavailable, "reboot", args)
	wantSent(t, f, fault.Unclear, true)
	if f.RetryAfter != 7*time.Second {
		t.Errorf("retry after %v", f.RetryAfter)
	}
	post(504, "text/html")
	wantSent(t, b.fails(fault.Timeout, "reboot", args), fault.Unclear, true)
	for status, kind := range map[int]fault.Kind{404: fault.Failed, 403: fault.Denied, 429: fault.RateLimited, 423: fault.Conflict, 409: fault.Conflict} {
		post(status, "text/html")
		wantSent(t, b.fails(kind, "reboot", args), fault.NotDone, status == 429 || status == 423)
	}
	post(307, "text/html")
	wantSent(t, b.fails(fault.Invalid, "reboot", args), fault.NotDone, false)
	if b.count("POST", "/servers") != 0 {
		t.Error("the redirect was followed")
	}
	post(201, "application/json")
	wantSent(t, b.fails(fault.Failed, "reboot", args), fault.Unclear, false)
	b.hook(once(1, "POST", "/actions/reboot", func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/json")
		if _, err := w.Write([]byte("{}")); err != nil {
			t.Log(err)
		}
	}), nil)
	wantSent(t, b.fails(fault.Failed, "reboot", args), fault.Unclear, false)
	b.hook(once(1, "GET", "/servers", page(404, "text/html")), nil)
	b.fails(fault.Failed, "server", table{"name": "hobby-1"})
}

func TestRateLimitSaysWhenToComeBack(t *testing.T) {
	b := newBench(t)
	b.hook(once(1, "GET", "/servers", func(w http.ResponseWriter) {
		w.Header().Set("Retry-After", "3")
		hetznersim.WriteError(w, 429, "rate_limit_exceeded", "limit reached")
	}), nil)
	if f := b.fails(fault.RateLimited, "servers", table{}); f.RetryAfter != 3*time.Second || !f.Transient {
		t.Errorf("%+v", f)
	}
}

func TestWrongAndStrangeTokens(t *testing.T) {
	b := newBench(t)
	b.addHobby()
	b.sim.RevokeToken()
	f := b.fails(fault.Denied, "server", table{"name": "hobby-1"})
	contains(t, f.Hint, "HETZNER_API_TOKEN", "[env.NAME.hetzner]")
	b.env.Secret = func(string) (secret.Value, error) { return secret.New("two\nlines"), nil }
	b.open()
	contains(t, b.fails(fault.Denied, "server", table{"name": "hobby-1"}).Hint, "stray line ends")
}

func TestOpenRefusesBadSettings(t *testing.T) {
	b := newBench(t)
	asked := ""
	env := b.env
	env.Settings = nil
	env.Secret = func(reference string) (secret.Value, error) {
		asked = reference
		return secret.Value{}, fault.New(fault.Invalid, "%s is not set", reference)
	}
	if _, err := b.module.Open(env); fault.KindOf(err) != fault.Invalid || asked != "env:HETZNER_API_TOKEN" {
		t.Errorf("without a token: %v, asked for %q", err, asked)
	}
	env = b.env
	env.Secret = func(string) (secret.Value, error) { return secret.New(""), nil }
	if _, err := b.module.Open(env); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "HETZNER_API_TOKEN") {
		t.Errorf("with an empty token: %v", err)
	}
	for _, endpoint := range []string{"api.hetzner.cloud", "ftp://x/", "https://"} {
		env = b.env
		env.Settings = table{"endpoint": endpoint}
		if _, err := b.module.Open(env); fault.KindOf(err) != fault.Invalid {
			t.Errorf("endpoint %q: %v", endpoint, err)
		}
	}
	env = b.env
	env.Settings = table{"endpont": "x"}
	if _, err := b.module.Open(env); err == nil || !strings.Contains(err.Error(), `did you mean "endpoint"?`) {
		t.Errorf("%v", err)
	}
}

func TestRefusedConnection(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	b := newBench(t)
	b.env.Settings = table{"endpoint": "http://" + address + "/v1"}
	b.open()
	f := b.fails(fault.Unavailable, "reboot", table{"server": "hobby-1"})
	wantSent(t, f, fault.NotDone, true)
	contains(t, f.Error(), "no connection to Hetzner")

	b.env.Settings = table{"endpoint": "http://api.hetzner.invalid/v1"}
	b.open()
	wantSent(t, b.fails(fault.Unavailable, "reboot", table{"server": "hobby-1"}), fault.NotDone, true)
}

func TestLostAnswers(t *testing.T) {
	b := newBench(t)
	b.addHobby()
	b.hook(once(1, "POST", "/actions/reboot", hangUp), nil)
	wantSent(t, b.fails(fault.Unavailable, "reboot", table{"server": "hobby-1"}), fault.Unclear, true)

	// A fault before anything was sent is no reason to ask what happened.
	b.hook(once(1, "GET", "/servers", hangUp), nil)
	wantSent(t, b.fails(fault.Unavailable, "reboot", table{"server": "hobby-1"}), fault.NotDone, true)

	release := make(chan struct{})
	b.env.Settings["answer_within"] = "50ms"
	b.open()
	b.hook(once(1, "POST", "/actions/reboot", func(http.ResponseWriter) { <-release }), nil)
	wantSent(t, b.fails(fault.Timeout, "reboot", table{"server": "hobby-1"}), fault.Unclear, true)
	close(release)
}

func TestCancellation(t *testing.T) {
	b := newBench(t)
	b.addHobby()
	ctx, cancel := context.WithCancel(binding.WithKey(context.Background(), "run-cancel"))
	b.hook(nil, func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/actions/reset") {
			cancel()
		}
		return false
	})
	f, args := b.function("reboot", table{"server": "hobby-1", "mode": "hard"})
	if _, err := f.Call(ctx, b.client, args); fault.KindOf(err) != fault.Cancelled || fault.As(err).Sent != fault.Unclear {
		t.Errorf("%v", err)
	}
}

func TestWaitingSurvivesPassingFaults(t *testing.T) {
	b := newBench(t)
	b.addHobby()
	b.hook(once(3, "GET", "/v1/actions", refuse(503, "service_error")), nil)
	b.call("reboot", table{"server": "hobby-1"})
	b.hook(once(2, "GET", "/v1/actions", hangUp), nil)
	b.call("reboot", table{"server": "hobby-1", "mode": "hard"})

	// One that does not pass ends it, and leaves open what became of it.
	b.hook(once(1, "GET", "/v1/actions", refuse(401, "unauthorized")), nil)
	f := b.fails(fault.Denied, "reboot", table{"server": "hobby-1"})
	if f.Sent != fault.Unclear {
		t.Errorf("%+v", f)
	}
	b.idle()
	b.hook(once(-1, "GET", "/v1/actions", refuse(503, "service_error")), nil)
	f = b.fails(fault.Timeout, "reboot", table{"server": "hobby-1", "within": "10s"})
	contains(t, f.Message, "the last look failed")
	wantSent(t, f, fault.Done, false)
}
