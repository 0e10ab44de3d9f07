package flysim

import "time"

// The vendor's limits (fly.io/docs/machines/api/working-with-machines-api):
// per action and per machine or app one request a second with a burst of
// three; Get Machine five a second with a burst of ten.
const (
	actionRate, actionBurst = 1, 3
	getRate, getBurst       = 5, 10
)

// bucket holds the requests that may still be made. In a simulator that runs
// faster than life it refills faster, because clients come faster.
type bucket struct {
	left    float64
	touched time.Time
}

// allowed uses up one request of an action on something; the caller holds the
// lock.
func (s *Sim) allowed(action, on string) bool {
	if s.unlimited {
		return true
	}
	rate, burst := float64(actionRate), float64(actionBurst)
	if action == "machine_get" {
		rate, burst = getRate, getBurst
	}
	now := s.clock.Now()
	key := action + " " + on
	b := s.limits[key]
	if b == nil {
		b = &bucket{left: burst, touched: now}
		s.limits[key] = b
	}
	b.left = min(burst, b.left+now.Sub(b.touched).Seconds()*rate*s.speed)
	b.touched = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}
