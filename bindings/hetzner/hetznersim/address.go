package hetznersim

import (
	"fmt"
	"net/netip"
	"strings"
)

// pool hands out addresses: IPv4 from 203.0.113.10 upward and then from the
// other documentation networks (RFC 5737), IPv6 networks 2001:db8:0:N::/64
// (RFC 3849). An address given back is handed out again only when all others
// are gone, so that a drill never confuses two machines.
type pool struct {
	last4    netip.Addr
	last6    uint32
	returned []string // IPv4, oldest first
}

func (p *pool) ipv4() (string, error) {
	following := map[netip.Addr]netip.Addr{
		{}: netip.AddrFrom4([4]byte{203, 0, 113, 10}),
		netip.AddrFrom4([4]byte{203, 0, 113, 254}):  netip.AddrFrom4([4]byte{198, 51, 100, 10}),
		netip.AddrFrom4([4]byte{198, 51, 100, 254}): netip.AddrFrom4([4]byte{192, 0, 2, 10}),
	}
	after, jumps := following[p.last4]
	if !jumps {
		after = p.last4.Next()
	}
	if after != netip.AddrFrom4([4]byte{192, 0, 2, 255}) {
		p.last4 = after
		return after.String(), nil
	}
	if len(p.returned) == 0 {
		return "", &problem{status: 403, code: "resource_limit_exceeded", message: "no IPv4 address is left"}
	}
	oldest := p.returned[0]
	p.returned = p.returned[1:]
	return oldest, nil
}

// ipv6 returns a network such as 2001:db8:0:1::/64.
func (p *pool) ipv6() string {
	p.last6++
	return fmt.Sprintf("2001:db8:%x:%x::/64", p.last6>>16, p.last6&0xffff)
}

// give makes an address of a kind ("ipv4", "ipv6").
func (p *pool) give(kind string) (string, error) {
	if kind == "ipv6" {
		return p.ipv6(), nil
	}
	return p.ipv4()
}

func (p *pool) take(address string) {
	if !strings.Contains(address, ":") {
		p.returned = append(p.returned, address)
	}
}

// host is the address a machine answers on: the IPv4 itself, and the first of
// an IPv6 network.
func host(address string) string {
	if network, isNetwork := strings.CutSuffix(address, "/64"); isNetwork {
		return network + "1"
	}
	return address
}

// reverse is the vendor's default PTR name of an address.
func reverse(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil || !a.Is4() {
		return ""
	}
	b := a.As4()
	return fmt.Sprintf("static.%d.%d.%d.%d.clients.your-server.de", b[3], b[2], b[1], b[0])
}

// pointers are the PTR names set for the addresses of one IP resource.
type pointers map[string]string

// set changes or, with nil, resets the name of an address within ip.
func (p pointers) set(ip, address string, name *string) error {
	within := address == ip
	if network, err := netip.ParsePrefix(ip); err == nil {
		a, err := netip.ParseAddr(address)
		within = err == nil && network.Contains(a)
	}
	switch {
	case !within:
		return invalid("ip", "%q does not belong to this resource", address)
	case name == nil:
		delete(p, address)
	default:
		p[address] = *name
	}
	return nil
}

// first is the name of a single address.
func (p pointers) first(address string) string {
	if name, set := p[address]; set {
		return name
	}
	return reverse(address)
}

// view lists the names: always one for IPv4, those that were set for IPv6.
func (p pointers) view(ip string) []obj {
	if !strings.Contains(ip, ":") {
		return []obj{{"ip": ip, "dns_ptr": p.first(ip)}}
	}
	list := []obj{}
	for _, address := range sortedKeys(p) {
		list = append(list, obj{"ip": address, "dns_ptr": p[address]})
	}
	return list
}
