package machine

import (
	"context"
	"io"
	"net"
	"sync"
)

// port is one open port of a machine: a loopback listener whose connections
// freeze when the guest hangs and end when it dies.
type port struct {
	net.Listener
	guest *guest

	mu    sync.Mutex
	open  map[*conn]struct{}
	ended bool
}

func listen(g *guest) (*port, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &port{Listener: ln, guest: g, open: map[*conn]struct{}{}}, nil
}

// Accept is net.Listener's.
func (p *port) Accept() (net.Conn, error) {
	raw, err := p.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: raw, port: p}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		raw.Close()
		return nil, net.ErrClosed
	}
	p.open[c] = struct{}{}
	return c, nil
}

// Close stops listening and resets every open connection.
func (p *port) Close() error {
	err := p.Listener.Close()
	p.mu.Lock()
	p.ended = true
	open := p.open
	p.open = nil
	p.mu.Unlock()
	for c := range open {
		c.reset()
	}
	return err
}

func (p *port) address() string { return p.Listener.Addr().String() }

// conn is a connection to a machine.
type conn struct {
	net.Conn
	port *port
}

// stall waits for the guest's end once the guest hangs.
func (c *conn) stall() {
	select {
	case <-c.port.guest.frozen:
		<-c.port.guest.ctx.Done()
	default:
	}
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.stall()
	return n, err
}

func (c *conn) Write(b []byte) (int, error) {
	c.stall()
	return c.Conn.Write(b)
}

func (c *conn) Close() error {
	c.stall() // a guest that hangs cannot even hang up
	c.port.mu.Lock()
	delete(c.port.open, c)
	c.port.mu.Unlock()
	return c.Conn.Close()
}

// CloseWrite ends one direction, for the proxy in front of the database.
func (c *conn) CloseWrite() error {
	c.stall()
	if half, ok := c.Conn.(*net.TCPConn); ok {
		return half.CloseWrite()
	}
	return c.Conn.Close()
}

func (c *conn) reset() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Conn.Close()
}

// relay passes the connections of p on to whatever dial reaches, until p is
// closed. A connection that dial cannot take is reset.
func (p *port) relay(dial func(context.Context) (net.Conn, error)) {
	for {
		in, err := p.Accept()
		if err != nil {
			return
		}
		go func() {
			out, err := dial(p.guest.ctx)
			if err != nil {
				p.drop(in.(*conn))
				return
			}
			var wg sync.WaitGroup
			wg.Go(func() { pipe(out, in) })
			wg.Go(func() { pipe(in, out) })
			wg.Wait()
			in.Close()
			out.Close()
		}()
	}
}

func (p *port) drop(c *conn) {
	p.mu.Lock()
	delete(p.open, c)
	p.mu.Unlock()
	c.reset()
}

func pipe(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}
