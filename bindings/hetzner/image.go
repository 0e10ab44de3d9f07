package hetzner

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// keyLabel is the label in which created things carry their idempotency key.
const keyLabel = "drhost-key"

// Image is what a server's disk is made from: a system image of Hetzner, a
// snapshot, a backup or an app.
type Image struct {
	ID           string            `lua:"id" doc:"Its id."`
	Name         string            `lua:"name,optional" doc:"Name of a system image, such as debian-12; nil for a snapshot."`
	Type         string            `lua:"type" doc:"system, snapshot, backup or app."`
	Status       string            `lua:"status" doc:"available, creating or unavailable."`
	Description  string            `lua:"description" doc:"Its description."`
	Architecture string            `lua:"architecture" doc:"x86 or arm."`
	Size         float64           `lua:"size" doc:"Size in GB; 0 while it is made."`
	Disk         float64           `lua:"disk" doc:"Smallest disk it fits on, in GB."`
	From         string            `lua:"from,optional" doc:"Name of the server that it was made from."`
	Created      time.Time         `lua:"created,optional" doc:"When it was made."`
	Labels       map[string]string `lua:"labels" doc:"Its labels."`
	Protected    bool              `lua:"protected" doc:"Whether it is protected against deletion."`
}

func imageOf(i *hcloud.Image) Image {
	out := Image{ID: idText(i.ID), Name: i.Name, Type: string(i.Type), Status: string(i.Status), Description: i.Description,
		Architecture: string(i.Architecture), Size: float64(i.ImageSize), Disk: float64(i.DiskSize), Created: i.Created,
		Labels: i.Labels, Protected: i.Protection.Delete}
	if i.CreatedFrom != nil {
		out.From = i.CreatedFrom.Name
	}
	return out
}

// imageRef is the word by which an image can be asked for again.
func imageRef(i *hcloud.Image) string {
	if i.Name != "" {
		return i.Name
	}
	return idText(i.ID)
}

// findImage returns an image by id, by name and architecture, or by the
// description of a snapshot (the newest that is available). No architecture
// means any.
func (c *Client) findImage(ctx context.Context, op, name string, arch hcloud.Architecture) (*hcloud.Image, error) {
	if binding.IsPlanned(name) {
		return &hcloud.Image{Name: name, Status: hcloud.ImageStatusAvailable, Architecture: arch}, nil
	}
	get := func(ctx context.Context, name string) (*hcloud.Image, *hcloud.Response, error) {
		if id, err := strconv.ParseInt(name, 10, 64); err == nil {
			return c.api.Image.GetByID(ctx, id)
		}
		opts := hcloud.ImageListOpts{Name: name, IncludeDeprecated: true}
		if arch != "" {
			opts.Architecture = []hcloud.Architecture{arch}
		}
		named, resp, err := c.api.Image.List(ctx, opts)
		if err != nil || len(named) > 0 {
			return first(named), resp, err
		}
		taken, err := c.api.Image.AllWithOpts(ctx, hcloud.ImageListOpts{Type: []hcloud.ImageType{hcloud.ImageTypeSnapshot, hcloud.ImageTypeBackup}})
		if err != nil {
			return nil, nil, err
		}
		newestFirst(taken)
		for _, i := range taken {
			if i.Description == name && i.Status == hcloud.ImageStatusAvailable && (arch == "" || i.Architecture == arch) {
				return i, nil, nil
			}
		}
		return nil, nil, nil
	}
	return lookUp(ctx, c, op, "image", name, get, func(ctx context.Context) ([]string, error) {
		all, err := c.api.Image.All(ctx)
		return namesOf(all, func(i *hcloud.Image) string {
			if i.Name == "" {
				return i.Description
			}
			return i.Name
		}), err
	})
}

