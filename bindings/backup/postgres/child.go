package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/webhost-systems/drhost/host/fault"
)

// Child is one run of a PostgreSQL program.
type Child struct {
	Program string // full path
	Args    []string
	Env     []string            // besides LC_ALL and PATH
	Dir     string              // where it runs; drhost's own folder when empty
	In      io.Reader           // nothing when nil
	Out     io.Writer           // thrown away when nil
	As      *syscall.Credential // as whom it runs; as drhost when nil
	Files   []*os.File          // what it gets as file descriptors from 3 on
}

// Run starts the child in a process group of its own and waits. When ctx ends
// the whole group is killed, and so it is when reading In fails: a program that
// saw its input merely end might keep what it got. A failed read or write is
// returned as such, not as what the child makes of it.
func (k Child) Run(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(inner, k.Program, k.Args...)
	cmd.Env = append([]string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")}, k.Env...)
	cmd.Dir = k.Dir
	cmd.SysProcAttr = ownGroup()
	cmd.SysProcAttr.Credential = k.As
	cmd.ExtraFiles = k.Files
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	var said bytes.Buffer
	cmd.Stderr = &said
	sink := &watched{to: k.Out}
	if k.Out != nil {
		cmd.Stdout = sink
	}
	// Killed before its input ends, the child cannot take what it has for all.
	source := &source{from: k.In, failed: func() {
		_ = cmd.Process.Kill() // one that has ended needs none
		cancel()
	}}
	if k.In != nil {
		cmd.Stdin = source
	}
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case source.err != nil:
		return source.err
	case sink.err != nil:
		return sink.err
	case err != nil:
		return k.explain(err, said.String())
	}
	return nil
}

// explain makes a fault of a child's exit. Lines that quote data (CONTEXT,
// DETAIL) are left out.
func (k Child) explain(err error, said string) error {
	name := filepath.Base(k.Program)
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

// source remembers the read that failed.
type source struct {
	from   io.Reader
	failed func()
	err    error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
		s.failed()
	}
	return n, err
}
