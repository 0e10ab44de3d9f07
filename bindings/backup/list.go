package backup

import (
	"context"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

type listArgs struct {
	Database string `lua:"database,optional" doc:"Only backups of this database."`
	Limit    int    `lua:"limit" default:"20" doc:"At most so many."`
}

var list = binding.Func[*Client, listArgs, []Backup]{
	Name: "list", Effect: binding.Reads,
	Doc:     "The backups in the repository, newest first.",
	Raises:  []fault.Kind{fault.Invalid, fault.Denied},
	Example: `backup.list { database = "webhost_prod" }`,
	Call: func(c *Client, ctx context.Context, a listArgs) ([]Backup, error) {
		at, err := c.repository(ctx)
		if err != nil {
			return nil, err
		}
		defer at.Store.Close()
		all, _, err := at.All(ctx)
		if err != nil {
			return nil, err
		}
		var out []Backup
		for _, s := range all {
			if (a.Database == "" || s.Subject == a.Database) && len(out) < a.Limit {
				out = append(out, show(at, s, c.env.Clock.Now()))
			}
		}
		return out, nil
	},
}

type newestArgs struct {
	Database string    `lua:"database,optional" doc:"Database it has to hold."`
	Cluster  string    `lua:"cluster,optional" doc:"Instead: what the copies of the cluster are called that are looked for."`
	Label    string    `lua:"label,optional" doc:"Only backups made under this label, such as the name of the server."`
	Before   time.Time `lua:"before,optional" doc:"Only backups whose data ends before this moment, for damage that crept in earlier."`
	Kind     string    `lua:"kind" enum:"logical,files,any" default:"logical" doc:"Which kind the database names: a dump, a tree of files, or whatever was backed up under that name."`
	Verified bool      `lua:"verified" default:"false" doc:"Only backups that were verified or restored with success."`
}

var newest = binding.Func[*Client, newestArgs, Backup]{
	Name: "newest", Effect: binding.Reads,
	Doc:     "The newest backup of a database, or copy of a cluster, that is not known to be damaged.",
	Raises:  []fault.Kind{fault.NotFound, fault.Invalid, fault.Denied},
	Example: `backup.newest { database = "webhost_prod", before = "2026-02-28T03:00:00Z" }`,
	Call:    (*Client).newest,
}

func (c *Client) newest(ctx context.Context, a newestArgs) (Backup, error) {
	if (a.Database == "") == (a.Cluster == "") {
		return Backup{}, fault.New(fault.Invalid, "one of `database` and `cluster` is needed, and not both").WithOp("find the newest backup")
	}
	kind, subject := a.Kind, a.Database
	if kind == "" {
		kind = catalogue.Logical
	}
	if a.Cluster != "" {
		kind, subject = catalogue.Physical, a.Cluster
	}
	at, err := c.repository(ctx)
	if err != nil {
		return Backup{}, err
	}
	defer at.Store.Close()
	all, _, err := at.All(ctx)
	if err != nil {
		return Backup{}, err
	}
	var others []string
	damaged, later, unverified, unlabelled := 0, 0, 0, 0
	for _, s := range all {
		switch {
		case a.Kind != "any" && s.Kind != kind && !s.Damaged():
		case s.Subject != subject:
			others = append(others, s.Subject)
		case a.Label != "" && s.Label != a.Label:
			unlabelled++
		case s.Damaged():
			damaged++
		case !a.Before.IsZero() && !s.Until.Before(a.Before):
			later++
		case a.Verified && s.Checks.VerifiedAt.IsZero():
			unverified++
		default:
			return show(at, s, c.env.Clock.Now()), nil
		}
	}
	f := fault.New(fault.NotFound, "there is no such backup of %q in %s", subject, at.Store.Place()).WithOp("find the newest backup")
	near := binding.Nearest(subject, others)
	switch {
	case damaged+later+unverified+unlabelled > 0:
		f = f.WithHint("%d later than `before`, %d not verified, %d damaged, %d of another label: see backup.list", later, unverified, damaged, unlabelled)
	case near != "":
		f = f.WithHint("did you mean %q?", near)
	default:
		f = f.WithHint("backup.create makes one; check `repository` in the settings of backup")
	}
	return Backup{}, f
}
