package dns

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	mdns "github.com/miekg/dns"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// Answer is what one server says.
type Answer struct {
	Name          string   `lua:"name" doc:"The name that was asked for."`
	Type          string   `lua:"type" doc:"The type that was asked for."`
	Server        string   `lua:"server" doc:"Who answered, host:port."`
	Rcode         string   `lua:"rcode" doc:"NOERROR, or NXDOMAIN when there is no such name."`
	Answers       []string `lua:"answers" doc:"Contents of the records of that type; empty when there is none."`
	Aliases       []string `lua:"aliases" doc:"Names that CNAMEs led to, in order."`
	TTL           int      `lua:"ttl" doc:"Seconds for which the answer may be remembered; the shortest of its records."`
	Authoritative bool     `lua:"authoritative" doc:"Whether the server is responsible for the name rather than remembering it."`
}

type lookupArgs struct {
	Name   string `lua:"name" doc:"Name to ask for."`
	Type   string `lua:"type" enum:"A,AAAA,CNAME,MX,TXT,NS,SOA,SRV,CAA,PTR" default:"A" doc:"Type of the records."`
	Server string `lua:"server,optional" doc:"Server to ask, host:port. Without it the resolvers of the settings are asked in turn."`
}

var lookup = binding.Func[*Client, lookupArgs, Answer]{
	Name: "lookup", Effect: binding.Reads,
	Doc:     "Ask what a name answers. A name that does not exist is no fault: rcode is NXDOMAIN and answers is empty.",
	Raises:  []fault.Kind{fault.Invalid, fault.Unavailable, fault.Timeout},
	Example: `dns.lookup { name = "hobby.webhost.systems", type = "A" }`,
	Target:  "name",
	Call:    (*Client).lookup,
}

func (c *Client) lookup(ctx context.Context, a lookupArgs) (Answer, error) {
	name, qtype, err := question(a.Name, a.Type)
	if err != nil {
		return Answer{}, err
	}
	op := fmt.Sprintf("look up %s %s", name, strings.ToUpper(a.Type))
	if a.Server == "" {
		m, server, err := c.resolve(ctx, name, qtype)
		if err != nil {
			return Answer{}, fault.As(err).WithOp("%s", op)
		}
		return answerFrom(m, server, name, qtype), nil
	}
	server := withPort(a.Server)
	m, err := c.ask(ctx, server, name, qtype, true)
	switch {
	case ctx.Err() != nil:
		return Answer{}, stopped(ctx).WithOp("%s", op)
	case err != nil:
		return Answer{}, fault.New(fault.Unavailable, "%s: %v", server, err).WithOp("%s", op)
	case m.Rcode != mdns.RcodeSuccess && m.Rcode != mdns.RcodeNameError:
		return Answer{}, fault.New(fault.Unavailable, "%s answers %s", server, rcode(m)).WithOp("%s", op)
	}
	return answerFrom(m, server, name, qtype), nil
}

func answerFrom(m *mdns.Msg, server, name string, qtype uint16) Answer {
	out := Answer{Name: name, Type: mdns.TypeToString[qtype], Server: server, Rcode: rcode(m), Authoritative: m.Authoritative,
		Answers: []string{}, Aliases: []string{}}
	ttl := uint32(0)
	for i, rr := range m.Answer {
		if i == 0 || rr.Header().Ttl < ttl {
			ttl = rr.Header().Ttl
		}
		alias, isAlias := rr.(*mdns.CNAME)
		switch {
		case rr.Header().Rrtype == qtype:
			out.Answers = append(out.Answers, content(rr))
		case isAlias:
			out.Aliases = append(out.Aliases, plain(alias.Target))
		}
	}
	out.TTL = int(ttl)
	return out
}

// leadsTo is the alias whose own answer the server left to others, or "".
func leadsTo(m *mdns.Msg, a Answer) string {
	ended := slices.ContainsFunc(m.Ns, func(rr mdns.RR) bool { return rr.Header().Rrtype == mdns.TypeSOA })
	if len(a.Answers) > 0 || len(a.Aliases) == 0 || ended || m.Rcode != mdns.RcodeSuccess {
		return ""
	}
	return a.Aliases[len(a.Aliases)-1]
}

