package hetzner

import (
	"context"
	"fmt"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// command is a mutation of a server that ends in a status.
type command struct {
	verb   string // "reboot", for messages
	action string // what Hetzner calls the action that proves it
	post   func(context.Context, *hcloud.Server) (*hcloud.Action, *hcloud.Response, error)
	want   hcloud.ServerStatus
	within time.Duration
}

// carry sends a command, waits for its action and for the status it leads to.
func (c *Client) carry(ctx context.Context, s *hcloud.Server, k command) (Server, error) {
	op := k.verb + " " + s.Name
	if err := c.mark(ctx, op); err != nil {
		return Server{}, before(err)
	}
	action, _, err := k.post(ctx, s)
	if err != nil {
		return Server{}, c.translate(op, err)
	}
	return c.arrive(ctx, s, k, action)
}

// arrive waits for an accepted command.
func (c *Client) arrive(ctx context.Context, s *hcloud.Server, k command, action *hcloud.Action) (Server, error) {
	op := k.verb + " " + s.Name
	ctx, b := c.budget(ctx, k.within)
	if err := c.finish(ctx, b, op, action); err != nil {
		return Server{}, err
	}
	out, err := c.reach(ctx, b, op, s, k.want)
	return out, accepted(err)
}

// settleCommand looks for the action of a command whose answer was lost.
func (c *Client) settleCommand(ctx context.Context, name string, k command) (binding.Settlement[Server], error) {
	op := "find out about " + k.verb + " " + name
	s, err := c.find(ctx, op, name)
	if err != nil {
		return binding.Settlement[Server]{}, err
	}
	action, known, err := c.trace(ctx, op, s, k.action)
	switch {
	case err != nil:
		return binding.Settlement[Server]{}, err
	case !known:
		return binding.Settlement[Server]{Look: fmt.Sprintf("look for %s in the activity list of server %s in Hetzner's console", k.action, s.Name)}, nil
	case action == nil:
		return binding.Settlement[Server]{Landed: binding.No}, nil
	}
	out, err := c.arrive(ctx, s, k, action)
	return binding.Settlement[Server]{Landed: landed(err), Result: out}, err
}

func landed(err error) binding.Landed {
	if err != nil {
		return binding.Unknown
	}
	return binding.Yes
}

// settleStatus finds out about a command that is done when the server has its
// status, whoever brought that about.
func (c *Client) settleStatus(ctx context.Context, name string, k command) (binding.Settlement[Server], error) {
	op := "find out about " + k.verb + " " + name
	s, err := c.find(ctx, op, name)
	if err != nil {
		return binding.Settlement[Server]{}, err
	}
	action, _, err := c.trace(ctx, op, s, k.action)
	if err != nil {
		return binding.Settlement[Server]{}, err
	}
	if action != nil {
		out, err := c.arrive(ctx, s, k, action)
		return binding.Settlement[Server]{Landed: landed(err), Result: out}, err
	}
	return settlePresent(c, ctx, op, k.within, c.busyServer(s), func(ctx context.Context) (Server, bool, error) {
		now, _, err := c.serverByID(ctx, s.ID)
		if err != nil || now == nil {
			return Server{}, false, c.translate(op, err)
		}
		return c.serverOf(now), now.Status == k.want, nil
	})
}

// predictStatus answers a command in a plan.
func (c *Client) predictStatus(ctx context.Context, op, name string, want hcloud.ServerStatus) (Server, error) {
	s, err := c.find(ctx, op, name)
	if err != nil {
		return Server{}, err
	}
	out := c.serverOf(s)
	out.Status = string(want)
	return out, nil
}

type rebootArgs struct {
	Server string        `lua:"server" doc:"Name or id of the server."`
	Mode   string        `lua:"mode" enum:"soft,hard" default:"soft" doc:"soft asks the guest, hard cuts the power."`
	Within time.Duration `lua:"within" default:"5m" doc:"How long it may take to report running again."`
}

var reboot = binding.Func[*Client, rebootArgs, Server]{
	Name: "reboot", Effect: binding.Mutates,
	Doc: "Reboot a server and wait until Hetzner reports it running. A soft reboot asks the guest; a guest that hangs ignores it, " +
		"and Hetzner reports success all the same: check afterwards whether the server answers.",
	Says:    "reboot {server} ({mode})",
	Raises:  []fault.Kind{fault.NotFound, fault.Conflict, fault.Failed, fault.Timeout, fault.Denied, fault.RateLimited, fault.Unavailable},
	Example: `hetzner.reboot { server = "hobby-1", mode = "hard" }`,
	Target:  "server",
	Call:    (*Client).reboot,
	Predict: (*Client).predictReboot,
	Settled: (*Client).rebootSettled,
}

func (c *Client) rebootCommand(a rebootArgs) command {
	k := command{"reboot", "reboot_server", c.api.Server.Reboot, hcloud.ServerStatusRunning, a.Within}
	if a.Mode == "hard" {
		k.action, k.post = "reset_server", c.api.Server.Reset
	}
	return k
}

func (c *Client) rebootable(ctx context.Context, a rebootArgs) (*hcloud.Server, error) {
	s, err := c.find(ctx, "reboot "+a.Server, a.Server)
	if err != nil {
		return nil, before(err)
	}
	if s.Status == hcloud.ServerStatusOff {
		return nil, fault.New(fault.Conflict, "%s is off", s.Name).WithOp("reboot %s", s.Name).
			WithHint("hetzner.poweron { server = %q } starts it", s.Name)
	}
	return s, nil
}

func (c *Client) reboot(ctx context.Context, a rebootArgs) (Server, error) {
	s, err := c.rebootable(ctx, a)
	if err != nil {
		return Server{}, err
	}
	return c.carry(ctx, s, c.rebootCommand(a))
}

func (c *Client) predictReboot(ctx context.Context, a rebootArgs) (Server, error) {
	s, err := c.rebootable(ctx, a)
	if err != nil {
		return Server{}, err
	}
	out := c.serverOf(s)
	out.Status = string(hcloud.ServerStatusRunning)
	return out, nil
}

func (c *Client) rebootSettled(ctx context.Context, a rebootArgs) (binding.Settlement[Server], error) {
	return c.settleCommand(ctx, a.Server, c.rebootCommand(a))
}

type powerArgs struct {
	Server string        `lua:"server" doc:"Name or id of the server."`
	Within time.Duration `lua:"within" default:"3m" doc:"How long it may take."`
}

// power carries out a command that is nothing to do when the server has the
// wanted status already.
func (c *Client) power(ctx context.Context, a powerArgs, k command) (Server, error) {
	s, err := c.find(ctx, k.verb+" "+a.Server, a.Server)
	if err != nil {
		return Server{}, before(err)
	}
	if s.Status == k.want && !s.Locked {
		return c.serverOf(s), nil
	}
	return c.carry(ctx, s, k)
}

func (c *Client) shutdownCommand(a powerArgs) command {
	return command{"shut down", "shutdown_server", c.api.Server.Shutdown, hcloud.ServerStatusOff, a.Within}
}

func (c *Client) poweronCommand(a powerArgs) command {
	return command{"power on", "start_server", c.api.Server.Poweron, hcloud.ServerStatusRunning, a.Within}
}

func (c *Client) poweroffCommand(a powerArgs) command {
	return command{"power off", "stop_server", c.api.Server.Poweroff, hcloud.ServerStatusOff, a.Within}
}

var shutdown = binding.Func[*Client, powerArgs, Server]{
	Name: "shutdown", Effect: binding.Mutates,
	Doc:     "Ask a server to shut down and wait until it is off. A guest that hangs ignores it: the fault is then of kind timeout.",
	Says:    "shut down {server}",
	Raises:  []fault.Kind{fault.NotFound, fault.Conflict, fault.Failed, fault.Timeout, fault.Denied, fault.RateLimited, fault.Unavailable},
	Example: `hetzner.shutdown { server = "hobby-1" }`,
	Target:  "server",
	Call: func(c *Client, ctx context.Context, a powerArgs) (Server, error) {
		out, err := c.power(ctx, a, c.shutdownCommand(a))
		if fault.KindOf(err) == fault.Timeout && fault.As(err).Sent == fault.Done {
			return out, fault.As(err).WithHint("the guest does not answer: hetzner.poweroff { server = %q } cuts the power", a.Server)
		}
		return out, err
	},
	Predict: func(c *Client, ctx context.Context, a powerArgs) (Server, error) {
		return c.predictStatus(ctx, "shut down "+a.Server, a.Server, hcloud.ServerStatusOff)
	},
	Settled: func(c *Client, ctx context.Context, a powerArgs) (binding.Settlement[Server], error) {
		return c.settleStatus(ctx, a.Server, c.shutdownCommand(a))
	},
}

var poweron = binding.Func[*Client, powerArgs, Server]{
	Name: "poweron", Effect: binding.Mutates,
	Doc:     "Power a server on and wait until Hetzner reports it running. Nothing is done to one that runs.",
	Says:    "power on {server}",
	Raises:  []fault.Kind{fault.NotFound, fault.Conflict, fault.Exhausted, fault.Failed, fault.Timeout, fault.Denied, fault.RateLimited, fault.Unavailable},
	Example: `hetzner.poweron { server = "hobby-1" }`,
	Target:  "server",
	Call: func(c *Client, ctx context.Context, a powerArgs) (Server, error) {
		return c.power(ctx, a, c.poweronCommand(a))
	},
	Predict: func(c *Client, ctx context.Context, a powerArgs) (Server, error) {
		return c.predictStatus(ctx, "power on "+a.Server, a.Server, hcloud.ServerStatusRunning)
	},
	Settled: func(c *Client, ctx context.Context, a powerArgs) (binding.Settlement[Server], error) {
		return c.settleStatus(ctx, a.Server, c.poweronCommand(a))
	},
}

var poweroff = binding.Func[*Client, powerArgs, Server]{
	Name: "poweroff", Effect: binding.Mutates,
	Doc:     "Cut the power of a server, as pulling the plug does, and wait until it is off. Nothing is done to one that is off.",
	Says:    "power off {server}",
	Raises:  []fault.Kind{fault.NotFound, fault.Conflict, fault.Failed, fault.Timeout, fault.Denied, fault.RateLimited, fault.Unavailable},
	Example: `hetzner.poweroff { server = "hobby-1" }`,
	Target:  "server",
	Call: func(c *Client, ctx context.Context, a powerArgs) (Server, error) {
		return c.power(ctx, a, c.poweroffCommand(a))
	},
	Predict: func(c *Client, ctx context.Context, a powerArgs) (Server, error) {
		return c.predictStatus(ctx, "power off "+a.Server, a.Server, hcloud.ServerStatusOff)
	},
	Settled: func(c *Client, ctx context.Context, a powerArgs) (binding.Settlement[Server], error) {
		return c.settleStatus(ctx, a.Server, c.poweroffCommand(a))
	},
}
