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
	Kind     string        `lua:"kind" enum:"logical,files" default:"logical" doc:"What is backed up: \"logical\" a database, \"files\" a folder. A whole cluster: backup.create_cluster."`
	Host     string        `lua:"host,optional" doc:"Of a database: name or address of the server, with :port when it is not the configured one. Of files: the machine that is reached by SSH, as user@host; this one when not given."`
	Database string        `lua:"database,optional" doc:"Database to back up."`
	Path     string        `lua:"path,optional" doc:"Folder to back up, with kind = \"files\"."`
	Name     string        `lua:"name,optional" doc:"What the backups of the folder are called; host and path when not given."`
	Full     bool          `lua:"full" default:"false" doc:"Whether a folder is stored whole. Else only what differs from the last whole one is stored, whenever that is less."`
	Label    string        `lua:"label,optional" doc:"What to call it: \"before the migration\"."`
	Within   time.Duration `lua:"within" default:"1h" doc:"How long it may take."`
}

var create = binding.Func[*Client, createArgs, Backup]{
	Name: "create", Effect: binding.Mutates,
	Doc: "Back up a database with pg_dump, and the server's roles without their passwords, or a folder of files: compressed, encrypted when there are recipients, and summed. Rows are counted and " +
		"content is hashed on the dump's own snapshot; of files only what differs is stored. What was stored is read back and compared; the manifest comes last. Whatever goes wrong before leaves no backup.",
	Says:    "make a {kind} backup[ of the database {database}][ of the folder {path}][ on {host}][, labelled {label}]",
	Raises:  []fault.Kind{fault.NotFound, fault.Denied, fault.Invalid, fault.Conflict, fault.Unavailable, fault.Timeout, fault.Exhausted, fault.Failed},
	Example: `backup.create { host = "203.0.113.10", database = "webhost_prod", label = "before the migration" }`,
	Target:  "database",
	Call:    (*Client).create,
	Predict: func(c *Client, _ context.Context, a createArgs) (Backup, error) {
		return Backup{ID: binding.Planned("id of the backup"), Database: a.subject(), Kind: a.Kind, Label: a.Label, Until: c.env.Clock.Now(), Finished: c.env.Clock.Now(),
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

// subject is what the backups are called.
func (a createArgs) subject() string {
	switch {
	case a.Kind != catalogue.Files:
		return a.Database
	case a.Name != "":
		return a.Name
	case a.Host != "":
		return a.Host + ":" + a.Path
	}
	return a.Path
}

// complete refuses a call that lacks what its kind needs, or says what another
// kind needs.
func (a createArgs) complete() error {
	lacks := func(name string) error {
		return fault.New(fault.Invalid, "`%s` is missing", name).WithHint("a database needs host and database; kind = \"files\" needs path").NothingDone()
	}
	switch {
	case a.Kind != catalogue.Files && a.Host == "":
		return lacks("host")
	case a.Kind != catalogue.Files && a.Database == "":
		return lacks("database")
	case a.Kind == catalogue.Files && a.Path == "":
		return lacks("path")
	case a.Kind != catalogue.Files && a.Path+a.Name != "":
		return fault.New(fault.Invalid, "`path` and `name` are for files").WithHint("say kind = \"files\"").NothingDone()
	case a.Kind == catalogue.Files && a.Database != "":
		return fault.New(fault.Invalid, "`database` is not for files").WithHint("`name` says what the backups of a folder are called").NothingDone()
	}
	return nil
}

func (c *Client) create(ctx context.Context, a createArgs) (Backup, error) {
	if err := a.complete(); err != nil {
		return Backup{}, err
	}
	op := "back up " + a.subject() + " of " + a.Host
	ctx, cancel := context.WithTimeout(ctx, a.Within)
	defer cancel()
	at, err := c.begun(ctx)
	if err != nil {
		return Backup{}, logical.Because(ctx, err, op).NothingDone()
	}
	defer at.Store.Close()
	make := c.dump
	if a.Kind == catalogue.Files {
		make = c.backUpFiles
	}
	b, err := make(ctx, at, a)
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
	return engine.Dump(ctx, logical.Dump{Server: srv, Host: a.Host, Database: a.Database, Label: a.Label, Key: binding.Key(ctx), Contacts: c.set.Databases[a.Database].Contacts})
}
