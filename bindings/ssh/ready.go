package ssh

import (
	"context"
	"errors"
	"time"

	"github.com/webhost-systems/drhost/bindings/sshlink"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
)

type readyArgs struct {
	Host string `lua:"host" doc:"Name or address of the server, with :port when it is not the configured one."`
	User string `lua:"user,optional" doc:"User to log in as; that of the settings when not given."`
}

// Readiness says whether a server lets us in.
type Readiness struct {
	OK     bool   `lua:"ok" doc:"Whether it accepts a login."`
	Reason string `lua:"reason,optional" doc:"Why not."`
}

var ready = binding.Func[*Client, readyArgs, Readiness]{
	Name: "ready", Effect: binding.Reads,
	Doc: "Try once whether a server lets us in. One that is down, hung or unknown is an answer, not a fault; " +
		"only wrong settings and a changed host key raise.",
	Raises:  []fault.Kind{fault.Invalid, fault.Denied},
	Example: `ssh.ready { host = "203.0.113.10" }`,
	Target:  "host",
	Call: func(c *Client, ctx context.Context, a readyArgs) (Readiness, error) {
		_, stop, err := c.login(ctx, a.Host, a.User)
		if err == nil {
			stop()
			return Readiness{OK: true}, nil
		}
		f := fault.As(err)
		if f.Kind == fault.Invalid || f.Kind == fault.Cancelled || f.Kind == fault.Internal || errors.Is(err, sshlink.ErrChangedKey) {
			return Readiness{}, err
		}
		return Readiness{Reason: f.Message}, nil
	},
}

type waitReadyArgs struct {
	Host   string        `lua:"host" doc:"Name or address of the server, with :port when it is not the configured one."`
	User   string        `lua:"user,optional" doc:"User to log in as; that of the settings when not given."`
	Within time.Duration `lua:"within" default:"5m" doc:"How long to wait."`
}

// Waited says how long a wait took.
type Waited struct {
	Elapsed time.Duration `lua:"elapsed" doc:"How long it took."`
}

var waitReady = binding.Func[*Client, waitReadyArgs, Waited]{
	Name: "wait_ready", Effect: binding.Reads,
	Doc: "Wait until a server lets us in. A host key that is not known ends the wait at once: ssh.trust it first. " +
		"A key that is not accepted yet is waited for, because new servers install it late.",
	Raises:  []fault.Kind{fault.Timeout, fault.Denied, fault.Invalid},
	Example: `ssh.wait_ready { host = "203.0.113.10", within = "5m" }`,
	Target:  "host",
	Call:    (*Client).waitReady,
}

func (c *Client) waitReady(ctx context.Context, a waitReadyArgs) (Waited, error) {
	ctx, meter := clock.WithMeter(ctx)
	start := c.env.Clock.Now()
	err := c.until(ctx, a.Within, func(ctx context.Context) error {
		_, stop, err := c.login(ctx, a.Host, a.User)
		if err == nil {
			stop()
			return nil
		}
		f := fault.As(err)
		if f.Kind == fault.Denied && !errors.Is(err, sshlink.ErrUnknownKey) && !errors.Is(err, sshlink.ErrChangedKey) {
			f.Transient = true // the key may be installed a little later
		}
		return f
	})
	if err != nil {
		return Waited{}, err
	}
	return Waited{Elapsed: (c.env.Clock.Now().Sub(start) + meter.Total()).Round(time.Millisecond)}, nil
}
