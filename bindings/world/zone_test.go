package world

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// zoneHolds are the records of a zone on one line each.
func (x *tour) zoneHolds(zone string) string {
	var out []string
	for _, r := range x.State().Records[zone] {
		out = append(out, fmt.Sprintf("%s %s %s %d", strings.TrimSuffix(r.Name, "."+zone), r.Type, r.Content, r.TTL))
	}
	return strings.Join(out, ", ")
}

func TestRecordsCanBeWrongLostAndRogue(t *testing.T) {
	x := small(t, 100)
	for _, c := range []struct {
		name string
		args map[string]any
		want string
	}{
		{"wrong_record", map[string]any{"name": "www.example.org", "content": "203.0.113.200"}, "www A 203.0.113.200 60"},
		{"wrong_record", map[string]any{"name": "www.example.org", "ttl": 86400.0}, "www A 203.0.113.200 86400"},
		{"rogue_record", map[string]any{"name": "www.example.org", "content": "203.0.113.201", "ttl": 60.0}, "www A 203.0.113.200 86400, www A 203.0.113.201 60"},
		{"lose_record", map[string]any{"name": "www.example.org", "type": "A"}, ""},
	} {
		if err := x.Inject(c.name, c.args); err != nil {
			t.Fatal(err)
		}
		if got := x.zoneHolds("example.org"); got != c.want {
			t.Errorf("after %s: %s, want %s", c.name, got, c.want)
		}
	}
	for name, args := range map[string]map[string]any{
		"wrong_record": {"name": "www.example.org", "content": "203.0.113.1"},
		"lose_record":  {"name": "www.other.org"},
		"rogue_record": {"name": "www.example.org", "content": "nonsense"},
		"zone_status":  {"zone": "example.org", "status": "odd"},
		"later":        {"provider": "cloudflare", "fault": "odd"},
	} {
		if err := x.Inject(name, args); err == nil || !strings.HasPrefix(err.Error(), name) {
			t.Errorf("%s %v: %v", name, args, err)
		}
	}
}

// TestLaterFaultWaitsForItsRequest: the second disaster strikes when the
// recovery has come to a certain request, not before and not twice.
func TestLaterFaultWaitsForItsRequest(t *testing.T) {
	x := small(t, 100)
	if err := x.Inject("later", map[string]any{"provider": "cloudflare", "method": "mutation", "count": 2.0,
		"fault": "lose_record", "args": map[string]any{"name": "www.example.org"}}); err != nil {
		t.Fatal(err)
	}
	send := func(method, path, body string) string {
		t.Helper()
		req, err := http.NewRequestWithContext(x.ctx, method, x.variable("CLOUDFLARE_BASE_URL")+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+x.variable("CF_API_TOKEN"))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	list := send("GET", "/zones?name=example.org", "")
	at := strings.Index(list, `"name":"example.org"`)
	ids := strings.Split(list[:at], `"id":"`)
	zone := ids[len(ids)-1][:32]
	send("POST", "/zones/"+zone+"/dns_records", `{"type":"A","name":"a","content":"203.0.113.1"}`)
	send("POST", "/zones/"+zone+"/dns_records", `{"type":"A","name":"refused","content":"x"}`)
	if got := x.zoneHolds("example.org"); !strings.Contains(got, "www A") {
		t.Errorf("struck too early: %s", got)
	}
	send("POST", "/zones/"+zone+"/dns_records", `{"type":"A","name":"b","content":"203.0.113.1"}`)
	if got := x.zoneHolds("example.org"); strings.Contains(got, "www A") {
		t.Errorf("did not strike: %s", got)
	}
	if faults := x.Faults(); len(faults) != 2 || faults[1].Name != "lose_record" {
		t.Errorf("%+v", faults)
	}
}

// TestPoolsOfTheWorld: a load balancer leads customers away from a server that
// does not answer its monitor.
func TestPoolsOfTheWorld(t *testing.T) {
	spec := Spec{Pools: []PoolSpec{{Name: "p", Origins: []OriginSpec{{Server: "nobody"}}}}}
	if err := spec.check(); err == nil {
		t.Error("a pool with a server that is not there was accepted")
	}
	spec = Spec{Zones: []ZoneSpec{{Name: "example.org", Balancers: []BalancerSpec{{Name: "app", Pools: []string{"nobody"}}}}}}
	if err := spec.check(); err == nil {
		t.Error("a load balancer with a pool that is not there was accepted")
	}
	w, err := Start(t.Context(), Spec{Servers: []ServerSpec{{Name: "bare-1", Image: "debian-12"}},
		Pools: []PoolSpec{{Name: "main", Path: "/health", Origins: []OriginSpec{{Server: "bare-1"}}}, {Name: "spare", Origins: []OriginSpec{{Name: "x", Address: "203.0.113.99"}}}},
		Zones: []ZoneSpec{{Name: "example.org", Balancers: []BalancerSpec{{Name: "app", Pools: []string{"main", "spare"}}}}}}, Options{Name: "pools", Speed: 100})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	// Nothing listens on port 80 of the bare server, so that its pool is down.
	if address, err := w.lookup(t.Context(), "app.example.org"); err != nil || address != "203.0.113.99" {
		t.Errorf("customers are sent to %s, %v", address, err)
	}
}
