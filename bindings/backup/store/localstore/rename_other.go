//go:build unix && !linux

package localstore

import "errors"

// renameIfFree cannot be done here.
func renameIfFree(string, string) error {
	return errors.New("the file system of the repository knows no hard links")
}
