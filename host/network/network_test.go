package network

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
)

// board is a switchboard whose routes a test sets: address to answer.
type board struct {
	mu     sync.Mutex
	routes map[string]any
	asked  []string
}

func (b *board) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	address := r.URL.Query().Get("address")
	b.asked = append(b.asked, r.URL.Query().Get("network")+" "+address)
	if text, ok := b.routes[address].(string); ok { // raw
		fmt.Fprint(w, text)
		return
	}
	if to, ok := b.routes[address]; ok {
		json.NewEncoder(w).Encode(to)
		return
	}
	http.Error(w, "no such address", http.StatusNotFound)
}

func (b *board) set(address string, to any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.routes[address] = to
}

func newBoard(t *testing.T) (*board, *httptest.Server) {
	t.Helper()
	b := &board{routes: map[string]any{}}
	s := httptest.NewServer(b)
	t.Cleanup(s.Close)
	return b, s
}

// echo answers each connection with what it heard, after the other side has
// finished speaking.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				heard, _ := io.ReadAll(c)
				fmt.Fprintf(c, "heard %s", heard)
			}()
		}
	}()
	return l.Addr().String()
}

func talk(t *testing.T, c net.Conn, text string) string {
	t.Helper()
	defer c.Close()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

func TestRoutes(t *testing.T) {
	b, s := newBoard(t)
	b.set("203.0.113.10:5432", Route{To: echo(t)})
	b.set("203.0.113.10:80", Route{Refuse: true})
	b.set("[2001:db8::10]:5432", Route{To: echo(t)})
	b.set("203.0.113.66:1", Route{To: "198.51.100.1:80"})
	b.set("203.0.113.66:2", "not json")
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.set("203.0.113.66:3", Route{To: dead.Addr().String()})
	dead.Close()
	n := Switchboard(s.URL, nil, clock.System{})

	for _, address := range []string{"203.0.113.10:5432", "[2001:db8::10]:5432", echo(t)} {
		c, err := n.Dial(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if got := talk(t, c, "hello"); got != "heard hello" {
			t.Errorf("%s: %q", address, got)
		}
	}
	for _, address := range []string{"203.0.113.10:80", "203.0.113.66:3"} {
		_, err := n.Dial(t.Context(), "tcp", address)
		var op *net.OpError
		if !errors.Is(err, syscall.ECONNREFUSED) || !errors.As(err, &op) || op.Op != "dial" || op.Addr.String() != address {
			t.Errorf("%s: %v", address, err)
		}
	}
	for address, want := range map[string]string{
		"203.0.113.66:1": "not on this machine", "203.0.113.66:2": "invalid character", "203.0.113.99:22": "404", "203.0.113.10": "missing port",
	} {
		if _, err := n.Dial(t.Context(), "tcp", address); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", address, err)
		}
	}
	s.Close()
	if _, err := n.Dial(t.Context(), "tcp", "203.0.113.10:5432"); err == nil || !strings.Contains(err.Error(), "simulated world") {
		t.Errorf("without a world: %v", err)
	}
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

func TestBlackHoleIsMetered(t *testing.T) {
	b, s := newBoard(t)
	b.set("203.0.113.10:22", Route{Drop: true})
	n := Switchboard(s.URL, nil, clock.Scaled{Factor: 500})
	ctx, meter := clock.WithMeter(t.Context())
	if _, err := n.Dial(ctx, "tcp", "203.0.113.10:22"); !isTimeout(err) {
		t.Errorf("got %v", err)
	}
	if cut := meter.Total(); cut < 9*time.Second || cut > 10*time.Second {
		t.Errorf("cut %v of ten seconds", cut)
	}
	// A shorter deadline of the call shortens the wait.
	ctx, meter = clock.WithMeter(t.Context())
	ctx, stop := context.WithTimeout(ctx, 2*time.Second)
	defer stop()
	if _, err := n.Dial(ctx, "tcp", "203.0.113.10:22"); !isTimeout(err) {
		t.Errorf("got %v", err)
	}
	if cut := meter.Total(); cut < time.Second || cut > 2*time.Second {
		t.Errorf("cut %v of two seconds", cut)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := n.Dial(ctx, "tcp", "203.0.113.10:22"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	ctx, stop = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	if _, err := Switchboard(s.URL, nil, clock.System{}).Dial(ctx, "tcp", "203.0.113.10:22"); !isTimeout(err) {
		t.Errorf("in real time: %v", err)
	}
}

// zone is a DNS server that knows hobby.webhost.systems.
func zone(t *testing.T) string {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &dns.Server{PacketConn: pc, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg)
		m.SetReply(q)
		m.Authoritative = true
		name := q.Question[0].Name
		switch {
		case name != "hobby.webhost.systems.":
			m.Rcode = dns.RcodeNameError
		case q.Question[0].Qtype == dns.TypeA:
			rr, _ := dns.NewRR(name + " 60 IN A 203.0.113.10")
			m.Answer = append(m.Answer, rr)
		case q.Question[0].Qtype == dns.TypeAAAA:
			rr, _ := dns.NewRR(name + " 60 IN AAAA 2001:db8::10")
			m.Answer = append(m.Answer, rr)
		}
		w.WriteMsg(m)
	})}
	go server.ActivateAndServe()
	t.Cleanup(func() { server.Shutdown() })
	return pc.LocalAddr().String()
}

func TestNames(t *testing.T) {
	b, s := newBoard(t)
	b.set("203.0.113.53:53", Route{To: zone(t)})
	b.set("203.0.113.52:53", Route{Refuse: true})
	b.set("203.0.113.10:80", Route{Refuse: true})
	b.set("[2001:db8::10]:80", Route{To: echo(t)})
	n := Switchboard(s.URL, []string{"203.0.113.52:53", "203.0.113.53:53"}, clock.System{})
	hosts, err := n.LookupHost(t.Context(), "hobby.webhost.systems")
	if err != nil || strings.Join(hosts, " ") != "203.0.113.10 2001:db8::10" {
		t.Fatalf("%v %v", hosts, err)
	}
	c, err := n.Dial(t.Context(), "tcp", "hobby.webhost.systems:80") // the second address answers
	if err != nil {
		t.Fatal(err)
	}
	if got := talk(t, c, "hi"); got != "heard hi" {
		t.Errorf("%q", got)
	}
	var missing *net.DNSError
	if _, err := n.LookupHost(t.Context(), "nope.webhost.systems"); !errors.As(err, &missing) || !missing.IsNotFound || missing.Name != "nope.webhost.systems" {
		t.Errorf("%v", err)
	}
	if _, err := n.Dial(t.Context(), "tcp", "nope.webhost.systems:80"); !errors.As(err, &missing) {
		t.Errorf("%v", err)
	}
	if hosts, err := n.LookupHost(t.Context(), "203.0.113.10"); err != nil || len(hosts) != 1 {
		t.Errorf("an address: %v %v", hosts, err)
	}
	if _, err := Switchboard(s.URL, nil, clock.System{}).LookupHost(t.Context(), "example.org"); err == nil {
		t.Error("a name was resolved without a resolver of the world")
	}
	for _, asked := range b.asked {
		if strings.Contains(asked, ":53") && !strings.HasPrefix(asked, "udp ") {
			t.Errorf("resolver asked by %s", asked)
		}
	}
}

func TestCutHeaderIsAdded(t *testing.T) {
	b, s := newBoard(t)
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Drhost-Cut", r.URL.Query().Get("cut"))
	}))
	defer provider.Close()
	b.set("203.0.113.10:80", Route{To: provider.Listener.Addr().String()})
	client := &http.Client{Transport: Switchboard(s.URL, nil, clock.System{}).Transport()}
	for url, want := range map[string]time.Duration{
		provider.URL + "/?cut=1.25": 1250 * time.Millisecond, "http://203.0.113.10/?cut=0.5": 500 * time.Millisecond,
		provider.URL + "/?cut=soon": 0, provider.URL + "/?cut=-3": 0, provider.URL + "/?cut=NaN": 0, provider.URL + "/?cut=1e99": 0,
	} {
		ctx, meter := clock.WithMeter(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if meter.Total() != want {
			t.Errorf("%s: cut %v", url, meter.Total())
		}
	}
}

