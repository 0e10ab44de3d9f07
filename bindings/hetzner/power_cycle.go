package hetzner

import (
	"context"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// hard is the reboot that a reset is.
func (a powerArgs) hard() rebootArgs {
	return rebootArgs{Server: a.Server, Mode: "hard", Within: a.Within}
}

var reset = binding.Func[*Client, powerArgs, Server]{
	Name: "reset", Effect: binding.Mutates,
	Doc:     "Cut the power of a running server and start it again, in one action of Hetzner: the same as hetzner.reboot { mode = \"hard\" }.",
	Says:    "reset {server}",
	Raises:  []fault.Kind{fault.NotFound, fault.Conflict, fault.Failed, fault.Timeout, fault.Denied, fault.RateLimited, fault.Unavailable},
	Example: `hetzner.reset { server = "hobby-1" }`,
	Target:  "server",
	Call: func(c *Client, ctx context.Context, a powerArgs) (Server, error) {
		return c.reboot(ctx, a.hard())
	},
	Predict: func(c *Client, ctx context.Context, a powerArgs) (Server, error) {
		return c.predictReboot(ctx, a.hard())
	},
	Settled: func(c *Client, ctx context.Context, a powerArgs) (binding.Settlement[Server], error) {
		return c.rebootSettled(ctx, a.hard())
	},
}

var powerCycle = binding.Func[*Client, powerArgs, Server]{
	Name: "power_cycle", Effect: binding.Mutates,
	Doc: "Power a server off, see that it is off, and power it on again: for one that a reset does not bring back. " +
		"One that is off already is only powered on. `within` holds for each half.",
	Says:    "power {server} off and on again",
	Raises:  []fault.Kind{fault.NotFound, fault.Conflict, fault.Exhausted, fault.Failed, fault.Timeout, fault.Denied, fault.RateLimited, fault.Unavailable},
	Example: `hetzner.power_cycle { server = "hobby-1" }`,
	Target:  "server",
	Call:    (*Client).powerCycle,
	Predict: func(c *Client, ctx context.Context, a powerArgs) (Server, error) {
		return c.predictStatus(ctx, "power-cycle "+a.Server, a.Server, hcloud.ServerStatusRunning)
	},
	// The start comes last, so that its action proves the whole. Where there is
	// none, sending it all again does what is missing.
	Settled: func(c *Client, ctx context.Context, a powerArgs) (binding.Settlement[Server], error) {
		return c.settleCommand(ctx, a.Server, c.poweronCommand(a))
	},
}

func (c *Client) powerCycle(ctx context.Context, a powerArgs) (Server, error) {
	s, err := c.find(ctx, "power-cycle "+a.Server, a.Server)
	if err != nil {
		return Server{}, before(err)
	}
	cut := s.Status != hcloud.ServerStatusOff || s.Locked
	if cut {
		if _, err := c.carry(ctx, s, c.poweroffCommand(a)); err != nil {
			return Server{}, err
		}
	}
	out, err := c.carry(ctx, s, c.poweronCommand(a))
	if err == nil || !cut {
		return out, err
	}
	f := fault.As(err)
	if f.Sent == fault.NotDone && !f.Transient { // the first half was done
		f = f.AlreadyDone().WithHint("%s is off now: hetzner.poweron { server = %q } once that is mended", s.Name, s.Name)
	}
	return out, f
}
