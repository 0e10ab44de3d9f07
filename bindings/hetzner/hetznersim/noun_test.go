package hetznersim_test

import (
	"net"
	"strconv"
	"testing"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"
	"github.com/webhost-systems/drhost/bindings/hetzner/hetznersim"
)

func itoa(id int64) string { return strconv.FormatInt(id, 10) }

func TestFloatingIP(t *testing.T) {
	l := newLab(t, hetznersim.Options{})
	one, _ := l.seed(hetznersim.ServerSpec{Name: "hobby-1"})
	two, _ := l.seed(hetznersim.ServerSpec{Name: "hobby-2"})
	id, ip := l.sim.AddFloatingIP("hobby-ip", "ipv4", "fsn1", one, map[string]string{"tier": "hobby"})
	if l.rack.routed(ip) != one {
		t.Fatal("does not lead to its server")
	}
	f := ok[*hcloud.FloatingIP](t)(l.client.FloatingIP.GetByName(l.ctx, "hobby-ip"))
	if f.ID != id || f.Server.ID != one || f.IP.String() != ip || l.server(one).PublicNet.FloatingIPs[0].ID != id {
		t.Fatalf("%+v", f)
	}
	l.done(l.client.FloatingIP.Assign(l.ctx, f, &hcloud.Server{ID: two})) // directly, without unassigning
	if l.rack.routed(ip) != two || l.sim.State().FloatingIPs["hobby-ip"].Server != "hobby-2" {
		t.Fatal("did not move")
	}
	_, _, err := l.client.FloatingIP.Assign(l.ctx, f, &hcloud.Server{ID: 4})
	l.refusal(err, 404, hcloud.ErrorCodeNotFound)
	_, _, err = l.client.FloatingIP.Assign(l.ctx, f, &hcloud.Server{ID: two})
	l.refusal(err, 422, "floating_ip_assigned")
	_, err = l.client.FloatingIP.Delete(l.ctx, f)
	l.refusal(err, 422, "must_be_unassigned")
	gone := ok[*hcloud.ServerDeleteResult](t)(l.client.Server.DeleteWithResult(l.ctx, &hcloud.Server{ID: two}))
	l.wait(gone.Action)
	if l.rack.routed(ip) != 0 || l.sim.State().FloatingIPs["hobby-ip"].Server != "" {
		t.Fatal("still leads to a deleted server")
	}
	made := ok[hcloud.FloatingIPCreateResult](t)(l.client.FloatingIP.Create(l.ctx, hcloud.FloatingIPCreateOpts{
		Type: "ipv6", Name: hcloud.Ptr("six"), Description: hcloud.Ptr("spare"), Server: &hcloud.Server{ID: one}, Labels: map[string]string{"a": "b"},
	}))
	l.wait(made.Action)
	l.done(l.client.FloatingIP.ChangeDNSPtr(l.ctx, made.FloatingIP, made.FloatingIP.IP.String(), hcloud.Ptr("six.webhost.systems")))
	now := ok[*hcloud.FloatingIP](t)(l.client.FloatingIP.Update(l.ctx, made.FloatingIP, hcloud.FloatingIPUpdateOpts{Description: "renamed", Name: "seven"}))
	if now.Name != "seven" || now.Description != "renamed" || len(now.DNSPtr) != 1 || now.Server.ID != one || now.HomeLocation.Name != "fsn1" {
		t.Fatalf("%+v", now)
	}
	l.done(l.client.FloatingIP.ChangeProtection(l.ctx, now, hcloud.FloatingIPChangeProtectionOpts{Delete: hcloud.Ptr(true)}))
	l.done(l.client.FloatingIP.Unassign(l.ctx, now))
	_, err = l.client.FloatingIP.Delete(l.ctx, now)
	l.refusal(err, 423, hcloud.ErrorCodeProtected)
	l.done(l.client.FloatingIP.ChangeProtection(l.ctx, now, hcloud.FloatingIPChangeProtectionOpts{Delete: hcloud.Ptr(false)}))
	if _, err := l.client.FloatingIP.Delete(l.ctx, now); err != nil {
		t.Fatal(err)
	}
	_, _, err = l.client.FloatingIP.Create(l.ctx, hcloud.FloatingIPCreateOpts{Type: "ipv4", Name: hcloud.Ptr("hobby-ip"), HomeLocation: fsn1()})
	l.refusal(err, 409, hcloud.ErrorCodeUniquenessError)
}

