//go:build unix && !linux

package backup

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// ownGroup puts a child into a process group of its own.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// passwordFile keeps line in a folder that only this user can enter.
func passwordFile(line string) (path string, passing []*os.File, remove func(), err error) {
	dir, err := os.MkdirTemp("", "drhost-pass-") // rights 0700
	if err != nil {
		return "", nil, nil, err
	}
	path = filepath.Join(dir, "pass")
	if err := os.WriteFile(path, []byte(line), 0o600); err != nil {
		return "", nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	return path, nil, func() { os.RemoveAll(dir) }, nil
}
