package hetzner

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
)

const (
	pollEvery = 500 * time.Millisecond // as the vendor's library does
	idsPerAsk = perPage                // actions that one GET /actions asks for: a page of them
	// grace is how long a mutation whose answer was lost may take to show up
	// in Hetzner's books before it counts as never received.
	grace      = 6 * time.Second
	graceEvery = 2 * time.Second
	// slack covers the whole seconds in which Hetzner counts.
	slack = 2 * time.Second
)

// Action is one piece of work of Hetzner.
type Action struct {
	ID       string    `lua:"id" doc:"Its id."`
	Command  string    `lua:"command" doc:"What it does: reboot_server, create_server, ..."`
	Status   string    `lua:"status" enum:"running,success,error" doc:"How far it is."`
	Progress int       `lua:"progress" doc:"Percent done."`
	Started  time.Time `lua:"started,optional" doc:"When it began."`
	Finished time.Time `lua:"finished,optional" doc:"When it ended; nil while it runs."`
	Error    string    `lua:"error,optional" doc:"Why it failed; nil when it did not."`
}

func actionOf(a *hcloud.Action) Action {
	out := Action{ID: idText(a.ID), Command: a.Command, Status: string(a.Status), Progress: a.Progress, Started: a.Started, Finished: a.Finished}
	if a.ErrorCode != "" {
		out.Error = fmt.Sprintf("%s (%s)", a.ErrorMessage, a.ErrorCode)
	}
	return out
}

func idText(id int64) string { return strconv.FormatInt(id, 10) }

type actionArgs struct {
	ID string `lua:"id" doc:"Id of the action."`
}

var readAction = binding.Func[*Client, actionArgs, Action]{
	Name: "action", Effect: binding.Reads,
	Doc:     "One action of Hetzner: what it does, how far it is, why it failed.",
	Raises:  []fault.Kind{fault.NotFound, fault.Invalid, fault.Denied, fault.Unavailable},
	Example: `hetzner.action { id = "1234567" }`,
	Call:    (*Client).action,
}

func (c *Client) action(ctx context.Context, a actionArgs) (Action, error) {
	op := "look up action " + a.ID
	id, err := strconv.ParseInt(a.ID, 10, 64)
	if err != nil {
		return Action{}, fault.New(fault.Invalid, "%q is not the id of an action", a.ID).WithOp("%s", op)
	}
	found, _, err := c.api.Action.GetByID(ctx, id)
	if err != nil {
		return Action{}, c.translate(op, err)
	}
	if found == nil {
		return Action{}, fault.New(fault.NotFound, "Hetzner knows no action %s", a.ID).WithOp("%s", op)
	}
	return actionOf(found), nil
}

// budget is the time a call may spend waiting, in the clock's own time.
type budget struct {
	clock  clock.Clock
	meter  *clock.Meter
	start  time.Time
	within time.Duration
}

func (c *Client) budget(ctx context.Context, within time.Duration) (context.Context, *budget) {
	ctx, meter := clock.WithMeter(ctx)
	return ctx, &budget{clock: c.clock, meter: meter, start: c.clock.Now(), within: within}
}

func (b *budget) left() time.Duration {
	return b.within - b.clock.Now().Sub(b.start) - b.meter.Total()
}

// await polls try until it answers true. A passing fault of a try does not end
// the waiting. When time runs out the fault is a timeout that is not passing:
// whoever wants to wait longer says so.
func (c *Client) await(ctx context.Context, b *budget, op, what string, try func(context.Context) (bool, error)) error {
	return c.awaitEvery(ctx, b, op, what, pollEvery, try)
}

// awaitEvery is await for a try that keeps its own pace when every is 0.
func (c *Client) awaitEvery(ctx context.Context, b *budget, op, what string, every time.Duration, try func(context.Context) (bool, error)) error {
	var last error
	err := clock.Poll(ctx, c.clock, b.left(), every, func(ctx context.Context) (bool, error) {
		done, err := try(ctx)
		last = nil
		if err == nil {
			return done, nil
		}
		f := fault.As(err)
		if !f.Transient || ctx.Err() != nil {
			return false, err
		}
		last = err
		binding.Progress(ctx, "%s: %s; asking again", op, f.Message)
		if wait := min(f.RetryAfter, b.left()); wait > pollEvery {
			return false, c.clock.Sleep(ctx, wait-pollEvery)
		}
		return false, nil
	})
	if !errors.Is(err, clock.ErrExpired) {
		return c.translate(op, err)
	}
	f := fault.New(fault.Timeout, "%s after %s", what, b.within).WithOp("%s", op)
	if last != nil {
		f.Message += "; the last look failed: " + fault.As(last).Message
	}
	f.Transient = false
	return f
}