func TestPrimaryIP(t *testing.T) {
	l := newLab(t, hetznersim.Options{})
	id, old := l.seed(hetznersim.ServerSpec{Name: "hobby-1"})
	v := &hcloud.Server{ID: id}
	made := ok[*hcloud.PrimaryIPCreateResult](t)(l.client.PrimaryIP.Create(l.ctx, hcloud.PrimaryIPCreateOpts{
		Name: "kept", Type: "ipv4", AssigneeType: "server", Location: "fsn1", Labels: map[string]string{"a": "b"},
	}))
	p := made.PrimaryIP
	assign := hcloud.PrimaryIPAssignOpts{ID: p.ID, AssigneeID: id, AssigneeType: "server"}
	_, _, err := l.client.PrimaryIP.Assign(l.ctx, assign)
	l.refusal(err, 422, hcloud.ErrorCodeServerNotStopped)
	own := ok[*hcloud.PrimaryIP](t)(l.client.PrimaryIP.GetByIP(l.ctx, old))
	_, _, err = l.client.PrimaryIP.Unassign(l.ctx, own.ID)
	l.refusal(err, 422, hcloud.ErrorCodeServerNotStopped)
	_, _, err = l.client.PrimaryIP.Assign(l.ctx, hcloud.PrimaryIPAssignOpts{ID: own.ID, AssigneeID: id, AssigneeType: "server"})
	l.refusal(err, 422, hcloud.ErrorCodePrimaryIPAlreadyAssigned)
	l.done(l.client.Server.Poweroff(l.ctx, v))
	_, _, err = l.client.PrimaryIP.Assign(l.ctx, assign)
	l.refusal(err, 422, hcloud.ErrorCodeServerHasIPv4)
	l.done(l.client.PrimaryIP.Unassign(l.ctx, own.ID))
	if l.rack.routed(old) != 0 || l.server(id).PublicNet.IPv4.IP != nil {
		t.Fatal("still has its address")
	}
	l.done(l.client.PrimaryIP.Assign(l.ctx, assign))
	if l.rack.routed(p.IP.String()) != id || !l.server(id).PublicNet.IPv4.IP.Equal(p.IP) {
		t.Fatal("does not lead to the server")
	}
	_, err = l.client.PrimaryIP.Delete(l.ctx, p)
	l.refusal(err, 422, "must_be_unassigned")
	if _, err := l.client.PrimaryIP.Delete(l.ctx, own); err != nil {
		t.Fatal(err)
	}
	now := ok[*hcloud.PrimaryIP](t)(l.client.PrimaryIP.Update(l.ctx, p, hcloud.PrimaryIPUpdateOpts{AutoDelete: hcloud.Ptr(true), Name: "short-lived"}))
	if !now.AutoDelete || now.AssigneeID != id {
		t.Fatalf("%+v", now)
	}
	gone := ok[*hcloud.ServerDeleteResult](t)(l.client.Server.DeleteWithResult(l.ctx, v))
	if l.wait(gone.Action); len(l.sim.State().PrimaryIPs) != 0 {
		t.Fatalf("%+v", l.sim.State().PrimaryIPs)
	}
}

