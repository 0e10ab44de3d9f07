package cloudflare

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/webhost-systems/drhost/bindings/cloudflare/cloudflaresim"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/secret"
)

const token = "cf-token-of-the-tests-0123456789"

// network reaches loopback only.
type network struct{ transport http.RoundTripper }

func (n network) Dial(ctx context.Context, proto, address string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, proto, address)
}
func (n network) LookupHost(_ context.Context, name string) ([]string, error) {
	return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}
func (n network) Transport() http.RoundTripper { return n.transport }
func (n network) Forward(_ context.Context, address string) (string, func(), error) {
	return address, func() {}, nil
}

// front stands before the simulator and breaks what a test wants broken.
type front struct {
	mu     sync.Mutex
	sim    http.Handler
	broken func(w http.ResponseWriter, r *http.Request, next http.Handler) bool
	seen   []string // "POST /zones/.../dns_records"
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.seen = append(f.seen, r.Method+" "+strings.TrimPrefix(r.URL.Path, "/client/v4"))
	do := f.broken
	f.mu.Unlock()
	if do != nil && do(w, r, f.sim) {
		return
	}
	f.sim.ServeHTTP(w, r)
}

// mutations counts the requests so far that change something.
func (f *front) mutations() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, s := range f.seen {
		if !strings.HasPrefix(s, "GET ") {
			n++
		}
	}
	return n
}

// fail breaks every request from now on; nil heals.
func (f *front) fail(broken func(w http.ResponseWriter, r *http.Request, next http.Handler) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = broken
}

// writes breaks only what is not a GET.
func writes(do func(w http.ResponseWriter, r *http.Request, next http.Handler)) func(http.ResponseWriter, *http.Request, http.Handler) bool {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) bool {
		if r.Method == http.MethodGet {
			return false
		}
		do(w, r, next)
		return true
	}
}

// actThenCut lets the simulator act and cuts the connection.
func actThenCut(_ http.ResponseWriter, r *http.Request, next http.Handler) {
	next.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

type bench struct {
	t       *testing.T
	sim     *cloudflaresim.Sim
	front   *front
	server  *httptest.Server
	catalog *binding.Catalog
	client  any
}

func newBench(t *testing.T, more ...map[string]any) *bench {
	t.Helper()
	b := &bench{t: t, sim: cloudflaresim.New(cloudflaresim.Options{Token: token, RateLimit: -1})}
	b.sim.AddZone("webhost.systems")
	b.front = &front{sim: b.sim.Handler()}
	b.server = httptest.NewServer(b.front)
	t.Cleanup(b.server.Close)
	set := map[string]any{"endpoint": b.server.URL + "/client/v4"}
	for _, m := range more {
		for k, v := range m {
			set[k] = v
		}
	}
	b.catalog, b.client = catalog(t), mustOpen(t, set, token)
	return b
}

func catalog(t *testing.T) *binding.Catalog {
	t.Helper()
	c, err := binding.NewCatalog(Module())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func openWith(t *testing.T, set map[string]any, token string) (any, error) {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return Module().Open(binding.Env{Name: "test", Settings: set, Net: network{transport}, Clock: clock.Scaled{Factor: 1000},
		Secret: func(ref string) (secret.Value, error) {
			if ref != "env:CLOUDFLARE_API_TOKEN" {
				return secret.Value{}, fmt.Errorf("asked for %s", ref)
			}
			return secret.New(token), nil
		}})
}

func mustOpen(t *testing.T, set map[string]any, token string) any {
	t.Helper()
	client, err := openWith(t, set, token)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func (b *bench) add(name, kind, content string, more ...func(*cloudflaresim.Record)) {
	b.t.Helper()
	r := cloudflaresim.Record{Name: name, Type: kind, Content: content, TTL: 60}
	for _, m := range more {
		m(&r)
	}
	if _, err := b.sim.AddRecord("webhost.systems", r); err != nil {
		b.t.Fatal(err)
	}
}

func keyed() context.Context { return binding.WithKey(context.Background(), "run-7-call-3") }

type data = map[string]any

// lost is a mutation whose answer is lost, and what Settled says it did.
type lost struct {
	name   string
	args   data
	want   data
	before func(*bench)
}

// prepare decodes arguments as the gate does.
func (b *bench) prepare(name string, args data) (binding.Function, any) {
	b.t.Helper()
	f := b.catalog.Function("cloudflare." + name)
	if f == nil {
		b.t.Fatalf("no function %s", name)
	}
	decoded, err := f.Decode(args, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return f, decoded
}

func (b *bench) call(name string, args data) (any, error) {
	b.t.Helper()
	f, decoded := b.prepare(name, args)
	return f.Call(keyed(), b.client, decoded)
}

func (b *bench) must(name string, args data) any {
	b.t.Helper()
	out, err := b.call(name, args)
	if err != nil {
		b.t.Fatalf("%s: %v", name, err)
	}
	return out
}

func (b *bench) predict(name string, args data) (any, error) {
	b.t.Helper()
	f, decoded := b.prepare(name, args)
	return f.Predict(keyed(), b.client, decoded)
}

func (b *bench) settle(name string, args data) binding.Settlement[any] {
	b.t.Helper()
	f, decoded := b.prepare(name, args)
	s, err := f.Settle(keyed(), b.client, decoded)
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

// wantFault checks kind, sent and transience, and that no token got out.
func (b *bench) wantFault(err error, kind fault.Kind, sent fault.Sent, transient bool) *fault.Fault {
	b.t.Helper()
	if err == nil {
		b.t.Errorf("no fault, want %s", kind)
		return &fault.Fault{}
	}
	f := fault.As(err)
	if f.Kind != kind || f.Sent != sent || f.Transient != transient {
		b.t.Errorf("got %s (sent %d, transient %t), want %s (%d, %t): %v", f.Kind, f.Sent, f.Transient, kind, sent, transient, err)
	}
	text, marshalErr := json.Marshal(f)
	if marshalErr != nil || strings.Contains(string(text)+err.Error(), token) {
		b.t.Errorf("the token is in the fault: %s (%v)", text, marshalErr)
	}
	return f
}

// wantFields compares some fields of a record in plain data.
func wantFields(t *testing.T, got any, want data) {
	t.Helper()
	m, ok := got.(data)
	if !ok {
		t.Fatalf("got %#v", got)
	}
	for k, v := range want {
		if fmt.Sprint(m[k]) != fmt.Sprint(v) {
			t.Errorf("%s is %v, want %v in %v", k, m[k], v, m)
		}
	}
}
