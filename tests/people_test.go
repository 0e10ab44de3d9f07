package tests

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// runbookOf is a runbook over the simulated Hetzner with the given body.
func runbookOf(t *testing.T, dir, name, body string) string {
	t.Helper()
	text := "local hetzner = require \"hetzner\"\nreturn runbook {\n  title = \"" + name + "\",\n  run = function(input)\n" + body + "\n    return finish(\"through\")\n  end,\n}\n"
	path := filepath.Join("runbooks", name+".lua")
	if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// configure appends to drhost.toml and takes it back when the test ends.
func configure(t *testing.T, dir, more string) {
	t.Helper()
	path := filepath.Join(dir, "drhost.toml")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(bytes.Clone(before), more...), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile(path, before, 0o644); err != nil {
			t.Error(err)
		}
	})
}

// approver makes a key pair and returns its line for drhost.toml.
func approver(t *testing.T, dir, name string) string {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".key"), pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("\n[[approvers]]\nname = %q\nkey = %q\n", name, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))+" "+name)
}

// process is a drhost that runs beside the test.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	done chan struct{}
	mu   sync.Mutex
	text bytes.Buffer
}

func (p *process) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(text)
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

func begin(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: command(dir, args...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p, p
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		p.cmd.Wait() // how it ended is asked by ends
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.done
	})
	return p
}

