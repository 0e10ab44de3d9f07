package machine

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"
)

// disk is a machine's file system: a folder of the host seen as "/". Symbolic
// links are followed as chroot would, so that an absolute one stays inside;
// below that os.Root refuses whatever would still leave the folder.
type disk struct{ root *os.Root }

// maxLinks is how many symbolic links one path may pass, as on Linux.
const maxLinks = 40

func openDisk(dir string) (*disk, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &disk{root}, nil
}

func (d *disk) close() error { return d.root.Close() }

// resolve turns a path of the machine into one relative to the folder. The
// last element is followed only when follow is true; it need not exist.
func (d *disk) resolve(name string, follow bool) (string, error) {
	if strings.ContainsRune(name, 0) {
		return "", fs.ErrInvalid
	}
	todo := split(name)
	var done []string
	for links := 0; len(todo) > 0; {
		part := todo[0]
		todo = todo[1:]
		if part == ".." {
			done = done[:max(0, len(done)-1)]
			continue
		}
		here := strings.Join(append(done[:len(done):len(done)], part), "/")
		if len(todo) > 0 || follow {
			target, err := d.root.Readlink(here)
			if err == nil {
				if links++; links > maxLinks {
					return "", syscall.ELOOP
				}
				if path.IsAbs(target) {
					done = nil
				}
				todo = append(split(target), todo...)
				continue
			}
		}
		done = append(done, part)
	}
	if len(done) == 0 {
		return ".", nil
	}
	return strings.Join(done, "/"), nil
}

func split(name string) []string {
	var out []string
	for _, part := range strings.Split(name, "/") {
		if part != "" && part != "." {
			out = append(out, part)
		}
	}
	return out
}

// at resolves name and runs op on the result; errors name the machine's path
// and never the host's.
func (d *disk) at(op, name string, follow bool, do func(rel string) error) error {
	rel, err := d.resolve(name, follow)
	if err == nil {
		err = do(rel)
	}
	return pathError(op, name, err)
}

func pathError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	var le *os.LinkError
	if errors.As(err, &le) {
		err = le.Err
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

func (d *disk) open(name string, flag int, perm fs.FileMode) (f *os.File, err error) {
	err = d.at("open", name, flag&os.O_EXCL == 0, func(rel string) error {
		f, err = d.root.OpenFile(rel, flag|syscall.O_NONBLOCK, perm)
		return err
	})
	return f, err
}

func (d *disk) read(name string) ([]byte, error) {
	f, err := d.open(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// write replaces a file and makes the folders above it.
func (d *disk) write(name string, data []byte, perm fs.FileMode) error {
	if err := d.mkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := d.open(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

func (d *disk) stat(name string, follow bool) (info fs.FileInfo, err error) {
	err = d.at("stat", name, follow, func(rel string) error {
		info, err = d.root.Lstat(rel)
		return err
	})
	return info, err
}

func (d *disk) exists(name string) bool {
	_, err := d.stat(name, true)
	return err == nil
}

func (d *disk) list(name string) (entries []fs.DirEntry, err error) {
	err = d.at("open", name, true, func(rel string) error {
		f, err := d.root.Open(rel)
		if err != nil {
			return err
		}
		defer f.Close()
		entries, err = f.ReadDir(-1)
		return err
	})
	sortEntries(entries)
	return entries, err
}

func (d *disk) mkdir(name string, perm fs.FileMode) error {
	return d.at("mkdir", name, false, func(rel string) error { return d.root.Mkdir(rel, perm) })
}

func (d *disk) mkdirAll(name string, perm fs.FileMode) error {
	return d.at("mkdir", name, true, func(rel string) error {
		if rel == "." {
			return nil
		}
		return d.root.MkdirAll(rel, perm)
	})
}

func (d *disk) remove(name string, recursive bool) error {
	return d.at("remove", name, false, func(rel string) error {
		if rel == "." {
			return syscall.EBUSY
		}
		if recursive {
			return d.root.RemoveAll(rel)
		}
		return d.root.Remove(rel)
	})
}

func (d *disk) rename(from, to string) error {
	return d.at("rename", from, false, func(a string) error {
		b, err := d.resolve(to, false)
		if err != nil {
			return err
		}
		return d.root.Rename(a, b)
	})
}

func (d *disk) symlink(target, name string) error {
	return d.at("symlink", name, false, func(rel string) error { return d.root.Symlink(target, rel) })
}

func (d *disk) link(from, to string) error {
	return d.at("link", from, true, func(a string) error {
		b, err := d.resolve(to, false)
		if err != nil {
			return err
		}
		return d.root.Link(a, b)
	})
}

func (d *disk) readlink(name string) (target string, err error) {
	err = d.at("readlink", name, false, func(rel string) error {
		target, err = d.root.Readlink(rel)
		return err
	})
	return target, err
}

func (d *disk) chmod(name string, perm fs.FileMode) error {
	return d.at("chmod", name, true, func(rel string) error { return d.root.Chmod(rel, perm) })
}

func (d *disk) chown(name string, uid, gid int) error {
	return d.at("chown", name, false, func(rel string) error { return d.root.Lchown(rel, uid, gid) })
}

func (d *disk) chtimes(name string, at, mt time.Time) error {
	return d.at("chtimes", name, true, func(rel string) error { return d.root.Chtimes(rel, at, mt) })
}

// walk calls visit for name and everything below it, parents first, links not
// followed. Paths are the machine's.
func (d *disk) walk(name string, visit func(name string, info fs.FileInfo) error) error {
	info, err := d.stat(name, false)
	if err != nil {
		return err
	}
	if err := visit(name, info); err != nil || !info.IsDir() {
		return err
	}
	entries, err := d.list(name)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := d.walk(path.Join(name, e.Name()), visit); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
