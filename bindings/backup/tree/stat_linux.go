package tree

import (
	"io/fs"
	"syscall"
)

// noBlock keeps the opening of what became a pipe meanwhile from waiting.
const noBlock = syscall.O_NONBLOCK

func describe(e *Entry, info fs.FileInfo) {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		e.UID, e.GID, e.changed, e.device, e.ino, e.links = int(s.Uid), int(s.Gid), s.Ctim.Nano(), uint64(s.Dev), s.Ino, uint64(s.Nlink)
	}
}
