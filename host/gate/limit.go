package gate

import (
	"context"
	"sync"
	"time"
)

// limited is a context that ends at a time far away. Most calls are over
// before they ask for it, so the timer is made by whoever asks first.
type limited struct {
	parent context.Context
	until  time.Time

	mu     sync.Mutex
	timed  context.Context // nil until somebody asks
	cancel context.CancelFunc
	over   bool
}

// limit returns ctx with until as its deadline. The caller calls stop when the
// call is over; nothing under the context goes on after that.
func limit(ctx context.Context, until time.Time) *limited {
	return &limited{parent: ctx, until: until}
}

func (l *limited) ask() context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timed == nil {
		l.timed, l.cancel = context.WithDeadline(l.parent, l.until)
		if l.over {
			l.cancel()
		}
	}
	return l.timed
}

func (l *limited) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	if l.cancel != nil {
		l.cancel()
	}
}

func (l *limited) Done() <-chan struct{} { return l.ask().Done() }
func (l *limited) Err() error            { return l.ask().Err() }

func (l *limited) Deadline() (time.Time, bool) {
	if sooner, ok := l.parent.Deadline(); ok && sooner.Before(l.until) {
		return sooner, true
	}
	return l.until, true
}

// Value looks in the timed context, because package context finds there what
// ties the contexts made of this one to its end.
func (l *limited) Value(key any) any {
	l.mu.Lock()
	from := l.timed
	l.mu.Unlock()
	if from == nil {
		from = l.parent
	}
	return from.Value(key)
}
