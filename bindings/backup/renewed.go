package backup

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/store"
	"github.com/webhost-systems/drhost/host/fault"
)

// renewed is a repository for what runs for months: it is opened when it is
// first used, and anew after its connection was lost. It repeats nothing.
type renewed struct {
	client *Client
	place  location

	mu   sync.Mutex
	open store.Store
}

var _ store.Store = (*renewed)(nil)

func (r *renewed) now(ctx context.Context) (store.Store, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open != nil {
		return r.open, nil
	}
	s, err := r.client.reach(ctx, r.place, true)
	r.open = s
	if err != nil {
		r.open = nil
	}
	return r.open, err
}

// judge gives up a connection that no longer serves. A store that merely says
// no is kept.
func (r *renewed) judge(used store.Store, err error) error {
	var f *fault.Fault
	if err == nil || !errors.As(err, &f) || f.Kind != fault.Unavailable && f.Kind != fault.Timeout && f.Kind != fault.Failed {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == used {
		_ = used.Close() // it is lost already
		r.open = nil
	}
	return err
}

func (r *renewed) with(ctx context.Context, do func(store.Store) error) error {
	s, err := r.now(ctx)
	if err != nil {
		return err
	}
	return r.judge(s, do(s))
}

func (r *renewed) Put(ctx context.Context, name string, content io.Reader) error {
	return r.with(ctx, func(s store.Store) error { return s.Put(ctx, name, content) })
}

func (r *renewed) Create(ctx context.Context, name string, content io.Reader) error {
	return r.with(ctx, func(s store.Store) error { return s.Create(ctx, name, content) })
}

func (r *renewed) Open(ctx context.Context, name string, offset int64) (in io.ReadCloser, err error) {
	err = r.with(ctx, func(s store.Store) error {
		in, err = s.Open(ctx, name, offset)
		return err
	})
	return in, err
}

func (r *renewed) Stat(ctx context.Context, name string) (i store.Info, err error) {
	err = r.with(ctx, func(s store.Store) error {
		i, err = s.Stat(ctx, name)
		return err
	})
	return i, err
}

func (r *renewed) List(ctx context.Context, prefix string) (found []store.Info, err error) {
	err = r.with(ctx, func(s store.Store) error {
		found, err = s.List(ctx, prefix)
		return err
	})
	return found, err
}

func (r *renewed) Folders(ctx context.Context, prefix string) (found []string, err error) {
	err = r.with(ctx, func(s store.Store) error {
		found, err = s.Folders(ctx, prefix)
		return err
	})
	return found, err
}

func (r *renewed) Delete(ctx context.Context, name string) error {
	return r.with(ctx, func(s store.Store) error { return s.Delete(ctx, name) })
}

func (r *renewed) Sweep(ctx context.Context, idle time.Duration) (n int, err error) {
	err = r.with(ctx, func(s store.Store) error {
		n, err = s.Sweep(ctx, idle)
		return err
	})
	return n, err
}

func (r *renewed) Place() string { return r.client.set.Repository }

func (r *renewed) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == nil {
		return nil
	}
	s := r.open
	r.open = nil
	return s.Close()
}