func TestVolume(t *testing.T) {
	l := newLab(t, hetznersim.Options{})
	one, _ := l.seed(hetznersim.ServerSpec{Name: "hobby-1"})
	far, _ := l.seed(hetznersim.ServerSpec{Name: "far-1", Location: "hel1"})
	made := ok[hcloud.VolumeCreateResult](t)(l.client.Volume.Create(l.ctx, hcloud.VolumeCreateOpts{
		Name: "data", Size: 20, Server: &hcloud.Server{ID: one}, Format: hcloud.Ptr("ext4"), Labels: map[string]string{"a": "b"},
	}))
	l.wait(append(made.NextActions, made.Action)...)
	d := ok[*hcloud.Volume](t)(l.client.Volume.GetByName(l.ctx, "data"))
	if d.Server.ID != one || d.Status != "available" || d.LinuxDevice == "" || len(l.server(one).Volumes) != 1 {
		t.Fatalf("%+v", d)
	}
	_, err := l.client.Volume.Delete(l.ctx, d)
	l.refusal(err, 422, hcloud.ErrorCodeVolumeAlreadyAttached)
	_, _, err = l.client.Volume.Attach(l.ctx, d, &hcloud.Server{ID: far})
	l.refusal(err, 422, hcloud.ErrorCodeVolumeAlreadyAttached)
	l.done(l.client.Volume.Detach(l.ctx, d))
	_, _, err = l.client.Volume.Attach(l.ctx, d, &hcloud.Server{ID: far})
	l.refusal(err, 422, hcloud.ErrorCodeInvalidInput)
	l.done(l.client.Volume.Attach(l.ctx, d, &hcloud.Server{ID: one}))
	l.done(l.client.Volume.Detach(l.ctx, d))
	l.done(l.client.Volume.Resize(l.ctx, d, 40))
	_, _, err = l.client.Volume.Resize(l.ctx, d, 30)
	l.refusal(err, 422, hcloud.ErrorCodeInvalidInput)
	l.done(l.client.Volume.ChangeProtection(l.ctx, d, hcloud.VolumeChangeProtectionOpts{Delete: hcloud.Ptr(true)}))
	_, err = l.client.Volume.Delete(l.ctx, d)
	l.refusal(err, 423, hcloud.ErrorCodeProtected)
	l.done(l.client.Volume.ChangeProtection(l.ctx, d, hcloud.VolumeChangeProtectionOpts{Delete: hcloud.Ptr(false)}))
	now := ok[*hcloud.Volume](t)(l.client.Volume.Update(l.ctx, d, hcloud.VolumeUpdateOpts{Name: "old-data"}))
	if now.Size != 40 || now.Name != "old-data" {
		t.Fatalf("%+v", now)
	}
	if _, err := l.client.Volume.Delete(l.ctx, d); err != nil {
		t.Fatal(err)
	}
	if all, err := l.client.Volume.All(l.ctx); err != nil || len(all) != 0 {
		t.Fatalf("%d, %v", len(all), err)
	}
}

