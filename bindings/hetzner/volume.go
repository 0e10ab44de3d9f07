package hetzner

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// Volume is a disk of its own, which can move between servers of one location.
type Volume struct {
	ID       string            `lua:"id" doc:"Its id."`
	Name     string            `lua:"name" doc:"Its name."`
	Size     int               `lua:"size" doc:"Size in GB."`
	Status   string            `lua:"status" doc:"available or creating."`
	Server   string            `lua:"server,optional" doc:"Name of the server that it is attached to; nil when to none."`
	ServerID string            `lua:"server_id,optional" doc:"Id of that server."`
	Location string            `lua:"location" doc:"Location; only servers there can have it."`
	Device   string            `lua:"device" doc:"Where Linux shows it, such as /dev/disk/by-id/scsi-0HC_Volume_4711."`
	Format   string            `lua:"format,optional" doc:"Its file system, when Hetzner made one."`
	Labels   map[string]string `lua:"labels" doc:"Its labels."`
}

func volumeOf(v *hcloud.Volume, names map[int64]string) Volume {
	out := Volume{ID: idText(v.ID), Name: v.Name, Size: v.Size, Status: string(v.Status), Device: v.LinuxDevice, Labels: v.Labels}
	if v.Server != nil {
		out.ServerID, out.Server = idText(v.Server.ID), names[v.Server.ID]
	}
	if v.Location != nil {
		out.Location = v.Location.Name
	}
	if v.Format != nil {
		out.Format = *v.Format
	}
	return out
}

func volumeServer(v *hcloud.Volume) int64 {
	if v.Server == nil {
		return 0
	}
	return v.Server.ID
}

func (c *Client) findVolume(ctx context.Context, op, name string) (*hcloud.Volume, error) {
	return lookUp(ctx, c, op, "volume", name, c.api.Volume.Get, func(ctx context.Context) ([]string, error) {
		all, err := c.api.Volume.All(ctx)
		return namesOf(all, func(v *hcloud.Volume) string { return v.Name }), err
	})
}

func (c *Client) volumeNow(ctx context.Context, op string, id int64) (Volume, *hcloud.Volume, error) {
	v, _, err := c.api.Volume.GetByID(ctx, id)
	if err != nil {
		return Volume{}, nil, c.translate(op, err)
	}
	if v == nil {
		return Volume{}, nil, fault.New(fault.NotFound, "the volume %d is gone", id).WithOp("%s", op)
	}
	names, err := c.serverNames(ctx, op, volumeServer(v))
	return volumeOf(v, names), v, err
}

type volumeArgs struct {
	Name string `lua:"name" doc:"Name or id of the volume."`
}

var readVolume = binding.Func[*Client, volumeArgs, Volume]{
	Name: "volume", Effect: binding.Reads,
	Doc:     "One volume by name or id.",
	Raises:  []fault.Kind{fault.NotFound, fault.Denied, fault.RateLimited, fault.Unavailable},
	Example: `hetzner.volume { name = "hobby-data" }`,
	Call: func(c *Client, ctx context.Context, a volumeArgs) (Volume, error) {
		op := "look up volume " + a.Name
		v, err := c.findVolume(ctx, op, a.Name)
		if err != nil {
			return Volume{}, err
		}
		names, err := c.serverNames(ctx, op, volumeServer(v))
		return volumeOf(v, names), err
	},
}

type volumesArgs struct {
	Server string `lua:"server,optional" doc:"Only those attached to this server."`
	Label  string `lua:"label,optional" doc:"Only those that match this label selector."`
}

var readVolumes = binding.Func[*Client, volumesArgs, []Volume]{
	Name: "volumes", Effect: binding.Reads,
	Doc:     "The volumes of the project by name, or those of one server.",
	Raises:  []fault.Kind{fault.NotFound, fault.Invalid, fault.Denied, fault.RateLimited, fault.Unavailable},
	Example: `hetzner.volumes { server = "hobby-1" }`,
	Call:    (*Client).volumes,
}

