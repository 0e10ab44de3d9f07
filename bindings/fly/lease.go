package fly

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
)

const (
	leaseTTL      = 120 * time.Second
	leasePatience = 150 * time.Second // somebody's lease that is not renewed ends within this time
	leaseEvery    = 5 * time.Second
	leaseMark     = "drhost " // begins the description of our leases
)

// lease is the right to change one machine. Whoever holds it gives it back.
type lease struct {
	c       *Client
	app, id string
	nonce   string
	meter   *clock.Meter // counts what a scaled clock cuts off while it is held
	at      time.Time    // when it was taken or renewed, by our clock
	base    time.Duration
}

// holding is what the client knows of a lease of its own.
type holding struct {
	nonce string
	live  bool // a call works under it now; else giving it back failed
}

type wireLease struct {
	Data struct {
		Nonce       string `json:"nonce"`
		ExpiresAt   int64  `json:"expires_at"`
		Owner       string `json:"owner"`
		Description string `json:"description"`
	} `json:"data"`
}

// leased does something to a machine under its lease, and gives the lease back
// whatever becomes of it.
func (c *Client) leased(ctx context.Context, op, app, id string, do func(context.Context, *lease) error) error {
	ctx, meter := clock.WithMeter(ctx)
	l, err := c.hold(ctx, meter, op, app, id)
	if err != nil {
		return before(err)
	}
	defer l.release(ctx)
	return do(ctx, l)
}

// leasedAll holds the leases of several machines at once; those of machines
// that Fly cannot reach are not asked for.
func (c *Client) leasedAll(ctx context.Context, op, app string, all []*machine, do func(context.Context, map[string]*lease) error) error {
	ctx, meter := clock.WithMeter(ctx)
	held := map[string]*lease{}
	defer func() {
		for _, l := range held {
			l.release(ctx)
		}
	}()
	for _, m := range all {
		if !m.reachable() {
			continue
		}
		l, err := c.hold(ctx, meter, op, app, m.ID)
		if err != nil {
			return before(err)
		}
		held[m.ID] = l
	}
	return do(ctx, held)
}

// hold takes the lease of a machine. One that this run holds from an earlier
// life, or that could not be given back, is taken over; somebody else's is
// waited for.
func (c *Client) hold(ctx context.Context, meter *clock.Meter, op, app, id string) (*lease, error) {
	l := &lease{c: c, app: app, id: id, meter: meter}
	waiting, b := c.budget(ctx, leasePatience)
	for {
		err := l.take(ctx, op)
		if err == nil {
			return l, nil
		}
		if f := fault.As(err); f.Kind != fault.Conflict {
			return nil, err
		}
		there, lookErr := l.there(ctx, op)
		if lookErr != nil {
			return nil, lookErr
		}
		if there == nil {
			if b.left() <= 0 {
				return nil, err
			}
		} else if nonce, ours := c.ours(ctx, id, there); ours {
			l.nonce = nonce
			if err := l.take(ctx, op); err == nil {
				return l, nil
			} else if fault.KindOf(err) != fault.Conflict {
				return nil, err
			}
			l.nonce = ""
		}
		if b.left() <= 0 {
			return nil, heldBy(op, app, id, there)
		}
		if there != nil {
			binding.Progress(ctx, "%s: machine %s is leased by %s; waiting", op, id, owner(there))
		}
		if err := c.clock.Sleep(waiting, min(leaseEvery, b.left())); err != nil {
			return nil, fault.New(fault.Cancelled, "told to stop while waiting for the lease").WithOp("%s", op).NothingDone()
		}
	}
}

func owner(l *wireLease) string {
	who := l.Data.Owner
	if who == "" {
		who = "somebody"
	}
	if l.Data.Description != "" {
		who += " (" + l.Data.Description + ")"
	}
	return who
}

