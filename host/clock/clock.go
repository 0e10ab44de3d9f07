// Package clock is the only place that reads the time or sleeps. A scaled
// clock shortens waits for a simulated provider and records what it cut, so
// that a drill at --speed 60 can report what the same run takes at speed 1.
// It must never shorten work that is really done, only waits.
package clock

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// Clock tells the time and waits.
type Clock interface {
	Now() time.Time
	// Sleep waits for d or until ctx is done; it returns ctx.Err() then.
	// Under a scaled clock it waits d/speed and adds the rest to the
	// context's meter.
	Sleep(ctx context.Context, d time.Duration) error
	// Speed is how many times faster than life waits go; 1 in real life.
	Speed() float64
}

// System is the real clock.
type System struct{}

func (System) Now() time.Time { return time.Now() }
func (System) Speed() float64 { return 1 }
func (System) Sleep(ctx context.Context, d time.Duration) error {
	return sleep(ctx, d)
}

// Scaled is the clock of a simulated world: waits are divided by Factor.
type Scaled struct{ Factor float64 }

func (Scaled) Now() time.Time   { return time.Now() }
func (c Scaled) Speed() float64 { return max(c.Factor, 1) }
func (c Scaled) Sleep(ctx context.Context, d time.Duration) error {
	short := time.Duration(float64(d) / c.Speed())
	start := time.Now()
	err := sleep(ctx, short)
	if err == nil {
		Cut(ctx, d-short)
	} else if waited := time.Since(start); short > 0 {
		Cut(ctx, time.Duration(float64(waited)*(c.Speed()-1)))
	}
	return err
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Meter adds up the time that a scaled clock cut off. A meter made inside
// another meter's context adds to that one too.
type Meter struct {
	total  atomic.Int64
	parent *Meter
}

// Total is what was cut so far.
func (m *Meter) Total() time.Duration { return time.Duration(m.total.Load()) }

type meterKey struct{}

// WithMeter returns a context whose cuts are counted.
func WithMeter(ctx context.Context) (context.Context, *Meter) {
	parent, _ := ctx.Value(meterKey{}).(*Meter)
	m := &Meter{parent: parent}
	return context.WithValue(ctx, meterKey{}, m), m
}

// Cut adds d to the meters of ctx; without one it does nothing.
func Cut(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	m, _ := ctx.Value(meterKey{}).(*Meter)
	for ; m != nil; m = m.parent {
		m.total.Add(int64(d))
	}
}

// ErrExpired is returned by Poll when its time ran out.
var ErrExpired = errors.New("time ran out")

// Poll calls try until it returns true, waiting every in between, for at most
// within (in the clock's own time: real time plus what was cut). The first try
// is immediate, the last one is made when the time is over. It returns ErrExpired when time ran out, ctx.Err() when ctx is
// done, and try's error as it is.
func Poll(ctx context.Context, c Clock, within, every time.Duration, try func(context.Context) (bool, error)) error {
	ctx, meter := WithMeter(ctx)
	start := c.Now()
	for {
		done, err := try(ctx)
		if err != nil || done {
			return err
		}
		left := within - c.Now().Sub(start) - meter.Total()
		if left <= 0 {
			return ErrExpired
		}
		if err := c.Sleep(ctx, min(every, left)); err != nil {
			return err
		}
	}
}

// Follow waits until done is closed, which others bring about, or until ctx is
// done; it returns ctx.Err() then. What is cut off under m meanwhile, the meter
// of those others, is cut off here too; with a nil m all of the time waited was
// a wait of the clock.
func Follow(ctx context.Context, c Clock, m *Meter, done <-chan struct{}) error {
	start, before := c.Now(), time.Duration(0)
	if m != nil {
		before = m.Total()
	}
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	// More than the clock's speed makes of the time waited was cut off before.
	cut := time.Duration(float64(c.Now().Sub(start)) * (c.Speed() - 1))
	if m != nil {
		cut = min(cut, m.Total()-before)
	}
	Cut(ctx, cut)
	return err
}
