package hetzner

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/webhost-systems/drhost/host/clock"
)

const (
	// refilled is how long an empty budget of requests takes to be whole again:
	// it grows steadily by its limit per hour (docs.hetzner.cloud, "Rate
	// Limiting").
	refilled = time.Hour
	// readEvery is how many mutations go ahead of a waiting read while requests
	// are scarce: reads can be shared by many branches, mutations cannot.
	readEvery = 20
)

// pace keeps all branches of a run within the project's budget of requests,
// so that a limit is waited for once, in one queue, and hardly ever run into.
// It learns the budget from the answers; without their headers it lets
// everything through.
type pace struct {
	clock clock.Clock

	mu       sync.Mutex
	limit    float64 // 0: none is known
	known    bool    // some answer has been seen
	left     float64 // at touched, without what is under way
	touched  time.Time
	inFlight int
	ahead    int         // mutations that went since the last read
	queue    [2][]*place // mutations, reads
}

// place is one request's place in the queue. It is woken when it may have come
// to the front.
type place struct {
	mu   sync.Mutex
	wake context.CancelFunc // ends its wait; nil while it does not wait
	news bool
}

func (l *place) rouse() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.news = true
	if l.wake != nil {
		l.wake()
	}
}

// rest waits for d of the clock (below 0: for as long as it takes), until
// roused, or until ctx is done.
func (l *place) rest(ctx context.Context, c clock.Clock, d time.Duration) error {
	waiting, wake := context.WithCancel(ctx)
	defer wake()
	l.mu.Lock()
	if l.news {
		wake()
	}
	l.news, l.wake = false, wake
	l.mu.Unlock()
	var err error
	if d < 0 {
		err = clock.Follow(waiting, c, nil, nil)
	} else {
		err = c.Sleep(waiting, d)
	}
	l.mu.Lock()
	l.wake = nil
	l.mu.Unlock()
	if ctx.Err() == nil {
		return nil
	}
	return err
}

// admit returns when a request may be sent. Each one that was admitted has to
// be reported with answered.
func (p *pace) admit(ctx context.Context, mutation bool) error {
	kind := 1
	if mutation {
		kind = 0
	}
	mine := &place{}
	p.mu.Lock()
	p.queue[kind] = append(p.queue[kind], mine)
	p.mu.Unlock()
	for {
		p.mu.Lock()
		wait := time.Duration(-1)
		if p.front() == mine {
			wait = p.need()
			if wait == 0 {
				p.left--
				p.inFlight++
				p.ahead = (p.ahead + 1) * (1 - kind)
				p.leave(kind, mine)
				p.mu.Unlock()
				return nil
			}
		}
		p.mu.Unlock()
		if err := mine.rest(ctx, p.clock, wait); err != nil {
			p.mu.Lock()
			p.leave(kind, mine)
			p.mu.Unlock()
			return err
		}
	}
}

// front is whose turn it is. The caller holds the lock.
func (p *pace) front() *place {
	mutations, reads := p.queue[0], p.queue[1]
	switch {
	case len(mutations) == 0 && len(reads) == 0:
		return nil
	case len(mutations) == 0, len(reads) > 0 && p.ahead >= readEvery:
		return reads[0]
	}
	return mutations[0]
}

// need is how long the next request has to wait: 0 when it may go, below 0
// when it is for an answer. The caller holds the lock.
func (p *pace) need() time.Duration {
	switch {
	case !p.known && p.inFlight > 0:
		return -1 // the first answer tells how many may follow
	case p.limit == 0:
		return 0
	}
	now := p.clock.Now()
	perSecond := p.limit / refilled.Seconds()
	p.left = min(p.limit, p.left+now.Sub(p.touched).Seconds()*p.clock.Speed()*perSecond)
	p.touched = now
	if p.left >= 1 {
		return 0
	}
	return max(time.Millisecond, time.Duration((1-p.left)/perSecond*float64(time.Second)))
}

// leave takes a place out of the queue and rouses whoever is at the front
// then. The caller holds the lock.
func (p *pace) leave(kind int, mine *place) {
	for i, l := range p.queue[kind] {
		if l == mine {
			p.queue[kind] = append(p.queue[kind][:i:i], p.queue[kind][i+1:]...)
			break
		}
	}
	if next := p.front(); next != nil {
		next.rouse()
	}
}

// answered takes in what an answer says about the budget; header is nil when
// there was none.
func (p *pace) answered(header http.Header) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inFlight--
	if header != nil {
		p.known = true
		limit, err := strconv.ParseFloat(header.Get("RateLimit-Limit"), 64)
		left, err2 := strconv.ParseFloat(header.Get("RateLimit-Remaining"), 64)
		if err == nil && err2 == nil && limit > 0 {
			// What is under way may not have been counted yet.
			p.limit, p.left, p.touched = limit, left-float64(p.inFlight), p.clock.Now()
		}
	}
	if next := p.front(); next != nil {
		next.rouse()
	}
}

// paced is a transport whose requests keep the pace. Each has its own time to
// be answered, which begins when it is sent.
type paced struct {
	base   http.RoundTripper
	pace   *pace
	within time.Duration
}

func (t paced) RoundTrip(req *http.Request) (*http.Response, error) {
	pass, _ := req.Context().Value(passKey{}).(*atomic.Bool)
	if pass == nil || pass.Swap(true) {
		if err := t.pace.admit(req.Context(), req.Method != http.MethodGet); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(req.Context(), t.within)
	resp, err := t.base.RoundTrip(req.WithContext(ctx))
	if err != nil {
		cancel()
		t.pace.answered(nil)
		return nil, err
	}
	t.pace.answered(resp.Header)
	resp.Body = &timedBody{resp.Body, cancel}
	return resp, nil
}

type passKey struct{}

// refund gives back a pass of ctx that was not used, because another branch
// was asking just that.
func (p *pace) refund(ctx context.Context) {
	pass, _ := ctx.Value(passKey{}).(*atomic.Bool)
	if pass == nil || pass.Swap(true) {
		return
	}
	p.mu.Lock()
	p.left++
	p.mu.Unlock()
	p.answered(nil)
}

// pass admits a read ahead of the request that it is for.
func (p *pace) pass(ctx context.Context) (context.Context, error) {
	if err := p.admit(ctx, false); err != nil {
		return ctx, err
	}
	return context.WithValue(ctx, passKey{}, new(atomic.Bool)), nil
}
