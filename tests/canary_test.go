package tests

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
)

// piece is how much of a secret counts as a leak.
const piece = 9

// canaries are secrets by the channel they come through. Their special
// characters are changed by every encoding.
type canaries map[string]string

func newCanaries(t *testing.T) canaries {
	key, _ := newSSHKey(t)
	return canaries{
		"hetzner":    "K4n4ryHtz+0123/45678=abcdef",
		"cloudflare": "K4n4ryClf-0123456789_abcd",
		"bearer":     `K4n4ryBearer/+=&"<q>'\100% zyxwvut`,
		"header":     "K4n4ryHdr 9876543210, with blanks",
		"hook":       "K4n4ryHook0123456789abcdef",
		"sign":       "K4n4rySign0123456789abcdef",
		"hookheader": "K4n4ryCallMe0123456789",
		"database":   `K4n4ryBase pass'word\1234`,
		"ssh":        key,
	}
}

// leaks returns where in text a piece of a canary is, as it is or in base64.
func (c canaries) leaks(text []byte) []string {
	var found []string
	for name, value := range c {
		lines := []string{value}
		if strings.Contains(value, "\n") { // of a key, what is its own
			lines = strings.Split(value, "\n")[2:4]
		}
		for _, line := range lines {
			for i := range len(line) - piece + 1 {
				if at := bytes.Index(text, []byte(line[i:i+piece])); at >= 0 {
					found = append(found, fmt.Sprintf("%s: ...%s...", name, text[max(0, at-60):min(len(text), at+60)]))
					break
				}
			}
			for shift := range 3 {
				encoded := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + line))
				if core := encoded[4 : 4+2*piece]; bytes.Contains(text, []byte(core)) {
					found = append(found, name+" in base64: "+core)
				}
			}
		}
	}
	return found
}

// aviary is a folder whose config takes a canary through every channel.
type aviary struct {
	dir   string
	birds canaries
	env   []string
	out   bytes.Buffer // all that was printed
}

