package hetznersim_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"
	"github.com/webhost-systems/drhost/bindings/hetzner/hetznersim"
)

const publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB9dG4kjRhQTtWTVzd2t27+t0DEHBPW7iOD23TUiYLio drill"

func TestCreateServerWithEverything(t *testing.T) {
	l := newLab(t, hetznersim.Options{})
	key := l.sim.AddSSHKey("drhost", publicKey, nil)
	net := l.sim.AddNetwork("inner", "10.0.0.0/16", "fsn1", nil)
	wall := l.sim.AddFirewall("web", nil, []string{"80", "22"})
	disk := l.sim.AddVolume("data", "fsn1", 10, 0, nil)
	primary, ip := l.sim.AddPrimaryIP("kept", "ipv4", "fsn1", nil)
	group := ok[hcloud.PlacementGroupCreateResult](t)(l.client.PlacementGroup.Create(l.ctx, hcloud.PlacementGroupCreateOpts{Name: "apart", Type: "spread"}))

	opts := plain("new-1")
	opts.Labels = map[string]string{"drhost-key": "run-1"}
	opts.UserData = "#cloud-config\n"
	opts.SSHKeys = []*hcloud.SSHKey{{ID: key}}
	opts.Networks = []*hcloud.Network{{ID: net}}
	opts.Firewalls = []*hcloud.ServerCreateFirewall{{Firewall: hcloud.Firewall{ID: wall}}}
	opts.Volumes = []*hcloud.Volume{{ID: disk}}
	opts.PlacementGroup = group.PlacementGroup
	opts.PublicNet = &hcloud.ServerCreatePublicNet{EnableIPv4: true, EnableIPv6: true, IPv4: &hcloud.PrimaryIP{ID: primary}}
	made := ok[hcloud.ServerCreateResult](t)(l.client.Server.Create(l.ctx, opts))
	if made.RootPassword != "" || made.Action.Command != "create_server" || len(made.NextActions) != 2 {
		t.Fatalf("%+v", made)
	}
	if made.Server.Status != hcloud.ServerStatusInitializing || !made.Server.Locked {
		t.Fatalf("a new server is %s, locked %t", made.Server.Status, made.Server.Locked)
	}
	l.wait(append(made.NextActions, made.Action)...)
	v := l.server(made.Server.ID)
	if v.Status != "running" || v.Locked || v.PublicNet.IPv4.IP.String() != ip || v.Labels["drhost-key"] != "run-1" || len(v.Volumes) != 1 ||
		len(v.PrivateNet) != 1 || v.PrivateNet[0].IP.String() != "10.0.0.2" || len(v.PublicNet.Firewalls) != 1 || v.PlacementGroup.Name != "apart" {
		t.Fatalf("%+v", v)
	}
	b := l.rack.made[0]
	if b.Image != "debian-12" || b.IPv4 != ip || b.IPv6 != "2001:db8:0:1::1" || b.SSHKeys[0] != publicKey || b.UserData != "#cloud-config\n" || b.Location != "fsn1" {
		t.Fatalf("%+v", b)
	}
	if l.rack.routed(ip) != v.ID || l.rack.routed(b.IPv6) != v.ID || !l.rack.Powered(v.ID) {
		t.Fatal("its addresses do not lead to it")
	}
	// Deleting it frees its own IPv6 and keeps the primary IPv4 and the volume.
	gone := ok[*hcloud.ServerDeleteResult](t)(l.client.Server.DeleteWithResult(l.ctx, v))
	l.wait(gone.Action)
	st := l.sim.State()
	if len(st.Servers) != 0 || len(st.PrimaryIPs) != 1 || st.PrimaryIPs["kept"].Server != "" || st.Volumes["data"] != "" {
		t.Fatalf("%+v", st)
	}
	if l.rack.routed(ip) != 0 || l.rack.routed(b.IPv6) != 0 {
		t.Fatal("its addresses still lead to it")
	}
}

