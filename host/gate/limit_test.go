package gate

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/host/clock"
)

type nameKey struct{}

func TestLimitEndsACall(t *testing.T) {
	now := clock.System{}.Now()
	l := limit(context.WithValue(context.Background(), nameKey{}, "x"), now.Add(20*time.Millisecond))
	defer l.stop()
	if at, ok := l.Deadline(); !ok || !at.Equal(now.Add(20*time.Millisecond)) {
		t.Errorf("deadline %v %v", at, ok)
	}
	inner, cancel := context.WithCancel(l)
	defer cancel()
	if inner.Value(nameKey{}) != "x" || l.Value(nameKey{}) != "x" {
		t.Error("a value is lost")
	}
	if l.Err() != nil {
		t.Errorf("over at once: %v", l.Err())
	}
	<-inner.Done()
	if !errors.Is(inner.Err(), context.DeadlineExceeded) || !errors.Is(l.Err(), context.DeadlineExceeded) {
		t.Errorf("%v, %v", inner.Err(), l.Err())
	}
}

func TestLimitHeedsItsParent(t *testing.T) {
	stop := &Stop{Why: Cancelled, Text: "a branch failed"}
	parent, cancel := context.WithCancelCause(context.Background())
	l := limit(parent, clock.System{}.Now().Add(time.Hour))
	defer l.stop()
	inner, cancelInner := context.WithTimeout(l, 2*time.Hour)
	defer cancelInner()
	cancel(stop)
	<-inner.Done()
	if !errors.Is(l.Err(), context.Canceled) || context.Cause(inner) != error(stop) || context.Cause(l) != error(stop) {
		t.Errorf("%v, causes %v and %v", l.Err(), context.Cause(inner), context.Cause(l))
	}

	sooner, done := context.WithTimeout(context.Background(), time.Minute)
	defer done()
	want, _ := sooner.Deadline()
	if at, _ := limit(sooner, want.Add(time.Hour)).Deadline(); !at.Equal(want) {
		t.Errorf("the parent's deadline %v became %v", want, at)
	}
}

// TestLimitStopsWhatIsLeft: a goroutine that a call left behind ends with it,
// also one that asks only afterwards.
func TestLimitStopsWhatIsLeft(t *testing.T) {
	for _, asked := range []bool{true, false} {
		l := limit(context.Background(), clock.System{}.Now().Add(time.Hour))
		if asked {
			l.Done()
		}
		l.stop()
		<-l.Done()
		if !errors.Is(l.Err(), context.Canceled) {
			t.Errorf("asked %v: %v", asked, l.Err())
		}
	}
}
