package hetznersim

import (
	"math"
	"net/http"
	"strconv"
	"time"
)

// hourly is the vendor's limit of requests per hour and project, refilled by
// one a second (reference: docs.hetzner.cloud, "Rate Limiting").
const hourly = 3600

// limiter is a bucket of requests that refills steadily. In a simulator that
// runs faster than life the bucket refills faster too, because clients poll
// faster. The simulator's lock guards it.
type limiter struct {
	size    float64 // 0: no limit
	refill  float64 // per real second
	left    float64
	touched time.Time
}

func newLimiter(size, spent int, speed float64, now time.Time) *limiter {
	if size == 0 {
		size = hourly
	}
	l := &limiter{size: max(float64(size), 0), touched: now}
	l.left, l.refill = max(0, l.size-float64(spent)), l.size/hourly*speed
	return l
}

// take uses up one request and writes the headers; false when none is left.
func (l *limiter) take(now time.Time, h http.Header) bool {
	if l.size == 0 {
		return true
	}
	l.left = min(l.size, l.left+now.Sub(l.touched).Seconds()*l.refill)
	l.touched = now
	granted := l.left >= 1
	if granted {
		l.left--
	}
	full := now.Add(time.Duration((l.size - l.left) / l.refill * float64(time.Second)))
	h.Set("RateLimit-Limit", strconv.Itoa(int(l.size)))
	h.Set("RateLimit-Remaining", strconv.Itoa(int(math.Floor(l.left))))
	h.Set("RateLimit-Reset", strconv.FormatInt(full.Unix(), 10))
	return granted
}
