package secret

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// KeepOutOfCores lets the kernel write no image of this process's memory when
// it crashes, and no other process of the same user look into it: credentials
// are in it. A limit alone is not enough, because a core that is piped into a
// collector does not heed it (core(5)). Programs that this process starts are
// as before, but for the limit, which they inherit.
func KeepOutOfCores() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("forbid core dumps: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("forbid core dumps: %w", err)
	}
	return nil
}
