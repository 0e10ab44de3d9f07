package fly

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// Updated is what became of the machines of an app in a rolling change.
type Updated struct {
	Machines []Machine `lua:"machines" doc:"The machines that have the change now."`
	Skipped  []string  `lua:"skipped" doc:"Ids of machines on dead hosts: they still have the old configuration."`
}

// change is a rolling change of the configurations of an app's machines.
type change struct {
	op, app string
	group   string                            // only machines of this process group; "" for all
	within  time.Duration                     // for each machine
	edit    func(config map[string]any) error // changes a copy of the configuration
	has     func(*machine) bool               // whether a machine is as wanted; nil when only the key tells
	still   func(*machine) bool               // whether a machine is to be left without a start
	alive   func(*machine) bool               // what is waited for; nil means healthy
	secrets uint64                            // least version of the secrets that the machine has to see; 0 when none
}

// made tells whether this call has changed the machine before, or whether
// there is nothing to change.
func (ch change) made(ctx context.Context, m *machine) bool {
	if ch.has != nil {
		return ch.has(m)
	}
	key := binding.Key(ctx)
	return key != "" && m.metadata(keyLabel) == key
}

// roll changes one machine after the other. The first that does not come back
// healthy ends it: the rest goes on with what it had.
func (c *Client) roll(ctx context.Context, ch change, all []*machine) (Updated, error) {
	out := Updated{Machines: []Machine{}, Skipped: []string{}}
	done := 0
	for i, m := range all {
		if !m.reachable() {
			out.Skipped = append(out.Skipped, m.ID)
			continue
		}
		binding.Progress(ctx, "%s: machine %d of %d, %s (%s)", ch.op, i+1, len(all), m.ID, m.Region)
		now, err := c.change(ctx, ch, m)
		if err != nil {
			f := *fault.As(err)
			f.Message = fmt.Sprintf("%s (%d of %d machines have the change)", f.Message, done, len(all))
			if done > 0 {
				return out, begun(&f)
			}
			return out, &f
		}
		done++
		out.Machines = append(out.Machines, machineOf(ch.app, now))
	}
	if done == 0 {
		return out, fault.New(fault.Conflict, "none of the %d machines of %s is on a live host", len(all), ch.app).WithOp("%s", ch.op).
			WithHint("fly.move_region { app = %q, to = ... } builds substitutes elsewhere", ch.app)
	}
	return out, nil
}

// change updates one machine under its lease and waits until it is as healthy
// as it was.
func (c *Client) change(ctx context.Context, ch change, m *machine) (now *machine, err error) {
	ctx, b := c.budget(ctx, ch.within)
	err = c.leased(ctx, ch.op, ch.app, m.ID, func(ctx context.Context, l *lease) error {
		now, err = c.changeUnder(ctx, b, ch, m, l)
		return err
	})
	return now, err
}

// changeUnder does it under a lease that is held already.
func (c *Client) changeUnder(ctx context.Context, b *budget, ch change, m *machine, l *lease) (*machine, error) {
	seen, err := c.look(ctx, ch.op, ch.app, m.ID)
	if err != nil {
		return nil, before(err)
	}
	if ch.has != nil && ch.has(seen) && seen.metadata(keyLabel) != binding.Key(ctx) {
		return seen, nil // it was so before
	}
	rests := c.leftAlone(ctx, seen) || ch.still != nil && ch.still(seen)
	instance := seen.Instance
	if !ch.made(ctx, seen) {
		if instance, err = c.update(ctx, ch, seen, l, rests); err != nil {
			return nil, err
		}
	}
	what, met := "healthy", (*machine).healthy
	if ch.alive != nil {
		what, met = "started", ch.alive
	}
	if rests {
		what, met = "updated", func(*machine) bool { return true }
	}
	there := func(m *machine) bool { return instance == "" || m.Instance == instance }
	if !rests && seen.State == "stopped" {
		if err := c.startUpdated(ctx, b, ch, m.ID, l, there); err != nil {
			return nil, err
		}
	}
	now, err := c.reach(ctx, b, ch.op, ch.app, m.ID, what, func(m *machine) bool { return met(m) && there(m) })
	return now, accepted(err)
}