// TestMovedAddress: an address that leads to another machine does so at once.
func TestMovedAddress(t *testing.T) {
	b, s := newBoard(t)
	client := &http.Client{Transport: Switchboard(s.URL, nil, clock.System{}).Transport()}
	for _, name := range []string{"old", "new"} {
		machine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, name) }))
		defer machine.Close()
		b.set("203.0.113.10:80", Route{To: machine.Listener.Addr().String()})
		res, err := client.Get("http://203.0.113.10/")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if string(body) != name {
			t.Errorf("the %s machine should have answered, not %s", name, body)
		}
	}
}

// TestMutationsAreSentOnce breaks a kept connection under the second request:
// net/http alone would send it again.
func TestMutationsAreSentOnce(t *testing.T) {
	for name, n := range map[string]binding.Network{"system": System(), "world": Switchboard("http://127.0.0.1:1", nil, clock.System{})} {
		for _, body := range []string{"", "text"} {
			var seen atomic.Int32
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if seen.Add(1); r.Method == http.MethodPost {
					c, _, _ := http.NewResponseController(w).Hijack()
					c.Close()
				}
			}))
			client := &http.Client{Transport: n.Transport()}
			res, err := client.Get(s.URL) // leaves a connection to be reused
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			var content io.Reader
			if body != "" {
				content = strings.NewReader(body)
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, content)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Idempotency-Key", "dr-1")
			if _, err := client.Do(req); err == nil {
				t.Error("a cut connection gave an answer")
			}
			if got := seen.Load(); got != 2 {
				t.Errorf("%s, body %q: %d requests arrived, want one GET and one POST", name, body, got)
			}
			s.Close()
		}
	}
}