// content is the data of a record without its head, names without final dot.
func content(rr mdns.RR) string {
	switch rr := rr.(type) {
	case *mdns.A:
		return rr.A.String()
	case *mdns.AAAA:
		return rr.AAAA.String()
	case *mdns.CNAME:
		return plain(rr.Target)
	case *mdns.NS:
		return plain(rr.Ns)
	case *mdns.PTR:
		return plain(rr.Ptr)
	case *mdns.MX:
		return fmt.Sprintf("%d %s", rr.Preference, plain(rr.Mx))
	case *mdns.TXT:
		return strings.Join(rr.Txt, "")
	}
	return strings.TrimPrefix(rr.String(), rr.Header().String())
}

// same tells whether answers are the expected ones, in whatever order.
// Addresses are compared as such, everything else without regard to case.
func same(answers, expect []string) bool {
	a, b := normal(answers), normal(expect)
	return slices.Equal(a, b)
}

func normal(list []string) []string {
	out := make([]string, 0, len(list))
	for _, s := range list {
		if ip, err := netip.ParseAddr(strings.TrimSpace(s)); err == nil {
			s = ip.String()
		}
		out = append(out, plain(s))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Delegation is who is responsible for a zone.
type Delegation struct {
	Zone    string   `lua:"zone" doc:"Name of the zone."`
	Servers []Server `lua:"servers" doc:"Its name servers."`
}

// Server is a name server of a zone.
type Server struct {
	Name      string   `lua:"name" doc:"Name of the server."`
	Addresses []string `lua:"addresses" doc:"Its addresses, IPv4 first; empty when its name does not resolve."`
}

type nameserversArgs struct {
	Zone string `lua:"zone" doc:"Name of the zone, or any name in it."`
}

var nameservers = binding.Func[*Client, nameserversArgs, Delegation]{
	Name: "nameservers", Effect: binding.Reads,
	Doc:     "Find the zone that a name lies in and the servers that are responsible for it, as the resolvers say.",
	Raises:  []fault.Kind{fault.Invalid, fault.NotFound, fault.Unavailable, fault.Timeout},
	Example: `dns.nameservers { zone = "webhost.systems" }`,
	Target:  "zone",
	Call:    (*Client).nameservers,
}

func (c *Client) nameservers(ctx context.Context, a nameserversArgs) (Delegation, error) {
	name, _, err := question(a.Zone, "NS")
	if err != nil {
		return Delegation{}, err
	}
	d, err := c.delegation(ctx, name)
	if err != nil {
		return Delegation{}, fault.As(err).WithOp("find the name servers of %s", name)
	}
	return d, nil
}

// delegation walks up from name to the first zone that has name servers.
func (c *Client) delegation(ctx context.Context, name string) (Delegation, error) {
	for zone := name; ; {
		m, _, err := c.resolve(ctx, zone, mdns.TypeNS)
		if err != nil {
			return Delegation{}, err
		}
		d := Delegation{Zone: zone}
		for _, rr := range m.Answer {
			if ns, ok := rr.(*mdns.NS); ok && plain(rr.Header().Name) == zone {
				d.Servers = append(d.Servers, Server{Name: plain(ns.Ns), Addresses: []string{}})
			}
		}
		if len(d.Servers) > 0 {
			slices.SortFunc(d.Servers, func(a, b Server) int { return strings.Compare(a.Name, b.Name) })
			return d, c.addresses(ctx, d.Servers)
		}
		_, parent, ok := strings.Cut(zone, ".")
		if !ok {
			return Delegation{}, fault.New(fault.NotFound, "%s lies in no zone that has name servers", name)
		}
		zone = parent
	}
}

// addresses fills in where servers are; one whose name does not resolve stays
// without.
func (c *Client) addresses(ctx context.Context, servers []Server) error {
	for i := range servers {
		for _, qtype := range []uint16{mdns.TypeA, mdns.TypeAAAA} {
			m, from, err := c.resolve(ctx, servers[i].Name, qtype)
			var f *fault.Fault
			if errors.As(err, &f) && f.Kind == fault.Unavailable {
				continue
			}
			if err != nil {
				return err
			}
			servers[i].Addresses = append(servers[i].Addresses, answerFrom(m, from, servers[i].Name, qtype).Answers...)
		}
	}
	return nil
}
