package machine

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
)

func sortEntries(entries []fs.DirEntry) {
	sort.Slice(entries, func(i, j int) bool { return entries[i].Name() < entries[j].Name() })
}

// copyTree copies a folder with modes, times, links and, for root, owners. It
// leaves out sockets and PostgreSQL's lock file, which mean something only to
// the machine they were made on. Files that vanish meanwhile are skipped.
func copyTree(from, to string) error {
	type stamp struct {
		path string
		info fs.FileInfo
	}
	var folders []stamp
	err := filepath.WalkDir(from, func(name string, e fs.DirEntry, err error) error {
		if err == nil {
			var info fs.FileInfo
			if info, err = e.Info(); err == nil {
				target := filepath.Join(to, strings.TrimPrefix(name, from))
				if e.IsDir() {
					folders = append(folders, stamp{target, info})
				}
				err = copyOne(name, target, info)
			}
		}
		if name != from && errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	for i := len(folders) - 1; i >= 0 && err == nil; i-- {
		err = os.Chtimes(folders[i].path, folders[i].info.ModTime(), folders[i].info.ModTime())
	}
	return err
}

func copyOne(from, to string, info fs.FileInfo) error {
	switch {
	case info.Name() == "postmaster.pid":
		return nil
	case info.IsDir():
		if err := os.MkdirAll(to, 0o700); err != nil {
			return err
		}
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	case info.Mode().IsRegular():
		if err := copyFile(from, to); err != nil {
			return err
		}
	default:
		return nil
	}
	if s, ok := info.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 {
		if err := os.Lchown(to, int(s.Uid), int(s.Gid)); err != nil {
			return err
		}
	}
	if err := os.Chmod(to, info.Mode().Perm()); err != nil {
		return err
	}
	return os.Chtimes(to, info.ModTime(), info.ModTime())
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
