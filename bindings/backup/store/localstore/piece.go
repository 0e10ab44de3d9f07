package localstore

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// lock marks a file as being written. The system takes the mark off when the
// writer dies, by kill -9 too. A file system that knows no locks is no reason
// not to write; Sweep leaves its files alone then.
func lock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.ENOLCK) {
		return nil
	}
	return err
}

// sweep removes a temporary file that nobody writes any more.
func sweep(path string) (bool, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return false, nil
	}
	err = os.Remove(path)
	return err == nil, err
}
