package world

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"

	"github.com/webhost-systems/drhost/bindings/world/machine"
)

// Route says where a connection to an address of the world leads: to a
// loopback address, to a refusal, or nowhere, so that it times out.
type Route struct {
	To     string `json:"to,omitempty"`
	Refuse bool   `json:"refuse,omitempty"`
	Drop   bool   `json:"drop,omitempty"`
}

// Addresses of the world's DNS servers: those of the zones, and two public
// resolvers.
const (
	glue1, glue2         = "203.0.113.2", "203.0.113.3"
	resolver1, resolver2 = "203.0.113.8", "203.0.113.9"
)

// Route finds out where network ("tcp", "udp") and address ("203.0.113.10:22")
// lead. Loopback leads to itself; an address that nobody has, nowhere.
func (w *World) Route(network, address string) (Route, error) {
	return w.route(network, address, false)
}

// between connects a machine of the world to a name or an address. What is cut
// off from a provider is the operator, not one machine from another.
func (w *World) between(ctx context.Context, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if host, err = w.lookupInside(ctx, host); err != nil {
		return nil, err
	}
	to, err := w.route("tcp", net.JoinHostPort(host, port), true)
	if err != nil {
		return nil, err
	}
	if to.To == "" {
		return nil, fmt.Errorf("%s does not answer", address)
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", to.To)
}

// lookupInside is lookup for a machine. Fly's private names have servers of
// their own, which answer while nothing else of the world does.
func (w *World) lookupInside(ctx context.Context, host string) (string, error) {
	if w.fly != nil {
		if addresses, known := w.flyAddresses(host); known && len(addresses) > 0 {
			return addresses[0], nil
		}
	}
	return w.lookup(ctx, host)
}

// route is Route; inside tells that it is a machine of the world who asks.
func (w *World) route(network, address string, inside bool) (Route, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return Route{}, fmt.Errorf("route %s: %w", address, err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return Route{}, fmt.Errorf("route %s: %q is no port", address, port)
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return Route{}, fmt.Errorf("route %s: %q is no IP address", address, host)
	}
	if ip = ip.Unmap(); ip.IsLoopback() {
		if inside { // its own loopback: not that of this computer
			return Route{Refuse: true}, nil
		}
		return Route{To: address}, nil
	}
	if dns := w.nameservers[ip.String()]; dns != "" {
		if number == 53 {
			return Route{To: dns}, nil
		}
		return Route{Refuse: true}, nil
	}
	if content, ok := w.cloudflare.Origin(ip.String()); ok {
		// The edge passes a request on to the origin, wherever that is.
		origin, err := netip.ParseAddr(content)
		if err != nil {
			return Route{Refuse: true}, nil
		}
		ip = origin.Unmap()
	}
	if network == "tcp" {
		if to, ok := w.routeFly(ip, int(number), inside); ok {
			return to, nil
		}
	}
	v := w.metal.behind(ip.String())
	if v == nil || !inside && w.gateways["hetzner"].isCut() {
		return Route{Drop: true}, nil
	}
	if network != "tcp" {
		return Route{Refuse: true}, nil // a machine serves nothing over UDP
	}
	switch to, reach := v.Port(int(number)); reach {
	case machine.Open:
		return Route{To: to}, nil
	case machine.Refused:
		return Route{Refuse: true}, nil
	}
	return Route{Drop: true}, nil
}

// dial connects as the world routes. Where packets vanish it does not wait for
// the timeout but returns it.
func (w *World) dial(ctx context.Context, network, address string) (net.Conn, error) {
	kind := "tcp"
	if len(network) >= 3 && network[:3] == "udp" {
		kind = "udp"
	}
	to, err := w.Route(kind, address)
	if err != nil {
		return nil, err
	}
	switch {
	case to.Refuse:
		return nil, &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	case to.Drop:
		return nil, &net.OpError{Op: "dial", Net: network, Err: os.ErrDeadlineExceeded}
	}
	var d net.Dialer
	return d.DialContext(ctx, network, to.To)
}
