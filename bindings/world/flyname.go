package world

import (
	"encoding/base64"
	"net"
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"github.com/webhost-systems/drhost/bindings/fly/flysim"
	"github.com/webhost-systems/drhost/bindings/world/machine"
)

// flyZones are the zones that Fly.io answers for: the names of apps at its
// edge, and those on the private network.
func flyZones() []string { return []string{"fly.dev", "internal", "flycast"} }

// flyTTL is what Fly's name servers give to names that follow machines.
const flyTTL = 5

// flycastPrefix is where the private addresses of apps lie; that of an app
// ends in the last number of its address at the edge.
const flycastPrefix = "fdaa:0:18:0:1::"

func flycast(address string) string {
	return flycastPrefix + address[strings.LastIndex(address, ".")+1:]
}

// answerFly is the name server of Fly.io.
func (w *World) answerFly(q *dns.Msg) *dns.Msg {
	m := new(dns.Msg).SetReply(q)
	m.Authoritative = true
	asked := q.Question[0]
	name := strings.ToLower(strings.TrimSuffix(asked.Name, "."))
	addresses, known := w.flyAddresses(name)
	for _, address := range addresses {
		ip := net.ParseIP(address)
		switch four := ip.To4(); {
		case four != nil && asked.Qtype == dns.TypeA:
			m.Answer = append(m.Answer, &dns.A{Hdr: dns.RR_Header{Name: asked.Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: flyTTL}, A: four})
		case four == nil && asked.Qtype == dns.TypeAAAA:
			m.Answer = append(m.Answer, &dns.AAAA{Hdr: dns.RR_Header{Name: asked.Name, Rrtype: dns.TypeAAAA, Class: dns.ClassINET, Ttl: flyTTL}, AAAA: ip})
		}
	}
	if !known {
		m.Rcode = dns.RcodeNameError
	}
	if len(m.Answer) == 0 {
		zone := dns.Fqdn(name[strings.LastIndex(name, ".")+1:])
		m.Ns = []dns.RR{&dns.SOA{Hdr: dns.RR_Header{Name: zone, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: flyTTL}, Ns: "ns1." + zone,
			Mbox: "noreply.fly.io.", Serial: 1, Refresh: 60, Retry: 60, Expire: 60, Minttl: flyTTL}}
	}
	return m
}

// flyAddresses finds the addresses of app.fly.dev, app.flycast, app.internal,
// REGION.app.internal and ID.vm.app.internal.
func (w *World) flyAddresses(name string) (addresses []string, known bool) {
	state := w.fly.State()
	if rest, found := strings.CutSuffix(name, ".fly.dev"); found {
		app, known := state.Apps[rest]
		return []string{app.Address}, known
	}
	if rest, found := strings.CutSuffix(name, ".flycast"); found {
		app, known := state.Apps[rest]
		if !known {
			return nil, false
		}
		return []string{flycast(app.Address)}, true
	}
	rest, found := strings.CutSuffix(name, ".internal")
	if !found {
		return nil, false
	}
	labels := strings.Split(rest, ".")
	app, known := state.Apps[labels[len(labels)-1]]
	for id, m := range app.Machines {
		if m.State != "started" || !m.Reachable {
			continue
		}
		switch {
		case len(labels) == 1, len(labels) == 2 && (labels[0] == m.Region || labels[0] == "global"),
			len(labels) == 3 && labels[0] == id && labels[1] == "vm":
			addresses = append(addresses, m.PrivateIP)
		}
	}
	return addresses, known && len(addresses) > 0
}

// routeFly says where a connection to an address of Fly's leads; ok is false
// for any other address.
func (w *World) routeFly(ip netip.Addr, port int, inside bool) (to Route, ok bool) {
	if w.fly == nil {
		return Route{}, false
	}
	to, ok = w.findFly(ip, port)
	if ok && !inside && w.gateways["fly"].isCut() {
		to = Route{Drop: true}
	}
	return to, ok
}

func (w *World) findFly(ip netip.Addr, port int) (to Route, ok bool) {
	state := w.fly.State()
	for name, app := range state.Apps {
		if netip.MustParseAddr(app.Address) == ip {
			return w.routeEdge(app, port), true
		}
		if netip.MustParseAddr(flycast(app.Address)) == ip {
			if app.Postgres {
				return w.routeLeader(name), true
			}
			return w.routeEdge(app, port), true
		}
		for id, m := range app.Machines {
			if netip.MustParseAddr(m.PrivateIP) == ip {
				return w.routeMachine(name, app, id, port), true
			}
		}
	}
	return Route{}, false
}

// routeEdge finds a web server that is started, in reach, not cordoned and
// not known to fail its check; the edge itself answers when there is none.
func (w *World) routeEdge(app flysim.AppState, port int) Route {
	switch {
	case app.Postgres:
		return Route{Refuse: true}
	case port == 443:
		return Route{To: w.edge.tls}
	case port == 80:
		return Route{To: w.edge.plain}
	}
	return Route{Refuse: true}
}

// routeMachine leads to a machine on the private network. On a Postgres
// machine 5432 is its proxy, which leads to the primary; 5433 is its own
// server.
func (w *World) routeMachine(name string, app flysim.AppState, id string, port int) Route {
	if m := app.Machines[id]; !m.Reachable {
		return Route{Drop: true}
	}
	if !app.Postgres {
		w.metalFly.mu.Lock()
		s := w.metalFly.sites[id]
		w.metalFly.mu.Unlock()
		switch {
		case s == nil:
			return Route{Drop: true}
		case port != 8080:
			return Route{Refuse: true}
		}
		return s.route()
	}
	n := w.metalFly.nodeOf(id)
	if n == nil {
		return Route{Drop: true}
	}
	if port == 5432 && n.m.State() != machine.Hung {
		return w.routeLeader(name)
	}
	return routeTo(n.m, map[bool]int{true: 5432, false: port}[port == 5433 || port == 5432])
}

// routeLeader leads to the primary of a Postgres app. An app that is another
// one's replica has none; its first node that answers is read from.
func (w *World) routeLeader(app string) Route {
	if n := w.metalFly.leader(app); n != nil {
		return routeTo(n.m, 5432)
	}
	nodes := w.metalFly.of(app)
	if len(nodes) == 0 {
		return Route{Drop: true}
	}
	if w.metalFly.follows[app] != "" {
		return routeTo(nodes[0].m, 5432)
	}
	return Route{Refuse: true} // the proxies answer and have nowhere to go
}

func routeTo(m *machine.Machine, port int) Route {
	switch to, reach := m.Port(port); reach {
	case machine.Open:
		return Route{To: to}
	case machine.Refused:
		return Route{Refuse: true}
	}
	return Route{Drop: true}
}

// macaroon is a token in the form of Fly's, around a secret of 32 characters or
// more: some commands of flyctl take no other, and it drops one that it cannot
// read. It says nothing but what it has to, and nobody checks its signature.
// Format: github.com/superfly/macaroon, MessagePack in base64.
func macaroon(secret string) string {
	const location = "https://api.fly.io/v1"
	raw := []byte{0x94, 0x93} // nonce, location, caveats and signature; of the nonce: key, random part, whether it is a proof
	blob := func(text string) { raw = append(append(raw, 0xc4, byte(len(text))), text...) }
	blob(secret)
	blob(secret[:16])
	raw = append(raw, 0xc2, 0xa0|byte(len(location)))
	raw = append(append(raw, location...), 0x90)
	blob(secret[:32])
	return "fm2_" + base64.StdEncoding.EncodeToString(raw)
}
