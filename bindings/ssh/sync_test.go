package ssh

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// plant writes a tree of files by path; "-> x" makes a link, "dir" a folder.
func plant(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if to, ok := strings.CutPrefix(content, "-> "); ok {
			err = os.Symlink(to, path)
		} else {
			err = os.WriteFile(path, []byte(content), 0o640)
		}
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(content, "-> ") {
			old := time.Unix(1_700_000_000, 0)
			if err := os.Chtimes(path, old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// harvest reads a tree back in the form of plant.
func harvest(t *testing.T, root string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.Walk(root, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		if info.Mode()&os.ModeSymlink != 0 {
			to, err := os.Readlink(path)
			out[rel] = "-> " + to
			return err
		}
		text, err := os.ReadFile(path)
		out[rel] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func same(t *testing.T, root string, want map[string]string) {
	t.Helper()
	got := harvest(t, root)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("got  %v\nwant %v", got, want)
	}
}

// two machines at addresses of their own, and a desk that knows both.
func two(t *testing.T) *desk {
	t.Helper()
	d := newDesk(t, nil)
	a, b := boot(t, d.public, ""), boot(t, d.public, "")
	d.Client.env.Net = loopback{alias: map[string]string{"10.0.0.1:22": a.addr, "[2001:db8::2]:22": b.addr}}
	d.knows(t, "10.0.0.1:22", a.signer.PublicKey())
	d.knows(t, "[2001:db8::2]:22", b.signer.PublicKey())
	return d
}

func TestSyncBetweenTwoServers(t *testing.T) {
	d := two(t)
	source, target := t.TempDir(), filepath.Join(t.TempDir(), "deep", "target")
	files := map[string]string{"release.json": `{"v":1}`, "app/main": strings.Repeat("m", 300_000), "app/lib/x": "", "current": "-> app/lib"}
	for i := range 40 {
		files[fmt.Sprintf("many/%02d", i)] = fmt.Sprint("file ", i)
	}
	plant(t, source, files)
	if err := os.Chmod(filepath.Join(source, "app", "main"), 0o750); err != nil {
		t.Fatal(err)
	}
	args := map[string]any{"source": "backup@10.0.0.1:" + source + "/", "target": "root@[2001:db8::2]:" + target}
	if got, err := syncTrees.Predict(d.Client, t.Context(), syncArgs{Source: args["source"].(string), Target: target, Within: time.Minute}); err != nil || got.Files != len(files) {
		t.Fatal(got, err)
	}
	if _, err := os.Stat(target); err == nil {
		t.Fatal("a prediction wrote")
	}
	got, err := d.call(t, "sync", args)
	if err != nil || got["files"] != float64(len(files)) || got["skipped"] != 0.0 {
		t.Fatal(got, err)
	}
	same(t, target, files)
	info, err := os.Stat(filepath.Join(target, "app", "main"))
	if err != nil || info.Mode().Perm() != 0o750 || info.ModTime().Unix() != 1_700_000_000 {
		t.Fatal(info, err)
	}
	if got, err = d.call(t, "sync", args); err != nil || got["files"] != 0.0 || got["skipped"] != float64(len(files)) || got["bytes"] != 0.0 {
		t.Fatalf("the second time nothing is left to do: %v %v", got, err)
	}
}

func TestSyncDeletesExcludesAndChecks(t *testing.T) {
	d := two(t)
	source, target := t.TempDir(), t.TempDir()
	plant(t, source, map[string]string{"keep": "new content", "sneaky": "AAAA", "cache/skip": "no"})
	plant(t, target, map[string]string{"keep": "old", "sneaky": "BBBB", "cache/own": "stays", "gone/a/b": "x", "left.log": "stays"})
	args := map[string]any{"source": source, "target": "10.0.0.1:" + target, "exclude": []any{"cache", "*.log"}}
	got, err := d.call(t, "sync", args)
	if err != nil || got["files"] != 1.0 || got["deleted"] != 0.0 {
		t.Fatal(got, err)
	}
	args["delete"], args["checksum"] = true, true
	got, err = d.call(t, "sync", args)
	if err != nil || got["files"] != 1.0 || got["deleted"] != 3.0 {
		t.Fatal(got, err)
	}
	same(t, target, map[string]string{"keep": "new content", "sneaky": "AAAA", "cache/own": "stays", "left.log": "stays"})
}

func TestSyncOfAnotherType(t *testing.T) {
	d := two(t)
	source, target := t.TempDir(), t.TempDir()
	plant(t, source, map[string]string{"thing": "a file", "etc": "-> elsewhere"})
	plant(t, target, map[string]string{"thing/inside": "x", "etc": "a file"})
	args := map[string]any{"source": "10.0.0.1:" + source, "target": target}
	if _, err := d.call(t, "sync", args); fault.KindOf(err) != fault.Conflict {
		t.Fatal(err)
	}
	same(t, target, map[string]string{"thing/inside": "x", "etc": "a file"})
	args["delete"] = true
	if _, err := d.call(t, "sync", args); err != nil {
		t.Fatal(err)
	}
	same(t, target, map[string]string{"thing": "a file", "etc": "-> elsewhere"})
}

func TestSyncNeverWritesThroughALinkOfTheTarget(t *testing.T) {
	d := two(t)
	source, target, outside := t.TempDir(), t.TempDir(), t.TempDir()
	plant(t, source, map[string]string{"data/file": "x", "plain": "y"})
	plant(t, outside, map[string]string{"victim": "untouched"})
	plant(t, target, map[string]string{"data": "-> " + outside, "plain": "-> " + filepath.Join(outside, "victim")})
	if _, err := d.call(t, "sync", map[string]any{"source": source, "target": "10.0.0.1:" + target}); fault.KindOf(err) != fault.Conflict {
		t.Fatal(err)
	}
	same(t, outside, map[string]string{"victim": "untouched"})
}

func TestAnInterruptedSyncIsCompletedByARepeat(t *testing.T) {
	d := two(t)
	source, target := t.TempDir(), t.TempDir()
	plant(t, source, map[string]string{"a": "aaa", "b": "bbb"})
	part := partOf(filepath.Join(target, "a")) // as a crash leaves it
	plant(t, target, map[string]string{filepath.Base(part): "a", "b": "bb"})
	s, err := syncTrees.Settled(d.Client, t.Context(), syncArgs{})
	if err != nil || s.Landed != binding.No {
		t.Fatal(s, err)
	}
	if _, err := d.call(t, "sync", map[string]any{"source": "10.0.0.1:" + source, "target": "[2001:db8::2]:" + target}); err != nil {
		t.Fatal(err)
	}
	same(t, target, map[string]string{"a": "aaa", "b": "bbb"})
}

func TestSyncFaults(t *testing.T) {
	d := two(t)
	source := t.TempDir()
	plant(t, source, map[string]string{"a": "aaa"})
	blocked := filepath.Join(t.TempDir(), "file")
	plant(t, filepath.Dir(blocked), map[string]string{"file": "x"})
	for _, c := range []struct {
		name string
		args map[string]any
		kind fault.Kind
	}{
		{"no source", map[string]any{"source": "10.0.0.1:" + source + "/nowhere", "target": source}, fault.NotFound},
		{"a file where a folder has to be", map[string]any{"source": source, "target": blocked + "/below"}, fault.Conflict},
		{"a file for a folder", map[string]any{"source": source + "/a", "target": source, "delete": true}, fault.Conflict},
		{"bad pattern", map[string]any{"source": source, "target": source, "exclude": []any{"["}}, fault.Invalid},
		{"bad location", map[string]any{"source": "host:", "target": source}, fault.Invalid},
		{"stranger", map[string]any{"source": source, "target": "203.0.113.77:/x"}, fault.Timeout},
	} {
		t.Run(c.name, func(t *testing.T) {
			d.Client.set.ConnectTimeout = 200 * time.Millisecond
			net := d.Client.env.Net.(loopback)
			net.hole = "203.0.113.77:22"
			d.Client.env.Net = net
			if _, err := d.call(t, "sync", c.args); fault.KindOf(err) != c.kind {
				t.Fatalf("%s: %v", fault.KindOf(err), err)
			}
		})
	}
}

func TestUploadAndDownload(t *testing.T) {
	d := two(t)
	plant(t, d.dir, map[string]string{"unit.service": "[Unit]\n"})
	there := t.TempDir()
	got, err := d.call(t, "upload", map[string]any{"host": "10.0.0.1", "source": "unit.service", "target": there + "/etc/", "mode": "0600"})
	if err != nil || got["bytes"] != 7.0 || got["path"] != there+"/etc/unit.service" {
		t.Fatal(got, err)
	}
	if info, err := os.Stat(there + "/etc/unit.service"); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatal(info, err)
	}
	back, err := d.call(t, "download", map[string]any{"host": "10.0.0.1", "source": there + "/etc/unit.service", "target": "evidence/"})
	if err != nil || back["sha256"] != got["sha256"] {
		t.Fatal(back, err)
	}
	same(t, filepath.Join(d.dir, "evidence"), map[string]string{"unit.service": "[Unit]\n"})
	if _, err := d.call(t, "upload", map[string]any{"host": "10.0.0.1", "source": "unit.service", "target": "/x", "mode": "rw"}); fault.KindOf(err) != fault.Invalid {
		t.Fatal(err)
	}
	if _, err := d.call(t, "download", map[string]any{"host": "10.0.0.1", "source": there, "target": "x"}); fault.KindOf(err) != fault.Invalid {
		t.Fatal(err)
	}
	if _, err := d.call(t, "download", map[string]any{"host": "10.0.0.1", "source": "/no/such", "target": "x"}); fault.KindOf(err) != fault.NotFound {
		t.Fatal(err)
	}
}

func TestLocations(t *testing.T) {
	for text, want := range map[string]location{
		"backup@storage:/backups/app/": {"backup", "storage", "/backups/app/"},
		"host:relative":                {"", "host", "relative"},
		"/a/b:c":                       {"", "", "/a/b:c"},
		"./b:c":                        {"", "", "./b:c"},
		"root@[2001:db8::1]:/x":        {"root", "[2001:db8::1]", "/x"},
	} {
		if got, err := parseLocation(text); err != nil || got != want {
			t.Errorf("%s: %+v %v", text, got, err)
		}
	}
}

func TestASyncThatTakesTooLongIsNotTriedAgain(t *testing.T) {
	d := two(t)
	source, target := t.TempDir(), t.TempDir()
	plant(t, source, map[string]string{"big": strings.Repeat("x", 60<<20)})
	_, err := d.call(t, "sync", map[string]any{"source": "10.0.0.1:" + source, "target": "[2001:db8::2]:" + target, "within": "60ms"})
	if f := fault.As(err); f.Kind != fault.Timeout || f.Transient || f.Sent != fault.NotDone {
		t.Fatalf("%+v", f)
	}
	if _, err := os.Stat(filepath.Join(target, "big")); err == nil {
		t.Fatal("an incomplete file has its name")
	}
}
