// Package network makes the networks that bindings reach the world through:
// the real one, and that of a simulated world, in which documentation
// addresses lead to loopback sockets. It must never send a request twice, and
// the simulated network must never let a packet leave the machine.
package network

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
)

// dialWithin bounds one attempt to connect. A call's own deadline is usually
// shorter.
const dialWithin = 30 * time.Second

// System returns the real network: the machine's resolver and routes, the
// proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name, and the machine's
// certificate authorities.
func System() binding.Network {
	s := &system{dialer: &net.Dialer{Timeout: dialWithin}}
	t := newTransport(s.Dial)
	t.Proxy = http.ProxyFromEnvironment
	s.transport = once{t}
	return s
}

type system struct {
	dialer    *net.Dialer
	transport http.RoundTripper
}

func (s *system) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return s.dialer.DialContext(ctx, network, address)
}

func (s *system) LookupHost(ctx context.Context, name string) ([]string, error) {
	return net.DefaultResolver.LookupHost(ctx, name)
}

func (s *system) Transport() http.RoundTripper { return s.transport }

func (s *system) Forward(ctx context.Context, address string) (string, func(), error) {
	return forward(ctx, address, s.Dial)
}

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

func newTransport(dial dialFunc) *http.Transport {
	return &http.Transport{
		DialContext:           dial,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          100,
		MaxIdleConnsPerHost:   50, // many branches talk to one provider
		IdleConnTimeout:       60 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
	}
}

// once is a transport that sends a request which changes something at most
// once. net/http repeats a request over a fresh connection when a kept one
// breaks, for POST too if there is an Idempotency-Key header; whether a
// mutation may be repeated is for the gate to decide. Requests of which not a
// byte was written may still move to another connection.
type once struct{ next http.RoundTripper }

func (o once) RoundTrip(req *http.Request) (*http.Response, error) {
	switch req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions:
		return o.next.RoundTrip(req)
	}
	// A body that cannot be rewound makes the request one that net/http does
	// not repeat.
	single := *req
	single.GetBody = nil
	if single.Body == nil || single.Body == http.NoBody {
		if req.Header.Get("Idempotency-Key") == "" && req.Header.Get("X-Idempotency-Key") == "" {
			return o.next.RoundTrip(req)
		}
		single.Body = io.NopCloser(strings.NewReader(""))
	}
	return o.next.RoundTrip(&single)
}

// CloseIdleConnections lets an http.Client reach through.
func (o once) CloseIdleConnections() { closeIdle(o.next) }

func closeIdle(t http.RoundTripper) {
	if c, ok := t.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
