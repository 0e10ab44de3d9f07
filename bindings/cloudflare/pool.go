package cloudflare

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// Pool is a group of origins that load balancers send customers to.
type Pool struct {
	ID      string   `lua:"id" doc:"Identifier."`
	Name    string   `lua:"name" doc:"Name of the pool."`
	Enabled bool     `lua:"enabled" doc:"Whether load balancers may use it."`
	Watched bool     `lua:"watched" doc:"Whether a monitor looks after its origins."`
	Needs   int      `lua:"needs" doc:"How many healthy origins it has to have to count as healthy."`
	Origins []Origin `lua:"origins" doc:"Its origins."`
	Changed bool     `lua:"changed" doc:"Whether the call that gave this changed it: false when it was right already."`
}

// Origin is one server of a pool.
type Origin struct {
	Name    string  `lua:"name" doc:"Name within the pool."`
	Address string  `lua:"address" doc:"Address or name of the server."`
	Enabled bool    `lua:"enabled" doc:"Whether the pool may use it."`
	Weight  float64 `lua:"weight" doc:"Its share of the traffic, 0 to 1."`
}

// PoolHealth is a pool as the monitors see it.
type PoolHealth struct {
	Name    string         `lua:"name" doc:"Name of the pool."`
	Healthy bool           `lua:"healthy" doc:"Whether it is healthy from every place that looked."`
	Places  int            `lua:"places" doc:"From how many places it was looked at."`
	Origins []OriginHealth `lua:"origins" doc:"Its origins, by address."`
}

// OriginHealth is an origin as the monitors see it.
type OriginHealth struct {
	Address string `lua:"address" doc:"Address of the origin."`
	Healthy bool   `lua:"healthy" doc:"Whether it is healthy from every place that looked."`
	Reason  string `lua:"reason,optional" doc:"Why it is not."`
	Status  int    `lua:"status" doc:"HTTP status that it answered last; 0 when it did not."`
}

type poolsArgs struct {
	Zone string `lua:"zone" doc:"Name of a zone of the account: pools belong to the account."`
}

var pools = binding.Func[*Client, poolsArgs, []Pool]{
	Name: "pools", Effect: binding.Reads,
	Doc:     "List the load-balancing pools of the account that a zone belongs to.",
	Raises:  []fault.Kind{fault.NotFound, fault.Denied, fault.RateLimited, fault.Unavailable, fault.Timeout},
	Example: `cloudflare.pools { zone = "webhost.systems" }`,
	Target:  "zone",
	Call:    (*Client).pools,
}

// object is a resource of load balancing as it travels: it is sent back whole,
// because an update replaces everything.
type object = map[string]any

// objects lists what lies under path, page by page.
func (c *Client) objects(ctx context.Context, path, op string) ([]object, error) {
	var out []object
	for page := 1; ; page++ {
		raw, err := c.api.Raw(ctx, http.MethodGet, fmt.Sprintf("%s?page=%d&per_page=50", path, page), nil, nil)
		var some []object
		if err == nil {
			err = json.Unmarshal(raw.Result, &some)
		}
		if err != nil {
			return nil, c.translate(op, err)
		}
		out = append(out, some...)
		if raw.ResultInfo == nil || page >= raw.ResultInfo.TotalPages || len(some) == 0 {
			return out, nil
		}
	}
}

// update replaces the object under path and returns what it is then.
func (c *Client) update(ctx context.Context, path, op string, o object) (object, error) {
	for _, name := range []string{"id", "created_on", "modified_on", "disabled_at", "healthy", "zone_name"} {
		delete(o, name)
	}
	raw, err := c.api.Raw(ctx, http.MethodPut, path, o, nil)
	var out object
	if err == nil {
		err = json.Unmarshal(raw.Result, &out)
	}
	return out, c.translate(op, err)
}

func text(o object, name string) string { s, _ := o[name].(string); return s }

// flag reads a field that is true unless it says otherwise.
func flag(o object, name string) bool { b, said := o[name].(bool); return b || !said }

func number(o object, name string, otherwise float64) float64 {
	if n, ok := o[name].(float64); ok {
		return n
	}
	return otherwise
}

func originsOf(o object) []object {
	list, _ := o["origins"].([]any)
	var out []object
	for _, v := range list {
		if one, ok := v.(object); ok {
			out = append(out, one)
		}
	}
	return out
}

func poolFrom(o object) Pool {
	p := Pool{ID: text(o, "id"), Name: text(o, "name"), Enabled: flag(o, "enabled"), Watched: text(o, "monitor") != "",
		Needs: int(number(o, "minimum_origins", 1)), Origins: []Origin{}}
	for _, one := range originsOf(o) {
		p.Origins = append(p.Origins, Origin{text(one, "name"), text(one, "address"), flag(one, "enabled"), number(one, "weight", 1)})
	}
	return p
}

