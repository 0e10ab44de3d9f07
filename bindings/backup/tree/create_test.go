package tree

import (
	"bytes"
	"crypto/sha512"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
)

func TestATreeComesBack(t *testing.T) {
	for _, encrypted := range []bool{false, true} {
		t.Run(fmt.Sprint("encrypted=", encrypted), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, encrypted)
			odd(t, b)
			before := b.tree(b.dir)
			whole := b.backUp()
			if whole.Tree.Base != "" || whole.Tree.Ignored != 1 || len(whole.Needs) != 0 {
				t.Fatalf("%+v", whole.Tree)
			}
			change(t, b)
			after := b.tree(b.dir)
			inc := b.backUp()
			if inc.Tree.Base != whole.ID || !slices.Equal(inc.Needs, []string{whole.ID}) || inc.Tree.Stored > 1000 {
				t.Fatalf("%+v", inc.Tree)
			}
			for _, want := range []struct {
				backup catalogue.Backup
				tree   string
			}{{whole, before}, {inc, after}} {
				for how, dir := range map[string]string{"by drhost": t.TempDir(), "by hand": t.TempDir()} {
					if how == "by hand" {
						b.byHand(want.backup, dir)
					} else if _, err := b.restoreTo(dir, Restore{Backup: want.backup}); err != nil {
						t.Fatal(err)
					}
					if have := b.tree(dir); have != strings.ReplaceAll(want.tree, pipeLine(want.tree), "") {
						t.Errorf("%s %s: %s", how, want.backup.ID, firstDifference(have, strings.ReplaceAll(want.tree, pipeLine(want.tree), "")))
					}
				}
				for _, depth := range []string{catalogue.DepthSums, catalogue.DepthRead, catalogue.DepthRestored} {
					if got, err := b.Verify(t.Context(), want.backup, depth); err != nil || got != depth {
						t.Error(depth, got, err)
					}
				}
			}
		})
	}
}

func pipeLine(tree string) string {
	for line := range strings.Lines(tree) {
		if strings.HasPrefix(line, `"pipe"`) {
			return line
		}
	}
	return "there is no pipe"
}

func firstDifference(have, want string) string {
	a, b := strings.Split(have, "\n"), strings.Split(want, "\n")
	for n := range min(len(a), len(b)) {
		if a[n] != b[n] {
			return fmt.Sprintf("%.200s\ninstead of\n%.200s", a[n], b[n])
		}
	}
	return fmt.Sprintf("%d lines instead of %d", len(a), len(b))
}

// byHand follows the manifest to the letter, with the real programs.
func (b *bench) byHand(made catalogue.Backup, dir string) {
	b.t.Helper()
	for _, program := range []string{"zstd", "tar", "xargs", "sha256sum"} {
		if _, err := exec.LookPath(program); err != nil {
			b.t.Fatal(program + " is not installed; `make test` installs what it needs")
		}
	}
	env := append(os.Environ(), "TARGET="+dir)
	if b.key != "" {
		if _, err := exec.LookPath("age"); err != nil {
			b.t.Fatal("age is not installed; `make test` installs it")
		}
		file := filepath.Join(b.t.TempDir(), "key")
		if err := os.WriteFile(file, []byte(b.key+"\n"), 0o600); err != nil {
			b.t.Fatal(err)
		}
		env = append(env, "KEY="+file)
	}
	cmd := exec.Command("bash", "-e", "-o", "pipefail", "-c", strings.Join(made.Restore, "\n"))
	cmd.Dir, cmd.Env = filepath.Join(b.repo, made.Folder), env
	if said, err := cmd.CombinedOutput(); err != nil {
		b.t.Fatalf("%v: %s\n%s", err, said, strings.Join(made.Restore, "\n"))
	}
}

func TestAnUnchangedTreeCostsNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t, true)
	files := map[string]string{}
	for n := range 3000 {
		files[fmt.Sprintf("d%d/f%d", n%50, n)] = fmt.Sprintf("%x", sha512.Sum512([]byte(fmt.Sprint(n))))
	}
	b.write(files)
	whole := b.backUp()
	b.Keys = func() (artifact.Keys, error) { return artifact.Keys{}, nil } // it can write, and not read
	inc := b.backUp()
	if inc.Tree.Base != whole.ID || inc.Tree.Stored != 0 {
		t.Fatalf("%+v", inc.Tree)
	}
	manifest, err := os.Stat(filepath.Join(b.repo, inc.Folder, catalogue.ManifestName))
	if err != nil {
		t.Fatal(err)
	}
	if bytes := inc.Bytes() + manifest.Size(); bytes*100 > whole.Bytes() {
		t.Fatalf("an increment of %d bytes, the whole one has %d", bytes, whole.Bytes())
	}
	b.Cache = t.TempDir()
	if again := b.backUp(); again.Tree.Base != "" || !strings.Contains(again.Tree.Why, "cannot be opened here") {
		t.Fatalf("without cache and key it is stored whole: %+v", again.Tree)
	}
}

