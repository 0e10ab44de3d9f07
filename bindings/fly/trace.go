package fly

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// restartLabel is the metadata by which a machine tells which call was about to
// restart it, and what the newest event was then: "KEY EVENT". Unlike a moment
// it tells that call's restart from one that somebody else asked for just
// before it.
const restartLabel = "drhost_restart"

// markRestart writes it, before the restart leaves, unless it is there from an
// earlier try and nothing has happened since. Nothing on the machine changes
// by it.
func (c *Client) markRestart(ctx context.Context, op string, l *lease, m *machine) error {
	key := binding.Key(ctx)
	mark := key + " " + m.newest()
	if key == "" || m.metadata(restartLabel) == mark {
		return nil
	}
	return c.setMetadata(ctx, op, l.app, l.id, l, restartLabel, mark)
}

// restartedBy tells whether this very call has restarted the machine before:
// it has left its mark, and since then a user has restarted or started it.
// Restarts of a program that crashed do not count: their source is not a user.
func (c *Client) restartedBy(ctx context.Context, op, app string, m *machine) (bool, error) {
	key := binding.Key(ctx)
	by, mark, marked := strings.Cut(m.metadata(restartLabel), " ")
	if key == "" || !marked || by != key {
		return false, nil
	}
	done, whole := restartedAfter(m.Events, mark)
	if done || whole || mark == "" {
		return done, nil
	}
	// The machine shows its latest events only, and those are all newer.
	var all []wireEvent
	if err := c.do(ctx, op, request{action: "events", subject: m.ID, method: http.MethodGet, url: c.appURL(app, "/machines/%s/events?limit=50", m.ID)}, &all); err != nil {
		return false, err
	}
	done, _ = restartedAfter(all, mark)
	return done, nil
}

// restartedAfter looks for a restart by a user after an event; whole tells
// whether the events, which come newest first, reach back to it.
func restartedAfter(events []wireEvent, mark string) (done, whole bool) {
	for _, e := range events {
		if e.ID == mark && mark != "" {
			return done, true
		}
		done = done || (e.Type == "restart" || e.Type == "start") && e.Source == "user"
	}
	return done, false
}

// trail is what a client knows of the requests of one mutation, by its key.
type trail struct {
	sent  bool            // one may have left, in this life or an earlier one
	open  bool            // no answer has named what the latest has made
	there map[string]bool // ids that there were before the latest left; nil: none has left in this life
	own   map[string]bool // ids that answers have named
}

// follow looks at the trail of the mutation of ctx, under the lock.
func (c *Client) follow(ctx context.Context, do func(*trail)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := binding.Key(ctx)
	if c.trails[key] == nil {
		c.trails[key] = &trail{own: map[string]bool{}}
	}
	do(c.trails[key])
}

// repeated notes that the mutation of ctx may have been sent before: from now
// on its traces are looked for. Before that nothing at Fly can be due to it.
func (c *Client) repeated(ctx context.Context) { c.follow(ctx, func(t *trail) { t.sent = true }) }

// again tells whether it may have been sent before.
func (c *Client) again(ctx context.Context) (sent bool) {
	c.follow(ctx, func(t *trail) { sent = t.sent })
	return sent
}

// note remembers what there is before a request of the mutation leaves.
func (c *Client) note(ctx context.Context, ids []string) {
	c.follow(ctx, func(t *trail) {
		t.open, t.there = false, map[string]bool{}
		for _, id := range ids {
			t.there[id] = true
		}
	})
}

// left notes what became of that request: it has made the thing with this id
// ("": the answer does not say which), was refused and leaves no trace, or
// nobody knows.
func (c *Client) left(ctx context.Context, id string, err error) {
	c.follow(ctx, func(t *trail) {
		switch {
		case err == nil && id != "":
			t.sent, t.own[id] = true, true
		case err == nil || fault.As(err).Sent != fault.NotDone:
			t.sent, t.open = true, true
		}
	})
}

// judge tells whether something without room for a key was made by the
// mutation of ctx: by whether it was there before the request left. An earlier
// life may have known that; what is not older than the mutation may then be its
// own or somebody else's: Unknown.
func (c *Client) judge(ctx context.Context, id string, made time.Time) (whose binding.Landed) {
	since := binding.Since(ctx).Add(c.skew() - slack)
	c.follow(ctx, func(t *trail) {
		switch {
		case t.own[id] || t.open && t.there != nil && !t.there[id]:
			whose = binding.Yes
		case !t.sent || t.there != nil || !made.IsZero() && made.Before(since):
			whose = binding.No
		default:
			whose = binding.Unknown
		}
	})
	return whose
}