func first[T any](list []*T) *T {
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

func newestFirst(images []*hcloud.Image) {
	slices.SortStableFunc(images, func(a, b *hcloud.Image) int {
		if d := b.Created.Compare(a.Created); d != 0 {
			return d
		}
		return int(b.ID - a.ID)
	})
}

type imageArgs struct {
	Image string `lua:"image" doc:"Name, id, or description of a snapshot (then the newest)."`
}

var readImage = binding.Func[*Client, imageArgs, Image]{
	Name: "image", Effect: binding.Reads,
	Doc:     "One image by name or id, or the newest snapshot with a description.",
	Raises:  []fault.Kind{fault.NotFound, fault.Denied, fault.RateLimited, fault.Unavailable},
	Example: `hetzner.image { image = "debian-12" }`,
	Call: func(c *Client, ctx context.Context, a imageArgs) (Image, error) {
		i, err := c.findImage(ctx, "look up image "+a.Image, a.Image, "")
		if err != nil {
			return Image{}, err
		}
		return imageOf(i), nil
	},
}

type imagesArgs struct {
	Type  string `lua:"type,optional" enum:"system,snapshot,backup,app" doc:"Only images of this type."`
	Label string `lua:"label,optional" doc:"Only images that match this label selector."`
	Name  string `lua:"name,optional" doc:"Only system images of this name."`
}

var readImages = binding.Func[*Client, imagesArgs, []Image]{
	Name: "images", Effect: binding.Reads,
	Doc:     "Images of the project and of Hetzner, newest first.",
	Raises:  []fault.Kind{fault.Invalid, fault.Denied, fault.RateLimited, fault.Unavailable},
	Example: `hetzner.images { type = "snapshot", label = "role=hobby" }`,
	Call:    (*Client).images,
}

func (c *Client) images(ctx context.Context, a imagesArgs) ([]Image, error) {
	opts := hcloud.ImageListOpts{ListOpts: hcloud.ListOpts{LabelSelector: a.Label}, Name: a.Name}
	if a.Type != "" {
		opts.Type = []hcloud.ImageType{hcloud.ImageType(a.Type)}
	}
	found, err := c.api.Image.AllWithOpts(ctx, opts)
	if err != nil {
		return nil, c.translate("list images", err)
	}
	newestFirst(found)
	var out []Image
	for _, i := range found {
		out = append(out, imageOf(i))
	}
	return out, nil
}

type snapshotsArgs struct {
	Server string `lua:"server,optional" doc:"Only snapshots of the server of this name, which may be gone by now."`
	Label  string `lua:"label,optional" doc:"Only snapshots that match this label selector."`
}

var readSnapshots = binding.Func[*Client, snapshotsArgs, []Image]{
	Name: "snapshots", Effect: binding.Reads,
	Doc:     "Snapshots of the project that are ready for use, newest first.",
	Raises:  []fault.Kind{fault.Invalid, fault.Denied, fault.RateLimited, fault.Unavailable},
	Example: `hetzner.snapshots { server = "hobby-1" }`,
	Call: func(c *Client, ctx context.Context, a snapshotsArgs) ([]Image, error) {
		all, err := c.images(ctx, imagesArgs{Type: "snapshot", Label: a.Label})
		return slices.DeleteFunc(all, func(i Image) bool {
			return i.Status != string(hcloud.ImageStatusAvailable) || (a.Server != "" && !strings.EqualFold(i.From, a.Server))
		}), err
	},
}

type snapshotArgs struct {
	Server      string            `lua:"server" doc:"Name or id of the server."`
	Description string            `lua:"description" doc:"What the snapshot is for; create_server and image find it by this."`
	Labels      map[string]string `lua:"labels,optional" doc:"Labels for the snapshot."`
	Within      time.Duration     `lua:"within" default:"30m" doc:"How long it may take."`
}

var snapshot = binding.Func[*Client, snapshotArgs, Image]{
	Name: "snapshot", Effect: binding.Mutates,
	Doc:     "Take a snapshot of a server's disk and wait until it is available. Shut the server down first where its data have to be consistent.",
	Says:    "take a snapshot of {server}: {description}",
	Raises:  []fault.Kind{fault.NotFound, fault.Conflict, fault.Exhausted, fault.Failed, fault.Timeout, fault.Denied, fault.RateLimited, fault.Unavailable},
	Example: `hetzner.snapshot { server = "hobby-1", description = "before the rebuild" }`,
	Target:  "server",
	Call:    (*Client).snapshot,
	Predict: (*Client).predictSnapshot,
	Settled: (*Client).snapshotSettled,
}

func (c *Client) snapshot(ctx context.Context, a snapshotArgs) (Image, error) {
	op := "take a snapshot of " + a.Server
	s, err := c.find(ctx, op, a.Server)
	if err != nil {
		return Image{}, before(err)
	}
	made, _, err := c.api.Server.CreateImage(ctx, s, &hcloud.ServerCreateImageOpts{
		Type: hcloud.ImageTypeSnapshot, Description: &a.Description, Labels: withKey(ctx, a.Labels)})
	if err != nil {
		return Image{}, c.translate(op, err)
	}
	ctx, b := c.budget(ctx, a.Within)
	if err := c.finish(ctx, b, op, made.Action); err != nil {
		return Image{}, err
	}
	return c.ready(ctx, b, op, made.Image.ID)
}

// ready waits until an accepted snapshot is available.
func (c *Client) ready(ctx context.Context, b *budget, op string, id int64) (Image, error) {
	var now *hcloud.Image
	err := c.await(ctx, b, op, "the snapshot is not available", func(ctx context.Context) (bool, error) {
		i, _, err := c.api.Image.GetByID(ctx, id)
		if err != nil {
			return false, c.translate(op, err)
		}
		if i == nil {
			return false, fault.New(fault.Failed, "the snapshot %d is gone again", id).WithOp("%s", op).AlreadyDone()
		}
		now = i
		return i.Status == hcloud.ImageStatusAvailable, nil
	})
	if err != nil {
		return Image{}, accepted(err)
	}
	return imageOf(now), nil
}

func withKey(ctx context.Context, labels map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range labels {
		out[k] = v
	}
	if key := binding.Key(ctx); key != "" {
		out[keyLabel] = key
	}
	return out
}

func (c *Client) predictSnapshot(ctx context.Context, a snapshotArgs) (Image, error) {
	s, err := c.find(ctx, "take a snapshot of "+a.Server, a.Server)
	if err != nil {
		return Image{}, err
	}
	out := Image{ID: binding.Planned("id of the snapshot of " + s.Name), Type: "snapshot", Status: "available",
		Description: a.Description, From: s.Name, Labels: a.Labels}
	if s.ServerType != nil {
		out.Architecture, out.Disk = string(s.ServerType.Architecture), float64(s.PrimaryDiskSize)
	}
	return out, nil
}

func (c *Client) snapshotSettled(ctx context.Context, a snapshotArgs) (binding.Settlement[Image], error) {
	op := "find out about the snapshot of " + a.Server
	look := "look for a snapshot called \"" + a.Description + "\" in Hetzner's console"
	key := binding.Key(ctx)
	if key == "" {
		return binding.Settlement[Image]{Look: look}, nil
	}
	var ours *hcloud.Image
	err := c.appears(ctx, func(ctx context.Context) (bool, error) {
		found, err := c.api.Image.AllWithOpts(ctx, hcloud.ImageListOpts{ListOpts: hcloud.ListOpts{LabelSelector: keyLabel + "==" + key}})
		ours = first(found)
		return ours != nil, c.translate(op, err)
	})
	if err != nil || ours == nil {
		return binding.Settlement[Image]{Landed: binding.No, Look: look}, err
	}
	ctx, b := c.budget(ctx, a.Within)
	out, err := c.ready(ctx, b, op, ours.ID)
	return binding.Settlement[Image]{Landed: landed(err), Result: out, Look: look}, err
}

type deleteImageArgs struct {
	Image string `lua:"image" doc:"Id of the snapshot or backup."`
}

var deleteImage = binding.Func[*Client, deleteImageArgs, binding.None]{
	Name: "delete_image", Effect: binding.Destroys,
	Doc:     "Delete a snapshot or a backup. It takes an id only, so that a description shared by several can delete none of them.",
	Says:    "delete the image {image}",
	Raises:  []fault.Kind{fault.NotFound, fault.Invalid, fault.Conflict, fault.Denied, fault.RateLimited, fault.Unavailable},
	Example: `hetzner.delete_image { image = "4711" }`,
	Target:  "image",
	Call: func(c *Client, ctx context.Context, a deleteImageArgs) (binding.None, error) {
		i, err := c.deletableImage(ctx, a)
		if err != nil {
			return binding.None{}, before(err)
		}
		_, err = c.api.Image.Delete(ctx, i)
		return binding.None{}, c.translate("delete the image "+a.Image, err)
	},
	Predict: func(c *Client, ctx context.Context, a deleteImageArgs) (binding.None, error) {
		_, err := c.deletableImage(ctx, a)
		return binding.None{}, err
	},
	Settled: (*Client).deleteImageSettled,
}

func (c *Client) deletableImage(ctx context.Context, a deleteImageArgs) (*hcloud.Image, error) {
	op := "delete the image " + a.Image
	if binding.IsPlanned(a.Image) {
		return &hcloud.Image{Name: a.Image}, nil
	}
	if _, err := strconv.ParseInt(a.Image, 10, 64); err != nil {
		return nil, fault.New(fault.Invalid, "%q is not the id of an image", a.Image).WithOp("%s", op).
			WithHint("hetzner.snapshots lists the ids")
	}
	i, err := c.findImage(ctx, op, a.Image, "")
	if err != nil {
		return nil, err
	}
	if i.Type != hcloud.ImageTypeSnapshot && i.Type != hcloud.ImageTypeBackup {
		return nil, fault.New(fault.Invalid, "%s is an image of Hetzner's, which nobody can delete", imageRef(i)).WithOp("%s", op)
	}
	return i, nil
}

func (c *Client) deleteImageSettled(ctx context.Context, a deleteImageArgs) (binding.Settlement[binding.None], error) {
	id, err := strconv.ParseInt(a.Image, 10, 64)
	if err != nil {
		return binding.Settlement[binding.None]{Landed: binding.No}, nil
	}
	i, _, err := c.api.Image.GetByID(ctx, id)
	if err != nil {
		return binding.Settlement[binding.None]{}, c.translate("find out about the image "+a.Image, err)
	}
	if i == nil || !i.Deleted.IsZero() {
		return binding.Settlement[binding.None]{Landed: binding.Yes}, nil
	}
	return binding.Settlement[binding.None]{Landed: binding.No}, nil
}