func (c *Client) volumes(ctx context.Context, a volumesArgs) ([]Volume, error) {
	op := "list volumes"
	only := int64(0)
	if a.Server != "" {
		s, err := c.find(ctx, op, a.Server)
		if err != nil {
			return nil, err
		}
		if only = s.ID; only == 0 {
			return nil, nil // foretold by a plan: none yet
		}
	}
	all, err := c.api.Volume.AllWithOpts(ctx, hcloud.VolumeListOpts{ListOpts: hcloud.ListOpts{LabelSelector: a.Label}})
	if err != nil {
		return nil, c.translate(op, err)
	}
	all = slices.DeleteFunc(all, func(v *hcloud.Volume) bool { return a.Server != "" && volumeServer(v) != only })
	var servers []int64
	for _, v := range all {
		servers = append(servers, volumeServer(v))
	}
	names, err := c.serverNames(ctx, op, servers...)
	if err != nil {
		return nil, err
	}
	var out []Volume
	for _, v := range all {
		out = append(out, volumeOf(v, names))
	}
	slices.SortFunc(out, func(a, b Volume) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

type attachVolumeArgs struct {
	Volume    string        `lua:"volume" doc:"Name or id of the volume."`
	Server    string        `lua:"server" doc:"Name or id of the server."`
	Automount bool          `lua:"automount" default:"false" doc:"Whether Hetzner's agent on the server shall mount it."`
	Within    time.Duration `lua:"within" default:"2m" doc:"How long it may take."`
}

var attachVolume = binding.Func[*Client, attachVolumeArgs, Volume]{
	Name: "attach_volume", Effect: binding.Mutates,
	Doc: "Attach a volume to a server of the same location. One that another server has is refused: unmount and detach it first. " +
		"Nothing is done when the server has it already.",
	Says:    "attach the volume {volume} to {server}",
	Raises:  []fault.Kind{fault.NotFound, fault.Conflict, fault.Failed, fault.Timeout, fault.Denied, fault.RateLimited, fault.Unavailable},
	Example: `hetzner.attach_volume { volume = "hobby-data", server = "hobby-1-r" }`,
	Target:  "volume",
	Call:    (*Client).attachVolume,
	Predict: func(c *Client, ctx context.Context, a attachVolumeArgs) (Volume, error) {
		v, s, err := c.volumeAndServer(ctx, a)
		if err != nil {
			return Volume{}, err
		}
		shown := c.serverOf(s)
		out := volumeOf(v, nil)
		out.Server, out.ServerID = shown.Name, shown.ID
		return out, nil
	},
	Settled: func(c *Client, ctx context.Context, a attachVolumeArgs) (binding.Settlement[Volume], error) {
		v, s, err := c.volumeAndServer(ctx, a)
		if err != nil {
			return binding.Settlement[Volume]{}, err
		}
		return c.volumeSettled(ctx, v, s.ID, a.Within)
	},
}

func (c *Client) volumeAndServer(ctx context.Context, a attachVolumeArgs) (*hcloud.Volume, *hcloud.Server, error) {
	op := "attach the volume " + a.Volume
	v, err := c.findVolume(ctx, op, a.Volume)
	if err != nil {
		return nil, nil, before(err)
	}
	s, err := c.find(ctx, op, a.Server)
	if err != nil {
		return nil, nil, before(err)
	}
	if v.Location != nil && s.Location != nil && v.Location.Name != s.Location.Name && !binding.IsPlanned(s.Location.Name) {
		return nil, nil, fault.New(fault.Conflict, "%s is in %s and %s in %s", v.Name, v.Location.Name, s.Name, s.Location.Name).WithOp("%s", op).
			WithHint("a volume cannot leave its location: create the server there, or restore the data from a backup")
	}
	return v, s, nil
}

func (c *Client) attachVolume(ctx context.Context, a attachVolumeArgs) (Volume, error) {
	op := "attach the volume " + a.Volume
	v, s, err := c.volumeAndServer(ctx, a)
	if err != nil {
		return Volume{}, err
	}
	if volumeServer(v) == s.ID {
		return volumeOf(v, map[int64]string{s.ID: s.Name}), nil
	}
	action, _, err := c.api.Volume.AttachWithOpts(ctx, v, hcloud.VolumeAttachOpts{Server: s, Automount: &a.Automount})
	return c.volumeDone(ctx, op, v, a.Within, action, err)
}

func (c *Client) volumeDone(ctx context.Context, op string, v *hcloud.Volume, within time.Duration, action *hcloud.Action, err error) (Volume, error) {
	if err != nil {
		return Volume{}, c.translate(op, err)
	}
	ctx, b := c.budget(ctx, within)
	if err := c.finish(ctx, b, op, action); err != nil {
		return Volume{}, err
	}
	out, _, err := c.volumeNow(ctx, op, v.ID)
	return out, accepted(err)
}

func (c *Client) volumeSettled(ctx context.Context, v *hcloud.Volume, server int64, within time.Duration) (binding.Settlement[Volume], error) {
	op := "find out about the volume " + v.Name
	running := func(ctx context.Context) ([]*hcloud.Action, error) {
		actions, _, err := c.api.Volume.Action.ListFor(ctx, v, hcloud.ActionListOpts{Status: []hcloud.ActionStatus{hcloud.ActionStatusRunning}})
		return busy(actions, err)
	}
	return settlePresent(c, ctx, op, within, running, func(ctx context.Context) (Volume, bool, error) {
		out, now, err := c.volumeNow(ctx, op, v.ID)
		return out, err == nil && volumeServer(now) == server, err
	})
}

type detachVolumeArgs struct {
	Volume string        `lua:"volume" doc:"Name or id of the volume."`
	Within time.Duration `lua:"within" default:"2m" doc:"How long it may take."`
}

var detachVolume = binding.Func[*Client, detachVolumeArgs, Volume]{
	Name: "detach_volume", Effect: binding.Mutates,
	Doc:     "Detach a volume from its server; unmount it there first where the server still answers. Nothing is done when it is attached to none.",
	Says:    "detach the volume {volume}",
	Raises:  []fault.Kind{fault.NotFound, fault.Conflict, fault.Failed, fault.Timeout, fault.Denied, fault.RateLimited, fault.Unavailable},
	Example: `hetzner.detach_volume { volume = "hobby-data" }`,
	Target:  "volume",
	Call: func(c *Client, ctx context.Context, a detachVolumeArgs) (Volume, error) {
		op := "detach the volume " + a.Volume
		v, err := c.findVolume(ctx, op, a.Volume)
		if err != nil {
			return Volume{}, before(err)
		}
		if v.Server == nil {
			return volumeOf(v, nil), nil
		}
		action, _, err := c.api.Volume.Detach(ctx, v)
		return c.volumeDone(ctx, op, v, a.Within, action, err)
	},
	Predict: func(c *Client, ctx context.Context, a detachVolumeArgs) (Volume, error) {
		v, err := c.findVolume(ctx, "detach the volume "+a.Volume, a.Volume)
		if err != nil {
			return Volume{}, err
		}
		v.Server = nil
		return volumeOf(v, nil), nil
	},
	Settled: func(c *Client, ctx context.Context, a detachVolumeArgs) (binding.Settlement[Volume], error) {
		v, err := c.findVolume(ctx, "find out about the volume "+a.Volume, a.Volume)
		if err != nil {
			return binding.Settlement[Volume]{}, err
		}
		return c.volumeSettled(ctx, v, 0, a.Within)
	},
}
