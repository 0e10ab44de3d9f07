package hetznersim_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"
	"github.com/webhost-systems/drhost/bindings/hetzner/hetznersim"
)

// TestRenames changes names and labels of everything that has them.
func TestRenames(t *testing.T) {
	l := newLab(t, hetznersim.Options{})
	labels := map[string]string{"drill": "yes"}
	wall := l.sim.AddFirewall("web", nil, []string{"80"})
	inner := l.sim.AddNetwork("inner", "10.0.0.0/24", "fsn1", nil)
	front, _ := l.sim.AddLoadBalancer("front", "fsn1", nil)
	group := ok[hcloud.PlacementGroupCreateResult](t)(l.client.PlacementGroup.Create(l.ctx, hcloud.PlacementGroupCreateOpts{Name: "apart", Type: "spread"})).PlacementGroup

	f := ok[*hcloud.Firewall](t)(l.client.Firewall.Update(l.ctx, &hcloud.Firewall{ID: wall}, hcloud.FirewallUpdateOpts{Name: "new", Labels: labels}))
	n := ok[*hcloud.Network](t)(l.client.Network.Update(l.ctx, &hcloud.Network{ID: inner}, hcloud.NetworkUpdateOpts{Name: "new", Labels: labels}))
	b := ok[*hcloud.LoadBalancer](t)(l.client.LoadBalancer.Update(l.ctx, &hcloud.LoadBalancer{ID: front}, hcloud.LoadBalancerUpdateOpts{Name: "new", Labels: labels}))
	g := ok[*hcloud.PlacementGroup](t)(l.client.PlacementGroup.Update(l.ctx, group, hcloud.PlacementGroupUpdateOpts{Name: "new", Labels: labels}))
	for _, got := range []string{f.Name, n.Name, b.Name, g.Name} {
		if got != "new" {
			t.Errorf("%q was not renamed", got)
		}
	}
	for _, got := range []map[string]string{f.Labels, n.Labels, b.Labels, g.Labels} {
		if got["drill"] != "yes" {
			t.Errorf("%v was not labelled", got)
		}
	}
	l.sim.AddFirewall("taken", nil, nil)
	_, _, err := l.client.Firewall.Update(l.ctx, f, hcloud.FirewallUpdateOpts{Name: "taken"})
	l.refusal(err, 409, hcloud.ErrorCodeUniquenessError)
	if _, err := l.client.PlacementGroup.Delete(l.ctx, g); err != nil {
		t.Fatal(err)
	}
	if gone := ok[*hcloud.PlacementGroup](t)(l.client.PlacementGroup.GetByID(l.ctx, g.ID)); gone != nil {
		t.Fatalf("%+v", gone)
	}
}

// TestProtection protects everything that can be protected against deletion.
func TestProtection(t *testing.T) {
	l := newLab(t, hetznersim.Options{})
	inner := &hcloud.Network{ID: l.sim.AddNetwork("inner", "10.0.0.0/24", "fsn1", nil)}
	front, _ := l.sim.AddLoadBalancer("front", "fsn1", nil)
	kept, ip := l.sim.AddPrimaryIP("kept", "ipv4", "fsn1", nil)
	l.done(l.client.Network.ChangeProtection(l.ctx, inner, hcloud.NetworkChangeProtectionOpts{Delete: hcloud.Ptr(true)}))
	_, err := l.client.Network.Delete(l.ctx, inner)
	l.refusal(err, 423, hcloud.ErrorCodeProtected)
	b := &hcloud.LoadBalancer{ID: front}
	l.done(l.client.LoadBalancer.ChangeProtection(l.ctx, b, hcloud.LoadBalancerChangeProtectionOpts{Delete: hcloud.Ptr(true)}))
	_, _, err = l.client.LoadBalancer.DeleteWithResult(l.ctx, b)
	l.refusal(err, 423, hcloud.ErrorCodeProtected)
	l.done(l.client.PrimaryIP.ChangeProtection(l.ctx, hcloud.PrimaryIPChangeProtectionOpts{ID: kept, Delete: true}))
	_, err = l.client.PrimaryIP.Delete(l.ctx, &hcloud.PrimaryIP{ID: kept})
	l.refusal(err, 423, hcloud.ErrorCodeProtected)
	l.done(l.client.PrimaryIP.ChangeDNSPtr(l.ctx, hcloud.PrimaryIPChangeDNSPtrOpts{ID: kept, IP: ip, DNSPtr: "kept.webhost.systems"}))
	p := ok[*hcloud.PrimaryIP](t)(l.client.PrimaryIP.GetByID(l.ctx, kept))
	if !p.Protection.Delete || p.DNSPtr[ip] != "kept.webhost.systems" {
		t.Fatalf("%+v", p)
	}
}

