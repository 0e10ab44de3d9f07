package backup

import (
	"context"
	"slices"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/bindings/backup/logical"
	"github.com/webhost-systems/drhost/bindings/backup/physical"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// databaseSettings is [env.NAME.backup.databases.NAME].
type databaseSettings struct {
	Tier      string `lua:"tier,optional" doc:"Which customers depend on it: \"hobby\"; status shows it."`
	Objective string `lua:"objective,optional" doc:"Name of its [objectives.NAME]; the database's own name when not set."`
	Contacts  string `lua:"contacts,optional" doc:"Query that lists the customers who depend on it, stored beside each dump; when not set, id, name, email, phone, plan and the like of a table customers, where there is one. \"none\": nothing is stored."`
}

type statusArgs struct {
	Database string `lua:"database,optional" doc:"Only this one."`
}

// Exposure is what a disaster now would cost one database.
type Exposure struct {
	Database   string         `lua:"database" doc:"Which database, cluster or tree."`
	Tier       string         `lua:"tier,optional" doc:"Which customers depend on it, as the settings say."`
	Kind       string         `lua:"kind,optional" doc:"What the newest moment would be restored from: \"archive\" (a cluster and its log), \"logical\", \"physical\" or \"files\"."`
	Until      *time.Time     `lua:"data_until" doc:"Up to when its data could come back; absent when there is no backup, or every one is damaged."`
	Age        *time.Duration `lua:"age" doc:"How long ago that is: what a disaster now would lose."`
	Objective  string         `lua:"objective,optional" doc:"Name of the objective that it is held against; absent when it has none."`
	RPO        *time.Duration `lua:"rpo" doc:"What that allows to be lost."`
	Exceeded   bool           `lua:"exceeded" doc:"Whether a disaster now would lose more than that."`
	Endangered bool           `lua:"endangered" doc:"Whether it would lose more than half of it: there is time to do something."`
	Worst      *time.Duration `lua:"worst" doc:"Without an archived log: what a disaster just before the end of the next backup loses, which is the time between backups and how long one takes."`
	Behind     int64          `lua:"behind" doc:"Bytes of the write-ahead log that were not yet in the repository; 0 without an archive."`
	Archived   *time.Time     `lua:"archived" doc:"When the archiver of its write-ahead log last said how far it is; absent without an archive."`
	Alarms     []string       `lua:"alarms" doc:"What the archiver needs somebody for: it is silent, the log has a gap."`
	Notes      []string       `lua:"notes" doc:"What to know about it: no objective, backups too far apart for it."`
	Backups    int            `lua:"backups" doc:"How many there are."`
	Bytes      int64          `lua:"bytes" doc:"Their size."`
	Verified   *time.Time     `lua:"verified" doc:"When one was last verified or restored with success; absent when never."`
	Damaged    int            `lua:"damaged" doc:"How many are known to be damaged."`
	Incomplete int            `lua:"incomplete" doc:"Attempts that left no backup, or are under way."`
}

var status = binding.Func[*Client, statusArgs, []Exposure]{
	Name: "status", Effect: binding.Reads,
	Doc: "For each database, cluster and tree in the repository or in `databases` of the settings: up to when its data could come back now, held against its objective. " +
		"Where drhost backup archive runs, that is what its log reaches; where only dumps are made, the newest of them, and `worst` says what that can cost.",
	Raises:  []fault.Kind{fault.Invalid, fault.Denied, fault.Unavailable},
	Example: `backup.status { database = "webhost_prod" }`,
	Target:  "database",
	Call:    (*Client).status,
}

func (c *Client) status(ctx context.Context, a statusArgs) ([]Exposure, error) {
	at, err := c.repository(ctx)
	if err != nil {
		return nil, logical.Because(ctx, err, "tell the exposure")
	}
	defer at.Store.Close()
	all, incomplete, err := at.All(ctx)
	if err != nil {
		return nil, logical.Because(ctx, err, "tell the exposure")
	}
	logs, err := physical.Exposures(ctx, at.Store, c.env.Clock)
	if err != nil {
		return nil, logical.Because(ctx, err, "tell the exposure")
	}
	if err := followed(ctx, at, all, logs); err != nil {
		return nil, logical.Because(ctx, err, "tell the exposure")
	}
	e := exposed{now: c.env.Clock.Now(), set: c.set.Databases, targets: c.env.Objectives, all: all, logs: logs}
	var out []Exposure
	for _, subject := range e.subjects(incomplete) {
		if a.Database == "" || a.Database == subject {
			out = append(out, e.of(subject, of(incomplete, subject)))
		}
	}
	if a.Database != "" && len(out) == 0 {
		return nil, fault.New(fault.NotFound, "there is nothing of %q in %s, nor in `databases` of the settings", a.Database, at.Store.Place()).
			WithHint("%s", near(a.Database, e.subjects(incomplete)))
	}
	return out, nil
}

// followed holds each log against what is there of it, from the newest good copy
// of its cluster on. No key is needed.
func followed(ctx context.Context, at *catalogue.Catalogue, all []catalogue.Backup, logs []physical.Exposure) error {
	for n := range logs {
		newest := slices.IndexFunc(all, func(b catalogue.Backup) bool { return b.Base != nil && b.Base.System == logs[n].System && !b.Damaged() })
		if newest < 0 {
			continue
		}
		b := physical.Cataloged(all[newest])
		chain, err := physical.Follow(ctx, physical.Log{Store: at.Store}, b, 0)
		switch {
		case err == nil:
			logs[n].Holds(chain)
		case fault.KindOf(err) == fault.Failed && ctx.Err() == nil:
			logs[n].Unreadable(b, err) // a state worth telling, not a reason to tell nothing
		default:
			return err
		}
	}
	return nil
}

func near(name string, known []string) string {
	if near := binding.Nearest(name, known); near != "" {
		return "did you mean \"" + near + "\"?"
	}
	return "backup.create makes one; check `repository` in the settings of backup"
}

// exposed is what an exposure is worked out of. It is a pure function of that.
type exposed struct {
	now     time.Time
	set     map[string]databaseSettings
	targets map[string]binding.Objective
	all     []catalogue.Backup // the newest first
	logs    []physical.Exposure
}
