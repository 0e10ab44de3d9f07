package cloudflaresim

import (
	"context"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/webhost-systems/drhost/host/clock"
)

// Resolver is a caching recursive resolver, such as customers use. It honours
// TTLs, negative ones too, divided by the speed of its world; the TTLs that it
// reports are in simulated seconds.
type Resolver struct {
	*Nameserver
	authoritative func(zone string) []string
	clock         clock.Clock
	speed         float64
	patience      time.Duration // with one authoritative server

	mu    sync.Mutex
	cache map[question]known
}

type question struct {
	name  string // lower case, without a final dot
	qtype uint16 // anyType for "there is no such name"
}

// anyType stands for every type of a name that does not exist.
const anyType = dns.TypeNone

// known is a set of records, or the absence of any.
type known struct {
	records []dns.RR
	rcode   int
	soa     []dns.RR // of an absence
	until   time.Time
}

// NewResolver starts a resolver on loopback. authoritative names the servers
// (host:port) of a zone and is nil for a zone that nobody serves; speed below
// 1 is the clock's own.
func NewResolver(authoritative func(zone string) []string, c clock.Clock, speed float64) (*Resolver, error) {
	if c == nil {
		c = clock.System{}
	}
	if speed < 1 {
		speed = max(c.Speed(), 1)
	}
	patience := max(time.Duration(2/speed*float64(time.Second)), 200*time.Millisecond)
	r := &Resolver{authoritative: authoritative, clock: c, speed: speed, patience: patience, cache: map[question]known{}}
	server, err := listen(r.reply)
	if err != nil {
		return nil, err
	}
	r.Nameserver = server
	return r, nil
}

// Flush empties the cache.
func (r *Resolver) Flush() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.cache)
}

func (r *Resolver) reply(q *dns.Msg) *dns.Msg {
	m := new(dns.Msg).SetReply(q)
	m.RecursionAvailable = true
	asked := question{plainName(q.Question[0].Name), q.Question[0].Qtype}
	m.Answer, m.Ns, m.Rcode = r.resolve(asked)
	if len(m.Answer) > 0 && plainName(m.Answer[0].Header().Name) == asked.name {
		m.Answer[0].Header().Name = q.Question[0].Name
	}
	return m
}

// resolve follows CNAMEs from cache to server to cache.
func (r *Resolver) resolve(asked question) (answer, ns []dns.RR, rcode int) {
	fresh := map[question]known{} // heard during this search: good for it whatever the TTL
	for range longestChain {
		k, found := r.recall(fresh, asked)
		if !found {
			if !r.ask(fresh, asked) {
				return nil, nil, dns.RcodeServerFailure
			}
			if k, found = r.recall(fresh, asked); !found {
				return nil, nil, dns.RcodeServerFailure
			}
		}
		if len(k.records) == 0 {
			return answer, k.soa, k.rcode
		}
		answer = append(answer, k.records...)
		alias, isAlias := k.records[0].(*dns.CNAME)
		if !isAlias || asked.qtype == dns.TypeCNAME {
			return answer, nil, dns.RcodeSuccess
		}
		asked.name = plainName(alias.Target)
	}
	return nil, nil, dns.RcodeServerFailure
}

// recall finds the set, else the alias, else the absence; the TTLs in it are
// what is left of them.
func (r *Resolver) recall(fresh map[question]known, asked question) (known, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock.Now()
	for _, q := range []question{asked, {asked.name, dns.TypeCNAME}, {asked.name, anyType}} {
		k, ok := fresh[q]
		if !ok {
			if k, ok = r.cache[q]; ok && !now.Before(k.until) {
				delete(r.cache, q)
				ok = false
			}
		}
		if !ok || (q != asked && q.qtype == dns.TypeCNAME && len(k.records) == 0) {
			continue
		}
		left := uint32(max(0, math.Ceil(k.until.Sub(now).Seconds()*r.speed)))
		return known{records: aged(k.records, left), soa: aged(k.soa, left), rcode: k.rcode}, true
	}
	return known{}, false
}

func aged(records []dns.RR, ttl uint32) []dns.RR {
	var out []dns.RR
	for _, rr := range records {
		rr = dns.Copy(rr)
		rr.Header().Ttl = ttl
		out = append(out, rr)
	}
	return out
}

// ask puts the question to the zone's servers, one after the other, and keeps
// what the first one says.
func (r *Resolver) ask(fresh map[question]known, asked question) bool {
	servers := r.serversFor(asked.name)
	if servers == nil { // nobody was delegated this name: the root says that it does not exist
		r.keep(fresh, question{asked.name, anyType}, known{rcode: dns.RcodeNameError}, automaticTTL)
		return true
	}
	q := new(dns.Msg).SetQuestion(dns.Fqdn(asked.name), asked.qtype)
	q.RecursionDesired = false
	for _, server := range servers {
		m := r.exchange(q, server)
		if m == nil || (m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError) {
			continue
		}
		r.learn(fresh, asked, m)
		return true
	}
	return false
}

func (r *Resolver) exchange(q *dns.Msg, server string) *dns.Msg {
	ctx, stop := context.WithTimeout(context.Background(), r.patience)
	defer stop()
	m, _, err := (&dns.Client{Net: "udp", Timeout: r.patience}).ExchangeContext(ctx, q, server)
	if err == nil && m.Truncated {
		m, _, err = (&dns.Client{Net: "tcp", Timeout: r.patience}).ExchangeContext(ctx, q, server)
	}
	if err != nil {
		return nil
	}
	return m
}

func (r *Resolver) serversFor(name string) []string {
	for zone := name; ; {
		if servers := r.authoritative(zone); len(servers) > 0 {
			return servers
		}
		_, parent, ok := strings.Cut(zone, ".")
		if !ok {
			return nil
		}
		zone = parent
	}
}

// learn keeps every set of an answer by itself, so that each expires by its
// own TTL, and the absence of what the chain ended at.
func (r *Resolver) learn(fresh map[question]known, asked question, m *dns.Msg) {
	sets := map[question]known{}
	end := asked.name
	for _, rr := range m.Answer {
		q := question{plainName(rr.Header().Name), rr.Header().Rrtype}
		k := sets[q]
		k.records = append(k.records, rr)
		sets[q] = k
		if alias, ok := rr.(*dns.CNAME); ok && q.name == end {
			end = plainName(alias.Target)
		}
	}
	for q, k := range sets {
		r.keep(fresh, q, k, k.records[0].Header().Ttl)
	}
	for _, rr := range m.Ns {
		if start, ok := rr.(*dns.SOA); ok {
			q := question{end, asked.qtype}
			if m.Rcode == dns.RcodeNameError {
				q.qtype = anyType
			}
			r.keep(fresh, q, known{rcode: m.Rcode, soa: []dns.RR{rr}}, min(start.Hdr.Ttl, start.Minttl))
		}
	}
}

func (r *Resolver) keep(fresh map[question]known, q question, k known, ttl uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k.until = r.clock.Now().Add(time.Duration(float64(ttl) / r.speed * float64(time.Second)))
	fresh[q], r.cache[q] = k, k
}