func newAviary(t *testing.T, g *gossip) *aviary {
	t.Helper()
	a := &aviary{dir: t.TempDir(), birds: newCanaries(t)}
	vault := t.TempDir()
	keep := func(name, text string) string {
		t.Helper()
		path := filepath.Join(vault, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	sshAddress, known := tellingSSH(t, a.birds["ssh"])
	a.birds["identity"] = identity.String()
	hook := keep("hook", g.URL+"/services/"+a.birds["hook"]+"?sign="+a.birds["sign"])
	config := fmt.Sprintf(`default_env = "here"
[secrets]
recipients = [%q]
[env.here]
simulated = true
[env.here.hetzner]
endpoint = %q
[env.here.cloudflare]
endpoint = %q
token = "file:%s"
[env.here.pg]
password = "file:%s"
sslmode = "disable"
[env.here.backup]
password = "file:%[5]s"
sslmode = "disable"
[env.here.ssh]
key = "file:%s"
known_hosts = %q
[env.here.notify.channels.hook]
kind = "webhook"
url = "cmd:cat %s"
headers = { X-Key = "env:CANARY_HOOK" }
`, identity.Recipient(), g.URL+"/hetzner", g.URL+"/cloudflare", keep("cloudflare", a.birds["cloudflare"]), keep("database", a.birds["database"]),
		keep("key", a.birds["ssh"]), keep("known_hosts", known+"\n"), hook)
	for name, text := range map[string]string{"drhost.toml": config, "canaries.lua": canaryRunbook} {
		if err := os.WriteFile(filepath.Join(a.dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	a.env = append(os.Environ(), "CI=true", "HETZNER_API_TOKEN="+a.birds["hetzner"], "CANARY_HEADER="+a.birds["header"], "CANARY_HOOK="+a.birds["hookheader"],
		"DRHOST_IDENTITY="+keep("identity", identity.String()), "ECHO="+g.URL, "SSH="+sshAddress, "PG="+listen(t, tellingPostgres))
	seal := a.command("secrets", "seal", "bearer")
	seal.Stdin = strings.NewReader(a.birds["bearer"] + "\n")
	if out, err := seal.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return a
}

func (a *aviary) command(args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Env = a.dir, a.env
	return cmd
}

// drhost runs the program and keeps what it prints.
func (a *aviary) drhost(t *testing.T, exit int, args ...string) string {
	t.Helper()
	cmd := a.command(args...)
	out, err := cmd.CombinedOutput()
	a.out.Write(out)
	if code := cmd.ProcessState.ExitCode(); code != exit {
		t.Fatalf("drhost %s: exit %d, want %d (%v)\n%s", strings.Join(args, " "), code, exit, err, out)
	}
	return string(out)
}

// inputs are those of the runbook, with the wish how it ends.
func (a *aviary) inputs(end string) []string {
	args := []string{"canaries.lua", "--no-input", "--yes", "--input", "ends=" + end}
	for _, name := range []string{"echo", "ssh", "pg"} {
		for _, pair := range a.env {
			if value, ok := strings.CutPrefix(pair, strings.ToUpper(name)+"="); ok {
				args = append(args, "--input", name+"="+value)
			}
		}
	}
	return args
}

const canaryRunbook = `
local hetzner, cloudflare, http = require "hetzner", require "cloudflare", require "http"
local ssh, pg, backup, notify = require "ssh", require "pg", require "backup", require "notify"

local function tried(what, fn)
  local ok, err = pcall(fn)
  note(what .. " " .. tostring(ok) .. ": " .. tostring(err))
  if not ok and type(err) == "table" then print(err.message, err.hint or "") end
  return tostring(err)
end

return runbook {
  title = "Canaries",
  input = {
    echo = { doc = "Who repeats what it is shown", example = "http://127.0.0.1:1" },
    ssh = { doc = "A machine", example = "127.0.0.1:2" },
    pg = { doc = "A database", example = "127.0.0.1:3" },
    ends = { doc = "How it ends", example = "well" },
  },
  run = function(input)
    local bearer, header = secret("sealed:bearer"), { ["X-Key"] = secret("env:CANARY_HEADER") }
    print(bearer)
    local seen = step("Echo", function()
      local r = http.request { url = input.echo .. "/echo", bearer = bearer, secret_headers = header }
      expect("it was echoed", r.status == 200 and r.body:find("authorization", 1, true) ~= nil)
      note("echo " .. r.body, { json = r.json, headers = r.headers })
      print(r.body)
      return { name = r.json.authorization, body = r.body, json = r.json }
    end)
    step("Echo once more", function()
      local r = http.send { url = input.echo .. "/send", bearer = bearer, secret_headers = header, body = seen.body }
      tried("send", function() http.send { url = input.echo .. "/refuse", bearer = bearer, secret_headers = header, json = seen.json } end)
      tried("body", function() http.send { url = input.echo .. "/refuse", json = { token = bearer } } end)
      return r
    end)
    each("Those that were seen", { seen }, function(item) return item.json end)
    approve("go on with " .. seen.name)
    step("Refusals", function()
      for pad = 90, 160, 3 do
        tried("deny", function() http.request { url = input.echo .. "/deny?pad=" .. pad, bearer = bearer, secret_headers = header, expect_status = 200 } end)
      end
      tried("hetzner", function() hetzner.servers {} end)
      tried("cloudflare", function() cloudflare.zones {} end)
      tried("pg", function() pg.query { host = input.pg, database = "app", sql = "select 1" } end)
      tried("backup", function() backup.create { host = input.pg, database = "app" } end)
      tried("hook", function() return notify.send { channel = "hook", subject = seen.name, text = seen.body } end)
      tried("ssh", function() return ssh.read { host = input.ssh, command = "true" }.stdout end)
      tried("ssh", function() ssh.run { host = input.ssh, command = "false" } end)
    end)
    if input.ends == "hanging" then
      step("Wait", function() return http.request { url = input.echo .. "/hang", bearer = bearer } end)
    elseif input.ends == "badly" then
      step("Fail", function() hetzner.servers {} end)
    elseif input.ends == "lua" then
      step("Raise", function() error("raised with " .. seen.body) end)
    end
    return finish("seen " .. seen.body)
  end,
}
`

// TestCanaries seeds a secret into every channel there is, among people who
// repeat each one they are shown, and looks for it in everything that is
// printed and left behind.
func TestCanaries(t *testing.T) {
	g := newGossip(t)
	a := newAviary(t, g)
	a.drhost(t, 0, "check", "canaries.lua")
	well := a.drhost(t, 0, append([]string{"run"}, a.inputs("well")...)...)
	if !strings.Contains(well, "[secret]") {
		t.Errorf("nothing was redacted: did the canaries sing at all?\n%s", well)
	}
	a.drhost(t, 1, append([]string{"run"}, a.inputs("badly")...)...)
	a.drhost(t, 1, append([]string{"run", "--json"}, a.inputs("badly")...)...)
	a.drhost(t, 1, append([]string{"run"}, a.inputs("lua")...)...)
	a.drhost(t, 0, append([]string{"plan"}, a.inputs("well")...)...)
	a.drhost(t, 0, append([]string{"plan", "--json"}, a.inputs("well")...)...)
	a.killed(t, g)
	a.drhost(t, 0, "resume", "last", "--yes", "--no-input")
	for _, verb := range [][]string{{"show", "last"}, {"show", "last", "--json"}, {"report", "last"}, {"report", "last", "--format", "json"}, {"runs", "--json"},
		{"verify", "last"}, {"secrets", "list"}, {"secrets", "list", "--json"}} {
		a.drhost(t, 0, verb...)
	}
	a.mistakes(t)
	a.search(t)
	a.channelsWereUsed(t)
}

// killed starts a run and kills it in the middle.
func (a *aviary) killed(t *testing.T, g *gossip) {
	t.Helper()
	cmd := a.command(append([]string{"run"}, a.inputs("hanging")...)...)
	cmd.Stdout, cmd.Stderr = &a.out, &a.out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-g.hanging:
	case err := <-ended:
		t.Fatalf("the run ended before it could be killed: %v\n%s", err, a.out.String())
	case <-time.After(time.Minute):
		t.Error("the run never came to the step in which it was to be killed")
	}
	cmd.Process.Kill()
	<-ended
	close(g.released)
}

// mistakes are errors that could quote a credential which is in the wrong place.
func (a *aviary) mistakes(t *testing.T) {
	t.Helper()
	original, err := os.ReadFile(filepath.Join(a.dir, "drhost.toml"))
	if err != nil {
		t.Fatal(err)
	}
	token := a.birds["hetzner"]
	for _, wrong := range []string{
		"[env.here.dns]\nresolvers = 5\n[env.here.http]\nuser_agent = true\n[env.here.x]\ny = \"" + token + "\"",
		"[secrets]\nidentity = \"" + a.birds["identity"] + "\"",
		"[secrets]\nrecipients = [\"" + a.birds["identity"] + "\"]",
		"[env.here.hetzner]\ntoken = \"" + token + "\"",
		"[env.here.hetzner]\ntoken = \"env:" + token + "\"",
		"[env.here.hetzner]\ntoken = \"plain:" + token + "\"",
		"[env.here.hetzner]\ntoken = \"sealed:" + token + "\"",
		"[env.here.hetzner]\nanswer_within = \"" + token + "\"",
		"[env.here.pg]\nport = \"" + token + "\"",
		"[env.here.hetzner]\ntoken = \"" + token,
	} {
		text := "default_env = \"here\"\n" + wrong + "\n"
		if err := os.WriteFile(filepath.Join(a.dir, "drhost.toml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		a.drhost(t, 2, append([]string{"run"}, a.inputs("well")...)...)
		a.drhost(t, 2, append([]string{"run", "--json"}, a.inputs("well")...)...)
	}
	if err := os.WriteFile(filepath.Join(a.dir, "drhost.toml"), original, 0o644); err != nil {
		t.Fatal(err)
	}
	a.drhost(t, 2, "secrets", "open", "bearer")
}

// search looks through what was printed and what is left in the folder.
func (a *aviary) search(t *testing.T) {
	t.Helper()
	for _, leak := range a.birds.leaks(a.out.Bytes()) {
		t.Errorf("printed: %s", leak)
	}
	a.searchAll(t, 20)
}

// searchAll looks through the folder, which holds some files at least.
func (a *aviary) searchAll(t *testing.T, least int) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(a.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		text, err := os.ReadFile(path)
		for _, leak := range a.birds.leaks(text) {
			t.Errorf("in %s: %s", strings.TrimPrefix(path, a.dir), leak)
		}
		return err
	})
	if err != nil || files < least {
		t.Errorf("%d files were searched (%v)", files, err)
	}
}

// channelsWereUsed sees in the journals that every call really was refused by
// somebody who repeated the canary.
func (a *aviary) channelsWereUsed(t *testing.T) {
	t.Helper()
	journals, err := filepath.Glob(filepath.Join(a.dir, ".drhost", "runs", "*", "journal.jsonl"))
	if err != nil || len(journals) == 0 {
		t.Fatalf("no journals: %v", err)
	}
	var all []byte
	for _, path := range journals {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text...)
	}
	for _, want := range []string{`the token [secret] is wrong`, `Invalid access token [secret]`, `password \"[secret]\" is wrong`, `bad key [secret]`,
		`"authorization":"Bearer [secret]"`, `"x-key-echo":"[secret]"`, `it does not accept the credentials (403)`, `raised with `,
		`"bearer":{"$secret":"sealed:bearer"}`} {
		if !bytes.Contains(all, []byte(want)) {
			t.Errorf("no journal holds %s", want)
		}
	}
}