func TestNetworkAndFirewall(t *testing.T) {
	l := newLab(t, hetznersim.Options{})
	id, _ := l.seed(hetznersim.ServerSpec{Name: "hobby-1", Labels: map[string]string{"tier": "hobby"}})
	v := &hcloud.Server{ID: id}
	_, wide, _ := net.ParseCIDR("10.1.0.0/16")
	_, narrow, _ := net.ParseCIDR("10.1.2.0/24")
	n := ok[*hcloud.Network](t)(l.client.Network.Create(l.ctx, hcloud.NetworkCreateOpts{
		Name: "inner", IPRange: wide, Subnets: []hcloud.NetworkSubnet{{Type: "cloud", IPRange: narrow, NetworkZone: "eu-central"}},
	}))
	l.done(l.client.Server.AttachToNetwork(l.ctx, v, hcloud.ServerAttachToNetworkOpts{Network: n, IP: net.ParseIP("10.1.2.9")}))
	_, _, err := l.client.Server.AttachToNetwork(l.ctx, v, hcloud.ServerAttachToNetworkOpts{Network: n})
	l.refusal(err, 422, hcloud.ErrorCodeServerAlreadyAttached)
	if got := l.server(id).PrivateNet; len(got) != 1 || got[0].IP.String() != "10.1.2.9" {
		t.Fatalf("%+v", got)
	}
	if n = ok[*hcloud.Network](t)(l.client.Network.GetByName(l.ctx, "inner")); len(n.Servers) != 1 || len(n.Subnets) != 1 {
		t.Fatalf("%+v", n)
	}
	l.done(l.client.Network.AddSubnet(l.ctx, n, hcloud.NetworkAddSubnetOpts{Subnet: hcloud.NetworkSubnet{Type: "cloud", NetworkZone: "eu-central"}}))
	l.done(l.client.Server.DetachFromNetwork(l.ctx, v, hcloud.ServerDetachFromNetworkOpts{Network: n}))
	if _, err := l.client.Network.Delete(l.ctx, n); err != nil {
		t.Fatal(err)
	}
	_, world, _ := net.ParseCIDR("0.0.0.0/0")
	made := ok[hcloud.FirewallCreateResult](t)(l.client.Firewall.Create(l.ctx, hcloud.FirewallCreateOpts{
		Name: "web", Rules: []hcloud.FirewallRule{{Direction: "in", Protocol: "tcp", Port: hcloud.Ptr("80"), SourceIPs: []net.IPNet{*world}}},
		ApplyTo: []hcloud.FirewallResource{{Type: "label_selector", LabelSelector: &hcloud.FirewallResourceLabelSelector{Selector: "tier=hobby"}}},
	}))
	l.wait(made.Actions...)
	if got := l.server(id).PublicNet.Firewalls; len(got) != 1 {
		t.Fatalf("%+v", got)
	}
	f := ok[*hcloud.Firewall](t)(l.client.Firewall.GetByName(l.ctx, "web"))
	on := []hcloud.FirewallResource{{Type: "server", Server: &hcloud.FirewallResourceServer{ID: id}}}
	many := func(a []*hcloud.Action, _ *hcloud.Response, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		l.wait(a...)
	}
	many(l.client.Firewall.ApplyResources(l.ctx, f, on))
	_, _, err = l.client.Firewall.ApplyResources(l.ctx, f, on)
	l.refusal(err, 422, hcloud.ErrorCodeFirewallAlreadyApplied)
	_, err = l.client.Firewall.Delete(l.ctx, f)
	l.refusal(err, 422, hcloud.ErrorCodeResourceInUse)
	many(l.client.Firewall.SetRules(l.ctx, f, hcloud.FirewallSetRulesOpts{}))
	many(l.client.Firewall.RemoveResources(l.ctx, f, append(on, hcloud.FirewallResource{
		Type: "label_selector", LabelSelector: &hcloud.FirewallResourceLabelSelector{Selector: "tier=hobby"},
	})))
	if f = ok[*hcloud.Firewall](t)(l.client.Firewall.GetByID(l.ctx, f.ID)); len(f.AppliedTo) != 0 || len(f.Rules) != 0 {
		t.Fatalf("%+v", f)
	}
	if _, err := l.client.Firewall.Delete(l.ctx, f); err != nil {
		t.Fatal(err)
	}
}

