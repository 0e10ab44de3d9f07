package fly

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

type mpgBackupArgs struct {
	Cluster string        `lua:"cluster" doc:"Id or name of the cluster."`
	Type    string        `lua:"type" enum:"full,incr,diff" default:"full" doc:"All of it, what changed since the last backup, or since the last full one."`
	Within  time.Duration `lua:"within" default:"1h" doc:"How long it may take."`
}

var mpgBackupCreate = binding.Func[*Client, mpgBackupArgs, ManagedBackup]{
	Name: "mpg_backup_create", Effect: binding.Mutates,
	Doc:     "Make a backup of a managed cluster and wait until it is complete. While one runs another is refused.",
	Says:    "back the managed cluster {cluster} up ({type})",
	Raises:  raises(fault.Conflict, fault.Failed),
	Example: `fly.mpg_backup_create { cluster = "webhost-mpg" }`,
	Target:  "cluster",
	Call:    (*Client).mpgBackupCreate,
	Predict: func(c *Client, ctx context.Context, a mpgBackupArgs) (ManagedBackup, error) {
		out := ManagedBackup{ID: binding.Planned("id of the backup"), Type: a.Type, Status: "completed"}
		if binding.IsPlanned(a.Cluster) {
			return out, nil
		}
		_, err := c.managedCluster(ctx, "back up managed cluster "+a.Cluster, a.Cluster)
		return out, err
	},
	Settled: func(c *Client, ctx context.Context, a mpgBackupArgs) (binding.Settlement[ManagedBackup], error) {
		op := "find out about the backup of managed cluster " + a.Cluster
		c.repeated(ctx)
		k, err := c.managedCluster(ctx, op, a.Cluster)
		if err != nil {
			return binding.Settlement[ManagedBackup]{}, err
		}
		doubt := ""
		out, err := settled(c, ctx, func(ctx context.Context) (ManagedBackup, bool, error) {
			all, err := c.managedBackups(ctx, op, k.ID)
			if err != nil {
				return ManagedBackup{}, false, err
			}
			b, whose := c.backupSince(ctx, all, a.Type)
			switch {
			case b == nil:
				return ManagedBackup{}, false, nil
			case whose == binding.Unknown:
				doubt = fmt.Sprintf("backup %s of managed cluster %s was begun at %s: is it this call's, or somebody else's?", b.ID, k.Name, b.Begin.Format(time.RFC3339))
				return ManagedBackup{}, false, nil
			}
			return *b, b.Status == "completed", nil
		})
		return doubtful(out, doubt), err
	},
}

// backupSince is the backup of a kind that this call has begun before, or one
// of which that cannot be told (Unknown), or nil.
func (c *Client) backupSince(ctx context.Context, all []ManagedBackup, kind string) (found *ManagedBackup, whose binding.Landed) {
	for i, b := range all {
		if b.Type != kind || b.Status == "failed" {
			continue
		}
		now := c.judge(ctx, b.ID, b.Begin)
		if now == binding.Yes || now == binding.Unknown && whose != binding.Yes {
			found, whose = &all[i], now
		}
	}
	return found, whose
}

func (c *Client) mpgBackupCreate(ctx context.Context, a mpgBackupArgs) (ManagedBackup, error) {
	op := "back up managed cluster " + a.Cluster
	k, err := c.managedCluster(ctx, op, a.Cluster)
	if err != nil {
		return ManagedBackup{}, before(err)
	}
	known, err := c.managedBackups(ctx, op, k.ID)
	if err != nil {
		return ManagedBackup{}, before(err)
	}
	there, whose := c.backupSince(ctx, known, a.Type)
	if whose != binding.Yes {
		var ids []string
		for _, b := range known {
			ids = append(ids, b.ID)
		}
		c.note(ctx, ids)
		var w wireManagedBackup
		err := c.managed(ctx, op, "mpg_backup_create", http.MethodPost, "/"+k.ID+"/backups", map[string]any{"type": a.Type}, &w)
		c.left(ctx, w.ID, err)
		if fault.KindOf(err) == fault.Conflict {
			return ManagedBackup{}, fault.As(err).WithHint("a backup runs already: fly.mpg_backups { cluster = %q } shows it; it serves as well", a.Cluster)
		}
		if err != nil {
			return ManagedBackup{}, err
		}
		b := managedBackupOf(w)
		there = &b
	}
	out := *there
	ctx, b := c.budget(ctx, a.Within)
	err = c.await(ctx, b, op, func() string { return "the backup " + out.ID + " is " + out.Status }, func(ctx context.Context) (bool, error) {
		all, err := c.managedBackups(ctx, op, k.ID)
		for _, x := range all {
			if x.ID == out.ID {
				out = x
			}
		}
		if out.Status == "failed" {
			return false, fault.New(fault.Failed, "the backup %s failed", out.ID).WithOp("%s", op).WithHint(statusPage)
		}
		return out.Status == "completed", err
	})
	return out, accepted(err)
}