// finish waits until every action of an accepted mutation has succeeded. The
// first that failed is a fault of kind failed; time running out is one of kind
// timeout.
func (c *Client) finish(ctx context.Context, b *budget, op string, actions ...*hcloud.Action) error {
	pending := map[int64]bool{}
	settle := func(a *hcloud.Action) error {
		if a == nil {
			return nil
		}
		if a.ID == 0 {
			return fault.New(fault.Failed, "the answer names no action, and so is not what the API promises").WithOp("%s", op).
				WithHint("check endpoint under [env.NAME.hetzner]")
		}
		pending[a.ID] = a.Status == hcloud.ActionStatusRunning
		if !pending[a.ID] {
			delete(pending, a.ID)
		}
		return c.translate(op, a.Error())
	}
	for _, a := range actions { // some are done when they are answered
		if err := settle(a); err != nil {
			return err
		}
	}
	if len(pending) == 0 {
		return nil
	}
	// The rounds of c.progress are pollEvery apart, whoever asks.
	err := c.awaitEvery(ctx, b, op, fmt.Sprintf("Hetzner's action %v is not finished", ids(pending)), 0, func(ctx context.Context) (bool, error) {
		seen, err := c.progress.get(ctx, ids(pending)...)
		if err != nil {
			return false, c.translate(op, err)
		}
		for _, id := range ids(pending) {
			a := seen[id]
			if a == nil {
				continue // not in Hetzner's books yet
			}
			binding.Progress(ctx, "%s %d %%", a.Command, a.Progress)
			if err := settle(a); err != nil {
				return false, err
			}
		}
		return len(pending) == 0, nil
	})
	return accepted(err)
}

// askActions looks at the actions that any branch waits for.
func (c *Client) askActions(ctx context.Context, asked []int64) (map[int64]*hcloud.Action, error) {
	defer c.pace.refund(ctx)
	slices.Sort(asked)
	seen := map[int64]*hcloud.Action{}
	for chunk := range slices.Chunk(slices.Compact(asked), idsPerAsk) {
		found, err := c.api.Action.AllWithOpts(ctx, hcloud.ActionListOpts{ID: chunk, ListOpts: hcloud.ListOpts{PerPage: perPage}})
		if err != nil {
			return nil, err
		}
		for _, a := range found {
			seen[a.ID] = a
		}
	}
	return seen, nil
}

// accepted corrects what a fault says of a mutation that Hetzner has accepted
// before: a wait that ran out is known to be done, and a look that failed (a
// revoked token, say) leaves open what became of it.
func accepted(err error) error {
	if err == nil {
		return nil
	}
	f := *fault.As(err)
	switch {
	case f.Sent == fault.Done:
	case f.Kind == fault.Timeout && !f.Transient:
		f.AlreadyDone()
	default:
		f.Sent = fault.Unclear
	}
	return &f
}

