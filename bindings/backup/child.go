package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/webhost-systems/drhost/host/fault"
)

// child is one run of a PostgreSQL program.
type child struct {
	program string // full path
	args    []string
	env     []string
	passing []*os.File // its files 3 and up
	out     io.Writer
}

// link is a way for child processes to reach a server: a forwarded port and
// a password file that only this user can read and that does not outlive
// drhost, also when it is killed.
type link struct {
	parameters func(database string) string
	env        []string
	passing    []*os.File
	close      func()
}

// child is a run of program over the link.
func (l *link) child(program string, args ...string) child {
	return child{program: program, args: args, env: l.env, passing: l.passing}
}

// link opens the way; close it when the children have ended.
func (c *Client) link(ctx context.Context, s server) (*link, error) {
	local, unforward, err := c.env.Net.Forward(ctx, s.address())
	if err != nil {
		return nil, translate(err, "open a way to "+s.host).NothingDone()
	}
	host, portText, err := net.SplitHostPort(local)
	port, bad := strconv.Atoi(portText)
	if err = errors.Join(err, bad); err != nil {
		unforward()
		return nil, translate(err, "open a way to "+s.host)
	}
	// One line: host, port, database and user match anything.
	line := "*:*:*:*:" + strings.NewReplacer(`\`, `\\`, `:`, `\:`).Replace(s.password.Reveal()) + "\n"
	path, passing, remove, err := passwordFile(line)
	if err != nil {
		unforward()
		return nil, translate(err, "write a password file")
	}
	return &link{
		parameters: func(database string) string { return s.parameters(database, host, port) },
		env:        []string{"PGPASSFILE=" + path, "PGGSSENCMODE=disable", "PGCONNECT_TIMEOUT=30"},
		passing:    passing,
		close: func() {
			remove()
			unforward()
		},
	}, nil
}

// run starts the child in a process group of its own and waits. When ctx ends
// the whole group is killed. A write that fails is reported as such, not as
// the broken pipe that the child sees.
func (k child) run(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, k.program, k.args...)
	cmd.Env = append([]string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")}, k.env...)
	cmd.ExtraFiles = k.passing
	cmd.SysProcAttr = ownGroup()
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	var said bytes.Buffer
	cmd.Stderr = &said
	sink := &watched{to: k.out}
	if k.out != nil {
		cmd.Stdout = sink
	}
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case sink.err != nil:
		return sink.err
	case err != nil:
		return k.explain(err, said.String())
	}
	return nil
}

// explain makes a fault of a child's exit. Lines that quote data (CONTEXT,
// DETAIL) are left out.
func (k child) explain(err error, said string) error {
	name := filepath.Base(k.program)
	var lines []string
	for _, line := range strings.Split(said, "\n") {
		if strings.Contains(line, "error:") || strings.Contains(line, "FATAL") {
			lines = append(lines, strings.TrimPrefix(strings.TrimSpace(line), name+": "))
		}
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			lines = append(lines, fmt.Sprintf("it was ended by signal %d (%s)", int(status.Signal()), status.Signal()))
		}
	}
	if len(lines) == 0 {
		lines = append(lines, err.Error())
	}
	text := strings.Join(lines[:min(len(lines), 3)], "; ")
	f := fault.New(fault.Failed, "%s: %s", name, text)
	f.Cause = err
	switch {
	case strings.Contains(text, "could not connect"), strings.Contains(text, "connection to server"), strings.Contains(text, "server closed the connection"):
		f.Kind, f.Transient = fault.Unavailable, true
	case strings.Contains(text, "No space left"):
		f.Kind = fault.Exhausted
	case strings.Contains(text, "permission denied"):
		f.Kind = fault.Denied
	}
	return f
}

// watched remembers the first write that failed.
type watched struct {
	to  io.Writer
	err error
}

func (w *watched) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	if err != nil && w.err == nil {
		w.err = err
	}
	return n, err
}
