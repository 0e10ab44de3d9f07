package postgres

import (
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/webhost-systems/drhost/host/fault"
)

// Unprivileged is the user that a server of our own runs as: PostgreSQL refuses
// to be root. It is nil, drhost's own, when drhost is not.
func Unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, bad := strconv.ParseUint(u.Uid, 10, 32)
		gid, worse := strconv.ParseUint(u.Gid, 10, 32)
		if bad == nil && worse == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), Groups: []uint32{}}, nil
		}
	}
	return nil, fault.New(fault.Invalid, "PostgreSQL refuses to run as root, and this system has neither a user postgres nor nobody")
}

// TempFolder makes a folder for the user as in dir, in the system's own when
// dir is empty. Where that user may not go, as in a private TMPDIR of root's,
// one of the places that everybody may enter serves.
func TempFolder(dir, pattern string, as *syscall.Credential) (string, error) {
	if dir == "" {
		dir = os.TempDir()
	}
	if as != nil && !enterable(dir, as) {
		for _, other := range [...]string{"/var/tmp", "/tmp"} {
			if enterable(other, as) {
				dir = other
				break
			}
		}
	}
	made, err := os.MkdirTemp(dir, pattern)
	if err != nil || as == nil {
		return made, err
	}
	if err := os.Chown(made, int(as.Uid), int(as.Gid)); err != nil {
		return "", errors.Join(err, os.RemoveAll(made))
	}
	return made, nil
}

// enterable tells whether the user may pass every folder down to dir.
func enterable(dir string, as *syscall.Credential) bool {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return false
	}
	for {
		info, err := os.Stat(dir)
		if err != nil {
			return false
		}
		owner, known := info.Sys().(*syscall.Stat_t)
		own := known && owner.Uid == as.Uid && info.Mode()&0o100 != 0
		if !own && info.Mode()&0o001 == 0 {
			return false
		}
		if dir == filepath.Dir(dir) {
			return true
		}
		dir = filepath.Dir(dir)
	}
}
