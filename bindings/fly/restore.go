package fly

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// wanted is a volume to make.
type wanted struct {
	name, region     string
	size             int
	snapshot, source string
	alone            bool // nobody but this call makes volumes in the app, because it has made the app
}

// madeVolume finds a volume that an earlier attempt of this call has made and
// no machine has yet; Unknown says that it may be somebody else's.
func (c *Client) madeVolume(ctx context.Context, w wanted, all []Volume) (found *Volume, whose binding.Landed) {
	for i, v := range all {
		if v.Name != w.name || v.Region != w.region || v.Machine != "" {
			continue
		}
		now := c.judge(ctx, v.ID, v.Created)
		if w.alone && now == binding.Unknown {
			now = binding.Yes
		}
		if now == binding.Yes || now == binding.Unknown && whose != binding.Yes {
			found, whose = &all[i], now
		}
	}
	return found, whose
}

// makeVolume makes a volume, or finds the one that this call has made, and
// waits until it can be used.
func (c *Client) makeVolume(ctx context.Context, b *budget, op, app string, w wanted, guest map[string]any) (Volume, error) {
	all, err := c.volumes(ctx, op, app)
	if err != nil {
		return Volume{}, before(err)
	}
	there, whose := c.madeVolume(ctx, w, all)
	if there != nil && whose != binding.Yes {
		binding.Progress(ctx, "%s: volume %s may be of an earlier attempt or somebody else's; it is left alone", op, there.ID)
		there = nil
	}
	if there == nil {
		var known []string
		for _, v := range all {
			known = append(known, v.ID)
		}
		c.note(ctx, known)
		body := map[string]any{"name": w.name, "region": w.region, "encrypted": true}
		if w.size > 0 {
			body["size_gb"] = w.size
		}
		if w.snapshot != "" {
			body["snapshot_id"] = w.snapshot
		}
		if w.source != "" {
			body["source_volume_id"] = w.source
		}
		if guest != nil {
			body["compute"] = guest
		}
		var made wireVolume
		err := c.do(ctx, op, request{action: "volume_create", subject: app, method: http.MethodPost, url: c.appURL(app, "/volumes"), body: body, within: c.answer}, &made)
		c.left(ctx, made.ID, err)
		if err != nil {
			return Volume{}, err
		}
		v := volumeOf(made)
		there = &v
	}
	out := *there
	err = c.await(ctx, b, op, func() string { return "volume " + out.ID + " is " + out.State }, func(ctx context.Context) (bool, error) {
		if slices.Contains([]string{"created", "attached", ""}, out.State) {
			return true, nil
		}
		v, err := c.volume(ctx, op, app, out.ID)
		if err == nil {
			out = v
		}
		if out.State == "failed" {
			return false, fault.New(fault.Failed, "Fly could not fill volume %s", out.ID).WithOp("%s", op)
		}
		return false, err
	})
	return out, accepted(err)
}

type volumeRestoreArgs struct {
	App      string        `lua:"app" doc:"Name of the app."`
	Volume   string        `lua:"volume" doc:"Id of the volume whose snapshot it is; it may be on a dead host."`
	Snapshot string        `lua:"snapshot,optional" doc:"Id of the snapshot; the newest complete one when left out."`
	Region   string        `lua:"region,optional" doc:"Region of the new volume; that of the old one when left out."`
	Size     int           `lua:"size,optional" doc:"Size in GB; that of the old one when left out. It can grow, not shrink."`
	Within   time.Duration `lua:"within" default:"30m" doc:"How long it may take until it can be used."`
}

var volumeRestore = binding.Func[*Client, volumeRestoreArgs, Volume]{
	Name: "volume_restore", Effect: binding.Mutates,
	Doc: "Make a new volume out of a snapshot, maybe in another region. The old one is left alone; fly.clone { data = \"snapshot\" } makes a machine with " +
		"one at once.",
	Says:    "make a volume out of a snapshot of {volume} (snapshot {snapshot}, region {region})",
	Raises:  raises(fault.Invalid, fault.Conflict, fault.Exhausted, fault.Failed),
	Example: `fly.volume_restore { app = "webhost-prod-db", volume = "vol_4xyz", region = "fra" }`,
	Target:  "volume",
	Call: func(c *Client, ctx context.Context, a volumeRestoreArgs) (Volume, error) {
		op := "restore volume " + a.Volume
		w, err := c.wanted(ctx, op, a)
		if err != nil {
			return Volume{}, before(err)
		}
		ctx, b := c.budget(ctx, a.Within)
		return c.makeVolume(ctx, b, op, a.App, w, nil)
	},
	Predict: func(c *Client, ctx context.Context, a volumeRestoreArgs) (Volume, error) {
		out := Volume{ID: binding.Planned("id of the volume"), State: "created", Region: a.Region, Host: "ok", Encrypted: true, Size: a.Size}
		if binding.IsPlanned(a.App) || binding.IsPlanned(a.Volume) {
			return out, nil
		}
		w, err := c.wanted(ctx, "restore volume "+a.Volume, a)
		out.Name, out.Region, out.Size = w.name, w.region, w.size
		return out, err
	},
	Settled: func(c *Client, ctx context.Context, a volumeRestoreArgs) (binding.Settlement[Volume], error) {
		op := "find out about the restore of " + a.Volume
		c.repeated(ctx)
		w, err := c.wanted(ctx, op, a)
		if err != nil {
			return binding.Settlement[Volume]{}, err
		}
		doubt := ""
		out, err := settled(c, ctx, func(ctx context.Context) (Volume, bool, error) {
			all, err := c.volumes(ctx, op, a.App)
			if err != nil {
				return Volume{}, false, err
			}
			v, whose := c.madeVolume(ctx, w, all)
			switch {
			case v == nil:
				return Volume{}, false, nil
			case whose == binding.Unknown:
				doubt = fmt.Sprintf("volume %s (%s, %s) was made at %s: is it this call's, or somebody else's?", v.ID, v.Name, v.Region, v.Created.Format(time.RFC3339))
				return Volume{}, false, nil
			}
			return *v, v.State == "created", nil
		})
		return doubtful(out, doubt), err
	},
}

func (c *Client) wanted(ctx context.Context, op string, a volumeRestoreArgs) (wanted, error) {
	v, err := c.volume(ctx, op, a.App, a.Volume)
	if err != nil {
		return wanted{}, err
	}
	w := wanted{name: v.Name, region: v.Region, size: v.Size, snapshot: a.Snapshot}
	if a.Region != "" {
		w.region = a.Region
	}
	if a.Size != 0 {
		w.size = a.Size
	}
	if a.Size != 0 && a.Size < v.Size {
		return w, fault.New(fault.Invalid, "a volume of %d GB does not fit into %d GB", v.Size, a.Size).WithOp("%s", op)
	}
	if w.snapshot == "" {
		s, err := c.newestSnapshot(ctx, op, a.App, a.Volume)
		if err != nil {
			return w, err
		}
		w.snapshot = s.ID
	}
	return w, nil
}
