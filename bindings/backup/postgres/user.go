package postgres

import (
	"os"
	"os/user"
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
