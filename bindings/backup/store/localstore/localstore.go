// Package localstore keeps a repository in a folder. What it says is stored is
// on the disk: the file synced, renamed into place, and its folder synced. It
// must never let a reader see half a file.
package localstore

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/store"
	"github.com/webhost-systems/drhost/host/fault"
)

// piece begins the names of files that are being written.
const piece = ".new-"

// Store is a folder.
type Store struct{ dir string }

// Open returns the repository in dir, which is made when something is stored.
func Open(dir string) (*Store, error) {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, fault.New(fault.Invalid, "the repository %s is no folder", dir).WithHint("check `repository` in the settings of backup")
	}
	return &Store{filepath.Clean(dir)}, nil
}

// Place is the folder.
func (s *Store) Place() string { return s.dir }

// Path is the file that holds an object, for programs that read files.
func (s *Store) Path(name string) string { return filepath.Join(s.dir, filepath.FromSlash(name)) }

// Close has nothing to give back.
func (s *Store) Close() error { return nil }

// Put replaces a file by one that is complete and on the disk.
func (s *Store) Put(ctx context.Context, name string, content io.Reader) error {
	return s.store(ctx, name, content, os.Rename)
}

// Create makes a file under a name that is free.
func (s *Store) Create(ctx context.Context, name string, content io.Reader) error {
	// The cheap answer first: nothing is written for a name that is taken.
	if _, err := os.Lstat(s.Path(name)); err == nil {
		return store.Fault(store.ErrExists, "store "+name, s.dir)
	}
	return s.store(ctx, name, content, place)
}

func (s *Store) store(ctx context.Context, name string, content io.Reader, settle func(from, to string) error) error {
	source := store.NewSource(ctx, content)
	err := store.CheckName(name)
	if err == nil {
		err = s.write(name, source, settle)
	}
	if source.Err != nil {
		return source.Err
	}
	return store.Fault(err, "store "+name, s.dir)
}

