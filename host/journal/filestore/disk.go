package filestore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Disk is what a store asks of a file system where it matters for durability.
// A test stands in its place, to see what was synced, to fail, or to take back
// what was not.
type Disk interface {
	// Mkdir makes one folder; os.ErrExist when it is there.
	Mkdir(path string) error
	// Make makes an empty file; os.ErrExist when it is there.
	Make(path string) error
	// Append opens a file that exists for appending.
	Append(path string) (File, error)
	// Cut shortens a file, durably.
	Cut(path string, size int64) error
	// SyncFolder makes what appeared in a folder durable.
	SyncFolder(path string) error
}

// File is the journal as the log uses it.
type File interface {
	io.WriteCloser
	// Sync returns when everything written is on the disk.
	Sync() error
}

// System is the disk of this machine.
type System struct{}

var _ Disk = System{}

// journalOnDisk syncs the data and the length of the file, not its times.
type journalOnDisk struct{ *os.File }

// Sync refuses to sync what nobody will find: a file that was removed while it
// is open takes every write and keeps none of them.
func (f journalOnDisk) Sync() error {
	if err := syncData(f.File); err != nil {
		return err
	}
	var now unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &now); err != nil {
		return &os.PathError{Op: "stat", Path: f.Name(), Err: err}
	}
	if now.Nlink == 0 {
		return fmt.Errorf("%s was removed while the run goes on: put it back from a copy, or look at what the run printed for what it has done", f.Name())
	}
	return nil
}

// Mkdir makes one folder that only this user can enter.
func (System) Mkdir(path string) error { return os.Mkdir(path, 0o700) }

// Make makes an empty file that only this user can read.
func (System) Make(path string) error {
	made, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return made.Close()
}

// Append opens a file that exists for appending.
func (System) Append(path string) (File, error) {
	// No O_CREATE: a run that is missing stays missing.
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return nil, err
	}
	return journalOnDisk{f}, nil
}

// Cut shortens a file, durably.
func (System) Cut(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("cut off a torn line: %w", err)
	}
	if err := f.Truncate(size); err != nil {
		return errors.Join(fmt.Errorf("cut off a torn line: %w", err), f.Close())
	}
	if err := f.Sync(); err != nil {
		return errors.Join(fmt.Errorf("cut off a torn line: %w", err), f.Close())
	}
	return f.Close()
}

// makeFolders is MkdirAll that also syncs the folder in which each new one
// appears.
func makeFolders(disk Disk, path string) error {
	err := disk.Mkdir(path)
	switch {
	case err == nil:
		return disk.SyncFolder(filepath.Dir(path))
	case errors.Is(err, os.ErrExist):
		info, err := os.Stat(path)
		if err == nil && !info.IsDir() {
			return fmt.Errorf("%s is no folder", path)
		}
		return err
	case errors.Is(err, os.ErrNotExist) && filepath.Dir(path) != path:
		if err := makeFolders(disk, filepath.Dir(path)); err != nil {
			return err
		}
		return makeFolders(disk, path)
	}
	return err
}

// SyncFolder makes what appeared in a folder durable.
func (System) SyncFolder(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
