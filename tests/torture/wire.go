package torture

import (
	"context"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/network"
)

// wire is a network with a boundary between every request and its answer: one
// when the request has left, one when the answer has come and nobody has read
// it yet.
type wire struct {
	binding.Network
	life *mortal
}

func (w *wire) Dial(ctx context.Context, kind, address string) (net.Conn, error) {
	c, err := w.Network.Dial(ctx, kind, address)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, life: w.life, name: kind + " " + address + why(ctx)}, nil
}

// changing stands in the names of boundaries within a mutation.
const changing = " for "

// why tells the calls of a mutation from those that only look.
func why(ctx context.Context) string {
	key := binding.Key(ctx)
	if key == "" {
		return ""
	}
	return changing + key[max(0, len(key)-16):]
}

func (w *wire) Forward(ctx context.Context, address string) (string, func(), error) {
	return network.Forward(ctx, address, w.Dial)
}

func (w *wire) Transport() http.RoundTripper { return &exchange{w.Network.Transport(), w.life} }

// exchange is one request with its answer.
type exchange struct {
	next http.RoundTripper
	life *mortal
}

func (x *exchange) RoundTrip(r *http.Request) (*http.Response, error) {
	name := r.Method + " " + r.URL.Path
	trace := &httptrace.ClientTrace{WroteRequest: func(info httptrace.WroteRequestInfo) {
		if info.Err == nil {
			x.life.pass("%s sent", name)
		}
	}}
	answer, err := x.next.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
	if err == nil {
		x.life.pass("%s answered", name)
	}
	return answer, err
}

// CloseIdleConnections lets an http.Client reach through.
func (x *exchange) CloseIdleConnections() {
	if c, ok := x.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// conn is a connection of another protocol: SSH, PostgreSQL, DNS.
type conn struct {
	net.Conn
	life *mortal
	name string

	mu    sync.Mutex
	asked bool // something was sent that is not answered
}

func (c *conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if c.turn(true) {
		c.life.pass("%s sent", c.name)
	}
	return n, err
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && c.turn(false) {
		c.life.pass("%s answered", c.name)
	}
	return n, err
}

// turn tells whether the conversation changes its direction.
func (c *conn) turn(asked bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	changed := c.asked != asked
	c.asked = asked
	return changed
}

// CloseWrite lets a copier end one direction.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Conn.Close()
}
