package fly

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
)

const (
	pollEvery = time.Second
	// grace is how long a mutation whose answer was lost may take to show up
	// before it counts as never received.
	grace      = 6 * time.Second
	graceEvery = 2 * time.Second
)

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

func (b *budget) spent() time.Duration { return b.clock.Now().Sub(b.start) + b.meter.Total() }
func (b *budget) left() time.Duration  { return b.within - b.spent() }

// await polls try until it answers true. A passing fault of a try does not end
// the waiting. When time runs out the fault is a timeout that is not passing,
// whose message is what describe says.
func (c *Client) await(ctx context.Context, b *budget, op string, describe func() string, try func(context.Context) (bool, error)) error {
	var last error
	err := clock.Poll(ctx, c.clock, b.left(), pollEvery, func(ctx context.Context) (bool, error) {
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
	var own *fault.Fault
	switch {
	case err == nil || errors.As(err, &own):
		return err
	case !errors.Is(err, clock.ErrExpired):
		return fault.New(fault.Cancelled, "told to stop while waiting").WithOp("%s", op)
	}
	f := fault.New(fault.Timeout, "%s after %s", describe(), b.within).WithOp("%s", op)
	if last != nil {
		f.Message += "; the last look failed: " + fault.As(last).Message
	}
	f.Transient = false // it was waited for already
	return f
}

// reach waits until a machine is as asked; a state from which it does not get
// there by itself ends the wait.
func (c *Client) reach(ctx context.Context, b *budget, op, app, id, what string, asked func(*machine) bool) (*machine, error) {
	var m *machine
	err := c.await(ctx, b, op, func() string { return stillNot(m, what) }, func(ctx context.Context) (bool, error) {
		seen, err := c.look(ctx, op, app, id)
		if err != nil {
			return false, err
		}
		m = seen
		if asked(m) {
			return true, nil
		}
		binding.Progress(ctx, "%s: %s", op, stillNot(m, what))
		return false, dead(op, app, m, what)
	})
	if err != nil && fault.KindOf(err) == fault.Timeout && m != nil && !m.reachable() {
		err = fault.As(err).WithHint("its host does not answer: fly.clone or fly.move_region builds a substitute elsewhere")
	} else if err != nil && fault.As(err).Hint == "" {
		err = fault.As(err).WithHint("fly.logs { app = %q } and fly.events tell why", app)
	}
	return m, err
}

func stillNot(m *machine, what string) string {
	if m == nil {
		return "the machine is not " + what
	}
	text := fmt.Sprintf("machine %s (%s) is %s and not %s", m.ID, m.Region, m.State, what)
	if bad := m.failing(); len(bad) > 0 {
		text += "; check " + strings.Join(bad, "; check ")
	}
	return text
}

// dead is the fault of a machine that will not get to where it should.
func dead(op, app string, m *machine, what string) error {
	wantsLife := what == "started" || what == "healthy"
	switch {
	case m.State == "failed" || m.State == "launch_failed":
		return fault.New(fault.Failed, "machine %s (%s) is %s", m.ID, m.Region, m.State).WithOp("%s", op).
			WithHint("fly.events tells why; fly.clone makes another one in its place")
	case wantsLife && slices.Contains([]string{"destroyed", "destroying", "replaced"}, m.State):
		return fault.New(fault.Failed, "machine %s is %s", m.ID, m.State).WithOp("%s", op)
	case wantsLife && m.State == "stopped" && m.crashed():
		exit, _ := m.Events[0].exit()
		hint := fmt.Sprintf("the program ends by itself: fly.logs { app = %q } says why; an image that worked before comes back with fly.rollback", app)
		if strings.Contains(exit, "memory") {
			hint = fmt.Sprintf("fly.scale_memory { app = %q, memory = %d } gives it more", app, 2*max(m.memory(), 256))
		}
		return fault.New(fault.Failed, "machine %s (%s) started and stopped again: %s", m.ID, m.Region, exit).WithOp("%s", op).WithHint("%s", hint)
	}
	return nil
}

// appears polls see for as long as something that Fly has received may take to
// show up. Not showing up is no error.
func (c *Client) appears(ctx context.Context, see func(context.Context) (bool, error)) error {
	err := clock.Poll(ctx, c.clock, grace, graceEvery, see)
	if errors.Is(err, clock.ErrExpired) {
		return nil
	}
	return err
}

// settled answers Settled: it looks for as long as a lost mutation may take to
// show up. What is not complete counts as not landed, because every call that
// uses it finds its finished parts again and does only the rest.
func settled[R any](c *Client, ctx context.Context, see func(context.Context) (R, bool, error)) (binding.Settlement[R], error) {
	out := binding.Settlement[R]{Landed: binding.No}
	err := c.appears(ctx, func(ctx context.Context) (bool, error) {
		r, done, err := see(ctx)
		if err == nil && done {
			out.Landed, out.Result = binding.Yes, r
		}
		return done, err
	})
	return out, err
}

// doubtful turns an answer "no" into one that a person has to give, when there
// was something that may be this call's or somebody else's.
func doubtful[R any](s binding.Settlement[R], doubt string) binding.Settlement[R] {
	if s.Landed == binding.No && doubt != "" {
		return binding.Settlement[R]{Look: doubt}
	}
	return s
}

// started tells of a machine that runs, whatever its checks say.
func started(m *machine) bool { return m.State == "started" }

type waitArgs struct {
	App     string        `lua:"app" doc:"Name of the app."`
	Machine string        `lua:"machine" doc:"Id or name of the machine."`
	State   string        `lua:"state" enum:"started,stopped,suspended,destroyed,healthy" default:"healthy" doc:"What to wait for; healthy means started with all checks passing."`
	Within  time.Duration `lua:"within" default:"5m" doc:"How long to wait."`
}

var waitMachine = binding.Func[*Client, waitArgs, Machine]{
	Name: "wait", Effect: binding.Reads,
	Doc: "Wait until a machine has a state. A machine that has failed, or that starts and stops again, ends the wait at once, and the fault says how " +
		"its program ended.",
	Raises:  raises(fault.Failed),
	Example: `fly.wait { app = "webhost-prod", machine = "d891234567890a", state = "healthy" }`,
	Target:  "machine",
	Call: func(c *Client, ctx context.Context, a waitArgs) (Machine, error) {
		op := fmt.Sprintf("wait until %s is %s", a.Machine, a.State)
		m, err := c.find(ctx, op, a.App, a.Machine)
		if err != nil {
			return Machine{}, err
		}
		ctx, b := c.budget(ctx, a.Within)
		m, err = c.reach(ctx, b, op, a.App, m.ID, a.State, func(m *machine) bool {
			return m.State == a.State || a.State == "healthy" && m.healthy()
		})
		if err != nil {
			return Machine{}, err
		}
		return machineOf(a.App, m), nil
	},
}
