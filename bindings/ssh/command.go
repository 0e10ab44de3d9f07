package ssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// outputLimit is how much of a stream is kept: results go into the journal.
const outputLimit = 256 << 10

type runArgs struct {
	Host    string        `lua:"host" doc:"Name or address of the server, with :port when it is not the configured one."`
	Command string        `lua:"command" doc:"For the login shell of the server."`
	User    string        `lua:"user,optional" doc:"User to log in as; that of the settings when not given."`
	Stdin   string        `lua:"stdin,optional" doc:"What the command reads."`
	Check   bool          `lua:"check" default:"true" doc:"Whether an exit code other than 0 raises."`
	Within  time.Duration `lua:"within" default:"5m" doc:"How long it may run; it is killed then."`
}

// Ran is what a command gave.
type Ran struct {
	Exit   int    `lua:"exit" doc:"Its exit code; 128 and more when a signal ended it."`
	Stdout string `lua:"stdout" doc:"What it printed; the last 256 KiB of more."`
	Stderr string `lua:"stderr" doc:"What it complained about; the last 256 KiB of more."`
}

var run = binding.Func[*Client, runArgs, Ran]{
	Name: "run", Effect: binding.Mutates,
	Doc:     "Run a command on a server. It is never sent twice: when its answer is lost, a person has to look.",
	Says:    "run {command} on {host}",
	Raises:  []fault.Kind{fault.Failed, fault.Denied, fault.Unavailable, fault.Timeout},
	Example: `ssh.run { host = "203.0.113.10", command = "systemctl restart webhost" }`,
	Target:  "host",
	Call:    (*Client).run,
	Predict: func(_ *Client, _ context.Context, a runArgs) (Ran, error) {
		return Ran{Stdout: binding.Planned("output of " + a.Command), Stderr: ""}, nil
	},
	Settled: func(_ *Client, _ context.Context, a runArgs) (binding.Settlement[Ran], error) {
		return binding.Settlement[Ran]{Look: fmt.Sprintf("log in to %s and see whether %q ran, and whether it still does", a.Host, a.Command)}, nil
	},
}

type readArgs struct {
	Host    string        `lua:"host" doc:"Name or address of the server, with :port when it is not the configured one."`
	Command string        `lua:"command" doc:"For the login shell of the server. It must only look: it also runs in a plan, and may run more than once."`
	User    string        `lua:"user,optional" doc:"User to log in as; that of the settings when not given."`
	Check   bool          `lua:"check" default:"true" doc:"Whether an exit code other than 0 raises."`
	Within  time.Duration `lua:"within" default:"1m" doc:"How long it may run; it is killed then."`
}

var read = binding.Func[*Client, readArgs, Ran]{
	Name: "read", Effect: binding.Reads,
	Doc:     "Run a command that only looks, such as df or systemctl status. The author of the runbook vouches for that; ssh.run is for the others.",
	Raises:  []fault.Kind{fault.Failed, fault.Denied, fault.Unavailable, fault.Timeout},
	Example: `ssh.read { host = "203.0.113.10", command = "df -h /" }`,
	Target:  "host",
	Call: func(c *Client, ctx context.Context, a readArgs) (Ran, error) {
		return c.run(ctx, runArgs{Host: a.Host, Command: a.Command, User: a.User, Check: a.Check, Within: a.Within})
	},
}

func (c *Client) run(ctx context.Context, a runArgs) (Ran, error) {
	op := fmt.Sprintf("run %q on %s", shorten(a.Command), a.Host)
	client, stop, err := c.login(ctx, a.Host, a.User)
	if err != nil {
		return Ran{}, err
	}
	defer stop()
	session, err := client.NewSession()
	if err != nil {
		return Ran{}, translate(err, op).NothingDone()
	}
	defer session.Close()
	stdout, stderr := &tail{}, &tail{}
	session.Stdout, session.Stderr = stdout, stderr
	if a.Stdin != "" {
		session.Stdin = strings.NewReader(a.Stdin)
	}
	ctx, cancel := context.WithTimeout(ctx, a.Within)
	defer cancel()
	if err := session.Start(a.Command); err != nil {
		return Ran{}, translate(err, op)
	}
	ended := make(chan error, 1)
	go func() { ended <- session.Wait() }()
	select {
	case err = <-ended:
	case <-ctx.Done():
		_ = session.Signal(ssh.SIGKILL) // best effort: the connection closes anyway
		stop()
		<-ended
		if errors.Is(ctx.Err(), context.Canceled) {
			return Ran{}, translate(ctx.Err(), op)
		}
		f := fault.New(fault.Timeout, "it had not ended after %s and was told to stop", a.Within).WithOp("%s", op).
			WithHint("it may still be running there; raise `within`")
		f.Transient = false // another try would take as long
		return Ran{}, f
	}
	return outcome(err, a, op, stdout.String(), stderr.String())
}

// outcome reads how the command ended.
func outcome(err error, a runArgs, op, stdout, stderr string) (Ran, error) {
	out := Ran{Stdout: stdout, Stderr: stderr}
	var exit *ssh.ExitError
	if err != nil && !errors.As(err, &exit) {
		return Ran{}, translate(err, op)
	}
	if exit != nil {
		out.Exit = exit.ExitStatus()
		if exit.Signal() != "" && out.Exit == 0 {
			out.Exit = 128
		}
	}
	if out.Exit != 0 && a.Check {
		said := strings.TrimSpace(lastLines(stderr, 5))
		if said == "" {
			said = strings.TrimSpace(lastLines(stdout, 5))
		}
		f := fault.New(fault.Failed, "exit code %d: %s", out.Exit, said).WithOp("%s", op)
		// How it ended is known, so there is nothing to find out; whether
		// to repeat it is the runbook's decision.
		return Ran{}, f.NothingDone()
	}
	return out, nil
}

// tail keeps the last outputLimit bytes of a stream.
type tail struct{ buf bytes.Buffer }

func (t *tail) Write(p []byte) (int, error) {
	t.buf.Write(p)
	if over := t.buf.Len() - 2*outputLimit; over > 0 {
		t.buf.Next(t.buf.Len() - outputLimit)
	}
	return len(p), nil
}

func (t *tail) String() string {
	b := t.buf.Bytes()
	return string(b[max(0, len(b)-outputLimit):])
}

var _ io.Writer = (*tail)(nil)

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	s = strings.Join(lines[max(0, len(lines)-n):], "\n")
	return s[max(0, len(s)-600):]
}

func shorten(s string) string {
	if len(s) > 60 {
		return s[:57] + "..."
	}
	return s
}
