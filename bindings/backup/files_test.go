package backup

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/store/sftpstore/sftptest"
	"github.com/webhost-systems/drhost/host/fault"
)

func TestFilesOfAMachineComeBackByDelta(t *testing.T) {
	machine := sftptest.Start(t)
	known := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(known, []byte(machine.KnownHost), 0o600); err != nil {
		t.Fatal(err)
	}
	c := client(t, map[string]any{"cache": t.TempDir(), "ssh": map[string]any{"key": "is:" + machine.Key, "known_hosts": known}})
	host := "root@" + machine.Addr
	from, to := t.TempDir(), t.TempDir()
	long := time.Now().Add(-time.Hour)
	for name, text := range map[string]string{"a": "aaaa", "b": "bb", "dir/c": "c"} {
		p := filepath.Join(from, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(p, long, long); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("dir/c", filepath.Join(from, "link")); err != nil {
		t.Fatal(err)
	}
	args := map[string]any{"kind": "files", "host": host, "path": from, "name": "web"}
	whole, err := call(t, c, "create", "k1", args)
	if err != nil || whole["kind"] != "files" || whole["database"] != "web" {
		t.Fatal(whole, err)
	}
	if err := os.WriteFile(filepath.Join(from, "b"), []byte("later"), 0o640); err != nil {
		t.Fatal(err)
	}
	inc, err := call(t, c, "create", "k2", args)
	if err != nil {
		t.Fatal(err)
	}
	if b := find(t, c, inc["id"].(string)); b.Tree.Base != whole["id"] || b.Tree.Stored != 5 {
		t.Fatalf("%+v", b.Tree)
	}
	back := map[string]any{"id": inc["id"], "host": host, "path": to}
	got, err := call(t, c, "restore", "r", back)
	if err != nil || got["written"] != 3.0 {
		t.Fatal(got, err)
	}
	for name, want := range map[string]string{"a": "aaaa", "b": "later", "link": "c"} {
		if text, err := os.ReadFile(filepath.Join(to, name)); err != nil || string(text) != want {
			t.Errorf("%s: %q %v", name, text, err)
		}
	}
	if info, err := os.Stat(filepath.Join(to, "a")); err != nil || info.Mode().Perm() != 0o640 || info.ModTime().Unix() != long.Unix() {
		t.Fatal(info, err)
	}
	if err := os.WriteFile(filepath.Join(to, "a"), []byte("spoilt"), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := call(t, c, "restore", "r2", back); fault.As(err).Kind != fault.Conflict {
		t.Fatal(err)
	}
	back["replace"] = true
	if got, err = call(t, c, "restore", "r3", back); err != nil || got["written"] != 1.0 || got["bytes"] != 4.0 {
		t.Fatal("only what differs is sent:", got, err)
	}
	newest, err := call(t, c, "newest", "", map[string]any{"database": "web", "kind": "files"})
	if err != nil || newest["id"] != inc["id"] {
		t.Fatal(newest, err)
	}
	if got, err := call(t, c, "verify", "", map[string]any{"id": inc["id"], "depth": "restore"}); err != nil || got["depth"] != "restored" {
		t.Fatal(got, err)
	}
	if _, err := call(t, c, "create", "k3", map[string]any{"kind": "files"}); fault.As(err).Kind != fault.Invalid {
		t.Fatal(err)
	}
}
