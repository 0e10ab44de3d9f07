package backup

import (
	"context"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/bindings/backup/logical"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

type createArgs struct {
	Host     string        `lua:"host" doc:"Name or address of the server, with :port when it is not the configured one."`
	Database string        `lua:"database" doc:"Database to back up."`
	Label    string        `lua:"label,optional" doc:"What to call it: \"before the migration\"."`
	Within   time.Duration `lua:"within" default:"1h" doc:"How long it may take."`
}

var create = binding.Func[*Client, createArgs, Backup]{
	Name: "create", Effect: binding.Mutates,
	Doc: "Back up a database with pg_dump, and the server's roles without their passwords: compressed, encrypted when there are recipients, and summed. Rows are counted and " +
		"content is hashed on the dump's own snapshot; what was stored is read back and compared; the manifest comes last. Whatever goes wrong before leaves no backup.",
	Says:    "back up {database} of {host}",
	Raises:  []fault.Kind{fault.NotFound, fault.Denied, fault.Invalid, fault.Conflict, fault.Unavailable, fault.Timeout, fault.Exhausted, fault.Failed},
	Example: `backup.create { host = "203.0.113.10", database = "webhost_prod", label = "before the migration" }`,
	Target:  "database",
	Call:    (*Client).create,
	Predict: func(c *Client, _ context.Context, a createArgs) (Backup, error) {
		return Backup{ID: binding.Planned("id of the backup"), Database: a.Database, Label: a.Label, Until: c.env.Clock.Now(), Finished: c.env.Clock.Now(),
			Host: a.Host, Version: binding.Planned("version of " + a.Host), Encrypted: len(c.set.Recipients) > 0, Path: binding.Planned("folder of the backup")}, nil
	},
	Settled: func(c *Client, ctx context.Context, a createArgs) (binding.Settlement[Backup], error) {
		var none binding.Settlement[Backup]
		at, err := c.repository(ctx)
		if err != nil {
			return none, err
		}
		defer at.Store.Close()
		b, found, err := at.ByKey(ctx, binding.Key(ctx))
		if err != nil || !found {
			// Without a manifest there is no backup, whatever else was left.
			none.Landed = binding.No
			return none, err
		}
		return binding.Settlement[Backup]{Landed: binding.Yes, Result: show(at, b, time.Time{})}, nil
	},
}

func (c *Client) create(ctx context.Context, a createArgs) (Backup, error) {
	op := "back up " + a.Database + " of " + a.Host
	ctx, cancel := context.WithTimeout(ctx, a.Within)
	defer cancel()
	at, err := c.repository(ctx)
	if err != nil {
		return Backup{}, logical.Because(ctx, err, op).NothingDone()
	}
	defer at.Store.Close()
	b, err := c.dump(ctx, at, a)
	if err != nil {
		return Backup{}, logical.Because(ctx, err, op)
	}
	return show(at, b, time.Time{}), nil
}

func (c *Client) dump(ctx context.Context, at *catalogue.Catalogue, a createArgs) (catalogue.Backup, error) {
	nothing := func(err error) error { return logical.Because(ctx, err, "").NothingDone() }
	b, found, err := at.ByKey(ctx, binding.Key(ctx))
	if err != nil {
		return b, nothing(err)
	}
	if found {
		return b, nil
	}
	srv, err := c.server(a.Host)
	if err != nil {
		return b, nothing(err)
	}
	engine, err := c.engine(at)
	if err != nil {
		return b, nothing(err)
	}
	return engine.Dump(ctx, logical.Dump{Server: srv, Host: a.Host, Database: a.Database, Label: a.Label, Key: binding.Key(ctx)})
}
