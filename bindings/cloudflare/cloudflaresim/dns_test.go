package cloudflaresim_test

import (
	"context"
	"strings"
	"testing"
	"time"

	cf "github.com/cloudflare/cloudflare-go"
	"github.com/miekg/dns"

	"github.com/webhost-systems/drhost/bindings/cloudflare/cloudflaresim"
)

func (a *account) listen(t *testing.T) *cloudflaresim.Nameserver {
	t.Helper()
	n, err := a.sim.ListenDNS()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func (a *account) resolver(t *testing.T, servers ...*cloudflaresim.Nameserver) *cloudflaresim.Resolver {
	t.Helper()
	r, err := cloudflaresim.NewResolver(a.sim.Authoritative(servers...), a.clock, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func dig(t *testing.T, server, name string, qtype uint16, network string) *dns.Msg {
	t.Helper()
	m, _, err := (&dns.Client{Net: network, Timeout: 5 * time.Second}).Exchange(new(dns.Msg).SetQuestion(dns.Fqdn(name), qtype), server)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// brief is an answer on one line, owners and TTLs included.
func brief(m *dns.Msg) string {
	parts := []string{dns.RcodeToString[m.Rcode]}
	for _, rr := range m.Answer {
		parts = append(parts, strings.ReplaceAll(rr.String(), "\t", " "))
	}
	return strings.Join(parts, " | ")
}

func TestAuthoritativeAnswers(t *testing.T) {
	a := newAccount(t, cloudflaresim.Options{})
	for _, r := range []cloudflaresim.Record{
		{Name: "hobby", Type: "A", Content: "203.0.113.10", TTL: 60},
		{Name: "www", Type: "CNAME", Content: "hobby.webhost.systems"},
		{Name: "out", Type: "CNAME", Content: "elsewhere.example", TTL: 120},
		{Name: "shop", Type: "A", Content: "203.0.113.12", Proxied: true},
		{Name: "*.wild", Type: "A", Content: "203.0.113.13"},
		{Name: "x.deep.wild", Type: "TXT", Content: "here"},
		{Name: "@", Type: "CNAME", Content: "hobby.webhost.systems"},
		{Name: "@", Type: "MX", Content: "mail.webhost.systems", Priority: 10},
	} {
		a.add(t, r)
	}
	ns := a.listen(t).Addr()
	for _, c := range []struct {
		name  string
		qtype uint16
		want  string
	}{
		{"hobby.webhost.systems", dns.TypeA, "NOERROR | hobby.webhost.systems. 60 IN A 203.0.113.10"},
		{"HOBBY.webhost.systems", dns.TypeA, "NOERROR | HOBBY.webhost.systems. 60 IN A 203.0.113.10"},
		{"hobby.webhost.systems", dns.TypeAAAA, "NOERROR"},
		{"www.webhost.systems", dns.TypeA, "NOERROR | www.webhost.systems. 300 IN CNAME hobby.webhost.systems. | hobby.webhost.systems. 60 IN A 203.0.113.10"},
		{"www.webhost.systems", dns.TypeCNAME, "NOERROR | www.webhost.systems. 300 IN CNAME hobby.webhost.systems."},
		{"out.webhost.systems", dns.TypeA, "NOERROR | out.webhost.systems. 120 IN CNAME elsewhere.example."},
		{"shop.webhost.systems", dns.TypeA, "NOERROR | shop.webhost.systems. 300 IN A 198.51.100.1"},
		{"shop.webhost.systems", dns.TypeAAAA, "NOERROR"},
		{"any.wild.webhost.systems", dns.TypeA, "NOERROR | any.wild.webhost.systems. 300 IN A 203.0.113.13"},
		{"y.deep.wild.webhost.systems", dns.TypeA, "NXDOMAIN"},
		{"deep.wild.webhost.systems", dns.TypeA, "NOERROR"},
		{"gone.webhost.systems", dns.TypeA, "NXDOMAIN"},
		{"webhost.systems", dns.TypeA, "NOERROR | webhost.systems. 60 IN A 203.0.113.10"},
		{"webhost.systems", dns.TypeMX, "NOERROR | webhost.systems. 300 IN MX 10 mail.webhost.systems."},
		{"webhost.systems", dns.TypeNS, "NOERROR | webhost.systems. 86400 IN NS ada.ns.cloudflare.com. | webhost.systems. 86400 IN NS bob.ns.cloudflare.com."},
		{"bob.ns.cloudflare.com", dns.TypeA, "NOERROR | bob.ns.cloudflare.com. 86400 IN A 203.0.113.3"},
		{"other.example", dns.TypeA, "REFUSED"},
	} {
		for _, network := range []string{"udp", "tcp"} {
			m := dig(t, ns, c.name, c.qtype, network)
			if got := brief(m); got != c.want {
				t.Errorf("%s %s over %s:\n got %s\nwant %s", c.name, dns.TypeToString[c.qtype], network, got, c.want)
			}
			if m.Authoritative != (m.Rcode != dns.RcodeRefused) {
				t.Errorf("%s: AA is %t", c.name, m.Authoritative)
			}
			if empty := len(m.Answer) == 0 && m.Rcode != dns.RcodeRefused; empty && (len(m.Ns) != 1 || m.Ns[0].Header().Rrtype != dns.TypeSOA) {
				t.Errorf("%s: an absence without SOA: %v", c.name, m.Ns)
			}
		}
	}
	if content, ok := a.sim.Origin("198.51.100.1"); !ok || content != "203.0.113.12" {
		t.Errorf("behind the edge: %q, %t", content, ok)
	}
	if _, ok := a.sim.Origin("198.51.100.2"); ok {
		t.Error("an address of the edge that nobody has leads somewhere")
	}
}

func TestChangesPropagate(t *testing.T) {
	a := newAccount(t, cloudflaresim.Options{Propagation: 6 * time.Second, Speed: 2})
	id := a.add(t, cloudflaresim.Record{Name: "www", Type: "A", Content: "203.0.113.10", TTL: 60})
	ns := a.listen(t).Addr()
	serial := func() uint32 {
		return dig(t, ns, "webhost.systems", dns.TypeSOA, "udp").Answer[0].(*dns.SOA).Serial
	}
	before := serial()
	if _, err := a.api.UpdateDNSRecord(context.Background(), a.zone, cf.UpdateDNSRecordParams{ID: id, Content: "203.0.113.11"}); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		after time.Duration
		want  string
	}{{0, "203.0.113.10"}, {2900 * time.Millisecond, "203.0.113.10"}, {200 * time.Millisecond, "203.0.113.11"}} {
		a.clock.move(step.after)
		if got := brief(dig(t, ns, "www.webhost.systems", dns.TypeA, "udp")); !strings.HasSuffix(got, step.want) {
			t.Errorf("%s, want %s", got, step.want)
		}
	}
	if after := serial(); after != before+1 {
		t.Errorf("serial %d after %d", after, before)
	}
}

func TestNameserverManners(t *testing.T) {
	a := newAccount(t, cloudflaresim.Options{})
	a.add(t, cloudflaresim.Record{Name: "www", Type: "A", Content: "203.0.113.10"})
	n := a.listen(t)
	n.Behave(cloudflaresim.Refusing)
	if m := dig(t, n.Addr(), "www.webhost.systems", dns.TypeA, "udp"); m.Rcode != dns.RcodeRefused {
		t.Error(brief(m))
	}
	n.Behave(cloudflaresim.Failing)
	if m := dig(t, n.Addr(), "www.webhost.systems", dns.TypeA, "tcp"); m.Rcode != dns.RcodeServerFailure {
		t.Error(brief(m))
	}
	n.Behave(cloudflaresim.Silent)
	c := &dns.Client{Timeout: 100 * time.Millisecond}
	if m, _, err := c.Exchange(new(dns.Msg).SetQuestion("www.webhost.systems.", dns.TypeA), n.Addr()); err == nil {
		t.Errorf("a silent server said %s", brief(m))
	}
	n.Behave(cloudflaresim.Answering)
	if m := dig(t, n.Addr(), "www.webhost.systems", dns.TypeA, "udp"); len(m.Answer) != 1 {
		t.Error(brief(m))
	}
}

func TestLargeAnswersMoveToTCP(t *testing.T) {
	a := newAccount(t, cloudflaresim.Options{})
	for i := range 8 {
		a.add(t, cloudflaresim.Record{Name: "big", Type: "TXT", Content: strings.Repeat(string(rune('a'+i)), 200)})
	}
	n := a.listen(t)
	if m := dig(t, n.Addr(), "big.webhost.systems", dns.TypeTXT, "udp"); !m.Truncated {
		t.Error("1600 bytes fit into a packet of 512")
	}
	if m := dig(t, n.Addr(), "big.webhost.systems", dns.TypeTXT, "tcp"); len(m.Answer) != 8 {
		t.Errorf("%d answers over TCP", len(m.Answer))
	}
	r := a.resolver(t, n)
	if m := dig(t, r.Addr(), "big.webhost.systems", dns.TypeTXT, "tcp"); len(m.Answer) != 8 {
		t.Errorf("%d answers through the resolver", len(m.Answer))
	}
}

func TestResolverHonoursTTL(t *testing.T) {
	a := newAccount(t, cloudflaresim.Options{})
	a.add(t, cloudflaresim.Record{Name: "hobby", Type: "A", Content: "203.0.113.10", TTL: 60})
	a.add(t, cloudflaresim.Record{Name: "www", Type: "CNAME", Content: "hobby.webhost.systems", TTL: 300})
	r := a.resolver(t, a.listen(t))
	ask := func() string { return brief(dig(t, r.Addr(), "www.webhost.systems", dns.TypeA, "udp")) }
	if got, want := ask(), "NOERROR | www.webhost.systems. 300 IN CNAME hobby.webhost.systems. | hobby.webhost.systems. 60 IN A 203.0.113.10"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if err := a.sim.SetContent("webhost.systems", "hobby", "A", "203.0.113.11"); err != nil {
		t.Fatal(err)
	}
	a.clock.move(59 * time.Second)
	if got := ask(); !strings.Contains(got, " 1 IN A 203.0.113.10") || !strings.Contains(got, " 241 IN CNAME") {
		t.Errorf("in the last second of the TTL: %s", got)
	}
	a.clock.move(time.Second)
	if got := ask(); !strings.Contains(got, " 60 IN A 203.0.113.11") || !strings.Contains(got, " 240 IN CNAME") {
		t.Errorf("after the TTL of the address, within that of the alias: %s", got)
	}
}

func TestResolverSpeed(t *testing.T) {
	a := newAccount(t, cloudflaresim.Options{})
	a.add(t, cloudflaresim.Record{Name: "hobby", Type: "A", Content: "203.0.113.10", TTL: 60})
	r, err := cloudflaresim.NewResolver(a.sim.Authoritative(a.listen(t)), a.clock, 60)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	dig(t, r.Addr(), "hobby.webhost.systems", dns.TypeA, "udp")
	if err := a.sim.SetContent("webhost.systems", "hobby", "A", "203.0.113.11"); err != nil {
		t.Fatal(err)
	}
	a.clock.move(500 * time.Millisecond)
	if got := brief(dig(t, r.Addr(), "hobby.webhost.systems", dns.TypeA, "udp")); !strings.HasSuffix(got, " 30 IN A 203.0.113.10") {
		t.Error(got)
	}
	a.clock.move(510 * time.Millisecond)
	if got := brief(dig(t, r.Addr(), "hobby.webhost.systems", dns.TypeA, "udp")); !strings.HasSuffix(got, "203.0.113.11") {
		t.Error(got)
	}
}

func TestResolverRemembersAbsence(t *testing.T) {
	a := newAccount(t, cloudflaresim.Options{})
	r := a.resolver(t, a.listen(t))
	ask := func() *dns.Msg { return dig(t, r.Addr(), "late.webhost.systems", dns.TypeA, "udp") }
	if m := ask(); m.Rcode != dns.RcodeNameError || len(m.Ns) != 1 {
		t.Error(brief(m))
	}
	a.add(t, cloudflaresim.Record{Name: "late", Type: "A", Content: "203.0.113.10"})
	if m := ask(); m.Rcode != dns.RcodeNameError {
		t.Errorf("forgot the absence at once: %s", brief(m))
	}
	a.clock.move(1801 * time.Second)
	if m := ask(); len(m.Answer) != 1 {
		t.Errorf("after the negative TTL: %s", brief(m))
	}
	if m := dig(t, r.Addr(), "nobody.invalid", dns.TypeA, "udp"); m.Rcode != dns.RcodeNameError {
		t.Errorf("a name outside the world: %s", brief(m))
	}
}

func TestResolverWithASilentServer(t *testing.T) {
	a := newAccount(t, cloudflaresim.Options{})
	a.add(t, cloudflaresim.Record{Name: "www", Type: "A", Content: "203.0.113.10"})
	first, second := a.listen(t), a.listen(t)
	r, err := cloudflaresim.NewResolver(a.sim.Authoritative(first, second), a.clock, 100)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	first.Behave(cloudflaresim.Silent)
	if m := dig(t, r.Addr(), "www.webhost.systems", dns.TypeA, "udp"); len(m.Answer) != 1 {
		t.Errorf("one of two servers silent: %s", brief(m))
	}
	r.Flush()
	second.Behave(cloudflaresim.Refusing)
	if m := dig(t, r.Addr(), "www.webhost.systems", dns.TypeA, "udp"); m.Rcode != dns.RcodeServerFailure {
		t.Errorf("nobody answers: %s", brief(m))
	}
}
