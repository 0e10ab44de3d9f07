package tests

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// held is a drill under way.
type held struct {
	cmd  *exec.Cmd
	out  bytes.Buffer // standard output
	log  bytes.Buffer // standard error
	done chan error   // after it both may be read
	run  string       // id of its run
	part int          // process of its run part
}

// holdDrill starts the drill in which a reboot is enough, and returns when its
// run has begun to act.
func holdDrill(t *testing.T, dir string) *held {
	t.Helper()
	h := &held{cmd: command(dir, "drill", "--speed", "60", "runbooks/drills/hetzner_reboot.lua"), done: make(chan error, 1)}
	errOut, err := h.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	h.cmd.Stdout = &h.out
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.cmd.Process.Kill() })
	acting := make(chan bool, 1)
	go func() {
		lines := bufio.NewScanner(errOut)
		for lines.Scan() {
			h.log.WriteString(lines.Text() + "\n")
			if strings.Contains(lines.Text(), "→ reboot hobby-1 (soft)") {
				acting <- true
			}
		}
		h.done <- h.cmd.Wait()
	}()
	select {
	case <-acting:
	case err := <-h.done:
		t.Fatalf("the drill ended early: %v\n%s", err, h.log.String())
	case <-time.After(time.Minute):
		t.Fatal("the drill did not come to the reboot within a minute")
	}
	h.findRun(t, dir)
	return h
}

// findRun reads who holds the run.
func (h *held) findRun(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, ".drhost", "runs", "*", "holder.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("held runs: %v, %v", files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	var holder struct{ PID int }
	if err := json.Unmarshal(text, &holder); err != nil {
		t.Fatal(err)
	}
	h.run, h.part = filepath.Base(filepath.Dir(files[0])), holder.PID
	if h.part == h.cmd.Process.Pid || h.part == 0 {
		t.Fatalf("the run is held by process %d, not by a run part of its own", h.part)
	}
}

// wait returns what the drill printed and its exit code.
func (h *held) wait(t *testing.T) (out string, code int) {
	t.Helper()
	select {
	case <-h.done:
	case <-time.After(time.Minute):
		t.Fatal("the drill did not end within a minute")
	}
	return h.log.String() + h.out.String(), h.cmd.ProcessState.ExitCode()
}

// TestDeadRunPart: the world outlives the run part, a resume elsewhere ends
// the run, and then the drill judges it.
func TestDeadRunPart(t *testing.T) {
	dir := workingFolder(t)
	h := holdDrill(t, dir)
	if err := syscall.Kill(h.part, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	var code int
	for range 50 { // until the kernel has given the lock back
		cmd := command(dir, "resume", h.run, "--yes", "--no-input")
		cmd.Run()
		if code = cmd.ProcessState.ExitCode(); code != 6 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	out, drill := h.wait(t)
	if code != 0 || drill != 0 || !strings.Contains(out, "drill PASSED") || !strings.Contains(out, "drhost resume "+h.run) {
		t.Errorf("resume: exit %d, drill: exit %d\n%s", code, drill, out)
	}
	drhost(t, dir, 0, "verify", h.run)
}

// TestDeadDrill: the run part does not outlive the drill, whose world is gone,
// and a resume says so.
func TestDeadDrill(t *testing.T) {
	dir := workingFolder(t)
	h := holdDrill(t, dir)
	if err := h.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	h.wait(t)
	var out []byte
	for range 100 { // the lock tells when the run part has ended
		out, _ = command(dir, "resume", h.run, "--yes", "--no-input").CombinedOutput()
		if !bytes.Contains(out, []byte("is held by")) {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if want := "the world of drill " + h.run + " has ended together with the drill"; !bytes.Contains(out, []byte(want)) {
		t.Errorf("a resume says %s", out)
	}
	if shown := drhost(t, dir, 0, "show", h.run); strings.Contains(shown, "Try a hard reboot") {
		t.Errorf("the run part went on without its world:\n%s", shown)
	}
}

// TestInterruptedDrill: a signal to the drill alone stops its run part at a
// safe point, and the drill with the exit code of an interruption.
func TestInterruptedDrill(t *testing.T) {
	dir := workingFolder(t)
	h := holdDrill(t, dir)
	if err := h.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	out, code := h.wait(t)
	if code != 4 || !strings.Contains(out, "interrupted; its world has ended with it") {
		t.Errorf("exit %d\n%s", code, out)
	}
	if text := drhost(t, dir, 0, "show", h.run); strings.Contains(text, "no answer recorded") {
		t.Errorf("it did not wait for the reboot's outcome:\n%s", text)
	}
	drhost(t, dir, 0, "verify", h.run)
}

// TestMistypedInputComesFirst: it is told before credentials are looked for.
func TestMistypedInputComesFirst(t *testing.T) {
	dir := workingFolder(t)
	out := drhost(t, dir, 2, "run", "runbooks/hetzner_failure.lua", "--input", "sever=hobby-1", "--no-input")
	if !strings.Contains(out, `takes no input "sever"; did you mean "server"?`) || strings.Contains(out, "HETZNER_API_TOKEN") {
		t.Errorf("%s", out)
	}
}
