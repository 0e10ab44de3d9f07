//go:build unix

package clock

import (
	"syscall"
	"time"
)

// CPU is the processor time that this process has used so far. It stands
// still while the process is stopped or another one has the processor.
func CPU() time.Duration {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
