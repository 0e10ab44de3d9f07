// Package tests holds what concerns drhost as a whole: the program as its
// users run it, its layout, and what is generated out of its declarations.
package tests

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// program is the built drhost; TestMain makes it.
var program string

func TestMain(m *testing.M) {
	code, err := testMain(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func testMain(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "drhost-tests-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "drhost")
	build := exec.Command("go", "build", "-o", program, "../cmd/drhost")
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("build drhost: %w\n%s", err, out)
	}
	return m.Run(), nil
}

// workingFolder is a fresh folder as `drhost init` makes it.
func workingFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if out := drhost(t, dir, 0, "init", "."); !strings.Contains(out, "hetzner_failure.lua") {
		t.Fatalf("init wrote\n%s", out)
	}
	return dir
}

// drhost runs the program in dir, expects the exit code, and returns what it
// printed on both channels.
func drhost(t *testing.T, dir string, exit int, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	cmd := command(dir, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code != exit {
		t.Fatalf("drhost %s: exit %d, want %d (%v)\n%s", strings.Join(args, " "), code, exit, err, out.String())
	}
	return out.String()
}

func command(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CI=true", "HETZNER_API_TOKEN=", "CLOUDFLARE_API_TOKEN=")
	return cmd
}

// startSim keeps a simulated world running until the test ends.
func startSim(t *testing.T, dir string, speed int, with ...string) {
	t.Helper()
	cmd := command(dir, append([]string{"sim", "--speed", fmt.Sprint(speed)}, with...)...)
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	})
	ready := make(chan error, 1)
	go func() {
		var seen []byte
		buffer := make([]byte, 4096)
		for !bytes.Contains(seen, []byte("Ctrl-C ends it")) {
			n, err := out.Read(buffer)
			seen = append(seen, buffer[:n]...)
			if err != nil {
				ready <- fmt.Errorf("%w: %s", err, seen)
				return
			}
		}
		ready <- nil
	}()
	select {
	case err := <-ready:
		if err != nil {
			t.Fatalf("the simulated world did not start: %v\n%s", err, errOut.String())
		}
	case <-time.After(60 * time.Second):
		t.Fatal("the simulated world did not start within a minute")
	}
}

// request is one line of a simulated world's log.
type request struct {
	Method, Path, Key, Body string
	Status                  int
	Mutation, Acted         bool
}

// acted returns the mutations that the simulated providers carried out.
func acted(t *testing.T, dir string) []string {
	t.Helper()
	var log []request
	if err := json.Unmarshal([]byte(drhost(t, dir, 0, "sim", "show", "requests")), &log); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range log {
		if r.Mutation && r.Acted {
			out = append(out, r.Method+" "+r.Path)
		}
	}
	return out
}

var recovery = []string{"runbooks/hetzner_failure.lua", "--env", "sim", "--input", "server=hobby-1", "--yes", "--no-input"}

// TestKillAndResume kills a run on its way, again and again, and resumes it:
// it ends well, and no provider was asked to do a thing twice.
func TestKillAndResume(t *testing.T) {
	dir := workingFolder(t)
	startSim(t, dir, 60)
	drhost(t, dir, 0, "sim", "fault", "break_server", "server=hobby-1")
	verb := append([]string{"run"}, recovery...)
	kills := 0
	for patience := 2 * time.Second; ; patience += 500 * time.Millisecond {
		killed, out := killAfter(t, dir, patience, verb...)
		if !killed {
			break
		}
		if kills++; kills > 30 {
			t.Fatalf("the run never ended:\n%s", out)
		}
		verb = []string{"resume", "last", "--yes", "--no-input"}
		if runs := drhost(t, dir, 0, "runs", "--json"); strings.TrimSpace(runs) == "[]" {
			verb = append([]string{"run"}, recovery...)
		}
	}
	if kills == 0 {
		t.Fatal("the run was over before it could be killed once")
	}
	t.Logf("killed %d times", kills)
	shown := drhost(t, dir, 0, "show", "last")
	if !strings.Contains(shown, "hobby-1-replacement") {
		t.Errorf("the run says\n%s", shown)
	}
	drhost(t, dir, 0, "verify", "last")
	counts := map[string]int{}
	for _, r := range acted(t, dir) {
		counts[r]++
	}
	for what, n := range counts {
		if n > 1 {
			t.Errorf("done %d times: %s", n, what)
		}
	}
	if counts["POST /v1/servers"] != 1 {
		t.Errorf("servers created: %v", counts)
	}
}

// killAfter runs drhost and kills it as by kill -9 when it takes longer than
// patience. When it ends by itself it has to end well.
func killAfter(t *testing.T, dir string, patience time.Duration, args ...string) (killed bool, out string) {
	t.Helper()
	var buffer bytes.Buffer
	cmd := command(dir, args...)
	cmd.Stdout, cmd.Stderr = &buffer, &buffer
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			t.Fatalf("drhost %s: %v\n%s", strings.Join(args, " "), err, buffer.String())
		}
		return false, buffer.String()
	case <-ctx.Done():
		cmd.Process.Kill()
		err := <-done
		var exit *exec.ExitError
		if err == nil || errors.As(err, &exit) && exit.ExitCode() >= 0 {
			return false, buffer.String() // it ended in the same moment
		}
		return true, buffer.String()
	}
}

