//go:build unix && !linux

package secret

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// KeepOutOfCores lets the kernel write no image of this process's memory when
// it crashes: credentials are in it.
func KeepOutOfCores() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("forbid core dumps: %w", err)
	}
	return nil
}