func TestLoadBalancer(t *testing.T) {
	l := newLab(t, hetznersim.Options{})
	one, _ := l.seed(hetznersim.ServerSpec{Name: "hobby-1", Labels: map[string]string{"tier": "hobby"}})
	two, _ := l.seed(hetznersim.ServerSpec{Name: "hobby-2"})
	id, _ := l.sim.AddLoadBalancer("front", "fsn1", nil, one)
	b := ok[*hcloud.LoadBalancer](t)(l.client.LoadBalancer.GetByName(l.ctx, "front"))
	health := func(i int) hcloud.LoadBalancerTargetHealthStatusStatus {
		t.Helper()
		return ok[*hcloud.LoadBalancer](t)(l.client.LoadBalancer.GetByID(l.ctx, id)).Targets[i].HealthStatus[0].Status
	}
	if health(0) != "healthy" {
		t.Fatal(health(0))
	}
	if err := l.rack.Cut(one); err != nil {
		t.Fatal(err)
	}
	if health(0) != "unhealthy" {
		t.Fatal(health(0))
	}
	add := hcloud.LoadBalancerAddServerTargetOpts{Server: &hcloud.Server{ID: two}}
	l.done(l.client.LoadBalancer.AddServerTarget(l.ctx, b, add))
	_, _, err := l.client.LoadBalancer.AddServerTarget(l.ctx, b, add)
	l.refusal(err, 422, hcloud.ErrorCodeTargetAlreadyDefined)
	l.done(l.client.LoadBalancer.RemoveServerTarget(l.ctx, b, &hcloud.Server{ID: one}))
	_, _, err = l.client.LoadBalancer.RemoveServerTarget(l.ctx, b, &hcloud.Server{ID: one})
	l.refusal(err, 404, hcloud.ErrorCodeNotFound)
	if got := l.sim.State().Balancers["front"]; len(got) != 1 || got[0] != "hobby-2" {
		t.Fatal(got)
	}
	made := ok[hcloud.LoadBalancerCreateResult](t)(l.client.LoadBalancer.Create(l.ctx, hcloud.LoadBalancerCreateOpts{
		Name: "second", LoadBalancerType: &hcloud.LoadBalancerType{Name: "lb21"}, Location: fsn1(),
		Services: []hcloud.LoadBalancerCreateOptsService{{Protocol: "tcp", ListenPort: hcloud.Ptr(25), DestinationPort: hcloud.Ptr(2525)}},
		Targets:  []hcloud.LoadBalancerCreateOptsTarget{{Type: "label_selector", LabelSelector: hcloud.LoadBalancerCreateOptsTargetLabelSelector{Selector: "tier=hobby"}}},
	}))
	l.wait(made.Action)
	if got := made.LoadBalancer; len(got.Services) != 1 || len(got.Targets[0].Targets) != 1 || len(l.server(one).LoadBalancers) != 1 {
		t.Fatalf("%+v", got)
	}
	l.done(l.client.LoadBalancer.AddService(l.ctx, made.LoadBalancer, hcloud.LoadBalancerAddServiceOpts{Protocol: "http"}))
	l.done(l.client.LoadBalancer.DeleteService(l.ctx, made.LoadBalancer, 25))
	_, _, err = l.client.LoadBalancer.AddService(l.ctx, made.LoadBalancer, hcloud.LoadBalancerAddServiceOpts{Protocol: "http"})
	l.refusal(err, 422, hcloud.ErrorCodeSourcePortAlreadyUsed)
	gone := ok[hcloud.LoadBalancerDeleteResult](t)(l.client.LoadBalancer.DeleteWithResult(l.ctx, made.LoadBalancer))
	l.wait(gone.Action)
	if all, err := l.client.LoadBalancer.All(l.ctx); err != nil || len(all) != 1 {
		t.Fatalf("%d, %v", len(all), err)
	}
}

func TestSSHKey(t *testing.T) {
	l := newLab(t, hetznersim.Options{})
	k := ok[*hcloud.SSHKey](t)(l.client.SSHKey.Create(l.ctx, hcloud.SSHKeyCreateOpts{Name: "drhost", PublicKey: publicKey}))
	_, _, err := l.client.SSHKey.Create(l.ctx, hcloud.SSHKeyCreateOpts{Name: "other", PublicKey: publicKey})
	l.refusal(err, 409, hcloud.ErrorCodeUniquenessError)
	_, _, err = l.client.SSHKey.Create(l.ctx, hcloud.SSHKeyCreateOpts{Name: "other", PublicKey: "no key"})
	l.refusal(err, 422, hcloud.ErrorCodeInvalidInput)
	found := ok[*hcloud.SSHKey](t)(l.client.SSHKey.GetByFingerprint(l.ctx, k.Fingerprint))
	if found == nil || found.ID != k.ID || len(k.Fingerprint) != 47 {
		t.Fatalf("%+v", found)
	}
	if now := ok[*hcloud.SSHKey](t)(l.client.SSHKey.Update(l.ctx, k, hcloud.SSHKeyUpdateOpts{Name: "renamed"})); now.Name != "renamed" {
		t.Fatal(now.Name)
	}
	if _, err := l.client.SSHKey.Delete(l.ctx, k); err != nil {
		t.Fatal(err)
	}
}

