package hetznersim_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"
	"github.com/webhost-systems/drhost/bindings/hetzner/hetznersim"
	"github.com/webhost-systems/drhost/host/clock"
)

// TestManyAtOnce lets clients race for names, locks and addresses.
func TestManyAtOnce(t *testing.T) {
	l := newLab(t, hetznersim.Options{Speed: 20000})
	var group sync.WaitGroup
	errs := make(chan error, 40)
	for i := range 20 {
		group.Go(func() {
			made, _, err := l.client.Server.Create(l.ctx, plain(fmt.Sprintf("new-%d", i/2))) // each name twice
			if err != nil {
				errs <- err
				return
			}
			errs <- l.client.Action.WaitFor(l.ctx, append(made.NextActions, made.Action)...)
		})
	}
	group.Wait()
	close(errs)
	refused := 0
	for err := range errs {
		if hcloud.IsError(err, hcloud.ErrorCodeUniquenessError) {
			refused++
		} else if err != nil {
			t.Error(err)
		}
	}
	st := l.sim.State()
	seen := map[string]string{}
	for name, v := range st.Servers {
		if other, twice := seen[v.IPv4]; twice || v.Status != "running" || v.Locked || l.rack.routed(v.IPv4) != v.ID {
			t.Errorf("%s: %+v, address also of %s", name, v, other)
		}
		seen[v.IPv4] = name
	}
	if refused != 10 || len(st.Servers) != 10 || len(st.Running) != 0 {
		t.Fatalf("%d refused, %d servers, running %v", refused, len(st.Servers), st.Running)
	}
}

// TestSpeedIsThatOfTheClock: a scaled clock and a speed must not multiply.
func TestSpeedIsThatOfTheClock(t *testing.T) {
	for _, o := range []hetznersim.Options{{Clock: clock.Scaled{Factor: 100}, Speed: 100}, {Clock: clock.Scaled{Factor: 100}, Speed: -1}, {Speed: 100}} {
		l := newLab(t, o)
		id, _ := l.seed(hetznersim.ServerSpec{Name: "hobby-1"})
		began := time.Now()
		l.done(l.client.Server.Poweroff(l.ctx, &hcloud.Server{ID: id}))
		if took := time.Since(began); took < 40*time.Millisecond || took > 2*time.Second {
			t.Errorf("%+v: power off took %s instead of 40ms", o, took)
		}
	}
}

func TestCloseEndsActions(t *testing.T) {
	l := newLab(t, hetznersim.Options{Speed: 1})
	id, _ := l.seed(hetznersim.ServerSpec{Name: "hobby-1"})
	made := ok[hcloud.ServerCreateResult](t)(l.client.Server.Create(l.ctx, plain("new-1")))
	closed := make(chan struct{})
	go func() { l.sim.Close(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(5 * time.Second):
		t.Fatal("does not close")
	}
	var e hcloud.ActionError
	if err := l.client.Action.WaitFor(l.ctx, made.Action); !errors.As(err, &e) {
		t.Fatal(err)
	}
	a := ok[*hcloud.Action](t)(l.client.Server.Reset(l.ctx, &hcloud.Server{ID: id}))
	if err := l.client.Action.WaitFor(l.ctx, a); !errors.As(err, &e) {
		t.Fatal(err)
	}
}

// TestAddressesRunOut uses up all documentation networks and then what was
// given back.
func TestAddressesRunOut(t *testing.T) {
	l := newLab(t, hetznersim.Options{})
	for i := range 245 * 3 {
		_, ip := l.sim.AddFloatingIP(fmt.Sprintf("f-%d", i), "ipv4", "fsn1", 0, nil)
		if want := [3]string{"203.0.113.10", "198.51.100.10", "192.0.2.10"}[i/245]; i%245 == 0 && ip != want {
			t.Fatalf("%d: %s instead of %s", i, ip, want)
		}
	}
	more := hcloud.FloatingIPCreateOpts{Type: "ipv4", HomeLocation: fsn1(), Name: hcloud.Ptr("more")}
	_, _, err := l.client.FloatingIP.Create(l.ctx, more)
	l.refusal(err, 403, hcloud.ErrorCodeResourceLimitExceeded)
	first := ok[*hcloud.FloatingIP](t)(l.client.FloatingIP.GetByName(l.ctx, "f-0"))
	if _, err := l.client.FloatingIP.Delete(l.ctx, first); err != nil {
		t.Fatal(err)
	}
	again := ok[hcloud.FloatingIPCreateResult](t)(l.client.FloatingIP.Create(l.ctx, more))
	if !again.FloatingIP.IP.Equal(first.IP) {
		t.Fatal(again.FloatingIP.IP)
	}
}
