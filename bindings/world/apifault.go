package world

import (
	"fmt"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/bindings/cloudflare/cloudflaresim"
	"github.com/webhost-systems/drhost/bindings/fly/flysim"
	"github.com/webhost-systems/drhost/bindings/hetzner/hetznersim"
)

// Kinds of API faults.
const (
	Slow        = "slow"          // answers take Factor times as long, until lifted
	Failing     = "failing"       // the next Count requests are answered with Status and not carried out
	RateLimited = "rate_limited"  // the next Count requests are answered with 429
	ActThenFail = "act_then_fail" // the next Count requests are carried out and answered with 502
)

// APIFault is put in the way of a provider's requests.
type APIFault struct {
	Kind   string
	Count  int     // how many requests it hits; 0 is 1; not for Slow
	Factor float64 // of Slow
	Status int     // of Failing; 0 is 503
	Cut    bool    // cut the connection instead of answering; not for Slow or RateLimited
	// Method and Path narrow it down: "POST", and a pattern as path.Match has
	// it ("/v1/servers", "/v1/servers/*/actions/*"). Empty is any; "mutation"
	// is every method but GET and HEAD.
	Method string
	Path   string
}

func (f *APIFault) status() int {
	switch f.Kind {
	case RateLimited:
		return http.StatusTooManyRequests
	case ActThenFail:
		return http.StatusBadGateway
	}
	if f.Status == 0 {
		return http.StatusServiceUnavailable
	}
	return f.Status
}

// retry is how long a rate limit asks to wait.
func (f *APIFault) retry() time.Duration {
	if f.Kind == RateLimited {
		return 5 * time.Second
	}
	return 0
}

func (f *APIFault) check() error {
	switch f.Kind {
	case Slow:
		if f.Factor < 1 || f.Factor > 1000 {
			return fmt.Errorf("API fault %s: factor %v is not between 1 and 1000", f.Kind, f.Factor)
		}
	case Failing:
		if f.Status != 0 && (f.Status < 400 || f.Status > 599) {
			return fmt.Errorf("API fault %s: status %d is no error", f.Kind, f.Status)
		}
	case RateLimited, ActThenFail:
	default:
		return fmt.Errorf("there is no API fault %q; there are %s, %s, %s and %s", f.Kind, Slow, Failing, RateLimited, ActThenFail)
	}
	if _, err := path.Match(f.Path, "/"); err != nil {
		return fmt.Errorf("API fault %s: path %q: %w", f.Kind, f.Path, err)
	}
	return nil
}

func (f *APIFault) hits(r *http.Request) bool {
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case f.Method == "":
	case strings.EqualFold(f.Method, "mutation"):
		if read {
			return false
		}
	case !strings.EqualFold(f.Method, r.Method):
		return false
	}
	if f.Path == "" {
		return true
	}
	ok, err := path.Match(f.Path, r.URL.Path)
	return ok && err == nil
}

// faultsFor returns the slowdown of a request and the fault that hits it.
func (g *gateway) faultsFor(r *http.Request) (factor float64, hit *APIFault) {
	g.mu.Lock()
	defer g.mu.Unlock()
	factor = 1
	var left []*APIFault
	for _, f := range g.faults {
		switch {
		case !f.hits(r):
		case f.Kind == Slow:
			factor *= f.Factor
		case hit == nil:
			one := *f
			hit = &one
			f.Count--
		}
		if f.Kind == Slow || f.Count > 0 {
			left = append(left, f)
		}
	}
	g.faults = left
	return factor, hit
}

func (g *gateway) inject(f APIFault) error {
	if err := f.check(); err != nil {
		return err
	}
	f.Count = max(f.Count, 1)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.faults = append(g.faults, &f)
	return nil
}

// heal lifts every fault of the API.
func (g *gateway) heal() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.faults, g.cut = nil, false
}

// rejectHetzner answers an error in Hetzner's envelope and with its headers.
func rejectHetzner(now func() time.Time) func(http.ResponseWriter, int, time.Duration) {
	return func(w http.ResponseWriter, status int, retry time.Duration) {
		if retry > 0 {
			w.Header().Set("RateLimit-Limit", "3600")
			w.Header().Set("RateLimit-Remaining", "0")
			w.Header().Set("RateLimit-Reset", strconv.FormatInt(now().Add(retry).Unix(), 10))
		}
		code, known := map[int]string{429: "rate_limit_exceeded", 500: "server_error", 502: "bad_gateway", 503: "unavailable", 504: "timeout"}[status]
		if !known {
			code = "service_error"
		}
		hetznersim.WriteError(w, status, code, strings.ToLower(http.StatusText(status)))
	}
}

// rejectFly answers an error in Fly's envelope.
func rejectFly(w http.ResponseWriter, status int, _ time.Duration) {
	word, known := map[int]string{429: "rate_limited", 503: "unavailable", 504: "deadline_exceeded"}[status]
	if !known {
		word = "unknown"
	}
	w.Header().Set("fly-request-id", "edge")
	flysim.WriteError(w, status, word, strings.ToLower(http.StatusText(status)))
}

// rejectCloudflare answers an error in Cloudflare's envelope and with its
// headers.
func rejectCloudflare(w http.ResponseWriter, status int, retry time.Duration) {
	code := 10000 + status
	if retry > 0 {
		seconds := strconv.Itoa(int(retry.Seconds()))
		w.Header().Set("Retry-After", seconds)
		w.Header().Set("Ratelimit", `"default";r=0;t=`+seconds)
		w.Header().Set("Ratelimit-Policy", `"default";q=1200;w=300`)
		code = 971 // "Please wait and consider throttling your request speed"
	}
	cloudflaresim.WriteError(w, status, code, strings.ToLower(http.StatusText(status)))
}
