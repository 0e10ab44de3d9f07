package postgres

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/webhost-systems/drhost/host/fault"
)

type full struct{}

func (full) Write([]byte) (int, error) {
	return 0, &os.PathError{Op: "write", Path: "dump", Err: syscall.ENOSPC}
}

func TestAFullDiskIsCalledThat(t *testing.T) {
	err := Child{Program: "/bin/sh", Args: []string{"-c", "head -c 1000000 /dev/zero"}, Out: full{}}.Run(t.Context())
	if f := Fault(err, "back up"); f.Kind != fault.Exhausted {
		t.Fatalf("%+v", f)
	}
}

var errSource = errors.New("the artifact is damaged")

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errSource }

// TestAnInputThatFailsIsNotTakenForItsEnd: psql would commit the half of it.
func TestAnInputThatFailsIsNotTakenForItsEnd(t *testing.T) {
	done := filepath.Join(t.TempDir(), "done")
	for range 100 {
		in := io.MultiReader(strings.NewReader(strings.Repeat("row\n", 100)), broken{})
		err := Child{Program: "/bin/sh", Args: []string{"-c", "while read row; do :; done; : >" + done}, In: in}.Run(t.Context())
		if !errors.Is(err, errSource) {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(done); !errors.Is(err, os.ErrNotExist) {
		t.Fatal("the child took the half of its input for all:", err)
	}
}

func TestFindSaysWhatToInstall(t *testing.T) {
	bin := t.TempDir()
	need := Need{Bin: bin, Programs: []string{"pg_dump", "pg_restore"}, AtLeast: 15, Package: "postgresql-client"}
	if _, err := Find(t.Context(), need); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "apt-get install postgresql-client,") {
		t.Fatal(err)
	}
	for _, name := range need.Programs {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\necho 'pg_dump (PostgreSQL) 16.4 (Debian 16.4-1)'\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Find(t.Context(), need)
	if err != nil || got.Major != 16 || got.Full != "16.4" {
		t.Fatal(got, err)
	}
	need.Exactly = true
	if _, err := Find(t.Context(), need); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "postgresql-client-15") {
		t.Fatal(err)
	}
}
