package localstore

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/webhost-systems/drhost/bindings/backup/store"
	"github.com/webhost-systems/drhost/bindings/backup/store/storetest"
	"github.com/webhost-systems/drhost/host/fault"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		s, err := Open(filepath.Join(t.TempDir(), "not", "there", "yet"))
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

// TestKillDuringAPut kills a writer in the middle: nothing is to be seen of
// it, and Sweep clears the piece, which it spares while the writer lives.
func TestKillDuringAPut(t *testing.T) {
	if dir := os.Getenv("DRHOST_TEST_PUT_INTO"); dir != "" {
		s, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Fatal(s.Put(t.Context(), "db/1/dump", io.MultiReader(bytes.NewReader(make([]byte, 1<<20)), said{}, os.Stdin)))
	}
	dir := t.TempDir()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	writer := exec.Command(os.Args[0], "-test.run=^TestKillDuringAPut$")
	writer.Env = append(os.Environ(), "DRHOST_TEST_PUT_INTO="+dir)
	in, err := writer.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := writer.StdoutPipe()
	if err == nil {
		err = writer.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len(halfway))); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Sweep(t.Context(), 0); err != nil || n != 0 {
		t.Fatal("the piece of a living writer was swept:", n, err)
	}
	if err := writer.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = writer.Wait() // says that it was killed
	if found, err := s.List(t.Context(), ""); err != nil || len(found) != 0 {
		t.Fatal(found, err)
	}
	if n, err := s.Sweep(t.Context(), 0); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*", "*", piece+"*")); len(left) != 0 {
		t.Fatal(left)
	}
}

const halfway = "halfway\n"

// said tells the parent that it was reached.
type said struct{}

func (said) Read([]byte) (int, error) {
	_, _ = os.Stdout.WriteString(halfway)
	return 0, io.EOF
}

func TestAFileIsNoRepository(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file); fault.KindOf(err) != fault.Invalid {
		t.Fatal(err)
	}
	s, err := Open(filepath.Join(file, "below"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), "x", strings.NewReader("x")); fault.KindOf(err) != fault.Invalid {
		t.Fatal(err)
	}
}

func TestRights(t *testing.T) {
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Create(t.Context(), "db/1/dump", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(s.Path("db/1/dump"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatal(info, err)
	}
	if info, err = os.Stat(s.Path("db/1")); err != nil || info.Mode().Perm()&0o007 != 0 {
		t.Fatal(info, err)
	}
}
