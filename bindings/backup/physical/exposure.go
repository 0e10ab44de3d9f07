package physical

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/postgres"
	"github.com/webhost-systems/drhost/bindings/backup/store"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
)

// Exposure is what the loss of a server now would cost, as far as its archived
// log tells.
type Exposure struct {
	System  string
	Server  string
	Until   time.Time     // by the server's clock: what had committed by then is safe
	Age     time.Duration // how long ago that is
	Behind  int64         // bytes of the log that were not yet safe
	Updated time.Time     // when the archiver last said so
	Dead    bool          // the archiver has not been heard of for longer than it is ever silent
	Gaps    []Gap
	Alarms  []string
	at      postgres.LSN
}

// Reaches tells whether the log goes on without a gap from where a base backup
// ends.
func (e Exposure) Reaches(stop postgres.LSN) bool {
	for _, g := range e.Gaps {
		if g.To > stop {
			return false
		}
	}
	return e.at >= stop
}

// Holds takes into account what is there of the log: a chain with a hole that
// the archiver does not know of lost what had been archived.
func (e *Exposure) Holds(c *Chain) {
	if c.Next == 0 || slices.ContainsFunc(e.Gaps, func(g Gap) bool { return g.From <= c.Next && g.To >= c.End }) {
		return
	}
	e.Gaps = append(slices.Clone(e.Gaps), Gap{Timeline: c.Line.Timeline, From: c.End, To: c.Next, Reason: "it had been archived and is not in the repository any more"})
}

// Unreadable takes into account that the log cannot be followed from a base
// backup on.
func (e *Exposure) Unreadable(from Backup, err error) {
	e.Gaps = append(slices.Clone(e.Gaps), Gap{Timeline: from.Base.Timeline, From: from.Base.Stop, To: max(e.at, from.Base.Stop+1), Reason: fault.As(err).Message})
}

// Words are what somebody has to do something about.
func (e Exposure) Words() []string {
	out := slices.Clone(e.Alarms)
	for _, g := range e.Gaps {
		out = append(out, fmt.Sprintf("the log from %s to %s is lost (%s): only a base backup made after it goes on, make one now", g.From, g.To, g.Reason))
	}
	if e.Dead {
		out = append(out, "the archiver has not been heard of since "+e.Updated.UTC().Format(time.RFC3339))
	}
	return out
}

// silence is how long an archiver that is well is never silent.
const silence = time.Minute

// Exposures reads how far the log of every cluster in a repository reaches.
func Exposures(ctx context.Context, from store.Store, clk clock.Clock) ([]Exposure, error) {
	systems, err := clusters(ctx, from)
	if err != nil {
		return nil, err
	}
	var out []Exposure
	for _, system := range systems {
		h, err := Log{Store: from, System: system}.ReadHead(ctx)
		if err != nil {
			return nil, err
		}
		if h != nil {
			out = append(out, h.Exposure(clk.Now()))
		}
	}
	return out, nil
}

// clusters are those whose log a repository holds.
func clusters(ctx context.Context, from store.Store) (systems []string, err error) {
	found, err := from.List(ctx, "wal/")
	for _, i := range found {
		parts := strings.Split(i.Name, "/")
		if len(parts) == 3 && parts[2] == "head.json" {
			systems = append(systems, parts[1])
		}
	}
	return systems, err
}

// Exposure is what a head says now. A clock that runs behind the server's makes
// it no smaller than nothing.
func (h Head) Exposure(now time.Time) Exposure {
	e := Exposure{System: h.System, Server: h.Server, Until: h.Until, Behind: h.Behind, Updated: h.Updated, Gaps: h.Gaps, Alarms: h.Alarms, at: h.Position}
	e.Age = max(now.Sub(h.Until), 0)
	e.Dead = h.Stopped || now.Sub(h.Updated) > silence
	return e
}

// Exceeded says in words that an objective is exceeded, or endangered; ""
// otherwise. It is when the age is more than half of it, because then there is
// still time to do something.
func (e Exposure) Exceeded(objective time.Duration) (text string, exceeded bool) {
	if objective <= 0 {
		return "", false
	}
	what := fmt.Sprintf("a loss of %s now would cost %s of data", e.Server, e.Age.Round(time.Second))
	if e.Dead {
		what += "; the archiver has not been heard of since " + e.Updated.UTC().Format(time.RFC3339)
	}
	switch {
	case e.Age > objective:
		return fmt.Sprintf("%s, more than the objective of %s", what, objective), true
	case e.Age > objective/2:
		return fmt.Sprintf("%s, more than half of the objective of %s", what, objective), false
	}
	return "", false
}
