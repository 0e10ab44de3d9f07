package backup

import (
	"context"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/bindings/backup/physical"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

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
	Behind     int64          `lua:"behind" doc:"Bytes of the write-ahead log that were not yet in the repository; 0 without an archive."`
	Archived   *time.Time     `lua:"archived" doc:"When the archiver of its write-ahead log last said how far it is; absent without an archive."`
	Alarms     []string       `lua:"alarms" doc:"What the archiver needs somebody for."`
	Incomplete int            `lua:"incomplete" doc:"Attempts that left no backup, or are under way."`
}

var status = binding.Func[*Client, statusArgs, []Exposure]{
	Name: "status", Effect: binding.Reads,
	Doc:     "For each database in the repository: up to when its data could come back now.",
	Raises:  []fault.Kind{fault.Invalid, fault.Denied},
	Example: `backup.status {}`,
	Call:    (*Client).status,
}

func (c *Client) status(ctx context.Context, _ statusArgs) ([]Exposure, error) {
	at, err := c.repository(ctx)
	if err != nil {
		return nil, err
	}
	defer at.Store.Close()
	all, incomplete, err := at.All(ctx)
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
	logs, err := physical.Exposures(ctx, at.Store, c.env.Clock)
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		e := get(s.Subject)
		e.Backups++
		e.Bytes += s.Bytes()
		if s.Damaged() {
			e.Damaged++
			continue
		}
		if e.Until == nil { // all is sorted, the newest comes first
			until, age := s.Until, max(now.Sub(s.Until), 0).Round(time.Second)
			e.Until, e.Age = &until, &age
			e.goOn(s, logs)
		}
		if at := s.Checks.VerifiedAt; !at.IsZero() && (e.Verified == nil || at.After(*e.Verified)) {
			e.Verified = &at
		}
	}
	for _, left := range incomplete {
		get(left.Subject).Incomplete++
	}
	plain := make([]Exposure, len(out))
	for i, e := range out {
		plain[i] = *e
	}
	return plain, nil
}

// goOn takes the archived log into account that goes on from the newest copy of
// a cluster.
func (e *Exposure) goOn(b catalogue.Backup, logs []physical.Exposure) {
	if b.Base == nil {
		return
	}
	for _, l := range logs {
		if l.System != b.Base.System {
			continue
		}
		updated := l.Updated
		e.Archived, e.Behind, e.Alarms = &updated, l.Behind, l.Words()
		if l.Reaches(b.Base.Stop) && l.Until.After(*e.Until) {
			until, age := l.Until, l.Age.Round(time.Second)
			e.Until, e.Age = &until, &age
		}
	}
}
