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
	// are scarce, about a minute's worth: reads can be shared by many branches,
	// the more the longer they wait; mutations cannot.
	readEvery = 60
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
	sent     int64       // how many were admitted so far
	newest   int64       // of those, the last one whose answer was taken in
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

// admit returns when a request may be sent, and its number. Each one that was
// admitted has to be reported with answered.
func (p *pace) admit(ctx context.Context, mutation bool) (int64, error) {
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
				p.sent++
				number := p.sent
				p.mu.Unlock()
				return number, nil
			}
		}
		p.mu.Unlock()
		if err := mine.rest(ctx, p.clock, wait); err != nil {
			p.mu.Lock()
			p.leave(kind, mine)
			p.mu.Unlock()
			return 0, err
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
	p.refill()
	if p.left >= 1 {
		return 0
	}
	return max(time.Millisecond, time.Duration((1-p.left)*float64(refilled)/p.limit))
}

// refill adds what has flowed back. The caller holds the lock.
func (p *pace) refill() {
	now := p.clock.Now()
	p.left = min(p.limit, p.left+now.Sub(p.touched).Seconds()*p.clock.Speed()*p.limit/refilled.Seconds())
	p.touched = now
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

// answered takes in what the answer to a request says about the budget; header
// is nil when there was none.
func (p *pace) answered(number int64, header http.Header) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inFlight--
	if header != nil {
		p.known = true
		limit, err := strconv.ParseFloat(header.Get("RateLimit-Limit"), 64)
		left, err2 := strconv.ParseFloat(header.Get("RateLimit-Remaining"), 64)
		if err == nil && err2 == nil && limit > 0 {
			p.learn(number, limit, left)
		}
	}
	if next := p.front(); next != nil {
		next.rouse()
	}
}

// learn takes in what is left, in whole requests. The caller holds the lock.
func (p *pace) learn(number int64, limit, left float64) {
	p.refill()
	left -= float64(p.inFlight) // which may not have been counted yet
	late := number < p.newest   // a later request has told already
	switch {
	case p.limit != limit, left > p.left && !late:
		p.left = left
	case left+1 <= p.left: // else the fraction that the answer leaves out
		p.left = left
	}
	p.limit, p.newest = limit, max(p.newest, number)
}

// paced is a transport whose requests keep the pace. Each has its own time to
// be answered, which begins when it is sent.
type paced struct {
	base   http.RoundTripper
	pace   *pace
	within time.Duration
}

func (t paced) RoundTrip(req *http.Request) (*http.Response, error) {
	number, held := takePass(req.Context())
	if !held {
		var err error
		if number, err = t.pace.admit(req.Context(), req.Method != http.MethodGet); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(req.Context(), t.within)
	resp, err := t.base.RoundTrip(req.WithContext(ctx))
	if err != nil {
		cancel()
		t.pace.answered(number, nil)
		return nil, err
	}
	t.pace.answered(number, resp.Header)
	resp.Body = &timedBody{resp.Body, cancel}
	return resp, nil
}

type passKey struct{}

// pass is the admission of one request, to be used once.
type pass struct {
	number int64
	used   atomic.Bool
}

// pass admits a read ahead of the request that it is for.
func (p *pace) pass(ctx context.Context) (context.Context, error) {
	number, err := p.admit(ctx, false)
	if err != nil {
		return ctx, err
	}
	return context.WithValue(ctx, passKey{}, &pass{number: number}), nil
}

// takePass uses the pass of ctx up, if there is one left.
func takePass(ctx context.Context) (number int64, held bool) {
	one, _ := ctx.Value(passKey{}).(*pass)
	if one == nil || one.used.Swap(true) {
		return 0, false
	}
	return one.number, true
}

// refund gives back a pass of ctx that was not used, because another branch
// was asking just that.
func (p *pace) refund(ctx context.Context) {
	number, held := takePass(ctx)
	if !held {
		return
	}
	p.mu.Lock()
	p.left++
	p.mu.Unlock()
	p.answered(number, nil)
}
