package sftpstore

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/store"
)

// errLost is a connection that ended; it is a net.Error, so that it is told
// apart from what the server answered.
var errLost = lost{}

type lost struct{}

func (lost) Error() string   { return "the SFTP connection was lost" }
func (lost) Timeout() bool   { return false }
func (lost) Temporary() bool { return true }

// List walks the part of the folder that prefix leads to.
func (s *Store) List(ctx context.Context, prefix string) ([]store.Info, error) {
	var found []store.Info
	start := ""
	if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
		start = prefix[:i]
	}
	err := s.walk(ctx, start, func(name string, info os.FileInfo) error {
		if strings.HasPrefix(name, prefix) && !strings.HasPrefix(path.Base(name), ".") {
			found = append(found, store.Info{Name: name, Bytes: info.Size(), Modified: info.ModTime()})
		}
		return nil
	})
	return store.Sorted(found), s.fault(err, "list the repository")
}

// walk visits the files under a folder. What is deleted meanwhile is left out.
func (s *Store) walk(ctx context.Context, folder string, visit func(name string, info os.FileInfo) error) error {
	entries, err := s.client.ReadDirContext(ctx, s.path(folder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := path.Join(folder, e.Name())
		switch {
		case e.IsDir() && !strings.HasPrefix(e.Name(), "."):
			err = s.walk(ctx, name, visit)
		case e.Mode().IsRegular():
			err = visit(name, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Folders reads one folder.
func (s *Store) Folders(ctx context.Context, prefix string) ([]string, error) {
	entries, err := s.client.ReadDirContext(ctx, s.path(prefix))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, s.fault(err, "list the repository")
	}
	var found []store.Info
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			found = append(found, store.Info{Name: e.Name()})
		}
	}
	var names []string
	for _, i := range store.Sorted(found) {
		names = append(names, i.Name)
	}
	return names, nil
}

// Delete removes a file, and the folders that are empty without it.
func (s *Store) Delete(_ context.Context, name string) error {
	op := "delete " + name
	if err := store.CheckName(name); err != nil {
		return store.Fault(err, op, s.place)
	}
	err := s.client.Remove(s.path(name))
	if err != nil {
		if _, other := s.client.Lstat(s.path(name)); other != nil {
			err = s.missing(other, name) // what cannot be removed because it is not there
		}
	}
	s.tidy(path.Dir(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s.fault(err, op)
	}
	return nil
}

// tidy removes a folder, and those above it, as long as they are empty.
func (s *Store) tidy(folder string) {
	for ; folder != "."; folder = path.Dir(folder) {
		if s.client.RemoveDirectory(s.path(folder)) != nil {
			return
		}
	}
}

// Sweep removes temporary files that nobody has written to for so long, by the
// server's clock.
func (s *Store) Sweep(ctx context.Context, idle time.Duration) (int, error) {
	const op = "sweep the repository"
	pieces := map[string]time.Time{}
	err := s.walk(ctx, "", func(name string, info os.FileInfo) error {
		if strings.HasPrefix(path.Base(name), piece) {
			pieces[name] = info.ModTime()
		}
		return nil
	})
	if err != nil || len(pieces) == 0 {
		return 0, s.fault(err, op)
	}
	now, err := s.now()
	if err != nil {
		return 0, s.fault(err, op)
	}
	removed := 0
	for name, at := range pieces {
		if now.Sub(at) < idle {
			continue
		}
		if err := s.client.Remove(s.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return removed, s.fault(err, op)
		}
		s.tidy(path.Dir(name))
		removed++
	}
	return removed, nil
}

// now is the time by the server's clock.
func (s *Store) now() (time.Time, error) {
	name := s.path(piece + rand.Text())
	f, err := s.client.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return time.Time{}, err
	}
	info, err := f.Stat()
	if err = errors.Join(err, f.Close(), s.client.Remove(name)); err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}
