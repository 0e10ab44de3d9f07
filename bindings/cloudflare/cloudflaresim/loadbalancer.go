package cloudflaresim

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"time"
)

// balancing is the load balancing of the account: pools and monitors are the
// account's, load balancers a zone's.
type balancing struct {
	pools, monitors *shelf
	balancers       map[string]*shelf // by zone id
	turns           int               // for random steering: which pool is next
}

// pool, origin, monitor and balancer are what steering needs of the objects.
type pool struct {
	ID, Name, Monitor string
	Enabled           bool
	MinimumOrigins    int `json:"minimum_origins"`
	Origins           []origin
}

type origin struct {
	Name, Address string
	Enabled       *bool
	Weight        *float64
}

type monitor struct {
	ID, Type, Path string
	Port           int
	Interval       float64
	ExpectedCodes  string `json:"expected_codes"`
}

type balancer struct {
	Name           string
	Enabled        bool
	Proxied        bool
	TTL            int
	DefaultPools   []string            `json:"default_pools"`
	FallbackPool   string              `json:"fallback_pool"`
	RegionPools    map[string][]string `json:"region_pools"`
	SteeringPolicy string              `json:"steering_policy"`
}

func (o origin) on() bool { return o.Enabled == nil || *o.Enabled }

// homeRegion is where the simulated customers are.
const homeRegion = "WEU"

// balancedTTL is how long the answer of a load balancer may be remembered when
// it does not say (developers.cloudflare.com/load-balancing, "DNS-only").
const balancedTTL = 30

var poolName = regexp.MustCompile(`^[-_a-zA-Z0-9]+$`)

func newBalancing() *balancing {
	b := &balancing{balancers: map[string]*shelf{}}
	b.pools = &shelf{kind: "pool", check: b.checkPool, inUse: b.poolUser, defaults: func() object {
		return object{"description": "", "enabled": true, "minimum_origins": 1.0, "check_regions": nil, "notification_email": "",
			"origin_steering": object{"policy": "random"}}
	}}
	b.monitors = &shelf{kind: "monitor", inUse: b.monitorUser, check: func(o object) *problem { _, p := as[monitor](o); return p },
		defaults: func() object {
			return object{"type": "http", "description": "", "method": "GET", "path": "/", "timeout": 5.0, "retries": 2.0, "interval": 60.0,
				"expected_codes": "200", "expected_body": "", "follow_redirects": false, "allow_insecure": false, "probe_zone": "",
				"consecutive_up": 0.0, "consecutive_down": 0.0, "header": object{}}
		}}
	return b
}

func (b *balancing) of(z *zone) *shelf {
	if b.balancers[z.id] == nil {
		b.balancers[z.id] = &shelf{kind: "load balancer", inUse: func(string) string { return "" },
			check: func(o object) *problem { return b.checkBalancer(z, o) },
			defaults: func() object {
				return object{"description": "", "enabled": true, "proxied": false, "steering_policy": "off", "session_affinity": "none",
					"region_pools": object{}, "pop_pools": object{}, "country_pools": object{}}
			}}
	}
	return b.balancers[z.id]
}

func (b *balancing) checkPool(o object) *problem {
	v, p := as[pool](o)
	switch {
	case p != nil:
		return p
	case !poolName.MatchString(v.Name):
		return invalid("name: must match %s", poolName)
	case len(v.Origins) == 0:
		return invalid("origins: at least one is needed")
	case v.Monitor != "" && b.monitors.find(v.Monitor) < 0:
		return invalid("monitor: %s not found", v.Monitor)
	}
	list, _ := o["origins"].([]any)
	for _, one := range list {
		if one, ok := one.(object); ok && one["header"] == nil {
			delete(one, "header") // the vendor's own client sends null for none
		}
	}
	seen := map[string]bool{}
	for i, one := range v.Origins {
		_, err := netip.ParseAddr(one.Address)
		if one.Name == "" || seen[one.Name] || (err != nil && !isName(one.Address)) {
			return invalid("origins[%d]: needs a name of its own and an address", i)
		}
		seen[one.Name] = true
	}
	return nil
}

func (b *balancing) checkBalancer(z *zone, o object) *problem {
	v, p := as[balancer](o)
	if p != nil {
		return p
	}
	name, _ := o["name"].(string)
	if name == "" || !isName(qualify(name, z.name)) {
		return invalid("name: must be a hostname of the zone")
	}
	o["name"] = qualify(name, z.name)
	if len(v.DefaultPools) == 0 || v.FallbackPool == "" {
		return invalid("default_pools and fallback_pool are needed")
	}
	for _, id := range append(slices.Clone(v.DefaultPools), v.FallbackPool) {
		if b.pools.find(id) < 0 {
			return invalid("pool %s not found", id)
		}
	}
	if v.TTL == 0 {
		o["ttl"] = float64(balancedTTL)
	}
	if v.Proxied {
		delete(o, "ttl")
	}
	return nil
}

// poolUser names a load balancer that a pool serves.
func (b *balancing) poolUser(id string) string {
	for _, h := range b.balancers {
		for _, o := range h.list {
			if v, p := as[balancer](o); p == nil && (slices.Contains(v.DefaultPools, id) || v.FallbackPool == id) {
				return "load balancer " + v.Name
			}
		}
	}
	return ""
}

func (b *balancing) monitorUser(id string) string {
	for _, o := range b.pools.list {
		if o["monitor"] == id {
			return fmt.Sprintf("pool %v", o["name"])
		}
	}
	return ""
}

