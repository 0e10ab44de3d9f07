package hetzner

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/bindings/hetzner/hetznersim"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/secret"
)

const token = "correct-horse-battery"

// speed makes the simulator's 25 s for a new server take 50 ms.
const speed = 500

// loopback is the network of these tests.
type loopback struct{}

func (loopback) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, network, address)
}
func (loopback) LookupHost(context.Context, string) ([]string, error) { return nil, nil }
func (loopback) Transport() http.RoundTripper                         { return &http.Transport{DisableKeepAlives: true} }
func (loopback) Forward(context.Context, string) (string, func(), error) {
	return "", func() {}, nil
}

// machines is a metal that only knows power. A hung guest ignores the button.
type machines struct {
	hetznersim.Bare
	mu   sync.Mutex
	off  map[int64]bool
	hung map[int64]bool
	cuts int
}

func (m *machines) set(id int64, off bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.off[id] = off
}

func (m *machines) Provision(_ context.Context, made hetznersim.Blueprint) error {
	m.set(made.ID, !made.Start)
	return nil
}
func (m *machines) Boot(id int64) error { m.set(id, false); return nil }
func (m *machines) Cut(id int64) error {
	m.set(id, true)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cuts++
	return nil
}
func (m *machines) Press(id int64, reboot bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.hung[id] {
		m.off[id] = !reboot
	}
	return nil
}
func (m *machines) Powered(id int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.off[id]
}

// bench is the binding against the simulator over real HTTP. before and after
// stand between: before may answer instead of the simulator; after sees a
// request that the simulator has carried out and may lose the answer.
type bench struct {
	t      *testing.T
	sim    *hetznersim.Sim
	metal  *machines
	env    binding.Env
	client any
	module *binding.Module

	mu       sync.Mutex
	requests []string
	before   func(http.ResponseWriter, *http.Request) bool
	after    func(http.ResponseWriter, *http.Request) bool
	progress []string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, metal: &machines{off: map[int64]bool{}, hung: map[int64]bool{}}, module: Module()}
	clk := clock.Scaled{Factor: speed}
	b.sim = hetznersim.New(hetznersim.Options{Metal: b.metal, Clock: clk, Token: token, RateLimit: -1})
	web := httptest.NewServer(http.HandlerFunc(b.serve))
	t.Cleanup(func() { web.Close(); b.sim.Close() })
	b.env = binding.Env{Name: "test", Simulated: true, Net: loopback{}, Clock: clk, Dir: t.TempDir(),
		Settings: map[string]any{"endpoint": web.URL + "/v1"},
		Secret:   func(string) (secret.Value, error) { return secret.New(token), nil }}
	b.open()
	return b
}

// open makes a fresh client, as a resumed run does.
func (b *bench) open() {
	b.t.Helper()
	client, err := b.module.Open(b.env)
	if err != nil {
		b.t.Fatal(err)
	}
	b.client = client
}

func (b *bench) serve(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	b.requests = append(b.requests, r.Method+" "+strings.TrimPrefix(r.URL.Path, "/v1"))
	before, after := b.before, b.after
	b.mu.Unlock()
	if before != nil && before(w, r) {
		return
	}
	if after == nil {
		b.sim.Handler().ServeHTTP(w, r)
		return
	}
	answer := httptest.NewRecorder()
	b.sim.Handler().ServeHTTP(answer, r)
	if after(w, r) {
		return
	}
	for k, v := range answer.Header() {
		w.Header()[k] = v
	}
	w.WriteHeader(answer.Code)
	if _, err := w.Write(answer.Body.Bytes()); err != nil {
		b.t.Log(err)
	}
}

func (b *bench) hook(before, after func(http.ResponseWriter, *http.Request) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.before, b.after = before, after
}

// once answers the next n requests of a method whose path ends in suffix.
func once(n int, method, suffix string, answer func(http.ResponseWriter)) func(http.ResponseWriter, *http.Request) bool {
	var mu sync.Mutex
	return func(w http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if n == 0 || r.Method != method || !strings.HasSuffix(r.URL.Path, suffix) {
			return false
		}
		n--
		answer(w)
		return true
	}
}

// hangUp cuts the connection without an answer.
func hangUp(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		conn.Close()
	}
}

