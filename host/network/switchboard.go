package network

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
)

const (
	// blackHole is how long a connection to nowhere is waited for, in the
	// clock's time, when the call's deadline does not end it earlier.
	blackHole = 10 * time.Second
	// answerWithin is how long the switchboard itself may take. It is a
	// lookup in memory of a process on this machine.
	answerWithin = 10 * time.Second
	// cutHeader carries the seconds that a simulated provider's latency was
	// shortened by.
	cutHeader = "Drhost-Cut"
)

// Switchboard returns the network of a simulated world. Where an address leads
// is asked of its switchboard at base:
//
//	GET base/route?network=tcp&address=203.0.113.10:5432
//	{"to": "127.0.0.1:41234"}   connect there
//	{"refuse": true}            nobody listens: connection refused
//	{"drop": true}              packets vanish: a timeout, waited for on c
//
// Names are asked of resolvers (host:port, reached through the switchboard
// too), the next one when one does not answer. Loopback addresses are dialled
// directly. What a provider's answer says it cut off its latency is added to
// the meter of the request's context.
func Switchboard(base string, resolvers []string, c clock.Clock) binding.Network {
	return newSwitchboard(base, resolvers, c, nil)
}

// Wrap is told of a connection that was made to address and returns what is
// used in its place.
type Wrap func(ctx context.Context, network, address string, made net.Conn) net.Conn

// Wrapped returns the network of a simulated world with every connection into
// the world passed through wrap, for a test that counts or cuts them; ok is
// false for any other network.
func Wrapped(n binding.Network, wrap Wrap) (wrapped binding.Network, ok bool) {
	s, ok := n.(*switchboard)
	if !ok {
		return n, false
	}
	return newSwitchboard(s.base, s.resolvers, s.clock, wrap), true
}

func newSwitchboard(base string, resolvers []string, c clock.Clock, wrap Wrap) *switchboard {
	s := &switchboard{base: strings.TrimSuffix(base, "/"), resolvers: resolvers, clock: c, wrap: wrap}
	direct := newTransport(s.direct.DialContext)
	s.ask = &http.Client{Transport: direct}
	// A machine's connections are not kept: when its address moves to another
	// machine, the next request has to arrive there.
	fresh := newTransport(s.Dial)
	fresh.DisableKeepAlives = true
	s.transport = metered{local: once{newTransport(s.Dial)}, routed: once{fresh}}
	return s
}

type switchboard struct {
	base      string
	resolvers []string
	clock     clock.Clock
	direct    net.Dialer
	wrap      Wrap // may be nil
	ask       *http.Client
	transport http.RoundTripper
}

// Route is the switchboard's answer.
type Route struct {
	To     string `json:"to,omitempty"`
	Refuse bool   `json:"refuse,omitempty"`
	Drop   bool   `json:"drop,omitempty"`
}

func (s *switchboard) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	if isLoopback(host) {
		return s.make(ctx, network, address, address)
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return s.connect(ctx, network, address)
	}
	hosts, err := s.LookupHost(ctx, host)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	var first error
	for _, h := range hosts {
		conn, err := s.connect(ctx, network, net.JoinHostPort(h, port))
		if err == nil {
			return conn, nil
		}
		if first == nil {
			first = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, first
}

// connect dials one address as the switchboard says.
func (s *switchboard) connect(ctx context.Context, network, address string) (net.Conn, error) {
	to, err := s.route(ctx, network, address)
	if err != nil {
		return nil, err
	}
	wrong := &net.OpError{Op: "dial", Net: network, Addr: place{network, address}}
	switch {
	case to.Refuse:
		wrong.Err = os.NewSyscallError("connect", syscall.ECONNREFUSED)
		return nil, wrong
	case to.Drop:
		wrong.Err = s.vanish(ctx)
		return nil, wrong
	}
	if host, _, err := net.SplitHostPort(to.To); err != nil || !isLoopback(host) {
		wrong.Err = fmt.Errorf("the simulated world's switchboard leads to %q, which is not on this machine", to.To)
		return nil, wrong
	}
	conn, err := s.make(ctx, network, address, to.To)
	var op *net.OpError
	if errors.As(err, &op) { // the machine died in between: name its own address
		wrong.Err = op.Err
		return nil, wrong
	}
	return conn, err
}

// make connects to a place on this machine that stands for address.
func (s *switchboard) make(ctx context.Context, network, address, to string) (net.Conn, error) {
	conn, err := s.direct.DialContext(ctx, network, to)
	if err == nil && s.wrap != nil {
		conn = s.wrap(ctx, network, address, conn)
	}
	return conn, err
}

func (s *switchboard) route(ctx context.Context, network, address string) (Route, error) {
	ctx, stop := context.WithTimeout(ctx, answerWithin)
	defer stop()
	kind := "tcp"
	if strings.HasPrefix(network, "udp") {
		kind = "udp"
	}
	query := url.Values{"network": {kind}, "address": {address}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+"/route?"+query.Encode(), nil)
	if err != nil {
		return Route{}, fmt.Errorf("ask the simulated world for %s: %w", address, err)
	}
	res, err := s.ask.Do(req)
	if err != nil {
		return Route{}, fmt.Errorf("ask the simulated world for %s: %w", address, err)
	}
	defer res.Body.Close() // read to its end below
	var to Route
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<16))
	if err != nil {
		return Route{}, fmt.Errorf("ask the simulated world for %s: %w", address, err)
	}
	if res.StatusCode != http.StatusOK {
		return Route{}, fmt.Errorf("ask the simulated world for %s: it answered %s", address, res.Status)
	}
	if err := json.Unmarshal(body, &to); err != nil {
		return Route{}, fmt.Errorf("ask the simulated world for %s: %w", address, err)
	}
	return to, nil
}

