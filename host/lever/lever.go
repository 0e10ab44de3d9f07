// Package lever keeps the levers with which people hold runs from outside: a
// file that is there while the lever is down. The package must never decide
// what a lever holds; that is policy.
package lever

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Lever is who pulled it, when and why.
type Lever struct {
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason,omitempty"`
}

// String reads "by anna at 2026-02-28 03:05:00 UTC: the provider is being
// audited".
func (l Lever) String() string {
	text := "by " + l.By
	if !l.At.IsZero() {
		text += " at " + l.At.UTC().Format("2006-01-02 15:04:05 UTC")
	}
	if l.Reason != "" {
		text += ": " + l.Reason
	}
	return text
}

// Pull puts the lever at path down, atomically and durably; one that is down
// already is replaced.
func Pull(path string, l Lever) error {
	if err := pull(path, l); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func pull(path string, l Lever) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	fresh, err := os.CreateTemp(dir, ".lever-*")
	if err != nil {
		return err
	}
	_, err = fresh.Write(append(text, '\n'))
	if err == nil {
		err = fresh.Sync()
	}
	if err = errors.Join(err, fresh.Close()); err == nil {
		err = os.Rename(fresh.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(fresh.Name()))
	}
	return syncFolder(dir)
}

// Lift takes the lever at path up and returns what it was; nil when it was not
// down.
func Lift(path string) (*Lever, error) {
	was, err := Read(path)
	if was == nil && err == nil {
		return nil, nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("lift the lever: %w", err)
	}
	if was == nil {
		was = &Lever{By: "somebody", Reason: "the file could not be read"}
	}
	return was, syncFolder(filepath.Dir(path))
}

// Read returns the lever at path, nil when it is not down. A file that is
// there and cannot be understood is an error: the lever is down, and nobody
// knows why.
func Read(path string) (*Lever, error) {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil // the usual case costs one stat
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, there := os.Lstat(path); errors.Is(there, fs.ErrNotExist) {
			return nil, nil // lifted in this moment
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read the lever: %w", err)
	}
	var l Lever
	if err := json.Unmarshal(text, &l); err != nil {
		return nil, fmt.Errorf("read the lever %s: %w", path, err)
	}
	if l.By == "" {
		return nil, fmt.Errorf("read the lever %s: it does not say who pulled it", path)
	}
	return &l, nil
}

func syncFolder(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
