package catalogue

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/store"
	"github.com/webhost-systems/drhost/bindings/backup/store/localstore"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
)

func local(t *testing.T) store.Store {
	t.Helper()
	s, err := localstore.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func of(s store.Store, owner string) *Catalogue {
	return &Catalogue{Store: s, Clock: clock.System{}, Owner: owner}
}

// skewed is a place whose clock can be moved: what was written before looks
// older then, as after a wait, and all of it looks written in another year.
type skewed struct {
	store.Store
	off  *atomic.Int64 // seconds that the place's clock is off for everything
	late *atomic.Int64 // seconds by which what was written before now is older
	mu   *sync.Mutex
	old  map[string]bool
}

func age(t *testing.T, s store.Store) *skewed {
	t.Helper()
	return &skewed{s, new(atomic.Int64), new(atomic.Int64), new(sync.Mutex), map[string]bool{}}
}

// wait lets time go by for everything that is there.
func (s *skewed) wait(t *testing.T, d time.Duration) {
	t.Helper()
	found, err := s.Store.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range found {
		s.old[i.Name] = true
	}
	s.late.Store(int64(d))
}

func (s *skewed) Stat(ctx context.Context, name string) (store.Info, error) {
	info, err := s.Store.Stat(ctx, name)
	info.Modified = info.Modified.Add(time.Duration(s.off.Load()))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.old[name] {
		info.Modified = info.Modified.Add(-time.Duration(s.late.Load()))
	}
	return info, err
}

func TestALockHasOneHolder(t *testing.T) {
	s := local(t)
	var inside, most, done atomic.Int32
	var wait sync.WaitGroup
	for range 6 {
		wait.Go(func() {
			c := of(s, "worker")
			c.Term = 40 * time.Millisecond // waits poll four times as often
			for range 3 {
				lock, _, err := c.Lock(t.Context(), "shop", "a backup", time.Minute)
				if err != nil {
					t.Error(err)
					return
				}
				if n := inside.Add(1); n > most.Load() {
					most.Store(n)
				}
				done.Add(1)
				inside.Add(-1)
				if err := lock.Release(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if most.Load() != 1 || done.Load() != 18 {
		t.Fatalf("%d at once, %d done", most.Load(), done.Load())
	}
	if left, err := s.List(t.Context(), "locks/"); err != nil || len(left) != 1 {
		t.Fatal("one object tells the highest number:", left, err)
	}
}

// TestAResumedCallTakesItsOwnLockOver: at once, and nobody else's.
func TestAResumedCallTakesItsOwnLockOver(t *testing.T) {
	s := local(t)
	call := binding.WithKey(t.Context(), "run-1-aaaa")
	died, _, err := of(s, "ada@here").Lock(call, "shop", "backup of shop", 0)
	if err != nil {
		t.Fatal(err)
	}
	died.halt() // as kill -9 does: it is not given back
	for _, other := range []context.Context{t.Context(), binding.WithKey(t.Context(), "run-1-bbbb")} {
		if _, _, err := of(s, "ada@here").Lock(other, "shop", "prune", 0); fault.KindOf(err) != fault.Conflict {
			t.Errorf("another call: %v", err)
		}
	}
	again, _, err := of(s, "ada@here").Lock(call, "shop", "backup of shop", 0)
	if err != nil {
		t.Fatal(err)
	}
	if again.TookOver == nil || again.TookOver.Nonce != died.Nonce {
		t.Errorf("it took over from %v", again.TookOver)
	}
	if err := died.confirm(t.Context()); fault.KindOf(err) != fault.Conflict {
		t.Errorf("the one before still holds it: %v", err)
	}
	if err := again.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestASecondOneIsToldWho(t *testing.T) {
	s := local(t)
	lock, _, err := of(s, "ada@here").Lock(t.Context(), "shop", "backup of shop", 0)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = of(s, "bob@there").Lock(t.Context(), "shop", "prune", 0)
	f := fault.As(err)
	if f.Kind != fault.Conflict || f.Sent != fault.NotDone || !f.Transient || !strings.Contains(f.Message, "ada@here (backup of shop, since 2") {
		t.Fatalf("%+v", f)
	}
	if _, _, err := of(s, "bob@there").Lock(t.Context(), "other", "prune", 0); err != nil {
		t.Fatal("another subject is free:", err)
	}
	if err := lock.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	again, _, err := of(s, "bob@there").Lock(t.Context(), "shop", "prune", 0)
	if err != nil || again.TookOver != nil {
		t.Fatal(again, err)
	}
}

// TestADeadHolderIsPassedOver, whatever this machine's clock says about the
// repository's, and one that lives is not.
func TestADeadHolderIsPassedOver(t *testing.T) {
	for _, off := range []time.Duration{0, 30 * 24 * time.Hour, -30 * 24 * time.Hour} {
		s := age(t, local(t))
		s.off.Store(int64(off))
		dead, _, err := of(s, "ada@here").Lock(t.Context(), "shop", "backup of shop", 0)
		if err != nil {
			t.Fatal(err)
		}
		dead.halt() // as kill -9 does
		s.wait(t, DefaultTerm-time.Second)
		if _, _, err := of(s, "bob").Lock(t.Context(), "shop", "prune", 0); fault.KindOf(err) != fault.Conflict {
			t.Fatal("it is within its term:", err)
		}
		s.wait(t, DefaultTerm+5*time.Second)
		var said []string
		ctx := binding.WithProgress(t.Context(), func(text string) { said = append(said, text) })
		lock, _, err := of(s, "bob@there").Lock(ctx, "shop", "prune", 0)
		if err != nil || lock.TookOver == nil || lock.TookOver.Owner != "ada@here" || len(said) != 1 || !strings.Contains(said[0], "ada@here") {
			t.Fatal(lock, said, err)
		}
		if err := dead.Held(t.Context()); fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), "bob@there") {
			t.Fatal("the former holder, back from a long sleep, has to know:", err)
		}
		if err := lock.Held(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTwoFindADeadHolder: one of them takes over.
func TestTwoFindADeadHolder(t *testing.T) {
	for range 10 {
		s := age(t, local(t))
		dead, _, err := of(s, "ada").Lock(t.Context(), "shop", "a backup", 0)
		if err != nil {
			t.Fatal(err)
		}
		dead.halt()
		s.wait(t, time.Hour)
		var won atomic.Int32
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() {
				lock, _, err := of(s, "heir").Lock(t.Context(), "shop", "a backup", 0)
				if err == nil && lock.Held(t.Context()) == nil {
					won.Add(1)
				} else if err != nil && fault.KindOf(err) != fault.Conflict {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d took over", won.Load())
		}
	}
}

// slow is a place where something happens just before a Create.
type slow struct {
	store.Store
	before func()
}

func (s *slow) Create(ctx context.Context, name string, content io.Reader) error {
	if do := s.before; do != nil {
		s.before = nil
		do()
	}
	return s.Store.Create(ctx, name, content)
}

// TestWhoSawAnOldLock and is held up before he takes over: meanwhile others have
// taken the lock, given it back and taken it again.
func TestWhoSawAnOldLock(t *testing.T) {
	place := local(t)
	first, _, err := of(place, "first").Lock(t.Context(), "shop", "a backup", 0)
	if err == nil {
		err = first.Release(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	var holder *Lock
	s := &slow{Store: place, before: func() {
		second, _, err := of(place, "second").Lock(t.Context(), "shop", "a backup", 0)
		if err == nil {
			err = second.Release(t.Context())
		}
		if err == nil {
			holder, _, err = of(place, "third").Lock(t.Context(), "shop", "a backup", 0)
		}
		if err != nil {
			t.Error(err)
		}
	}}
	if lock, _, err := of(s, "late").Lock(t.Context(), "shop", "prune", 0); fault.KindOf(err) != fault.Conflict {
		t.Fatal("two hold it:", lock, err)
	}
	if err := holder.Held(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// deaf is a place that stops to answer writes.
type deaf struct {
	store.Store
	now atomic.Bool
}

func (d *deaf) Put(ctx context.Context, name string, content io.Reader) error {
	if d.now.Load() {
		return fault.New(fault.Unavailable, "the place is gone")
	}
	return d.Store.Put(ctx, name, content)
}

// TestALockThatCannotBeKept ends the work that relies on it.
func TestALockThatCannotBeKept(t *testing.T) {
	s := &deaf{Store: local(t)}
	c := of(s, "ada")
	c.Term = 40 * time.Millisecond
	lock, held, err := c.Lock(t.Context(), "shop", "a backup", 0)
	if err != nil {
		t.Fatal(err)
	}
	s.now.Store(true)
	select {
	case <-held.Done():
	case <-t.Context().Done():
	}
	if err := context.Cause(held); fault.KindOf(err) != fault.Unavailable || lock.Held(t.Context()) == nil {
		t.Fatal(err)
	}
	if err := lock.Release(t.Context()); err == nil || errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}