func TestCatalogue(t *testing.T) {
	l := newLab(t, hetznersim.Options{})
	if i := ok[*hcloud.Image](t)(l.client.Image.GetByNameAndArchitecture(l.ctx, "debian-12", "arm")); i == nil || i.Architecture != "arm" {
		t.Fatalf("%+v", i)
	}
	if id := l.sim.AddImage(hetznersim.ImageSpec{Name: "webhost-hobby"}); l.server(func() int64 { s, _ := l.seed(hetznersim.ServerSpec{Name: "a", Image: "webhost-hobby"}); return s }()).Image.ID != id {
		t.Fatal("not made of the image that was added")
	}
	all, err := l.client.Image.All(l.ctx)
	if err != nil || len(all) != 11 { // twelve of the catalogue less two deprecated, and ours
		t.Fatalf("%d, %v", len(all), err)
	}
	types, err := l.client.ServerType.All(l.ctx)
	if err != nil || len(types) != 20 || len(types[0].Pricings) == 0 {
		t.Fatalf("%d, %v", len(types), err)
	}
	ok[*hcloud.ServerType](t)(l.client.ServerType.GetByID(l.ctx, 104))
	places, err := l.client.Location.All(l.ctx)
	if err != nil || len(places) != 6 {
		t.Fatalf("%d, %v", len(places), err)
	}
	ok[*hcloud.Location](t)(l.client.Location.GetByID(l.ctx, 1))
	//lint:ignore SA1019 the vendor answers it until October 2026, and so does the simulator
	centres, err := l.client.Datacenter.All(l.ctx)
	if err != nil || len(centres) != 6 || centres[0].Location.Name != "fsn1" || centres[0].Name != "fsn1-dc14" {
		t.Fatalf("%+v, %v", centres, err)
	}
	prices := ok[hcloud.Pricing](t)(l.client.Pricing.Get(l.ctx))
	if len(prices.ServerTypes) != 20 || prices.Currency != "EUR" {
		t.Fatalf("%+v", prices)
	}
	sizes, err := l.client.LoadBalancerType.All(l.ctx)
	if err != nil || len(sizes) != 3 {
		t.Fatalf("%d, %v", len(sizes), err)
	}
	ok[*hcloud.LoadBalancerType](t)(l.client.LoadBalancerType.GetByID(l.ctx, 2))
	if isos, err := l.client.ISO.All(l.ctx); err != nil || len(isos) != 4 {
		t.Fatalf("%d, %v", len(isos), err)
	}
	if far, resp, err := l.client.ISO.List(l.ctx, hcloud.ISOListOpts{ListOpts: hcloud.ListOpts{Page: 99, PerPage: 2}}); err != nil || len(far) != 0 ||
		resp.Meta.Pagination.Page != 99 || resp.Meta.Pagination.LastPage != 2 || resp.Meta.Pagination.PreviousPage != 2 || resp.Meta.Pagination.NextPage != 0 {
		t.Fatalf("a page beyond the end: %v, %v, %+v", far, err, resp.Meta.Pagination)
	}
	if c, err := l.client.Certificate.All(l.ctx); err != nil || len(c) != 0 {
		t.Fatalf("%d, %v", len(c), err)
	}
	if g, err := l.client.PlacementGroup.All(l.ctx); err != nil || len(g) != 0 {
		t.Fatalf("%d, %v", len(g), err)
	}
	if missing := ok[*hcloud.ISO](t)(l.client.ISO.GetByID(l.ctx, 1)); missing != nil {
		t.Fatalf("%+v", missing)
	}
}
