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

// Volume is a disk of an app.
type Volume struct {
	ID        string    `lua:"id" doc:"Its id, such as vol_123."`
	Name      string    `lua:"name" doc:"Its name; several may have the same."`
	State     string    `lua:"state" doc:"created, hydrating, restoring, pending_destroy, ..."`
	Region    string    `lua:"region" doc:"Code of its region; it cannot leave it."`
	Size      int       `lua:"size" doc:"Size in GB."`
	Machine   string    `lua:"machine,optional" doc:"Id of the machine that has it; nil when none."`
	Host      string    `lua:"host" doc:"ok, unknown or unreachable."`
	Encrypted bool      `lua:"encrypted" doc:"Whether it is encrypted."`
	Created   time.Time `lua:"created,optional" doc:"When it was made."`
}

type wireVolume struct {
	ID        string  `json:"id"`
	Name      string  `json:"name"`
	State     string  `json:"state"`
	Region    string  `json:"region"`
	Size      int     `json:"size_gb"`
	Machine   *string `json:"attached_machine_id"`
	Host      string  `json:"host_status"`
	Encrypted bool    `json:"encrypted"`
	Created   string  `json:"created_at"`
}

func volumeOf(v wireVolume) Volume {
	out := Volume{ID: v.ID, Name: v.Name, State: v.State, Region: v.Region, Size: v.Size, Host: v.Host, Encrypted: v.Encrypted, Created: moment(v.Created)}
	if v.Machine != nil {
		out.Machine = *v.Machine
	}
	if out.Host == "" {
		out.Host = "ok"
	}
	return out
}

var readVolumes = binding.Func[*Client, appArgs, []Volume]{
	Name: "volumes", Effect: binding.Reads,
	Doc:     "The volumes of an app, those that no machine has as well.",
	Raises:  raises(),
	Example: `fly.volumes { app = "webhost-prod-db" }`,
	Target:  "app",
	Call: func(c *Client, ctx context.Context, a appArgs) ([]Volume, error) {
		return c.volumes(ctx, "list the volumes of "+a.App, a.App)
	},
}

func (c *Client) volumes(ctx context.Context, op, app string) ([]Volume, error) {
	var all []wireVolume
	if err := c.get(ctx, op, "volume_list", app, "/volumes", &all); err != nil {
		return nil, c.unknownApp(ctx, app, err)
	}
	out := []Volume{}
	for _, v := range all {
		if !slices.Contains([]string{"scheduling_destroy", "fork_cleanup", "waiting_for_detach", "pending_destroy", "destroying", "destroyed"}, v.State) {
			out = append(out, volumeOf(v))
		}
	}
	return out, nil
}

func (c *Client) volume(ctx context.Context, op, app, id string) (Volume, error) {
	var v wireVolume
	err := c.get(ctx, op, "volume_get", app, "/volumes/"+id, &v)
	return volumeOf(v), err
}

// Snapshot is a copy of a volume at one moment.
type Snapshot struct {
	ID      string    `lua:"id" doc:"Its id, such as vs_123."`
	Volume  string    `lua:"volume" doc:"The volume it was taken of."`
	Status  string    `lua:"status" doc:"created when it can be used."`
	Size    int       `lua:"size" doc:"Bytes stored."`
	Created time.Time `lua:"created,optional" doc:"The moment it shows."`
}

type wireSnapshot struct {
	ID      string `json:"id"`
	Status  string `json:"status"`
	Size    int    `json:"size"`
	Created string `json:"created_at"`
}

type volumeArgs struct {
	App    string `lua:"app" doc:"Name of the app."`
	Volume string `lua:"volume" doc:"Id of the volume."`
}

var readSnapshots = binding.Func[*Client, volumeArgs, []Snapshot]{
	Name: "snapshots", Effect: binding.Reads,
	Doc:     "The snapshots of a volume, the newest first. They outlive its host.",
	Raises:  raises(),
	Example: `fly.snapshots { app = "webhost-prod-db", volume = "vol_4xyz" }`,
	Target:  "volume",
	Call: func(c *Client, ctx context.Context, a volumeArgs) ([]Snapshot, error) {
		return c.snapshots(ctx, "list the snapshots of "+a.Volume, a.App, a.Volume)
	},
}

func (c *Client) snapshots(ctx context.Context, op, app, volume string) ([]Snapshot, error) {
	var all []wireSnapshot
	if err := c.get(ctx, op, "snapshot_list", app, "/volumes/"+volume+"/snapshots", &all); err != nil {
		return nil, err
	}
	out := []Snapshot{}
	for _, s := range all {
		out = append(out, Snapshot{s.ID, volume, s.Status, s.Size, moment(s.Created)})
	}
	slices.SortStableFunc(out, func(a, b Snapshot) int { return b.Created.Compare(a.Created) })
	return out, nil
}

