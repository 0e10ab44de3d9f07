package hetzner

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/bindings/hetzner/hetznersim"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// whole is a project in which every mutation has something to act on.
func whole(t *testing.T) *bench {
	b := newBench(t)
	id := b.addHobby()
	b.sim.AddServer(hetznersim.ServerSpec{Name: "hobby-2"})
	b.sim.AddFloatingIP("free", "ipv4", "fsn1", 0, nil)
	b.sim.AddFloatingIP("used", "ipv4", "fsn1", id, nil)
	b.sim.AddVolume("loose", "fsn1", 10, 0, nil)
	b.sim.AddVolume("fixed", "fsn1", 10, id, nil)
	b.sim.AddLoadBalancer("web", "fsn1", nil, id)
	b.sim.AddServer(hetznersim.ServerSpec{Name: "bare", Off: true})
	b.sim.AddPrimaryIP("stable", "ipv4", "fsn1", nil)
	return b
}

type mutation struct {
	name string
	args table
	path string // what the decisive request's path ends in
	verb string
}

func mutations(b *bench) []mutation {
	snapshot := b.sim.AddImage(hetznersim.ImageSpec{Description: "old"})
	return []mutation{
		{"reboot", table{"server": "hobby-1"}, "/actions/reboot", "POST"},
		{"reboot", table{"server": "hobby-1", "mode": "hard"}, "/actions/reset", "POST"},
		{"reset", table{"server": "hobby-1"}, "/actions/reset", "POST"},
		{"power_cycle", table{"server": "hobby-1"}, "/actions/poweron", "POST"},
		{"rescue", table{"server": "hobby-1"}, "/actions/reset", "POST"},
		{"rebuild", table{"server": "hobby-2", "image": "debian-12"}, "/actions/rebuild", "POST"},
		{"snapshot", table{"server": "hobby-1", "description": "now"}, "/actions/create_image", "POST"},
		{"delete_image", table{"image": idText(snapshot)}, "/images/" + idText(snapshot), "DELETE"},
		{"assign_floating_ip", table{"ip": "free", "server": "hobby-2"}, "/actions/assign", "POST"},
		{"unassign_floating_ip", table{"ip": "used"}, "/actions/unassign", "POST"},
		{"unassign_primary_ip", table{"ip": b.sim.State().Servers["bare"].IPv4}, "/actions/unassign", "POST"},
		{"assign_primary_ip", table{"ip": "stable", "server": "bare"}, "/actions/assign", "POST"},
		{"attach_volume", table{"volume": "loose", "server": "hobby-1"}, "/actions/attach", "POST"},
		{"detach_volume", table{"volume": "fixed"}, "/actions/detach", "POST"},
		{"lb_add_target", table{"load_balancer": "web", "server": "hobby-2"}, "/actions/add_target", "POST"},
		{"lb_remove_target", table{"load_balancer": "web", "server": "hobby-1"}, "/actions/remove_target", "POST"},
		{"create_server", table{"name": "hobby-1-r", "like": "hobby-1"}, "/servers", "POST"},
		{"shutdown", table{"server": "hobby-1"}, "/actions/shutdown", "POST"},
		{"poweron", table{"server": "hobby-1"}, "/actions/poweron", "POST"},
		{"poweroff", table{"server": "hobby-1"}, "/actions/poweroff", "POST"},
		{"delete_server", table{"server": "hobby-1"}, "", "DELETE"},
	}
}

// TestFailingAfterHavingActed loses the answer of every mutation after the
// provider has carried it out, and asks what became of it: with the client
// that sent it, and with a fresh one as after a crash.
func TestFailingAfterHavingActed(t *testing.T) {
	for _, crash := range []bool{false, true} {
		b := whole(t)
		for i, m := range mutations(b) {
			key := "run-acted-" + idText(int64(i))
			since := b.env.Clock.Now()
			b.hook(nil, once(1, m.verb, m.path, hangUp))
			_, err := b.try(key, m.name, m.args)
			if err == nil || fault.As(err).Sent != fault.Unclear {
				t.Errorf("%s: %v, wanted an unclear fault", m.name, err)
				continue
			}
			sent := b.mutations()
			ctx := b.ctx(key)
			if crash {
				b.open()
				ctx = binding.WithSince(ctx, since)
			}
			b.hook(nil, nil)
			s := b.settle(ctx, m.name, m.args)
			if s.Landed != binding.Yes {
				t.Errorf("%s (crash %v): landed %v, %s", m.name, crash, s.Landed, s.Look)
			}
			if b.mutations() != sent {
				t.Errorf("%s: finding out changed something", m.name)
			}
		}
	}
}

