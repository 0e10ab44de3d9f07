package filestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/webhost-systems/drhost/host/journal"
)

// headFile names the last record that was known to be on the disk: a chain
// does not tell that its end is missing. It is written after the record was
// synced and is not synced itself, so that it may lag behind the journal, and
// is never ahead of it. One that is missing or cannot be understood, as after
// a power loss or from an older version, says nothing.
const headFile = "journal.head"

// head is how far a journal reaches at least.
type head struct {
	seq  int64
	hash string
}

// line has always the same length, so that it can be written over in place.
func (h head) line() string { return fmt.Sprintf("%020d %s\n", h.seq, h.hash) }

func readHead(folder string) (head, error) {
	var h head
	text, err := os.ReadFile(filepath.Join(folder, headFile))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) { // who may read the journal only may do that
		return h, nil
	}
	if err != nil {
		return h, err
	}
	if _, err := fmt.Sscanf(string(text), "%d %64s\n", &h.seq, &h.hash); err != nil || h.line() != string(text) {
		return head{}, nil
	}
	return h, nil
}

// missing returns the damage of a journal that ends before h.
func (h head) missing(path string, records []journal.Record) error {
	n := int64(len(records))
	switch {
	case h.seq > n:
		return &journal.DamagedError{Path: path, Line: int(n) + 1, Reason: fmt.Sprintf("the journal ends here, and %d records were on the disk already: its end is missing", h.seq)}
	case h.seq > 0 && records[h.seq-1].Hash != h.hash:
		return &journal.DamagedError{Path: path, Line: int(h.seq), Reason: fmt.Sprintf("it is another record than the one that was on the disk: %s holds another hash", headFile)}
	}
	return nil
}

// mark notes how far the journal is on the disk. What cannot be noted is not
// an error: the journal is what counts.
func (l *log) mark() {
	if l.heads == nil {
		return
	}
	if _, err := l.heads.WriteAt([]byte(head{l.seq, l.prev}.line()), 0); err != nil {
		l.heads.Close()
		l.heads = nil
		os.Remove(filepath.Join(l.lease.folder, headFile)) // half of one must not stay
	}
}

// openHead is for mark; nil when the file cannot be written.
func openHead(folder string) *os.File {
	f, err := os.OpenFile(filepath.Join(folder, headFile), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil
	}
	return f
}

func (l *log) closeHead() error {
	if l.heads == nil {
		return nil
	}
	return l.heads.Close()
}

// Verify reads and checks the journal of the run kept in folder. Errors are
// *journal.DamagedError, together with the records before the damage, and
// those of the disk.
func Verify(folder, run string) ([]journal.Record, journal.Tail, error) {
	h, err := readHead(folder) // before the journal, which may be growing
	if err != nil {
		return nil, journal.Tail{}, err
	}
	path := filepath.Join(folder, journalFile)
	f, err := os.Open(path)
	if err != nil {
		return nil, journal.Tail{}, err
	}
	defer f.Close() // read-only: nothing can be lost here
	records, tail, err := journal.Verify(run, f)
	var damaged *journal.DamagedError
	if errors.As(err, &damaged) {
		damaged.Path = path
	}
	if err == nil {
		err = h.missing(path, records)
	}
	return records, tail, err
}