func (c *Client) allPools(ctx context.Context, zone string) (path string, list []object, err error) {
	z, err := c.known(ctx, zone)
	if err != nil {
		return "", nil, err
	}
	path = "/accounts/" + z.account + "/load_balancers/pools"
	list, err = c.objects(ctx, path, "list the pools of "+z.Name)
	return path, list, err
}

func (c *Client) pools(ctx context.Context, a poolsArgs) ([]Pool, error) {
	_, list, err := c.allPools(ctx, a.Zone)
	if err != nil {
		return nil, err
	}
	out := make([]Pool, 0, len(list))
	for _, o := range list {
		out = append(out, poolFrom(o))
	}
	return out, nil
}

// named finds the object of a name, or of an id.
func named(list []object, name, kind, op string) (object, error) {
	var names []string
	for _, o := range list {
		if text(o, "name") == name || text(o, "id") == name {
			return o, nil
		}
		names = append(names, text(o, "name"))
	}
	f := fault.New(fault.NotFound, "there is no %s %s", kind, name).WithOp("%s", op)
	if near := binding.Nearest(name, names); near != "" {
		f.WithHint("did you mean %q?", near)
	}
	return nil, f
}

func (c *Client) findPool(ctx context.Context, zone, name, op string) (path string, o object, err error) {
	path, list, err := c.allPools(ctx, zone)
	if err != nil {
		return "", nil, before(err)
	}
	if o, err = named(list, name, "pool", op); err != nil {
		return "", nil, err
	}
	return path + "/" + text(o, "id"), o, nil
}

type poolHealthArgs struct {
	Zone string `lua:"zone" doc:"Name of a zone of the account."`
	Pool string `lua:"pool" doc:"Name or id of the pool."`
}

var poolHealth = binding.Func[*Client, poolHealthArgs, PoolHealth]{
	Name: "pool_health", Effect: binding.Reads,
	Doc:     "Ask what Cloudflare's monitors found at the origins of a pool.",
	Raises:  []fault.Kind{fault.NotFound, fault.Denied, fault.RateLimited, fault.Unavailable, fault.Timeout},
	Example: `cloudflare.pool_health { zone = "webhost.systems", pool = "hobby" }`,
	Target:  "pool",
	Call:    (*Client).poolHealth,
}

func (c *Client) poolHealth(ctx context.Context, a poolHealthArgs) (PoolHealth, error) {
	op := "health of pool " + a.Pool
	path, o, err := c.findPool(ctx, a.Zone, a.Pool, op)
	if err != nil {
		return PoolHealth{}, err
	}
	raw, err := c.api.Raw(ctx, http.MethodGet, path+"/health", nil, nil)
	var found struct {
		Places map[string]struct {
			Healthy bool
			Origins []map[string]struct {
				Healthy bool
				Reason  string  `json:"failure_reason"`
				Status  float64 `json:"response_code"`
			}
		} `json:"pop_health"`
	}
	if err == nil {
		err = json.Unmarshal(raw.Result, &found)
	}
	if err != nil {
		return PoolHealth{}, c.translate(op, err)
	}
	out := PoolHealth{Name: text(o, "name"), Healthy: len(found.Places) > 0, Places: len(found.Places), Origins: []OriginHealth{}}
	for _, one := range originsOf(o) {
		h := OriginHealth{Address: text(one, "address"), Healthy: true}
		for _, place := range found.Places {
			for _, origins := range place.Origins {
				seen, ok := origins[h.Address]
				if ok && !seen.Healthy {
					h.Healthy, h.Reason = false, seen.Reason
				}
				h.Status = max(h.Status, int(seen.Status))
			}
		}
		out.Origins = append(out.Origins, h)
	}
	for _, place := range found.Places {
		out.Healthy = out.Healthy && place.Healthy
	}
	return out, nil
}

type setPoolArgs struct {
	Zone    string `lua:"zone" doc:"Name of a zone of the account."`
	Pool    string `lua:"pool" doc:"Name or id of the pool."`
	Enabled bool   `lua:"enabled" doc:"Whether load balancers shall use it."`
}

var setPoolEnabled = binding.Func[*Client, setPoolArgs, Pool]{
	Name: "set_pool_enabled", Effect: binding.Mutates,
	Doc:     "Let load balancers use a pool, or keep them from it. Everything else of the pool stays; nothing is sent when it is right already.",
	Says:    "set pool {pool} enabled = {enabled}",
	Raises:  batchFaults(),
	Example: `cloudflare.set_pool_enabled { zone = "webhost.systems", pool = "hobby", enabled = false }`,
	Target:  "pool",
	Call:    (*Client).setPoolEnabled,
	Predict: (*Client).predictPool,
	Settled: afterGrace((*Client).poolSettled),
}

