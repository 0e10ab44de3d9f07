package binding

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/secret"
)

// Env is the environment a run acts in, as one provider sees it. A binding
// reaches the world through Net and waits through Clock, never otherwise; so
// a drill's simulated addresses and shortened waits need no word from it.
type Env struct {
	Name      string // "production", "staging", "sim"
	Simulated bool
	Settings  map[string]any // [env.NAME.<module>], decoded by Open
	Net       Network
	Clock     clock.Clock
	Secret    Resolver // resolves a credential reference such as "env:NAME"
	Dir       string   // relative paths in settings and arguments start here
	// State is a folder of this installation's own, in which a binding may
	// remember what outlives a run, in a folder of its name; "" in a simulated
	// world, of which nothing is remembered.
	State string
	// Objectives are the components' targets by name, [objectives.NAME].
	Objectives map[string]Objective
}

// Objective is what was promised of a component; zero where nothing was.
type Objective struct{ RTO, RPO time.Duration }

// Network reaches addresses. In a drill, machines carry documentation
// addresses (203.0.113.0/24) that lead to loopback sockets.
type Network interface {
	// Dial connects; address is host:port, host a name or an address.
	// network is "tcp" or "udp".
	Dial(ctx context.Context, network, address string) (net.Conn, error)
	// LookupHost returns the addresses of a name as a customer would see them.
	LookupHost(ctx context.Context, name string) ([]string, error)
	// Transport is what HTTP clients of providers are built on. It never
	// retries and has no overall timeout: the call's context has.
	Transport() http.RoundTripper
	// Forward opens a loopback port that leads to address, for child
	// processes that cannot use Dial. It closes when ctx ends or by close.
	Forward(ctx context.Context, address string) (local string, close func(), err error)
}

// Resolver turns a credential reference ("env:NAME", "file:PATH", the name of
// a secret the runbook was given) into its value. The fault names what is
// missing, never what was found.
type Resolver func(reference string) (secret.Value, error)
