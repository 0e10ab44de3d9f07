package fly

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// promoteCommand makes a replica the primary, as the user that PostgreSQL runs
// under; repmgr tells the other replicas to follow.
func promoteCommand(force bool) []string {
	out := []string{"gosu", "postgres", "repmgr", "standby", "promote", "--siblings-follow", "-f", "/data/repmgr.conf"}
	if force {
		out = append(out, "-F")
	}
	return out
}

// promoteWithin is how long repmgr may take: its own limit is 60 s, and then
// it tells the siblings.
const promoteWithin = 2 * time.Minute

func (c *Client) pgFailover(ctx context.Context, a failoverArgs) (Failover, error) {
	p, err := c.plan(ctx, a)
	if err == nil && !p.best.reachable() { // chosen by an earlier attempt, and lost since
		err = fault.New(fault.Conflict, "the host of machine %s, which was to become primary, does not answer any more", p.best.ID).WithOp("%s", p.op).
			WithHint("fly.pg_status { app = %q } shows what is left; machine = ... takes another replica, fly.pg_restore a backup", a.App)
	}
	if err != nil {
		return Failover{}, before(err)
	}
	binding.Progress(ctx, "%s: machine %s (%s) becomes primary: %s", p.op, p.best.ID, p.best.Region, p.why)
	ctx, b := c.budget(ctx, a.Within)
	var mine []*machine
	for _, n := range p.nodes {
		mine = append(mine, n.machine)
	}
	err = c.leasedAll(ctx, p.op, a.App, mine, func(ctx context.Context, held map[string]*lease) error {
		if err := c.markChoice(ctx, p, held); err != nil {
			return before(err)
		}
		if err := c.moveHome(ctx, b, p, a, held); err != nil {
			return begun(err)
		}
		for i := range p.old {
			if err := c.demote(ctx, b, p.op, a, &p.old[i], held[p.old[i].ID]); err != nil {
				return begun(err)
			}
		}
		if err := c.promote(ctx, b, p, a, held[p.best.ID]); err != nil {
			return err
		}
		for _, o := range p.old {
			if o.app == a.App && a.Rejoin && o.reachable() {
				if err := c.rejoin(ctx, b, p, o, held[o.ID]); err != nil {
					binding.Progress(ctx, "%s: the old primary %s did not join: %s", p.op, o.ID, fault.As(err).Message)
				}
			}
		}
		return nil
	})
	if err != nil {
		return Failover{}, err
	}
	k, err := c.led(ctx, b, p.op, a.App, p.best.ID)
	if err != nil {
		return Failover{}, err
	}
	return p.result(a, k), nil
}

// markChoice writes what was chosen into the metadata of the machines, so that
// a repeated call goes on with the same.
func (c *Client) markChoice(ctx context.Context, p failover, held map[string]*lease) error {
	key := binding.Key(ctx)
	if key == "" || p.chosen {
		return nil
	}
	for _, o := range p.old {
		if o.reachable() && o.metadata(demoteLabel) != key {
			if err := c.setMetadata(ctx, p.op, o.app, o.ID, held[o.ID], demoteLabel, key); err != nil {
				return err
			}
		}
	}
	return c.setMetadata(ctx, p.op, held[p.best.ID].app, p.best.ID, held[p.best.ID], promoteLabel, key)
}

// setMetadata changes a machine's metadata, which does not restart it.
func (c *Client) setMetadata(ctx context.Context, op, app, id string, l *lease, name, value string) error {
	nonce := ""
	if l != nil {
		nonce = l.nonce
	}
	return c.do(ctx, op, request{action: "metadata", subject: id, method: http.MethodPost, nonce: nonce, body: map[string]any{"value": value},
		url: c.appURL(app, "/machines/%s/metadata/%s", id, name)}, nil)
}

// homeChange sets the region in which primaries are elected. A primary outside
// of it fences itself at its next start.
func homeChange(p failover, app, region string) change {
	return change{op: p.op, app: app, alive: started,
		has: func(m *machine) bool { return m.env("PRIMARY_REGION") == region },
		edit: func(config map[string]any) error {
			put(config, "env", "PRIMARY_REGION", region)
			return nil
		}}
}

// moveHome lets all nodes but the old primary know the new region, the one to
// promote last, and waits until that one answers again.
func (c *Client) moveHome(ctx context.Context, b *budget, p failover, a failoverArgs, held map[string]*lease) error {
	ch := homeChange(p, a.App, p.best.Region)
	order := slices.DeleteFunc(slices.Clone(p.nodes), func(n member) bool {
		return !n.reachable() || n.ID == p.best.ID || slices.ContainsFunc(p.old, func(o former) bool { return o.ID == n.ID })
	})
	for _, n := range append(order, p.best) {
		if ch.has(n.machine) {
			continue
		}
		binding.Progress(ctx, "%s: PRIMARY_REGION of %s becomes %s", p.op, n.ID, p.best.Region)
		if _, err := c.changeUnder(ctx, b, ch, n.machine, held[n.ID]); err != nil {
			return err
		}
	}
	return c.await(ctx, b, p.op, func() string { return "PostgreSQL on machine " + p.best.ID + " does not answer" }, func(ctx context.Context) (bool, error) {
		_, err := c.ask(ctx, p.op, a.App, p.best.machine, held[p.best.ID])
		if err == nil || p.best.probe == nil { // one that never told is promoted all the same
			return true, nil
		}
		f := fault.As(err)
		if f.Kind == fault.Failed || f.Transient {
			return false, nil
		}
		return false, err
	})
}