// restless is a place in which files change and vanish while they are read.
type restless struct {
	*Local
	dir string
}

func (r restless) Open(p string) (Content, error) {
	switch p {
	case "vanishes":
		os.Remove(filepath.Join(r.dir, p))
	case "shrinks":
		f, err := r.Local.Open(p)
		if err == nil {
			err = os.Truncate(filepath.Join(r.dir, p), 1<<20)
		}
		return restlessFile{f, r.dir + "/" + p, false}, err
	case "grows":
		f, err := r.Local.Open(p)
		return restlessFile{f, r.dir + "/" + p, true}, err
	}
	return r.Local.Open(p)
}

type restlessFile struct {
	Content
	path string
	grow bool
}

func (f restlessFile) Read(p []byte) (int, error) {
	n, err := f.Content.Read(p)
	if f.grow {
		out, openErr := os.OpenFile(f.path, os.O_APPEND|os.O_WRONLY, 0)
		if openErr == nil {
			out.WriteString("more")
			out.Close()
		}
	}
	return n, err
}

func TestFilesThatDoNotHoldStill(t *testing.T) {
	t.Parallel()
	b := newBench(t, false)
	b.write(map[string]string{"still": "s", "vanishes": "v", "grows": strings.Repeat("g", 1000), "shrinks": strings.Repeat("s", 3<<20)})
	from, err := OpenLocal(b.dir, false)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	made := b.backUpFrom(restless{from, b.dir})
	if made.Tree.Vanished != 1 || !slices.Contains(made.Tree.Torn, "grows") {
		t.Fatalf("%+v", made.Tree)
	}
	if _, err := b.Verify(t.Context(), made, catalogue.DepthRestored); err != nil {
		t.Fatal("it is a whole archive all the same:", err)
	}
	dir := t.TempDir()
	got, err := b.restoreTo(dir, Restore{Backup: made})
	if err != nil || !slices.Contains(got.Torn, "grows") {
		t.Fatal(got, err)
	}
	if text, _ := os.ReadFile(filepath.Join(dir, "grows")); len(text) < 1000 || !bytes.HasPrefix(text, bytes.Repeat([]byte("g"), 1000)) {
		t.Fatalf("%d bytes", len(text))
	}
	again := b.backUp()
	var index []Entry
	if index, err = b.index(t.Context(), again); err != nil || !slices.ContainsFunc(index, func(e Entry) bool { return e.Path == "grows" }) {
		t.Fatal("a torn file is stored again, whatever its time says:", index, err)
	}
}

// vague tells as little of files as a machine behind SFTP does.
type vague struct{ *Local }

func (vague) Coarse() time.Duration { return time.Second }

func (v vague) List(folder string) ([]Entry, int, error) {
	found, ignored, err := v.Local.List(folder)
	for n := range found {
		found[n] = vaguely(found[n])
	}
	return found, ignored, err
}

func (v vague) Open(p string) (Content, error) {
	f, err := v.Local.Open(p)
	return vagueFile{f}, err
}

type vagueFile struct{ Content }

func (f vagueFile) Describe() (Entry, error) {
	e, err := f.Content.Describe()
	return vaguely(e), err
}

func vaguely(e Entry) Entry {
	e.Time, e.changed, e.ino = e.Time.Truncate(time.Second), 0, 0
	return e
}

func TestAFileOfTheScansOwnSecondIsReadAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, false)
	b.write(map[string]string{"f": "one"})
	at := time.Now().Add(-time.Second)
	p := filepath.Join(b.dir, "f")
	set := func(text string) {
		f, err := os.OpenFile(p, os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteString(text)
		}
		if err = errors.Join(err, f.Close(), os.Chtimes(p, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	from, err := OpenLocal(b.dir, false)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	set("one")
	b.backUpFrom(vague{from})
	set("two") // same size, same time
	inc := b.backUpFrom(vague{from})
	if inc.Tree.Base == "" {
		t.Fatalf("%+v", inc.Tree)
	}
	dir := t.TempDir()
	if _, err := b.restoreTo(dir, Restore{Backup: inc}); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(filepath.Join(dir, "f")); string(text) != "two" {
		t.Fatalf("%s", text)
	}
}
