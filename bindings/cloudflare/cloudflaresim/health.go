package cloudflaresim

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Probe asks an origin for a path as a monitor does and returns the status it
// answers; an error says why there was no answer.
type Probe func(address string, port int, path string) (status int, err error)

// verdict is what a monitor last found at an origin.
type verdict struct {
	at     time.Time
	status int
	reason string // why it is not healthy
}

func (v verdict) healthy() bool { return v.reason == "" }

// health is the last verdict on an origin. One that nobody watches counts as
// healthy, as at the vendor's.
func (s *Sim) health(v pool, o origin) verdict {
	return s.verdicts[v.Monitor+" "+o.Address]
}

// due is one probe that a monitor's interval asks for.
type due struct {
	key, address string
	monitor      monitor
}

// probeDue lets the monitors look at the origins whose interval is over. It
// runs before a question that rests on their health is answered, without the
// lock, because a probe may ask the simulator itself.
func (s *Sim) probeDue() {
	if s.probe == nil {
		return
	}
	s.probing.Lock()
	defer s.probing.Unlock()
	for _, d := range s.dueProbes() {
		port := d.monitor.Port
		if port == 0 {
			port = 80
		}
		v := verdict{at: s.clock.Now()}
		var err error
		if v.status, err = s.probe(d.address, port, d.monitor.Path); err != nil {
			v.reason = err.Error()
		} else if !expected(d.monitor.ExpectedCodes, v.status) {
			v.reason = fmt.Sprintf("Response code mismatch error: %d", v.status)
		}
		s.mu.Lock()
		s.verdicts[d.key] = v
		s.mu.Unlock()
	}
}

func (s *Sim) dueProbes() []due {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []due
	now := s.clock.Now()
	for _, o := range s.balancing.pools.list {
		v, p := as[pool](o)
		i := s.balancing.monitors.find(v.Monitor)
		if p != nil || i < 0 {
			continue
		}
		m, p := as[monitor](s.balancing.monitors.list[i])
		if p != nil {
			continue
		}
		every := time.Duration(m.Interval / s.speed * float64(time.Second))
		for _, one := range v.Origins {
			key := v.Monitor + " " + one.Address
			if last, seen := s.verdicts[key]; !seen || now.Sub(last.at) >= every {
				out = append(out, due{key, one.Address, m})
			}
		}
	}
	return out
}

// expected reads "200", "2xx" and "200,204".
func expected(codes string, status int) bool {
	for _, code := range strings.Split(codes, ",") {
		code = strings.ToLower(strings.TrimSpace(code))
		if code == "" || code == strconv.Itoa(status) || (len(code) == 3 && code[1:] == "xx" && int(code[0]-'0') == status/100) {
			return true
		}
	}
	return false
}

// poolHealth is a pool as the monitors see it from one place.
func (s *Sim) poolHealth(v pool) object {
	origins := []any{}
	for _, o := range v.Origins {
		found := s.health(v, o)
		one := object{"healthy": found.healthy(), "rtt": "12.1ms", "failure_reason": "No failures", "response_code": found.status}
		if !found.healthy() {
			one["failure_reason"], one["rtt"] = found.reason, "0s"
		}
		origins = append(origins, object{o.Address: one})
	}
	healthy := v.Enabled && len(s.up(v)) >= max(v.MinimumOrigins, 1)
	return object{"pool_id": v.ID, "pop_health": object{"Amsterdam, NL": object{"healthy": healthy, "origins": origins}}}
}
