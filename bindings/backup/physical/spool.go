package physical

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/webhost-systems/drhost/bindings/backup/postgres"
	"github.com/webhost-systems/drhost/host/fault"
)

// openEnding marks the file of a segment that is still being received.
const openEnding = ".open"

// spool is a folder of this machine that holds the log until the repository
// has it: SYSTEM/SEGMENT, and SYSTEM/SEGMENT.open for the last one.
type spool struct {
	dir  string
	size int64 // of a segment
	lock *os.File
	file *os.File // of the segment that is being received
	now  Segment
	at   int64 // where in it the next byte belongs
}

// openSpool takes the folder for this process. A second archiver is refused.
func openSpool(dir, system string, size int64) (*spool, error) {
	s := &spool{dir: filepath.Join(dir, system), size: size}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(s.dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		return nil, fault.New(fault.Conflict, "another archiver of this machine works in %s", s.dir).WithHint("one is enough: it needs no second")
	}
	s.lock = lock
	return s, nil
}

func (s *spool) close() {
	if s.file != nil {
		s.file.Close()
	}
	s.lock.Close()
}

// waiting is a segment in the spool.
type waiting struct {
	Segment
	bytes int64 // durable
	whole bool
	ended bool // its timeline was left in it: no more will come
}

// list returns what an earlier process left, oldest first.
func (s *spool) list() ([]waiting, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, err
	}
	var found []waiting
	for _, e := range entries {
		seg, ok := parseSegment(strings.TrimSuffix(e.Name(), openEnding), s.size)
		info, err := e.Info()
		if !ok || err != nil {
			continue
		}
		w := waiting{Segment: seg, bytes: info.Size(), whole: !strings.HasSuffix(e.Name(), openEnding)}
		if w.whole && w.bytes != s.size { // a file system that lost what it had said to keep
			w.whole = false
			if err := os.Rename(s.path(seg), s.path(seg)+openEnding); err != nil {
				return nil, err
			}
		}
		found = append(found, w)
	}
	slices.SortFunc(found, func(a, b waiting) int {
		if a.Number != b.Number {
			return compare(a.Number, b.Number)
		}
		return compare(a.Timeline, b.Timeline)
	})
	return found, nil
}

func compare[T uint32 | uint64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (s *spool) path(seg Segment) string { return filepath.Join(s.dir, seg.Name(s.size)) }

// begin makes ready to receive from the beginning of a segment. What there is
// of it stays until it is written over with the same.
func (s *spool) begin(seg Segment) error {
	if s.file != nil {
		s.file.Close()
		s.file = nil
	}
	file, err := os.OpenFile(s.path(seg)+openEnding, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	s.file, s.now, s.at = file, seg, 0
	return nil
}

// write takes bytes that belong to a place of the log, as far as the segment
// at hand goes. It may be called again with the same after an error.
func (s *spool) write(at postgres.LSN, data []byte) (int, error) {
	if want := s.now.Start(s.size) + postgres.LSN(s.at); at != want {
		return 0, fault.New(fault.Failed, "the server sent the log from %s on instead of %s", at, want)
	}
	data = data[:min(int64(len(data)), s.size-s.at)]
	n, err := s.file.WriteAt(data, s.at)
	s.at += int64(n)
	return n, err
}

// sync makes durable what was written.
func (s *spool) sync() error {
	if s.file == nil {
		return nil
	}
	return s.file.Sync()
}

// finish makes a whole segment of the file at hand.
func (s *spool) finish() error {
	if err := s.sync(); err != nil {
		return err
	}
	name := s.path(s.now)
	err := os.Rename(name+openEnding, name)
	if err == nil {
		err = syncFolder(s.dir)
	}
	if err != nil {
		return err
	}
	err = s.file.Close()
	s.file = nil
	return err
}

// used is how many bytes the spool holds.
func (s *spool) used() (sum int64) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return 0
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			sum += info.Size()
		}
	}
	return sum
}

// read returns bytes of a segment.
func (s *spool) read(seg Segment, from, to int64) (io.ReadCloser, error) {
	file, err := os.Open(s.path(seg))
	if errors.Is(err, os.ErrNotExist) {
		file, err = os.Open(s.path(seg) + openEnding)
	}
	if err != nil {
		return nil, err
	}
	return &stretch{io.NewSectionReader(file, from, to-from), file}, nil
}

type stretch struct {
	io.Reader
	io.Closer
}

// drop removes a segment that the repository has.
func (s *spool) drop(seg Segment) error {
	for _, name := range []string{s.path(seg), s.path(seg) + openEnding} {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
