package hetzner

import (
	"context"
	"sync"
	"time"

	"github.com/webhost-systems/drhost/host/clock"
)

// batch lets branches that ask for the same kind of thing at the same time
// share requests. Whoever asks joins the next round; a round leaves when the
// one before it is back, so that each answer was given after it was asked for.
// One who asks alone is served as if there were no batch.
type batch[K comparable, V any] struct {
	clock clock.Clock
	every time.Duration // at least that long from the end of a round to the start of the next
	ready func(context.Context) (context.Context, error)
	ask   func(ctx context.Context, keys []K) (V, error)

	mu     sync.Mutex
	next   *round[K, V] // takes who asks
	flying *round[K, V] // under way
	landed time.Time    // when the last one came back
}

// round is what one branch, its leader, asks for all of its members.
type round[K comparable, V any] struct {
	keys  []K
	meter *clock.Meter // the leader's
	done  chan struct{}
	// what came of it, once done is closed
	seen      V
	err       error
	abandoned bool // its leader was told to stop: it has no answer
}

// get asks for keys and returns what the round they were in has seen. A round
// whose leader is cancelled is asked again by another member.
func (b *batch[K, V]) get(ctx context.Context, keys ...K) (V, error) {
	for {
		b.mu.Lock()
		r, leads := b.next, b.next == nil
		leading := ctx
		if leads {
			r = &round[K, V]{done: make(chan struct{})}
			leading, r.meter = clock.WithMeter(ctx)
			b.next = r
		}
		r.keys = append(r.keys, keys...)
		b.mu.Unlock()
		if leads {
			b.lead(leading, r)
		} else if err := clock.Follow(ctx, b.clock, r.meter, r.done); err != nil {
			var none V
			return none, err
		}
		if !r.abandoned || leads {
			return r.seen, r.err
		}
	}
}

// lead carries a round out.
func (b *batch[K, V]) lead(ctx context.Context, r *round[K, V]) {
	defer close(r.done)
	ctx, r.err = b.board(ctx, r)
	if r.err == nil {
		r.seen, r.err = b.ask(ctx, r.keys)
	}
	r.abandoned = r.err != nil && ctx.Err() != nil
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == r {
		b.next = nil
	}
	if b.flying == r {
		b.flying, b.landed = nil, b.clock.Now()
	}
}

// board waits until a round may leave and closes it to further members.
func (b *batch[K, V]) board(ctx context.Context, r *round[K, V]) (context.Context, error) {
	b.mu.Lock()
	before := b.flying
	b.mu.Unlock()
	if before != nil {
		if err := clock.Follow(ctx, b.clock, before.meter, before.done); err != nil {
			return ctx, err
		}
	}
	b.mu.Lock()
	landed := b.landed
	b.mu.Unlock()
	if b.every > 0 && !landed.IsZero() {
		since := time.Duration(float64(b.clock.Now().Sub(landed)) * b.clock.Speed())
		if err := b.clock.Sleep(ctx, b.every-since); err != nil {
			return ctx, err
		}
	}
	if b.ready != nil {
		admitted, err := b.ready(ctx)
		if err != nil {
			return ctx, err
		}
		ctx = admitted
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next, b.flying = nil, r
	return ctx, nil
}
