package tree

import (
	"bytes"
	"context"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/bindings/backup/store/localstore"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/secret"
)

// bench is a repository and a tree.
type bench struct {
	*Engine
	t    *testing.T
	repo string
	dir  string
	key  string // of age; empty when nothing is encrypted
	n    int
}

func newBench(t *testing.T, encrypted bool) *bench {
	t.Helper()
	b := &bench{t: t, repo: t.TempDir(), dir: t.TempDir()}
	s, err := localstore.Open(b.repo)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	b.Engine = &Engine{Catalogue: &catalogue.Catalogue{Store: s, Clock: clock.System{}, Owner: "test"}, Clock: clock.System{}, Cache: t.TempDir(), Scratch: t.TempDir(), LockWait: time.Minute,
		Keys: func() (artifact.Keys, error) { return artifact.Keys{}, nil }}
	if encrypted {
		id, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		b.key = id.String()
		b.Seal.Recipients = []age.Recipient{id.Recipient()}
		b.Keys = func() (artifact.Keys, error) { return artifact.ParseKeys(secret.New(b.key)) }
	}
	return b
}

// write puts files down, with times of long ago.
func (b *bench) write(files map[string]string) {
	b.t.Helper()
	for name, text := range files {
		p := filepath.Join(b.dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			b.t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			b.t.Fatal(err)
		}
		b.age(name, time.Duration(len(text))*time.Second+123456789)
	}
}

// age makes a file an hour and more old.
func (b *bench) age(name string, by time.Duration) {
	at := time.Now().Add(-time.Hour - by)
	if err := os.Chtimes(filepath.Join(b.dir, name), at, at); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) backUp() catalogue.Backup {
	b.t.Helper()
	from, err := OpenLocal(b.dir, false)
	if err != nil {
		b.t.Fatal(err)
	}
	defer from.Close()
	return b.backUpFrom(from)
}

func (b *bench) backUpFrom(from Place) catalogue.Backup {
	b.t.Helper()
	b.n++
	made, err := b.Create(b.t.Context(), Create{Name: "web", Path: b.dir, Key: fmt.Sprint("k", b.n), From: from})
	if err != nil {
		b.t.Fatal(err)
	}
	return made
}

func (b *bench) restoreTo(dir string, r Restore) (Restored, error) {
	r.Where = dir
	return b.Restore(b.t.Context(), r, func() (Target, error) { return OpenLocal(dir, true) })
}

