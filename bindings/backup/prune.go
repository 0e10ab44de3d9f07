package backup

import (
	"context"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/bindings/backup/logical"
	"github.com/webhost-systems/drhost/bindings/backup/physical"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

type pruneArgs struct {
	Database string        `lua:"database,optional" doc:"Only backups of this one; all when not given."`
	DryRun   bool          `lua:"dry_run" default:"false" doc:"Only say what would go and why the others stay."`
	Within   time.Duration `lua:"within" default:"1h" doc:"How long it may take."`
}

// Pruned is what became of the backups.
type Pruned struct {
	Kept     []Verdict `lua:"kept" doc:"What stays."`
	Deleted  []Verdict `lua:"deleted" doc:"What is gone, or would be."`
	Bytes    int64     `lua:"bytes" doc:"Size of what is gone, or would be."`
	Cleared  int       `lua:"cleared" doc:"Attempts that left no backup, of which the rest was removed, or would be."`
	Segments int       `lua:"segments" doc:"Segments of archived write-ahead logs that no kept copy of a cluster needs; they are gone, or would be."`
	Skipped  []string  `lua:"skipped" doc:"What was left alone because somebody is at work on it, and who."`
	DryRun   bool      `lua:"dry_run" doc:"Whether nothing was deleted."`
}

// Verdict is what becomes of one backup.
type Verdict struct {
	ID       string    `lua:"id" doc:"Which one."`
	Database string    `lua:"database" doc:"Of what."`
	Kind     string    `lua:"kind" doc:"\"logical\", \"physical\" or \"files\"."`
	Until    time.Time `lua:"data_until" doc:"Up to when its data reaches."`
	Bytes    int64     `lua:"bytes" doc:"Its size."`
	Why      []string  `lua:"why" doc:"Why it stays, or why it may go."`
}

var prune = binding.Func[*Client, pruneArgs, Pruned]{
	Name: "prune", Effect: binding.Destroys,
	Doc: "Delete the backups that no rule of the settings keeps (30 days, and `keep`), and the rest of attempts that were cut off. Never the last good one of a database, " +
		"nor the last that was verified, nor one that is being read, nor what another one needs.",
	Says:    "delete backups that no rule keeps (database: {database}, dry run: {dry_run})",
	Raises:  []fault.Kind{fault.Denied, fault.Invalid, fault.Conflict, fault.Unavailable, fault.Timeout, fault.Failed},
	Example: `backup.prune { dry_run = true }`,
	Target:  "database",
	Call:    (*Client).prune,
	Predict: func(c *Client, ctx context.Context, a pruneArgs) (Pruned, error) {
		a.DryRun = true
		return c.prune(ctx, a)
	},
	// Doing it again is harmless: what is gone is gone, and the rules are the same.
	Settled: func(*Client, context.Context, pruneArgs) (binding.Settlement[Pruned], error) {
		return binding.Settlement[Pruned]{Landed: binding.No}, nil
	},
}

type retentionArgs struct {
	Database string        `lua:"database,optional" doc:"Only backups of this one; all when not given."`
	Within   time.Duration `lua:"within" default:"1h" doc:"How long it may take."`
}

var retention = binding.Func[*Client, retentionArgs, Pruned]{
	Name: "retention", Effect: binding.Reads,
	Doc:     "Say which backups backup.prune would delete now, and why each of the others stays. Nothing is changed.",
	Raises:  []fault.Kind{fault.Denied, fault.Invalid, fault.Unavailable, fault.Timeout},
	Example: `backup.retention { database = "webhost_prod" }`,
	Target:  "database",
	Call: func(c *Client, ctx context.Context, a retentionArgs) (Pruned, error) {
		return c.prune(ctx, pruneArgs{Database: a.Database, Within: a.Within, DryRun: true})
	},
}

// mostSkew is how much this machine's clock and the repository's may differ for
// an age to be believed.
const mostSkew = time.Hour

func (c *Client) prune(ctx context.Context, a pruneArgs) (Pruned, error) {
	ctx, cancel := context.WithTimeout(ctx, a.Within)
	defer cancel()
	at, err := c.repository(ctx)
	if err != nil {
		return Pruned{}, err
	}
	defer at.Store.Close()
	out, err := c.pruneIn(ctx, at, a)
	if fault.KindOf(err) == fault.Exhausted && at.GiveWay(ctx) == nil {
		binding.Progress(ctx, "the repository is full to the last byte: its reserve is freed")
		out, err = c.pruneIn(ctx, at, a)
	}
	if err == nil && !a.DryRun {
		err = at.Reserve(ctx)
		if fault.KindOf(err) == fault.Exhausted {
			err = nil // there was nothing to delete: that is the next one's matter
		}
	}
	if err != nil {
		return Pruned{}, logical.Because(ctx, err, "delete old backups")
	}
	return out, nil
}

func (c *Client) pruneIn(ctx context.Context, at *catalogue.Catalogue, a pruneArgs) (Pruned, error) {
	out := Pruned{DryRun: a.DryRun}
	// Saying what would happen writes nothing, not even to ask for the time.
	now, pins := c.env.Clock.Now(), at.PinsSeen
	if !a.DryRun {
		pins = at.Pins
		if err := c.believable(ctx, at, now); err != nil {
			return out, err
		}
	}
	all, left, err := at.All(ctx)
	if err != nil {
		return out, err
	}
	pinned, err := pins(ctx)
	if err != nil {
		return out, err
	}
	decided, floors := catalogue.Retain(c.rules(), now, all, pinned)
	goes := map[string][]catalogue.Decision{}
	for _, d := range decided {
		switch b := d.Backup; {
		case a.Database != "" && b.Subject != a.Database:
		case d.Keep:
			out.Kept = append(out.Kept, verdict(d))
		case a.DryRun:
			out.gone(d)
		default:
			goes[b.Subject] = append(goes[b.Subject], d)
		}
	}
	for _, subject := range catalogue.Subjects(all, left) {
		if a.Database != "" && subject != a.Database {
			continue
		}
		cut := of(left, subject)
		if a.DryRun {
			out.Cleared += len(cut)
			continue
		}
		if len(goes[subject])+len(cut) == 0 {
			continue
		}
		if err := c.pruneSubject(ctx, at, subject, goes[subject], cut, &out); err != nil {
			return out, err
		}
	}
	if a.Database == "" { // else bases that other rules would delete are still there
		logs, err := physical.PruneLogs(ctx, at.Store, floors.Needs, a.DryRun)
		out.Segments, out.Bytes = logs.Segments, out.Bytes+logs.Bytes
		if err != nil {
			return out, err
		}
	}
	if !a.DryRun {
		_, err = at.Store.Sweep(ctx, 24*time.Hour)
	}
	return out, err
}

// believable refuses a clock that runs wild: every backup would look old.
func (c *Client) believable(ctx context.Context, at *catalogue.Catalogue, now time.Time) error {
	there, err := at.Now(ctx)
	if err != nil {
		return err
	}
	if skew := now.Sub(there).Abs(); skew > mostSkew {
		return fault.New(fault.Conflict, "the clocks of this machine and of the repository differ by %s: nothing was deleted", skew.Round(time.Minute)).
			WithHint("set the clock that is wrong; ages of backups cannot be believed until then")
	}
	return nil
}

func (c *Client) rules() catalogue.Rules {
	k := c.set.Keep
	return catalogue.Rules{Window: k.Window, Last: k.Last, Daily: k.Daily, Weekly: k.Weekly, Monthly: k.Monthly}
}

// pruneSubject deletes under the lock of the subject. One that is held is left
// for the next time.
func (c *Client) pruneSubject(ctx context.Context, at *catalogue.Catalogue, subject string, goes []catalogue.Decision, left []catalogue.Incomplete, out *Pruned) error {
	lock, held, err := at.Lock(ctx, subject, "prune", c.set.LockWait)
	if fault.KindOf(err) == fault.Conflict {
		out.Skipped = append(out.Skipped, fault.As(err).Message)
		return nil
	}
	if err != nil {
		return err
	}
	// A lock that is not given back runs out by itself.
	defer func() { _ = lock.Release(ctx) }()
	for _, d := range goes {
		by, err := at.Remove(held, lock, d.Backup)
		if err != nil {
			return err
		}
		if by != nil {
			d.Why = []string{"read by " + by.String()}
			out.Kept = append(out.Kept, verdict(d))
			continue
		}
		binding.Progress(ctx, "deleted %s of %s", d.Backup.ID, subject)
		out.gone(d)
	}
	for _, i := range left {
		if err := at.Clear(held, lock, i); err != nil {
			return err
		}
		out.Cleared++
	}
	return nil
}

func of(left []catalogue.Incomplete, subject string) (out []catalogue.Incomplete) {
	for _, i := range left {
		if i.Subject == subject {
			out = append(out, i)
		}
	}
	return out
}

func (p *Pruned) gone(d catalogue.Decision) {
	p.Deleted = append(p.Deleted, verdict(d))
	p.Bytes += d.Backup.Bytes()
}

func verdict(d catalogue.Decision) Verdict {
	b := d.Backup
	return Verdict{ID: b.ID, Database: b.Subject, Kind: b.Kind, Until: b.Until, Bytes: b.Bytes(), Why: d.Why}
}
