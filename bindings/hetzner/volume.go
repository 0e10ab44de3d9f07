package hetzner

import (
	"context"
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

var volumes = holding[hcloud.Volume, Volume]{
	what: "volume",
	get: func(c *Client, ctx context.Context, name string) (*hcloud.Volume, *hcloud.Response, error) {
		return c.api.Volume.Get(ctx, name)
	},
	byID: func(c *Client, ctx context.Context, id int64) (*hcloud.Volume, *hcloud.Response, error) {
		return c.api.Volume.GetByID(ctx, id)
	},
	all: func(c *Client, ctx context.Context, o hcloud.ListOpts) ([]*hcloud.Volume, error) {
		return c.api.Volume.AllWithOpts(ctx, hcloud.VolumeListOpts{ListOpts: o})
	},
	acts: func(c *Client, ctx context.Context, v *hcloud.Volume, o hcloud.ActionListOpts) ([]*hcloud.Action, *hcloud.Response, error) {
		return c.api.Volume.Action.ListFor(ctx, v, o)
	},
	id:   func(v *hcloud.Volume) int64 { return v.ID },
	name: func(v *hcloud.Volume) string { return v.Name },
	holder: func(v *hcloud.Volume) int64 {
		if v.Server == nil {
			return 0
		}
		return v.Server.ID
	},
	shown: volumeOf,
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
		return volumes.read(c, ctx, a.Name)
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
	Call: func(c *Client, ctx context.Context, a volumesArgs) ([]Volume, error) {
		return volumes.list(c, ctx, a.Server, a.Label)
	},
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
		return volumes.settled(c, ctx, v, s.ID, a.Within)
	},
}

func (c *Client) volumeAndServer(ctx context.Context, a attachVolumeArgs) (*hcloud.Volume, *hcloud.Server, error) {
	op := "attach the volume " + a.Volume
	v, s, err := volumes.withServer(c, ctx, op, a.Volume, a.Server)
	if err != nil {
		return nil, nil, err
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
	if volumes.holder(v) == s.ID {
		return volumeOf(v, map[int64]string{s.ID: s.Name}), nil
	}
	action, _, err := c.api.Volume.AttachWithOpts(ctx, v, hcloud.VolumeAttachOpts{Server: s, Automount: &a.Automount})
	return volumes.done(c, ctx, op, v, a.Within, action, err)
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
		v, err := volumes.find(c, ctx, op, a.Volume)
		if err != nil {
			return Volume{}, before(err)
		}
		if v.Server == nil {
			return volumeOf(v, nil), nil
		}
		action, _, err := c.api.Volume.Detach(ctx, v)
		return volumes.done(c, ctx, op, v, a.Within, action, err)
	},
	Predict: func(c *Client, ctx context.Context, a detachVolumeArgs) (Volume, error) {
		v, err := volumes.find(c, ctx, "detach the volume "+a.Volume, a.Volume)
		if err != nil {
			return Volume{}, err
		}
		v.Server = nil
		return volumeOf(v, nil), nil
	},
	Settled: func(c *Client, ctx context.Context, a detachVolumeArgs) (binding.Settlement[Volume], error) {
		return volumes.released(c, ctx, a.Volume, a.Within)
	},
}
