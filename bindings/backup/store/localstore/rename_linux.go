package localstore

import "golang.org/x/sys/unix"

// renameIfFree gives a file its name unless that is taken.
func renameIfFree(from, to string) error {
	return unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
}
