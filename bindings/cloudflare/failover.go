package cloudflare

import (
	"context"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

type failoverArgs struct {
	Zone string `lua:"zone" doc:"Name of the zone."`
	Name string `lua:"name" doc:"Name: whole, without the zone, or @ for the zone itself."`
	Type string `lua:"type" enum:"A,AAAA,CNAME" default:"A" doc:"Type of the record."`
	From string `lua:"from" doc:"Content that it has to have now. The call is refused when no record has it."`
	To   string `lua:"to" doc:"Content to answer with from now on."`
	TTL  *int   `lua:"ttl" doc:"Seconds that it may be remembered, 60 to 86400; 1 means automatic. Kept when absent."`
}

var failover = binding.Func[*Client, failoverArgs, Change]{
	Name: "failover", Effect: binding.Mutates,
	Doc: "Send the customers of a name from one place to another, only if they are sent to the first one now: two failovers at a time cannot undo each other. " +
		"A record that has the new content already is left alone (changed = false).",
	Says:    "fail over DNS record {name} {type} of zone {zone} from {from} to {to}",
	Raises:  []fault.Kind{fault.NotFound, fault.Conflict, fault.Invalid, fault.Denied, fault.RateLimited, fault.Unavailable, fault.Timeout},
	Example: `cloudflare.failover { zone = "webhost.systems", name = "hobby", from = "203.0.113.10", to = "203.0.113.11" }`,
	Target:  "name",
	Call:    (*Client).failover,
	Predict: (*Client).predictFailover,
	Settled: afterGrace((*Client).failoverSettled),
}

func (a failoverArgs) asUpdate() updateRecordArgs {
	return updateRecordArgs{Zone: a.Zone, Name: a.Name, Type: a.Type, From: a.From, Content: a.To, TTL: a.TTL}
}

func (c *Client) failover(ctx context.Context, a failoverArgs) (Change, error) {
	if a.From == "" {
		return Change{}, fault.New(fault.Invalid, "a failover has to say what the record answers now").WithOp("fail over %s", a.Name).WithHint("give from")
	}
	return c.updateRecord(ctx, a.asUpdate())
}

func (c *Client) predictFailover(ctx context.Context, a failoverArgs) (Change, error) {
	return c.predictUpdate(ctx, a.asUpdate())
}

func (c *Client) failoverSettled(ctx context.Context, a failoverArgs) (binding.Settlement[Change], error) {
	return c.updateSettled(ctx, a.asUpdate())
}
