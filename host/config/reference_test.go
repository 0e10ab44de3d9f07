package config

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/secret"
)

func sources(t *testing.T) Sources {
	t.Helper()
	dir := t.TempDir()
	for name, f := range map[string]struct {
		text string
		mode os.FileMode
	}{
		"token":  {"hunter2\n", 0o600},
		"group":  {"hunter2", 0o640},
		"open":   {"hunter2", 0o644},
		"empty":  {"\n", 0o600},
		"key":    {"-----BEGIN-----\nabc\n-----END-----\n", 0o600},
		"large":  {strings.Repeat("x", longest+1), 0o600},
		"folder": {"", 0},
	} {
		path := filepath.Join(dir, name)
		if name == "folder" {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(path, []byte(f.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, f.mode); err != nil {
			t.Fatal(err)
		}
	}
	env := map[string]string{"HETZNER_API_TOKEN": "hunter2\n", "EMPTY": "", "HOME": dir}
	return Sources{Env: "production", Getenv: func(name string) string { return env[name] }, Dir: dir, Redactor: &secret.Redactor{}, Within: 300 * time.Millisecond}
}

func TestReferences(t *testing.T) {
	s := sources(t)
	resolve := Resolver(s)
	for _, reference := range []string{
		"env:HETZNER_API_TOKEN", "file:token", "file:" + filepath.Join(s.Dir, "token"), "file:~/token", "file:group", "cmd:cat token", "cmd:printf 'hunter2\\n\\n'",
	} {
		v, err := resolve(reference)
		if err != nil || v.Reveal() != "hunter2" {
			t.Errorf("%s: %q %v", reference, v.Reveal(), err)
		}
	}
	if got := s.Redactor.Text("Bearer hunter2"); got != "Bearer "+secret.Mark {
		t.Errorf("the redactor does not know it: %s", got)
	}
	if v, err := resolve("file:key"); err != nil || v.Reveal() != "-----BEGIN-----\nabc\n-----END-----" {
		t.Errorf("%q %v", v.Reveal(), err)
	}
	s.Simulated = true
	if v, err := Resolver(s)("plain:hunter2"); err != nil || v.Reveal() != "hunter2" {
		t.Errorf("plain: %v", err)
	}
	s.Redactor = nil
	if _, err := Resolver(s)("file:token"); err != nil {
		t.Errorf("without a redactor: %v", err)
	}
}

func TestBadReferences(t *testing.T) {
	resolve := Resolver(sources(t))
	for reference, want := range map[string]string{
		"env:CLOUDFLARE_API_TOKEN": `CLOUDFLARE_API_TOKEN is not set (environment "production"`,
		"env:EMPTY":                "EMPTY is not set",
		"env:hunter2-not-a-name":   "after env: comes a variable's name",
		"file:missing":             "does not exist",
		"file:open":                "chmod 600",
		"file:empty":               "is empty",
		"file:large":               "too large",
		"file:folder":              "is no file",
		"file:token/x":             "not a directory",
		"cmd:echo hunter2; exit 3": "ended with exit status 3",
		"cmd:true hunter2":         "printed nothing",
		"cmd:sleep 20":             "did not end within 300ms",
		"cmd:nosuchprogram x":      "exit status 127",
		"plain:hunter2":            "is for simulated environments",
		"hunter2":                  "not the credential itself",
		"vault:hunter2":            "not the credential itself",
		"env:":                     "something has to follow env:",
		"":                         "not the credential itself",
	} {
		_, err := resolve(reference)
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", reference, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the message repeats the credential: %v", reference, err)
		}
	}
	if _, err := resolve("env:CLOUDFLARE_API_TOKEN"); !strings.Contains(fault.As(err).Hint, "drhost drill") {
		t.Errorf("the hint does not name the way to try it: %v", err)
	}
}

// TestCommandRunsOnce: several clients that share a credential ask the
// password manager once.
func TestCommandRunsOnce(t *testing.T) {
	s := sources(t)
	resolve := Resolver(s)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if v, err := resolve("cmd:echo x >> ran; cat token"); err != nil || v.Reveal() != "hunter2" {
				t.Errorf("%q %v", v.Reveal(), err)
			}
		})
	}
	wg.Wait()
	if ran, err := os.ReadFile(filepath.Join(s.Dir, "ran")); err != nil || string(ran) != "x\n" {
		t.Errorf("ran %q (%v)", ran, err)
	}
}
