package hetzner

import (
	"context"
	"fmt"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

type rebuildArgs struct {
	Server string        `lua:"server" doc:"Name or id of the server."`
	Image  string        `lua:"image" doc:"Name or id of the image, or the description of a snapshot (then the newest)."`
	Within time.Duration `lua:"within" default:"15m" doc:"How long it may take."`
}

var rebuild = binding.Func[*Client, rebuildArgs, Server]{
	Name: "rebuild", Effect: binding.Destroys,
	Doc:     "Overwrite a server's disk with an image and wait until it runs. Everything on the disk is lost; addresses and volumes stay.",
	Says:    "rebuild {server} from {image}, losing its disk",
	Raises:  []fault.Kind{fault.NotFound, fault.Invalid, fault.Conflict, fault.Failed, fault.Timeout, fault.Denied, fault.RateLimited, fault.Unavailable},
	Example: `hetzner.rebuild { server = "hobby-1", image = "debian-12" }`,
	Target:  "server",
	Call: func(c *Client, ctx context.Context, a rebuildArgs) (Server, error) {
		s, i, err := c.rebuildable(ctx, a)
		if err != nil {
			return Server{}, before(err)
		}
		return c.carry(ctx, s, c.rebuildCommand(a, i))
	},
	Predict: func(c *Client, ctx context.Context, a rebuildArgs) (Server, error) {
		s, i, err := c.rebuildable(ctx, a)
		if err != nil {
			return Server{}, err
		}
		out := c.serverOf(s)
		out.Image, out.Status = imageRef(i), string(hcloud.ServerStatusRunning)
		return out, nil
	},
	Settled: func(c *Client, ctx context.Context, a rebuildArgs) (binding.Settlement[Server], error) {
		return c.settleCommand(ctx, a.Server, c.rebuildCommand(a, nil))
	},
}

func (c *Client) rebuildCommand(a rebuildArgs, image *hcloud.Image) command {
	return command{"rebuild", "rebuild_server", func(ctx context.Context, s *hcloud.Server) (*hcloud.Action, *hcloud.Response, error) {
		done, resp, err := c.api.Server.RebuildWithResult(ctx, s, hcloud.ServerRebuildOpts{Image: image})
		return done.Action, resp, err
	}, hcloud.ServerStatusRunning, a.Within}
}

func (c *Client) rebuildable(ctx context.Context, a rebuildArgs) (*hcloud.Server, *hcloud.Image, error) {
	op := "rebuild " + a.Server
	s, err := c.find(ctx, op, a.Server)
	if err != nil {
		return nil, nil, err
	}
	arch := hcloud.Architecture("")
	if s.ServerType != nil {
		arch = s.ServerType.Architecture
	}
	i, err := c.findImage(ctx, op, a.Image, arch)
	if err == nil && i.Status != hcloud.ImageStatusAvailable {
		err = fault.New(fault.Conflict, "the image %s is %s", a.Image, i.Status).WithOp("%s", op)
	}
	if err == nil && s.Protection.Rebuild {
		err = fault.New(fault.Conflict, "%s is protected against rebuilding", s.Name).WithOp("%s", op).
			WithHint("lift the protection in Hetzner's console first, if that is really meant")
	}
	return s, i, err
}

type deleteServerArgs struct {
	Server string        `lua:"server" doc:"Name or id of the server."`
	Within time.Duration `lua:"within" default:"3m" doc:"How long it may take."`
}

var deleteServer = binding.Func[*Client, deleteServerArgs, binding.None]{
	Name: "delete_server", Effect: binding.Destroys,
	Doc: "Delete a server with its disk and with those of its addresses that are set to go with it. Volumes and floating IPs stay, unassigned; " +
		"snapshots stay.",
	Says:    "delete the server {server}",
	Raises:  []fault.Kind{fault.NotFound, fault.Conflict, fault.Failed, fault.Timeout, fault.Denied, fault.RateLimited, fault.Unavailable},
	Example: `hetzner.delete_server { server = "hobby-1-old" }`,
	Target:  "server",
	Call:    (*Client).deleteServer,
	Predict: func(c *Client, ctx context.Context, a deleteServerArgs) (binding.None, error) {
		_, err := c.deletable(ctx, a)
		return binding.None{}, err
	},
	Settled: (*Client).deleteServerSettled,
}

func (c *Client) deletable(ctx context.Context, a deleteServerArgs) (*hcloud.Server, error) {
	s, err := c.find(ctx, "delete "+a.Server, a.Server)
	if err == nil && s.Protection.Delete {
		err = fault.New(fault.Conflict, "%s is protected against deletion", s.Name).WithOp("delete %s", s.Name).
			WithHint("lift the protection in Hetzner's console first, if that is really meant")
	}
	return s, err
}

func (c *Client) deleteServer(ctx context.Context, a deleteServerArgs) (binding.None, error) {
	op := "delete " + a.Server
	s, err := c.deletable(ctx, a)
	if err != nil {
		return binding.None{}, before(err)
	}
	done, _, err := c.api.Server.DeleteWithResult(ctx, s)
	if err != nil {
		return binding.None{}, c.translate(op, err)
	}
	ctx, b := c.budget(ctx, a.Within)
	if err := c.finish(ctx, b, op, done.Action); err != nil {
		return binding.None{}, err
	}
	return binding.None{}, accepted(c.gone(ctx, b, op, s.ID))
}

// gone waits until a server is no longer there.
func (c *Client) gone(ctx context.Context, b *budget, op string, id int64) error {
	return c.await(ctx, b, op, fmt.Sprintf("server %d is still there", id), func(ctx context.Context) (bool, error) {
		s, _, err := c.api.Server.GetByID(ctx, id)
		return err == nil && s == nil, c.translate(op, err)
	})
}

func (c *Client) deleteServerSettled(ctx context.Context, a deleteServerArgs) (binding.Settlement[binding.None], error) {
	op := "find out about the deletion of " + a.Server
	s, _, err := c.api.Server.Get(ctx, a.Server)
	if err != nil {
		return binding.Settlement[binding.None]{}, c.translate(op, err)
	}
	if s == nil {
		return binding.Settlement[binding.None]{Landed: binding.Yes}, nil
	}
	return settlePresent(c, ctx, op, a.Within, func(ctx context.Context) ([]*hcloud.Action, error) {
		actions, err := c.busyServer(s)(ctx)
		if hcloud.IsError(err, hcloud.ErrorCodeNotFound) {
			return nil, nil // gone meanwhile
		}
		return actions, err
	}, func(ctx context.Context) (binding.None, bool, error) {
		now, _, err := c.api.Server.GetByID(ctx, s.ID)
		return binding.None{}, err == nil && now == nil, c.translate(op, err)
	})
}
