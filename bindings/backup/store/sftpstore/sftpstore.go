// Package sftpstore keeps a repository in a folder of an SFTP server. An object
// is written under a name of its own, synced where the server can, and renamed
// into place. It must never let a reader see half an object, and never replace
// one that Create was to leave alone.
package sftpstore

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/pkg/sftp"

	"github.com/webhost-systems/drhost/bindings/backup/store"
	"github.com/webhost-systems/drhost/host/clock"
)

// piece begins the names of files that are being written.
const piece = ".new-"

// atOnce is how many packets of one file are on their way: 2 MB.
const atOnce = 64

// Store is a folder of a server.
type Store struct {
	client *sftp.Client
	root   string
	place  string
	close  func() error
	stop   func() bool
}

// grace is how long a connection outlives its call's context, so that locks are
// given back.
const grace = 10 * time.Second

// Open keeps a repository in the folder root behind conn. When ctx ends, what is
// under way gets a moment to give back what it holds, and then the connection
// is cut; closing closes what lies under it.
func Open(ctx context.Context, client *sftp.Client, root, place string, closing func() error) *Store {
	s := &Store{client: client, root: root, place: place, close: closing}
	s.stop = context.AfterFunc(ctx, func() {
		aside, cancel := context.WithCancel(context.WithoutCancel(ctx))
		defer cancel()
		go func() {
			_ = client.Wait() // until it is closed
			cancel()
		}()
		if (clock.System{}).Sleep(aside, grace) == nil {
			client.Close()
			_ = closing()
		}
	})
	return s
}

// Options are what a client has to be made with.
func Options() []sftp.ClientOption {
	return []sftp.ClientOption{sftp.UseConcurrentWrites(true), sftp.UseConcurrentReads(true), sftp.MaxConcurrentRequestsPerFile(atOnce)}
}

// Place is sftp://USER@HOST/PATH.
func (s *Store) Place() string { return s.place }

// Close ends the connection.
func (s *Store) Close() error {
	s.stop()
	return errors.Join(s.client.Close(), s.close())
}

func (s *Store) path(name string) string { return path.Join(s.root, name) }

// fault names what the server answered. SFTP has few words: a disk that is full
// and a name that is taken are both "failure", so the server is asked.
func (s *Store) fault(err error, op string) error {
	var status *sftp.StatusError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = errors.Join(store.ErrNotFound, err)
	case errors.As(err, &status) && status.FxCode() == sftp.ErrSSHFxFailure:
		if at, asked := s.client.StatVFS(s.root); full(err) || asked == nil && at.Bavail*at.Frsize < 1<<20 {
			err = errors.Join(store.ErrFull, err)
		}
	case errors.Is(err, sftp.ErrSSHFxConnectionLost), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		err = errors.Join(os.ErrClosed, errLost, err)
	}
	return store.Fault(err, op, s.place)
}

// Put replaces a file by one that is complete.
func (s *Store) Put(ctx context.Context, name string, content io.Reader) error {
	return s.store(ctx, name, content, s.replace)
}

// Create makes a file under a name that is free.
func (s *Store) Create(ctx context.Context, name string, content io.Reader) error {
	if _, err := s.Stat(ctx, name); err == nil {
		return store.Fault(store.ErrExists, "store "+name, s.place)
	}
	return s.store(ctx, name, content, s.settle)
}

func (s *Store) store(ctx context.Context, name string, content io.Reader, settle func(from, to string) error) error {
	source := store.NewSource(ctx, content)
	err := store.CheckName(name)
	if err == nil {
		err = s.write(s.path(name), source, settle)
	}
	if source.Err != nil {
		return source.Err
	}
	return s.fault(err, "store "+name)
}

func (s *Store) write(to string, content io.Reader, settle func(from, to string) error) error {
	tmp, f, err := s.begin(path.Dir(to))
	if err != nil {
		return err
	}
	_, err = f.ReadFromWithConcurrency(content, atOnce)
	if _, can := s.client.HasExtension("fsync@openssh.com"); can && err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = settle(tmp, to)
	}
	if err != nil {
		_ = s.client.Remove(tmp) // else it is swept
	}
	return err
}

