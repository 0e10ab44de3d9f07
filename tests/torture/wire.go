package torture

import (
	"bytes"
	"context"
	"net"
	"regexp"
	"strings"
	"sync"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/network"
)

// onWire puts a boundary between every request and its answer: one when the
// request has left, one when the answer has come and nobody has read it yet.
func onWire(n binding.Network, life *mortal) binding.Network {
	wrapped, ok := network.Wrapped(n, func(ctx context.Context, kind, address string, made net.Conn) net.Conn {
		if !strings.HasPrefix(kind, "tcp") {
			return made // questions to DNS: they change nothing and are asked again
		}
		host, port, err := net.SplitHostPort(address)
		if err == nil && net.ParseIP(host).IsLoopback() {
			port = "API" // its number is another one in every world
		}
		return &conn{Conn: made, life: life, to: host + ":" + port + why(ctx)}
	})
	if !ok {
		life.pass("a network that is not the world's") // it does not count; nothing in a drill uses one
	}
	return wrapped
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

// conn is one connection into the world.
type conn struct {
	net.Conn
	life *mortal
	to   string

	mu    sync.Mutex
	name  string // of what was asked last
	asked bool   // something was sent that is not answered
}

var requestLine = regexp.MustCompile(`^([A-Z]+ [^ ?]+)\S* HTTP/1`)

// Write is what leaves; when it returns the other side has it. A request of
// HTTP says what it is about; of SSH and PostgreSQL only the turns of the
// conversation can be told apart.
func (c *conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.mu.Lock()
	line, _, _ := bytes.Cut(p, []byte("\r\n"))
	m := requestLine.FindSubmatch(line)
	first := !c.asked
	c.asked = true
	if m != nil {
		c.name = string(m[1])
	} else if c.name == "" {
		c.name = c.to
	}
	name := c.name
	c.mu.Unlock()
	if err == nil && (first || strings.Contains(name, "/")) {
		c.life.pass("%s sent", name)
	}
	return n, err
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	answers, name := c.asked && n > 0, c.name
	if n > 0 {
		c.asked = false
	}
	c.mu.Unlock()
	if answers {
		c.life.pass("%s answered", name)
	}
	return n, err
}

// CloseWrite lets a copier end one direction.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Conn.Close()
}
