package cloudflaresim_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	cf "github.com/cloudflare/cloudflare-go"
	"github.com/miekg/dns"

	"github.com/webhost-systems/drhost/bindings/cloudflare/cloudflaresim"
)

const accountID = "01a7362d577a6c3019a474fd6f485823"

// balanced is an account whose name app is served by two pools; down are the
// origins that do not answer their monitors.
func balanced(t *testing.T, proxied bool) (a *account, pools []string, down map[string]bool) {
	t.Helper()
	down = map[string]bool{}
	a = newAccount(t, cloudflaresim.Options{RateLimit: -1, Probe: func(address string, port int, path string) (int, error) {
		if port != 80 || path != "/health" {
			t.Errorf("probed %s:%d%s", address, port, path)
		}
		if down[address] {
			return 0, errors.New("TCP connection failed")
		}
		return 200, nil
	}})
	for _, o := range [][][2]string{{{"p1", "203.0.113.1"}, {"p2", "203.0.113.2"}}, {{"s1", "203.0.113.11"}}} {
		id, err := a.sim.AddPool("pool-"+o[0][0], "/health", time.Minute, o)
		if err != nil {
			t.Fatal(err)
		}
		pools = append(pools, id)
	}
	if err := a.sim.AddLoadBalancer("webhost.systems", "app", proxied, pools...); err != nil {
		t.Fatal(err)
	}
	return a, pools, down
}

// TestSteeringIsSeenInDNS drives the vendor's client and asks the name server.
func TestSteeringIsSeenInDNS(t *testing.T) {
	a, pools, down := balanced(t, false)
	ns, ctx, rc := a.listen(t).Addr(), context.Background(), cf.AccountIdentifier(accountID)
	want := func(when string, addresses ...string) {
		t.Helper()
		var got []string
		for _, rr := range dig(t, ns, "app.webhost.systems", dns.TypeA, "udp").Answer {
			got = append(got, rr.(*dns.A).A.String())
		}
		if strings.Join(got, " ") != strings.Join(addresses, " ") {
			t.Errorf("%s: answers %v, want %v", when, got, addresses)
		}
	}
	want("all is well", "203.0.113.1", "203.0.113.2")
	down["203.0.113.1"] = true
	want("before the monitor looks again", "203.0.113.1", "203.0.113.2")
	a.clock.move(time.Minute)
	want("one origin is down", "203.0.113.2")
	down["203.0.113.2"] = true
	a.clock.move(time.Minute)
	want("the pool is down", "203.0.113.11")
	health, err := a.api.GetLoadBalancerPoolHealth(ctx, rc, pools[0])
	if err != nil || len(health.PopHealth) != 1 {
		t.Fatalf("%+v, %v", health, err)
	}
	for _, place := range health.PopHealth {
		if one := place.Origins[0]["203.0.113.1"]; place.Healthy || one.Healthy || one.FailureReason != "TCP connection failed" {
			t.Errorf("health: %+v", place)
		}
	}
	clear(down)
	a.clock.move(time.Minute)
	want("all is well again", "203.0.113.1", "203.0.113.2")

	pool, err := a.api.GetLoadBalancerPool(ctx, rc, pools[0])
	if err != nil {
		t.Fatal(err)
	}
	pool.Origins[1].Enabled = false
	if _, err := a.api.UpdateLoadBalancerPool(ctx, rc, cf.UpdateLoadBalancerPoolParams{LoadBalancer: pool}); err != nil {
		t.Fatal(err)
	}
	want("an origin is disabled", "203.0.113.1")
	pool.Enabled = false
	if _, err := a.api.UpdateLoadBalancerPool(ctx, rc, cf.UpdateLoadBalancerPoolParams{LoadBalancer: pool}); err != nil {
		t.Fatal(err)
	}
	want("the pool is disabled", "203.0.113.11")
	down["203.0.113.11"] = true
	a.clock.move(time.Minute)
	want("nothing is healthy: the fallback serves", "203.0.113.11")
	lbs, err := a.api.ListLoadBalancers(ctx, a.zone, cf.ListLoadBalancerParams{})
	if err != nil || len(lbs) != 1 {
		t.Fatalf("%+v, %v", lbs, err)
	}
	if err := a.api.DeleteLoadBalancerPool(ctx, rc, pools[1]); err == nil {
		t.Error("a pool that serves was deleted")
	}
	if err := a.api.DeleteLoadBalancer(ctx, a.zone, lbs[0].ID); err != nil {
		t.Fatal(err)
	}
	if m := dig(t, ns, "app.webhost.systems", dns.TypeA, "udp"); m.Rcode != dns.RcodeNameError {
		t.Errorf("without a load balancer: %s", brief(m))
	}
}

