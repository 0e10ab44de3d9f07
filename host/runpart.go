package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/webhost-systems/drhost/host/drill"
	"github.com/webhost-systems/drhost/host/run"
)

// starts is how often the run part of a drill is started when it dies before
// it has begun.
const starts = 3

// runPart executes the runbook in a child process, so that it can be killed as
// in life, and waits until the run has ended.
func (h *Host) runPart(ctx context.Context, p *project, d *drill.Drill, r DrillRequest, id string, detected time.Time) error {
	code := -1
	for try := 1; ; try++ {
		var err error
		if code, err = p.child(ctx, d, r, id, detected); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return &Error{run.ExitInterrupted, fmt.Errorf("drill %q: interrupted; its world has ended with it, so run %s cannot be resumed: hold the drill again", d.Title, id)}
		}
		if code == run.ExitUsage {
			return &Error{run.ExitUsage, fmt.Errorf("the run part of drill %q did not start", d.Title)}
		}
		if code != -1 && code != run.ExitInterrupted {
			return nil // it ended by itself, well or not: the journal knows
		}
		if records, err := p.store.Read(ctx, id); err == nil && begun(records) || try == starts {
			break
		}
		r.Say("drill %q: the run part died before the run began; starting it again", d.Title)
	}
	r.Say("drill %q: the run part died; the world stays up. In another terminal: drhost resume %s --state %s", d.Title, id, p.state)
	stopped := func(message string) {
		r.Say("drill %q: the resumed run has stopped: %s\nthe world stays up; resume it once more", d.Title, message)
	}
	if err := p.waitForRun(ctx, id, stopped); err != nil {
		return &Error{run.ExitInterrupted, fmt.Errorf("drill %q: given up waiting for run %s to be resumed", d.Title, id)}
	}
	return nil
}

// child starts the run part and waits for its end. Its standard input is a
// tether: a line asks it to stop at the next safe point, and when the drill
// dies, and with it the world, the part ends as well.
func (p *project) child(ctx context.Context, d *drill.Drill, r DrillRequest, id string, detected time.Time) (code int, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	answers, err := json.Marshal(d.Operator)
	if err != nil {
		return 0, err
	}
	args := append([]string{"run", d.Runbook, "--env", "sim:" + id, "--run-id", id, "--drill", d.Title, "--answers", string(answers),
		"--no-input", "--tethered", "--state", p.state, "--detected-at", detected.Format(time.RFC3339Nano)}, r.Flags...)
	for _, in := range d.Inputs() {
		args = append(args, "--input", in)
	}
	child := exec.Command(self, args...)
	child.Stdout, child.Stderr = r.Out, r.Err
	tether, err := child.StdinPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		return 0, fmt.Errorf("start the run part: %w", err)
	}
	// A part that has ended already does not read it, and need not.
	release := context.AfterFunc(ctx, func() { io.WriteString(tether, "stop\n") })
	err = child.Wait()
	release()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, fmt.Errorf("wait for the run part: %w", err)
	}
	return child.ProcessState.ExitCode(), nil
}
