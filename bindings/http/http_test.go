package http_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	nethttp "net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/bindings/http"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/secret"
)

// network leads names and documentation addresses to loopback.
type network struct {
	names  map[string][]string
	routes map[string]string // "203.0.113.10:80" -> loopback; "" vanishes
}

func (n network) Dial(ctx context.Context, proto, address string) (net.Conn, error) {
	to, known := n.routes[address]
	switch {
	case !known:
		return nil, &net.OpError{Op: "dial", Net: proto, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	case to == "":
		return nil, &net.OpError{Op: "dial", Net: proto, Err: os.ErrDeadlineExceeded}
	}
	return new(net.Dialer).DialContext(ctx, proto, to)
}

func (n network) LookupHost(_ context.Context, name string) ([]string, error) {
	if found := n.names[name]; found != nil {
		return found, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}
func (n network) Transport() nethttp.RoundTripper {
	panic("a connection of its own is promised for each request")
}
func (n network) Forward(_ context.Context, address string) (string, func(), error) {
	return address, func() {}, nil
}

type bench struct {
	t       *testing.T
	net     network
	catalog *binding.Catalog
	client  any
}

type data = map[string]any

func newBench(t *testing.T, speed float64, handler nethttp.HandlerFunc) *bench {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	at := server.Listener.Addr().String()
	b := &bench{t: t, net: network{
		names:  map[string][]string{"app.example": {"203.0.113.10"}, "two.example": {"203.0.113.66", "203.0.113.10"}, "dark.example": {"203.0.113.99"}},
		routes: map[string]string{"203.0.113.10:80": at, "203.0.113.20:8080": at, "203.0.113.99:80": ""},
	}}
	catalog, err := binding.NewCatalog(http.Module())
	if err != nil {
		t.Fatal(err)
	}
	var c clock.Clock = clock.System{}
	if speed > 1 {
		c = clock.Scaled{Factor: speed}
	}
	b.catalog = catalog
	if b.client, err = http.Module().Open(binding.Env{Name: "test", Simulated: true, Net: b.net, Clock: c}); err != nil {
		t.Fatal(err)
	}
	return b
}

func resolve(ref string) (secret.Value, error) {
	if ref != "env:TOKEN" {
		return secret.Value{}, errors.New("no secret " + ref)
	}
	return secret.New("very-hush-token"), nil
}

func (b *bench) prepare(name string, args data) (binding.Function, any) {
	b.t.Helper()
	f := b.catalog.Function("http." + name)
	decoded, err := f.Decode(args, resolve)
	if err != nil {
		b.t.Fatal(err)
	}
	return f, decoded
}

func (b *bench) call(name string, args data) (any, error) {
	b.t.Helper()
	f, decoded := b.prepare(name, args)
	return f.Call(binding.WithKey(context.Background(), "run-7-call-3"), b.client, decoded)
}

func (b *bench) must(name string, args data) data {
	b.t.Helper()
	out, err := b.call(name, args)
	if err != nil {
		b.t.Fatalf("%s: %v", name, err)
	}
	return out.(data)
}

func (b *bench) wantFault(err error, kind fault.Kind, sent fault.Sent, transient bool, says ...string) {
	b.t.Helper()
	f := &fault.Fault{}
	if err != nil {
		f = fault.As(err)
	}
	if f.Kind != kind || f.Sent != sent || f.Transient != transient {
		b.t.Errorf("got %q (sent %d, transient %t), want %q (%d, %t): %v", f.Kind, f.Sent, f.Transient, kind, sent, transient, err)
	}
	for _, s := range says {
		if !strings.Contains(f.Error(), s) {
			b.t.Errorf("%q does not say %q", f.Error(), s)
		}
	}
	if strings.Contains(f.Error(), "hush") {
		b.t.Errorf("a secret is in the fault: %v", f)
	}
}

func wantFields(t *testing.T, got, want data) {
	t.Helper()
	for k, v := range want {
		if fmt.Sprint(got[k]) != fmt.Sprint(v) {
			t.Errorf("%s is %v, want %v in %v", k, got[k], v, got)
		}
	}
}

func healthy(w nethttp.ResponseWriter, r *nethttp.Request) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Set-Cookie", "session=hush")
	fmt.Fprint(w, `{"status":"ok","customers":200,"checks":[{"name":"db","ok":true}],"a.b":1}`)
}

func TestRequest(t *testing.T) {
	b := newBench(t, 1, func(w nethttp.ResponseWriter, r *nethttp.Request) {
		switch r.URL.Path {
		case "/echo":
			fmt.Fprint(w, r.Method, " ", r.Host, " ", r.Header.Get("X-A"), " ", r.Header.Get("Authorization"), " ", r.Header.Get("X-Key"), " ", r.UserAgent())
		case "/big":
			_, _ = io.WriteString(w, strings.Repeat("x", 2<<20))
		case "/gone":
			w.WriteHeader(404)
		default:
			healthy(w, r)
		}
	})
	got := b.must("request", data{"url": "http://app.example/health?token=abc"})
	wantFields(t, got, data{"status": 200, "address": "203.0.113.10:80", "url": "http://app.example/health", "truncated": false})
	if got["json"].(data)["customers"] != 200.0 {
		t.Errorf("json: %v", got["json"])
	}
	if h := got["headers"].(data); h["content-type"] != "application/json; charset=utf-8" || h["set-cookie"] != nil {
		t.Errorf("headers: %v", h)
	}
	if d, err := time.ParseDuration(got["latency"].(string)); err != nil || d <= 0 || d > 5*time.Second {
		t.Errorf("latency: %v", got["latency"])
	}
	got = b.must("request", data{"url": "http://app.example/echo", "headers": data{"X-A": "1"}, "bearer": "env:TOKEN", "secret_headers": data{"X-Key": "env:TOKEN"}})
	wantFields(t, got, data{"body": "GET app.example 1 Bearer very-hush-token very-hush-token drhost"})
	got = b.must("request", data{"url": "http://app.example/big"})
	if len(got["body"].(string)) != 1<<20 || got["truncated"] != true {
		t.Errorf("%d bytes, truncated %v", len(got["body"].(string)), got["truncated"])
	}
	wantFields(t, b.must("request", data{"url": "http://app.example/health", "method": "HEAD"}), data{"status": 200, "body": ""})
	wantFields(t, b.must("request", data{"url": "http://app.example/gone"}), data{"status": 404})
	_, err := b.call("request", data{"url": "http://app.example/gone?token=hush", "expect_status": 200.0})
	b.wantFault(err, fault.NotFound, fault.NotDone, false, "404", "http://app.example/gone")
}

func TestWhereToConnect(t *testing.T) {
	b := newBench(t, 1, func(w nethttp.ResponseWriter, r *nethttp.Request) {
		if r.URL.Path == "/away" {
			nethttp.Redirect(w, r, "http://other.example/", nethttp.StatusFound)
			return
		}
		fmt.Fprint(w, r.Host)
	})
	wantFields(t, b.must("request", data{"url": "http://nowhere.example/", "address": "203.0.113.20:8080"}), data{"body": "nowhere.example", "address": "203.0.113.20:8080"})
	wantFields(t, b.must("request", data{"url": "http://nowhere.example/", "address": "203.0.113.10"}), data{"address": "203.0.113.10:80"})
	wantFields(t, b.must("request", data{"url": "http://two.example/"}), data{"address": "203.0.113.10:80"})
	_, err := b.call("request", data{"url": "http://app.example/away", "address": "203.0.113.10"})
	b.wantFault(err, fault.Unavailable, fault.NotDone, true, "other.example does not resolve")
}

func TestRedirects(t *testing.T) {
	var leaked atomic.Value
	leaked.Store("")
	b := newBench(t, 1, func(w nethttp.ResponseWriter, r *nethttp.Request) {
		switch r.URL.Path {
		case "/same":
			nethttp.Redirect(w, r, "/end?token=x", nethttp.StatusFound)
		case "/other":
			nethttp.Redirect(w, r, "http://two.example/end", nethttp.StatusFound)
		case "/loop":
			nethttp.Redirect(w, r, "/loop", nethttp.StatusFound)
		default:
			leaked.Store(r.Header.Get("X-Key"))
			fmt.Fprint(w, "end")
		}
	})
	headers := data{"X-Key": "env:TOKEN"}
	wantFields(t, b.must("request", data{"url": "http://app.example/same", "secret_headers": headers}), data{"body": "end", "url": "http://app.example/end"})
	if leaked.Load() != "very-hush-token" {
		t.Error("the header did not follow a redirect on the same host")
	}
	wantFields(t, b.must("request", data{"url": "http://app.example/other", "secret_headers": headers}), data{"body": "end", "url": "http://two.example/end"})
	if leaked.Load() != "" {
		t.Error("a secret header went to another host")
	}
	wantFields(t, b.must("request", data{"url": "http://app.example/same", "follow": false}), data{"status": 302})
	_, err := b.call("request", data{"url": "http://app.example/loop"})
	b.wantFault(err, fault.Failed, fault.Unclear, false, "redirected")
}

func TestRequestFaults(t *testing.T) {
	status := 0
	b := newBench(t, 1, func(w nethttp.ResponseWriter, r *nethttp.Request) {
		switch r.URL.Path {
		case "/slow":
			<-r.Context().Done()
		case "/cut":
			panic(nethttp.ErrAbortHandler)
		default:
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(status)
			fmt.Fprint(w, "sorry")
		}
	})
	for _, c := range []struct {
		url       string
		kind      fault.Kind
		sent      fault.Sent
		transient bool
		says      string
	}{
		{"http://unknown.example/?t=hush", fault.Unavailable, fault.NotDone, true, "unknown.example does not resolve"},
		{"http://203.0.113.55/", fault.Unavailable, fault.NotDone, true, "refused"},
		{"http://dark.example/", fault.Timeout, fault.NotDone, true, "no connection within"},
		{"http://app.example/slow", fault.Timeout, fault.Unclear, true, "no answer within"},
		{"http://app.example/cut", fault.Unavailable, fault.Unclear, true, "broke"},
		{"ftp://app.example/", fault.Invalid, fault.NotDone, false, "no address such as"},
		{"http://u:hush@app.example/", fault.Invalid, fault.NotDone, false, "password"},
		{"http://%zz", fault.Invalid, fault.NotDone, false, ""},
	} {
		_, err := b.call("request", data{"url": c.url, "within": "200ms"})
		b.wantFault(err, c.kind, c.sent, c.transient, c.says)
	}
	for code, kind := range map[int]fault.Kind{401: fault.Denied, 409: fault.Conflict, 429: fault.RateLimited, 503: fault.Unavailable, 500: fault.Failed, 418: fault.Invalid} {
		status = code
		_, err := b.call("request", data{"url": "http://app.example/", "expect_status": 200.0})
		if f := fault.As(err); f.Kind != kind || f.RetryAfter != 7*time.Second || !strings.Contains(f.Message, "sorry") {
			t.Errorf("%d: %v, wait %s", code, err, f.RetryAfter)
		}
	}
}

func TestCertificatesAreVerified(t *testing.T) {
	b := newBench(t, 1, healthy)
	server := httptest.NewUnstartedServer(nethttp.HandlerFunc(healthy))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	b.net.routes["203.0.113.10:443"] = server.Listener.Addr().String()
	_, err := b.call("request", data{"url": "https://app.example/"})
	b.wantFault(err, fault.Failed, fault.NotDone, false, "certificate")
	wantFields(t, b.must("check", data{"url": "https://app.example/"}), data{"ok": false})
}

func TestFurtherAuthorities(t *testing.T) {
	b := newBench(t, 1, healthy)
	server := httptest.NewTLSServer(nethttp.HandlerFunc(healthy))
	defer server.Close()
	b.net.routes["203.0.113.10:443"] = server.Listener.Addr().String()
	file := filepath.Join(t.TempDir(), "ca.pem")
	open := func(text []byte) (err error) {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		b.client, err = http.Module().Open(binding.Env{Name: "test", Simulated: true, Net: b.net, Clock: clock.System{}, Settings: data{"authorities": file}})
		return err
	}
	if err := open([]byte("no certificate")); err == nil || !strings.Contains(err.Error(), "no certificate in PEM") {
		t.Errorf("a file without a certificate: %v", err)
	}
	if err := open(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})); err != nil {
		t.Fatal(err)
	}
	b.net.names["example.com"] = []string{"203.0.113.10"}
	wantFields(t, b.must("check", data{"url": "https://example.com/"}), data{"ok": true})
}

