package hetznersim_test

import (
	"net"
	"testing"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"
	"github.com/webhost-systems/drhost/bindings/hetzner/hetznersim"
)

func TestLoadBalancerSettings(t *testing.T) {
	l := newLab(t, hetznersim.Options{})
	id, _ := l.sim.AddLoadBalancer("front", "fsn1", nil)
	b := &hcloud.LoadBalancer{ID: id}
	l.done(l.client.LoadBalancer.UpdateService(l.ctx, b, 80, hcloud.LoadBalancerUpdateServiceOpts{
		DestinationPort: hcloud.Ptr(8080), HealthCheck: &hcloud.LoadBalancerUpdateServiceOptsHealthCheck{Interval: hcloud.Ptr(20 * time.Second)},
	}))
	l.done(l.client.LoadBalancer.ChangeAlgorithm(l.ctx, b, hcloud.LoadBalancerChangeAlgorithmOpts{Type: hcloud.LoadBalancerAlgorithmTypeLeastConnections}))
	l.done(l.client.LoadBalancer.ChangeType(l.ctx, b, hcloud.LoadBalancerChangeTypeOpts{LoadBalancerType: &hcloud.LoadBalancerType{Name: "lb21"}}))
	now := ok[*hcloud.LoadBalancer](t)(l.client.LoadBalancer.GetByID(l.ctx, id))
	one := now.Services[0]
	// What was not named stays: the protocol, the page that the check asks for.
	if one.DestinationPort != 8080 || one.HealthCheck.Interval != 20*time.Second || one.Protocol != "http" || one.HealthCheck.HTTP.Path != "/health" ||
		now.Algorithm.Type != "least_connections" || now.LoadBalancerType.Name != "lb21" {
		t.Errorf("%+v %+v", now, one)
	}
	_, _, err := l.client.LoadBalancer.UpdateService(l.ctx, b, 81, hcloud.LoadBalancerUpdateServiceOpts{DestinationPort: hcloud.Ptr(1)})
	l.refusal(err, 404, hcloud.ErrorCodeNotFound)
	for port := range 5 {
		l.done(l.client.LoadBalancer.AddService(l.ctx, b, hcloud.LoadBalancerAddServiceOpts{Protocol: "tcp", ListenPort: hcloud.Ptr(1000 + port), DestinationPort: hcloud.Ptr(80)}))
	}
	_, _, err = l.client.LoadBalancer.ChangeType(l.ctx, b, hcloud.LoadBalancerChangeTypeOpts{LoadBalancerType: &hcloud.LoadBalancerType{Name: "lb11"}})
	l.refusal(err, 422, hcloud.ErrorCodeInvalidLoadBalancerType)
	_, _, err = l.client.LoadBalancer.ChangeAlgorithm(l.ctx, b, hcloud.LoadBalancerChangeAlgorithmOpts{Type: "none"})
	l.refusal(err, 422, hcloud.ErrorCodeInvalidInput)
}

func TestNetworkSettings(t *testing.T) {
	l := newLab(t, hetznersim.Options{})
	server, _ := l.seed(hetznersim.ServerSpec{Name: "hobby-1"})
	parse := func(text string) *net.IPNet {
		_, p, err := net.ParseCIDR(text)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	n := ok[*hcloud.Network](t)(l.client.Network.Create(l.ctx, hcloud.NetworkCreateOpts{Name: "inner", IPRange: parse("10.1.0.0/16"),
		Subnets: []hcloud.NetworkSubnet{{Type: "cloud", IPRange: parse("10.1.2.0/24"), NetworkZone: "eu-central"}}}))
	l.done(l.client.Server.AttachToNetwork(l.ctx, &hcloud.Server{ID: server}, hcloud.ServerAttachToNetworkOpts{Network: n}))
	subnet := hcloud.NetworkDeleteSubnetOpts{Subnet: hcloud.NetworkSubnet{IPRange: parse("10.1.2.0/24")}}
	_, _, err := l.client.Network.DeleteSubnet(l.ctx, n, subnet)
	l.refusal(err, 422, hcloud.ErrorCodeResourceInUse)
	_, _, err = l.client.Network.ChangeIPRange(l.ctx, n, hcloud.NetworkChangeIPRangeOpts{IPRange: parse("10.1.2.0/24")})
	l.refusal(err, 422, hcloud.ErrorCodeInvalidInput)
	l.done(l.client.Network.ChangeIPRange(l.ctx, n, hcloud.NetworkChangeIPRangeOpts{IPRange: parse("10.0.0.0/8")}))
	route := hcloud.NetworkRoute{Destination: parse("192.168.1.0/24"), Gateway: net.ParseIP("10.1.2.7")}
	l.done(l.client.Network.AddRoute(l.ctx, n, hcloud.NetworkAddRouteOpts{Route: route}))
	_, _, err = l.client.Network.AddRoute(l.ctx, n, hcloud.NetworkAddRouteOpts{Route: route})
	l.refusal(err, 422, hcloud.ErrorCodeInvalidInput)
	now := ok[*hcloud.Network](t)(l.client.Network.GetByID(l.ctx, n.ID))
	if now.IPRange.String() != "10.0.0.0/8" || len(now.Routes) != 1 || !now.Routes[0].Gateway.Equal(route.Gateway) {
		t.Errorf("%+v", now)
	}
	l.done(l.client.Network.DeleteRoute(l.ctx, n, hcloud.NetworkDeleteRouteOpts{Route: route}))
	_, _, err = l.client.Network.DeleteRoute(l.ctx, n, hcloud.NetworkDeleteRouteOpts{Route: route})
	l.refusal(err, 404, hcloud.ErrorCodeNotFound)
	l.done(l.client.Server.DetachFromNetwork(l.ctx, &hcloud.Server{ID: server}, hcloud.ServerDetachFromNetworkOpts{Network: n}))
	l.done(l.client.Network.DeleteSubnet(l.ctx, n, subnet))
	if now := ok[*hcloud.Network](t)(l.client.Network.GetByID(l.ctx, n.ID)); len(now.Routes) != 0 || len(now.Subnets) != 0 {
		t.Errorf("%+v", now)
	}
}
