package cloudflare

import (
	"fmt"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// balance puts two pools behind the name app.
func balance(b *bench) {
	b.t.Helper()
	var ids []string
	for i, name := range []string{"hobby", "standby"} {
		id, err := b.sim.AddPool(name, "/health", time.Minute, [][2]string{{name + "-1", fmt.Sprintf("203.0.113.%d", 10*i+1)}, {name + "-2", fmt.Sprintf("203.0.113.%d", 10*i+2)}})
		if err != nil {
			b.t.Fatal(err)
		}
		ids = append(ids, id)
	}
	if err := b.sim.AddLoadBalancer(zoneName, "app", false, ids...); err != nil {
		b.t.Fatal(err)
	}
}

func TestPoolsAndBalancers(t *testing.T) {
	b := newBench(t)
	balance(b)
	list := b.must("pools", data{"zone": zoneName}).([]any)
	wantFields(t, list[0], data{"name": "hobby", "enabled": true, "watched": true, "needs": 1})
	origins := list[0].(data)["origins"].([]any)
	wantFields(t, origins[1], data{"name": "hobby-2", "address": "203.0.113.2", "enabled": true})
	wantFields(t, b.must("pool_health", data{"zone": zoneName, "pool": "hobby"}), data{"healthy": true, "places": 1})
	found := b.must("load_balancers", data{"zone": zoneName}).([]any)
	wantFields(t, found[0], data{"name": "app.webhost.systems", "pools": "[hobby standby]", "fallback": "standby", "steering": "off"})
	_, err := b.call("pool_health", data{"zone": zoneName, "pool": "hoby"})
	if f := b.wantFault(err, fault.NotFound, fault.NotDone, false); f.Hint != `did you mean "hobby"?` {
		t.Errorf("%q", f.Hint)
	}
}

func lostSteering() []lost {
	return []lost{
		{"set_pool_enabled", data{"zone": zoneName, "pool": "hobby", "enabled": false}, data{"name": "hobby", "enabled": false, "watched": true, "changed": true}, balance},
		{"set_origin_enabled", data{"zone": zoneName, "pool": "hobby", "origin": "hobby-2", "enabled": false}, data{"name": "hobby", "enabled": true, "changed": true}, balance},
		{"set_lb_pools", data{"zone": zoneName, "name": "app", "pools": []any{"standby", "hobby"}, "fallback": "hobby", "from": []any{"hobby", "standby"}},
			data{"pools": "[standby hobby]", "fallback": "hobby", "changed": true}, balance},
	}
}

// TestSteering: each change is sent once, changes nothing else, and is left
// alone when it is right already.
func TestSteering(t *testing.T) {
	for _, c := range lostSteering() {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			balance(b)
			before := b.must("pools", data{"zone": zoneName})
			wantFields(t, b.must(c.name, c.args), c.want)
			wantFields(t, b.must(c.name, c.args), data{"changed": false})
			if n := b.front.mutations(); n != 1 {
				t.Errorf("sent %d times", n)
			}
			for i, p := range b.must("pools", data{"zone": zoneName}).([]any) {
				for _, field := range []string{"id", "name", "watched", "needs"} {
					wantFields(t, p, data{field: before.([]any)[i].(data)[field]})
				}
			}
		})
	}
}

func TestSteeringRefuses(t *testing.T) {
	b := newBench(t)
	balance(b)
	for name, c := range map[string]struct {
		args data
		kind fault.Kind
	}{
		"set_pool_enabled":   {data{"zone": zoneName, "pool": "nobody", "enabled": true}, fault.NotFound},
		"set_origin_enabled": {data{"zone": zoneName, "pool": "hobby", "origin": "nobody", "enabled": true}, fault.NotFound},
		"set_lb_pools":       {data{"zone": zoneName, "name": "app", "pools": []any{"standby"}, "from": []any{"standby", "hobby"}}, fault.Conflict},
	} {
		_, err := b.call(name, c.args)
		b.wantFault(err, c.kind, fault.NotDone, false)
		if s, err := b.settleAny(name, c.args); c.kind == fault.Conflict && (err != nil || s.Landed != binding.Unknown || s.Look == "") {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
	_, err := b.call("set_lb_pools", data{"zone": zoneName, "name": "app", "pools": []any{}})
	b.wantFault(err, fault.Invalid, fault.NotDone, false)
	if n := b.front.mutations(); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

func (b *bench) settleAny(name string, args data) (binding.Settlement[any], error) {
	f, decoded := b.prepare(name, args)
	return f.Settle(keyed(), b.client, decoded)
}
