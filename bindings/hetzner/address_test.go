package hetzner

import (
	"testing"

	"github.com/webhost-systems/drhost/bindings/hetzner/hetznersim"
	"github.com/webhost-systems/drhost/host/fault"
)

func TestFloatingIPMoves(t *testing.T) {
	b := newBench(t)
	one := b.addHobby()
	b.sim.AddServer(hetznersim.ServerSpec{Name: "hobby-2"})
	_, ip := b.sim.AddFloatingIP("hobby", "ipv4", "fsn1", one, map[string]string{"tier": "hobby"})
	_, six := b.sim.AddFloatingIP("hobby-six", "ipv6", "fsn1", one, nil)
	for _, name := range []string{"hobby", ip} {
		if f := b.call("floating_ip", table{"name": name}); f["ip"] != ip || f["server"] != "hobby-1" || f["location"] != "fsn1" {
			t.Errorf("%v", f)
		}
	}
	if f := b.call("floating_ip", table{"name": six}); f["ip"] != six {
		t.Errorf("%v, the books say %s", f, six)
	}
	if f := b.call("assign_floating_ip", table{"ip": "hobby", "server": "hobby-2"}); f["server"] != "hobby-2" {
		t.Errorf("%v", f)
	}
	sent := b.mutations()
	b.call("assign_floating_ip", table{"ip": ip, "server": "hobby-2"})
	if b.mutations() != sent {
		t.Error("what is right already was sent again")
	}
	if l := b.list("floating_ips", table{"server": "hobby-1"}); len(l) != 1 {
		t.Errorf("%v", l)
	}
	if l := b.list("floating_ips", table{}); len(l) != 2 || l[0].(table)["server"] != "hobby-2" || l[1].(table)["server"] != "hobby-1" {
		t.Errorf("%v", l)
	}
	if l := b.list("floating_ips", table{"label": "tier=hobby"}); len(l) != 1 {
		t.Errorf("%v", l)
	}
	f := b.call("unassign_floating_ip", table{"ip": "hobby"})
	if _, assigned := f["server"]; assigned || b.sim.State().FloatingIPs["hobby"].Server != "" {
		t.Errorf("%v", f)
	}
	b.call("unassign_floating_ip", table{"ip": "hobby"})
	contains(t, b.fails(fault.NotFound, "assign_floating_ip", table{"ip": "hoby", "server": "hobby-2"}).Hint, `"hobby"`)
}

func TestPrimaryIPKnowsTheRules(t *testing.T) {
	b := newBench(t)
	b.addHobby()
	b.sim.AddServer(hetznersim.ServerSpec{Name: "far", Location: "hel1"})
	_, ip := b.sim.AddPrimaryIP("stable", "ipv4", "fsn1", nil)
	args := table{"ip": ip, "server": "hobby-1"}
	contains(t, b.fails(fault.Conflict, "assign_primary_ip", table{"ip": ip, "server": "far"}).Error(), "stable is in fsn1 and far in hel1")
	contains(t, b.fails(fault.Conflict, "assign_primary_ip", args).Hint, `hetzner.poweroff { server = "hobby-1" }`)
	b.call("poweroff", table{"server": "hobby-1"})
	f := b.fails(fault.Conflict, "assign_primary_ip", args)
	contains(t, f.Error(), "has an address of type ipv4 already", "hetzner.unassign_primary_ip")
	b.call("unassign_primary_ip", table{"ip": b.sim.State().Servers["hobby-1"].IPv4})
	if p := b.call("assign_primary_ip", args); p["server"] != "hobby-1" || b.sim.State().Servers["hobby-1"].IPv4 != ip {
		t.Errorf("%v", p)
	}
	b.call("assign_primary_ip", args)
	if n := b.count("POST", "/actions/assign"); n != 1 {
		t.Errorf("sent %d times", n)
	}
	b.call("poweron", table{"server": "hobby-1"})
	contains(t, b.fails(fault.Conflict, "unassign_primary_ip", table{"ip": ip}).Hint, "has to be off")
	b.call("poweroff", table{"server": "far"})
	contains(t, b.fails(fault.Conflict, "assign_primary_ip", table{"ip": "stable", "server": "far"}).Hint, "hetzner.unassign_primary_ip")
	if p := b.call("primary_ip", table{"name": "stable"}); p["ip"] != ip || p["server"] != "hobby-1" {
		t.Errorf("%v", p)
	}
}

