package filestore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// file is the journal as the log uses it.
type file interface {
	io.WriteCloser
	// Sync returns when everything written is on the disk.
	Sync() error
}

// journalOnDisk syncs the data and the length of the file, not its times.
type journalOnDisk struct{ *os.File }

func (f journalOnDisk) Sync() error { return syncData(f.File) }

func openAppend(path string) (file, error) {
	// No O_CREATE: a run that is missing stays missing.
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return nil, err
	}
	return journalOnDisk{f}, nil
}

// cutTail shortens the journal to its whole lines, durably.
func cutTail(path string, size int64) error {
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
func makeFolders(path string) error {
	err := os.Mkdir(path, 0o700)
	switch {
	case err == nil:
		return syncFolder(filepath.Dir(path))
	case errors.Is(err, os.ErrExist):
		info, err := os.Stat(path)
		if err == nil && !info.IsDir() {
			return fmt.Errorf("%s is no folder", path)
		}
		return err
	case errors.Is(err, os.ErrNotExist) && filepath.Dir(path) != path:
		if err := makeFolders(filepath.Dir(path)); err != nil {
			return err
		}
		return makeFolders(path)
	}
	return err
}

func syncFolder(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
