package postgres

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// ownGroup puts a child into a process group of its own and has it die with
// drhost, even by kill -9.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// passwordFile keeps line in memory, where nobody finds it after a kill -9.
// Children get the file and open it by its number (proc(5)), each reading from
// its beginning.
func passwordFile(line string) (password, error) {
	fd, err := unix.MemfdCreate("password", unix.MFD_CLOEXEC)
	if err != nil {
		return password{}, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), "password")
	_, err = f.WriteString(line)
	if err = errors.Join(err, f.Chmod(0o600)); err != nil { // libpq refuses one that others may read
		return password{}, errors.Join(err, f.Close())
	}
	return password{file: f, remove: func() { f.Close() }}, nil
}