// demote stops an old primary, so that there are never two. One on a dead host
// is left: nothing can be done to it.
func (c *Client) demote(ctx context.Context, b *budget, op string, a failoverArgs, o *former, l *lease) error {
	if !o.reachable() {
		binding.Progress(ctx, "%s: the host of the old primary %s does not answer; it is left", op, o.ID)
		return nil
	}
	stopping := o.State == "stopping" // by an earlier attempt: until it has stopped it may still take writes
	if o.State != "started" && !stopping || o.is() == "replica" {
		return nil // stopped or dead, or joined again in an earlier attempt
	}
	stop := func(ctx context.Context, l *lease) error {
		binding.Progress(ctx, "%s: stop the old primary %s", op, o.ID)
		if !stopping {
			if err := c.act(ctx, op, l, "stop", "/stop", map[string]any{"signal": "SIGINT"}, nil); err != nil {
				return err
			}
		}
		m, err := c.reach(ctx, b, op, o.app, o.ID, "stopped", func(m *machine) bool { return m.State == "stopped" || !m.reachable() })
		if err == nil {
			o.machine = m
		}
		return err
	}
	var err error
	if l != nil {
		err = stop(ctx, l)
	} else {
		err = c.leased(ctx, op, o.app, o.ID, stop)
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	if now, lookErr := c.look(ctx, op, o.app, o.ID); lookErr == nil && !now.reachable() {
		o.machine = now
		return nil
	}
	if a.Force {
		binding.Progress(ctx, "%s: the old primary %s did not stop: %s; going on by force", op, o.ID, fault.As(err).Message)
		return nil
	}
	return fault.As(err).WithHint("the old primary %s is alive and did not stop: two primaries would diverge; force = true promotes all the same", o.ID)
}

// promote makes the chosen replica the primary. One that is primary already,
// by an earlier attempt, is left as it is.
func (c *Client) promote(ctx context.Context, b *budget, p failover, a failoverArgs, l *lease) error {
	now, err := c.ask(ctx, p.op, a.App, p.best.machine, l)
	if err == nil && !now.Recovery {
		return nil
	}
	if err == nil {
		p.best.probe = now
	}
	if err := l.keep(ctx, p.op); err != nil {
		return begun(err)
	}
	// Without -F repmgr refuses when it cannot reach a sibling.
	force := a.Force || len(p.old) == 0 || slices.ContainsFunc(p.old, func(o former) bool { return !o.reachable() }) || slices.ContainsFunc(p.nodes, func(n member) bool { return !n.reachable() || n.State != "started" })
	_, err = c.exec(ctx, p.op, a.App, p.best.ID, l.nonce, "", promoteWithin, promoteCommand(force)...)
	if err != nil {
		now, askErr := c.ask(ctx, p.op, a.App, p.best.machine, l)
		if askErr == nil && !now.Recovery { // promoted, and a sibling could not be told
			binding.Progress(ctx, "%s: %s", p.op, fault.As(err).Message)
			err = nil
		}
	}
	if err != nil {
		f := fault.As(err)
		if f.Hint == "" {
			f = f.WithHint("usually the old primary still runs, or a sibling does not answer: force = true goes on all the same; pg.promote does it by SQL")
		}
		return f
	}
	_, err = c.reach(ctx, b, p.op, a.App, p.best.ID, "primary", func(m *machine) bool { return m.role() == "primary" && started(m) })
	return accepted(err)
}

// rejoin starts the old primary with the new region, so that it follows.
func (c *Client) rejoin(ctx context.Context, b *budget, p failover, o former, l *lease) error {
	ch := homeChange(p, o.app, p.best.Region)
	ch.still = func(*machine) bool { return true }
	now, err := c.changeUnder(ctx, b, ch, o.machine, l)
	if err != nil {
		return err
	}
	if now.State != "started" {
		if err := c.act(ctx, p.op, l, "start", "/start", nil, nil); err != nil {
			return err
		}
	}
	settled := func(m *machine) bool {
		return started(m) && slices.Contains([]string{"replica", "zombie", "primary"}, m.role())
	}
	if now, err = c.reach(ctx, b, p.op, o.app, o.ID, "sure of its role", settled); err != nil {
		return err
	}
	if now.role() != "zombie" {
		return nil
	}
	// It found that another one leads, and fenced itself; it joins at its next start.
	_, err = c.restartOne(ctx, b, p.op, now, l, false)
	return err
}
