package fly

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/bindings/fly/flysim"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/secret"
)

const (
	token     = "FlyV1 fm2_token-of-the-tests-0123456789"
	imageGood = "registry.fly.io/web:deployment-1"
	imageBad  = "registry.fly.io/web:deployment-2"
)

type data = map[string]any

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

// breaking says whether it has answered a request itself.
type breaking func(w http.ResponseWriter, r *http.Request, next http.Handler) bool

// front stands before the simulator and breaks what a test wants broken.
type front struct {
	mu     sync.Mutex
	sim    http.Handler
	broken breaking
	seen   []string // "POST /v1/apps/web/secrets"
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.seen = append(f.seen, r.Method+" "+r.URL.Path)
	do := f.broken
	f.mu.Unlock()
	if do != nil && do(w, r, f.sim) {
		return
	}
	f.sim.ServeHTTP(w, r)
}

func (f *front) fail(broken breaking) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = broken
}

// count counts the requests so far of a method whose path ends so.
func (f *front) count(method, end string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, s := range f.seen {
		if strings.HasPrefix(s, method+" ") && strings.HasSuffix(s, end) {
			n++
		}
	}
	return n
}

// bench is a simulated organization and a client of it.
type bench struct {
	*testing.T
	sim     *flysim.Sim
	metal   *guests
	front   *front
	url     string
	catalog *binding.Catalog
	client  any
	ids     []string
	since   time.Time
	key     string // of the call
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{T: t, key: "run-7-0123456789abcdef", metal: &guests{crash: map[string]bool{}, roles: map[string]string{}, at: map[string]int64{}}}
	b.sim = flysim.New(flysim.Options{Metal: b.metal, Clock: clock.Scaled{Factor: 500}, Token: token[len("FlyV1 "):]})
	t.Cleanup(b.sim.Close)
	b.metal.sim = b.sim
	b.front = &front{sim: b.sim.Handler()}
	server := httptest.NewServer(b.front)
	t.Cleanup(server.Close)
	b.url = server.URL
	var err error
	if b.catalog, err = binding.NewCatalog(Module()); err != nil {
		t.Fatal(err)
	}
	b.reopen()
	return b
}

// web adds an app of two machines in ams.
func (b *bench) web() *bench {
	b.Helper()
	if _, err := b.sim.AddApp(flysim.AppSpec{Name: "web", Images: []string{imageGood, imageBad}, Secrets: map[string]string{"DATABASE_URL": "postgres://old"}}); err != nil {
		b.Fatal(err)
	}
	for range 2 {
		b.add("web", "ams", "", data{"image": imageGood, "checks": data{"web": data{"type": "http", "port": 8080}}, "env": data{"PRIMARY_REGION": "ams"}})
	}
	return b
}

func (b *bench) add(app, region, volume string, config data) string {
	b.Helper()
	config["guest"] = data{"cpu_kind": "shared", "cpus": 1, "memory_mb": 512}
	config["metadata"] = data{"fly_platform_version": "v2", "fly_process_group": "app", "fly_release_version": "1"}
	p, err := b.sim.AddMachine(flysim.MachineSpec{App: app, Region: region, Config: config, Volume: volume})
	if err != nil {
		b.Fatal(err)
	}
	if err := b.metal.Start(b.Context(), p); err != nil {
		b.Fatal(err)
	}
	b.ids = append(b.ids, p.ID)
	return p.ID
}

// reopen is a new life of the run: nothing is remembered but what the gate does.
func (b *bench) reopen(more ...data) {
	b.Helper()
	transport := &http.Transport{}
	b.Cleanup(transport.CloseIdleConnections)
	set := data{"machines_url": b.url, "api_url": b.url, "organization": "webhost-systems"}
	for _, m := range more {
		for k, v := range m {
			set[k] = v
		}
	}
	client, err := Module().Open(binding.Env{Name: "test", Settings: set, Net: network{transport}, Clock: clock.Scaled{Factor: 500},
		Secret: func(ref string) (secret.Value, error) {
			if ref == "env:FLY_API_TOKEN" {
				return secret.New(token), nil
			}
			return secret.New("value of " + ref), nil
		}})
	if err != nil {
		b.Fatal(err)
	}
	b.client = client
}

func (b *bench) keyed() context.Context {
	if b.since.IsZero() {
		b.since = time.Now()
	}
	return binding.WithSince(binding.WithKey(b.Context(), b.key), b.since)
}