// vanish waits as a dialer does whose packets are dropped and returns the
// timeout, or the cancellation that came first.
func (s *switchboard) vanish(ctx context.Context) error {
	wait := blackHole
	if end, ok := ctx.Deadline(); ok {
		wait = min(wait, end.Sub(s.clock.Now()))
	}
	if err := s.clock.Sleep(ctx, wait); errors.Is(err, context.Canceled) {
		return err
	}
	return os.ErrDeadlineExceeded
}

// LookupHost asks the world's resolvers, IPv4 addresses first.
func (s *switchboard) LookupHost(ctx context.Context, name string) ([]string, error) {
	if _, err := netip.ParseAddr(name); err == nil {
		return []string{name}, nil
	}
	if name == "localhost" {
		return []string{"127.0.0.1"}, nil
	}
	last := error(&net.DNSError{Err: "the simulated world has no resolver", Name: name})
	for _, server := range s.resolvers {
		r := net.Resolver{PreferGo: true, StrictErrors: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return s.Dial(ctx, network, server)
		}}
		// The final dot keeps this machine's search domains out.
		hosts, err := r.LookupHost(ctx, strings.TrimSuffix(name, ".")+".")
		if err == nil {
			return fourFirst(hosts), nil
		}
		var dnsErr *net.DNSError
		if errors.As(err, &dnsErr) {
			dnsErr.Name, dnsErr.Server = strings.TrimSuffix(name, "."), server
			if dnsErr.IsNotFound {
				return nil, dnsErr
			}
		}
		last = err
		if ctx.Err() != nil {
			break
		}
	}
	return nil, last
}

func fourFirst(hosts []string) []string {
	var four, six []string
	for _, h := range hosts {
		if strings.Contains(h, ":") {
			six = append(six, h)
		} else {
			four = append(four, h)
		}
	}
	return append(four, six...)
}

func (s *switchboard) Transport() http.RoundTripper { return s.transport }

func (s *switchboard) Forward(ctx context.Context, address string) (string, func(), error) {
	return forward(ctx, address, s.Dial)
}

// metered adds what a simulated provider cut off its latency to the meter of
// the request's context.
type metered struct{ local, routed http.RoundTripper }

func (m metered) RoundTrip(req *http.Request) (*http.Response, error) {
	next := m.routed
	if isLoopback(req.URL.Hostname()) {
		next = m.local
	}
	res, err := next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if s, err := strconv.ParseFloat(res.Header.Get(cutHeader), 64); err == nil && s > 0 && s < 1e6 {
		clock.Cut(req.Context(), time.Duration(s*float64(time.Second)))
	}
	return res, nil
}

// CloseIdleConnections lets an http.Client reach through.
func (m metered) CloseIdleConnections() {
	closeIdle(m.local)
	closeIdle(m.routed)
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// place is an address as the runbook said it.
type place struct{ network, address string }

func (p place) Network() string { return p.network }
func (p place) String() string  { return p.address }
