package world

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/bindings/cloudflare/cloudflaresim"
)

// zoneOf is the zone at Cloudflare that holds a name.
func (w *World) zoneOf(name string) (string, error) {
	for _, zone := range w.cloudflare.Zones() {
		if name == zone || strings.HasSuffix(name, "."+zone) {
			return zone, nil
		}
	}
	return "", fmt.Errorf("%s is in none of the zones", name)
}

// WrongRecord gives a DNS record (by its whole name) another content or TTL,
// as if somebody had mistyped it a while ago; what is empty or 0 stays.
func (w *World) WrongRecord(name, recordType, content string, ttl int) error {
	recordType = or(recordType, "A")
	zone, err := w.zoneOf(name)
	if err == nil {
		err = w.cloudflare.Tamper(zone, name, recordType, func(r *cloudflaresim.Record) {
			r.Content = or(content, r.Content)
			if ttl > 0 {
				r.TTL, r.Proxied = ttl, false
			}
		})
	}
	if err != nil {
		return fmt.Errorf("wrong_record: %w", err)
	}
	args := map[string]any{"name": name, "type": recordType}
	if content != "" {
		args["content"] = content
	}
	if ttl > 0 {
		args["ttl"] = float64(ttl)
	}
	w.record("wrong_record", args)
	return nil
}

// LoseRecord deletes a DNS record (by its whole name), of every type when
// recordType is empty.
func (w *World) LoseRecord(name, recordType string) error {
	zone, err := w.zoneOf(name)
	if err == nil {
		err = w.cloudflare.Remove(zone, name, recordType)
	}
	if err != nil {
		return fmt.Errorf("lose_record: %w", err)
	}
	w.record("lose_record", map[string]any{"name": name, "type": recordType})
	return nil
}

// RogueRecord adds a DNS record that nobody asked for.
func (w *World) RogueRecord(name, recordType, content string, ttl int) error {
	r := cloudflaresim.Record{Name: name, Type: or(recordType, "A"), Content: content, TTL: ttl}
	zone, err := w.zoneOf(name)
	if err == nil {
		_, err = w.cloudflare.AddRecord(zone, r)
	}
	if err != nil {
		return fmt.Errorf("rogue_record: %w", err)
	}
	w.record("rogue_record", map[string]any{"name": name, "type": r.Type, "content": content})
	return nil
}

// ZoneStatus sets a zone's status at Cloudflare: "pending" or "moved" when the
// registrar names other servers than Cloudflare's, "active" again.
func (w *World) ZoneStatus(zone, status string) error {
	switch status {
	case "active", "pending", "moved":
	default:
		return fmt.Errorf("zone_status: %q is none of active, pending and moved", status)
	}
	if err := w.cloudflare.SetStatus(zone, status); err != nil {
		return fmt.Errorf("zone_status: %w", err)
	}
	w.record("zone_status", map[string]any{"zone": zone, "status": status})
	return nil
}

// probe asks an origin for a path, as Cloudflare's monitors do.
func (w *World) probe(address string, port int, path string) (int, error) {
	patience := max(time.Duration(5/w.opt.Speed*float64(time.Second)), 300*time.Millisecond)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		ip, err := w.lookup(ctx, address)
		if err != nil {
			return nil, err
		}
		return w.dial(ctx, network, net.JoinHostPort(ip, strconv.Itoa(port)))
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return 0, err
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return 0, fmt.Errorf("TCP connection failed: %w", err)
	}
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, bodyLimit))
	if closing := resp.Body.Close(); err == nil {
		err = closing
	}
	return resp.StatusCode, err
}

// makePools makes the pools of origins and the load balancers over them.
func (w *World) makePools() error {
	for _, p := range w.spec.Pools {
		var origins [][2]string
		for _, o := range p.Origins {
			origins = append(origins, [2]string{or(o.Name, o.Server), or(o.Address, w.addresses[o.Server])})
		}
		id, err := w.cloudflare.AddPool(p.Name, p.Path, time.Minute, origins)
		if err != nil {
			return err
		}
		w.pools[p.Name] = id
	}
	for _, z := range w.spec.Zones {
		for _, b := range z.Balancers {
			var ids []string
			for _, name := range b.Pools {
				ids = append(ids, w.pools[name])
			}
			if err := w.cloudflare.AddLoadBalancer(z.Name, qualified(b.Name, z.Name), b.Proxied, ids...); err != nil {
				return err
			}
		}
	}
	return nil
}

// PoolSpec is a pool of origins at Cloudflare's load balancing.
type PoolSpec struct {
	Name    string       `toml:"name"`
	Path    string       `toml:"path"` // that a monitor asks for; empty: nobody watches
	Origins []OriginSpec `toml:"origin"`
}

// OriginSpec is a server of a pool: one of Hetzner's, or any address.
type OriginSpec struct {
	Name    string `toml:"name"`
	Server  string `toml:"server"`
	Address string `toml:"address"`
}

// BalancerSpec is a load balancer: a name that answers by pools, in order.
type BalancerSpec struct {
	Name    string   `toml:"name"`
	Proxied bool     `toml:"proxied"`
	Pools   []string `toml:"pools"`
}

func (s Spec) checkPools(servers map[string]bool) error {
	pools := map[string]bool{}
	for _, p := range s.Pools {
		pools[p.Name] = true
		for _, o := range p.Origins {
			if (o.Server == "") == (o.Address == "") || (o.Server != "" && !servers[o.Server]) {
				return fmt.Errorf("pool %s: an origin is one of the servers or has an address", p.Name)
			}
		}
	}
	for _, z := range s.Zones {
		for _, b := range z.Balancers {
			for _, name := range b.Pools {
				if !pools[name] {
					return fmt.Errorf("zone %s: load balancer %s: there is no pool %q", z.Name, b.Name, name)
				}
			}
		}
	}
	return nil
}
