package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const hangingRunbook = `return runbook {
  title = "Hang",
  run = function()
    local held = secret("env:CRASH_CANARY")
    print(held)
    step("Hang", function() return eventually("10h", function() return false end) end)
  end,
}
`

// TestCrashTellsNothing lets the program crash, as by a fault of Go's runtime
// that writes all it can, while it holds a credential.
func TestCrashTellsNothing(t *testing.T) {
	// The limit of this process is what the program starts with.
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &before); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: before.Max, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Setrlimit(unix.RLIMIT_CORE, &before) })
	birds := canaries{"crash": "K4n4ryCrash-0123456789/abcdef"}
	t.Setenv("CRASH_CANARY", birds["crash"])
	t.Setenv("GOTRACEBACK", "crash")
	dir := t.TempDir()
	for name, text := range map[string]string{"drhost.toml": "default_env = \"here\"\n[env.here]\n", "hang.lua": hangingRunbook} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p := begin(t, dir, "run", "hang.lua", "--no-input")
	p.says("▶ Hang")
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(limits), "\n") {
		if fields := strings.Fields(line); strings.HasPrefix(line, "Max core file size") && fields[4] != "0" {
			t.Errorf("it may write a core: %s", line)
		}
	}
	p.signal(syscall.SIGABRT)
	<-p.done
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() || status.CoreDump() {
		t.Errorf("it ended with %v, core %v", p.cmd.ProcessState, ok && status.CoreDump())
	}
	if !strings.Contains(p.said(), "goroutine ") {
		t.Errorf("it did not crash at all:\n%s", p.said())
	}
	for _, leak := range birds.leaks([]byte(p.said())) {
		t.Error(leak)
	}
	(&aviary{dir: dir, birds: birds}).searchAll(t, 4)
}
