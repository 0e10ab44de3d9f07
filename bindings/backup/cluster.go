package backup

import (
	"context"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/bindings/backup/logical"
	"github.com/webhost-systems/drhost/bindings/backup/physical"
	"github.com/webhost-systems/drhost/bindings/backup/postgres"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

type createClusterArgs struct {
	Host    string        `lua:"host" doc:"Name or address of the server, with :port when it is not the configured one."`
	Cluster string        `lua:"cluster" doc:"What its backups are called, whatever the server's address is by then: \"hobby-1\"."`
	Label   string        `lua:"label,optional" doc:"What to call it: \"before the migration\"."`
	Within  time.Duration `lua:"within" default:"4h" doc:"How long it may take."`
}

var createCluster = binding.Func[*Client, createClusterArgs, Backup]{
	Name: "create_cluster", Effect: binding.Mutates,
	Doc: "Copy a whole server, all its databases and roles, by PostgreSQL's own base backup: compressed by the server, encrypted when there are recipients, and summed. It restores several times as fast as a dump, " +
		"and with `drhost backup archive` running to any moment since. It needs the same major version of PostgreSQL. The manifest comes last; whatever goes wrong before leaves no backup.",
	Says:    "copy the cluster {cluster} of {host}",
	Raises:  []fault.Kind{fault.NotFound, fault.Denied, fault.Invalid, fault.Conflict, fault.Unavailable, fault.Timeout, fault.Exhausted, fault.Failed},
	Example: `backup.create_cluster { host = "203.0.113.10", cluster = "hobby-1" }`,
	Target:  "cluster",
	Call:    (*Client).createCluster,
	Predict: func(c *Client, _ context.Context, a createClusterArgs) (Backup, error) {
		return Backup{ID: binding.Planned("id of the backup"), Database: a.Cluster, Label: a.Label, Until: c.env.Clock.Now(), Finished: c.env.Clock.Now(),
			Host: a.Host, Version: binding.Planned("version of " + a.Host), Encrypted: len(c.set.Recipients) > 0, Path: binding.Planned("folder of the backup")}, nil
	},
	Settled: func(c *Client, ctx context.Context, a createClusterArgs) (binding.Settlement[Backup], error) {
		return create.Settled(c, ctx, createArgs{}) // by the call's key, as there
	},
}

func (c *Client) createCluster(ctx context.Context, a createClusterArgs) (Backup, error) {
	op := "copy the cluster " + a.Cluster + " of " + a.Host
	ctx, cancel := context.WithTimeout(ctx, a.Within)
	defer cancel()
	at, err := c.begun(ctx)
	if err != nil {
		return Backup{}, logical.Because(ctx, err, op).NothingDone()
	}
	defer at.Store.Close()
	if b, found, err := at.ByKey(ctx, binding.Key(ctx)); err != nil || found {
		if err != nil {
			return Backup{}, logical.Because(ctx, err, op).NothingDone()
		}
		return show(at, b, time.Time{}), nil
	}
	srv, err := c.server(a.Host)
	if err != nil {
		return Backup{}, logical.Because(ctx, err, op).NothingDone()
	}
	e, err := c.copier(at)
	if err != nil {
		return Backup{}, logical.Because(ctx, err, op).NothingDone()
	}
	b, err := e.Copy(ctx, physical.Copy{Server: srv, Host: a.Host, Cluster: a.Cluster, Label: a.Label, Key: binding.Key(ctx)})
	if err != nil {
		return Backup{}, err
	}
	return show(at, b, time.Time{}), nil
}

// copier is what copies of clusters are made and checked with.
func (c *Client) copier(at *catalogue.Catalogue) (*physical.Engine, error) {
	to, err := artifact.ParseRecipients(c.set.Recipients)
	if err != nil {
		return nil, err
	}
	e := &physical.Engine{Catalogue: at, Seal: artifact.Seal{Recipients: to}, Recipients: c.set.Recipients, Clock: c.env.Clock, LockWait: c.set.LockWait, User: c.set.User,
		Keys: func() (artifact.Keys, error) { return artifact.ParseKeys(c.set.Identity) },
		Way:  postgres.Way{Net: c.env.Net, Clock: c.env.Clock, ConnectTimeout: c.set.ConnectTimeout},
		Tools: func(ctx context.Context, major int) (postgres.Tools, error) {
			return postgres.Find(ctx, postgres.Need{Bin: c.set.Bin, Programs: []string{"postgres", "pg_ctl", "pg_verifybackup", "pg_amcheck"}, AtLeast: major, Exactly: true, Package: "postgresql"})
		}}
	if c.set.Scratch != "" {
		e.Scratch, err = c.absolute(c.set.Scratch)
	}
	return e, err
}

func (c *Client) verifyCluster(ctx context.Context, at *catalogue.Catalogue, b catalogue.Backup, depth string) error {
	e, err := c.copier(at)
	if err != nil {
		return err
	}
	_, err = e.Verify(ctx, b, depth)
	return err
}
