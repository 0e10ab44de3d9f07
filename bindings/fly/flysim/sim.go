// Package flysim behaves like Fly.io, for drills and tests: the Machines API,
// the GraphQL API as far as flyctl and a recovery need it, logs, releases and
// managed Postgres. Real clients are pointed at it over HTTP. It keeps the
// bookkeeping (apps, machines, leases, versions, events, volumes, secrets) in
// memory; what runs stands behind the Metal interface.
//
// It must never import the binding it is used to test, never open a connection
// of its own, and never let the value of a secret out again.
package flysim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/webhost-systems/drhost/host/clock"
)

// Options says what a simulator stands on and how it behaves.
type Options struct {
	Metal     Metal       // nil: Bare
	Clock     clock.Clock // nil: clock.System
	Speed     float64     // how many times faster than life; below 1: the clock's own speed
	Token     string      // the token that is let in; empty: any token
	Seed      int64       // decides ids, names and addresses
	Latency   Latency     // how long what machines do takes; zero: DefaultLatency
	Unlimited bool        // no rate limits
	Org       string      // slug of the organization; empty: webhost-systems
}

// Sim is one simulated organization at Fly.io. It is safe for concurrent use.
type Sim struct {
	metal     Metal
	clock     clock.Clock
	speed     float64
	latency   Latency
	unlimited bool
	org       string
	mux       *http.ServeMux

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup // what machines are doing

	mu       sync.Mutex // guards everything below; never held while calling Metal
	changed  chan struct{}
	closed   bool
	random   *rand.Rand
	token    string
	revoked  bool
	sequence int
	limits   map[string]*bucket
	apps     map[string]*app
	full     map[string]bool // regions without room
	down     map[string]bool // regions out of reach
	clusters map[string]*cluster
	requests []Request
}

// New returns a simulator of an organization without apps. Close it when done.
func New(o Options) *Sim {
	if o.Metal == nil {
		o.Metal = &Bare{}
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.Speed < 1 {
		o.Speed = o.Clock.Speed()
	}
	if o.Latency == (Latency{}) {
		o.Latency = DefaultLatency()
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Sim{metal: o.Metal, clock: o.Clock, speed: o.Speed, latency: o.Latency, unlimited: o.Unlimited,
		org: or(o.Org, "webhost-systems"), ctx: ctx, cancel: cancel, changed: make(chan struct{}),
		random: rand.New(rand.NewPCG(uint64(o.Seed), 0x666c79)), token: o.Token,
		limits: map[string]*bucket{}, apps: map[string]*app{}, full: map[string]bool{}, down: map[string]bool{},
		clusters: map[string]*cluster{}}
	s.mux = s.routes()
	return s
}

// Close stops what machines are doing in the books and waits for it. What runs
// on the metal stays as it is; whoever made the Metal ends it.
func (s *Sim) Close() {
	s.mu.Lock() // so that nothing is being begun meanwhile
	s.closed = true
	s.cancel()
	s.mu.Unlock()
	s.work.Wait()
}

// RevokeToken makes every request fail as with a wrong token, until SetToken.
func (s *Sim) RevokeToken() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked = true
}

// SetToken replaces the token that is let in; empty lets any token in.
func (s *Sim) SetToken(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token, s.revoked = token, false
}

// now is the moment as the API stamps it.
func (s *Sim) now() time.Time { return s.clock.Now().UTC() }

// sleep waits d at the simulator's speed, whatever the clock's own is. It
// returns an error when ctx or the simulator ends first.
func (s *Sim) sleep(ctx context.Context, d time.Duration) error {
	return s.clock.Sleep(ctx, time.Duration(float64(d)/s.speed*s.clock.Speed()))
}

// begin runs work in the background until it ends or the simulator does; the
// caller holds the lock.
func (s *Sim) begin(work func(ctx context.Context)) {
	if s.closed {
		return
	}
	s.work.Add(1)
	go func() {
		defer s.work.Done()
		work(s.ctx)
	}()
}

// announce wakes whoever waits for a change; the caller holds the lock.
func (s *Sim) announce() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// hex makes up n hexadecimal digits; the caller holds the lock.
func (s *Sim) hex(n int) string {
	var b strings.Builder
	for b.Len() < n {
		fmt.Fprintf(&b, "%016x", s.random.Uint64())
	}
	return b.String()[:n]
}

// ulid makes up an identifier that sorts by time, as instance ids do; the
// caller holds the lock.
func (s *Sim) ulid() string {
	const digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ" // Crockford's, github.com/ulid/spec
	out := make([]byte, 26)
	ms := uint64(s.now().UnixMilli())
	for i := 9; i >= 0; i-- {
		out[i] = digits[ms&31]
		ms >>= 5
	}
	for i := 10; i < 26; i++ {
		out[i] = digits[s.random.IntN(32)]
	}
	return string(out)
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// stamp is a moment as the API writes it.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
