package hetzner

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// holding is a kind of thing that one server has at a time: an address or a
// volume. V is what the vendor's library makes of it, T what a runbook gets.
type holding[V, T any] struct {
	what   string // "volume", for messages
	get    func(*Client, context.Context, string) (*V, *hcloud.Response, error)
	byID   func(*Client, context.Context, int64) (*V, *hcloud.Response, error)
	all    func(*Client, context.Context, hcloud.ListOpts) ([]*V, error)
	acts   func(*Client, context.Context, *V, hcloud.ActionListOpts) ([]*hcloud.Action, *hcloud.Response, error)
	id     func(*V) int64
	name   func(*V) string
	holder func(*V) int64               // the server that has it; 0: none
	shown  func(*V, map[int64]string) T // with the names of servers by id
}

func (h *holding[V, T]) find(c *Client, ctx context.Context, op, name string) (*V, error) {
	get := func(ctx context.Context, name string) (*V, *hcloud.Response, error) { return h.get(c, ctx, name) }
	return lookUp(ctx, c, op, h.what, name, get, func(ctx context.Context) ([]string, error) {
		all, err := h.all(c, ctx, hcloud.ListOpts{})
		return namesOf(all, h.name), err
	})
}

// finder is find of one client.
func (h *holding[V, T]) finder(c *Client) func(context.Context, string, string) (*V, error) {
	return func(ctx context.Context, op, name string) (*V, error) { return h.find(c, ctx, op, name) }
}

// read is one of them by name, as a runbook sees it.
func (h *holding[V, T]) read(c *Client, ctx context.Context, name string) (T, error) {
	var none T
	op := "look up " + h.what + " " + name
	v, err := h.find(c, ctx, op, name)
	if err != nil {
		return none, err
	}
	names, err := c.serverNames(ctx, op, h.holder(v))
	return h.shown(v, names), err
}

// list is all of them by name, those of one server, or those with a label.
func (h *holding[V, T]) list(c *Client, ctx context.Context, server, label string) ([]T, error) {
	op := "list " + h.what + "s"
	only := int64(0)
	if server != "" {
		s, err := c.find(ctx, op, server)
		if err != nil {
			return nil, err
		}
		if only = s.ID; only == 0 {
			return nil, nil // foretold by a plan: none yet
		}
	}
	all, err := h.all(c, ctx, hcloud.ListOpts{LabelSelector: label})
	if err != nil {
		return nil, c.translate(op, err)
	}
	all = slices.DeleteFunc(all, func(v *V) bool { return server != "" && h.holder(v) != only })
	slices.SortFunc(all, func(a, b *V) int { return cmp.Compare(h.name(a), h.name(b)) })
	var servers []int64
	for _, v := range all {
		servers = append(servers, h.holder(v))
	}
	names, err := c.serverNames(ctx, op, servers...)
	if err != nil {
		return nil, err
	}
	var out []T
	for _, v := range all {
		out = append(out, h.shown(v, names))
	}
	return out, nil
}

func (h *holding[V, T]) now(c *Client, ctx context.Context, op string, id int64) (T, *V, error) {
	var none T
	v, _, err := h.byID(c, ctx, id)
	if err != nil {
		return none, nil, c.translate(op, err)
	}
	if v == nil {
		return none, nil, fault.New(fault.NotFound, "the %s %d is gone", h.what, id).WithOp("%s", op)
	}
	names, err := c.serverNames(ctx, op, h.holder(v))
	return h.shown(v, names), v, err
}

// withServer finds one of them and the server that shall have it.
func (h *holding[V, T]) withServer(c *Client, ctx context.Context, op, name, server string) (*V, *hcloud.Server, error) {
	v, err := h.find(c, ctx, op, name)
	if err != nil {
		return nil, nil, before(err)
	}
	s, err := c.find(ctx, op, server)
	if err != nil {
		return nil, nil, before(err)
	}
	return v, s, nil
}

// done waits for an accepted change.
func (h *holding[V, T]) done(c *Client, ctx context.Context, op string, v *V, within time.Duration, action *hcloud.Action, err error) (T, error) {
	var none T
	if err != nil {
		return none, c.translate(op, err)
	}
	ctx, b := c.budget(ctx, within)
	if err := c.finish(ctx, b, op, action); err != nil {
		return none, err
	}
	out, _, err := h.now(c, ctx, op, h.id(v))
	return out, accepted(err)
}

// settled waits for what is still at work on v and compares the server that
// has it then; 0 is none.
func (h *holding[V, T]) settled(c *Client, ctx context.Context, v *V, server int64, within time.Duration) (binding.Settlement[T], error) {
	op := "find out about the " + h.what + " " + h.name(v)
	running := func(ctx context.Context) ([]*hcloud.Action, error) {
		actions, _, err := h.acts(c, ctx, v, hcloud.ActionListOpts{Status: []hcloud.ActionStatus{hcloud.ActionStatusRunning}})
		return busy(actions, err)
	}
	return settlePresent(c, ctx, op, within, running, func(ctx context.Context) (T, bool, error) {
		out, now, err := h.now(c, ctx, op, h.id(v))
		return out, err == nil && h.holder(now) == server, err
	})
}

// released finds out whether the one called name has been taken from its server.
func (h *holding[V, T]) released(c *Client, ctx context.Context, name string, within time.Duration) (binding.Settlement[T], error) {
	v, err := h.find(c, ctx, "find out about the "+h.what+" "+name, name)
	if err != nil {
		return binding.Settlement[T]{}, err
	}
	return h.settled(c, ctx, v, 0, within)
}