// begin makes a file under a name of its own, and its folder. One that Delete
// takes away at the same moment because it is empty is made again.
func (s *Store) begin(folder string) (name string, f *sftp.File, err error) {
	for range 10 {
		if err = s.client.MkdirAll(folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
			if info, other := s.client.Stat(folder); other != nil || !info.IsDir() {
				return "", nil, err
			}
		}
		name = path.Join(folder, piece+rand.Text())
		f, err = s.client.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
		if err == nil {
			return name, f, f.Chmod(0o600)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", nil, err
		}
	}
	return "", nil, err
}

// replace renames over what is there. A server that cannot do that at once gets
// the former file out of the way first.
func (s *Store) replace(from, to string) error {
	if _, can := s.client.HasExtension("posix-rename@openssh.com"); can {
		return s.client.PosixRename(from, to)
	}
	if err := s.client.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return s.client.Rename(from, to)
}

// settle gives a file its name unless that is taken: by a hard link, or by the
// plain rename of SFTP, which has to refuse a name that is taken.
func (s *Store) settle(from, to string) error {
	_, linking := s.client.HasExtension("hardlink@openssh.com")
	var err error
	if linking {
		err = s.client.Link(from, to)
	} else {
		err = s.client.Rename(from, to)
	}
	if err == nil && linking {
		_ = s.client.Remove(from) // the second name of the same file; else it is swept
	}
	if err != nil {
		if _, other := s.client.Lstat(to); other == nil {
			return errors.Join(store.ErrExists, err)
		}
	}
	return err
}

// Open reads a file, many packets at a time.
func (s *Store) Open(ctx context.Context, name string, offset int64) (io.ReadCloser, error) {
	op := "read " + name
	if err := store.CheckName(name); err != nil {
		return nil, store.Fault(err, op, s.place)
	}
	info, err := s.client.Stat(s.path(name))
	if err == nil && info.IsDir() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, s.fault(s.missing(err, name), op)
	}
	f, err := s.client.Open(s.path(name))
	if err != nil {
		return nil, s.fault(err, op)
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		f.Close()
		return nil, s.fault(err, op)
	}
	return &reading{ctx, s, f, bufio.NewReaderSize(f, atOnce<<15), op}, nil
}

// missing says that there is no such file of a path that leads through a file.
func (s *Store) missing(err error, name string) error {
	for at := path.Dir(name); at != "."; at = path.Dir(at) {
		if info, other := s.client.Stat(s.path(at)); other == nil {
			if !info.IsDir() {
				return fs.ErrNotExist
			}
			break
		}
	}
	return err
}

// reading is an open file whose errors are faults.
type reading struct {
	ctx   context.Context
	store *Store
	file  *sftp.File
	from  *bufio.Reader
	op    string
}

func (r *reading) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.from.Read(p)
	if err != nil && err != io.EOF {
		err = r.store.fault(err, r.op)
	}
	return n, err
}

func (r *reading) Close() error { return r.file.Close() }

// Stat describes a file.
func (s *Store) Stat(_ context.Context, name string) (store.Info, error) {
	op := "look at " + name
	if err := store.CheckName(name); err != nil {
		return store.Info{}, store.Fault(err, op, s.place)
	}
	info, err := s.client.Stat(s.path(name))
	if err == nil && info.IsDir() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return store.Info{}, s.fault(s.missing(err, name), op)
	}
	return store.Info{Name: name, Bytes: info.Size(), Modified: info.ModTime()}, nil
}

// full tells whether a server's own words speak of a full disk. SFTP has no
// code for it, and once the piece was removed there is room again.
func full(err error) bool {
	text := strings.ToLower(err.Error())
	return strings.Contains(text, "no space left") || strings.Contains(text, "quota exceeded")
}
