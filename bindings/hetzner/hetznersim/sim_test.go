package hetznersim_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"
	"github.com/webhost-systems/drhost/bindings/hetzner/hetznersim"
)

// rack is a Metal that remembers what it was asked.
type rack struct {
	mu      sync.Mutex
	powered map[int64]bool
	hung    map[int64]bool
	routes  map[string]int64
	made    []hetznersim.Blueprint
	images  []string
	rescue  map[int64]bool
	refuse  error // of Provision
}

func newRack() *rack {
	return &rack{powered: map[int64]bool{}, hung: map[int64]bool{}, routes: map[string]int64{}, rescue: map[int64]bool{}}
}

func (r *rack) Provision(_ context.Context, b hetznersim.Blueprint) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.made = append(r.made, b)
	r.powered[b.ID] = b.Start
	return r.refuse
}

func (r *rack) set(id int64, on bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.powered[id]; !known {
		return errors.New("no such machine")
	}
	r.powered[id] = on
	return nil
}

func (r *rack) Boot(id int64) error { return r.set(id, true) }
func (r *rack) Cut(id int64) error  { return r.set(id, false) }
func (r *rack) Press(id int64, reboot bool) error {
	r.mu.Lock()
	hung := r.hung[id]
	r.mu.Unlock()
	if hung || reboot {
		return nil
	}
	return r.set(id, false)
}

func (r *rack) Image(id int64, name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.images = append(r.images, name)
	return nil
}

func (r *rack) Destroy(id int64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.powered, id)
	return nil
}

func (r *rack) Route(address string, id int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.routes[address] = id
}

func (r *rack) Powered(id int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.powered[id]
}

func (r *rack) Rescue(id int64, next bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rescue[id] = next
}

func (r *rack) routed(address string) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.routes[address]
}

// lab is a simulator with a real client pointed at it. Every answer that
// passes is held against the vendor's published forms.
type lab struct {
	t      *testing.T
	sim    *hetznersim.Sim
	rack   *rack
	url    string
	client *hcloud.Client
	ctx    context.Context
}

const token = "a-token-of-the-world"

func newLab(t *testing.T, o hetznersim.Options) *lab {
	t.Helper()
	r := newRack()
	if o.Metal == nil {
		o.Metal = r
	}
	if o.Speed == 0 {
		o.Speed = 2000
	}
	o.Token = token
	sim := hetznersim.New(o)
	server := httptest.NewServer(sim.Handler())
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(func() { cancel(); server.Close(); sim.Close() })
	l := &lab{t: t, sim: sim, rack: r, url: server.URL + "/v1", ctx: ctx}
	l.client = l.clientWith(token)
	return l
}

func (l *lab) clientWith(token string) *hcloud.Client {
	return hcloud.NewClient(
		hcloud.WithEndpoint(l.url), hcloud.WithToken(token),
		hcloud.WithHTTPClient(&http.Client{Transport: &inspector{l.t, http.DefaultTransport}}),
		hcloud.WithRetryOpts(hcloud.RetryOpts{BackoffFunc: hcloud.ConstantBackoff(time.Millisecond)}),
		hcloud.WithPollOpts(hcloud.PollOpts{BackoffFunc: hcloud.ConstantBackoff(3 * time.Millisecond)}),
	)
}

// seed adds a server with a machine that runs.
func (l *lab) seed(spec hetznersim.ServerSpec) (int64, string) {
	id, ipv4, _ := l.sim.AddServer(spec)
	l.rack.mu.Lock()
	defer l.rack.mu.Unlock()
	l.rack.powered[id] = !spec.Off
	return id, ipv4
}

func (l *lab) server(id int64) *hcloud.Server {
	l.t.Helper()
	v, _, err := l.client.Server.GetByID(l.ctx, id)
	if err != nil || v == nil {
		l.t.Fatalf("server %d: %v, %v", id, v, err)
	}
	return v
}

func (l *lab) wait(actions ...*hcloud.Action) {
	l.t.Helper()
	if err := l.client.Action.WaitFor(l.ctx, actions...); err != nil {
		l.t.Fatal(err)
	}
}

// done waits for the action of a call that must succeed.
func (l *lab) done(a *hcloud.Action, _ *hcloud.Response, err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
	l.wait(a)
}

// refusal checks that a call fails with a status and a code.
func (l *lab) refusal(err error, status int, code hcloud.ErrorCode) {
	l.t.Helper()
	var e hcloud.Error
	if !errors.As(err, &e) {
		l.t.Fatalf("want %s, got %v", code, err)
	}
	if e.Code != code || e.Response().StatusCode != status {
		l.t.Fatalf("want %d %s, got %d %s (%s)", status, code, e.Response().StatusCode, e.Code, e.Message)
	}
}