func TestVolumeMoves(t *testing.T) {
	b := newBench(t)
	one := b.addHobby()
	b.sim.AddServer(hetznersim.ServerSpec{Name: "hobby-2"})
	b.sim.AddServer(hetznersim.ServerSpec{Name: "far", Location: "hel1"})
	b.sim.AddVolume("data", "fsn1", 10, one, nil)
	if v := b.call("volume", table{"name": "data"}); v["server"] != "hobby-1" || v["size"] != float64(10) || v["device"] == "" {
		t.Errorf("%v", v)
	}
	contains(t, b.fails(fault.Conflict, "attach_volume", table{"volume": "data", "server": "hobby-2"}).Error(), "hetzner.detach_volume")
	contains(t, b.fails(fault.Conflict, "attach_volume", table{"volume": "data", "server": "far"}).Error(), "cannot leave its location")
	b.call("detach_volume", table{"volume": "data"})
	b.call("detach_volume", table{"volume": "data"})
	if v := b.call("attach_volume", table{"volume": "data", "server": "hobby-2"}); v["server"] != "hobby-2" {
		t.Errorf("%v", v)
	}
	b.call("attach_volume", table{"volume": "data", "server": "hobby-2"})
	if b.count("POST", "/actions/attach") != 2 || b.count("POST", "/actions/detach") != 1 {
		t.Errorf("%v", b.requests) // one attach was refused
	}
	if l := b.list("volumes", table{"server": "hobby-2"}); len(l) != 1 {
		t.Errorf("%v", l)
	}
	if l := b.list("volumes", table{"server": "hobby-1"}); len(l) != 0 {
		t.Errorf("%v", l)
	}
}

func TestLoadBalancerTargets(t *testing.T) {
	b := newBench(t)
	one := b.addHobby()
	b.sim.AddServer(hetznersim.ServerSpec{Name: "hobby-2"})
	b.sim.AddLoadBalancer("web", "fsn1", nil, one)
	l := b.call("load_balancer", table{"name": "web"})
	if ts := l["targets"].([]any); len(ts) != 1 || ts[0].(table)["server"] != "hobby-1" {
		t.Errorf("%v", l)
	}
	add := table{"load_balancer": "web", "server": "hobby-2"}
	if l := b.call("lb_add_target", add); len(l["targets"].([]any)) != 2 {
		t.Errorf("%v", l)
	}
	b.call("lb_add_target", add)
	b.call("lb_remove_target", table{"load_balancer": "web", "server": "hobby-1"})
	b.call("lb_remove_target", table{"load_balancer": "web", "server": "hobby-1"})
	if got := b.sim.State().Balancers["web"]; len(got) != 1 || got[0] != "hobby-2" {
		t.Errorf("targets %v", got)
	}
	if b.count("POST", "/actions/add_target") != 1 || b.count("POST", "/actions/remove_target") != 1 {
		t.Error("what is right already was sent again")
	}
	b.fails(fault.NotFound, "lb_add_target", table{"load_balancer": "web", "server": "hobby-3"})
	b.fails(fault.NotFound, "lb_add_target", table{"load_balancer": "wbe", "server": "hobby-2"})
}

func TestLists(t *testing.T) {
	b := newBench(t)
	id := b.addHobby()
	b.sim.AddNetwork("inside", "10.0.0.0/16", "fsn1", nil)
	b.sim.AddFirewall("web", map[string]string{"a": "b"}, []string{"80", "443"}, id)
	if l := b.list("networks", table{}); len(l) != 1 || l[0].(table)["range"] != "10.0.0.0/16" || l[0].(table)["zones"].([]any)[0] != "eu-central" {
		t.Errorf("%v", l)
	}
	if l := b.list("firewalls", table{"label": "a=b"}); len(l) != 1 || l[0].(table)["servers"].([]any)[0] != idText(id) {
		t.Errorf("%v", l)
	}
	if l := b.list("ssh_keys", table{}); len(l) != 1 || l[0].(table)["name"] != "ops" {
		t.Errorf("%v", l)
	}
	b.fails(fault.NotFound, "availability", table{"type": "huge"})
}
