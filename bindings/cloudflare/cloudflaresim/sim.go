// Package cloudflaresim behaves like Cloudflare's API for zones and DNS
// records, and serves what it holds through real DNS servers, for drills and
// tests: the vendor's client and any DNS client are pointed at it and cannot
// tell the difference in what recovery runbooks use.
//
// It must never import the binding it is used to test, never open a connection
// that leaves the machine, and never answer a value that does not come out of
// its state.
package cloudflaresim

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sort"
	"sync"
	"time"

	"github.com/webhost-systems/drhost/host/clock"
)

// Options says how a simulator behaves.
type Options struct {
	Clock clock.Clock // nil: clock.System
	Speed float64     // how many times faster than life; below 1: the clock's own speed
	Token string      // the token that is let in; empty: any token
	// Propagation is how long a change made through the API takes to reach
	// the name servers, divided by Speed. 0 is 3 s; below 0 there is none.
	Propagation time.Duration
	// RateLimit is the number of requests allowed in five minutes. 0 is the
	// vendor's 1200; below 0 there is no limit.
	RateLimit int
	// Probe is how monitors look at the origins of pools; nil: every origin
	// is healthy.
	Probe Probe
}

// propagation is the default of Options.Propagation: the vendor promises a few
// seconds (developers.cloudflare.com/dns, "DNS record changes").
const propagation = 3 * time.Second

// Sim is one simulated Cloudflare account. It is safe for concurrent use.
type Sim struct {
	clock       clock.Clock
	speed       float64
	propagation time.Duration
	probe       Probe
	probing     sync.Mutex // held while monitors look around

	mu        sync.Mutex // guards everything below
	token     string
	revoked   bool
	limit     limiter
	zones     map[string]*zone // by id
	edge      map[string]int   // proxied name -> number of its anycast address
	balancing *balancing
	verdicts  map[string]verdict // by monitor and origin
	lastID    int
	lastRay   int
}

// zone is what the API holds and what the name servers have heard of it.
type zone struct {
	id, name string
	status   string // active, unless it was said otherwise
	created  time.Time
	changed  time.Time
	records  []Record
	serial   uint32
	versions []version // oldest first, never empty
}

// version is the state of a zone from a moment on, as name servers see it.
type version struct {
	visible time.Time
	serial  uint32
	records []Record // never changed
}

// New returns an account without zones.
func New(o Options) *Sim {
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.Speed < 1 {
		o.Speed = max(o.Clock.Speed(), 1)
	}
	if o.Propagation == 0 {
		o.Propagation = propagation
	}
	return &Sim{clock: o.Clock, speed: o.Speed, token: o.Token,
		propagation: time.Duration(float64(max(o.Propagation, 0)) / o.Speed),
		limit:       newLimiter(o.RateLimit, o.Speed),
		zones:       map[string]*zone{}, edge: map[string]int{},
		probe: o.Probe, balancing: newBalancing(), verdicts: map[string]verdict{}}
}

// AddZone adds an active zone and returns its id; a zone that exists already
// keeps its own.
func (s *Sim) AddZone(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	name = plainName(name)
	if z := s.zoneByName(name); z != nil {
		return z.id
	}
	return s.newZone(name, "active").id
}

// AddRecord adds a record to a zone and returns its id. The name servers have
// it at once: it was there before the story began.
func (s *Sim) AddRecord(zone string, r Record) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	z := s.zoneByName(plainName(zone))
	if z == nil {
		return "", fmt.Errorf("add record %s: there is no zone %s", r.Name, zone)
	}
	r.ID = ""
	made, p := s.insert(z, z.records, r)
	if p != nil {
		return "", fmt.Errorf("add record %s: %w", r.Name, p)
	}
	s.publish(z, append(clip(z.records), made), 0)
	return made.ID, nil
}

// Records returns what the API holds for a zone, sorted by name and type; nil
// when there is no such zone.
func (s *Sim) Records(zone string) []Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	z := s.zoneByName(plainName(zone))
	if z == nil {
		return nil
	}
	out := clip(z.records)
	sort.SliceStable(out, func(i, j int) bool {
		if out[i].Name != out[j].Name {
			return out[i].Name < out[j].Name
		}
		return out[i].Type < out[j].Type
	})
	return out
}

// Zones returns the names of the zones, sorted.
func (s *Sim) Zones() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := make([]string, 0, len(s.zones))
	for _, z := range s.zones {
		names = append(names, z.name)
	}
	sort.Strings(names)
	return names
}

// RevokeToken makes every token invalid until AllowToken.
func (s *Sim) RevokeToken() { s.setRevoked(true) }

// AllowToken undoes RevokeToken.
func (s *Sim) AllowToken() { s.setRevoked(false) }

func (s *Sim) setRevoked(revoked bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked = revoked
}

// publish makes records the state of z; name servers hear of it after delay.
func (s *Sim) publish(z *zone, records []Record, delay time.Duration) {
	now := s.clock.Now()
	z.records, z.changed = records, now.UTC()
	z.serial++
	z.versions = append(z.versions, version{visible: now.Add(delay), serial: z.serial, records: records})
	z.forget(now)
}

// visible is the newest version that name servers have heard of.
func (z *zone) visible(now time.Time) version {
	for i := len(z.versions) - 1; i > 0; i-- {
		if !z.versions[i].visible.After(now) {
			return z.versions[i]
		}
	}
	return z.versions[0]
}

// forget drops versions that can never be answered again.
func (z *zone) forget(now time.Time) {
	for i := len(z.versions) - 1; i > 0; i-- {
		if !z.versions[i].visible.After(now) {
			z.versions = append([]version(nil), z.versions[i:]...)
			return
		}
	}
}

func (s *Sim) zoneByName(name string) *zone {
	for _, z := range s.zones {
		if z.name == name {
			return z
		}
	}
	return nil
}

// newID returns an identifier in the vendor's form: 32 hexadecimal digits, the
// same in every run of the same story.
func (s *Sim) newID(kind string) string {
	s.lastID++
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", kind, s.lastID))
	return hex.EncodeToString(sum[:16])
}

func clip(records []Record) []Record { return append([]Record(nil), records...) }