func (b *bench) prepare(name string, args data) (binding.Function, any) {
	b.Helper()
	f := b.catalog.Function("fly." + name)
	if f == nil {
		b.Fatalf("no function %s", name)
	}
	decoded, err := f.Decode(args, func(ref string) (secret.Value, error) { return secret.New("value of " + ref), nil })
	if err != nil {
		b.Fatal(err)
	}
	return f, decoded
}

func (b *bench) call(name string, args data) (data, error) {
	b.Helper()
	f, decoded := b.prepare(name, args)
	out, err := f.Call(b.keyed(), b.client, decoded)
	m, _ := out.(data)
	return m, err
}

func (b *bench) must(name string, args data) data {
	b.Helper()
	out, err := b.call(name, args)
	if err != nil {
		b.Fatalf("%s: %v", name, err)
	}
	return out
}

func (b *bench) settle(name string, args data) binding.Settlement[any] {
	b.Helper()
	f, decoded := b.prepare(name, args)
	s, err := f.Settle(b.keyed(), b.client, decoded)
	if err != nil {
		b.Fatalf("settle %s: %v", name, err)
	}
	return s
}

func (b *bench) predict(name string, args data) data {
	b.Helper()
	f, decoded := b.prepare(name, args)
	changing := func() int {
		return b.front.count("POST", "") + b.front.count("DELETE", "") + b.front.count("PATCH", "") - b.front.count("POST", "/exec") - b.front.count("POST", "/graphql")
	}
	before := changing()
	out, err := f.Predict(b.keyed(), b.client, decoded)
	if err != nil {
		b.Fatalf("predict %s: %v", name, err)
	}
	if changing() != before {
		b.Errorf("the prediction of %s changes something", name)
	}
	m, _ := out.(data)
	return m
}

// wantFault checks the kind, what is known of the mutation, and that no token
// got out.
func (b *bench) wantFault(err error, kind fault.Kind, sent fault.Sent, hint string) *fault.Fault {
	b.Helper()
	if err == nil {
		b.Fatalf("no fault, want %s", kind)
	}
	f := fault.As(err)
	if f.Kind != kind || f.Sent != sent || !strings.Contains(f.Hint, hint) {
		b.Errorf("got %s (sent %d), want %s (%d) with hint %q: %v", f.Kind, f.Sent, kind, sent, hint, err)
	}
	if text, _ := json.Marshal(f); strings.Contains(string(text)+err.Error(), "fm2_") {
		b.Errorf("the token is in the fault: %s", text)
	}
	return f
}

// free checks that no machine is leased any more.
func (b *bench) free() {
	b.Helper()
	for _, id := range b.ids {
		for _, app := range []string{"web", "db"} {
			r, err := http.NewRequest("GET", b.url+"/v1/apps/"+app+"/machines/"+id+"/lease", nil)
			if err != nil {
				b.Fatal(err)
			}
			r.Header.Set("Authorization", token)
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				b.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode == 200 {
				b.Errorf("machine %s is still leased", id)
			}
		}
	}
}

// machines lists an app's machines as the simulator has them: "ams started cordoned".
func (b *bench) machines(app string) []string {
	b.Helper()
	all, err := b.client.(*Client).list(b.Context(), "look", app)
	if err != nil {
		b.Fatal(err)
	}
	var out []string
	for _, m := range all {
		text := m.Region + " " + m.State
		if m.Cordoned {
			text += " cordoned"
		}
		out = append(out, text)
	}
	slices.Sort(out)
	return out
}

func (b *bench) wantMachines(app string, want ...string) {
	b.Helper()
	slices.Sort(want)
	if got := b.machines(app); !slices.Equal(got, want) {
		b.Errorf("the machines of %s are %q, want %q", app, got, want)
	}
}

// actThenCut lets the simulator act on requests whose path ends so, and cuts
// the connection, once.
func actThenCut(method, end string) breaking {
	var once sync.Once
	return func(_ http.ResponseWriter, r *http.Request, next http.Handler) bool {
		if r.Method != method || !strings.HasSuffix(r.URL.Path, end) {
			return false
		}
		cut := false
		once.Do(func() { cut = true })
		if cut {
			next.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		return false
	}
}

func texts(v any) []string {
	var out []string
	list, _ := v.([]any)
	for _, x := range list {
		out = append(out, fmt.Sprint(x))
	}
	return out
}
