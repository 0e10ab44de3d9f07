package hetzner

import (
	"fmt"
	"testing"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"

	"github.com/webhost-systems/drhost/bindings/hetzner/hetznersim"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

func TestDeclarationsAreWhole(t *testing.T) {
	catalog, err := binding.NewCatalog(Module())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range catalog.Module("hetzner").Functions {
		s := f.Spec()
		if len(s.Raises) == 0 {
			t.Errorf("%s does not say what it raises", s.Full())
		}
		if s.Effect != binding.Reads && s.Target == "" {
			t.Errorf("%s does not say what it acts on", s.Full())
		}
		for _, field := range s.Args.Fields {
			if field.Doc == "" {
				t.Errorf("%s: argument %s is not documented", s.Full(), field.Name)
			}
		}
	}
	for _, name := range []string{"Server", "Image", "FloatingIP", "PrimaryIP", "Volume", "LoadBalancer", "Action", "Network", "Firewall", "SSHKey"} {
		if catalog.Record("hetzner."+name) == nil {
			t.Errorf("no function returns hetzner.%s", name)
		}
	}
}

func TestServerIsFoundByNameAndId(t *testing.T) {
	b := newBench(t)
	id := b.addHobby()
	for _, name := range []string{"hobby-1", fmt.Sprint(id)} {
		s := b.call("server", table{"name": name})
		if s["name"] != "hobby-1" || s["status"] != "running" || s["type"] != "cpx21" || s["location"] != "fsn1" || s["id"] != fmt.Sprint(id) {
			t.Errorf("server %s: %v", name, s)
		}
		if s["ipv4"] != b.sim.State().Servers["hobby-1"].IPv4 || s["ipv6"] != b.sim.State().Servers["hobby-1"].IPv6 {
			t.Errorf("addresses %v and %v, the books say %+v", s["ipv4"], s["ipv6"], b.sim.State().Servers["hobby-1"])
		}
	}
	f := b.fails(fault.NotFound, "server", table{"name": "hoby-1"})
	contains(t, f.Error(), `"hoby-1"`, `did you mean "hobby-1"?`)
	f = b.fails(fault.NotFound, "server", table{"name": "warehouse"})
	contains(t, f.Hint, "there is hobby-1")
}

func TestServersArePagedAndFiltered(t *testing.T) {
	b := newBench(t)
	for i := range 60 {
		b.sim.AddServer(hetznersim.ServerSpec{Name: fmt.Sprintf("web-%02d", i), Labels: map[string]string{"half": fmt.Sprint(i % 2)}})
	}
	if all := b.list("servers", table{}); len(all) != 60 || all[59].(table)["name"] != "web-59" {
		t.Errorf("%d servers", len(all))
	}
	if half := b.list("servers", table{"label": "half=1"}); len(half) != 30 {
		t.Errorf("%d servers with the label", len(half))
	}
	b.fails(fault.Invalid, "servers", table{"label": "=,"})
}

func TestRebootSoftAndHard(t *testing.T) {
	b := newBench(t)
	b.addHobby()
	if s := b.call("reboot", table{"server": "hobby-1"}); s["status"] != "running" {
		t.Errorf("after a soft reboot: %v", s)
	}
	if b.metal.cuts != 0 || b.count("POST", "/actions/reboot") != 1 {
		t.Error("a soft reboot presses the button once and cuts nothing")
	}
	if s := b.call("reboot", table{"server": "hobby-1", "mode": "hard"}); s["status"] != "running" {
		t.Errorf("after a hard reboot: %v", s)
	}
	if b.metal.cuts != 1 || b.count("POST", "/actions/reset") != 1 {
		t.Error("a hard reboot cuts the power once")
	}
	if len(b.progress) == 0 {
		t.Error("no progress was reported")
	}
}

func TestRebootOfAServerThatIsOff(t *testing.T) {
	b := newBench(t)
	b.addHobby()
	b.call("poweroff", table{"server": "hobby-1"})
	sent := b.mutations()
	f := b.fails(fault.Conflict, "reboot", table{"server": "hobby-1"})
	contains(t, f.Hint, `hetzner.poweron { server = "hobby-1" }`)
	wantSent(t, f, fault.NotDone, false)
	if b.mutations() != sent {
		t.Error("a reboot was sent all the same")
	}
}

func TestPowerIsIdempotent(t *testing.T) {
	b := newBench(t)
	b.addHobby()
	steps := []struct{ call, status, path string }{
		{"poweroff", "off", "/actions/poweroff"}, {"poweroff", "off", "/actions/poweroff"},
		{"poweron", "running", "/actions/poweron"}, {"poweron", "running", "/actions/poweron"},
		{"shutdown", "off", "/actions/shutdown"}, {"shutdown", "off", "/actions/shutdown"},
	}
	for _, s := range steps {
		if out := b.call(s.call, table{"server": "hobby-1"}); out["status"] != s.status {
			t.Errorf("%s: %v", s.call, out["status"])
		}
		if n := b.count("POST", s.path); n != 1 {
			t.Errorf("%s was sent %d times", s.call, n)
		}
	}
	b.call("wait_status", table{"server": "hobby-1", "status": "off"})
}

func TestPowerCycle(t *testing.T) {
	b := newBench(t)
	b.addHobby()
	for n := range 2 {
		if out := b.call("power_cycle", table{"server": "hobby-1"}); out["status"] != "running" {
			t.Fatalf("%v", out["status"])
		}
		if off, on := b.count("POST", "/actions/poweroff"), b.count("POST", "/actions/poweron"); off != 1+n || on != 1+n {
			t.Fatalf("round %d: powered off %d times, on %d times", n, off, on)
		}
	}
	// One whose start is refused for good is off, and the fault says so.
	b.hook(once(1, "POST", "/actions/poweron", refuse(412, "resource_unavailable")), nil)
	f := b.fails(fault.Exhausted, "power_cycle", table{"server": "hobby-1"})
	wantSent(t, f, fault.Done, false)
	contains(t, f.Hint, "hobby-1 is off now")
	// Sent again, it does only what is missing.
	b.call("power_cycle", table{"server": "hobby-1"})
	if off := b.count("POST", "/actions/poweroff"); off != 3 {
		t.Errorf("the power was cut %d times", off)
	}
}

func TestShutdownOfAHungGuest(t *testing.T) {
	b := newBench(t)
	b.metal.hung[b.addHobby()] = true
	f := b.fails(fault.Timeout, "shutdown", table{"server": "hobby-1", "within": "20s"})
	wantSent(t, f, fault.Done, false)
	contains(t, f.Error(), "hobby-1 is not off after 20s", "hetzner.poweroff")
	f = b.fails(fault.Timeout, "wait_status", table{"server": "hobby-1", "status": "off", "within": "5s"})
	if f.Transient {
		t.Error("a wait that ran out would be repeated")
	}
}

func TestFailedActionIsReported(t *testing.T) {
	b := newBench(t)
	b.addHobby()
	b.sim.FailNext("reset_server", 1)
	f := b.fails(fault.Failed, "reboot", table{"server": "hobby-1", "mode": "hard"})
	wantSent(t, f, fault.Done, false)
	contains(t, f.Error(), "reboot hobby-1", "reset_server", "action_failed")
}

func TestRescue(t *testing.T) {
	b := newBench(t)
	b.sim.AddServer(hetznersim.ServerSpec{Name: "bare"})
	contains(t, b.fails(fault.Invalid, "rescue", table{"server": "bare"}).Error(), "no SSH key")
	b.addHobby()
	if s := b.call("rescue", table{"server": "hobby-1", "ssh_keys": []any{"ops"}}); s["status"] != "running" {
		t.Errorf("%v", s)
	}
	if b.count("POST", "/actions/enable_rescue") != 1 || b.count("POST", "/actions/reset") != 1 {
		t.Error("rescue is enable and reset, once each")
	}
	contains(t, b.fails(fault.NotFound, "rescue", table{"server": "hobby-1", "ssh_keys": []any{"opps"}}).Hint, `"ops"`)
}

func TestRebuildAndDelete(t *testing.T) {
	b := newBench(t)
	b.addHobby()
	if s := b.call("rebuild", table{"server": "hobby-1", "image": "ubuntu-24.04"}); s["image"] != "ubuntu-24.04" || s["status"] != "running" {
		t.Errorf("%v", s)
	}
	contains(t, b.fails(fault.NotFound, "rebuild", table{"server": "hobby-1", "image": "ubuntu-24.40"}).Hint, "ubuntu-24.04")
	b.call("delete_server", table{"server": "hobby-1"})
	if _, there := b.sim.State().Servers["hobby-1"]; there {
		t.Error("the server is still there")
	}
	b.fails(fault.NotFound, "delete_server", table{"server": "hobby-1"})
}

func TestActionById(t *testing.T) {
	b := newBench(t)
	b.addHobby()
	b.call("reboot", table{"server": "hobby-1"})
	actions, _, err := b.client.(*Client).api.Server.Action.List(b.ctx(""), hcloud.ActionListOpts{})
	if err != nil || len(actions) == 0 {
		t.Fatal(actions, err)
	}
	if a := b.call("action", table{"id": fmt.Sprint(actions[0].ID)}); a["command"] != "reboot_server" || a["status"] != "success" {
		t.Errorf("%v", a)
	}
	b.fails(fault.NotFound, "action", table{"id": "1"})
	b.fails(fault.Invalid, "action", table{"id": "last"})
}

func TestImages(t *testing.T) {
	b := newBench(t)
	b.addHobby()
	made := b.call("snapshot", table{"server": "hobby-1", "description": "before the rebuild", "labels": table{"role": "hobby"}})
	if made["status"] != "available" || made["from"] != "hobby-1" || made["labels"].(table)[keyLabel] != "run-snapshot" {
		t.Errorf("%v", made)
	}
	if l := b.list("snapshots", table{"server": "hobby-1"}); len(l) != 1 {
		t.Errorf("%v", l)
	}
	if l := b.list("snapshots", table{"server": "other"}); len(l) != 0 {
		t.Errorf("%v", l)
	}
	if l := b.list("images", table{"type": "snapshot", "label": "role=hobby"}); len(l) != 1 {
		t.Errorf("%v", l)
	}
	if i := b.call("image", table{"image": "before the rebuild"}); i["id"] != made["id"] {
		t.Errorf("%v", i)
	}
	b.fails(fault.Invalid, "delete_image", table{"image": "before the rebuild"})
	system := b.call("image", table{"image": "debian-12"})
	contains(t, b.fails(fault.Invalid, "delete_image", table{"image": system["id"]}).Error(), "Hetzner's")
	b.call("delete_image", table{"image": made["id"]})
	b.fails(fault.NotFound, "image", table{"image": made["id"]})
}