func heldBy(op, app, id string, l *wireLease) error {
	if l == nil {
		return fault.New(fault.Conflict, "machine %s was leased a moment ago", id).WithOp("%s", op).Passing()
	}
	f := fault.New(fault.Conflict, "machine %s is leased by %s until %s", id, owner(l), time.Unix(l.Data.ExpiresAt, 0).UTC().Format(time.RFC3339)).WithOp("%s", op)
	if strings.HasPrefix(l.Data.Description, leaseMark) {
		return f.WithHint("another run of drhost works on it: let it end, or stop it")
	}
	return f.WithHint("a deployment or another flyctl works on it, and renews its lease: ask %s; `fly machine leases clear %s -a %s` once it is known to have ended", l.Data.Owner, id, app)
}

// ours tells whether a lease is this run's own: held by this client still
// (giving it back failed), or by an earlier life of the run.
func (c *Client) ours(ctx context.Context, id string, there *wireLease) (nonce string, ours bool) {
	c.mu.Lock()
	mine, held := c.leases[id]
	c.mu.Unlock()
	if held { // another branch works under it, or giving it back failed
		return mine.nonce, !mine.live
	}
	key := binding.Key(ctx)
	run := func(key string) string { return key[:max(strings.LastIndexByte(key, '-'), 0)] }
	other, marked := strings.CutPrefix(there.Data.Description, leaseMark)
	if key == "" || !marked || there.Data.Nonce == "" {
		return "", false
	}
	return there.Data.Nonce, other == key || run(key) != "" && run(other) == run(key)
}

// there is the lease that somebody holds, or nil.
func (l *lease) there(ctx context.Context, op string) (*wireLease, error) {
	var out wireLease
	err := l.c.do(ctx, op, request{action: "lease_get", subject: l.id, method: http.MethodGet, url: l.c.appURL(l.app, "/machines/%s/lease", l.id)}, &out)
	if fault.KindOf(err) == fault.NotFound {
		return nil, nil
	}
	return &out, err
}

// take asks for the lease, or renews it when the nonce is known.
func (l *lease) take(ctx context.Context, op string) error {
	var out wireLease
	err := l.c.do(ctx, op, request{action: "lease", subject: l.id, method: http.MethodPost, nonce: l.nonce,
		url:  l.c.appURL(l.app, "/machines/%s/lease?ttl=%d", l.id, int(leaseTTL.Seconds())),
		body: map[string]any{"ttl": int(leaseTTL.Seconds()), "description": leaseMark + binding.Key(ctx)}}, &out)
	if err != nil {
		return err
	}
	if out.Data.Nonce == "" && l.nonce == "" {
		return fault.New(fault.Failed, "the lease of machine %s came without a nonce", l.id).WithOp("%s", op)
	}
	if out.Data.Nonce != "" {
		l.nonce = out.Data.Nonce
	}
	l.at, l.base = l.c.clock.Now(), l.meter.Total()
	l.c.mu.Lock()
	l.c.leases[l.id] = holding{l.nonce, true}
	l.c.mu.Unlock()
	return nil
}

// keep renews the lease when a good part of it is over.
func (l *lease) keep(ctx context.Context, op string) error {
	if l == nil || l.c.clock.Now().Sub(l.at)+l.meter.Total()-l.base < leaseTTL/3 {
		return nil
	}
	return l.take(ctx, op)
}

// releaseWithin bounds giving a lease back, which is done also when the call
// was told to stop.
const releaseWithin = 10 * time.Second

// release gives the lease back. When Fly does not answer, the lease ends by
// itself, and the next call of this run takes it over.
func (l *lease) release(ctx context.Context) {
	if l == nil || l.nonce == "" {
		return
	}
	detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseWithin)
	defer cancel()
	op := "give back the lease of machine " + l.id
	err := l.c.do(detached, op, request{action: "lease_release", subject: l.id, method: http.MethodDelete, nonce: l.nonce,
		url: l.c.appURL(l.app, "/machines/%s/lease", l.id)}, nil)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		binding.Progress(ctx, "%s: %s; it ends by itself within %s", op, fault.As(err).Message, leaseTTL)
		l.c.mu.Lock()
		l.c.leases[l.id] = holding{l.nonce, false}
		l.c.mu.Unlock()
		return
	}
	l.c.mu.Lock()
	delete(l.c.leases, l.id)
	l.c.mu.Unlock()
	l.nonce = ""
}
