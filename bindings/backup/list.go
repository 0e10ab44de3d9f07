package backup

import (
	"context"
	"time"

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
	Call: func(c *Client, _ context.Context, a listArgs) ([]Backup, error) {
		all, _, err := c.repo.all()
		if err != nil {
			return nil, err
		}
		var out []Backup
		for _, s := range all {
			if (a.Database == "" || s.Database == a.Database) && len(out) < a.Limit {
				out = append(out, s.show(c.env.Clock.Now()))
			}
		}
		return out, nil
	},
}

type newestArgs struct {
	Database string    `lua:"database" doc:"Database it has to hold."`
	Label    string    `lua:"label,optional" doc:"Only backups made under this label, such as the name of the server."`
	Before   time.Time `lua:"before,optional" doc:"Only backups whose data ends before this moment, for damage that crept in earlier."`
	Verified bool      `lua:"verified" default:"false" doc:"Only backups that were verified or restored with success."`
}

var newest = binding.Func[*Client, newestArgs, Backup]{
	Name: "newest", Effect: binding.Reads,
	Doc:     "The newest backup of a database that is not known to be damaged.",
	Raises:  []fault.Kind{fault.NotFound, fault.Invalid, fault.Denied},
	Example: `backup.newest { database = "webhost_prod", before = "2026-02-28T03:00:00Z" }`,
	Target:  "database",
	Call:    (*Client).newest,
}

func (c *Client) newest(_ context.Context, a newestArgs) (Backup, error) {
	all, _, err := c.repo.all()
	if err != nil {
		return Backup{}, err
	}
	var others []string
	damaged, later, unverified, unlabelled := 0, 0, 0, 0
	for _, s := range all {
		switch {
		case s.Database != a.Database:
			others = append(others, s.Database)
		case a.Label != "" && s.Label != a.Label:
			unlabelled++
		case s.checks.Reason != "":
			damaged++
		case !a.Before.IsZero() && !s.Until.Before(a.Before):
			later++
		case a.Verified && s.checks.VerifiedAt.IsZero():
			unverified++
		default:
			return s.show(c.env.Clock.Now()), nil
		}
	}
	f := fault.New(fault.NotFound, "there is no such backup of %q in %s", a.Database, c.repo.dir).WithOp("find the newest backup")
	near := binding.Nearest(a.Database, others)
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

type statusArgs struct{}

// Exposure is what a disaster now would cost one database.
type Exposure struct {
	Database   string         `lua:"database" doc:"Which one."`
	Until      *time.Time     `lua:"data_until" doc:"Up to when its data could come back; absent when every backup is damaged."`
	Age        *time.Duration `lua:"age" doc:"How long ago that is: what a disaster now would lose."`
	Backups    int            `lua:"backups" doc:"How many there are."`
	Bytes      int64          `lua:"bytes" doc:"Their size."`
	Verified   *time.Time     `lua:"verified" doc:"When one was last verified or restored with success; absent when never."`
	Damaged    int            `lua:"damaged" doc:"How many are known to be damaged."`
	Incomplete int            `lua:"incomplete" doc:"Attempts that left no backup, or are under way."`
}

var status = binding.Func[*Client, statusArgs, []Exposure]{
	Name: "status", Effect: binding.Reads,
	Doc:     "For each database in the repository: up to when its data could come back now.",
	Raises:  []fault.Kind{fault.Invalid, fault.Denied},
	Example: `backup.status {}`,
	Call:    (*Client).status,
}

func (c *Client) status(context.Context, statusArgs) ([]Exposure, error) {
	all, incomplete, err := c.repo.all()
	if err != nil {
		return nil, err
	}
	var out []*Exposure
	of := map[string]*Exposure{}
	get := func(database string) *Exposure {
		if of[database] == nil {
			of[database] = &Exposure{Database: database}
			out = append(out, of[database])
		}
		return of[database]
	}
	now := c.env.Clock.Now()
	for _, s := range all {
		e := get(s.Database)
		e.Backups++
		e.Bytes += s.bytes()
		if s.checks.Reason != "" {
			e.Damaged++
			continue
		}
		if e.Until == nil { // all is sorted, the newest comes first
			until, age := s.Until, max(now.Sub(s.Until), 0).Round(time.Second)
			e.Until, e.Age = &until, &age
		}
		if at := s.checks.VerifiedAt; !at.IsZero() && (e.Verified == nil || at.After(*e.Verified)) {
			e.Verified = &at
		}
	}
	for _, dir := range incomplete {
		get(databaseOf(dir)).Incomplete++
	}
	plain := make([]Exposure, len(out))
	for i, e := range out {
		plain[i] = *e
	}
	return plain, nil
}