func (a setPoolArgs) apply(o object) (bool, error) {
	if flag(o, "enabled") == a.Enabled {
		return false, nil
	}
	o["enabled"] = a.Enabled
	return true, nil
}

type setOriginArgs struct {
	Zone    string `lua:"zone" doc:"Name of a zone of the account."`
	Pool    string `lua:"pool" doc:"Name or id of the pool."`
	Origin  string `lua:"origin" doc:"Name or address of the origin."`
	Enabled bool   `lua:"enabled" doc:"Whether the pool shall use it."`
}

var setOriginEnabled = binding.Func[*Client, setOriginArgs, Pool]{
	Name: "set_origin_enabled", Effect: binding.Mutates,
	Doc:     "Let a pool use one of its origins, or keep it from it. Everything else of the pool stays; nothing is sent when it is right already.",
	Says:    "set origin {origin} of pool {pool} enabled = {enabled}",
	Raises:  batchFaults(),
	Example: `cloudflare.set_origin_enabled { zone = "webhost.systems", pool = "hobby", origin = "hobby-1", enabled = false }`,
	Target:  "origin",
	Call:    (*Client).setOriginEnabled,
	Predict: (*Client).predictOrigin,
	Settled: afterGrace((*Client).originSettled),
}

func (a setOriginArgs) apply(o object) (bool, error) {
	list := originsOf(o)
	at := slices.IndexFunc(list, func(one object) bool { return text(one, "name") == a.Origin || text(one, "address") == a.Origin })
	if at < 0 {
		return false, fault.New(fault.NotFound, "pool %s has no origin %s", a.Pool, a.Origin)
	}
	if flag(list[at], "enabled") == a.Enabled {
		return false, nil
	}
	list[at]["enabled"] = a.Enabled // the same map as in o
	return true, nil
}

// steerPool gets a pool, applies a change to it and, when send is true and it
// made a difference, puts the whole of it back.
func (c *Client) steerPool(ctx context.Context, zone, pool string, apply func(object) (bool, error), send bool) (Pool, error) {
	op := "change pool " + pool
	if binding.IsPlanned(zone) || binding.IsPlanned(pool) {
		return Pool{ID: binding.Planned("id of pool " + pool), Name: pool, Origins: []Origin{}, Changed: true}, nil
	}
	path, o, err := c.findPool(ctx, zone, pool, op)
	if err != nil {
		return Pool{}, err
	}
	changed, err := apply(o)
	if err != nil {
		return Pool{}, fault.As(err).WithOp("%s", op)
	}
	if changed && send {
		if o, err = c.update(ctx, path, op, o); err != nil {
			return Pool{}, err
		}
	}
	p := poolFrom(o)
	p.Changed = changed
	return p, nil
}

// settlePool says yes when the change would make no difference any more.
// Sending it again is harmless: it looks first.
func (c *Client) settlePool(ctx context.Context, zone, pool string, apply func(object) (bool, error)) (binding.Settlement[Pool], error) {
	p, err := c.steerPool(ctx, zone, pool, apply, false)
	if err != nil || p.Changed {
		return binding.Settlement[Pool]{Landed: binding.No}, err
	}
	p.Changed = true
	return binding.Settlement[Pool]{Landed: binding.Yes, Result: p}, nil
}

func (c *Client) setPoolEnabled(ctx context.Context, a setPoolArgs) (Pool, error) {
	return c.steerPool(ctx, a.Zone, a.Pool, a.apply, true)
}

func (c *Client) predictPool(ctx context.Context, a setPoolArgs) (Pool, error) {
	return c.steerPool(ctx, a.Zone, a.Pool, a.apply, false)
}

func (c *Client) poolSettled(ctx context.Context, a setPoolArgs) (binding.Settlement[Pool], error) {
	return c.settlePool(ctx, a.Zone, a.Pool, a.apply)
}

func (c *Client) setOriginEnabled(ctx context.Context, a setOriginArgs) (Pool, error) {
	return c.steerPool(ctx, a.Zone, a.Pool, a.apply, true)
}

func (c *Client) predictOrigin(ctx context.Context, a setOriginArgs) (Pool, error) {
	return c.steerPool(ctx, a.Zone, a.Pool, a.apply, false)
}

func (c *Client) originSettled(ctx context.Context, a setOriginArgs) (binding.Settlement[Pool], error) {
	return c.settlePool(ctx, a.Zone, a.Pool, a.apply)
}