func TestProxiedBalancerLeadsToAnOrigin(t *testing.T) {
	a, _, down := balanced(t, true)
	m := dig(t, a.listen(t).Addr(), "app.webhost.systems", dns.TypeA, "udp")
	edge := m.Answer[0].(*dns.A).A.String()
	if content, ok := a.sim.Origin(edge); !ok || content != "203.0.113.1" {
		t.Errorf("%s leads to %s", edge, content)
	}
	down["203.0.113.1"], down["203.0.113.2"] = true, true
	a.clock.move(time.Minute)
	if content, _ := a.sim.Origin(edge); content != "203.0.113.11" {
		t.Errorf("after a failure %s leads to %s", edge, content)
	}
}

func TestPoolsThatCannotBe(t *testing.T) {
	a, pools, _ := balanced(t, false)
	path := "/accounts/" + accountID + "/load_balancers/pools"
	for _, body := range []string{`{"name":"a b","origins":[{"name":"x","address":"203.0.113.1"}]}`, `{"name":"a","origins":[]}`, `{"name":"a","origins":[{"name":"x"}]}`,
		`{"name":"a","monitor":"nobody","origins":[{"name":"x","address":"203.0.113.1"}]}`, `[`} {
		if resp, text := a.raw(t, http.MethodPost, path, body); resp.StatusCode != 400 {
			t.Errorf("%s: %d %s", body, resp.StatusCode, text)
		}
	}
	if resp, text := a.raw(t, http.MethodGet, path+"/nobody", ""); resp.StatusCode != 404 || !strings.Contains(text, "1001") {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	// A PUT loses what it does not say, a PATCH does not.
	if _, text := a.raw(t, http.MethodPatch, path+"/"+pools[0], `{"description":"ours"}`); !strings.Contains(text, `"minimum_origins":1`) || !strings.Contains(text, `"monitor"`) {
		t.Error(text)
	}
	if _, text := a.raw(t, http.MethodPut, path+"/"+pools[0], `{"name":"new","origins":[{"name":"x","address":"203.0.113.1"}]}`); strings.Contains(text, "ours") || strings.Contains(text, `"monitor"`) {
		t.Error(text)
	}
}

// TestExportIsImportedAgain: what the export says, the import understands.
func TestExportIsImportedAgain(t *testing.T) {
	a, ctx := newAccount(t, cloudflaresim.Options{}), context.Background()
	for _, r := range []cloudflaresim.Record{{Name: "www", Type: "A", Content: "203.0.113.10", TTL: 60}, {Name: "shop", Type: "A", Content: "203.0.113.12", Proxied: true},
		{Name: "alias", Type: "CNAME", Content: "www.webhost.systems", TTL: 300}, {Name: "@", Type: "MX", Content: "mail.webhost.systems", Priority: 10},
		{Name: "@", Type: "TXT", Content: "v=spf1 -all"}, {Name: "_sip._tcp", Type: "SRV", Content: "5 5060 www.webhost.systems", Priority: 10},
		{Name: "@", Type: "CAA", Content: `0 issue "letsencrypt.org"`}, {Name: "1.2", Type: "PTR", Content: "www.webhost.systems"}} {
		a.add(t, r)
	}
	text, err := a.api.ExportDNSRecords(ctx, a.zone, cf.ExportDNSRecordsParams{})
	if err != nil {
		t.Fatal(err)
	}
	other := newAccount(t, cloudflaresim.Options{})
	if err := other.api.ImportDNSRecords(ctx, other.zone, cf.ImportDNSRecordsParams{BINDContents: text}); err != nil {
		t.Fatal(err)
	}
	got, want := other.sim.Records("webhost.systems"), a.sim.Records("webhost.systems")
	if len(got) != len(want) {
		t.Fatalf("%d records came back of %d: %+v", len(got), len(want), got)
	}
	for i, r := range want {
		if g := got[i]; g.Name != r.Name || g.Type != r.Type || g.Content != r.Content || g.Priority != r.Priority || g.Proxied != r.Proxied || g.TTL != r.TTL {
			t.Errorf("imported %+v, want %+v", g, r)
		}
	}
	if resp, _ := other.raw(t, http.MethodPost, "/zones/"+other.zone.Identifier+"/dns_records/import", "no form"); resp.StatusCode != 400 {
		t.Errorf("no form: %d", resp.StatusCode)
	}
}