// startLabel is the metadata by which a machine tells which call has changed
// it in order that it runs afterwards.
const startLabel = "drhost_start"

// leftAlone tells of a machine that rests, and not just between a change by
// this call and the start that belongs to it.
func (c *Client) leftAlone(ctx context.Context, m *machine) bool {
	key := binding.Key(ctx)
	return m.rests() && (key == "" || m.metadata(startLabel) != key)
}

// startUpdated starts a machine whose program had ended before it was changed:
// Fly leaves one that did not run as it was.
func (c *Client) startUpdated(ctx context.Context, b *budget, ch change, id string, l *lease, there func(*machine) bool) error {
	now, err := c.reach(ctx, b, ch.op, ch.app, id, "updated", func(m *machine) bool {
		return there(m) && (m.State == "stopped" || m.State == "starting" || started(m))
	})
	if err != nil || now.State != "stopped" {
		return accepted(err)
	}
	return begun(c.act(ctx, ch.op, l, "start", "/start", nil, nil))
}

// update sends the whole changed configuration; it answers the new instance.
func (c *Client) update(ctx context.Context, ch change, m *machine, l *lease, rests bool) (instance string, err error) {
	config := edited(m.Config, binding.Key(ctx))
	if err := ch.edit(config); err != nil {
		return "", before(err)
	}
	if key := binding.Key(ctx); key != "" && !rests {
		put(config, "metadata", startLabel, key)
	}
	if err := l.keep(ctx, ch.op); err != nil {
		return "", before(err)
	}
	body := map[string]any{"config": config, "skip_launch": rests, "current_version": m.Instance}
	if ch.secrets > 0 {
		body["min_secrets_version"] = ch.secrets
	}
	var out machine
	err = c.do(ctx, ch.op, request{action: "update", subject: m.ID, method: http.MethodPost, nonce: l.nonce, body: body,
		url: c.appURL(ch.app, "/machines/%s", m.ID), within: c.answer}, &out)
	return out.Instance, err
}

// rolled finds out about a rolling change: yes when every machine on a live
// host has it and is well.
func (c *Client) rolled(ctx context.Context, ch change) (binding.Settlement[Updated], error) {
	return settled(c, ctx, func(ctx context.Context) (Updated, bool, error) {
		all, err := c.list(ctx, ch.op, ch.app)
		if err != nil {
			return Updated{}, false, err
		}
		out := Updated{Machines: []Machine{}, Skipped: []string{}}
		for _, m := range inGroup(all, ch.group) {
			if !m.reachable() {
				out.Skipped = append(out.Skipped, m.ID)
				continue
			}
			if !ch.made(ctx, m) || !c.leftAlone(ctx, m) && !m.healthy() {
				return Updated{}, false, nil
			}
			out.Machines = append(out.Machines, machineOf(ch.app, m))
		}
		return out, len(out.Machines) > 0, nil
	})
}

// predicted is what a rolling change will have changed.
func (c *Client) predicted(ctx context.Context, ch change) (Updated, error) {
	out := Updated{Machines: []Machine{}, Skipped: []string{}}
	if binding.IsPlanned(ch.app) {
		return out, nil
	}
	all, err := c.list(ctx, ch.op, ch.app)
	if err != nil {
		return out, err
	}
	for _, m := range inGroup(all, ch.group) {
		if !m.reachable() {
			out.Skipped = append(out.Skipped, m.ID)
			continue
		}
		m.Config = edited(m.Config, "")
		if err := ch.edit(m.Config); err != nil {
			return out, err
		}
		now := machineOf(ch.app, m)
		now.Instance = binding.Planned("instance of " + m.ID)
		out.Machines = append(out.Machines, now)
	}
	return out, nil
}

// inGroup keeps the machines of one process group; "" keeps them all.
func inGroup(all []*machine, group string) []*machine {
	return slices.DeleteFunc(all, func(m *machine) bool { return group != "" && m.group() != group })
}