// routeBalancing answers what lies under .../load_balancers of an account.
func (s *Sim) routeBalancing(c *call, rest []string) (answer, *problem) {
	unknown := &problem{404, 7000, "No route for that URI"}
	if len(rest) == 0 || len(rest) > 3 {
		return answer{}, unknown
	}
	h := map[string]*shelf{"pools": s.balancing.pools, "monitors": s.balancing.monitors}[rest[0]]
	switch {
	case h == nil:
		return answer{}, unknown
	case len(rest) < 3:
		return s.serveShelf(h, c, rest[1:])
	case rest[0] == "pools" && rest[2] == "health" && h.find(rest[1]) >= 0:
		v, p := as[pool](h.list[h.find(rest[1])])
		return answer{result: s.poolHealth(v)}, p
	}
	return answer{}, unknown
}

// balancerAt finds the load balancer of a name.
func (s *Sim) balancerAt(z *zone, name string) (balancer, bool) {
	if h := s.balancing.balancers[z.id]; h != nil {
		for _, o := range h.list {
			if v, p := as[balancer](o); p == nil && v.Enabled && v.Name == name {
				return v, true
			}
		}
	}
	return balancer{}, false
}

// recordsAt is what name servers know of a name: a load balancer goes before
// the records of the zone.
func (s *Sim) recordsAt(z *zone, v version, name string) (records []Record, balanced bool) {
	b, ok := s.balancerAt(z, name)
	if !ok {
		return v.at(name), false
	}
	ttl := b.TTL
	if ttl == 0 {
		ttl = balancedTTL
	}
	for _, address := range s.steer(b) {
		r := Record{Name: name, Type: "CNAME", Content: plainName(address), TTL: ttl, Proxied: b.Proxied}
		if ip, err := netip.ParseAddr(address); err == nil {
			r.Type, r.Content = "AAAA", ip.String()
			if ip.Is4() {
				r.Type = "A"
			}
		}
		records = append(records, r)
	}
	return records, true
}

// steer chooses the addresses that a load balancer sends customers to: those
// of the healthy origins of the first pool that is up, in the order of its
// steering policy, else every enabled origin of the fallback pool.
func (s *Sim) steer(b balancer) []string {
	order := b.DefaultPools
	switch b.SteeringPolicy {
	case "geo":
		if own := b.RegionPools[homeRegion]; len(own) > 0 {
			order = append(slices.Clone(own), order...)
		}
	case "random":
		s.balancing.turns++
		n := s.balancing.turns % len(order)
		order = append(slices.Clone(order[n:]), order[:n]...)
	}
	for _, id := range order {
		if v, ok := s.pool(id); ok {
			if up := s.up(v); v.Enabled && len(up) >= max(v.MinimumOrigins, 1) {
				return up
			}
		}
	}
	var out []string
	if v, ok := s.pool(b.FallbackPool); ok {
		for _, o := range v.Origins {
			if o.on() {
				out = append(out, o.Address)
			}
		}
	}
	return out
}

func (s *Sim) pool(id string) (pool, bool) {
	i := s.balancing.pools.find(id)
	if i < 0 {
		return pool{}, false
	}
	v, p := as[pool](s.balancing.pools.list[i])
	return v, p == nil
}

// up are the addresses of a pool's origins that are enabled and healthy.
func (s *Sim) up(v pool) []string {
	var out []string
	for _, o := range v.Origins {
		if o.on() && (o.Weight == nil || *o.Weight > 0) && s.health(v, o).healthy() {
			out = append(out, o.Address)
		}
	}
	return out
}

// AddPool adds a pool whose origins, by name and address, a monitor asks for
// path every interval; without a path nobody watches them. It returns its id.
func (s *Sim) AddPool(name, path string, interval time.Duration, origins [][2]string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	made := s.balancing.pools.defaults()
	made["name"], made["id"] = name, s.newID("pool")
	var list []any
	for _, o := range origins {
		list = append(list, object{"name": o[0], "address": o[1], "enabled": true, "weight": 1.0})
	}
	made["origins"] = list
	now := s.clock.Now().UTC().Format(time.RFC3339)
	if path != "" {
		m := s.balancing.monitors.defaults()
		m["id"], m["path"], m["interval"] = s.newID("monitor"), path, interval.Seconds()
		m["created_on"], m["modified_on"] = now, now
		s.balancing.monitors.list = append(s.balancing.monitors.list, m)
		made["monitor"] = m["id"]
	}
	made["created_on"], made["modified_on"] = now, now
	if p := s.balancing.checkPool(made); p != nil {
		return "", fmt.Errorf("add pool %s: %w", name, p)
	}
	s.balancing.pools.list = append(s.balancing.pools.list, made)
	return made["id"].(string), nil
}

// AddLoadBalancer makes a name of a zone answer by its pools, in this order;
// the last one is also the fallback.
func (s *Sim) AddLoadBalancer(zoneName, name string, proxied bool, pools ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	z := s.zoneByName(plainName(zoneName))
	if z == nil || len(pools) == 0 {
		return fmt.Errorf("add load balancer %s: it needs a zone and pools", name)
	}
	h := s.balancing.of(z)
	made := h.defaults()
	now := s.clock.Now().UTC().Format(time.RFC3339)
	made["id"], made["name"], made["proxied"], made["default_pools"], made["fallback_pool"] = s.newID("lb"), name, proxied, pools, pools[len(pools)-1]
	made["created_on"], made["modified_on"], made["zone_name"] = now, now, z.name
	if p := h.check(made); p != nil {
		return fmt.Errorf("add load balancer %s: %w", name, p)
	}
	if proxied {
		s.anycast(qualify(name, z.name))
	}
	h.list = append(h.list, made)
	return nil
}