func TestSend(t *testing.T) {
	var hits atomic.Int32
	b := newBench(t, 1, func(w nethttp.ResponseWriter, r *nethttp.Request) {
		hits.Add(1)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		switch r.URL.Path {
		case "/act-then-cut":
			panic(nethttp.ErrAbortHandler)
		case "/moved":
			nethttp.Redirect(w, r, "/echo", nethttp.StatusTemporaryRedirect)
		case "/bad":
			w.WriteHeader(422)
		case "/broken":
			w.WriteHeader(500)
		default:
			w.WriteHeader(201)
			fmt.Fprintf(w, "%s %s %s %s", r.Method, r.Header.Get("Idempotency-Key"), r.Header.Get("Content-Type"), body)
		}
	})
	got := b.must("send", data{"url": "http://app.example/echo", "json": data{"scope": "all"}})
	wantFields(t, got, data{"status": 201, "body": `POST run-7-call-3 application/json {"scope":"all"}`})
	wantFields(t, b.must("send", data{"url": "http://app.example/echo", "method": "PUT", "body": "x", "headers": data{"Content-Type": "text/plain"}, "expect_status": 201.0}),
		data{"body": "PUT run-7-call-3 text/plain x"})
	for path, c := range map[string]struct {
		kind fault.Kind
		sent fault.Sent
	}{
		"/act-then-cut": {fault.Unavailable, fault.Unclear},
		"/moved":        {fault.Failed, fault.Unclear},
		"/bad":          {fault.Invalid, fault.NotDone},
		"/broken":       {fault.Failed, fault.Unclear},
	} {
		before := hits.Load()
		_, err := b.call("send", data{"url": "http://app.example" + path, "body": "x"})
		b.wantFault(err, c.kind, c.sent, c.kind == fault.Unavailable)
		if n := hits.Load() - before; n != 1 {
			t.Errorf("%s was sent %d times", path, n)
		}
	}
	_, err := b.call("send", data{"url": "http://203.0.113.55/", "body": "x"})
	b.wantFault(err, fault.Unavailable, fault.NotDone, true)
	_, err = b.call("send", data{"url": "http://app.example/", "body": "x", "json": data{"a": 1.0}})
	b.wantFault(err, fault.Invalid, fault.NotDone, false)
}

