package catalogue

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// process names this process, so that another one which sees the same processes
// can tell whether it lives: boot, namespace, number, and when it began.
func process() string {
	where, pid := whereabouts(), os.Getpid()
	began := beginning(pid)
	if where == "" || began == "" {
		return ""
	}
	return fmt.Sprintf("%s %d %s", where, pid, began)
}

// dead tells whether a process is certainly no more. Of one that cannot be seen
// from here nothing is certain.
func dead(process string) bool {
	var boot, space, began string
	var pid int
	if n, _ := fmt.Sscan(process, &boot, &space, &pid, &began); n != 4 || pid <= 0 || boot+" "+space != whereabouts() {
		return false
	}
	if syscall.Kill(pid, 0) == syscall.ESRCH {
		return true
	}
	now := beginning(pid)
	return now != "" && now != began // its number was given to another one
}

// whereabouts is what the processes are seen from.
func whereabouts() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	space, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(boot)) + " " + space
}

// beginning is when a process began, in ticks since the boot: field 22 of
// /proc/PID/stat, proc(5). "" when it cannot be read.
func beginning(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 20 {
		return ""
	}
	if fields[0] == "Z" {
		return "ended" // and nobody has asked how
	}
	return fields[19]
}
