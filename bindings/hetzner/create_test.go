package hetzner

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/webhost-systems/drhost/bindings/hetzner/hetznersim"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

func TestCreateLike(t *testing.T) {
	b := newBench(t)
	network := b.sim.AddNetwork("inside", "10.0.0.0/16", "fsn1", nil)
	id, _, _ := b.sim.AddServer(hetznersim.ServerSpec{Name: "hobby-1", Type: "cpx21", Image: "ubuntu-24.04", Location: "nbg1",
		Labels: map[string]string{"tier": "hobby", keyLabel: "of-an-older-run"}, Networks: []int64{network}})
	wall := b.sim.AddFirewall("web", nil, []string{"443"}, id)
	b.sim.AddSSHKey("ops", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJmLlXvOQ8g5GYd5pFhrjQ5cQx9d9CqYQq6Vj3sV2mXy ops@webhost", nil)

	s := b.call("create_server", table{"name": "hobby-1-r", "like": "hobby-1", "labels": table{"made-by": "drill"}})
	if s["status"] != "running" || s["type"] != "cpx21" || s["image"] != "ubuntu-24.04" || s["location"] != "nbg1" {
		t.Errorf("%v", s)
	}
	labels := s["labels"].(table)
	if labels["tier"] != "hobby" || labels["made-by"] != "drill" || labels[keyLabel] != "run-create-server" {
		t.Errorf("labels %v", labels)
	}
	if n := s["networks"].([]any); len(n) != 1 || n[0] != idText(network) || len(s["private_ips"].([]any)) != 1 {
		t.Errorf("networks %v", n)
	}
	if f := s["firewalls"].([]any); len(f) != 1 || f[0] != idText(wall) {
		t.Errorf("firewalls %v", f)
	}
	if b.count("POST", "/servers") != 1 {
		t.Error("more than one was asked for")
	}
}

func TestCreateFromASpecification(t *testing.T) {
	b := newBench(t)
	b.addHobby()
	volume := b.sim.AddVolume("data", "hel1", 10, 0, nil)
	_, ip := b.sim.AddPrimaryIP("stable", "ipv4", "hel1", nil)
	s := b.call("create_server", table{"name": "new", "type": "cax11", "image": "debian-12", "locations": "hel1", "start": true,
		"user_data": "#cloud-config\n", "ssh_keys": []any{"ops"}, "volumes": []any{"data"}, "primary_ips": []any{"stable"}})
	if s["ipv4"] != ip || s["location"] != "hel1" {
		t.Errorf("%v", s)
	}
	if v := s["volumes"].([]any); len(v) != 1 || v[0] != idText(volume) {
		t.Errorf("volumes %v", v)
	}
	cold, err := b.try("run-cold", "create_server", table{"name": "cold", "type": "cpx11", "image": "debian-12", "start": false})
	if err != nil {
		t.Fatal(err)
	}
	s = cold.(table)
	if s["status"] != "off" {
		t.Errorf("%v", s)
	}
}

func TestCreateFromTheConfigFile(t *testing.T) {
	b := newBench(t)
	b.addHobby()
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(b.env.Dir, "new-server-config.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"name": "ignored", "server_type": "cpx31", "image": "debian-12", "location": "hel1", "ssh_keys": ["ops"],
		"labels": {"tier": "hobby"}, "public_net": {"enable_ipv4": true, "enable_ipv6": false}, "start_after_create": true}`)
	args := table{"name": "hobby-1-r", "config": "new-server-config.json", "locations": []any{"nbg1"}}
	s := b.call("create_server", args)
	if s["name"] != "hobby-1-r" || s["type"] != "cpx31" || s["location"] != "nbg1" || s["labels"].(table)["tier"] != "hobby" {
		t.Errorf("%v", s)
	}
	if _, has := s["ipv6"]; has {
		t.Error("it has an IPv6 address in spite of the file")
	}
	write(`{"name": "x", "server_typ": "cpx31"}`)
	contains(t, b.fails(fault.Invalid, "create_server", args).Error(), "server_typ")
	write(`{"server_type": 22, "image": "debian-12", "datacenter": "fsn1-dc14"}`)
	contains(t, b.fails(fault.Invalid, "create_server", args).Hint, "location")
	args["config"] = "absent.json"
	b.fails(fault.NotFound, "create_server", args)
}

func TestCreateRefusesWhatCannotWork(t *testing.T) {
	b := newBench(t)
	b.addHobby()
	cases := []struct {
		kind fault.Kind
		args table
		says string
	}{
		{fault.Invalid, table{"name": "x"}, "no server type"},
		{fault.Invalid, table{"name": "x", "type": "cpx11"}, "no image"},
		{fault.Invalid, table{"name": "x", "like": "hobby-1", "config": "y"}, "exclude"},
		{fault.NotFound, table{"name": "x", "like": "hobby-2"}, `did you mean "hobby-1"?`},
		{fault.NotFound, table{"name": "x", "like": "hobby-1", "type": "cpx2l"}, `did you mean "cpx21"?`},
		{fault.NotFound, table{"name": "x", "like": "hobby-1", "locations": "fsn2"}, `did you mean "fsn1"?`},
		{fault.NotFound, table{"name": "x", "like": "hobby-1", "networks": []any{"nowhere"}}, "network"},
		{fault.NotFound, table{"name": "x", "like": "hobby-1", "placement_group": "spread"}, "placement group"},
		{fault.Invalid, table{"name": "not a host name", "like": "hobby-1"}, "name"},
		{fault.Invalid, table{"name": "x", "like": "hobby-1", "user_data": string(make([]byte, 40000))}, "32768"},
	}
	for _, c := range cases {
		f := b.fails(c.kind, "create_server", c.args)
		contains(t, f.Error(), c.says)
		wantSent(t, f, fault.NotDone, false)
	}
	if len(b.sim.State().Servers) != 1 {
		t.Error("something was created")
	}
}

func TestSoldOutMovesOn(t *testing.T) {
	b := newBench(t)
	b.addHobby()
	b.sim.SetSoldOut("fsn1", true)
	b.sim.SetLocationDisabled("nbg1", true)
	s := b.call("create_server", table{"name": "hobby-1-r", "like": "hobby-1", "locations": []any{"fsn1", "nbg1", "hel1"}})
	if s["location"] != "hel1" || s["type"] != "cpx21" {
		t.Errorf("%v", s)
	}
	if n := b.count("POST", "/servers"); n != 3 {
		t.Errorf("%d requests to create", n)
	}
	// The next type is tried only after the last location.
	for _, l := range []string{"fsn1", "nbg1", "hel1"} {
		b.sim.SetSoldOut(l, false)
		b.sim.SetLocationDisabled(l, false)
		b.sim.SetTypeSoldOut(l, "cpx21", true)
	}
	second, err := b.try("run-second", "create_server", table{"name": "second", "like": "hobby-1", "types": []any{"cpx31"}, "locations": []any{"hel1", "fsn1"}})
	if err != nil || second.(table)["location"] != "hel1" || second.(table)["type"] != "cpx31" {
		t.Errorf("%v, %v", second, err)
	}
	f := b.fails(fault.Exhausted, "create_server", table{"name": "third", "like": "hobby-1", "locations": []any{"hel1", "fsn1"}})
	contains(t, f.Error(), "cpx21 in hel1", "cpx21 in fsn1", "hetzner.availability")
	wantSent(t, f, fault.NotDone, false)
	a := b.call("availability", table{"type": "cpx21"})
	for _, l := range a["available"].([]any) {
		if l == "fsn1" || l == "nbg1" || l == "hel1" {
			t.Errorf("available: %v", a["available"])
		}
	}
}

func TestATypeThatALocationDoesNotOffer(t *testing.T) {
	b := newBench(t)
	b.addHobby()
	s := b.call("create_server", table{"name": "arm", "type": "cax11", "image": "debian-12", "locations": []any{"ash", "fsn1"}})
	if s["location"] != "fsn1" {
		t.Errorf("%v", s)
	}
}

func TestOtherRefusalsDoNotMoveOn(t *testing.T) {
	b := newBench(t)
	b.addHobby()
	b.hook(once(1, "POST", "/servers", refuse(403, "resource_limit_exceeded")), nil)
	f := b.fails(fault.Exhausted, "create_server", table{"name": "x", "like": "hobby-1", "locations": []any{"fsn1", "nbg1"}})
	wantSent(t, f, fault.NotDone, false)
	if n := b.count("POST", "/servers"); n != 1 {
		t.Errorf("%d requests to create", n)
	}
}

// A refusal that comes although the server was made: terraform-provider-hcloud
// issue 469.
func TestSoldOutAnswerAlthoughCreated(t *testing.T) {
	b := newBench(t)
	b.addHobby()
	b.hook(nil, once(1, "POST", "/servers", refuse(412, "resource_unavailable")))
	s := b.call("create_server", table{"name": "hobby-1-r", "like": "hobby-1", "locations": []any{"fsn1", "nbg1"}})
	if s["location"] != "fsn1" || b.count("POST", "/servers") != 1 || len(b.sim.State().Servers) != 2 {
		t.Errorf("%v after %d requests", s, b.count("POST", "/servers"))
	}
}

func TestTakenNames(t *testing.T) {
	b := newBench(t)
	b.addHobby()
	args := table{"name": "hobby-1-r", "like": "hobby-1"}
	first := b.call("create_server", args)
	again := b.call("create_server", args) // the same key: the same server
	if first["id"] != again["id"] || len(b.sim.State().Servers) != 2 {
		t.Error("the repeated call made another server")
	}
	f := b.fails(fault.Conflict, "create_server", args) // another key
	contains(t, f.Error(), "hobby-1-r already", "choose another name")
	wantSent(t, f, fault.NotDone, false)
}

func TestFailedCreation(t *testing.T) {
	b := newBench(t)
	b.addHobby()
	b.sim.FailNext("create_server", 1)
	f := b.fails(fault.Failed, "create_server", table{"name": "hobby-1-r", "like": "hobby-1"})
	contains(t, f.Error(), "create_server", "nothing is left of hobby-1-r")
	wantSent(t, f, fault.Done, false)
}

func TestPlanOfAReplacement(t *testing.T) {
	b := newBench(t)
	id := b.addHobby()
	b.sim.AddFloatingIP("hobby", "ipv4", "fsn1", id, nil)
	b.sim.AddVolume("data", "fsn1", 10, 0, nil)
	b.sim.AddLoadBalancer("web", "fsn1", nil, id)
	b.sim.SetSoldOut("fsn1", true)
	made, err := b.predict("create_server", table{"name": "hobby-1-r", "like": "hobby-1", "locations": []any{"fsn1", "hel1"}})
	if err != nil {
		t.Fatal(err)
	}
	m := made.(table)
	if m["location"] != "hel1" || m["name"] != "hobby-1-r" || !binding.IsPlanned(m["ipv4"].(string)) || !binding.IsPlanned(m["id"].(string)) {
		t.Errorf("%v", m)
	}
	// What comes after it knows the server that is not there yet.
	for _, name := range []any{"hobby-1-r", m["id"]} {
		ip, err := b.predict("assign_floating_ip", table{"ip": "hobby", "server": name})
		if err != nil || ip.(table)["server"] != "hobby-1-r" {
			t.Errorf("%v, %v", ip, err)
		}
	}
	if s := b.call("server", table{"name": "hobby-1-r"}); s["ipv4"] != m["ipv4"] {
		t.Errorf("%v", s)
	}
	b.call("wait_status", table{"server": "hobby-1-r"})
	if l := b.list("volumes", table{"server": "hobby-1-r"}); len(l) != 0 {
		t.Errorf("%v", l)
	}
	if _, err := b.predict("attach_volume", table{"volume": "data", "server": "hobby-1-r"}); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a volume in fsn1 would be attached in hel1: %v", err)
	}
	lb, err := b.predict("lb_add_target", table{"load_balancer": "web", "server": "hobby-1-r"})
	if err != nil || len(lb.(table)["targets"].([]any)) != 2 {
		t.Errorf("%v, %v", lb, err)
	}
	if _, err := b.predict("create_server", table{"name": "hobby-1", "like": "hobby-1"}); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a plan with a taken name: %v", err)
	}
	if b.mutations() != 0 {
		t.Errorf("the plan changed something: %v", b.requests)
	}
}

func TestPlanOfEverythingElseChangesNothing(t *testing.T) {
	b := newBench(t)
	id := b.addHobby()
	b.sim.AddFloatingIP("hobby", "ipv4", "fsn1", id, nil)
	b.sim.AddPrimaryIP("stable", "ipv4", "fsn1", nil)
	b.sim.AddVolume("data", "fsn1", 10, id, nil)
	b.sim.AddLoadBalancer("web", "fsn1", nil, id)
	snapshot := b.sim.AddImage(hetznersim.ImageSpec{Description: "old", From: id, FromName: "hobby-1"})
	cases := map[string]table{
		"reboot": {"server": "hobby-1"}, "shutdown": {"server": "hobby-1"}, "poweron": {"server": "hobby-1"}, "poweroff": {"server": "hobby-1"},
		"rescue": {"server": "hobby-1"}, "rebuild": {"server": "hobby-1", "image": "debian-12"}, "delete_server": {"server": "hobby-1"},
		"snapshot": {"server": "hobby-1", "description": "x"}, "delete_image": {"image": idText(snapshot)},
		"unassign_floating_ip": {"ip": "hobby"}, "assign_primary_ip": {"ip": "stable", "server": "hobby-1"}, "unassign_primary_ip": {"ip": "stable"},
		"attach_volume": {"volume": "data", "server": "hobby-1"}, "detach_volume": {"volume": "data"},
		"lb_remove_target": {"load_balancer": "web", "server": "hobby-1"},
	}
	for name, args := range cases {
		if _, err := b.predict(name, args); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for arg := range args {
			if arg == "server" || arg == "ip" || arg == "volume" || arg == "image" {
				args[arg] = "no-such-thing"
			}
		}
		if _, err := b.predict(name, args); err == nil {
			t.Errorf("%s: a plan with a thing that does not exist went through", name)
		}
	}
	if b.mutations() != 0 {
		t.Errorf("the plan changed something: %v", b.requests)
	}
}

func TestHookSeesWhatIsSent(t *testing.T) {
	b := newBench(t)
	b.addHobby()
	var agent, authorization string
	b.hook(func(_ http.ResponseWriter, r *http.Request) bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		agent, authorization = r.UserAgent(), r.Header.Get("Authorization")
		return false
	}, nil)
	b.call("server", table{"name": "hobby-1"})
	contains(t, agent, "drhost")
	if authorization != "Bearer "+token {
		t.Error("the token is not sent as a bearer token")
	}
}