// TestNeverReceived loses every mutation before the provider has seen it.
func TestNeverReceived(t *testing.T) {
	b := whole(t)
	for i, m := range mutations(b) {
		key := "run-lost-" + idText(int64(i))
		switch m.name {
		case "poweron": // there has to be something to do
			b.call("poweroff", table{"server": "hobby-1"})
		case "poweroff", "shutdown": // a power cycle that was lost has left it off
			b.call("poweron", table{"server": "hobby-1"})
		case "assign_primary_ip":
			b.call("unassign_primary_ip", table{"ip": b.sim.State().Servers["bare"].IPv4})
		}
		b.hook(once(1, m.verb, m.path, hangUp), nil)
		_, err := b.try(key, m.name, m.args)
		if err == nil || fault.As(err).Sent != fault.Unclear {
			t.Errorf("%s: %v, wanted an unclear fault", m.name, err)
			continue
		}
		b.hook(nil, nil)
		if s := b.settle(b.ctx(key), m.name, m.args); s.Landed != binding.No {
			t.Errorf("%s: landed %v %v, %s", m.name, s.Landed, s.Result, s.Look)
		}
	}
}

func TestAnOlderRebootIsNotTakenForThisOne(t *testing.T) {
	b := whole(t)
	args := table{"server": "hobby-1"}
	b.call("reboot", args)
	b.hook(once(1, "POST", "/actions/reboot", hangUp), nil)
	if _, err := b.try("run-second", "reboot", args); err == nil {
		t.Fatal("the lost request succeeded")
	}
	if s := b.settle(b.ctx("run-second"), "reboot", args); s.Landed != binding.No {
		t.Errorf("landed %v", s.Landed)
	}
	// After a crash the time of the intent tells them apart.
	b.open()
	ctx := binding.WithSince(b.ctx("run-second"), b.env.Clock.Now().Add(10*time.Second))
	if s := b.settle(ctx, "reboot", args); s.Landed != binding.No {
		t.Errorf("after a crash: landed %v", s.Landed)
	}
	// And without it a person has to look.
	s := b.settle(b.ctx("run-second"), "reboot", args)
	if s.Landed != binding.Unknown {
		t.Errorf("without a time: landed %v", s.Landed)
	}
	contains(t, s.Look, "reboot_server", "hobby-1", "console")
}

