package cloudflaresim

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"
)

// The vendor's limit: 1200 requests in five minutes and user, then every
// request is refused until the window is over (developers.cloudflare.com,
// "Rate limits").
const (
	requestsPerWindow = 1200
	window            = 5 * time.Minute
)

// limiter counts requests in windows. In a simulator that runs faster than
// life the windows are shorter; the headers speak of simulated seconds. The
// simulator's lock guards it.
type limiter struct {
	size   int // below 0: no limit
	speed  float64
	used   int
	resets time.Time
}

func newLimiter(size int, speed float64) limiter {
	if size == 0 {
		size = requestsPerWindow
	}
	return limiter{size: size, speed: speed}
}

// take uses up one request and writes the headers; false when none is left.
func (l *limiter) take(now time.Time, h http.Header) bool {
	if l.size < 0 {
		return true
	}
	if !now.Before(l.resets) {
		l.used, l.resets = 0, now.Add(time.Duration(float64(window)/l.speed))
	}
	granted := l.used < l.size
	if granted {
		l.used++
	}
	left := max(1, int(math.Ceil(l.resets.Sub(now).Seconds()*l.speed)))
	h.Set("Ratelimit", fmt.Sprintf(`"default";r=%d;t=%d`, l.size-l.used, left))
	h.Set("Ratelimit-Policy", fmt.Sprintf(`"default";q=%d;w=%d`, l.size, int(window.Seconds())))
	if !granted {
		h.Set("Retry-After", strconv.Itoa(left))
	}
	return granted
}
