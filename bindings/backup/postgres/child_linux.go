package postgres

import "syscall"

// ownGroup puts a child into a process group of its own and has it die with
// drhost, even by kill -9.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
