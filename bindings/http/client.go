// Package http lets a runbook talk HTTP: fetch, check a service as its
// customers see it, and send. Every request goes over a connection of its own,
// so that a check never tells of a machine that a name pointed to before. The
// package must never send a request twice, never accept a certificate that
// does not verify, and never show the query of an address, where tokens live.
package http

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	nethttp "net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/secret"
)

// settings are [env.NAME.http] of drhost.toml.
type settings struct {
	Agent       string `lua:"user_agent" default:"drhost" doc:"What requests call themselves."`
	Authorities string `lua:"authorities,optional" doc:"File with certificates of authorities to trust besides the machine's own, in PEM."`
}

// Client sends requests. It keeps nothing between calls and is safe for
// concurrent use.
type Client struct {
	net   binding.Network
	clock clock.Clock
	agent string
	roots *x509.CertPool // nil: the machine's own
	proxy func(*nethttp.Request) (*url.URL, error)
}

// open makes the client of one run; it calls nobody.
func open(env binding.Env, s settings) (*Client, error) {
	c := &Client{net: env.Net, clock: env.Clock, agent: s.Agent}
	if s.Authorities != "" {
		var err error
		if c.roots, err = readAuthorities(s.Authorities); err != nil {
			return nil, err
		}
	}
	if !env.Simulated {
		c.proxy = nethttp.ProxyFromEnvironment
	}
	return c, nil
}

// readAuthorities adds the certificates of a file to the machine's own.
func readAuthorities(file string) (*x509.CertPool, error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool() // a machine without any
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fault.New(fault.Invalid, "authorities in the settings of http: %v", err)
	}
	if !roots.AppendCertsFromPEM(text) {
		return nil, fault.New(fault.Invalid, "authorities in the settings of http: %s holds no certificate in PEM", file)
	}
	return roots, nil
}

// bodyLimit is how much of an answer a runbook is given.
const bodyLimit = 1 << 20

// leastWait is how long an answer is waited for in a drill, however fast it
// runs: behind it a real database may be at work.
const leastWait = 2 * time.Second

// order is a request, checked.
type order struct {
	method  string
	url     *url.URL
	header  nethttp.Header
	private map[string]secret.Value
	bearer  secret.Value
	body    []byte
	within  time.Duration
	address string // where to connect instead of resolving
	follow  bool
}

// reply is what came back.
type reply struct {
	status    int
	header    nethttp.Header
	body      []byte
	truncated bool
	latency   time.Duration
	address   string
	url       *url.URL
}

// do sends an order and reads the answer. Errors are those of net/http without
// the address that they repeat.
func (c *Client) do(ctx context.Context, o order) (reply, error) {
	outer := ctx
	ctx, meter := clock.WithMeter(ctx)
	wait := o.within
	if speed := c.clock.Speed(); speed > 1 {
		wait = min(o.within, max(time.Duration(float64(o.within)/speed), leastWait))
	}
	inner, stop := context.WithTimeout(ctx, wait)
	defer stop()
	start := c.clock.Now()
	r, err := c.exchange(inner, o)
	if err != nil && errors.Is(inner.Err(), context.DeadlineExceeded) && outer.Err() == nil {
		clock.Cut(ctx, o.within-wait)
	}
	r.latency = (c.clock.Now().Sub(start) + meter.Total()).Round(100 * time.Microsecond)
	return r, err
}

