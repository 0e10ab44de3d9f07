package hetzner

import (
	"context"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

type rescueArgs struct {
	Server  string        `lua:"server" doc:"Name or id of the server."`
	SSHKeys []string      `lua:"ssh_keys,optional" doc:"Names or ids of the keys that may log in; all keys of the project when left out."`
	Within  time.Duration `lua:"within" default:"5m" doc:"How long it may take to report running again."`
}

var rescue = binding.Func[*Client, rescueArgs, Server]{
	Name: "rescue", Effect: binding.Mutates,
	Doc: "Boot a server into the rescue system: enable it, cut the power, start again. Login is by SSH key only; the password that Hetzner " +
		"makes up is thrown away. A normal boot follows with the next hetzner.reboot { mode = \"hard\" }.",
	Says:    "boot {server} into the rescue system",
	Raises:  []fault.Kind{fault.NotFound, fault.Invalid, fault.Conflict, fault.Failed, fault.Timeout, fault.Denied, fault.RateLimited, fault.Unavailable},
	Example: `hetzner.rescue { server = "hobby-1" }`,
	Target:  "server",
	Call:    (*Client).rescue,
	Predict: func(c *Client, ctx context.Context, a rescueArgs) (Server, error) {
		if _, err := c.rescueKeys(ctx, a); err != nil {
			return Server{}, err
		}
		return c.predictStatus(ctx, "rescue "+a.Server, a.Server, hcloud.ServerStatusRunning)
	},
	// The reset comes last, so that its action proves the whole.
	Settled: func(c *Client, ctx context.Context, a rescueArgs) (binding.Settlement[Server], error) {
		return c.settleCommand(ctx, a.Server, c.rescueCommand(a, nil))
	},
}

func (c *Client) rescueKeys(ctx context.Context, a rescueArgs) ([]*hcloud.SSHKey, error) {
	keys, err := c.keysFor(ctx, "rescue "+a.Server, a.SSHKeys)
	if err == nil && len(keys) == 0 {
		err = fault.New(fault.Invalid, "the project has no SSH key, so nobody could log in to the rescue system").
			WithOp("rescue %s", a.Server).WithHint("add a key in Hetzner's console under Security, SSH keys")
	}
	return keys, err
}

// rescueCommand is the reset that follows once the rescue system is enabled.
func (c *Client) rescueCommand(a rescueArgs, keys []*hcloud.SSHKey) command {
	return command{"rescue", "reset_server", func(ctx context.Context, s *hcloud.Server) (*hcloud.Action, *hcloud.Response, error) {
		if err := c.enableRescue(ctx, s, keys, a.Within); err != nil {
			return nil, nil, before(err)
		}
		return c.api.Server.Reset(ctx, s)
	}, hcloud.ServerStatusRunning, a.Within}
}

// enableRescue arms the rescue system with keys. One that is armed already may
// hold other keys: it is disarmed first. Until the reset the server runs on as
// it was, so that a failure in here has done nothing.
func (c *Client) enableRescue(ctx context.Context, s *hcloud.Server, keys []*hcloud.SSHKey, within time.Duration) error {
	op := "enable the rescue system of " + s.Name
	ctx, b := c.budget(ctx, within)
	if s.RescueEnabled {
		off, _, err := c.api.Server.DisableRescue(ctx, s)
		if err != nil {
			return c.translate(op, err)
		}
		if err := c.finish(ctx, b, op, off); err != nil {
			return err
		}
	}
	on, _, err := c.api.Server.EnableRescue(ctx, s, hcloud.ServerEnableRescueOpts{Type: hcloud.ServerRescueTypeLinux64, SSHKeys: keys})
	if err != nil {
		return c.translate(op, err)
	}
	return c.finish(ctx, b, op, on.Action)
}

func (c *Client) rescue(ctx context.Context, a rescueArgs) (Server, error) {
	s, err := c.find(ctx, "rescue "+a.Server, a.Server)
	if err != nil {
		return Server{}, before(err)
	}
	keys, err := c.rescueKeys(ctx, a)
	if err != nil {
		return Server{}, before(err)
	}
	return c.carry(ctx, s, c.rescueCommand(a, keys))
}
