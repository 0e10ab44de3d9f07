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
		if to, ok := w.routeFly(ip, int(number)); ok {
			return to, nil
		}
	}
	v := w.metal.behind(ip.String())
	if v == nil || w.gateways["hetzner"].isCut() {
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