func (c *Client) exchange(ctx context.Context, o order) (reply, error) {
	road := &route{client: c, order: o}
	transport := &nethttp.Transport{DialContext: road.dial, DisableKeepAlives: true, TLSHandshakeTimeout: o.within,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.roots}}
	if o.address == "" {
		transport.Proxy = c.proxy
	}
	req, err := nethttp.NewRequestWithContext(ctx, o.method, o.url.String(), strings.NewReader(string(o.body)))
	if err != nil {
		return reply{}, err
	}
	if len(o.body) == 0 {
		req.Body = nethttp.NoBody
	}
	req.GetBody = nil // what cannot be rewound is not sent again
	req.Header = o.header
	for name, value := range o.private {
		req.Header.Set(name, value.Reveal())
	}
	if !o.bearer.Empty() {
		req.Header.Set("Authorization", "Bearer "+o.bearer.Reveal())
	}
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", c.agent)
	}
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
	}
	web := nethttp.Client{Transport: transport, CheckRedirect: o.redirect}
	res, err := web.Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err // the rest of it repeats the whole address
		}
		return reply{address: road.reached()}, err
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, bodyLimit+1))
	err = errors.Join(err, res.Body.Close())
	r := reply{status: res.StatusCode, header: res.Header, body: body, address: road.reached(), url: res.Request.URL}
	if len(body) > bodyLimit {
		r.body, r.truncated = body[:bodyLimit], true
	}
	return r, err
}

// mostRedirects is how many redirects are followed.
const mostRedirects = 10

var errTooOften = fmt.Errorf("redirected more than %d times", mostRedirects)

// redirect decides whether to follow, and takes what the runbook put into the
// headers away from another host and from an unprotected connection.
func (o order) redirect(req *nethttp.Request, via []*nethttp.Request) error {
	if !o.follow {
		return nethttp.ErrUseLastResponse
	}
	if len(via) >= mostRedirects {
		return errTooOften
	}
	if req.URL.Host != o.url.Host || (o.url.Scheme == "https" && req.URL.Scheme != "https") {
		for name := range o.header {
			req.Header.Del(name)
		}
	}
	return nil
}

// route connects, and remembers where to.
type route struct {
	client *Client
	order  order
	mu     sync.Mutex
	last   string
}

func (r *route) reached() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

func (r *route) to(address string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = address
}

// dial resolves as a customer would and tries every address in turn.
func (r *route) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	hosts := []string{host}
	if instead := r.order.address; instead != "" && host == r.order.url.Hostname() {
		hosts = []string{strings.Trim(instead, "[]")}
		if h, p, err := net.SplitHostPort(instead); err == nil {
			hosts, port = []string{h}, p
		}
	}
	if _, err := netip.ParseAddr(hosts[0]); err != nil {
		if hosts, err = r.client.net.LookupHost(ctx, hosts[0]); err != nil {
			return nil, &net.OpError{Op: "dial", Net: network, Err: err}
		}
	}
	var failures []error
	for _, h := range hosts {
		at := net.JoinHostPort(h, port)
		r.to(at)
		conn, err := r.client.net.Dial(ctx, network, at)
		if err == nil {
			return conn, nil
		}
		failures = append(failures, err)
		if ctx.Err() != nil {
			break
		}
	}
	if len(failures) == 0 {
		return nil, &net.DNSError{Err: "no address", Name: host, IsNotFound: true}
	}
	if len(failures) == 1 {
		return nil, &net.OpError{Op: "dial", Net: network, Err: failures[0]}
	}
	return nil, &net.OpError{Op: "dial", Net: network, Err: errors.Join(failures...)}
}

// target checks an address to send to.
func target(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, fault.New(fault.Invalid, "this is no address: %s", describe(text))
	case (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "":
		return nil, fault.New(fault.Invalid, "%s is no address such as https://app.example/health", describe(text))
	case u.User != nil:
		return nil, fault.New(fault.Invalid, "the address holds a user name or a password").
			WithHint("put credentials into secret_headers or bearer, which are kept out of the journal")
	}
	return u, nil
}

// describe shows an address without what may be secret in it.
func describe(text string) string {
	text, _, _ = strings.Cut(text, "?")
	if _, after, ok := strings.Cut(text, "@"); ok {
		text = "..." + after
	}
	return text
}

// show is an address without its query.
func show(u *url.URL) string {
	if u == nil {
		return ""
	}
	short := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	return short.String()
}
