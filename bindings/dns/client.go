// Package dns lets a runbook ask name servers what they answer: one resolver,
// every server that is responsible for a name, or both, once or until a change
// has reached them. It must never change anything, never ask the machine's own
// resolver library (whose cache would answer instead), and never take silence
// for agreement.
package dns

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	mdns "github.com/miekg/dns"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
)

// settings are [env.NAME.dns] of drhost.toml.
type settings struct {
	Resolvers []string      `lua:"resolvers" default:"1.1.1.1:53,8.8.8.8:53,9.9.9.9:53" doc:"Public resolvers, host:port, in the order in which they are asked."`
	Answer    time.Duration `lua:"answer_within" default:"3s" doc:"How long one server may take to answer."`
}

// Client asks name servers. It keeps nothing between calls and is safe for
// concurrent use.
type Client struct {
	net       binding.Network
	clock     clock.Clock
	resolvers []string
	patience  time.Duration
}

// open makes the client of one run; it calls nobody.
func open(env binding.Env, s settings) (*Client, error) {
	if len(s.Resolvers) == 0 {
		return nil, fault.New(fault.Invalid, "there is no resolver").WithOp("open dns").WithHint("set resolvers under [env.%s.dns]", env.Name)
	}
	c := &Client{net: env.Net, clock: env.Clock, patience: s.Answer}
	for _, r := range s.Resolvers {
		c.resolvers = append(c.resolvers, withPort(r))
	}
	return c, nil
}

// withPort adds the port of DNS where none is given.
func withPort(server string) string {
	if _, _, err := net.SplitHostPort(server); err == nil {
		return server
	}
	return net.JoinHostPort(strings.Trim(server, "[]"), "53")
}

// shortest is how long a server on this machine is waited for at least,
// however fast a drill runs.
const shortest = 250 * time.Millisecond

// ask puts one question to one server: over UDP, and over TCP when the answer
// does not fit. A wait that a drill shortened is added to the meter.
func (c *Client) ask(ctx context.Context, server, name string, qtype uint16, recurse bool) (*mdns.Msg, error) {
	q := new(mdns.Msg).SetQuestion(mdns.Fqdn(name), qtype)
	q.RecursionDesired = recurse
	q.SetEdns0(1232, false)
	wait := c.patience
	if speed := c.clock.Speed(); speed > 1 {
		wait = min(c.patience, max(time.Duration(float64(c.patience)/speed), shortest))
	}
	inner, stop := context.WithTimeout(ctx, wait)
	defer stop()
	m, err := c.exchange(inner, "udp", server, q)
	if err == nil && m.Truncated {
		m, err = c.exchange(inner, "tcp", server, q)
	}
	if err != nil && errors.Is(inner.Err(), context.DeadlineExceeded) && ctx.Err() == nil {
		clock.Cut(ctx, c.patience-wait)
		return nil, fmt.Errorf("no answer within %s", c.patience)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return m, err
}

func (c *Client) exchange(ctx context.Context, network, server string, q *mdns.Msg) (*mdns.Msg, error) {
	packet, err := q.Pack()
	if err != nil {
		return nil, fmt.Errorf("pack the question: %w", err)
	}
	conn, err := c.net.Dial(ctx, network, server)
	if err != nil {
		return nil, err
	}
	// A deadline in the past ends a read that is under way.
	release := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer func() {
		release()
		_ = conn.Close() // everything that counts has been read
	}()
	if network == "tcp" {
		packet = append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...)
	}
	if _, err := conn.Write(packet); err != nil {
		return nil, err
	}
	for {
		answer, err := receive(conn, network)
		if err != nil {
			return nil, err
		}
		m := new(mdns.Msg)
		// Strangers can send to a UDP port: what does not fit is not the answer.
		if m.Unpack(answer) == nil && m.Response && m.Id == q.Id && sameQuestion(m, q) {
			return m, nil
		}
		if network == "tcp" {
			return nil, errors.New("the answer is not one to this question")
		}
	}
}

func receive(conn net.Conn, network string) ([]byte, error) {
	buffer := make([]byte, mdns.MaxMsgSize)
	if network != "tcp" {
		n, err := conn.Read(buffer)
		return buffer[:n], err
	}
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return nil, err
	}
	buffer = buffer[:min(int(binary.BigEndian.Uint16(length[:])), len(buffer))]
	_, err := io.ReadFull(conn, buffer)
	return buffer, err
}

func sameQuestion(m, q *mdns.Msg) bool {
	return len(m.Question) == 0 || (len(m.Question) == 1 && m.Question[0].Qtype == q.Question[0].Qtype &&
		strings.EqualFold(m.Question[0].Name, q.Question[0].Name))
}

// resolve asks the resolvers in turn until one gives a usable answer.
func (c *Client) resolve(ctx context.Context, name string, qtype uint16) (*mdns.Msg, string, error) {
	var said []string
	for _, server := range c.resolvers {
		m, err := c.ask(ctx, server, name, qtype, true)
		if err == nil && (m.Rcode == mdns.RcodeSuccess || m.Rcode == mdns.RcodeNameError) {
			return m, server, nil
		}
		if ctx.Err() != nil {
			return nil, "", stopped(ctx)
		}
		if err == nil {
			err = errors.New(rcode(m))
		}
		said = append(said, fmt.Sprintf("%s: %v", server, err))
	}
	return nil, "", fault.New(fault.Unavailable, "no resolver answers for %s: %s", plain(name), strings.Join(said, "; ")).
		WithHint("check the network, and resolvers under [env.NAME.dns]")
}

// stopped is the fault of a call whose context ended.
func stopped(ctx context.Context) *fault.Fault {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fault.New(fault.Timeout, "the time for this call ran out")
	}
	return fault.New(fault.Cancelled, "told to stop")
}

func rcode(m *mdns.Msg) string {
	if text, ok := mdns.RcodeToString[m.Rcode]; ok {
		return text
	}
	return fmt.Sprintf("RCODE%d", m.Rcode)
}

// plain is a name in lower case without a final dot.
func plain(name string) string {
	return strings.ToLower(strings.TrimSuffix(strings.TrimSpace(name), "."))
}

// question checks a name; the type is one of those that a call may name.
func question(name, recordType string) (string, uint16, error) {
	if _, ok := mdns.IsDomainName(name); !ok || plain(name) == "" {
		return "", 0, fault.New(fault.Invalid, "%q is not a domain name", name)
	}
	return plain(name), mdns.StringToType[recordType], nil
}