func TestSettledWithoutAKey(t *testing.T) {
	b := whole(t)
	for _, name := range []string{"create_server", "snapshot"} {
		args := table{"name": "x", "like": "hobby-1"}
		if name == "snapshot" {
			args = table{"server": "hobby-1", "description": "x"}
		}
		if s := b.settle(context.Background(), name, args); s.Landed != binding.Unknown || s.Look == "" {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func TestSettledReportsWhatFailedAfterwards(t *testing.T) {
	b := whole(t)
	b.sim.FailNext("reset_server", 1)
	b.hook(nil, once(1, "POST", "/actions/reset", hangUp))
	args := table{"server": "hobby-1", "mode": "hard"}
	if _, err := b.try("run-bad", "reboot", args); err == nil {
		t.Fatal("the lost request succeeded")
	}
	f, decoded := b.function("reboot", args)
	s, err := f.Settle(b.ctx("run-bad"), b.client, decoded)
	if fault.KindOf(err) != fault.Failed || fault.As(err).Sent != fault.Done || s.Landed != binding.Unknown {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestSettledThroughATroubledAPI(t *testing.T) {
	b := whole(t)
	b.hook(once(-1, "GET", "/servers", refuse(503, "service_error")), nil)
	f, args := b.function("create_server", table{"name": "hobby-1-r", "like": "hobby-1"})
	_, err := f.Settle(b.ctx("run-trouble"), b.client, args)
	if !fault.As(err).Transient || fault.KindOf(err) != fault.Unavailable {
		t.Errorf("%v", err)
	}
}

func TestLockedThenFree(t *testing.T) {
	b := whole(t)
	b.hook(once(2, "POST", "/actions/reset", refuse(423, "locked")), nil)
	args := table{"server": "hobby-1", "mode": "hard"}
	for range 2 {
		f := b.fails(fault.Conflict, "reboot", args)
		wantSent(t, f, fault.NotDone, true)
	}
	b.call("reboot", args) // the gate's next attempt
	if b.metal.cuts != 1 {
		t.Errorf("the power was cut %d times", b.metal.cuts)
	}
}

func TestClocksThatDiffer(t *testing.T) {
	b := whole(t)
	args := table{"server": "hobby-1"}
	// Hetzner's clock is an hour behind ours, says the header.
	b.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/actions") {
			w.Header().Set("Date", b.env.Clock.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
		}
		return false
	}
	b.call("reboot", args)
	b.open()
	ctx := binding.WithSince(b.ctx("run-skew"), b.env.Clock.Now().Add(50*time.Minute))
	if s := b.settle(ctx, "reboot", args); s.Landed != binding.Yes {
		t.Errorf("landed %v", s.Landed)
	}
}

// A token that is revoked while the call waits says nothing about the mutation,
// which Hetzner has accepted before.
func TestRevokedWhileWaiting(t *testing.T) {
	b := whole(t)
	for _, m := range mutations(b) {
		if m.name == "delete_image" || m.name == "rescue" {
			continue // the one has nothing to wait for, the other waits before its last request too
		}
		if m.name == "poweron" {
			b.call("poweroff", table{"server": "hobby-1"})
		}
		accepted := once(1, m.verb, m.path, func(http.ResponseWriter) { b.sim.RevokeToken() })
		b.hook(nil, func(w http.ResponseWriter, r *http.Request) bool { accepted(w, r); return false })
		_, err := b.try("run-revoked-"+strings.ReplaceAll(m.name, "_", "-"), m.name, m.args)
		if f := fault.As(err); err == nil || f.Kind != fault.Denied || f.Sent != fault.Unclear {
			t.Errorf("%s: %v, wanted one that is denied and unclear", m.name, err)
		}
		b.hook(nil, nil)
		b.sim.SetToken(token)
		b.idle()
	}
}

func TestRescueThatIsArmedAlready(t *testing.T) {
	b := whole(t)
	b.hook(once(1, "POST", "/actions/reset", hangUp), nil)
	args := table{"server": "hobby-1"}
	if _, err := b.try("run-rescue", "rescue", args); err == nil || !b.sim.State().Servers["hobby-1"].Rescue {
		t.Fatalf("%v: the rescue system should be armed and the reset lost", err)
	}
	if s := b.settle(b.ctx("run-rescue"), "rescue", args); s.Landed != binding.No {
		t.Errorf("landed %v", s.Landed)
	}
	b.call("rescue", args)
	if b.count("POST", "/actions/disable_rescue") != 1 || b.count("POST", "/actions/enable_rescue") != 2 {
		t.Error("an armed rescue system has to be armed anew, with the right keys")
	}
}

// TestEveryMutationIsTried: a function that changes something and is in no
// test above would have its Settled taken on trust.
func TestEveryMutationIsTried(t *testing.T) {
	tried := map[string]bool{}
	for _, m := range mutations(whole(t)) {
		tried[m.name] = true
	}
	for _, f := range Module().Functions {
		if spec := f.Spec(); spec.Effect != binding.Reads && !tried[spec.Name] {
			t.Errorf("nobody has tried what becomes of %s when its answer is lost", spec.Name)
		}
	}
}
