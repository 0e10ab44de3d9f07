package sftpstore

import (
	"bytes"
	"io"
	"syscall"
	"testing"

	"github.com/webhost-systems/drhost/bindings/backup/store/sftpstore/sftptest"
	"github.com/webhost-systems/drhost/host/fault"
)

// TestADiskThatIsFull: SFTP knows no word for it, so it has to be found out.
func TestADiskThatIsFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=3m"); err != nil {
		t.Skip("a disk that is really full takes the right to mount one:", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	s := opened(t, t.Context(), sftptest.Start(t), dir)
	defer s.Close()
	if err := s.Put(t.Context(), "db/1/small", bytes.NewReader([]byte("x"))); err != nil {
		t.Fatal(err)
	}
	err := s.Put(t.Context(), "db/1/dump", bytes.NewReader(make([]byte, 8<<20)))
	if f := fault.As(err); f.Kind != fault.Exhausted || f.Hint == "" {
		t.Fatalf("%+v", f)
	}
	found, err := s.List(t.Context(), "")
	if err != nil || len(found) != 1 || found[0].Name != "db/1/small" {
		t.Fatal("nothing half is there, and what was there is:", found, err)
	}
	in, err := s.Open(t.Context(), "db/1/small", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if text, err := io.ReadAll(in); err != nil || string(text) != "x" {
		t.Fatalf("%q %v", text, err)
	}
}
