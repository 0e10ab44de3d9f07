package tree

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/host/fault"
)

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
