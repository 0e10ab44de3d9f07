package flysim

import (
	"fmt"
	"strconv"
	"time"
)

// lease keeps everybody but its holder from changing a machine for a while.
type lease struct {
	nonce   string
	owner   string
	about   string // the description that came with it
	expires time.Time
	version string
}

// owner of leases that are taken with the simulator's token.
const owner = "operator@webhost.systems"

// leaseTime is how long a lease lasts that says nothing else
// (fly.io/docs/machines/api/machines-resource, "Create a machine lease").
const leaseTime = 30 * time.Second

// held returns the lease that counts now, or nil; the caller holds the lock.
func (s *Sim) held(m *machine) *lease {
	if m.lease != nil && !s.clock.Now().Before(m.lease.expires) {
		m.lease = nil
	}
	return m.lease
}

// leastLease is how long a lease lasts in real time, however fast everything
// goes: under it real databases are stopped and started.
const leastLease = 5 * time.Second

// lasting is the moment at which d is over. Faster than life leases last
// shorter, like everything that clients wait for.
func (s *Sim) lasting(d time.Duration) time.Time {
	return s.clock.Now().Add(max(time.Duration(float64(d)/s.speed), min(d, leastLease)))
}

func busy(m *machine, l *lease) *problem {
	return &problem{409, fmt.Sprintf("aborted: machine ID %s lease currently held by %s, expires at %s",
		m.id, l.owner, l.expires.UTC().Format(time.RFC3339)), "aborted"}
}

// leaseAllows tells whether a write is the lease's holder's; the caller holds
// the lock.
func (s *Sim) leaseAllows(c *call) error {
	if l := s.held(c.one); l != nil && c.Header.Get(nonceHeader) != l.nonce {
		return busy(c.one, l)
	}
	return nil
}

func (s *Sim) leaseView(l *lease) obj {
	return obj{"status": "success", "data": obj{"nonce": l.nonce, "expires_at": l.expires.Unix(), "owner": l.owner,
		"description": l.about, "version": l.version}}
}

func (s *Sim) getLease(c *call) (int, any, error) {
	l := s.held(c.one)
	if l == nil {
		return 404, "lease not found", nil
	}
	return 200, s.leaseView(l), nil
}

// takeLease takes a lease, or lengthens it when the nonce comes along.
func (s *Sim) takeLease(c *call) (int, any, error) {
	if s.unreachable(c.one) {
		return 0, nil, s.writable(c)
	}
	if err := s.leaseAllows(c); err != nil {
		return 0, nil, err
	}
	d := leaseTime
	if text := c.URL.Query().Get("ttl"); text != "" {
		seconds, err := strconv.Atoi(text)
		if err != nil || seconds < 1 {
			return 0, nil, invalid("ttl must be a number of seconds")
		}
		d = time.Duration(seconds) * time.Second
	}
	var in struct {
		About string `json:"description"`
	}
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	l := s.held(c.one)
	switch {
	case l == nil && c.Header.Get(nonceHeader) != "":
		return 404, "lease not found", nil
	case l == nil:
		l = &lease{nonce: s.hex(12), owner: owner, about: in.About, version: c.one.instance}
		c.one.lease = l
	}
	l.expires = s.lasting(d)
	return 201, s.leaseView(l), nil
}

func (s *Sim) releaseLease(c *call) (int, any, error) {
	l := s.held(c.one)
	switch {
	case l == nil:
		return 404, "lease not found", nil
	case c.Header.Get(nonceHeader) != l.nonce:
		return 0, nil, busy(c.one, l)
	}
	c.one.lease = nil
	return 200, obj{"status": "success"}, nil
}

// leaseWith takes the lease that came with a creation or an update and
// returns its nonce; the caller holds the lock.
func (s *Sim) leaseWith(m *machine, seconds int) string {
	if seconds <= 0 {
		return ""
	}
	if s.held(m) == nil {
		m.lease = &lease{nonce: s.hex(12), owner: owner, version: m.instance}
	}
	m.lease.expires = s.lasting(time.Duration(seconds) * time.Second)
	return m.lease.nonce
}
