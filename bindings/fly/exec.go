package fly

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

type execArgs struct {
	App     string        `lua:"app" doc:"Name of the app."`
	Machine string        `lua:"machine" doc:"Id or name of the machine."`
	Command []string      `lua:"command" doc:"Program and arguments; no shell reads them: { \"sh\", \"-c\", \"...\" } when one should."`
	Stdin   string        `lua:"stdin,optional" doc:"What the program reads."`
	Within  time.Duration `lua:"within" default:"1m" doc:"How long it may run."`
}

// Executed is how a program ended.
type Executed struct {
	Stdout string `lua:"stdout" doc:"What it printed."`
	Stderr string `lua:"stderr" doc:"What it complained."`
}

var execFunc = binding.Func[*Client, execArgs, Executed]{
	Name: "exec", Effect: binding.Mutates,
	Doc: "Run a program on a machine. A program that ends with anything but 0 raises: Fly itself answers 200 then, and flyctl exits 0. " +
		"It is never sent twice: when the answer is lost a person has to look, because only the author of the command knows how to tell.",
	Says:    "run {command} on machine {machine} of {app}",
	Raises:  raises(fault.Conflict, fault.Failed),
	Example: `fly.exec { app = "webhost-prod", machine = "d891234567890a", command = { "uptime" } }`,
	Target:  "machine",
	Call: func(c *Client, ctx context.Context, a execArgs) (Executed, error) {
		op := fmt.Sprintf("run %s on machine %s", strings.Join(a.Command, " "), a.Machine)
		m, err := c.find(ctx, op, a.App, a.Machine)
		if err != nil {
			return Executed{}, before(err)
		}
		if !m.reachable() {
			return Executed{}, deadHost(op, a.App, m)
		}
		return c.exec(ctx, op, a.App, m.ID, "", a.Stdin, a.Within, a.Command...)
	},
	Predict: func(*Client, context.Context, execArgs) (Executed, error) {
		return Executed{Stdout: binding.Planned("what the program prints"), Stderr: binding.Planned("what the program complains")}, nil
	},
	Settled: func(_ *Client, _ context.Context, a execArgs) (binding.Settlement[Executed], error) {
		return binding.Settlement[Executed]{Look: fmt.Sprintf("see on machine %s of %s whether %q took effect", a.Machine, a.App, strings.Join(a.Command, " "))}, nil
	},
}

// exec runs a program on a machine; an exit code other than 0 is a fault of
// kind failed with the last line that the program complained.
func (c *Client) exec(ctx context.Context, op, app, id, nonce, stdin string, within time.Duration, command ...string) (Executed, error) {
	if len(command) == 0 || command[0] == "" {
		return Executed{}, fault.New(fault.Invalid, "the command is empty").WithOp("%s", op)
	}
	var out struct {
		Code   int    `json:"exit_code"`
		Signal int    `json:"exit_signal"`
		Stdout string `json:"stdout"`
		Stderr string `json:"stderr"`
	}
	body := map[string]any{"command": command, "timeout": int(max(within.Seconds(), 1))}
	if stdin != "" {
		body["stdin"] = stdin
	}
	err := c.do(ctx, op, request{action: "exec", subject: id, method: http.MethodPost, nonce: nonce, body: body, within: within,
		url: c.appURL(app, "/machines/%s/exec", id)}, &out)
	if err != nil {
		return Executed{}, err
	}
	done := Executed{out.Stdout, out.Stderr}
	if out.Code == 0 && out.Signal == 0 {
		return done, nil
	}
	how := fmt.Sprintf("exit code %d", out.Code)
	if out.Signal != 0 {
		how = fmt.Sprintf("signal %d", out.Signal)
	}
	said := lastLine(out.Stderr)
	if said == "" {
		said = lastLine(out.Stdout)
	}
	f := fault.New(fault.Failed, "%s ended with %s: %s", command[0], how, said).WithOp("%s", op)
	if out.Code == 127 {
		f.WithHint("the machine's image has no program of that name")
	}
	return done, f.AlreadyDone()
}

// lastLine is where programs say what was wrong.
func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return short(s[strings.LastIndexByte(s, '\n')+1:])
}