func TestCreateServerRefusals(t *testing.T) {
	l := newLab(t, hetznersim.Options{})
	l.seed(hetznersim.ServerSpec{Name: "taken"})
	elsewhere, _ := l.sim.AddPrimaryIP("far", "ipv4", "nbg1", nil)
	try := func(status int, code hcloud.ErrorCode, change func(o *hcloud.ServerCreateOpts)) {
		t.Helper()
		o := plain("new-1")
		change(&o)
		_, _, err := l.client.Server.Create(l.ctx, o)
		l.refusal(err, status, code)
	}
	try(409, "uniqueness_error", func(o *hcloud.ServerCreateOpts) { o.Name = "taken" })
	try(422, "invalid_input", func(o *hcloud.ServerCreateOpts) { o.Name = "not a host name" })
	try(422, "invalid_input", func(o *hcloud.ServerCreateOpts) { o.UserData = strings.Repeat("x", 32<<10+1) })
	try(422, "invalid_input", func(o *hcloud.ServerCreateOpts) { o.Labels = map[string]string{"-": "x"} })
	try(422, "invalid_input", func(o *hcloud.ServerCreateOpts) {
		o.ServerType = &hcloud.ServerType{Name: "cax11"}
		o.Image = &hcloud.Image{ID: 101}
	})
	try(422, "invalid_input", func(o *hcloud.ServerCreateOpts) { o.Location = &hcloud.Location{Name: "ash"} })
	try(404, "not_found", func(o *hcloud.ServerCreateOpts) { o.ServerType = &hcloud.ServerType{Name: "cx1"} })
	try(404, "not_found", func(o *hcloud.ServerCreateOpts) { o.Image = &hcloud.Image{Name: "debian-1"} })
	try(404, "not_found", func(o *hcloud.ServerCreateOpts) { o.SSHKeys = []*hcloud.SSHKey{{ID: 9}} })
	try(404, "not_found", func(o *hcloud.ServerCreateOpts) { o.Networks = []*hcloud.Network{{ID: 9}} })
	try(422, "primary_ip_datacenter_mismatch", func(o *hcloud.ServerCreateOpts) {
		o.PublicNet = &hcloud.ServerCreatePublicNet{EnableIPv4: true, IPv4: &hcloud.PrimaryIP{ID: elsewhere}}
	})
	if st := l.sim.State(); len(st.Servers) != 1 || len(st.PrimaryIPs) != 3 || len(l.rack.made) != 0 {
		t.Fatalf("a refusal left something behind: %+v", st)
	}
	_, _, err := l.client.Server.Create(l.ctx, func() hcloud.ServerCreateOpts { o := plain("new-1"); o.Name = "x_y"; return o }())
	var e hcloud.Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	if d, is := e.Details.(hcloud.ErrorDetailsInvalidInput); !is || len(d.Fields) != 1 || d.Fields[0].Name != "name" {
		t.Fatalf("details: %+v", e.Details)
	}
}

func TestSoldOut(t *testing.T) {
	l := newLab(t, hetznersim.Options{})
	l.sim.SetSoldOut("fsn1", true)
	_, _, err := l.client.Server.Create(l.ctx, plain("new-1"))
	l.refusal(err, 412, hcloud.ErrorCodeResourceUnavailable)
	if !strings.Contains(err.Error(), "error during placement") {
		t.Fatal(err)
	}
	kind := ok[*hcloud.ServerType](t)(l.client.ServerType.GetByName(l.ctx, "cx22"))
	for _, at := range kind.Locations {
		if at.Available != (at.Location.Name != "fsn1") {
			t.Errorf("%s: available %t", at.Location.Name, at.Available)
		}
	}
	l.sim.SetSoldOut("fsn1", false)
	l.sim.SetTypeSoldOut("fsn1", "cx22", true)
	_, _, err = l.client.Server.Create(l.ctx, plain("new-1"))
	l.refusal(err, 412, hcloud.ErrorCodeResourceUnavailable)
	l.sim.SetLocationDisabled("nbg1", true)
	o := plain("new-1")
	o.Location = &hcloud.Location{Name: "nbg1"}
	_, _, err = l.client.Server.Create(l.ctx, o)
	if l.refusal(err, 412, hcloud.ErrorCodeResourceUnavailable); !strings.Contains(err.Error(), "server location disabled") {
		t.Fatal(err)
	}
	o.Location = nil // anywhere
	made := ok[hcloud.ServerCreateResult](t)(l.client.Server.Create(l.ctx, o))
	if made.Server.Location.Name != "hel1" || made.RootPassword == "" {
		t.Fatalf("%+v", made.Server.Location)
	}
}

