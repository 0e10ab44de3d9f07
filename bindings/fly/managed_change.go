package fly

import (
	"cmp"
	"context"
	"net/http"
	"slices"
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
		return settled(c, ctx, func(ctx context.Context) (ManagedBackup, bool, error) {
			b, err := c.backupSince(ctx, op, k.ID, a.Type)
			if err != nil || b == nil {
				return ManagedBackup{}, false, err
			}
			return *b, b.Status == "completed", nil
		})
	},
}

// backupSince is the backup of a kind that this call has begun before, or nil.
func (c *Client) backupSince(ctx context.Context, op, id, kind string) (*ManagedBackup, error) {
	from, known := c.since(ctx)
	c.mu.Lock()
	again := c.sent[binding.Key(ctx)]
	c.mu.Unlock()
	if !known || !again {
		return nil, nil
	}
	all, err := c.managedBackups(ctx, op, id)
	at := slices.IndexFunc(all, func(b ManagedBackup) bool { return b.Type == kind && !b.Begin.Before(from) && b.Status != "failed" })
	if err != nil || at < 0 {
		return nil, err
	}
	return &all[at], nil
}

func (c *Client) mpgBackupCreate(ctx context.Context, a mpgBackupArgs) (ManagedBackup, error) {
	op := "back up managed cluster " + a.Cluster
	k, err := c.managedCluster(ctx, op, a.Cluster)
	if err != nil {
		return ManagedBackup{}, before(err)
	}
	there, err := c.backupSince(ctx, op, k.ID, a.Type)
	if err != nil {
		return ManagedBackup{}, before(err)
	}
	if there == nil {
		var w wireManagedBackup
		err := c.managed(ctx, op, "mpg_backup_create", http.MethodPost, "/"+k.ID+"/backups", map[string]any{"type": a.Type}, &w)
		c.repeated(ctx)
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

type mpgRestoreArgs struct {
	Cluster string        `lua:"cluster" doc:"Id or name of the cluster whose backup it is."`
	Backup  string        `lua:"backup,optional" doc:"Id of the backup; the newest complete one when left out."`
	Within  time.Duration `lua:"within" default:"1h" doc:"How long it may take until the new cluster is ready."`
}

var mpgRestore = binding.Func[*Client, mpgRestoreArgs, ManagedCluster]{
	Name: "mpg_restore", Effect: binding.Mutates,
	Doc: "Restore a backup of a managed cluster. That makes a NEW cluster, and leaves the old one alone: give the app the new address with fly.secrets_set " +
		"afterwards.",
	Says:    "restore the managed cluster {cluster} into a new one (backup {backup})",
	Raises:  raises(fault.Conflict, fault.Exhausted, fault.Failed),
	Example: `fly.mpg_restore { cluster = "webhost-mpg" }`,
	Target:  "cluster",
	Call: func(c *Client, ctx context.Context, a mpgRestoreArgs) (ManagedCluster, error) {
		op := "restore managed cluster " + a.Cluster
		k, backup, err := c.managedBackup(ctx, op, a)
		if err != nil {
			return ManagedCluster{}, before(err)
		}
		return c.makeCluster(ctx, op, k, "/restore", map[string]any{"backup_id": backup}, a.Within)
	},
	Predict: func(c *Client, ctx context.Context, a mpgRestoreArgs) (ManagedCluster, error) {
		if binding.IsPlanned(a.Cluster) {
			return clusterForetold(ManagedCluster{Name: a.Cluster}), nil
		}
		k, _, err := c.managedBackup(ctx, "restore managed cluster "+a.Cluster, a)
		return clusterForetold(k), err
	},
	Settled: func(c *Client, ctx context.Context, a mpgRestoreArgs) (binding.Settlement[ManagedCluster], error) {
		return c.clusterSettled(ctx, "find out about the restore of managed cluster "+a.Cluster, a.Cluster, "")
	},
}

func (c *Client) managedBackup(ctx context.Context, op string, a mpgRestoreArgs) (ManagedCluster, string, error) {
	k, err := c.managedCluster(ctx, op, a.Cluster)
	if err != nil || a.Backup != "" {
		return k, a.Backup, err
	}
	all, err := c.managedBackups(ctx, op, k.ID)
	if err != nil {
		return k, "", err
	}
	at := slices.IndexFunc(all, func(b ManagedBackup) bool { return b.Status == "completed" })
	if at < 0 {
		return k, "", fault.New(fault.NotFound, "managed cluster %s has no complete backup", k.Name).WithOp("%s", op).
			WithHint("fly.mpg_fork copies it as it is")
	}
	return k, all[at].ID, nil
}

type mpgForkArgs struct {
	Cluster string        `lua:"cluster" doc:"Id or name of the cluster to copy."`
	Name    string        `lua:"name,optional" doc:"Name of the copy; Fly makes one up when left out."`
	Within  time.Duration `lua:"within" default:"1h" doc:"How long it may take until the copy is ready."`
}

var mpgFork = binding.Func[*Client, mpgForkArgs, ManagedCluster]{
	Name: "mpg_fork", Effect: binding.Mutates,
	Doc:     "Copy a managed cluster as it is into a new one, and leave the old one alone.",
	Says:    "copy the managed cluster {cluster} into a new one (name {name})",
	Raises:  raises(fault.Conflict, fault.Exhausted, fault.Failed),
	Example: `fly.mpg_fork { cluster = "webhost-mpg", name = "webhost-mpg-copy" }`,
	Target:  "cluster",
	Call: func(c *Client, ctx context.Context, a mpgForkArgs) (ManagedCluster, error) {
		op := "copy managed cluster " + a.Cluster
		k, err := c.managedCluster(ctx, op, a.Cluster)
		if err != nil {
			return ManagedCluster{}, before(err)
		}
		body := map[string]any{}
		if a.Name != "" {
			body["name"] = a.Name
		}
		return c.makeCluster(ctx, op, k, "/fork", body, a.Within)
	},
	Predict: func(c *Client, ctx context.Context, a mpgForkArgs) (ManagedCluster, error) {
		if binding.IsPlanned(a.Cluster) {
			return clusterForetold(ManagedCluster{Name: a.Cluster}), nil
		}
		k, err := c.managedCluster(ctx, "copy managed cluster "+a.Cluster, a.Cluster)
		out := clusterForetold(k)
		out.Name = cmp.Or(a.Name, out.Name)
		return out, err
	},
	Settled: func(c *Client, ctx context.Context, a mpgForkArgs) (binding.Settlement[ManagedCluster], error) {
		return c.clusterSettled(ctx, "find out about the copy of managed cluster "+a.Cluster, a.Cluster, a.Name)
	},
}

func clusterForetold(k ManagedCluster) ManagedCluster {
	return ManagedCluster{ID: binding.Planned("id of the copy of " + k.Name), Name: binding.Planned("name of the copy of " + k.Name), Region: k.Region,
		Status: "ready", Plan: k.Plan, Disk: k.Disk, Address: binding.Planned("address of the copy of " + k.Name)}
}

// clusterSince is the new cluster that this call has made before, or nil. Fly
// gives a cluster no room for a key: it is one made since, in the same region.
func (c *Client) clusterSince(ctx context.Context, op string, source ManagedCluster, name string) (*ManagedCluster, error) {
	from, known := c.since(ctx)
	c.mu.Lock()
	again := c.sent[binding.Key(ctx)]
	c.mu.Unlock()
	if !known || !again {
		return nil, nil
	}
	all, err := c.clusters(ctx, op, "")
	for i, k := range all {
		if k.ID != source.ID && k.Region == source.Region && !k.Created.IsZero() && !k.Created.Before(from) && (name == "" || k.Name == name) {
			return &all[i], nil
		}
	}
	return nil, err
}

func (c *Client) clusterSettled(ctx context.Context, op, source, name string) (binding.Settlement[ManagedCluster], error) {
	c.repeated(ctx)
	k, err := c.managedCluster(ctx, op, source)
	if err != nil {
		return binding.Settlement[ManagedCluster]{}, err
	}
	return settled(c, ctx, func(ctx context.Context) (ManagedCluster, bool, error) {
		made, err := c.clusterSince(ctx, op, k, name)
		if err != nil || made == nil {
			return ManagedCluster{}, false, err
		}
		return *made, made.ready(), nil
	})
}

// makeCluster makes a new cluster out of one, or finds the one that this call
// has made, and waits until it serves.
func (c *Client) makeCluster(ctx context.Context, op string, source ManagedCluster, path string, body map[string]any, within time.Duration) (ManagedCluster, error) {
	name, _ := body["name"].(string)
	made, err := c.clusterSince(ctx, op, source, name)
	if err != nil {
		return ManagedCluster{}, before(err)
	}
	if made == nil {
		var w wireCluster
		err := c.managed(ctx, op, "mpg_create", http.MethodPost, "/"+source.ID+path, body, &w)
		c.repeated(ctx)
		if err != nil {
			return ManagedCluster{}, err
		}
		k := managedOf(w)
		made = &k
	}
	out := *made
	ctx, b := c.budget(ctx, within)
	err = c.await(ctx, b, op, func() string { return "the new cluster " + out.ID + " is " + out.Status }, func(ctx context.Context) (bool, error) {
		k, err := c.managedCluster(ctx, op, out.ID)
		if err == nil {
			out = k
		}
		if out.Status == "failed" || out.Status == "error" {
			return false, fault.New(fault.Failed, "the new cluster %s is %s", out.ID, out.Status).WithOp("%s", op).WithHint(statusPage)
		}
		return out.ready(), err
	})
	return out, accepted(err)
}