// TestTargetsAndInterfacesThatCannotBe are refusals of the smaller nouns.
func TestTargetsAndInterfacesThatCannotBe(t *testing.T) {
	l := newLab(t, hetznersim.Options{})
	id, ip := l.seed(hetznersim.ServerSpec{Name: "hobby-1"})
	front, _ := l.sim.AddLoadBalancer("front", "fsn1", nil)
	b := &hcloud.LoadBalancer{ID: front}
	_, _, err := l.client.LoadBalancer.AddServerTarget(l.ctx, b, hcloud.LoadBalancerAddServerTargetOpts{Server: &hcloud.Server{ID: 3}})
	l.refusal(err, 404, hcloud.ErrorCodeNotFound)
	_, _, err = l.client.LoadBalancer.AddServerTarget(l.ctx, b, hcloud.LoadBalancerAddServerTargetOpts{Server: &hcloud.Server{ID: id}, UsePrivateIP: hcloud.Ptr(true)})
	l.refusal(err, 422, hcloud.ErrorCodeLoadBalancerNotAttachedToNetwork)
	_, _, err = l.client.LoadBalancer.AddIPTarget(l.ctx, b, hcloud.LoadBalancerAddIPTargetOpts{IP: net.ParseIP(ip)})
	l.refusal(err, 422, hcloud.ErrorCodeCloudResourceIPNotAllowed)
	_, _, err = l.client.LoadBalancer.AddIPTarget(l.ctx, b, hcloud.LoadBalancerAddIPTargetOpts{IP: net.ParseIP("192.0.2.77")})
	l.refusal(err, 422, hcloud.ErrorCodeIPNotOwned)
	tiny := &hcloud.Network{ID: l.sim.AddNetwork("tiny", "10.0.0.0/31", "fsn1", nil)}
	_, _, err = l.client.Server.AttachToNetwork(l.ctx, &hcloud.Server{ID: id}, hcloud.ServerAttachToNetworkOpts{Network: tiny})
	l.refusal(err, 422, hcloud.ErrorCodeNoSubnetAvailable)
	_, _, err = l.client.Server.AttachToNetwork(l.ctx, &hcloud.Server{ID: id}, hcloud.ServerAttachToNetworkOpts{Network: tiny, IP: net.ParseIP("10.9.9.9")})
	l.refusal(err, 422, hcloud.ErrorCodeIPNotAvailable)
	_, wide, _ := net.ParseCIDR("8.8.0.0/16")
	_, _, err = l.client.Network.Create(l.ctx, hcloud.NetworkCreateOpts{Name: "public", IPRange: wide})
	l.refusal(err, 422, hcloud.ErrorCodeInvalidInput)
	_, _, err = l.client.Volume.Create(l.ctx, hcloud.VolumeCreateOpts{Name: "small", Size: 1, Location: fsn1()})
	l.refusal(err, 422, hcloud.ErrorCodeInvalidInput)
}

// TestActionOfAResource asks by the paths that older clients use.
func TestActionOfAResource(t *testing.T) {
	l := newLab(t, hetznersim.Options{})
	id, _ := l.seed(hetznersim.ServerSpec{Name: "hobby-1"})
	other, _ := l.seed(hetznersim.ServerSpec{Name: "hobby-2"})
	a := ok[*hcloud.Action](t)(l.client.Server.Reset(l.ctx, &hcloud.Server{ID: id}))
	l.wait(a)
	for path, want := range map[string]int{
		"/servers/" + itoa(id) + "/actions/" + itoa(a.ID):    200,
		"/servers/" + itoa(other) + "/actions/" + itoa(a.ID): 404,
		"/servers/actions/" + itoa(a.ID):                     200,
		"/volumes/actions/" + itoa(a.ID):                     404,
		"/servers/actions?status=success":                    200,
		"/servers/7/actions":                                 404,
		"/actions?id=x":                                      422,
	} {
		req, err := http.NewRequestWithContext(l.ctx, "GET", l.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := (&inspector{t, http.DefaultTransport}).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != want || !json.Valid(body) {
			t.Errorf("%s: %d instead of %d, %v", path, resp.StatusCode, want, err)
		}
	}
}

func TestSeedsThatCannotBe(t *testing.T) {
	l := newLab(t, hetznersim.Options{})
	for name, seed := range map[string]func(){
		"type":     func() { l.sim.AddServer(hetznersim.ServerSpec{Name: "a", Type: "cx1"}) },
		"location": func() { l.sim.AddFloatingIP("a", "ipv4", "moon1", 0, nil) },
		"image":    func() { l.sim.AddServer(hetznersim.ServerSpec{Name: "a", Image: "beos"}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("an unknown %s was accepted", name)
				}
			}()
			seed()
		}()
	}
	if st := l.sim.State(); len(st.Servers) != 0 {
		t.Fatalf("%+v", st)
	}
}