// says waits until the process has printed text.
func (p *process) says(text string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 20*time.Second)
	defer cancel()
	for !strings.Contains(p.said(), text) {
		select {
		case <-p.done:
			if strings.Contains(p.said(), text) {
				return
			}
			p.t.Fatalf("it ended without saying %q:\n%s", text, p.said())
		case <-ctx.Done():
			p.t.Fatalf("it does not say %q:\n%s", text, p.said())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (p *process) ends(exit int) string {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(30 * time.Second):
		p.t.Fatalf("it does not end:\n%s", p.said())
	}
	if code := p.cmd.ProcessState.ExitCode(); code != exit {
		p.t.Fatalf("exit %d, want %d:\n%s", code, exit, p.said())
	}
	return p.said()
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

func contains(t *testing.T, text string, wanted ...string) {
	t.Helper()
	for _, want := range wanted {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
}

// count is how often the simulated providers have done what ends so.
func count(t *testing.T, dir, ending string) int {
	t.Helper()
	n := 0
	for _, r := range acted(t, dir) {
		if strings.HasSuffix(r, ending) {
			n++
		}
	}
	return n
}

// TestPeople holds what people do to a run, with the program as it is, against
// one simulated world.
func TestPeople(t *testing.T) {
	dir := workingFolder(t)
	startSim(t, dir, 20)
	for _, part := range []struct {
		name string
		hold func(*testing.T, string)
	}{{"interrupt once", interruptOnce}, {"approvals", approvals}, {"halt", halt}, {"pause", pause}, {"protected", protectedNames},
		{"interrupt twice", interruptTwice}, {"guard", wrongEnvironment}} {
		t.Run(part.name, func(t *testing.T) { part.hold(t, dir) })
	}
}

func approvals(t *testing.T, dir string) {
	configure(t, dir, approver(t, dir, "anna")+approver(t, dir, "ben"))
	approver(t, dir, "eve")
	book := runbookOf(t, dir, "agree", `    step("Agree", function() approve("Reboot hobby-2", { needs = 2, within = "10m" }) end)
    step("Reboot", function() hetzner.reboot { server = "hobby-2", mode = "hard" } end)`)
	before := count(t, dir, "/actions/reset")
	// --yes does not sign for anybody.
	p := begin(t, dir, "run", book, "--env", "sim", "--yes", "--no-input")
	p.says("0 of 2 signed approvals so far")
	contains(t, drhost(t, dir, 2, "approve", "last", "--key", "eve.key"), "belongs to no approver", "anna, ben")
	contains(t, drhost(t, dir, 2, "approve", "last", "--key", "anna.key", "--as", "ben"), "is that of anna, not of ben")
	contains(t, drhost(t, dir, 2, "approve", "last", "--key", "anna.key", "--as", "bob"), `no approver "bob"`)
	contains(t, drhost(t, dir, 0, "approve", "last", "--key", "anna.key"), "approved, signed by anna (SHA256:", "Reboot hobby-2")
	p.says("approved by anna")
	p.signal(syscall.SIGKILL)
	<-p.done
	// What anna said is kept; ben answers while nobody runs it.
	drhost(t, dir, 0, "approve", "last", "--key", "ben.key", "--as", "ben")
	drhost(t, dir, 0, "resume", "last", "--no-input")
	if n := count(t, dir, "/actions/reset") - before; n != 1 {
		t.Errorf("rebooted %d times", n)
	}
	contains(t, drhost(t, dir, 0, "verify", "last"), "approved by anna at", "approved by ben at", "signature holds")
	contains(t, drhost(t, dir, 0, "report", "last"), "signed with SHA256:")
	contains(t, drhost(t, dir, 2, "approve", "last", "--key", "ben.key"), "asks for no signed answer at present")

	p = begin(t, dir, "run", book, "--env", "sim", "--no-input")
	p.says("0 of 2")
	drhost(t, dir, 0, "approve", "last", "--key", "ben.key", "--deny")
	contains(t, p.ends(3), "was denied by ben")

	short := runbookOf(t, dir, "soon", `    approve("Reboot hobby-2", { within = "2s" })`)
	contains(t, drhost(t, dir, 3, "run", short, "--env", "sim", "--no-input"), `nobody answered within 2s: "Reboot hobby-2"`)

	contains(t, drhost(t, dir, 2, "run", book, "--env", "sim", "--break-glass", "because  I  said"), "at least 20 characters")
	contains(t, drhost(t, dir, 0, "run", book, "--env", "sim", "--no-input", "--break-glass", "Anna and Ben are on a plane"), "BREAK-GLASS")
	contains(t, drhost(t, dir, 0, "report", "last"), "**BREAK-GLASS** by", "Anna and Ben are on a plane", "Reboot hobby-2")
}

func halt(t *testing.T, dir string) {
	book := runbookOf(t, dir, "halted", `    step("Look", function() return hetzner.server { name = "hobby-2" }.name end)
    step("Switch off", function() hetzner.poweroff { server = "hobby-2" } end)
    step("Look again", function() return hetzner.server { name = "hobby-2" }.name end)
    step("Switch on", function() hetzner.poweron { server = "hobby-2" } end)`)
	before := count(t, dir, "/actions/poweroff")
	contains(t, drhost(t, dir, 0, "halt", "--status"), "not halted")
	contains(t, drhost(t, dir, 0, "halt", "--reason", "the provider is audited", "--operator", "anna"), "by anna at", "the provider is audited")
	defer drhost(t, dir, 0, "halt", "--lift")
	out := drhost(t, dir, 3, "run", book, "--env", "sim", "--yes=destroys", "--no-input")
	contains(t, out, "Look", "was not sent", "by anna at", "the provider is audited", "drhost halt --lift")
	drhost(t, dir, 3, "resume", "last", "--yes=destroys", "--no-input")
	if n := count(t, dir, "/actions/poweroff") - before; n != 0 {
		t.Fatalf("switched off %d times while halted", n)
	}
	var status struct{ Down bool }
	if err := json.Unmarshal([]byte(drhost(t, dir, 0, "halt", "--status", "--json")), &status); err != nil || !status.Down {
		t.Errorf("--status --json: %+v %v", status, err)
	}
	contains(t, drhost(t, dir, 0, "resume", "last", "--no-input", "--break-glass", "customers are down, the audit can wait"), "BREAK-GLASS")
	contains(t, drhost(t, dir, 0, "report", "last"), "**BREAK-GLASS**", "the audit can wait", "the provider is audited")
	contains(t, drhost(t, dir, 0, "halt", "--lift"), "lifted", "anna")
	drhost(t, dir, 0, "run", book, "--env", "sim", "--no-input")
	if n := count(t, dir, "/actions/poweroff") - before; n != 2 {
		t.Errorf("switched off %d times, want once for each run that went on", n)
	}
}

func pause(t *testing.T, dir string) {
	book := runbookOf(t, dir, "paused", `    for i = 1, 6 do hetzner.reboot { server = "hobby-1", mode = "hard" } end`)
	before := count(t, dir, "/actions/reset")
	p := begin(t, dir, "run", book, "--env", "sim", "--no-input")
	p.says("→ reboot hobby-1")
	contains(t, drhost(t, dir, 0, "pause", "last", "--reason", "somebody looks"), "is paused", "somebody looks")
	p.says("this run is paused by")
	held := count(t, dir, "/actions/reset") - before
	if held < 1 || held > 5 {
		t.Errorf("held after %d of 6 reboots", held)
	}
	contains(t, drhost(t, dir, 0, "pause", "last", "--status"), "somebody looks")
	if n := count(t, dir, "/actions/reset") - before; n != held {
		t.Errorf("%d reboots while paused", n-held)
	}
	drhost(t, dir, 0, "pause", "last", "--lift")
	contains(t, p.ends(0), "no longer held")
	if n := count(t, dir, "/actions/reset") - before; n != 6 {
		t.Errorf("rebooted %d times", n)
	}
}

func protectedNames(t *testing.T, dir string) {
	configure(t, dir, "\n[protected]\nservers = [\"hobby-2\"]\n")
	careful := runbookOf(t, dir, "careful", `    hetzner.reboot { server = "hobby-2", mode = "soft" }`)
	before := count(t, dir, "/actions/reboot")
	for _, yes := range []string{"--yes", "--yes=destroys"} {
		contains(t, drhost(t, dir, 3, "run", careful, "--env", "sim", yes, "--no-input"), "hobby-2 is protected", `has to type "hobby-2"`)
	}
	question := "reboot hobby-2 (soft) (hobby-2 is protected)"
	for answer, exit := range map[string]int{"yes": 3, "approved": 3, "hobby-1": 3} {
		contains(t, drhost(t, dir, exit, "run", careful, "--env", "sim", "--no-input", "--answers", fmt.Sprintf("{%q:%q}", question, answer)), "was denied by")
	}
	if n := count(t, dir, "/actions/reboot") - before; n != 0 {
		t.Fatalf("rebooted %d times without its name being typed", n)
	}
	drhost(t, dir, 0, "run", careful, "--env", "sim", "--no-input", "--answers", fmt.Sprintf("{%q:%q}", question, "hobby-2"))
	if n := count(t, dir, "/actions/reboot") - before; n != 1 {
		t.Errorf("rebooted %d times", n)
	}

	destroy := runbookOf(t, dir, "destroy", `    local made = hetzner.create_server { name = "short-lived", like = "hobby-2" }
    hetzner.delete_server { server = made.name }`)
	contains(t, drhost(t, dir, 3, "run", destroy, "--env", "sim", "--yes", "--no-input"), "it cannot be undone", "--yes=destroys")
	drhost(t, dir, 0, "resume", "last", "--yes=destroys", "--no-input")
}

func interruptOnce(t *testing.T, dir string) { interrupt(t, dir, 1) }

func interruptTwice(t *testing.T, dir string) { interrupt(t, dir, 2) }

// interrupt presses Ctrl-C in the middle of a change. What became of a change
// that was cut off is told by its trace at the provider, where equal ones
// within two seconds look the same; so no server is rebooted twice in one way.
func interrupt(t *testing.T, dir string, times int) {
	book := runbookOf(t, dir, "interrupted", `    step("Reboot everything", function()
      for _, mode in ipairs { "hard", "soft" } do
        for _, name in ipairs { "hobby-2", "hobby-1", "storage-1" } do hetzner.reboot { server = name, mode = mode } end
      end
    end)`)
	reboots := func() int { return count(t, dir, "/actions/reset") + count(t, dir, "/actions/reboot") }
	before := reboots()
	p := begin(t, dir, "run", book, "--env", "sim", "--no-input")
	p.says("→ reboot hobby-2")
	for n := 1; n <= times; n++ {
		p.signal(os.Interrupt)
		if n == 1 {
			p.says("stopping at the next safe point")
		}
	}
	p.ends(4)
	if n := reboots() - before; n > 2 {
		t.Errorf("went on for %d reboots after Ctrl-C", n)
	}
	drhost(t, dir, 0, "resume", "last", "--no-input")
	if n := reboots() - before; n != 6 {
		t.Errorf("rebooted %d times, not 6", n)
	}
}

func wrongEnvironment(t *testing.T, dir string) {
	book := runbookOf(t, dir, "elsewhere", `    hetzner.reboot { server = "hobby-9" }`)
	out := drhost(t, dir, 1, "run", book, "--env", "sim", "--no-input")
	contains(t, out, "not_found", `"hobby-9"`, `environment "sim"`)
	configure(t, dir, "\n[env.other.hetzner]\ntoken = \"env:OTHER_TOKEN\"\n")
	t.Setenv("OTHER_TOKEN", "a-token-of-production")
	cmd := command(dir, "run", book, "--env", "other", "--no-input")
	cmd.Env = append(cmd.Env, "HETZNER_API_TOKEN=a-token-of-production")
	text, err := cmd.CombinedOutput()
	if err == nil || cmd.ProcessState.ExitCode() != 2 {
		t.Errorf("exit %d", cmd.ProcessState.ExitCode())
	}
	contains(t, string(text), "denied", `environment "other"`, `environment "production"`, "Nothing was called")
}
