package cloudflaresim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// The TTLs that the vendor's servers give: 300 s for automatic and proxied
// records, a day for the delegation.
const (
	automaticTTL = 300
	nsTTL        = 86400
)

// longestChain bounds how many CNAMEs are followed.
const longestChain = 8

// edgePrefixes are where the edge's addresses lie: documentation addresses,
// then, for more than 254 proxied names, those reserved for benchmarks.
const edgePrefix, widePrefix = "198.51.100.", "198.18."

// Origin returns what stands behind an address of the edge: the name's A
// content, or its AAAA or CNAME content, as the name servers see it now. A
// request to the edge is passed on to it. ok is false for any other address.
func (s *Sim) Origin(address string) (content string, ok bool) {
	s.probeDue()
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, n := range s.edge {
		if edgeAddress(n) != address {
			continue
		}
		z := s.zoneOf(name)
		if z == nil {
			return "", false
		}
		at, _ := s.recordsAt(z, z.visible(s.clock.Now()), name)
		for _, kind := range []string{"A", "AAAA", "CNAME"} {
			for _, r := range at {
				if r.Type == kind && r.Proxied {
					return r.Content, true
				}
			}
		}
	}
	return "", false
}

// Authoritative tells a resolver which of servers to ask for a zone: all of
// them for a zone of this account, none for any other.
func (s *Sim) Authoritative(servers ...*Nameserver) func(zone string) []string {
	return func(name string) []string {
		s.mu.Lock()
		defer s.mu.Unlock()
		if plainName(name) != nameserverZone && s.zoneByName(plainName(name)) == nil {
			return nil
		}
		var out []string
		for _, n := range servers {
			out = append(out, n.Addr())
		}
		return out
	}
}

// anycast gives a proxied name its address at the edge, for good.
func (s *Sim) anycast(name string) string {
	if s.edge[name] == 0 {
		s.edge[name] = len(s.edge) + 1
	}
	return edgeAddress(s.edge[name])
}

func edgeAddress(n int) string {
	if n <= 254 {
		return fmt.Sprint(edgePrefix, n)
	}
	return fmt.Sprintf("%s%d.%d", widePrefix, n/256, n%256)
}

// zoneOf finds the zone that holds a name: the longest that fits.
func (s *Sim) zoneOf(name string) *zone {
	var best *zone
	for _, z := range s.zones {
		if (name == z.name || strings.HasSuffix(name, "."+z.name)) && (best == nil || len(z.name) > len(best.name)) {
			best = z
		}
	}
	return best
}

// reply answers as an authoritative server.
func (s *Sim) reply(q *dns.Msg) *dns.Msg {
	s.probeDue()
	s.mu.Lock()
	defer s.mu.Unlock()
	m := new(dns.Msg).SetReply(q)
	asked := q.Question[0]
	name := plainName(asked.Name)
	var z *zone
	zoneName, v := nameserverZone, ownVersion()
	if name != nameserverZone && !strings.HasSuffix(name, "."+nameserverZone) {
		if z = s.zoneOf(name); z == nil || asked.Qclass != dns.ClassINET {
			return m.SetRcode(q, dns.RcodeRefused)
		}
		zoneName, v = z.name, z.visible(s.clock.Now())
	}
	m.Authoritative = true
	l := lookup{sim: s, held: z, zone: zoneName, version: v, qtype: asked.Qtype}
	m.Answer, m.Rcode = l.run(name, asked.Name)
	if l.ended {
		m.Ns = []dns.RR{soa(zoneName, v.serial)}
	}
	if asked.Qtype == dns.TypeNS && name == nameserverZone {
		m.Extra = glue()
	}
	return m
}

// ownVersion is the zone of the name servers themselves.
func ownVersion() version {
	names := Nameservers()
	return version{visible: time.Time{}, serial: 1, records: []Record{
		{Name: names[0], Type: "A", Content: glue1, TTL: nsTTL}, {Name: names[1], Type: "A", Content: glue2, TTL: nsTTL}}}
}

func glue() []dns.RR {
	var out []dns.RR
	for _, r := range ownVersion().records {
		if rr, err := r.rr(r.Name, nsTTL); err == nil {
			out = append(out, rr)
		}
	}
	return out
}

