package fly

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

type mpgRestoreArgs struct {
	Cluster string        `lua:"cluster" doc:"Id or name of the cluster whose backup it is."`
	Backup  string        `lua:"backup,optional" doc:"Id of the backup; the newest complete one when left out."`
	Name    string        `lua:"name,optional" doc:"Name of the new cluster, which no other may have; the old one's with the key of the call when left out."`
	Within  time.Duration `lua:"within" default:"1h" doc:"How long it may take until the new cluster is ready."`
}

var mpgRestore = binding.Func[*Client, mpgRestoreArgs, ManagedCluster]{
	Name: "mpg_restore", Effect: binding.Mutates,
	Doc: "Restore a backup of a managed cluster. That makes a NEW cluster, and leaves the old one alone: give the app the new address with fly.secrets_set " +
		"afterwards. A repeated call finds the new cluster by its name.",
	Says:    "restore the managed cluster {cluster} into a new one (backup {backup}, name {name})",
	Raises:  raises(fault.Conflict, fault.Exhausted, fault.Failed),
	Example: `fly.mpg_restore { cluster = "webhost-mpg" }`,
	Target:  "cluster",
	Call: func(c *Client, ctx context.Context, a mpgRestoreArgs) (ManagedCluster, error) {
		op := "restore managed cluster " + a.Cluster
		k, backup, err := c.managedBackup(ctx, op, a)
		if err != nil {
			return ManagedCluster{}, before(err)
		}
		return c.makeCluster(ctx, op, offspring{k, a.Name}, "/restore", map[string]any{"backup_id": backup}, a.Within)
	},
	Predict: func(c *Client, ctx context.Context, a mpgRestoreArgs) (ManagedCluster, error) {
		if binding.IsPlanned(a.Cluster) {
			return clusterForetold(ManagedCluster{Name: a.Cluster}, a.Name), nil
		}
		k, _, err := c.managedBackup(ctx, "restore managed cluster "+a.Cluster, a)
		return clusterForetold(k, a.Name), err
	},
	Settled: func(c *Client, ctx context.Context, a mpgRestoreArgs) (binding.Settlement[ManagedCluster], error) {
		return c.clusterSettled(ctx, "find out about the restore of managed cluster "+a.Cluster, a.Cluster, a.Name)
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
	Name    string        `lua:"name,optional" doc:"Name of the copy, which no other cluster may have; the old one's with the key of the call when left out."`
	Within  time.Duration `lua:"within" default:"1h" doc:"How long it may take until the copy is ready."`
}

var mpgFork = binding.Func[*Client, mpgForkArgs, ManagedCluster]{
	Name: "mpg_fork", Effect: binding.Mutates,
	Doc:     "Copy a managed cluster as it is into a new one, and leave the old one alone. A repeated call finds the copy by its name.",
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
		return c.makeCluster(ctx, op, offspring{k, a.Name}, "/fork", map[string]any{}, a.Within)
	},
	Predict: func(c *Client, ctx context.Context, a mpgForkArgs) (ManagedCluster, error) {
		if binding.IsPlanned(a.Cluster) {
			return clusterForetold(ManagedCluster{Name: a.Cluster}, a.Name), nil
		}
		k, err := c.managedCluster(ctx, "copy managed cluster "+a.Cluster, a.Cluster)
		return clusterForetold(k, a.Name), err
	},
	Settled: func(c *Client, ctx context.Context, a mpgForkArgs) (binding.Settlement[ManagedCluster], error) {
		return c.clusterSettled(ctx, "find out about the copy of managed cluster "+a.Cluster, a.Cluster, a.Name)
	},
}

func clusterForetold(k ManagedCluster, name string) ManagedCluster {
	return ManagedCluster{ID: binding.Planned("id of the copy of " + k.Name), Name: cmp.Or(name, binding.Planned("name of the copy of "+k.Name)), Region: k.Region,
		Status: "ready", Plan: k.Plan, Disk: k.Disk, Address: binding.Planned("address of the copy of " + k.Name)}
}

// offspring is a managed cluster to be made out of another.
type offspring struct {
	source ManagedCluster
	given  string // name that the runbook wants; "": any
}

// name is what the new cluster is called. Fly gives a cluster no other room for
// the key of the call.
func (o offspring) name(ctx context.Context) string {
	key := binding.Key(ctx)
	if o.given != "" || key == "" {
		return o.given
	}
	hash := key[strings.LastIndexByte(key, '-')+1:]
	return o.source.Name + "-" + hash[:min(len(hash), 12)]
}

// find looks for the new cluster: Yes when this call has made it, Unknown when
// somebody else may have, No when it is somebody else's that has the name.
func (o offspring) find(ctx context.Context, c *Client, all []ManagedCluster) (found *ManagedCluster, whose binding.Landed) {
	name := o.name(ctx)
	for i, k := range all {
		if k.ID == o.source.ID {
			continue
		}
		now := c.judge(ctx, k.ID, k.Created)
		switch {
		case k.Name == name && o.given == "" && name != "":
			return &all[i], binding.Yes
		case k.Name == name && now == binding.Yes:
			return &all[i], binding.Yes
		case k.Name == name && found == nil:
			found, whose = &all[i], now
		// The API may have called it otherwise.
		case found == nil && o.given == "" && k.Region == o.source.Region && now != binding.No:
			found, whose = &all[i], binding.Unknown
		}
	}
	return found, whose
}

func (c *Client) clusterSettled(ctx context.Context, op, source, name string) (binding.Settlement[ManagedCluster], error) {
	c.repeated(ctx)
	k, err := c.managedCluster(ctx, op, source)
	if err != nil {
		return binding.Settlement[ManagedCluster]{}, err
	}
	o := offspring{k, name}
	doubt := ""
	out, err := settled(c, ctx, func(ctx context.Context) (ManagedCluster, bool, error) {
		all, err := c.clusters(ctx, op, "")
		if err != nil {
			return ManagedCluster{}, false, err
		}
		made, whose := o.find(ctx, c, all)
		if made != nil && whose == binding.Unknown {
			doubt = fmt.Sprintf("managed cluster %s (%s) was made meanwhile: is it this call's, or somebody else's?", made.ID, made.Name)
		}
		if made == nil || whose != binding.Yes {
			return ManagedCluster{}, false, nil
		}
		return *made, made.ready(), nil
	})
	return doubtful(out, doubt), err
}

// makeCluster makes a new cluster out of one, or finds the one that this call
// has made, and waits until it serves.
func (c *Client) makeCluster(ctx context.Context, op string, o offspring, path string, body map[string]any, within time.Duration) (ManagedCluster, error) {
	all, err := c.clusters(ctx, op, "")
	if err != nil {
		return ManagedCluster{}, before(err)
	}
	made, whose := o.find(ctx, c, all)
	if whose != binding.Yes {
		if made != nil && made.Name == o.name(ctx) {
			return ManagedCluster{}, fault.New(fault.Conflict, "there is a managed cluster %s already (%s)", made.Name, made.ID).WithOp("%s", op).WithHint("choose another name")
		}
		var ids []string
		for _, k := range all {
			ids = append(ids, k.ID)
		}
		c.note(ctx, ids)
		if name := o.name(ctx); name != "" {
			body["name"] = name
		}
		var w wireCluster
		err := c.managed(ctx, op, "mpg_create", http.MethodPost, "/"+o.source.ID+path, body, &w)
		c.left(ctx, w.ID, err)
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