func TestSendIsPredictedAndUnknown(t *testing.T) {
	b := newBench(t, 1, func(nethttp.ResponseWriter, *nethttp.Request) { t.Error("a plan sent something") })
	f, args := b.prepare("send", data{"url": "http://app.example/x?t=hush", "body": "x", "expect_status": 204.0})
	got, err := f.Predict(context.Background(), b.client, args)
	if err != nil || !binding.HoldsPlanned(got) {
		t.Errorf("%v, %v", got, err)
	}
	wantFields(t, got.(data), data{"status": 204})
	s, err := f.Settle(binding.WithKey(context.Background(), "run-7-call-3"), b.client, args)
	if err != nil || s.Landed != binding.Unknown || !strings.Contains(s.Look, "run-7-call-3") || strings.Contains(s.Look, "hush") {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestCheck(t *testing.T) {
	b := newBench(t, 1, func(w nethttp.ResponseWriter, r *nethttp.Request) {
		switch r.URL.Path {
		case "/down":
			w.WriteHeader(503)
			fmt.Fprint(w, "no database")
		case "/text":
			fmt.Fprint(w, "hello")
		case "/slow":
			<-r.Context().Done()
		default:
			healthy(w, r)
		}
	})
	for _, c := range []struct {
		args   data
		ok     bool
		reason string
	}{
		{data{"url": "http://app.example/health"}, true, ""},
		{data{"url": "http://app.example/health", "json": data{"status": "ok", "customers": 200.0, "checks.0.name": "db", "checks.0.ok": true, "a.b": 1.0}, "contains": "customers"}, true, ""},
		{data{"url": "http://app.example/health", "json": data{"status": "degraded"}}, false, `status is "ok", not "degraded"`},
		{data{"url": "http://app.example/health", "json": data{"checks.1.name": "db"}}, false, "no checks.1.name"},
		{data{"url": "http://app.example/health", "json": data{"status.deep": "x"}}, false, "no status.deep"},
		{data{"url": "http://app.example/health", "contains": "nothing"}, false, `does not contain "nothing"`},
		{data{"url": "http://app.example/down"}, false, "503, not 200: no database"},
		{data{"url": "http://app.example/down", "status": 503.0}, true, ""},
		{data{"url": "http://app.example/text", "json": data{"a": 1.0}}, false, "not JSON: hello"},
		{data{"url": "http://app.example/slow", "within": "100ms"}, false, "no answer within 100ms"},
		{data{"url": "http://203.0.113.55/"}, false, "refused"},
		{data{"url": "http://dark.example/"}, false, "no connection within 10s"},
		{data{"url": "http://unknown.example/"}, false, "does not resolve"},
	} {
		got := b.must("check", c.args)
		reason, _ := got["reason"].(string)
		if got["ok"] != c.ok || !strings.Contains(reason, c.reason) || (c.ok && reason != "") {
			t.Errorf("%v: %v", c.args, got)
		}
	}
	wantFields(t, b.must("check", data{"url": "http://203.0.113.55/"}), data{"status": 0, "address": "203.0.113.55:80"})
	_, err := b.call("check", data{"url": "app.example"})
	b.wantFault(err, fault.Invalid, fault.NotDone, false)
	f, args := b.prepare("check", data{"url": "http://app.example/slow"})
	ctx, stop := context.WithCancel(context.Background())
	time.AfterFunc(50*time.Millisecond, stop)
	_, err = f.Call(ctx, b.client, args)
	b.wantFault(err, fault.Cancelled, fault.Unclear, false)
}

// TestDrillShortensWaitsOnly: in a drill a hung server is waited for less, and
// what was cut is counted.
func TestDrillShortensWaitsOnly(t *testing.T) {
	b := newBench(t, 60, func(_ nethttp.ResponseWriter, r *nethttp.Request) { <-r.Context().Done() })
	ctx, meter := clock.WithMeter(context.Background())
	f, args := b.prepare("check", data{"url": "http://app.example/", "within": "10s"})
	got, err := f.Call(ctx, b.client, args)
	if err != nil {
		t.Fatal(err)
	}
	latency, err := time.ParseDuration(got.(data)["latency"].(string))
	if err != nil || latency < 10*time.Second || latency > 12*time.Second || meter.Total() != 8*time.Second {
		t.Errorf("latency %s (%v), cut %s", latency, err, meter.Total())
	}
}

func TestResultsSurviveTheJournal(t *testing.T) {
	b := newBench(t, 1, healthy)
	got := b.must("request", data{"url": "http://app.example/health"})
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "session=hush") {
		t.Errorf("a cookie is in the result: %s", text)
	}
}
