package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	mdns "github.com/miekg/dns"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// Row is one server's line in the table of a check.
type Row struct {
	Server        string   `lua:"server" doc:"Name of an authoritative server, or host:port of a resolver."`
	Address       string   `lua:"address,optional" doc:"Where it was asked, host:port."`
	Role          string   `lua:"role" doc:"authoritative or resolver."`
	Name          string   `lua:"name" doc:"The name that was asked for: the one given, or one that it is an alias of."`
	Rcode         string   `lua:"rcode" doc:"NOERROR, NXDOMAIN, REFUSED, ...; empty when it did not answer."`
	Answers       []string `lua:"answers" doc:"Contents of the records of that type."`
	Alias         string   `lua:"alias,optional" doc:"The name in another zone that it leads to, which has lines of its own."`
	TTL           int      `lua:"ttl" doc:"Seconds for which the answer may be remembered."`
	Authoritative bool     `lua:"authoritative" doc:"Whether the answer says that it comes from a responsible server."`
	OK            bool     `lua:"ok" doc:"Whether it answers what is expected, or at all when nothing is."`
	Problem       string   `lua:"problem,optional" doc:"Why there is no answer."`
}

// brief is the row on one line of a fault.
func (r Row) brief() string {
	said := r.Problem
	switch {
	case said != "":
	case r.Alias != "":
		said = "alias of " + r.Alias
	case len(r.Answers) > 0:
		said = strings.Join(r.Answers, ", ")
		if r.Role == "resolver" {
			said += fmt.Sprintf(" for another %d s", r.TTL)
		}
	case r.Rcode == "NOERROR":
		said = "no such record"
	default:
		said = r.Rcode
	}
	return r.Server + ": " + said
}

type checkArgs struct {
	Name   string   `lua:"name" doc:"Name to ask for."`
	Type   string   `lua:"type" enum:"A,AAAA,CNAME,MX,TXT,NS,SOA,SRV,CAA,PTR" default:"A" doc:"Type of the records."`
	Expect []string `lua:"expect,optional" doc:"What it should answer: all of it, in any order."`
}

var check = binding.Func[*Client, checkArgs, []Row]{
	Name: "check", Effect: binding.Reads,
	Doc: "Ask every server that is responsible for a name, without recursion, and every resolver, and hold their answers against what is expected. " +
		"A proxied record shows the proxy's addresses: verify it with cloudflare.verify_records.",
	Raises:  []fault.Kind{fault.Invalid, fault.NotFound, fault.Unavailable, fault.Timeout},
	Example: `dns.check { name = "hobby.webhost.systems", type = "A", expect = { "203.0.113.11" } }`,
	Target:  "name",
	Call:    (*Client).check,
}

func (c *Client) check(ctx context.Context, a checkArgs) ([]Row, error) {
	s, err := c.survey(a.Name, a.Type, a.Expect)
	if err != nil {
		return nil, err
	}
	rows, err := s.rows(ctx)
	if err != nil {
		return nil, fault.As(err).WithOp("check %s %s", s.name, strings.ToUpper(a.Type))
	}
	return rows, nil
}

// survey asks everybody about one name, as often as wanted. Who is responsible
// is found out once.
type survey struct {
	*Client
	name        string
	qtype       uint16
	expect      []string
	delegations map[string]Delegation // by name asked for
}

func (c *Client) survey(name, recordType string, expect []string) (*survey, error) {
	name, qtype, err := question(name, recordType)
	if err != nil {
		return nil, err
	}
	return &survey{Client: c, name: name, qtype: qtype, expect: expect, delegations: map[string]Delegation{}}, nil
}

// rows is the whole table: authoritative servers first.
func (s *survey) rows(ctx context.Context) ([]Row, error) {
	rows, err := s.authorities(ctx)
	if err != nil {
		return nil, err
	}
	resolvers, err := s.recursors(ctx)
	return append(rows, resolvers...), err
}

// longestChain bounds how many zones a chain of aliases may pass.
const longestChain = 8

// authorities asks the servers of the name's zone, then those of every zone
// that an alias leads to.
func (s *survey) authorities(ctx context.Context) ([]Row, error) {
	var rows []Row
	names, asked := []string{s.name}, map[string]bool{s.name: true}
	for len(names) > 0 && len(asked) <= longestChain {
		name := names[0]
		names = names[1:]
		d, known := s.delegations[name]
		if !known {
			var err error
			if d, err = s.delegation(ctx, name); err != nil {
				return nil, err
			}
			s.delegations[name] = d
		}
		for _, server := range d.Servers {
			row := s.authority(ctx, server, name)
			if ctx.Err() != nil {
				return nil, stopped(ctx)
			}
			rows = append(rows, row)
			if row.Alias != "" && !asked[row.Alias] {
				asked[row.Alias] = true
				names = append(names, row.Alias)
			}
		}
	}
	return rows, nil
}

// authority asks one server at its addresses in turn until one answers.
func (s *survey) authority(ctx context.Context, server Server, name string) Row {
	err := errors.New("its own name does not resolve")
	address := ""
	for _, ip := range server.Addresses {
		var m *mdns.Msg
		address = net.JoinHostPort(ip, "53")
		if m, err = s.ask(ctx, address, name, s.qtype, false); err == nil {
			return s.row(m, Row{Server: server.Name, Address: address, Role: "authoritative", Name: name})
		}
		if ctx.Err() != nil {
			break
		}
	}
	return Row{Server: server.Name, Address: address, Role: "authoritative", Name: name, Answers: []string{}, Problem: err.Error()}
}

func (s *survey) recursors(ctx context.Context) ([]Row, error) {
	var rows []Row
	for _, server := range s.resolvers {
		m, err := s.ask(ctx, server, s.name, s.qtype, true)
		if ctx.Err() != nil {
			return nil, stopped(ctx)
		}
		row := Row{Server: server, Address: server, Role: "resolver", Name: s.name, Answers: []string{}}
		if err != nil {
			row.Problem = err.Error()
		} else {
			row = s.row(m, row)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (s *survey) row(m *mdns.Msg, r Row) Row {
	a := answerFrom(m, r.Address, r.Name, s.qtype)
	r.Rcode, r.Answers, r.TTL, r.Authoritative = a.Rcode, a.Answers, a.TTL, a.Authoritative
	if r.Role == "authoritative" {
		r.Alias = leadsTo(m, a)
	}
	switch {
	case r.Role == "authoritative" && !r.Authoritative:
		r.OK = false // a server that is not responsible, or passes the question on
	case r.Alias != "":
		r.OK = true // the servers of the alias decide
	case len(s.expect) > 0:
		r.OK = same(r.Answers, s.expect)
	default:
		r.OK = len(r.Answers) > 0
	}
	return r
}
