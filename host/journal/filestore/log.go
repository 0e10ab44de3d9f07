package filestore

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"unicode/utf8"

	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/journal"
)

// tornShown is how many bytes of a torn line tail_repaired keeps.
const tornShown = 200

// errClosed is what a log answers after Close.
var errClosed = errors.New("the run's journal is closed")

// log is one run held by this process.
type log struct {
	run   string
	clock clock.Clock
	lease *lease
	epoch int64

	mu      sync.Mutex
	file    File
	heads   *os.File         // see headFile; may be nil
	records []journal.Record // present when the run was opened
	buf     []byte           // reused for lines
	seq     int64
	prev    string
	unsaved bool  // something was written since the last sync
	broken  error // sticky: after it nothing is acknowledged
	closed  bool
}

var _ journal.Log = (*log)(nil)

// Append writes one record with one write and, with sync, one fdatasync.
func (l *log) Append(kind journal.Kind, payload any, sync bool) (journal.Record, error) {
	body, err := journal.EncodePayload(payload)
	if err != nil {
		return journal.Record{}, err // nothing was written: the log stays usable
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken != nil {
		return journal.Record{}, l.broken
	}
	rec := journal.Record{Seq: l.seq + 1, Time: l.clock.Now().UTC(), Epoch: l.epoch, Kind: kind, Payload: body, Prev: l.prev}
	line, err := journal.Seal(l.buf[:0], &rec)
	if err != nil {
		return journal.Record{}, err
	}
	l.buf = line[:0]
	if cap(l.buf) > 1<<20 {
		l.buf = nil // one huge result must not be held for the rest of the run
	}
	if _, err := l.file.Write(line); err != nil {
		return journal.Record{}, l.fail("append to", err)
	}
	l.seq, l.prev, l.unsaved = rec.Seq, rec.Hash, true
	if sync {
		if err := l.sync(); err != nil {
			return journal.Record{}, err
		}
	}
	return rec, nil
}

func (l *log) sync() error {
	if !l.unsaved {
		return nil
	}
	if err := l.file.Sync(); err != nil {
		return l.fail("sync", err)
	}
	l.unsaved = false
	l.mark()
	return nil
}

// fail makes err the answer to every further append. What the disk holds is
// not known any more; only reopening, which verifies, finds out.
func (l *log) fail(doing string, err error) error {
	l.broken = fmt.Errorf("%s the journal of %s: %w", doing, l.run, err)
	return l.broken
}

// announce appends what a new holder has to say, with one sync, and adds it to
// the records present.
func (l *log) announce(by journal.Holder, tail journal.Tail) error {
	if len(tail.Torn) > 0 {
		shown := tail.Torn[:min(len(tail.Torn), tornShown)]
		for len(shown) > 0 && len(shown) == tornShown && !utf8.Valid(shown) && len(shown) > tornShown-utf8.UTFMax {
			shown = shown[:len(shown)-1]
		}
		rec, err := l.Append(journal.TailRepaired, journal.Repair{Bytes: len(tail.Torn), Text: string(shown)}, false)
		if err != nil {
			return err
		}
		l.records = append(l.records, rec)
	}
	rec, err := l.Append(journal.LeaseTaken, by, true)
	if err != nil {
		return err
	}
	l.records = append(l.records, rec)
	return nil
}

// Records are those present when the run was opened, together with what
// opening it appended.
func (l *log) Records() []journal.Record { return l.records }

// Close syncs, gives the lease back and returns the first error. A second
// Close does nothing.
func (l *log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	var first error
	if l.broken == nil {
		first = l.sync()
	}
	for _, end := range []func() error{l.file.Close, l.closeHead, l.lease.release} {
		if err := end(); err != nil && first == nil {
			first = fmt.Errorf("close the journal of %s: %w", l.run, err)
		}
	}
	if l.broken == nil {
		l.broken = errClosed
	}
	return first
}
