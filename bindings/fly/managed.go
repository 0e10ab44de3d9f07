package fly

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// ManagedCluster is a cluster of Managed Postgres: Fly runs it, and fails it
// over by itself.
type ManagedCluster struct {
	ID      string    `lua:"id" doc:"Its id."`
	Name    string    `lua:"name" doc:"Its name."`
	Region  string    `lua:"region" doc:"Code of its region."`
	Status  string    `lua:"status" doc:"ready when it serves."`
	Plan    string    `lua:"plan,optional" doc:"What was ordered."`
	Disk    int       `lua:"disk" doc:"Size of the disk in GB."`
	Address string    `lua:"address,optional" doc:"Private address of it."`
	Created time.Time `lua:"created,optional" doc:"When it was made."`
}

type wireCluster struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Region  string `json:"region"`
	Status  string `json:"status"`
	Plan    string `json:"plan"`
	Disk    int    `json:"disk"`
	Created string `json:"created_at"`
	IPs     struct {
		Direct string `json:"direct"`
	} `json:"ip_assignments"`
}

func managedOf(w wireCluster) ManagedCluster {
	return ManagedCluster{w.ID, w.Name, w.Region, w.Status, w.Plan, w.Disk, w.IPs.Direct, moment(w.Created)}
}

// managed sends a request about Managed Postgres; the answer is under "data".
func (c *Client) managed(ctx context.Context, op, action, method, path string, body, out any) error {
	var answer struct {
		Data json.RawMessage `json:"data"`
	}
	err := c.do(ctx, op, request{action: action, subject: path, method: method, url: c.machines + "/postgres" + path, body: body, within: c.answer}, &answer)
	if err != nil {
		return err
	}
	if err := decode(answer.Data, out); err != nil {
		return fault.New(fault.Failed, "the answer about managed Postgres is not what the API promises: %v", err).WithOp("%s", op)
	}
	return nil
}

type mpgListArgs struct {
	Organization string `lua:"organization,optional" doc:"Slug of the organization; that of the settings when left out."`
}

var mpgList = binding.Func[*Client, mpgListArgs, []ManagedCluster]{
	Name: "mpg_list", Effect: binding.Reads,
	Doc:     "The clusters of Managed Postgres.",
	Raises:  raises(fault.Failed),
	Example: `fly.mpg_list {}`,
	Call: func(c *Client, ctx context.Context, a mpgListArgs) ([]ManagedCluster, error) {
		return c.clusters(ctx, "list managed Postgres", a.Organization)
	},
}

func (c *Client) clusters(ctx context.Context, op, org string) ([]ManagedCluster, error) {
	path := ""
	if org = cmp.Or(org, c.org); org != "" {
		path = "?org_slug=" + url.QueryEscape(org)
	}
	var all []wireCluster
	if err := c.managed(ctx, op, "mpg_list", http.MethodGet, path, nil, &all); err != nil {
		return nil, err
	}
	out := []ManagedCluster{}
	for _, w := range all {
		out = append(out, managedOf(w))
	}
	return out, nil
}

type mpgArgs struct {
	Cluster string `lua:"cluster" doc:"Id or name of the cluster."`
}

var mpgGet = binding.Func[*Client, mpgArgs, ManagedCluster]{
	Name: "mpg_get", Effect: binding.Reads,
	Doc:     "One cluster of Managed Postgres. There is no failover to ask for: Fly does it.",
	Raises:  raises(fault.Failed),
	Example: `fly.mpg_get { cluster = "webhost-mpg" }`,
	Target:  "cluster",
	Call: func(c *Client, ctx context.Context, a mpgArgs) (ManagedCluster, error) {
		return c.managedCluster(ctx, "look up managed cluster "+a.Cluster, a.Cluster)
	},
}

func (c *Client) managedCluster(ctx context.Context, op, name string) (ManagedCluster, error) {
	var w wireCluster
	err := c.managed(ctx, op, "mpg_get", http.MethodGet, "/"+url.PathEscape(name), nil, &w)
	if fault.KindOf(err) != fault.NotFound {
		return managedOf(w), err
	}
	all, listErr := c.clusters(ctx, op, "")
	if listErr != nil {
		return ManagedCluster{}, listErr
	}
	var names []string
	for _, k := range all {
		if k.Name == name {
			return k, nil
		}
		names = append(names, k.Name)
	}
	f := fault.New(fault.NotFound, "there is no managed cluster %q", name).WithOp("%s", op)
	if near := binding.Nearest(name, names); near != "" {
		return ManagedCluster{}, f.WithHint("did you mean %q?", near)
	}
	return ManagedCluster{}, f
}

// ManagedBackup is a backup of a managed cluster.
type ManagedBackup struct {
	ID     string    `lua:"id" doc:"Its id."`
	Type   string    `lua:"type" doc:"full, incr or diff."`
	Status string    `lua:"status" doc:"completed when it can be restored."`
	Begin  time.Time `lua:"begin,optional" doc:"When it was begun."`
	End    time.Time `lua:"finished,optional" doc:"When it was complete."`
}

type wireManagedBackup struct {
	ID     string `json:"id"`
	Type   string `json:"type"`
	Status string `json:"status"`
	Start  string `json:"start"`
	Stop   string `json:"stop"`
}

func managedBackupOf(w wireManagedBackup) ManagedBackup {
	return ManagedBackup{w.ID, w.Type, w.Status, moment(w.Start), moment(w.Stop)}
}

var mpgBackups = binding.Func[*Client, mpgArgs, []ManagedBackup]{
	Name: "mpg_backups", Effect: binding.Reads,
	Doc:     "The backups of a managed cluster, the newest first.",
	Raises:  raises(fault.Failed),
	Example: `fly.mpg_backups { cluster = "webhost-mpg" }`,
	Target:  "cluster",
	Call: func(c *Client, ctx context.Context, a mpgArgs) ([]ManagedBackup, error) {
		op := "list the backups of managed cluster " + a.Cluster
		k, err := c.managedCluster(ctx, op, a.Cluster)
		if err != nil {
			return nil, err
		}
		return c.managedBackups(ctx, op, k.ID)
	},
}

func (c *Client) managedBackups(ctx context.Context, op, id string) ([]ManagedBackup, error) {
	var all []wireManagedBackup
	if err := c.managed(ctx, op, "mpg_backups", http.MethodGet, "/"+url.PathEscape(id)+"/backups", nil, &all); err != nil {
		return nil, err
	}
	out := []ManagedBackup{}
	for _, w := range all {
		out = append(out, managedBackupOf(w))
	}
	slices.SortStableFunc(out, func(a, b ManagedBackup) int { return b.Begin.Compare(a.Begin) })
	return out, nil
}

// ready tells of a managed cluster that serves.
func (k ManagedCluster) ready() bool { return k.Status == "ready" || k.Status == "running" }