func ids(set map[int64]bool) []int64 {
	out := make([]int64, 0, len(set))
	for id := range set {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

// mark remembers the newest action of any server before a mutation leaves, so
// that trace can tell the mutation's own action from older ones. It asks for
// that of all servers, because branches can share the answer.
func (c *Client) mark(ctx context.Context, op string) error {
	key := binding.Key(ctx)
	if key == "" {
		return nil
	}
	seen, _, err := c.api.Server.Action.List(ctx, hcloud.ActionListOpts{Sort: []string{"id:desc"}, ListOpts: hcloud.ListOpts{PerPage: 1}})
	if err != nil {
		return c.translate(op, err)
	}
	newest := int64(0)
	for _, a := range seen {
		newest = max(newest, a.ID)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.marks[key] = newest
	return nil
}

// recent lists the newest actions of a server.
func (c *Client) recent(ctx context.Context, server *hcloud.Server, opts hcloud.ActionListOpts) ([]*hcloud.Action, *hcloud.Response, error) {
	opts.Sort, opts.PerPage = []string{"id:desc"}, 50
	return c.api.Server.Action.ListFor(ctx, server, opts)
}

// trace looks for the action that the mutation of ctx's key has caused. known
// is false when nothing tells the mutation's action from an older one: then a
// person has to look. action is nil when there is none.
func (c *Client) trace(ctx context.Context, op string, server *hcloud.Server, command string) (action *hcloud.Action, known bool, err error) {
	c.mu.Lock()
	mark, marked := c.marks[binding.Key(ctx)]
	c.mu.Unlock()
	since := binding.Since(ctx)
	if !marked && since.IsZero() {
		return nil, false, nil
	}
	doubtful := false
	ctx, b := c.budget(ctx, grace)
	err = clock.Poll(ctx, c.clock, b.left(), graceEvery, func(ctx context.Context) (bool, error) {
		seen, resp, err := c.recent(ctx, server, hcloud.ActionListOpts{})
		if err != nil {
			return false, c.translate(op, err)
		}
		from := since.Add(c.ahead(resp) - slack)
		for _, a := range seen {
			ours := a.ID > mark
			if !marked {
				ours = !a.Started.Before(from)
			}
			if a.Command == command && ours {
				action = a
				return true, nil
			}
			// Numbered as if before the mutation, begun after it: the numbers
			// do not tell, or somebody else was faster by a moment.
			if a.Command == command && !since.IsZero() && a.Started.After(from.Add(2*slack)) {
				doubtful = true
			}
		}
		return false, nil
	})
	if errors.Is(err, clock.ErrExpired) {
		return nil, !doubtful, nil
	}
	return action, true, c.translate(op, err)
}

// ahead is how far Hetzner's clock is ahead of ours; 0 when it does not say or
// when the difference is within the header's whole seconds.
func (c *Client) ahead(resp *hcloud.Response) time.Duration {
	at, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return 0
	}
	d := at.Sub(c.clock.Now())
	if d.Abs() <= slack {
		return 0
	}
	return d
}

// settlePresent finds out what became of a mutation that brings about a state:
// running lists the actions still at work on the thing, read answers its state
// and whether that is as asked.
func settlePresent[R any](c *Client, ctx context.Context, op string, within time.Duration,
	running func(context.Context) ([]*hcloud.Action, error), read func(context.Context) (R, bool, error)) (binding.Settlement[R], error) {
	ctx, b := c.budget(ctx, within)
	out := binding.Settlement[R]{Landed: binding.No}
	err := clock.Poll(ctx, c.clock, min(grace, within), graceEvery, func(ctx context.Context) (bool, error) {
		busy, err := running(ctx)
		if err != nil {
			return false, c.translate(op, err)
		}
		// An action that fails says nothing about ours: the state decides.
		if err := c.finish(ctx, b, op, busy...); err != nil && fault.KindOf(err) != fault.Failed {
			return false, err
		}
		r, asked, err := read(ctx)
		if err == nil && asked {
			out.Landed, out.Result = binding.Yes, r
		}
		return asked, err
	})
	switch {
	case errors.Is(err, clock.ErrExpired):
		return out, nil
	case fault.KindOf(err) == fault.Timeout && fault.As(err).Sent == fault.Done:
		return binding.Settlement[R]{Look: fault.As(err).Error()}, nil
	}
	return out, c.translate(op, err)
}

// busy selects the actions that are still running.
func busy(actions []*hcloud.Action, err error) ([]*hcloud.Action, error) {
	var out []*hcloud.Action
	for _, a := range actions {
		if a.Status == hcloud.ActionStatusRunning {
			out = append(out, a)
		}
	}
	return out, err
}

func (c *Client) busyServer(server *hcloud.Server) func(context.Context) ([]*hcloud.Action, error) {
	return func(ctx context.Context) ([]*hcloud.Action, error) {
		actions, _, err := c.recent(ctx, server, hcloud.ActionListOpts{Status: []hcloud.ActionStatus{hcloud.ActionStatusRunning}})
		return busy(actions, err)
	}
}