// newestSnapshot is the latest one that can be used.
func (c *Client) newestSnapshot(ctx context.Context, op, app, volume string) (Snapshot, error) {
	all, err := c.snapshots(ctx, op, app, volume)
	if err != nil {
		return Snapshot{}, err
	}
	at := slices.IndexFunc(all, func(s Snapshot) bool { return s.Status == "created" || s.Status == "" })
	if at < 0 {
		return Snapshot{}, fault.New(fault.NotFound, "volume %s has no snapshot that is complete", volume).WithOp("%s", op).
			WithHint(`fly makes one a day: without any there is nothing to restore; data = "fork" takes the data as they are, when the host is alive`)
	}
	return all[at], nil
}

type snapshotArgs struct {
	App    string        `lua:"app" doc:"Name of the app."`
	Volume string        `lua:"volume" doc:"Id of the volume."`
	Within time.Duration `lua:"within" default:"10m" doc:"How long it may take until the snapshot can be used."`
}

var volumeSnapshot = binding.Func[*Client, snapshotArgs, Snapshot]{
	Name: "volume_snapshot", Effect: binding.Mutates,
	Doc:     "Take a snapshot of a volume and wait until it can be used. The program that writes to it is not asked: of a database it shows what a power cut would leave.",
	Says:    "take a snapshot of volume {volume} of {app}",
	Raises:  raises(fault.Conflict, fault.Failed),
	Example: `fly.volume_snapshot { app = "webhost-prod-db", volume = "vol_4xyz" }`,
	Target:  "volume",
	Call:    (*Client).volumeSnapshot,
	Predict: func(c *Client, ctx context.Context, a snapshotArgs) (Snapshot, error) {
		out := Snapshot{ID: binding.Planned("id of the snapshot of " + a.Volume), Volume: a.Volume, Status: "created", Size: binding.PlannedInteger}
		if binding.IsPlanned(a.App) || binding.IsPlanned(a.Volume) {
			return out, nil
		}
		_, err := c.volume(ctx, "take a snapshot of "+a.Volume, a.App, a.Volume)
		return out, err
	},
	Settled: func(c *Client, ctx context.Context, a snapshotArgs) (binding.Settlement[Snapshot], error) {
		c.repeated(ctx)
		doubt := ""
		out, err := settled(c, ctx, func(ctx context.Context) (Snapshot, bool, error) {
			s, whose, err := c.snapshotSince(ctx, "find out about the snapshot of "+a.Volume, a.App, a.Volume)
			if err != nil || s == nil {
				return Snapshot{}, false, err
			}
			if whose == binding.Unknown {
				doubt = fmt.Sprintf("snapshot %s of volume %s was made at %s: is it this call's, or somebody else's?", s.ID, a.Volume, s.Created.Format(time.RFC3339))
				return Snapshot{}, false, nil
			}
			return *s, s.Status == "created", nil
		})
		return doubtful(out, doubt), err
	},
}

// snapshotSince is the oldest snapshot that the mutation of ctx has made, or
// else one of which that cannot be told (Unknown), or nil.
func (c *Client) snapshotSince(ctx context.Context, op, app, volume string) (found *Snapshot, whose binding.Landed, err error) {
	all, err := c.snapshots(ctx, op, app, volume)
	for i, s := range all {
		now := c.judge(ctx, s.ID, s.Created)
		if now == binding.Yes || now == binding.Unknown && whose != binding.Yes {
			found, whose = &all[i], now
		}
	}
	return found, whose, err
}

func (c *Client) volumeSnapshot(ctx context.Context, a snapshotArgs) (Snapshot, error) {
	op := "take a snapshot of " + a.Volume
	known, err := c.snapshots(ctx, op, a.App, a.Volume)
	if err != nil {
		return Snapshot{}, before(err)
	}
	id := ""
	for _, s := range known { // the newest first: the oldest of this call's stays
		if c.judge(ctx, s.ID, s.Created) == binding.Yes {
			id = s.ID
		}
	}
	ctx, b := c.budget(ctx, a.Within)
	if id == "" {
		var there []string
		for _, s := range known {
			there = append(there, s.ID)
		}
		c.note(ctx, there)
		if id, err = c.takeSnapshot(ctx, op, a); err != nil {
			return Snapshot{}, err
		}
	}
	var out Snapshot
	err = c.await(ctx, b, op, func() string { return "the snapshot is " + out.Status }, func(ctx context.Context) (bool, error) {
		all, err := c.snapshots(ctx, op, a.App, a.Volume)
		for _, s := range all {
			fresh := !slices.ContainsFunc(known, func(k Snapshot) bool { return k.ID == s.ID })
			if s.ID == id || id == "" && fresh {
				out = s
			}
		}
		if out.Status == "failed" {
			return false, fault.New(fault.Failed, "Fly could not take the snapshot %s", out.ID).WithOp("%s", op)
		}
		return out.Status == "created", err
	})
	return out, accepted(err)
}

func (c *Client) takeSnapshot(ctx context.Context, op string, a snapshotArgs) (string, error) {
	var made wireSnapshot
	err := c.do(ctx, op, request{action: "snapshot_create", subject: a.Volume, method: http.MethodPost, body: map[string]any{},
		url: c.appURL(a.App, "/volumes/%s/snapshots", a.Volume)}, &made)
	c.left(ctx, made.ID, err)
	return made.ID, err
}
