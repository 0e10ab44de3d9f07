// Package hetznersim behaves like the API of Hetzner Cloud, for drills and
// tests: real clients are pointed at it over HTTP and cannot tell the
// difference in what scenario runbooks use. It keeps the bookkeeping (names,
// addresses, actions, locks, limits) in memory; the machines stand behind the
// Metal interface.
//
// It must never import the binding it is used to test, never open a connection
// of its own, and never answer a value that does not come out of its state.
package hetznersim

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/webhost-systems/drhost/host/clock"
)

// Options says what a simulator stands on and how it behaves.
type Options struct {
	Metal   Metal       // nil: Bare
	Clock   clock.Clock // nil: clock.System
	Speed   float64     // how many times faster than life; below 1: the clock's own speed
	Token   string      // the token that is let in; empty: any token
	Seed    int64       // decides generated passwords
	Latency Latency     // how long commands take; zero: DefaultLatency
	// RateLimit is the number of requests that may be made in a burst; it
	// refills by RateLimit/3600 per second. 0 is the vendor's 3600; below 0
	// there is no limit.
	RateLimit int
	Spent     int // requests of the limit that others have used up already
}

// Sim is one simulated project at Hetzner Cloud. It is safe for concurrent use.
type Sim struct {
	metal   Metal
	clock   clock.Clock
	speed   float64
	latency Latency
	limit   *limiter
	nouns   map[string]noun

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup // running actions

	routing sync.Mutex // one flush of routes at a time, in order

	mu        sync.Mutex // guards everything below; never held while calling Metal
	random    *rand.Rand
	token     string
	revoked   bool
	lastID    int64
	addresses pool
	routes    []traffic
	failures  map[string]int // command -> actions of it that shall fail
	soldOut   map[offer]bool
	disabled  map[string]bool // locations

	actions    map[int64]*action
	servers    map[int64]*server
	images     map[int64]*image
	keys       map[int64]*sshKey
	floating   map[int64]*floatingIP
	primary    map[int64]*primaryIP
	volumes    map[int64]*volume
	networks   map[int64]*network
	firewalls  map[int64]*firewall
	balancers  map[int64]*loadBalancer
	placements map[int64]*placementGroup

	certificates map[int64]*certificate
}

// New returns a simulator with the vendor's catalogue of locations, types and
// system images and nothing else. Close it when done.
func New(o Options) *Sim {
	if o.Metal == nil {
		o.Metal = Bare{}
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
	s := &Sim{
		metal: o.Metal, clock: o.Clock, speed: o.Speed, latency: o.Latency,
		limit: newLimiter(o.RateLimit, o.Spent, o.Speed, o.Clock.Now()),
		ctx:   ctx, cancel: cancel,
		random: rand.New(rand.NewPCG(uint64(o.Seed), 0x6865747a)), token: o.Token,
		lastID: firstID - 1, failures: map[string]int{}, soldOut: map[offer]bool{}, disabled: map[string]bool{},
		actions: map[int64]*action{}, servers: map[int64]*server{}, images: map[int64]*image{},
		keys: map[int64]*sshKey{}, floating: map[int64]*floatingIP{}, primary: map[int64]*primaryIP{},
		volumes: map[int64]*volume{}, networks: map[int64]*network{}, firewalls: map[int64]*firewall{},
		balancers: map[int64]*loadBalancer{}, placements: map[int64]*placementGroup{},
		certificates: map[int64]*certificate{},
	}
	s.addSystemImages()
	s.nouns = s.vocabulary()
	return s
}

// firstID is where the numbers of created things start, far from those of the
// catalogue.
const firstID = 10001

// Close stops running actions and waits for them. The machines stay as they
// are; whoever made the Metal stops them.
func (s *Sim) Close() {
	s.mu.Lock() // so that no action is being started meanwhile
	s.cancel()
	s.mu.Unlock()
	s.work.Wait()
}

// Handler serves the API. Its paths begin with /v1: the endpoint to give to a
// client is the server's URL followed by "/v1".
func (s *Sim) Handler() http.Handler { return http.HandlerFunc(s.serve) }

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

// next hands out an id. The caller holds the lock.
func (s *Sim) next() int64 {
	s.lastID++
	return s.lastID
}

// now is the moment as the API stamps it. The caller need not hold the lock.
func (s *Sim) now() time.Time { return s.clock.Now().UTC() }

// scaled is what d takes at this simulator's speed, in real time.
func (s *Sim) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) / s.speed)
}

// pause waits a real duration on the clock, whatever the clock's own speed.
func (s *Sim) pause(real time.Duration) error {
	return s.clock.Sleep(s.ctx, time.Duration(float64(real)*s.clock.Speed()))
}

// password makes up a root password. The caller holds the lock.
func (s *Sim) password() string {
	const letters = "abcdefghkmnprstuvwxyzABCDEFGHKMNPRSTUVWXYZ23456789"
	made := make([]byte, 20)
	for i := range made {
		made[i] = letters[s.random.IntN(len(letters))]
	}
	return string(made)
}

// traffic is a route that the metal is still to be told of.
type traffic struct {
	address string
	server  int64
}

// route notes where traffic for an address goes; flush tells the metal. The
// caller holds the lock.
func (s *Sim) route(address string, server int64) {
	s.routes = append(s.routes, traffic{address, server})
}

// flush tells the metal of new routes, in order. The caller does not hold the
// lock.
func (s *Sim) flush() {
	s.routing.Lock()
	defer s.routing.Unlock()
	s.mu.Lock()
	routes := s.routes
	s.routes = nil
	s.mu.Unlock()
	for _, r := range routes {
		s.metal.Route(r.address, r.server)
	}
}