func refuse(status int, code string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) { hetznersim.WriteError(w, status, code, "said the test") }
}

// count is how many requests were made of a method and a path ending.
func (b *bench) count(method, suffix string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, r := range b.requests {
		if strings.HasPrefix(r, method+" ") && strings.HasSuffix(r, suffix) {
			n++
		}
	}
	return n
}

func (b *bench) mutations() int {
	return b.count(http.MethodPost, "") + b.count(http.MethodPut, "") + b.count(http.MethodDelete, "")
}

type table = map[string]any

func (b *bench) ctx(key string) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	b.t.Cleanup(cancel)
	ctx = binding.WithProgress(ctx, func(text string) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.progress = append(b.progress, text)
	})
	return binding.WithKey(ctx, key)
}

func (b *bench) function(name string, args table) (binding.Function, any) {
	b.t.Helper()
	f := b.module.Function(name)
	if f == nil {
		b.t.Fatalf("there is no function %s", name)
	}
	decoded, err := f.Decode(args, nil)
	if err != nil {
		b.t.Fatalf("%s: %v", name, err)
	}
	return f, decoded
}

// try calls a function as the gate would, with an idempotency key.
func (b *bench) try(key, name string, args table) (any, error) {
	b.t.Helper()
	f, decoded := b.function(name, args)
	return f.Call(b.ctx(key), b.client, decoded)
}

func (b *bench) call(name string, args table) table {
	b.t.Helper()
	out, err := b.try("run-"+strings.ReplaceAll(name, "_", "-"), name, args)
	if err != nil {
		b.t.Fatalf("%s: %v", name, err)
	}
	record, _ := out.(table)
	return record
}

func (b *bench) list(name string, args table) []any {
	b.t.Helper()
	out, err := b.try("", name, args)
	if err != nil {
		b.t.Fatalf("%s: %v", name, err)
	}
	return out.([]any)
}

// fails calls a function and returns its fault, which has to be of a kind and
// must not show the token.
func (b *bench) fails(kind fault.Kind, name string, args table) *fault.Fault {
	b.t.Helper()
	out, err := b.try("run-fails", name, args)
	if err == nil {
		b.t.Fatalf("%s succeeded with %v, wanted a fault of kind %s", name, out, kind)
	}
	f := fault.As(err)
	if f.Kind != kind {
		b.t.Fatalf("%s: kind %s (%v), wanted %s", name, f.Kind, f, kind)
	}
	if strings.Contains(f.Error(), token) {
		b.t.Fatalf("the fault shows the token: %v", f)
	}
	return f
}

func (b *bench) predict(name string, args table) (any, error) {
	b.t.Helper()
	f, decoded := b.function(name, args)
	return f.Predict(b.ctx(""), b.client, decoded)
}

func (b *bench) settle(ctx context.Context, name string, args table) binding.Settlement[any] {
	b.t.Helper()
	f, decoded := b.function(name, args)
	s, err := f.Settle(ctx, b.client, decoded)
	if err != nil {
		b.t.Fatalf("settle %s: %v", name, err)
	}
	return s
}

func (b *bench) addHobby() int64 {
	id, _, _ := b.sim.AddServer(hetznersim.ServerSpec{Name: "hobby-1", Type: "cpx21", Location: "fsn1", Labels: map[string]string{"tier": "hobby"}})
	b.sim.AddSSHKey("ops", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJmLlXvOQ8g5GYd5pFhrjQ5cQx9d9CqYQq6Vj3sV2mXy ops@webhost", nil)
	return id
}

// idle waits until no action runs any more.
func (b *bench) idle() {
	b.t.Helper()
	err := clock.Poll(context.Background(), b.env.Clock, time.Hour, time.Second, func(context.Context) (bool, error) {
		return len(b.sim.State().Running) == 0, nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

func wantSent(t *testing.T, f *fault.Fault, sent fault.Sent, transient bool) {
	t.Helper()
	if f.Sent != sent || f.Transient != transient {
		t.Errorf("%v: sent %d, transient %v; wanted %d, %v", f, f.Sent, f.Transient, sent, transient)
	}
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q does not say %q", text, p)
		}
	}
}