// tree describes everything in a folder, byte by byte.
func (b *bench) tree(dir string) string {
	b.t.Helper()
	var out []string
	inodes := map[uint64]string{}
	err := filepath.Walk(dir, func(p string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		line := fmt.Sprintf("%q %v", rel, info.Mode())
		s := info.Sys().(*syscall.Stat_t)
		line += fmt.Sprintf(" %d:%d", s.Uid, s.Gid)
		switch {
		case info.Mode().IsRegular():
			text, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" %d %x", info.ModTime().UnixNano(), text)
			if first, ok := inodes[s.Ino]; ok {
				line += " same as " + first
			} else {
				inodes[s.Ino] = rel
			}
		case info.IsDir():
			line += fmt.Sprint(" ", info.ModTime().UnixNano())
		default:
			to, _ := os.Readlink(p)
			line += " -> " + to
		}
		out = append(out, line)
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return strings.Join(out, "\n")
}

// odd is a tree with everything that trees have.
func odd(t *testing.T, b *bench) {
	t.Helper()
	b.write(map[string]string{"index.html": "<h1>", "static/a.css": "a", "static/deep/er/b.js": strings.Repeat("b", 3<<20), "with\nnewline": "n", "-rf": "r", "sp ace/'quote'": "q", "\xff\xfe": "no text",
		"old/gone": "g", "old/er/gone": "g", "becomes-folder": "f", "becomes-file/x": "x", "touched": "same", "chmod": "c", "empty": "", "static/same-name": "1"})
	for _, err := range []error{
		os.Symlink("static/a.css", filepath.Join(b.dir, "link")), os.Symlink("/nowhere/at/all", filepath.Join(b.dir, "static/dangling")),
		os.Link(filepath.Join(b.dir, "index.html"), filepath.Join(b.dir, "static/hard")), os.Link(filepath.Join(b.dir, "index.html"), filepath.Join(b.dir, "z-hard")),
		os.Mkdir(filepath.Join(b.dir, "void"), 0o750), os.Chmod(filepath.Join(b.dir, "chmod"), 0o4711), os.Chmod(filepath.Join(b.dir, "static"), 0o2775),
		syscall.Mkfifo(filepath.Join(b.dir, "pipe"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if os.Geteuid() == 0 {
		if err := os.Lchown(filepath.Join(b.dir, "static/a.css"), 4711, 4712); err != nil {
			t.Fatal(err)
		}
	}
}

// change makes the changes that an increment has to carry.
func change(t *testing.T, b *bench) {
	t.Helper()
	b.write(map[string]string{"index.html": "<h2>", "static/new/c.css": "new"}) // in place: the hard links follow
	b.age("touched", 9*time.Hour)
	for _, err := range []error{
		os.RemoveAll(filepath.Join(b.dir, "old")), os.Remove(filepath.Join(b.dir, "becomes-folder")), os.RemoveAll(filepath.Join(b.dir, "becomes-file")),
		os.Remove(filepath.Join(b.dir, "link")), os.Symlink("elsewhere", filepath.Join(b.dir, "link")), os.Chmod(filepath.Join(b.dir, "chmod"), 0o600),
		os.Remove(filepath.Join(b.dir, "void")), os.Remove(filepath.Join(b.dir, "with\nnewline")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	b.write(map[string]string{"becomes-folder/in": "i", "becomes-file": "now"})
}

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

func TestRestoringOverWhatIsThere(t *testing.T) {
	t.Parallel()
	b := newBench(t, false)
	odd(t, b)
	made := b.backUp()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "index.html"), []byte("newer"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "own"), []byte("own"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := b.restoreTo(dir, Restore{Backup: made})
	if f := fault.As(err); f.Kind != fault.Conflict || !strings.Contains(f.Message, "1 files there would be replaced, 1 are not in the backup, 1 of them newer than the backup, the latest index.html") {
		t.Fatalf("%+v", f)
	}
	if text, _ := os.ReadFile(filepath.Join(dir, "index.html")); string(text) != "newer" {
		t.Fatal("it was touched")
	}
	got, err := b.restoreTo(dir, Restore{Backup: made, Replace: true})
	if err != nil || got.Deleted != 0 {
		t.Fatal(got, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "own")); err != nil {
		t.Fatal("what the backup does not have stays:", err)
	}
	got, err = b.restoreTo(dir, Restore{Backup: made, Replace: true, Delete: true})
	if err != nil || got.Written != 0 || got.Deleted != 1 {
		t.Fatal("only what differs is written:", got, err)
	}
	want := b.tree(b.dir)
	if have := b.tree(dir); have != strings.ReplaceAll(want, pipeLine(want), "") {
		t.Fatal(firstDifference(have, want))
	}
}

func TestOneFolderComesBack(t *testing.T) {
	t.Parallel()
	b := newBench(t, false)
	odd(t, b)
	made := b.backUp()
	dir := t.TempDir()
	if _, err := b.restoreTo(dir, Restore{Backup: made, Only: "static"}); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(filepath.Join(dir, "static/hard")); string(text) != "<h1>" {
		t.Fatalf("a link to a file that was not asked for is a file of its own: %q", text)
	}
	if found, _ := os.ReadDir(dir); len(found) != 1 {
		t.Fatal(found)
	}
	_, err := b.restoreTo(t.TempDir(), Restore{Backup: made, Only: "static/nothing"})
	if fault.As(err).Kind != fault.NotFound {
		t.Fatal(err)
	}
	_, err = b.restoreTo(t.TempDir(), Restore{Backup: made, Only: "../other"})
	if fault.As(err).Kind != fault.Invalid {
		t.Fatal(err)
	}
}

func TestHolesStayHoles(t *testing.T) {
	t.Parallel()
	b := newBench(t, false)
	p := filepath.Join(b.dir, "sparse")
	if err := errors.Join(os.WriteFile(p, []byte("head"), 0o644), os.Truncate(p, 64<<20)); err != nil {
		t.Fatal(err)
	}
	made := b.backUp()
	if made.Bytes() > 1<<20 {
		t.Fatalf("%d bytes in the repository", made.Bytes())
	}
	dir := t.TempDir()
	if _, err := b.restoreTo(dir, Restore{Backup: made}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "sparse"))
	if err != nil || info.Size() != 64<<20 || info.Sys().(*syscall.Stat_t).Blocks*512 > 1<<20 {
		t.Fatal(info, err)
	}
}

func TestADamagedBaseCondemnsWhatNeedsIt(t *testing.T) {
	t.Parallel()
	b := newBench(t, false)
	b.write(map[string]string{"a": "a", "b": strings.Repeat("b", 1000)})
	whole := b.backUp()
	inc := b.backUp()
	p := filepath.Join(b.repo, whole.Folder, whole.Files[0].Name)
	text, err := os.ReadFile(p)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	if err := os.WriteFile(p, text, 0o644); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := b.restoreTo(dir, Restore{Backup: inc}); !errors.Is(err, artifact.ErrDamaged) {
		t.Fatal(err)
	}
	if found, _ := os.ReadDir(dir); len(found) > 0 {
		t.Fatal("something was written:", found)
	}
	if _, err := b.Verify(t.Context(), inc, catalogue.DepthSums); !errors.Is(err, artifact.ErrDamaged) {
		t.Fatal(err)
	}
	now, err := b.Catalogue.Find(t.Context(), inc.ID)
	if err != nil || !now.Damaged() {
		t.Fatal(now.Checks, err)
	}
}

func TestAnInterruptedRestoreIsCompleted(t *testing.T) {
	t.Parallel()
	b := newBench(t, false)
	odd(t, b)
	made := b.backUp()
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	_, err := b.Restore(ctx, Restore{Backup: made, Where: dir}, func() (Target, error) {
		to, err := OpenLocal(dir, true)
		return stops{to, cancel}, err
	})
	if err == nil {
		t.Fatal("it was not interrupted")
	}
	if got, err := b.restoreTo(dir, Restore{Backup: made}); err != nil || got.Written == 0 {
		t.Fatal(got, err)
	}
	want := b.tree(b.dir)
	if have := b.tree(dir); have != strings.ReplaceAll(want, pipeLine(want), "") {
		t.Fatal(firstDifference(have, want))
	}
}

// stops ends the restore in its largest file.
type stops struct {
	Target
	cancel func()
}

func (s stops) Put(e Entry, content io.Reader) error {
	if e.Size > 1<<20 {
		s.cancel()
	}
	return s.Target.Put(e, content)
}

// TestAnArchiveWithOtherContentIsRefused, whose own sums are right.
func TestAnArchiveWithOtherContentIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, false)
	b.write(map[string]string{"a": "what it was"})
	made := b.backUp()
	var text []byte
	err := b.read(t.Context(), made, ArchiveName, func(in io.Reader) (err error) { text, err = io.ReadAll(in); return err })
	if err != nil {
		t.Fatal(err)
	}
	made.Files[0], err = artifact.Write(t.Context(), b.Catalogue.Store, made.Folder, ArchiveName, b.Seal, func(w io.Writer) error {
		_, err := w.Write(bytes.Replace(text, []byte("what it was"), []byte("what it wos"), 1))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := b.restoreTo(dir, Restore{Backup: made}); !errors.Is(err, artifact.ErrDamaged) {
		t.Fatal(err)
	}
	if found, _ := os.ReadDir(dir); len(found) > 0 {
		t.Fatal("it took its name:", found)
	}
	if _, err := b.Verify(t.Context(), made, catalogue.DepthRead); !errors.Is(err, artifact.ErrDamaged) {
		t.Fatal(err)
	}
}
