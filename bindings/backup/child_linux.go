package backup

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

// passwordFile keeps line in memory as file 3 of the children, where nobody
// finds it after a kill -9. They open it by the path returned (proc(5)), each
// reading from its beginning.
func passwordFile(line string) (path string, passing []*os.File, remove func(), err error) {
	fd, err := unix.MemfdCreate("password", unix.MFD_CLOEXEC)
	if err != nil {
		return "", nil, nil, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), "password")
	_, err = f.WriteString(line)
	if err = errors.Join(err, f.Chmod(0o600)); err != nil { // libpq refuses one that others may read
		return "", nil, nil, errors.Join(err, f.Close())
	}
	return "/proc/self/fd/3", []*os.File{f}, func() { f.Close() }, nil
}
