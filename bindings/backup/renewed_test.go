package backup

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/webhost-systems/drhost/bindings/backup/store"
	"github.com/webhost-systems/drhost/bindings/backup/store/localstore"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
)

// dropping is a repository whose connections are lost, and one that counts how
// often it is opened.
type dropping struct {
	store.Store
	opened, closed int
	lost           bool
}

func (d *dropping) open(context.Context, *Client) (store.Store, error) {
	d.opened++
	return d, nil
}

func (d *dropping) Stat(ctx context.Context, name string) (store.Info, error) {
	if d.lost {
		return store.Info{}, fault.New(fault.Unavailable, "the connection was lost")
	}
	return d.Store.Stat(ctx, name)
}

func (d *dropping) Close() error {
	d.closed++
	return nil
}

func TestALostConnectionIsOpenedAnew(t *testing.T) {
	t.Parallel()
	local, err := localstore.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d := &dropping{Store: local}
	r := &renewed{client: &Client{env: binding.Env{Clock: clock.System{}}}, place: d}
	if err := r.Put(t.Context(), "a", strings.NewReader("x")); err != nil || d.opened != 1 {
		t.Fatal(err, d.opened)
	}
	if _, err := r.Stat(t.Context(), "no"); !errors.Is(err, store.ErrNotFound) || d.closed != 0 {
		t.Fatal(err, "a plain no is no lost connection")
	}
	d.lost = true
	if _, err := r.Stat(t.Context(), "a"); fault.KindOf(err) != fault.Unavailable || d.opened != 1 || d.closed != 1 {
		t.Fatal(err, d.opened, d.closed, "nothing is repeated, and the connection is given up")
	}
	d.lost = false
	if _, err := r.Stat(t.Context(), "a"); err != nil || d.opened != 2 {
		t.Fatal(err, d.opened)
	}
	if err := r.Close(); err != nil || d.closed != 2 {
		t.Fatal(err, d.closed)
	}
}