func ok[T any](t *testing.T) func(v T, _ *hcloud.Response, err error) T {
	return func(v T, _ *hcloud.Response, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func debian() *hcloud.Image    { return &hcloud.Image{Name: "debian-12"} }
func cx22() *hcloud.ServerType { return &hcloud.ServerType{Name: "cx22"} }
func fsn1() *hcloud.Location   { return &hcloud.Location{Name: "fsn1"} }
func plain(name string) hcloud.ServerCreateOpts {
	return hcloud.ServerCreateOpts{Name: name, ServerType: cx22(), Image: debian(), Location: fsn1()}
}

func TestTokensAreChecked(t *testing.T) {
	l := newLab(t, hetznersim.Options{})
	_, err := l.clientWith("another").Server.All(l.ctx)
	l.refusal(err, 401, hcloud.ErrorCodeUnauthorized)
	if _, err := l.client.Server.All(l.ctx); err != nil {
		t.Fatal(err)
	}
	l.sim.RevokeToken()
	_, err = l.client.Server.All(l.ctx)
	l.refusal(err, 401, hcloud.ErrorCodeUnauthorized)
	l.sim.SetToken("another")
	if _, err = l.clientWith("another").Server.All(l.ctx); err != nil {
		t.Fatal(err)
	}
}

func TestRateLimit(t *testing.T) {
	l := newLab(t, hetznersim.Options{RateLimit: 3, Speed: 1})
	for want := 2; want >= 0; want-- {
		_, resp, err := l.client.Location.List(l.ctx, hcloud.LocationListOpts{})
		if err != nil {
			t.Fatal(err)
		}
		if got := resp.Meta.Ratelimit; got.Limit != 3 || got.Remaining != want || !got.Reset.After(time.Now().Add(-time.Second)) {
			t.Fatalf("want %d left, got %+v", want, got)
		}
		if len(resp.Header.Get("X-Correlation-Id")) != 16 {
			t.Fatalf("no correlation id: %v", resp.Header)
		}
	}
	_, _, err := l.client.Location.List(l.ctx, hcloud.LocationListOpts{})
	l.refusal(err, 429, hcloud.ErrorCodeRateLimitExceeded)
}

func TestRateLimitRefills(t *testing.T) {
	l := newLab(t, hetznersim.Options{RateLimit: 1, Speed: 3600 * 100}) // 100 a second
	for range 3 {
		for try := 0; ; try++ {
			_, _, err := l.client.Location.List(l.ctx, hcloud.LocationListOpts{})
			if err == nil {
				break
			}
			if l.refusal(err, 429, hcloud.ErrorCodeRateLimitExceeded); try > 1000 {
				t.Fatal("does not refill")
			}
		}
	}
}

func TestPaginationAndFilters(t *testing.T) {
	l := newLab(t, hetznersim.Options{})
	for i := range 60 {
		tier := map[bool]string{true: "hobby", false: "pro"}[i%2 == 0]
		l.seed(hetznersim.ServerSpec{Name: "s-" + string(rune('a'+i/10)) + string(rune('a'+i%10)), Labels: map[string]string{"tier": tier}})
	}
	all, err := l.client.Server.All(l.ctx)
	if err != nil || len(all) != 60 {
		t.Fatalf("%d servers, %v", len(all), err)
	}
	first, resp, err := l.client.Server.List(l.ctx, hcloud.ServerListOpts{})
	if p := resp.Meta.Pagination; err != nil || len(first) != 25 || p.NextPage != 2 || p.LastPage != 3 || p.TotalEntries != 60 || p.PreviousPage != 0 {
		t.Fatalf("%d, %+v, %v", len(first), p, err)
	}
	beyond, resp, err := l.client.Server.List(l.ctx, hcloud.ServerListOpts{ListOpts: hcloud.ListOpts{Page: 9, PerPage: 50}})
	if err != nil || len(beyond) != 0 || resp.Meta.Pagination.NextPage != 0 {
		t.Fatalf("%d, %+v, %v", len(beyond), resp.Meta.Pagination, err)
	}
	for selector, want := range map[string]int{
		"tier": 60, "!tier": 0, "tier=hobby": 30, "tier==pro": 30, "tier!=pro": 30, "tier in (hobby, pro)": 60,
		"tier notin (hobby)": 30, "tier=hobby,other": 0, "other!=x": 60,
	} {
		found, err := l.client.Server.AllWithOpts(l.ctx, hcloud.ServerListOpts{ListOpts: hcloud.ListOpts{LabelSelector: selector, PerPage: 50}})
		if err != nil || len(found) != want {
			t.Errorf("%s: %d instead of %d, %v", selector, len(found), want, err)
		}
	}
	down, _, err := l.client.Server.List(l.ctx, hcloud.ServerListOpts{Sort: []string{"name:desc"}, Status: []hcloud.ServerStatus{"running"}})
	if err != nil || !slices.IsSortedFunc(down, func(a, b *hcloud.Server) int { return -compare(a.Name, b.Name) }) || len(down) != 25 {
		t.Fatalf("not sorted: %v", err)
	}
	if one := ok[*hcloud.Server](t)(l.client.Server.GetByName(l.ctx, "s-ab")); one == nil || one.Name != "s-ab" {
		t.Fatalf("by name: %+v", one)
	}
	for _, opts := range []hcloud.ServerListOpts{{Sort: []string{"colour"}}, {ListOpts: hcloud.ListOpts{LabelSelector: "a b"}}} {
		_, _, err := l.client.Server.List(l.ctx, opts)
		l.refusal(err, 422, hcloud.ErrorCodeInvalidInput)
	}
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
