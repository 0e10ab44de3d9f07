package notify

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

type sendArgs struct {
	Channel  string        `lua:"channel,optional" doc:"One channel, whatever it is meant for; all that are meant for the severity when not given."`
	Subject  string        `lua:"subject" doc:"One line."`
	Text     string        `lua:"text" doc:"The message."`
	Severity string        `lua:"severity" enum:"critical,high,medium,low,info" default:"info" doc:"How urgent it is."`
	Within   time.Duration `lua:"within" default:"15s" doc:"How long a channel may take."`
}

// Delivery is what became of a message on one channel.
type Delivery struct {
	Name   string `lua:"name" doc:"The channel."`
	OK     bool   `lua:"ok" doc:"Whether it took the message."`
	Reason string `lua:"reason,optional" doc:"Why not."`
}

var send = binding.Func[*Client, sendArgs, []Delivery]{
	Name: "send", Effect: binding.Mutates,
	Doc: "Send a message. One channel that fails does not stop the others: look at ok of each. Only when all of them fail it raises. " +
		"In a drill the subject starts with [DRILL].",
	Says:    "send the message {subject}",
	Raises:  []fault.Kind{fault.Unavailable, fault.Invalid},
	Example: `notify.send { subject = "Hobby tier is down", text = "We are restoring it from the 03:00 backup.", severity = "critical" }`,
	Target:  "channel",
	Call:    (*Client).send,
	Predict: (*Client).predict,
	Settled: (*Client).settled,
}

type testArgs struct {
	Channel string        `lua:"channel,optional" doc:"One channel; all when not given."`
	Within  time.Duration `lua:"within" default:"15s" doc:"How long a channel may take."`
}

var test = binding.Func[*Client, testArgs, []Delivery]{
	Name: "test", Effect: binding.Mutates,
	Doc:     "Send a message that says that it is a test, to see whether a channel works before it is needed.",
	Says:    "send a test message",
	Raises:  []fault.Kind{fault.Unavailable, fault.Invalid},
	Example: `notify.test { channel = "console" }`,
	Target:  "channel",
	Call: func(c *Client, ctx context.Context, a testArgs) ([]Delivery, error) {
		return c.send(ctx, a.message())
	},
	Predict: func(c *Client, ctx context.Context, a testArgs) ([]Delivery, error) {
		return c.predict(ctx, a.message())
	},
	Settled: func(c *Client, ctx context.Context, a testArgs) (binding.Settlement[[]Delivery], error) {
		return c.settled(ctx, a.message())
	},
}

// message is the test message; without a severity it goes to every channel.
func (a testArgs) message() sendArgs {
	return sendArgs{Channel: a.Channel, Within: a.Within, Subject: "Test message", Text: "This is a test of drhost's notifications. Nothing has happened."}
}

// message is what is written to files and webhooks.
type message struct {
	ID          string    `json:"id,omitempty"` // idempotency key of the call
	Time        time.Time `json:"time"`
	Environment string    `json:"environment"`
	Drill       bool      `json:"drill"`
	Severity    string    `json:"severity"`
	Subject     string    `json:"subject"`
	Text        string    `json:"text"`
}

func (c *Client) message(ctx context.Context, a sendArgs) message {
	m := message{ID: binding.Key(ctx), Time: c.env.Clock.Now().UTC(), Environment: c.env.Name, Drill: c.drill,
		Severity: a.Severity, Subject: strings.Join(strings.Fields(a.Subject), " "), Text: a.Text}
	if m.Severity == "" {
		m.Severity = "info"
	}
	if c.drill && !strings.HasPrefix(m.Subject, drillMark) {
		m.Subject = drillMark + " " + m.Subject
	}
	return m
}

func (c *Client) send(ctx context.Context, a sendArgs) ([]Delivery, error) {
	names, err := c.meant(a.Channel, a.Severity)
	if err != nil {
		return nil, err
	}
	m := c.message(ctx, a)
	faults := make([]*fault.Fault, len(names))
	var all sync.WaitGroup
	for i, name := range names {
		all.Go(func() { faults[i] = c.deliver(ctx, c.channels[name], m, a.Within) })
	}
	all.Wait()
	out := make([]Delivery, len(names))
	failed := 0
	for i, name := range names {
		out[i] = Delivery{Name: name, OK: faults[i] == nil}
		if faults[i] != nil {
			out[i].Reason = faults[i].Message
			failed++
		}
	}
	if failed == len(names) {
		return nil, nobody(ctx, out, faults)
	}
	return out, nil
}

// nobody is the fault of a message that no channel took. It is certain that
// nothing was done when that is certain of each.
func nobody(ctx context.Context, out []Delivery, faults []*fault.Fault) *fault.Fault {
	if ctx.Err() == context.Canceled {
		return &fault.Fault{Kind: fault.Cancelled, Op: "send a message", Message: "stopped before a channel took it", Cause: ctx.Err()}
	}
	var reasons []string
	f := fault.New(fault.Unavailable, "")
	f.Sent, f.Transient = fault.NotDone, false
	for i, each := range faults {
		reasons = append(reasons, out[i].Name+": "+each.Message)
		f.Transient = f.Transient || each.Transient
		f.RetryAfter = max(f.RetryAfter, each.RetryAfter)
		if each.Sent != fault.NotDone {
			f.Sent = fault.Unclear
		}
	}
	f.Message = fmt.Sprintf("no channel took the message: %s", strings.Join(reasons, "; "))
	return f.WithOp("send a message").WithHint("tell people by other means; notify.test tries the channels")
}

// deliver hands a message to one channel; nil means that it took it.
func (c *Client) deliver(ctx context.Context, ch channel, m message, within time.Duration) *fault.Fault {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var err error
	switch ch.Kind {
	case "console":
		binding.Progress(ctx, "%s (%s)\n%s", m.Subject, m.Severity, m.Text)
	case "file":
		err = c.appendTo(ch.Path, m)
	case "webhook":
		err = c.post(ctx, ch, m)
	}
	if err == nil {
		return nil
	}
	return fault.As(err)
}

func (c *Client) predict(_ context.Context, a sendArgs) ([]Delivery, error) {
	names, err := c.meant(a.Channel, a.Severity)
	if err != nil {
		return nil, err
	}
	out := make([]Delivery, len(names))
	for i, name := range names {
		out[i] = Delivery{Name: name, OK: true}
	}
	return out, nil
}

// settled looks into the files. A webhook cannot be asked; a terminal may be
// written to twice.
func (c *Client) settled(ctx context.Context, a sendArgs) (binding.Settlement[[]Delivery], error) {
	var s binding.Settlement[[]Delivery]
	names, err := c.meant(a.Channel, a.Severity)
	if err != nil {
		return s, err
	}
	s.Landed = binding.Yes
	var webhooks []string
	for _, name := range names {
		s.Result = append(s.Result, Delivery{Name: name, OK: true})
		switch ch := c.channels[name]; ch.Kind {
		case "webhook":
			webhooks = append(webhooks, name)
		case "file":
			found, err := holds(ch.Path, binding.Key(ctx))
			if err != nil {
				return binding.Settlement[[]Delivery]{}, broken(err)
			}
			if !found {
				s.Landed = binding.No
			}
		case "console":
			s.Landed = binding.No
		}
	}
	if len(webhooks) > 0 {
		return binding.Settlement[[]Delivery]{Look: fmt.Sprintf("see whether %q arrived on %s", a.Subject, strings.Join(webhooks, ", "))}, nil
	}
	return s, nil
}
