package ssh

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/pkg/sftp"

	"github.com/webhost-systems/drhost/host/fault"
)

// side is a file system that files are moved from or to.
type side interface {
	join(root, rel string) string
	stat(path string) (os.FileInfo, error) // follows links
	lstat(path string) (os.FileInfo, error)
	list(path string) ([]os.FileInfo, error)
	readlink(path string) (string, error)
	open(path string) (io.ReadCloser, error)
	// put writes a whole file beside path, then renames it into place.
	put(path string, from io.Reader, mode os.FileMode, mtime time.Time) error
	mkdir(path string) error // with its parents; one that exists is fine
	symlink(to, path string) error
	remove(path string) error // a file, a link or an empty folder
	finish(path string, mode os.FileMode, mtime time.Time) error
}

// partOf is the name under which path is written until it is complete: the
// same on every attempt, so that a repeat cleans up after a crash.
func partOf(p string) string {
	sum := sha256.Sum256([]byte(path.Base(p)))
	return path.Join(path.Dir(p), ".drhost-"+hex.EncodeToString(sum[:8])+".part")
}

func isPart(name string) bool {
	return strings.HasPrefix(name, ".drhost-") && strings.HasSuffix(name, ".part")
}

// location is "path" on this machine or "user@host:/path" on another.
type location struct{ user, host, path string }

// parseLocation takes a colon before any slash for a host's end, as rsync does;
// an IPv6 address stands in brackets.
func parseLocation(text string) (location, error) {
	end := strings.IndexByte(text, ':')
	if open := strings.IndexByte(text, '['); open >= 0 && open < max(end, 0) {
		if closing := strings.Index(text, "]:"); closing > open {
			end = closing + 1
		}
	}
	if slash := strings.IndexByte(text, '/'); end < 0 || (slash >= 0 && slash < end) {
		if text == "" {
			return location{}, fault.New(fault.Invalid, "the path is empty")
		}
		return location{path: text}, nil
	}
	l := location{host: text[:end], path: text[end+1:]}
	if user, host, ok := strings.Cut(l.host, "@"); ok {
		l.user, l.host = user, host
	}
	if l.host == "" || l.path == "" {
		return l, fault.New(fault.Invalid, "%q is neither a path nor user@host:/path", text)
	}
	return l, nil
}

// at opens the side that a location lies on.
func (c *Client) at(ctx context.Context, l location) (side, func(), error) {
	if l.host == "" {
		return local{}, func() {}, nil
	}
	client, stop, err := c.login(ctx, l.host, l.user)
	if err != nil {
		return nil, nil, err
	}
	files, err := sftp.NewClient(client, sftp.UseConcurrentWrites(true))
	if err != nil {
		stop()
		return nil, nil, translate(err, "open SFTP on "+l.host).NothingDone()
	}
	_, canSync := files.HasExtension("fsync@openssh.com")
	return remote{files, canSync}, func() { files.Close(); stop() }, nil
}

// local is this machine.
type local struct{}

func (local) join(root, rel string) string            { return filepath.Join(root, filepath.FromSlash(rel)) }
func (local) stat(path string) (os.FileInfo, error)   { return os.Stat(path) }
func (local) lstat(path string) (os.FileInfo, error)  { return os.Lstat(path) }
func (local) readlink(path string) (string, error)    { return os.Readlink(path) }
func (local) open(path string) (io.ReadCloser, error) { return os.Open(path) }
func (local) mkdir(path string) error                 { return os.MkdirAll(path, 0o755) }
func (local) remove(path string) error                { return os.Remove(path) }
func (local) list(path string) ([]os.FileInfo, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var out []os.FileInfo
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, os.ErrNotExist) {
			continue // gone since
		}
		if err != nil {
			return nil, err
		}
		out = append(out, info)
	}
	return out, nil
}

func (l local) put(path string, from io.Reader, mode os.FileMode, mtime time.Time) error {
	part := partOf(path)
	if err := os.Remove(part); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = l.finish(part, mode, mtime)
	}
	if err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		os.Remove(part)
		return err
	}
	return syncFolder(filepath.Dir(path))
}

func (local) symlink(to, path string) error {
	part := partOf(path)
	if err := os.Remove(part); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Symlink(to, part); err != nil {
		return err
	}
	return os.Rename(part, path)
}

func (local) finish(path string, mode os.FileMode, mtime time.Time) error {
	if err := os.Chmod(path, mode.Perm()); err != nil {
		return err
	}
	return os.Chtimes(path, mtime, mtime)
}

// remote is a server's file system over SFTP.
type remote struct {
	*sftp.Client
	canSync bool
}

func (remote) join(root, rel string) string              { return path.Join(root, rel) }
func (r remote) stat(path string) (os.FileInfo, error)   { return named(path)(r.Stat(path)) }
func (r remote) lstat(path string) (os.FileInfo, error)  { return named(path)(r.Lstat(path)) }
func (r remote) list(path string) ([]os.FileInfo, error) { return r.ReadDir(path) }
func (r remote) readlink(path string) (string, error)    { return r.ReadLink(path) }
func (r remote) mkdir(path string) error                 { return r.MkdirAll(path) }
func (r remote) remove(path string) error                { return r.Remove(path) }

// open reads ahead with many requests under way, so that a distant server's
// latency is paid once and not per block.
func (r remote) open(path string) (io.ReadCloser, error) {
	f, err := r.Open(path)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	out, in := io.Pipe()
	go func() {
		_, err := f.WriteTo(in)
		f.Close()
		in.CloseWithError(err)
	}()
	return out, nil
}

// named adds the path to an error, which SFTP's do not carry.
func named(path string) func(os.FileInfo, error) (os.FileInfo, error) {
	return func(info os.FileInfo, err error) (os.FileInfo, error) {
		if err != nil && (errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission)) {
			err = &os.PathError{Op: "stat", Path: path, Err: err}
		}
		return info, err
	}
}

func (r remote) put(path string, from io.Reader, mode os.FileMode, mtime time.Time) error {
	part := partOf(path)
	if err := r.Remove(part); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := r.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return &os.PathError{Op: "create", Path: path, Err: err}
	}
	_, err = f.ReadFrom(from)
	if err == nil && r.canSync {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = r.finish(part, mode, mtime)
	}
	if err == nil {
		err = r.over(part, path)
	}
	if err != nil {
		r.Remove(part)
	}
	return err
}

// over renames onto a file that may exist. A server without the POSIX
// extension needs the old one removed first.
func (r remote) over(from, to string) error {
	if _, ok := r.HasExtension("posix-rename@openssh.com"); ok {
		return r.PosixRename(from, to)
	}
	if err := r.Remove(to); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return r.Rename(from, to)
}

func (r remote) symlink(to, path string) error {
	part := partOf(path)
	if err := r.Remove(part); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := r.Symlink(to, part); err != nil {
		return err
	}
	return r.over(part, path)
}

func (r remote) finish(path string, mode os.FileMode, mtime time.Time) error {
	if err := r.Chmod(path, mode.Perm()); err != nil {
		return err
	}
	return r.Chtimes(path, mtime, mtime)
}
