package machine

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// memory is Linux's file system in memory. A cluster is a thousand files, and
// making those on a disk takes longer than everything else a world does.
const memory = "/dev/shm"

// roomWanted is how much memory must be free there: several worlds' worth.
const roomWanted = 1 << 30

// lockName is the file in a place that its owner keeps locked.
const lockName = ".lock"

// Place is a folder for short-lived disks.
type Place struct {
	Dir  string
	lock *os.File
}

// NewPlace makes a folder that PostgreSQL's user may enter: in $TMPDIR when
// that is set, else in memory when there is plenty, else in the folder for
// temporary files. Folders of the same prefix whose owner was killed before it
// could remove them are removed on the way.
func NewPlace(prefix string) (*Place, error) {
	base := os.TempDir()
	if os.Getenv("TMPDIR") == "" && plenty(memory) {
		base = memory
	}
	sweep(base, prefix)
	dir, err := os.MkdirTemp(base, prefix)
	if err != nil {
		return nil, err
	}
	p := &Place{Dir: dir}
	if err := p.claim(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return p, nil
}

// claim locks the folder. The lock gets its name when it is held already, so
// that nobody who sweeps meanwhile finds it free.
func (p *Place) claim() (err error) {
	if err := os.Chmod(p.Dir, 0o711); err != nil {
		return err
	}
	fresh := filepath.Join(p.Dir, lockName+".new")
	if p.lock, err = os.OpenFile(fresh, os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return err
	}
	if err := unix.Flock(int(p.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return err
	}
	return os.Rename(fresh, filepath.Join(p.Dir, lockName))
}

// Remove removes the folder with everything in it.
func (p *Place) Remove() error {
	err := os.RemoveAll(p.Dir)
	return errors.Join(err, p.lock.Close())
}

func plenty(dir string) bool {
	var s unix.Statfs_t
	return unix.Statfs(dir, &s) == nil && s.Type == unix.TMPFS_MAGIC && s.Bavail*uint64(s.Bsize) >= roomWanted &&
		unix.Access(dir, unix.W_OK) == nil
}

// sweep removes the folders in base whose lock nobody holds. It is a courtesy:
// what it may not remove, it leaves.
func sweep(base, prefix string) {
	entries, err := os.ReadDir(base)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), prefix) {
			continue
		}
		lock, err := os.OpenFile(filepath.Join(base, e.Name(), lockName), os.O_RDWR, 0)
		if err != nil {
			continue // just being made, or somebody else's
		}
		if unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			_ = os.RemoveAll(filepath.Join(base, e.Name()))
		}
		lock.Close()
	}
}
