//go:build unix && !linux

package postgres

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// ownGroup puts a child into a process group of its own.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// passwordFile keeps line in a folder that only this user can enter.
func passwordFile(line string) (password, error) {
	dir, err := os.MkdirTemp("", "drhost-pass-") // rights 0700
	if err != nil {
		return password{}, err
	}
	path := filepath.Join(dir, "pass")
	if err := os.WriteFile(path, []byte(line), 0o600); err != nil {
		return password{}, errors.Join(err, os.RemoveAll(dir))
	}
	return password{path: path, remove: func() { os.RemoveAll(dir) }}, nil
}