func TestForward(t *testing.T) {
	b, s := newBoard(t)
	b.set("203.0.113.10:5432", Route{To: echo(t)})
	b.set("203.0.113.10:80", Route{Refuse: true})
	for name, n := range map[string]binding.Network{"world": Switchboard(s.URL, nil, clock.System{}), "system": System()} {
		address := "203.0.113.10:5432"
		if name == "system" {
			address = echo(t)
		}
		local, end, err := n.Forward(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			c, err := net.Dial("tcp", local)
			if err != nil {
				t.Fatal(err)
			}
			if got := talk(t, c, "through"); got != "heard through" { // needs the half-close
				t.Errorf("%s: %q", name, got)
			}
		}
		open, err := net.Dial("tcp", local)
		if err != nil {
			t.Fatal(err)
		}
		end()
		end()
		if _, err := io.ReadAll(open); isTimeout(err) {
			t.Errorf("an open connection outlived the forward: %v", err)
		}
		open.Close()
		if _, err := net.Dial("tcp", local); err == nil {
			t.Error("the port is still open")
		}
	}
	n := Switchboard(s.URL, nil, clock.System{})
	local, end, err := n.Forward(t.Context(), "203.0.113.10:80")
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	c, err := net.Dial("tcp", local)
	if err != nil && !errors.Is(err, syscall.ECONNRESET) { // the reset may be faster than the connect
		t.Fatal(err)
	}
	if err == nil {
		defer c.Close()
		if got, _ := io.ReadAll(c); len(got) != 0 {
			t.Errorf("a refused forward said %q", got)
		}
	}
	if _, _, err := n.Forward(t.Context(), "no port"); err == nil {
		t.Error("forwarded to nowhere")
	}
}

func TestForwardEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	local, end, err := System().Forward(ctx, echo(t))
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", local)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	cancel()
	io.ReadAll(c) // returns only when the forward closed it
	end()
	if _, err := net.Dial("tcp", local); err == nil {
		t.Error("the port is still open")
	}
}

func TestSystemRefusals(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := System().Dial(t.Context(), "tcp", l.Addr().String()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%v", err)
	}
	if hosts, err := System().LookupHost(t.Context(), "127.0.0.1"); err != nil || len(hosts) != 1 {
		t.Errorf("%v %v", hosts, err)
	}
}
