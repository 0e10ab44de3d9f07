package cloudflare

import (
	"context"
	"slices"
	"strings"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// Balancer is a name that answers by pools.
type Balancer struct {
	ID       string   `lua:"id" doc:"Identifier."`
	Name     string   `lua:"name" doc:"Whole name that customers look up."`
	Enabled  bool     `lua:"enabled" doc:"Whether it answers in place of the name's records."`
	Proxied  bool     `lua:"proxied" doc:"Whether Cloudflare answers with addresses of its own and passes requests on."`
	Pools    []string `lua:"pools" doc:"Names of its pools, the first healthy one of which serves."`
	Fallback string   `lua:"fallback" doc:"Name of the pool that serves when none is healthy."`
	Steering string   `lua:"steering" doc:"How a pool is chosen: off (in order), geo, random, ..."`
	Changed  bool     `lua:"changed" doc:"Whether the call that gave this changed it: false when it was right already."`
	Before   []string `lua:"before,optional" doc:"After a call that changed it: the pools that it had."`
}

type balancersArgs struct {
	Zone string `lua:"zone" doc:"Name of the zone."`
}

var balancers = binding.Func[*Client, balancersArgs, []Balancer]{
	Name: "load_balancers", Effect: binding.Reads,
	Doc:     "List the load balancers of a zone with the names of their pools.",
	Raises:  []fault.Kind{fault.NotFound, fault.Denied, fault.RateLimited, fault.Unavailable, fault.Timeout},
	Example: `cloudflare.load_balancers { zone = "webhost.systems" }`,
	Target:  "zone",
	Call:    (*Client).balancers,
}

func (c *Client) balancers(ctx context.Context, a balancersArgs) ([]Balancer, error) {
	_, list, all, err := c.steering(ctx, a.Zone)
	if err != nil {
		return nil, err
	}
	out := make([]Balancer, 0, len(list))
	for _, o := range list {
		out = append(out, balancerFrom(o, all))
	}
	return out, nil
}

// steering gets the load balancers of a zone and the pools of its account.
func (c *Client) steering(ctx context.Context, zone string) (path string, list, all []object, err error) {
	z, err := c.known(ctx, zone)
	if err != nil {
		return "", nil, nil, before(err)
	}
	path = "/zones/" + z.ID + "/load_balancers"
	if list, err = c.objects(ctx, path, "list the load balancers of "+z.Name); err != nil {
		return "", nil, nil, before(err)
	}
	if _, all, err = c.allPools(ctx, zone); err != nil {
		return "", nil, nil, before(err)
	}
	return path, list, all, nil
}

func texts(o object, name string) []string {
	list, _ := o[name].([]any)
	out := []string{}
	for _, v := range list {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

func balancerFrom(o object, all []object) Balancer {
	name := func(id string) string {
		for _, p := range all {
			if text(p, "id") == id {
				return text(p, "name")
			}
		}
		return id
	}
	b := Balancer{ID: text(o, "id"), Name: plain(text(o, "name")), Enabled: flag(o, "enabled"), Pools: []string{}, Fallback: name(text(o, "fallback_pool")),
		Steering: text(o, "steering_policy")}
	b.Proxied, _ = o["proxied"].(bool)
	if b.Steering == "" {
		b.Steering = "off"
	}
	for _, id := range texts(o, "default_pools") {
		b.Pools = append(b.Pools, name(id))
	}
	return b
}

type setPoolsArgs struct {
	Zone     string   `lua:"zone" doc:"Name of the zone."`
	Name     string   `lua:"name" doc:"Name that customers look up: whole or without the zone."`
	Pools    []string `lua:"pools" doc:"Names or ids of the pools, in the order in which they shall serve."`
	Fallback string   `lua:"fallback,optional" doc:"Pool that serves when none is healthy. Kept when absent."`
	From     []string `lua:"from,optional" doc:"Pools that it has to have now, in order; the call is refused when it has others."`
}

var setLBPools = binding.Func[*Client, setPoolsArgs, Balancer]{
	Name: "set_lb_pools", Effect: binding.Mutates,
	Doc: "Set the pools that a load balancer sends customers to, in order, if wanted only when it still has those that are expected. " +
		"Everything else of it stays; nothing is sent when it is right already.",
	Says:    "send customers of {name} to the pools {pools}",
	Raises:  batchFaults(),
	Example: `cloudflare.set_lb_pools { zone = "webhost.systems", name = "app", pools = { "standby", "hobby" }, from = { "hobby", "standby" } }`,
	Target:  "name",
	Call:    (*Client).setLBPools,
	Predict: (*Client).predictLBPools,
	Settled: afterGrace((*Client).lbPoolsSettled),
}

// apply changes the load balancer o as asked, and tells whether that makes a
// difference.
func (a setPoolsArgs) apply(o object, all []object, op string) (bool, error) {
	ids := []string{}
	for _, name := range a.Pools {
		p, err := named(all, name, "pool", op)
		if err != nil {
			return false, err
		}
		ids = append(ids, text(p, "id"))
	}
	if len(ids) == 0 {
		return false, fault.New(fault.Invalid, "a load balancer needs a pool").WithOp("%s", op)
	}
	fallback := text(o, "fallback_pool")
	if a.Fallback != "" {
		p, err := named(all, a.Fallback, "pool", op)
		if err != nil {
			return false, err
		}
		fallback = text(p, "id")
	}
	now := balancerFrom(o, all)
	if slices.Equal(texts(o, "default_pools"), ids) && fallback == text(o, "fallback_pool") {
		return false, nil
	}
	if len(a.From) > 0 && !slices.Equal(now.Pools, a.From) {
		return false, fault.New(fault.Conflict, "%s is not served by %s any more, but by %s", now.Name, strings.Join(a.From, ", "), strings.Join(now.Pools, ", ")).
			WithOp("%s", op).WithHint("somebody has changed it: look before you go on")
	}
	o["default_pools"], o["fallback_pool"] = ids, fallback
	return true, nil
}

func (c *Client) setLBPools(ctx context.Context, a setPoolsArgs) (Balancer, error) {
	return c.steerBalancer(ctx, a, true)
}

func (c *Client) predictLBPools(ctx context.Context, a setPoolsArgs) (Balancer, error) {
	return c.steerBalancer(ctx, a, false)
}

func (c *Client) steerBalancer(ctx context.Context, a setPoolsArgs, send bool) (Balancer, error) {
	if binding.IsPlanned(a.Zone) || binding.IsPlanned(a.Name) {
		return Balancer{ID: binding.Planned("id of load balancer " + a.Name), Name: whole(a.Name, a.Zone), Pools: a.Pools, Changed: true}, nil
	}
	name := whole(a.Name, a.Zone)
	op := "set the pools of " + name
	path, list, all, err := c.steering(ctx, a.Zone)
	if err != nil {
		return Balancer{}, err
	}
	o, err := named(list, name, "load balancer", op)
	if err != nil {
		return Balancer{}, err
	}
	was := balancerFrom(o, all).Pools
	changed, err := a.apply(o, all, op)
	if err != nil {
		return Balancer{}, err
	}
	if changed && send {
		if o, err = c.update(ctx, path+"/"+text(o, "id"), op, o); err != nil {
			return Balancer{}, err
		}
	}
	b := balancerFrom(o, all)
	if b.Changed = changed; changed {
		b.Before = was
		if !send {
			b.Pools = a.Pools
		}
	}
	return b, nil
}

// lbPoolsSettled says yes when the pools are as asked, no when they are as
// they were expected, and asks a person when they are neither.
func (c *Client) lbPoolsSettled(ctx context.Context, a setPoolsArgs) (binding.Settlement[Balancer], error) {
	b, err := c.steerBalancer(ctx, a, false)
	switch {
	case fault.KindOf(err) == fault.Conflict:
		return binding.Settlement[Balancer]{Look: unreadable(err) + ": dash.cloudflare.com, Traffic, Load Balancing"}, nil
	case err != nil || b.Changed:
		return binding.Settlement[Balancer]{Landed: binding.No}, err
	}
	b.Changed = true
	return binding.Settlement[Balancer]{Landed: binding.Yes, Result: b}, nil
}