func TestLockedWhileCreating(t *testing.T) {
	l := newLab(t, hetznersim.Options{Speed: 100})
	made := ok[hcloud.ServerCreateResult](t)(l.client.Server.Create(l.ctx, plain("new-1")))
	_, _, err := l.client.Server.Poweroff(l.ctx, made.Server)
	l.refusal(err, 423, hcloud.ErrorCodeLocked)
	_, _, err = l.client.Server.DeleteWithResult(l.ctx, made.Server)
	l.refusal(err, 423, hcloud.ErrorCodeLocked)
	_, _, err = l.client.Server.Create(l.ctx, plain("new-1"))
	l.refusal(err, 409, hcloud.ErrorCodeUniquenessError)
	var seen []int
	err = l.client.Action.WaitForFunc(l.ctx, func(a *hcloud.Action) error { seen = append(seen, a.Progress); return nil }, made.Action)
	if err != nil || len(seen) < 3 || seen[len(seen)-1] != 100 || seen[0] == 100 {
		t.Fatalf("progress %v, %v", seen, err)
	}
	if v := l.server(made.Server.ID); v.Status != hcloud.ServerStatusStarting {
		t.Fatalf("created, but %s", v.Status)
	}
	l.wait(made.NextActions...)
	l.done(l.client.Server.Poweroff(l.ctx, made.Server))
}

func TestCreateThatFails(t *testing.T) {
	l := newLab(t, hetznersim.Options{})
	l.rack.refuse = errors.New("no room in the rack")
	made := ok[hcloud.ServerCreateResult](t)(l.client.Server.Create(l.ctx, plain("new-1")))
	err := l.client.Action.WaitFor(l.ctx, made.Action)
	var e hcloud.ActionError
	if !errors.As(err, &e) || e.Code != "action_failed" || !strings.Contains(e.Message, "no room") {
		t.Fatal(err)
	}
	if err := l.client.Action.WaitFor(l.ctx, made.NextActions...); !errors.As(err, &e) {
		t.Fatalf("the start of a failed creation: %v", err)
	}
	if st := l.sim.State(); len(st.Servers) != 0 || len(st.PrimaryIPs) != 0 {
		t.Fatalf("%+v", st)
	}
	l.sim.FailNext("reset_server", 1)
	id, _ := l.seed(hetznersim.ServerSpec{Name: "hobby-1"})
	a, _, err := l.client.Server.Reset(l.ctx, &hcloud.Server{ID: id})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.client.Action.WaitFor(l.ctx, a); !errors.As(err, &e) {
		t.Fatal(err)
	}
	l.done(l.client.Server.Reset(l.ctx, &hcloud.Server{ID: id}))
}