func (s *Store) write(name string, content io.Reader, settle func(from, to string) error) error {
	path := s.Path(name)
	tmp, err := s.begin(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // gone already when it was renamed
	defer tmp.Close()           // and with it the lock that tells Sweep that it lives
	if _, err = io.Copy(tmp, content); err == nil {
		err = tmp.Sync()
	}
	if err != nil {
		return err
	}
	if err := settle(tmp.Name(), path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// begin makes a temporary file in folder, and folder itself. What Delete or
// Sweep takes away at the same moment, because the folder is empty or the file
// not locked yet, is made again.
func (s *Store) begin(folder string) (*os.File, error) {
	var last error
	for range 10 {
		if last = s.makeFolder(folder); last != nil && !errors.Is(last, fs.ErrNotExist) {
			return nil, last
		}
		tmp, err := os.CreateTemp(folder, piece+"*") // rights 0600
		if err == nil {
			if err = lock(tmp); err == nil {
				_, err = os.Lstat(tmp.Name())
			}
			if err == nil {
				return tmp, nil
			}
			tmp.Close()
		}
		if last = err; !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, err
		}
	}
	return nil, last
}

// makeFolder makes a folder and those above it, durably.
func (s *Store) makeFolder(folder string) error {
	if _, err := os.Stat(folder); err == nil {
		return nil
	}
	parent := filepath.Dir(folder)
	if parent != folder {
		if err := s.makeFolder(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(folder, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncFolder(parent)
}

// place gives a file its name unless that is taken.
func place(from, to string) error {
	err := os.Link(from, to)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		// A file system without hard links, such as a mounted Windows share.
		err = renameIfFree(from, to)
	}
	if errors.Is(err, fs.ErrExist) {
		return errors.Join(store.ErrExists, err)
	}
	return err
}

// Open reads a file.
func (s *Store) Open(ctx context.Context, name string, offset int64) (io.ReadCloser, error) {
	op := "read " + name
	if err := store.CheckName(name); err != nil {
		return nil, store.Fault(err, op, s.dir)
	}
	f, err := os.Open(s.Path(name))
	if err != nil {
		return nil, store.Fault(missing(err), op, s.dir)
	}
	if info, err := f.Stat(); err != nil || info.IsDir() {
		f.Close()
		return nil, store.Fault(errors.Join(err, store.ErrNotFound), op, s.dir)
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		f.Close()
		return nil, store.Fault(err, op, s.dir)
	}
	return &reading{ctx, f, op, s.dir}, nil
}

// reading is an open file whose errors are faults.
type reading struct {
	ctx       context.Context
	file      *os.File
	op, place string
}

func (r *reading) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.file.Read(p)
	if err != nil && err != io.EOF {
		err = store.Fault(err, r.op, r.place)
	}
	return n, err
}

func (r *reading) Close() error { return r.file.Close() }

// missing says ErrNotFound of a file that cannot be there, too.
func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return errors.Join(store.ErrNotFound, err)
	}
	return err
}

// Stat describes a file.
func (s *Store) Stat(_ context.Context, name string) (store.Info, error) {
	op := "look at " + name
	if err := store.CheckName(name); err != nil {
		return store.Info{}, store.Fault(err, op, s.dir)
	}
	info, err := os.Stat(s.Path(name))
	if err == nil && info.IsDir() {
		err = store.ErrNotFound
	}
	if err != nil {
		return store.Info{}, store.Fault(missing(err), op, s.dir)
	}
	return store.Info{Name: name, Bytes: info.Size(), Modified: info.ModTime()}, nil
}

// List walks the part of the folder that prefix leads to.
func (s *Store) List(ctx context.Context, prefix string) ([]store.Info, error) {
	var found []store.Info
	start := s.dir
	if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
		start = s.Path(prefix[:i])
	}
	err := filepath.WalkDir(start, func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // deleted meanwhile, or nothing was ever stored
		}
		if err != nil {
			return err
		}
		if path != start && strings.HasPrefix(d.Name(), ".") {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel(s.dir, path)
		name := filepath.ToSlash(rel)
		if err != nil || d.IsDir() || !strings.HasPrefix(name, prefix) {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && info.Mode().IsRegular() {
			found = append(found, store.Info{Name: name, Bytes: info.Size(), Modified: info.ModTime()})
		}
		return err
	})
	if err != nil {
		return nil, store.Fault(err, "list the repository", s.dir)
	}
	return store.Sorted(found), nil
}

// Folders reads one folder. One in which nothing is stored may be among them.
func (s *Store) Folders(_ context.Context, prefix string) ([]string, error) {
	entries, err := os.ReadDir(s.Path(prefix))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, store.Fault(err, "list the repository", s.dir)
	}
	var found []string
	for _, e := range entries { // sorted by os.ReadDir
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			found = append(found, e.Name())
		}
	}
	return found, nil
}

// Delete removes a file, and the folders that are empty without it.
func (s *Store) Delete(_ context.Context, name string) error {
	op := "delete " + name
	if err := store.CheckName(name); err != nil {
		return store.Fault(err, op, s.dir)
	}
	path := s.Path(name)
	err := os.Remove(path)
	if err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	s.tidy(filepath.Dir(path))
	if missing := errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR); err != nil && !missing {
		return store.Fault(err, op, s.dir)
	}
	return nil
}

// tidy removes a folder, and those above it, as long as they are empty.
func (s *Store) tidy(folder string) {
	for ; folder != s.dir; folder = filepath.Dir(folder) {
		if os.Remove(folder) != nil {
			return // not empty, or not there
		}
	}
}

// Sweep removes temporary files whose writers are dead, which their locks
// tell, so nothing has to be guessed from how long they were idle.
func (s *Store) Sweep(ctx context.Context, _ time.Duration) (int, error) {
	removed := 0
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || d.IsDir() || !strings.HasPrefix(d.Name(), piece) {
			return err
		}
		gone, err := sweep(path)
		if gone {
			removed++
			s.tidy(filepath.Dir(path))
		}
		return err
	})
	return removed, store.Fault(err, "sweep the repository", s.dir)
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
