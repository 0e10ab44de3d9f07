package dns_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/bindings/cloudflare/cloudflaresim"
	"github.com/webhost-systems/drhost/bindings/dns"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
)

// network leads documentation addresses to loopback; whatever has no route
// refuses.
type network struct {
	mu     sync.Mutex
	routes map[string]string
}

func (n *network) Dial(ctx context.Context, proto, address string) (net.Conn, error) {
	n.mu.Lock()
	to := n.routes[address]
	n.mu.Unlock()
	if to == "" {
		return nil, &net.OpError{Op: "dial", Net: proto, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	return new(net.Dialer).DialContext(ctx, proto, to)
}

func (n *network) LookupHost(context.Context, string) ([]string, error) {
	return nil, errors.New("the machine's own resolver must not be asked")
}
func (n *network) Transport() http.RoundTripper { return http.DefaultTransport }
func (n *network) Forward(_ context.Context, address string) (string, func(), error) {
	return address, func() {}, nil
}

type bench struct {
	t         *testing.T
	sim       *cloudflaresim.Sim
	ns        [2]*cloudflaresim.Nameserver
	resolvers [2]*cloudflaresim.Resolver
	net       *network
	catalog   *binding.Catalog
	client    any
}

func newBench(t *testing.T, speed float64) *bench {
	t.Helper()
	var c clock.Clock = clock.System{}
	if speed > 1 {
		c = clock.Scaled{Factor: speed}
	}
	b := &bench{t: t, sim: cloudflaresim.New(cloudflaresim.Options{Clock: c, Propagation: -1}), net: &network{routes: map[string]string{}}}
	b.sim.AddZone("webhost.systems")
	b.sim.AddZone("lb.example")
	for i := range b.ns {
		n, err := b.sim.ListenDNS()
		if err != nil {
			t.Fatal(err)
		}
		b.ns[i] = n
		t.Cleanup(func() { closed(t, n.Close()) })
		b.net.routes[fmt.Sprintf("203.0.113.%d:53", 2+i)] = n.Addr()
	}
	for i := range b.resolvers {
		r, err := cloudflaresim.NewResolver(b.sim.Authoritative(b.ns[:]...), c, 0)
		if err != nil {
			t.Fatal(err)
		}
		b.resolvers[i] = r
		t.Cleanup(func() { closed(t, r.Close()) })
		b.net.routes[fmt.Sprintf("203.0.113.%d:53", 8+i)] = r.Addr()
	}
	catalog, err := binding.NewCatalog(dns.Module())
	if err != nil {
		t.Fatal(err)
	}
	b.catalog = catalog
	b.client, err = dns.Module().Open(binding.Env{Name: "test", Net: b.net, Clock: c,
		Settings: data{"resolvers": []any{"203.0.113.8", "203.0.113.9:53"}, "answer_within": "3s"}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func closed(t *testing.T, err error) {
	if err != nil {
		t.Error(err)
	}
}

type data = map[string]any

func (b *bench) add(zone, name, kind, content string, ttl int) {
	b.t.Helper()
	if _, err := b.sim.AddRecord(zone, cloudflaresim.Record{Name: name, Type: kind, Content: content, TTL: ttl}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) set(zone, name, kind, content string) {
	b.t.Helper()
	if err := b.sim.SetContent(zone, name, kind, content); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) callIn(ctx context.Context, name string, args data) (any, error) {
	b.t.Helper()
	f := b.catalog.Function("dns." + name)
	decoded, err := f.Decode(args, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return f.Call(ctx, b.client, decoded)
}

func (b *bench) call(name string, args data) (any, error) {
	b.t.Helper()
	return b.callIn(context.Background(), name, args)
}

func (b *bench) must(name string, args data) any {
	b.t.Helper()
	out, err := b.call(name, args)
	if err != nil {
		b.t.Fatalf("%s: %v", name, err)
	}
	return out
}

func wantFields(t *testing.T, got any, want data) {
	t.Helper()
	m, ok := got.(data)
	if !ok {
		t.Fatalf("got %#v", got)
	}
	for k, v := range want {
		if fmt.Sprint(m[k]) != fmt.Sprint(v) {
			t.Errorf("%s is %v, want %v in %v", k, m[k], v, m)
		}
	}
}

func wantFault(t *testing.T, err error, kind fault.Kind, transient bool, says ...string) {
	t.Helper()
	f := &fault.Fault{}
	if err != nil {
		f = fault.As(err)
	}
	if f.Kind != kind || f.Transient != transient {
		t.Errorf("got %q (transient %t), want %q: %v", f.Kind, f.Transient, kind, err)
	}
	for _, s := range says {
		if !strings.Contains(f.Error(), s) {
			t.Errorf("%q does not say %q", f.Error(), s)
		}
	}
}

func TestLookup(t *testing.T) {
	b := newBench(t, 1)
	b.add("webhost.systems", "hobby", "A", "203.0.113.10", 60)
	b.add("webhost.systems", "www", "CNAME", "hobby.webhost.systems", 300)
	b.add("webhost.systems", "@", "TXT", "v=spf1 -all", 300)
	b.add("webhost.systems", "@", "MX", "mail.webhost.systems", 300)
	for i := range 8 {
		b.add("webhost.systems", "big", "TXT", strings.Repeat(string(rune('a'+i)), 250), 60)
	}
	wantFields(t, b.must("lookup", data{"name": "HOBBY.webhost.systems."}), data{"rcode": "NOERROR", "answers": "[203.0.113.10]", "ttl": 60, "authoritative": false, "server": "203.0.113.8:53"})
	wantFields(t, b.must("lookup", data{"name": "www.webhost.systems", "server": "203.0.113.2"}), data{"answers": "[203.0.113.10]", "aliases": "[hobby.webhost.systems]", "authoritative": true, "ttl": 60})
	wantFields(t, b.must("lookup", data{"name": "webhost.systems", "type": "TXT"}), data{"answers": "[v=spf1 -all]", "type": "TXT"})
	wantFields(t, b.must("lookup", data{"name": "webhost.systems", "type": "MX"}), data{"answers": "[0 mail.webhost.systems]"})
	wantFields(t, b.must("lookup", data{"name": "gone.webhost.systems"}), data{"rcode": "NXDOMAIN", "answers": "[]"})
	big := b.must("lookup", data{"name": "big.webhost.systems", "type": "TXT"}).(data)
	if n := len(big["answers"].([]any)); n != 8 {
		t.Errorf("%d answers that do not fit into a packet, want 8", n)
	}
}

func TestLookupFaults(t *testing.T) {
	b := newBench(t, 20)
	_, err := b.call("lookup", data{"name": "a..b"})
	wantFault(t, err, fault.Invalid, false)
	_, err = b.call("lookup", data{"name": "hobby.webhost.systems", "server": "203.0.113.77"})
	wantFault(t, err, fault.Unavailable, true, "203.0.113.77:53", "refused")
	b.ns[0].Behave(cloudflaresim.Refusing)
	_, err = b.call("lookup", data{"name": "hobby.webhost.systems", "server": "203.0.113.2"})
	wantFault(t, err, fault.Unavailable, true, "REFUSED")
	b.resolvers[0].Behave(cloudflaresim.Failing)
	b.resolvers[1].Behave(cloudflaresim.Silent)
	ctx, meter := clock.WithMeter(context.Background())
	_, err = b.callIn(ctx, "lookup", data{"name": "hobby.webhost.systems"})
	wantFault(t, err, fault.Unavailable, true, "SERVFAIL", "no answer within 3s")
	if cut := meter.Total(); cut != 3*time.Second-250*time.Millisecond {
		t.Errorf("the meter counts %s", cut)
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	_, err = b.callIn(ctx, "lookup", data{"name": "hobby.webhost.systems"})
	wantFault(t, err, fault.Cancelled, false)
}

func TestTheSecondResolverHelpsOut(t *testing.T) {
	b := newBench(t, 20)
	b.add("webhost.systems", "hobby", "A", "203.0.113.10", 60)
	b.resolvers[0].Behave(cloudflaresim.Silent)
	wantFields(t, b.must("lookup", data{"name": "hobby.webhost.systems"}), data{"server": "203.0.113.9:53", "answers": "[203.0.113.10]"})
}

func TestNameservers(t *testing.T) {
	b := newBench(t, 1)
	b.add("webhost.systems", "hobby", "A", "203.0.113.10", 60)
	for _, name := range []string{"webhost.systems", "hobby.webhost.systems", "not.there.webhost.systems"} {
		got := b.must("nameservers", data{"zone": name}).(data)
		wantFields(t, got, data{"zone": "webhost.systems"})
		servers := got["servers"].([]any)
		if len(servers) != 2 {
			t.Fatalf("servers: %v", servers)
		}
		wantFields(t, servers[0], data{"name": "ada.ns.cloudflare.com", "addresses": "[203.0.113.2]"})
		wantFields(t, servers[1], data{"name": "bob.ns.cloudflare.com", "addresses": "[203.0.113.3]"})
	}
	_, err := b.call("nameservers", data{"zone": "nobody.invalid"})
	wantFault(t, err, fault.NotFound, false, "nobody.invalid")
}

func TestCheckIsATablePerServer(t *testing.T) {
	b := newBench(t, 20)
	b.add("webhost.systems", "hobby", "A", "203.0.113.10", 60)
	b.must("lookup", data{"name": "hobby.webhost.systems"}) // the first resolver remembers
	b.set("webhost.systems", "hobby", "A", "203.0.113.11")
	b.ns[1].Behave(cloudflaresim.Silent)
	rows := b.must("check", data{"name": "hobby.webhost.systems", "expect": []any{"203.0.113.11"}}).([]any)
	if len(rows) != 4 {
		t.Fatalf("rows: %v", rows)
	}
	wantFields(t, rows[0], data{"server": "ada.ns.cloudflare.com", "address": "203.0.113.2:53", "role": "authoritative", "rcode": "NOERROR", "answers": "[203.0.113.11]", "authoritative": true, "ok": true})
	wantFields(t, rows[1], data{"server": "bob.ns.cloudflare.com", "rcode": "", "ok": false, "problem": "no answer within 3s"})
	wantFields(t, rows[2], data{"server": "203.0.113.8:53", "role": "resolver", "answers": "[203.0.113.10]", "authoritative": false, "ok": false})
	wantFields(t, rows[3], data{"server": "203.0.113.9:53", "answers": "[203.0.113.11]", "ok": true})
	rows = b.must("check", data{"name": "nobody.webhost.systems"}).([]any)
	wantFields(t, rows[0], data{"rcode": "NXDOMAIN", "ok": false})
}

func TestAliasesIntoAnotherZone(t *testing.T) {
	b := newBench(t, 1)
	b.add("webhost.systems", "www", "CNAME", "edge.lb.example", 300)
	b.add("lb.example", "edge", "A", "203.0.113.20", 60)
	rows := b.must("check", data{"name": "www.webhost.systems", "expect": "203.0.113.20"}).([]any)
	if len(rows) != 6 {
		t.Fatalf("rows: %v", rows)
	}
	wantFields(t, rows[0], data{"name": "www.webhost.systems", "alias": "edge.lb.example", "ok": true})
	wantFields(t, rows[2], data{"name": "edge.lb.example", "answers": "[203.0.113.20]", "ok": true})
	wantFields(t, b.must("wait_propagated", data{"name": "www.webhost.systems", "expect": "203.0.113.20", "within": "1s"}), data{"ok": true})
	rows = b.must("check", data{"name": "www.webhost.systems", "type": "CNAME", "expect": "edge.lb.example"}).([]any)
	wantFields(t, rows[0], data{"answers": "[edge.lb.example]", "ok": true})
}

func TestWaitUntilAChangeArrives(t *testing.T) {
	b := newBench(t, 60)
	b.add("webhost.systems", "hobby", "A", "203.0.113.10", 60)
	b.must("lookup", data{"name": "hobby.webhost.systems"})
	rounds := 0
	ctx := binding.WithProgress(context.Background(), func(string) {
		if rounds++; rounds == 3 {
			b.set("webhost.systems", "hobby", "A", "203.0.113.11")
		}
	})
	got, err := b.callIn(ctx, "wait_propagated", data{"name": "hobby.webhost.systems", "expect": "203.0.113.11", "within": "5m"})
	if err != nil {
		t.Fatal(err)
	}
	wantFields(t, got, data{"ok": true})
	if rounds != 4 {
		t.Errorf("%d rounds, want 4", rounds)
	}
	elapsed, err := time.ParseDuration(got.(data)["elapsed"].(string))
	if err != nil || elapsed < 15*time.Second || elapsed > time.Minute {
		t.Errorf("three pauses of 5 s took %s in the drill's time (%v)", elapsed, err)
	}
	// The resolver of the first question remembers the old answer for the rest
	// of a minute, which is a second here.
	wantFields(t, b.must("wait_propagated", data{"name": "hobby.webhost.systems", "expect": "203.0.113.11", "within": "3m", "require": "all"}), data{"ok": true})
}

func TestWaitInVainSaysWhoAnswersWhat(t *testing.T) {
	b := newBench(t, 100)
	b.add("webhost.systems", "hobby", "A", "203.0.113.10", 60)
	_, err := b.call("wait_propagated", data{"name": "hobby.webhost.systems", "expect": "203.0.113.11", "within": "10s", "every": "2s"})
	wantFault(t, err, fault.Timeout, false, "ada.ns.cloudflare.com: 203.0.113.10", "bob.ns.cloudflare.com: 203.0.113.10", "203.0.113.8:53: 203.0.113.10 for another")
	_, err = b.call("wait_propagated", data{"name": "hobby.webhost.systems", "expect": []any{}})
	wantFault(t, err, fault.Invalid, false)
}

func TestWaitWithServersDown(t *testing.T) {
	b := newBench(t, 100)
	b.add("webhost.systems", "hobby", "A", "203.0.113.10", 60)
	wait := data{"name": "hobby.webhost.systems", "expect": "203.0.113.10", "within": "20s"}
	b.must("wait_propagated", wait)
	b.net.mu.Lock()
	delete(b.net.routes, "203.0.113.3:53")
	b.net.mu.Unlock()
	got := b.must("wait_propagated", wait).(data)
	if row := got["servers"].([]any)[1].(data); row["ok"] != false || !strings.Contains(row["problem"].(string), "refused") {
		t.Errorf("the server that is down: %v", row)
	}
	b.ns[0].Behave(cloudflaresim.Refusing)
	_, err := b.call("wait_propagated", wait)
	wantFault(t, err, fault.Timeout, false, "REFUSED", "refused")
	b.net.mu.Lock()
	delete(b.net.routes, "203.0.113.2:53")
	b.net.mu.Unlock()
	_, err = b.call("wait_propagated", wait)
	wantFault(t, err, fault.Timeout, false, "ada.ns.cloudflare.com")
	ctx, stop := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer stop()
	_, err = b.callIn(ctx, "wait_propagated", data{"name": "hobby.webhost.systems", "expect": "203.0.113.10", "within": "1h"})
	wantFault(t, err, fault.Timeout, false)
}

func TestNoResolvers(t *testing.T) {
	_, err := dns.Module().Open(binding.Env{Name: "test", Settings: data{"resolvers": []any{}}})
	if fault.KindOf(err) != fault.Invalid {
		t.Error(err)
	}
}