func TestPower(t *testing.T) {
	l := newLab(t, hetznersim.Options{})
	id, _ := l.seed(hetznersim.ServerSpec{Name: "hobby-1", Image: "debian-12"})
	v := &hcloud.Server{ID: id}
	status := func(want hcloud.ServerStatus) {
		t.Helper()
		if got := l.server(id).Status; got != want {
			t.Fatalf("%s instead of %s", got, want)
		}
	}
	status("running")
	l.done(l.client.Server.Poweroff(l.ctx, v))
	status("off")
	l.done(l.client.Server.Poweron(l.ctx, v))
	status("running")
	l.rack.hung[id] = true // the guest ignores the signal: success all the same
	l.done(l.client.Server.Shutdown(l.ctx, v))
	status("running")
	l.done(l.client.Server.Reboot(l.ctx, v))
	l.rack.hung[id] = false
	l.done(l.client.Server.Shutdown(l.ctx, v))
	status("off")
	l.done(l.client.Server.Reset(l.ctx, v))
	status("running")
	if err := l.rack.Cut(id); err != nil { // the world kills it, the API was not asked
		t.Fatal(err)
	}
	status("off")
	actions, _, err := l.client.Server.Action.ListFor(l.ctx, v, hcloud.ActionListOpts{Sort: []string{"id:desc"}, Status: []hcloud.ActionStatus{"success"}})
	if err != nil || len(actions) != 6 || actions[0].Command != "reset_server" || actions[5].Command != "stop_server" {
		t.Fatalf("%d actions, %v", len(actions), err)
	}
	one := ok[*hcloud.Action](t)(l.client.Action.GetByID(l.ctx, actions[0].ID))
	if one.Progress != 100 || one.Finished.IsZero() || one.Resources[0].ID != id {
		t.Fatalf("%+v", one)
	}
	if none := ok[*hcloud.Action](t)(l.client.Action.GetByID(l.ctx, 7)); none != nil {
		t.Fatalf("%+v", none)
	}
	if _, _, err := l.client.Action.List(l.ctx, hcloud.ActionListOpts{}); err == nil {
		t.Fatal("listing actions without ids was removed")
	}
}

func TestBareMetalKeepsPower(t *testing.T) {
	l := newLab(t, hetznersim.Options{Metal: hetznersim.Bare{}})
	o := plain("bare-1")
	o.StartAfterCreate = hcloud.Ptr(false)
	made := ok[hcloud.ServerCreateResult](t)(l.client.Server.Create(l.ctx, o))
	l.wait(made.Action)
	if v := l.server(made.Server.ID); v.Status != "off" || len(made.NextActions) != 0 {
		t.Fatalf("%s, %d next actions", v.Status, len(made.NextActions))
	}
	l.done(l.client.Server.Poweron(l.ctx, made.Server))
	if v := l.server(made.Server.ID); v.Status != "running" {
		t.Fatal(v.Status)
	}
	l.done(l.client.Server.Poweroff(l.ctx, made.Server))
	if v := l.server(made.Server.ID); v.Status != "off" {
		t.Fatal(v.Status)
	}
}

func TestRescue(t *testing.T) {
	lat := hetznersim.DefaultLatency()
	lat.RescueLapses = 500 * time.Second
	l := newLab(t, hetznersim.Options{Latency: lat})
	id, _ := l.seed(hetznersim.ServerSpec{Name: "hobby-1"})
	v := &hcloud.Server{ID: id}
	enable := func() {
		t.Helper()
		r := ok[hcloud.ServerEnableRescueResult](t)(l.client.Server.EnableRescue(l.ctx, v, hcloud.ServerEnableRescueOpts{Type: "linux64"}))
		if l.wait(r.Action); r.RootPassword == "" || !l.server(id).RescueEnabled || !l.rack.rescue[id] {
			t.Fatal("not enabled")
		}
	}
	enable()
	l.done(l.client.Server.Reset(l.ctx, v))
	if l.server(id).RescueEnabled {
		t.Fatal("still enabled after a boot")
	}
	enable()
	l.done(l.client.Server.DisableRescue(l.ctx, v))
	if l.server(id).RescueEnabled || l.rack.rescue[id] {
		t.Fatal("still enabled")
	}
	enable()
	for deadline := time.Now().Add(5 * time.Second); l.server(id).RescueEnabled; {
		if time.Now().After(deadline) {
			t.Fatal("does not lapse")
		}
	}
}

