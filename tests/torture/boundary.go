package torture

import (
	"fmt"
	"hash/fnv"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
)

// How a life ends.
const (
	Kill  = "kill"  // kill -9: what was written stays, synced or not
	Power = "power" // power loss: what was not synced is gone
	Torn  = "torn"  // power loss that left a part of what was not synced
)

// Plan says at which boundary a life dies. The zero Plan lets it live.
type Plan struct {
	Death string         `json:"death,omitempty"` // Kill, Power or Torn
	At    int            `json:"at,omitempty"`    // at the boundary of this number, counted in this life; 0: by Seen
	Seen  map[string]int `json:"seen,omitempty"`  // how often an earlier life died at a boundary
	Times int            `json:"times,omitempty"` // die at each this often; 0: never by Seen
	Skip  float64        `json:"skip,omitempty"`  // the share of boundaries that are lived through
	Seed  int64          `json:"seed,omitempty"`  // which they are
	Late  bool           `json:"late,omitempty"`  // only between a provider's mutation and its answer
}

// How many times a boundary that comes again within one life counts as another
// one: a poll comes by the same request for as long as it takes, a mutation
// only for as long as it changes something.
const (
	oftenLooking  = 3
	oftenChanging = 20
)

// chosen tells whether to die at the n-th boundary of this life, called name
// and passed for the times-th time in it.
func (p Plan) chosen(n int, name string, times int) (key string, die bool) {
	key = name
	if times > 1 {
		key = fmt.Sprintf("%s #%d", name, times)
	}
	switch {
	case p.Death == "":
		return key, false
	case p.At > 0:
		return key, n == p.At
	}
	if p.Late && !late.MatchString(name) {
		return key, false
	}
	often := oftenLooking
	if strings.Contains(name, changing) {
		often = oftenChanging
	}
	return key, times <= often && p.Seen[key] < p.Times && p.chance(key) >= p.Skip
}

// late are the boundaries after which a provider may still be at work.
var late = regexp.MustCompile(`^(POST|PUT|PATCH|DELETE) .* sent$`)

// chance is a number in [0, 1) that key has under this seed.
func (p Plan) chance(key string) float64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %s", p.Seed, key)
	return float64(h.Sum64()%1_000_003) / 1_000_003
}

// mortal counts the boundaries of a life and ends it at the chosen one. What a
// power loss would find is changed under its lock only, so that nothing
// reaches the disk while it dies.
type mortal struct {
	plan Plan
	last func(key string, n int) // tells the world outside, just before death

	mu    sync.Mutex
	n     int
	times map[string]int
}

func newMortal(plan Plan, last func(string, int)) *mortal {
	return &mortal{plan: plan, last: last, times: map[string]int{}}
}

// pass is called at a boundary. It does not return when the life ends there.
func (m *mortal) pass(format string, args ...any) {
	name := fmt.Sprintf(format, args...)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.n++
	m.times[name]++
	key, die := m.plan.chosen(m.n, name, m.times[name])
	if !die {
		return
	}
	m.last(key, m.n)
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // it cannot fail for oneself
	select {}                                      // until the signal is here
}

// with changes what a power loss would find.
func (m *mortal) with(do func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	do()
}

func (m *mortal) passed() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.n
}
