package sftpstore

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkg/sftp"

	"github.com/webhost-systems/drhost/bindings/backup/store"
	"github.com/webhost-systems/drhost/bindings/backup/store/sftpstore/sftptest"
	"github.com/webhost-systems/drhost/bindings/backup/store/storetest"
	"github.com/webhost-systems/drhost/host/fault"
)

func opened(t *testing.T, ctx context.Context, s *sftptest.Server, dir string) *Store {
	t.Helper()
	conn := s.Dial(t)
	client, err := sftp.NewClient(conn, Options()...)
	if err != nil {
		t.Fatal(err)
	}
	return Open(ctx, client, dir, "sftp://backup@test"+dir, conn.Close)
}

func TestConformance(t *testing.T) {
	server := sftptest.Start(t)
	storetest.Run(t, func(t *testing.T) store.Store {
		return opened(t, t.Context(), server, filepath.Join(t.TempDir(), "not", "there", "yet"))
	})
}

// TestAConnectionThatIsCut in the middle of an upload leaves a piece that is
// not shown, and that is swept once nobody can be writing it.
func TestAConnectionThatIsCut(t *testing.T) {
	server, dir := sftptest.Start(t), t.TempDir()
	s := opened(t, t.Context(), server, dir)
	content := io.MultiReader(bytes.NewReader(make([]byte, 3<<20)), cut{server}, bytes.NewReader(make([]byte, 3<<20)))
	if err := s.Put(t.Context(), "db/1/dump", content); fault.KindOf(err) != fault.Unavailable {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), "db/1/dump", strings.NewReader("x")); fault.KindOf(err) != fault.Unavailable {
		t.Fatal("a dead connection:", err)
	}
	again := opened(t, t.Context(), server, dir)
	defer again.Close()
	if found, err := again.List(t.Context(), ""); err != nil || len(found) != 0 {
		t.Fatal(found, err)
	}
	if n, err := again.Sweep(t.Context(), time.Hour); err != nil || n != 0 {
		t.Fatal("it may be alive:", n, err)
	}
	if n, err := again.Sweep(t.Context(), 0); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	if err := again.Put(t.Context(), "db/1/dump", strings.NewReader("x")); err != nil {
		t.Fatal("it is begun anew:", err)
	}
}

// cut ends the server's connections when it is read.
type cut struct{ server *sftptest.Server }

func (c cut) Read([]byte) (int, error) {
	c.server.Cut()
	return 0, io.EOF
}

// TestTheCallEnds: what is held is still given back.
func TestTheCallEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := opened(t, ctx, sftptest.Start(t), t.TempDir())
	cancel()
	if err := s.Put(ctx, "a", strings.NewReader("x")); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if err := s.Put(context.WithoutCancel(ctx), "locks/x", strings.NewReader("released")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestRightsAreKept(t *testing.T) {
	dir := t.TempDir()
	s := opened(t, t.Context(), sftptest.Start(t), dir)
	defer s.Close()
	if err := s.Create(t.Context(), "db/1/dump", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "db/1/dump"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatal(info, err)
	}
}