func TestSnapshotAndRebuild(t *testing.T) {
	l := newLab(t, hetznersim.Options{})
	id, ip := l.seed(hetznersim.ServerSpec{Name: "hobby-1"})
	v := &hcloud.Server{ID: id}
	made := ok[hcloud.ServerCreateImageResult](t)(l.client.Server.CreateImage(l.ctx, v, &hcloud.ServerCreateImageOpts{
		Description: hcloud.Ptr("before the repair"), Labels: map[string]string{"by": "drhost"},
	}))
	if made.Image.Status != hcloud.ImageStatusCreating {
		t.Fatal(made.Image.Status)
	}
	l.wait(made.Action)
	i := ok[*hcloud.Image](t)(l.client.Image.GetByID(l.ctx, made.Image.ID))
	if i.Status != "available" || i.Type != "snapshot" || i.CreatedFrom.Name != "hobby-1" || i.ImageSize == 0 || l.rack.images[0] != itoa(i.ID) {
		t.Fatalf("%+v", i)
	}
	found, err := l.client.Image.AllWithOpts(l.ctx, hcloud.ImageListOpts{Type: []hcloud.ImageType{"snapshot"}, ListOpts: hcloud.ListOpts{LabelSelector: "by=drhost"}})
	if err != nil || len(found) != 1 {
		t.Fatalf("%d, %v", len(found), err)
	}
	again := ok[hcloud.ServerRebuildResult](t)(l.client.Server.RebuildWithResult(l.ctx, v, hcloud.ServerRebuildOpts{Image: i}))
	if l.server(id).Status != "rebuilding" {
		t.Fatal("not rebuilding")
	}
	l.wait(again.Action)
	if b := l.rack.made[0]; b.Image != itoa(i.ID) || b.ID != id || b.IPv4 != ip || !l.rack.Powered(id) || l.rack.routed(ip) != id {
		t.Fatalf("%+v", b)
	}
	changed := ok[*hcloud.Image](t)(l.client.Image.Update(l.ctx, i, hcloud.ImageUpdateOpts{Description: hcloud.Ptr("kept")}))
	if changed.Description != "kept" {
		t.Fatal(changed.Description)
	}
	l.done(l.client.Image.ChangeProtection(l.ctx, i, hcloud.ImageChangeProtectionOpts{Delete: hcloud.Ptr(true)}))
	_, err = l.client.Image.Delete(l.ctx, i)
	l.refusal(err, 423, hcloud.ErrorCodeProtected)
	l.done(l.client.Image.ChangeProtection(l.ctx, i, hcloud.ImageChangeProtectionOpts{Delete: hcloud.Ptr(false)}))
	if _, err := l.client.Image.Delete(l.ctx, i); err != nil {
		t.Fatal(err)
	}
	_, err = l.client.Image.Delete(l.ctx, &hcloud.Image{ID: 101})
	l.refusal(err, 403, hcloud.ErrorCodeForbidden)
}

