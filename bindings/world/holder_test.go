package world

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLoadRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"title = 'x'\n[[server]]\nname = 'a'\nimgae = 'debian-12'\n": ":4: unknown key",
		"[[server]\n": ":1",
		"[[server]]\nname='a'\n[[server]]\nname='a'\n":                                  "a name of its own",
		"[[server]]\nname='a'\nrole='boss'\n":                                           "neither app nor storage",
		"[[server]]\nname='a'\nlive=true\n":                                             "only a server with role app",
		"[[floating_ip]]\nname='f'\nserver='b'\n":                                       `no server "b"`,
		"[[zone]]\nname='z.org'\n[[zone.record]]\nname='a'\n":                           "exactly one of",
		"[[zone]]\nname='z.org'\n[[zone.record]]\nname='a'\nserver='c'\n":               `no server "c"`,
		"[[zone]]\nname='z.org'\n[[zone.record]]\nname='a'\nserver='c'\ncontent='d'\n ": "exactly one of",
	} {
		path := filepath.Join(t.TempDir(), "w.toml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if _, err := Start(context.Background(), Spec{Servers: []ServerSpec{{Name: "a", Location: "mars"}}}, Options{}); err == nil || !strings.Contains(err.Error(), "mars") {
		t.Errorf("an unknown location: %v", err)
	}
}

// TestHolderDies kills a process that holds a world and looks whether its
// database servers follow.
func TestHolderDies(t *testing.T) {
	if dir := os.Getenv("DRHOST_TEST_HOLD_WORLD"); dir != "" {
		spec := Spec{Servers: []ServerSpec{{Name: "app-1", Image: "webhost-hobby", Role: RoleApp, Customers: 1, Updates: 1}}}
		w, err := Start(context.Background(), spec, Options{Name: "held", StateDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		_ = w
		select {}
	}
	state := t.TempDir()
	holder := exec.Command(os.Args[0], "-test.run=^TestHolderDies$")
	holder.Env = append(os.Environ(), "DRHOST_TEST_HOLD_WORLD="+state)
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	x := &tour{T: t}
	var cancel context.CancelFunc
	x.ctx, cancel = context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var d Descriptor
	x.eventually("the world is held", func() bool { var err error; d, err = ReadDescriptor(state, "held"); return err == nil })
	defer os.RemoveAll(d.Dir)
	locks, err := filepath.Glob(filepath.Join(d.Dir, "rack/machines/*/var/lib/postgresql/*/main/postmaster.pid"))
	if err != nil || len(locks) != 1 {
		t.Fatalf("lock files: %v %v", locks, err)
	}
	lock, err := os.ReadFile(locks[0])
	if err != nil {
		t.Fatal(err)
	}
	postmaster, _, _ := strings.Cut(string(lock), "\n")
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = holder.Wait() // it was killed
	x.eventually("the database server follows", func() bool {
		_, err := os.Stat("/proc/" + postmaster)
		return os.IsNotExist(err)
	})
}
