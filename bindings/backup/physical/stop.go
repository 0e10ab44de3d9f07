package physical

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/postgres"
	"github.com/webhost-systems/drhost/host/fault"
)

// Target is how far a restore goes. The zero value is as far as there is log.
type Target struct {
	Time      time.Time // everything that had committed by then, and nothing later
	BeforeXID uint64    // everything up to just before this transaction committed
	Point     string    // up to a named restore point
	Timeline  uint32    // on this timeline; the newest when 0
}

func (t Target) String() string {
	switch {
	case !t.Time.IsZero():
		return "everything up to " + t.Time.UTC().Format(time.RFC3339Nano)
	case t.BeforeXID != 0:
		return fmt.Sprintf("everything before transaction %d", t.BeforeXID)
	case t.Point != "":
		return fmt.Sprintf("everything up to the restore point %q", t.Point)
	}
	return "everything there is"
}

// valid refuses two targets at once.
func (t Target) valid() error {
	n := 0
	for _, set := range []bool{!t.Time.IsZero(), t.BeforeXID != 0, t.Point != ""} {
		if set {
			n++
		}
	}
	if n > 1 {
		return fault.New(fault.Invalid, "a moment, a transaction and a restore point exclude each other")
	}
	return nil
}

// Stop is the exact place at which a restore ends.
type Stop struct {
	At     postgres.LSN // of a record
	Before bool         // whether that record is left out
	Commit time.Time    // of the last transaction that is in, as far as it lies behind the base backup
	Until  time.Time    // what had committed by then is in
}

// settings have PostgreSQL end its recovery there. When it cannot get there,
// whatever is wrong with the log, it does not start: "recovery ended before
// configured recovery target was reached". So there is no end that is silently
// too early. The log lies in pg_wal already, where PostgreSQL looks when the
// restore_command has nothing.
func (s Stop) settings(timeline uint32) []string {
	return []string{
		"restore_command = 'false'",
		fmt.Sprintf("recovery_target_timeline = '%d'", timeline),
		fmt.Sprintf("recovery_target_lsn = '%s'", s.At),
		fmt.Sprintf("recovery_target_inclusive = %t", !s.Before),
		"recovery_target_action = 'promote'",
		// Who asks a server that still recovers gets an answer of the past; and its other settings may be too small.
		"hot_standby = off",
	}
}

// reached tells whether a server that has replayed up to here has what was
// asked for.
func (s Stop) reached(replayed postgres.LSN) bool {
	if s.Before {
		return replayed == s.At
	}
	return replayed > s.At
}

// find reads the log of a chain that was fetched into a folder and finds where
// to stop. Every record's sum is checked on the way.
func (c *Chain) find(dir string, t Target) (Stop, error) {
	if err := t.valid(); err != nil {
		return Stop{}, err
	}
	if !t.Time.IsZero() && t.Time.Before(c.Base.Exact) {
		return Stop{}, c.tooEarly(t)
	}
	latest := t == Target{Timeline: t.Timeline}
	if latest {
		if err := c.Whole(); err != nil {
			return Stop{}, err
		}
	}
	stop := Stop{Until: c.Until}
	last, found, err := c.scan(dir, func(r Record) bool {
		switch {
		case !t.Time.IsZero() && r.Commit.After(t.Time), t.BeforeXID != 0 && !r.Commit.IsZero() && uint64(r.XID) == t.BeforeXID&0xFFFFFFFF:
			stop.At, stop.Before = r.At, true
			return true
		case t.Point != "" && r.Point == t.Point:
			stop.At = r.At
			return true
		}
		if !r.Commit.IsZero() {
			stop.Commit = r.Commit
		}
		return false
	})
	if err != nil {
		return Stop{}, err
	}
	if last.At == 0 {
		return Stop{}, fault.New(fault.Failed, "there is no record in the log behind the base backup %s", c.ID).NothingDone().WithHint(artifact.Another)
	}
	if found {
		if stop.At < c.Base.Stop {
			return Stop{}, c.tooEarly(t)
		}
		stop.Until = stop.Commit
		if !t.Time.IsZero() {
			stop.Until = t.Time
		}
		return stop, nil
	}
	return c.otherwise(t, stop, last)
}

// otherwise is where to stop when the log does not hold what was asked for.
func (c *Chain) otherwise(t Target, stop Stop, last Record) (Stop, error) {
	switch {
	case t.BeforeXID != 0:
		return Stop{}, fault.New(fault.NotFound, "no transaction %d commits in the log from %s to %s", t.BeforeXID, c.Base.Stop, c.End).NothingDone().
			WithHint("if it is older than the backup %s, use an older backup", c.ID)
	case t.Point != "":
		return Stop{}, fault.New(fault.NotFound, "there is no restore point %q in the log from %s to %s", t.Point, c.Base.Stop, c.End).NothingDone()
	case !t.Time.IsZero() && t.Time.After(c.Until):
		if err := c.Whole(); err != nil {
			return Stop{}, err
		}
		return Stop{}, fault.New(fault.Conflict, "the log reaches to %s only, by the server's clock", c.Until.UTC().Format(time.RFC3339)).NothingDone().
			WithHint("leave the moment out to restore everything there is")
	case !t.Time.IsZero():
		stop.Until = t.Time // nothing has committed between it and the end of the log
	}
	stop.At = last.At
	return stop, nil
}

func (c *Chain) tooEarly(t Target) error {
	return fault.New(fault.Invalid, "%s lies before the end of the backup %s (%s)", t, c.ID, c.Base.Exact.UTC().Format(time.RFC3339)).NothingDone().
		WithHint("use an older backup")
}

// scan reads the records from where the backup's last segment begins, until
// done says so. What cannot be read before the end of the chain is damage.
func (c *Chain) scan(dir string, done func(Record) bool) (last Record, found bool, err error) {
	in := &segments{dir: dir}
	size := c.Base.SegmentSize
	begin := segmentAt(0, c.Base.Stop, size).Start(size)
	for _, l := range c.links {
		in.names = append(in.names, l.name)
	}
	if len(in.names) == 0 {
		seg := segmentAt(c.Base.Timeline, c.Base.Stop-1, size)
		in.names, begin = []string{seg.Name(size)}, seg.Start(size)
	}
	defer in.close()
	s := newScanner(io.LimitReader(in, int64(c.End-begin)), begin, size)
	for {
		r, err := s.next()
		switch {
		case errors.Is(err, errEnd):
			return last, false, nil
		case errors.Is(err, errBroken):
			return last, false, fault.New(fault.Failed, "the log cannot be read on from %s, though the archive reaches to %s: it is damaged", max(r.At, last.End), c.End).NothingDone().
				WithHint("restore to a moment before, or from a base backup behind it")
		case err != nil:
			return last, false, err
		}
		if done(r) {
			return r, true, nil
		}
		last = r
	}
}

// segments reads files one after the other.
type segments struct {
	dir   string
	names []string
	file  *os.File
}

func (s *segments) Read(p []byte) (int, error) {
	for {
		if s.file == nil {
			if len(s.names) == 0 {
				return 0, io.EOF
			}
			file, err := os.Open(filepath.Join(s.dir, s.names[0]))
			if err != nil {
				return 0, err
			}
			s.file, s.names = file, s.names[1:]
		}
		n, err := s.file.Read(p)
		if err != io.EOF || n > 0 {
			return n, err
		}
		s.close()
	}
}

func (s *segments) close() {
	if s.file != nil {
		s.file.Close()
		s.file = nil
	}
}