func TestServerChanges(t *testing.T) {
	l := newLab(t, hetznersim.Options{})
	id, ip := l.seed(hetznersim.ServerSpec{Name: "hobby-1"})
	l.seed(hetznersim.ServerSpec{Name: "hobby-2"})
	v := &hcloud.Server{ID: id}
	renamed := ok[*hcloud.Server](t)(l.client.Server.Update(l.ctx, v, hcloud.ServerUpdateOpts{Name: "hobby-old", Labels: map[string]string{"role": "failed"}}))
	if renamed.Name != "hobby-old" || renamed.Labels["role"] != "failed" {
		t.Fatalf("%+v", renamed)
	}
	_, _, err := l.client.Server.Update(l.ctx, v, hcloud.ServerUpdateOpts{Name: "hobby-2"})
	l.refusal(err, 409, hcloud.ErrorCodeUniquenessError)
	guard := hcloud.ServerChangeProtectionOpts{Delete: hcloud.Ptr(true), Rebuild: hcloud.Ptr(true)}
	l.done(l.client.Server.ChangeProtection(l.ctx, v, guard))
	_, _, err = l.client.Server.DeleteWithResult(l.ctx, v)
	l.refusal(err, 423, hcloud.ErrorCodeProtected)
	_, _, err = l.client.Server.RebuildWithResult(l.ctx, v, hcloud.ServerRebuildOpts{Image: debian()})
	l.refusal(err, 423, hcloud.ErrorCodeProtected)
	big := hcloud.ServerChangeTypeOpts{ServerType: &hcloud.ServerType{Name: "cx32"}, UpgradeDisk: true}
	_, _, err = l.client.Server.ChangeType(l.ctx, v, big)
	l.refusal(err, 422, hcloud.ErrorCodeServerNotStopped)
	l.done(l.client.Server.Poweroff(l.ctx, v))
	l.done(l.client.Server.ChangeType(l.ctx, v, big))
	if now := l.server(id); now.ServerType.Name != "cx32" || now.PrimaryDiskSize != 80 {
		t.Fatalf("%+v", now)
	}
	l.done(l.client.Server.ChangeDNSPtr(l.ctx, v, ip, hcloud.Ptr("hobby.webhost.systems")))
	if got := l.server(id).PublicNet.IPv4.DNSPtr; got != "hobby.webhost.systems" {
		t.Fatal(got)
	}
	_, _, err = l.client.Server.ChangeDNSPtr(l.ctx, v, "192.0.2.1", hcloud.Ptr("x"))
	l.refusal(err, 422, hcloud.ErrorCodeInvalidInput)
	_, _, err = l.client.Server.DeleteWithResult(l.ctx, &hcloud.Server{ID: 5})
	l.refusal(err, 404, hcloud.ErrorCodeNotFound)
}

// TestBadRequests sends what no proper client sends.
func TestBadRequests(t *testing.T) {
	l := newLab(t, hetznersim.Options{})
	for _, one := range []struct {
		method, path, body, code string
		status                   int
	}{
		{"POST", "/servers", "{", "json_error", 400},
		{"POST", "/servers", `{"name":5}`, "invalid_input", 422},
		{"POST", "/servers", `{"name":"a","server_type":"cx22","image":"debian-12","datacenter":"fsn1-dc14"}`, "invalid_input", 422},
		{"POST", "/servers", `{"name":"` + strings.Repeat("a", 2<<20) + `"}`, "request_entity_too_large", 413},
		{"GET", "/servers/one", "", "not_found", 404},
		{"PATCH", "/servers", "", "not_found", 404},
		{"POST", "/servers/1/actions/explode", "{}", "not_found", 404},
		{"GET", "/teapots", "", "not_found", 404},
		{"GET", "/servers?page=0", "", "invalid_input", 422},
	} {
		req, err := http.NewRequestWithContext(l.ctx, one.method, l.url+one.path, strings.NewReader(one.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var e struct{ Error struct{ Code string } }
		err = json.NewDecoder(resp.Body).Decode(&e)
		resp.Body.Close()
		if err != nil || resp.StatusCode != one.status || e.Error.Code != one.code {
			t.Errorf("%s %s: %d %s, %v", one.method, one.path, resp.StatusCode, e.Error.Code, err)
		}
	}
}

func TestWriteError(t *testing.T) {
	var w recorder
	hetznersim.WriteError(&w, 503, "unavailable", "try again")
	if w.status != 503 || w.String() != `{"error":{"code":"unavailable","details":null,"message":"try again"}}` {
		t.Fatalf("%d %s", w.status, &w)
	}
}

type recorder struct {
	bytes.Buffer
	status int
	head   http.Header
}

func (r *recorder) Header() http.Header {
	if r.head == nil {
		r.head = http.Header{}
	}
	return r.head
}
func (r *recorder) WriteHeader(status int) { r.status = status }