// TestDrills holds every drill of the repository.
func TestDrills(t *testing.T) {
	dir := workingFolder(t)
	files, err := filepath.Glob(filepath.Join(dir, "runbooks", "drills", "*.lua"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no drills: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".lua"), func(t *testing.T) {
			t.Parallel() // a drill waits more than it works
			rel, err := filepath.Rel(dir, file)
			if err != nil {
				t.Fatal(err)
			}
			out := drhost(t, dir, 0, "drill", rel)
			if !strings.Contains(out, "drill PASSED") {
				t.Errorf("%s", out)
			}
		})
	}
}

// TestLiveWithoutTokens: against the real endpoints, without credentials,
// nothing is called and one line says what is missing.
func TestLiveWithoutTokens(t *testing.T) {
	dir := workingFolder(t)
	out := drhost(t, dir, 2, "run", "runbooks/hetzner_failure.lua", "--input", "server=hobby-1", "--no-input")
	for _, want := range []string{"HETZNER_API_TOKEN", "production", "drhost drill"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in: %s", want, out)
		}
	}
	if lines := strings.Count(strings.TrimSpace(out), "\n"); lines > 0 {
		t.Errorf("one error, not %d lines: %s", lines+1, out)
	}
	if runs := drhost(t, dir, 0, "runs"); !strings.Contains(runs, "no runs yet") {
		t.Errorf("a run was begun: %s", runs)
	}
}

// TestTypos: each is found by check, with line and suggestion, and keeps the
// runbook from being started.
func TestTypos(t *testing.T) {
	dir := workingFolder(t)
	path := filepath.Join(dir, "runbooks", "hetzner_failure.lua")
	original, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, from, to, want string }{
		{"function", "hetzner.poweroff", "hetzner.powerof", `did you mean "poweroff"`},
		{"argument", "{ server = server.name, mode", "{ servr = server.name, mode", `did you mean "server"`},
		{"field", "machine.ipv4", "machine.ipv5", `did you mean "ipv4"`},
		{"global", "approve(", "aprove(", `did you mean "approve"`},
		{"enum", `mode = "soft"`, `mode = "sof"`, `did you mean "soft"`},
		{"enum of a read", `type = "A" }[1]`, `type = "AX" }[1]`, `"AX" is none of A, AAAA`},
		{"number in quotes", "ttl = 60 }", `ttl = "60" }`, "write 60 without quotes"},
		{"input", "input.floating_ip", "input.floting_ip", `did you mean "floating_ip"`},
		{"title", `step("Try a hard reboot"`, `step("Try a soft reboot"`, "Try a soft reboot"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, after, found := strings.Cut(string(original), c.from)
			if !found {
				t.Fatalf("the runbook has no %q", c.from)
			}
			line := strings.Count(before, "\n") + 1
			if err := os.WriteFile(path, []byte(before+c.to+after), 0o644); err != nil {
				t.Fatal(err)
			}
			for _, verb := range [][]string{{"check", "runbooks/hetzner_failure.lua"},
				{"run", "runbooks/hetzner_failure.lua", "--input", "server=hobby-1", "--no-input"}} {
				out := drhost(t, dir, 2, verb...)
				if !strings.Contains(out, fmt.Sprintf("runbooks/hetzner_failure.lua:%d:", line)) || !strings.Contains(out, c.want) {
					t.Errorf("%s: want line %d and %s, got\n%s", verb[0], line, c.want, out)
				}
			}
		})
	}
}

// TestCheckReadsTheConfiguration: a runbook is no use with a drhost.toml that
// cannot be read; every mistake in it is told, with its line.
func TestCheckReadsTheConfiguration(t *testing.T) {
	t.Parallel()
	dir := workingFolder(t)
	contains(t, drhost(t, dir, 0, "check"), "nothing to complain of")
	path := filepath.Join(dir, "drhost.toml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Count(string(text), "\n")
	broken := string(text) + "[env.testing.pg]\nuser = \"postgres\"\nconect_timeout = \"5s\"\nport = \"five\"\n"
	if err := os.WriteFile(path, []byte(broken), 0o644); err != nil {
		t.Fatal(err)
	}
	out := drhost(t, dir, 2, "check", "runbooks/hetzner_failure.lua", "runbooks/drills/dns_one_record.lua")
	contains(t, out, fmt.Sprintf("drhost.toml:%d: ", lines+3), `did you mean "connect_timeout"`, fmt.Sprintf("drhost.toml:%d: env.testing.pg.port must be a whole number", lines+4))
	if n := strings.Count(out, "conect_timeout"); n != 1 {
		t.Errorf("said %d times:\n%s", n, out)
	}
	if err := os.WriteFile(path, []byte("default_env = \n"), 0o644); err != nil {
		t.Fatal(err)
	}
	contains(t, drhost(t, dir, 2, "check", "runbooks/hetzner_failure.lua"), "drhost.toml:1: ")
}