func nsRecords(zone string) []dns.RR {
	var out []dns.RR
	for _, name := range Nameservers() {
		out = append(out, &dns.NS{Hdr: dns.RR_Header{Name: dns.Fqdn(zone), Rrtype: dns.TypeNS, Class: dns.ClassINET, Ttl: nsTTL}, Ns: name + "."})
	}
	return out
}

// at returns the records of a name, or those of the wildcard that covers it.
func (v version) at(name string) []Record {
	if found := v.exactly(name); len(found) > 0 || v.exists(name) {
		return found
	}
	for rest := name; ; {
		_, parent, ok := strings.Cut(rest, ".")
		if !ok {
			return nil
		}
		if found := v.exactly("*." + parent); len(found) > 0 {
			return found
		}
		if v.exists(parent) {
			return nil // the closest name there is has no wildcard (RFC 4592)
		}
		rest = parent
	}
}

func (v version) exactly(name string) []Record {
	var out []Record
	for _, r := range v.records {
		if r.Name == name {
			out = append(out, r)
		}
	}
	return out
}

// exists tells whether a name has records or names below it.
func (v version) exists(name string) bool {
	return slices.ContainsFunc(v.records, func(r Record) bool {
		return r.Name == name || strings.HasSuffix(r.Name, "."+name)
	})
}

// lookup is the search for one answer within a zone.
type lookup struct {
	sim     *Sim
	held    *zone // nil: the zone of the name servers themselves
	zone    string
	version version
	qtype   uint16
	ended   bool // without the type asked for: the SOA says so
}

// run follows CNAMEs inside the zone. owner is the name as it was asked, whose
// spelling the answer repeats.
func (l *lookup) run(name, owner string) (out []dns.RR, rcode int) {
	for range longestChain {
		if name == l.zone && l.qtype == dns.TypeSOA {
			return append(out, soa(l.zone, l.version.serial)), dns.RcodeSuccess
		}
		if name == l.zone && l.qtype == dns.TypeNS {
			return append(out, nsRecords(l.zone)...), dns.RcodeSuccess
		}
		records, balanced := l.version.at(name), false
		if l.held != nil {
			records, balanced = l.sim.recordsAt(l.held, l.version, name)
		}
		if found := l.typed(records, owner); len(found) > 0 {
			return append(out, found...), dns.RcodeSuccess
		}
		alias := slices.IndexFunc(records, func(r Record) bool { return r.Type == "CNAME" && !r.Proxied })
		if alias < 0 {
			l.ended = true
			if len(records) == 0 && !balanced && name != l.zone && !l.version.exists(name) {
				return out, dns.RcodeNameError
			}
			return out, dns.RcodeSuccess
		}
		r := records[alias]
		target := plainName(r.Content)
		inside := target == l.zone || strings.HasSuffix(target, "."+l.zone)
		if name == l.zone { // at the top of a zone a CNAME is answered by what it leads to
			if !inside {
				l.ended = true
				return out, dns.RcodeSuccess
			}
			name = target
			continue
		}
		rr, err := r.rr(owner, ttlOf(r))
		if err != nil {
			return nil, dns.RcodeServerFailure
		}
		out = append(out, rr)
		if !inside {
			return out, dns.RcodeSuccess
		}
		name, owner = target, dns.Fqdn(r.Content)
	}
	return nil, dns.RcodeServerFailure
}

// typed picks the records of the type asked for. A proxied name shows the
// edge's IPv4 address and nothing of what stands behind it.
func (l *lookup) typed(records []Record, owner string) []dns.RR {
	var out []dns.RR
	for _, r := range records {
		if r.Proxied {
			edge := Record{Type: "A", Content: l.sim.anycast(r.Name)}
			if l.qtype == dns.TypeA && len(out) == 0 {
				if rr, err := edge.rr(owner, automaticTTL); err == nil {
					out = append(out, rr)
				}
			}
			continue
		}
		if dns.StringToType[r.Type] != l.qtype {
			continue
		}
		if rr, err := r.rr(owner, ttlOf(r)); err == nil {
			out = append(out, rr)
		}
	}
	return out
}

func ttlOf(r Record) uint32 {
	if r.TTL == 1 {
		return automaticTTL
	}
	return uint32(r.TTL)
}
