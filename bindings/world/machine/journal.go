package machine

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/webhost-systems/drhost/host/clock"
)

// journal is the machine's system log, kept on its disk.
type journal struct {
	disk  *disk
	clock clock.Clock
	host  string
	mu    sync.Mutex
}

const journalFile = "/var/log/journal.log"

// add appends a line. A machine whose disk is gone logs no more.
func (j *journal) add(from, format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f, err := j.disk.open(journalFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return
	}
	defer f.Close()
	text := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", " ")
	fmt.Fprintf(f, "%s %s %s: %s\n", j.clock.Now().UTC().Format(time.RFC3339), j.host, from, text)
}

// lines returns the lines that mention a unit, or all.
func (j *journal) lines(unit string) []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	data, err := j.disk.read(journalFile)
	if err != nil {
		return nil
	}
	var out []string
	for _, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		if unit == "" || strings.Contains(line, " "+unit+": ") || strings.Contains(line, " "+unit+".service") {
			out = append(out, line)
		}
	}
	return out
}
