// Package physical copies a whole PostgreSQL cluster and its write-ahead log
// into a repository, and brings it back to a moment. It must never call WAL
// archived that the repository has not confirmed, never start a server on a
// chain of WAL that was not checked to its end, never pass over a hole, and
// never write into a data folder that holds data.
package physical

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/webhost-systems/drhost/bindings/backup/postgres"
)

// Segment is one file of the write-ahead log.
type Segment struct {
	Timeline uint32
	Number   uint64 // counted from the beginning of the log
}

// segmentAt is the segment that holds a place of the log.
func segmentAt(timeline uint32, at postgres.LSN, size int64) Segment {
	return Segment{timeline, uint64(at) / uint64(size)}
}

// Name is the file's, as PostgreSQL calls it.
func (s Segment) Name(size int64) string {
	per := uint64(1) << 32 / uint64(size)
	return fmt.Sprintf("%08X%08X%08X", s.Timeline, s.Number/per, s.Number%per)
}

// Start is the place of the log where the segment begins.
func (s Segment) Start(size int64) postgres.LSN { return postgres.LSN(s.Number * uint64(size)) }

// End is the place where the next one begins.
func (s Segment) End(size int64) postgres.LSN { return postgres.LSN((s.Number + 1) * uint64(size)) }

var segmentName = regexp.MustCompile(`^[0-9A-F]{24}$`)

// parseSegment reads a file's name.
func parseSegment(name string, size int64) (Segment, bool) {
	if !segmentName.MatchString(name) {
		return Segment{}, false
	}
	timeline, _ := strconv.ParseUint(name[:8], 16, 32)
	high, _ := strconv.ParseUint(name[8:16], 16, 32)
	low, _ := strconv.ParseUint(name[16:], 16, 32)
	per := uint64(1) << 32 / uint64(size)
	return Segment{uint32(timeline), high*per + low}, low < per
}

// historyName is the file that tells where a timeline comes from.
func historyName(timeline uint32) string { return fmt.Sprintf("%08X.history", timeline) }

// Branch is a stretch of the log that a timeline shares with its children: it
// was left at End.
type Branch struct {
	Timeline uint32
	End      postgres.LSN
}

// parseHistory reads a timeline's history file: its ancestors, oldest first.
func parseHistory(text string) ([]Branch, error) {
	var found []Branch
	for line := range strings.SplitSeq(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if len(fields) < 2 {
			return nil, fmt.Errorf("a timeline's history says %q", line)
		}
		timeline, err := strconv.ParseUint(fields[0], 10, 32)
		if err != nil {
			return nil, fmt.Errorf("a timeline's history says %q", line)
		}
		end, err := postgres.ParseLSN(fields[1])
		if err != nil {
			return nil, err
		}
		found = append(found, Branch{uint32(timeline), end})
	}
	return found, nil
}

// Line is the way of the log to one timeline: its ancestors and itself.
type Line struct {
	Branches []Branch // oldest first
	Timeline uint32
}

// owner is the timeline whose file holds a segment: the newest that begins in
// it or before.
func (l Line) owner(number uint64, size int64) uint32 {
	for _, b := range l.Branches {
		if number < uint64(b.End)/uint64(size) {
			return b.Timeline
		}
	}
	return l.Timeline
}

// holds tells whether a place of a timeline lies on the way.
func (l Line) holds(timeline uint32, at postgres.LSN) bool {
	for _, b := range l.Branches {
		if b.Timeline == timeline {
			return at <= b.End
		}
	}
	return timeline == l.Timeline
}
