package physical

import (
	"context"
	"slices"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/postgres"
	"github.com/webhost-systems/drhost/host/fault"
)

// Backup is a base backup in a repository.
type Backup struct {
	ID     string
	Folder string
	Base   Base
	Files  []artifact.Record
}

// file returns an artifact by its plain name.
func (b Backup) file(plain string) (artifact.Record, error) {
	for _, f := range b.Files {
		if f.Plain() == plain {
			return f, nil
		}
	}
	return artifact.Record{}, fault.New(fault.Failed, "the manifest of %s names no %s", b.ID, plain).NothingDone().WithHint(artifact.Another)
}

// link is one segment of a chain: whole, or in pieces and then the last.
type link struct {
	Segment
	name   string
	whole  artifact.Record
	pieces []Piece
	bytes  int64
}

// Chain is a base backup and the log that goes on from it without a hole.
type Chain struct {
	Backup
	log   Log
	Line  Line
	links []link
	// End is where the chain ends: everything before is there.
	End postgres.LSN
	// Until is by the server's clock: what had committed by then is in, when
	// the whole chain is restored.
	Until time.Time
	// Next is where the log goes on behind a hole, or 0.
	Next postgres.LSN
	// History are all timelines that the archive knows, so that a restored
	// server takes a number that is free.
	history map[uint32]string
}

// Follow finds the log that goes on from a base backup. A timeline of 0 is the
// newest that comes from the backup. Without an archive the chain is the
// backup's own log.
func Follow(ctx context.Context, log Log, b Backup, timeline uint32) (*Chain, error) {
	// The archiver may be at work, and a listing is of no one moment: a hole is
	// what is missing twice at the same place.
	var before *Chain
	for {
		c, err := follow(ctx, log, b, timeline)
		if err != nil || c.Next == 0 || before != nil && before.End == c.End {
			return c, err
		}
		before = c
	}
}

func follow(ctx context.Context, log Log, b Backup, timeline uint32) (*Chain, error) {
	log.System = b.Base.System
	c := &Chain{Backup: b, log: log, Line: Line{Timeline: b.Base.Timeline}, End: b.Base.Stop, Until: b.Base.Until, history: map[uint32]string{}}
	have, err := log.contents(ctx)
	if err != nil {
		return nil, err
	}
	if have.size != 0 && have.size != b.Base.SegmentSize {
		return nil, fault.New(fault.Failed, "the archive has segments of %d bytes, the base backup such of %d", have.size, b.Base.SegmentSize).
			WithHint("the cluster was made anew since: take a backup that was made after that, or archive it into a repository of its own")
	}
	if err := c.choose(ctx, have, timeline); err != nil {
		return nil, err
	}
	if err := c.walk(ctx, have); err != nil {
		return nil, err
	}
	h := have.head
	if h != nil && h.Timeline != c.Line.Timeline {
		h = nil // it speaks of another way
	}
	if h != nil && c.Next == 0 && h.Position > max(c.End, b.Base.Stop) {
		c.Next = h.Position // it was archived, and is gone
	}
	if c.End < b.Base.Stop || len(c.links) == 0 {
		c.links, c.End = nil, b.Base.Stop // the backup holds more than the archive
		return c, nil
	}
	if h != nil && c.Next == 0 && c.End >= h.Position && h.Until.After(c.Until) {
		c.Until = h.Until
	}
	return c, nil
}

// choose finds the way of the log: the newest timeline that passes through the
// backup, or the one that was asked for.
func (c *Chain) choose(ctx context.Context, have *contents, timeline uint32) error {
	seen := map[uint32]bool{c.Base.Timeline: true}
	for name := range have.segments {
		if s, ok := parseSegment(name, c.Base.SegmentSize); ok {
			seen[s.Timeline] = true
		}
	}
	for name := range have.pieces {
		if s, ok := parseSegment(name, c.Base.SegmentSize); ok {
			seen[s.Timeline] = true
		}
	}
	for t := range have.history {
		seen[t] = true
	}
	var candidates []uint32
	for t := range seen {
		candidates = append(candidates, t)
	}
	slices.Sort(candidates)
	slices.Reverse(candidates)
	found := false
	for _, t := range candidates {
		if _, archived := have.history[t]; t > 1 && !archived {
			continue // the backup's own, of which nothing is archived yet
		}
		text, line, err := c.log.historyOf(ctx, have, t)
		if err != nil {
			return err
		}
		if t > 1 {
			c.history[t] = text
		}
		if !found && (timeline == 0 || timeline == t) && line.holds(c.Base.Timeline, c.Base.Stop) {
			c.Line, found = line, true
		}
	}
	if timeline != 0 && !found && timeline != c.Base.Timeline {
		return fault.New(fault.Invalid, "timeline %d does not pass through the backup %s, which ends at %s of timeline %d", timeline, c.ID, c.Base.Stop, c.Base.Timeline)
	}
	return nil
}

// walk goes on from the segment in which the backup ends, for as long as there
// is one after the other.
func (c *Chain) walk(ctx context.Context, have *contents) error {
	size := c.Base.SegmentSize
	for n := uint64(c.Base.Stop) / uint64(size); ; n++ {
		seg := Segment{c.Line.owner(n, size), n}
		l := link{Segment: seg, name: seg.Name(size)}
		var whole bool
		var err error
		if l.whole, whole, err = c.log.segment(ctx, have, l.name); err != nil {
			return err
		}
		if whole {
			l.bytes = size
		} else {
			l.pieces, l.bytes = cover(have.pieces[l.name])
		}
		if l.bytes > 0 {
			c.links = append(c.links, l)
			c.End = seg.Start(size) + postgres.LSN(l.bytes)
		}
		if l.bytes < size {
			break
		}
	}
	end := uint64(c.End) / uint64(size)
	for name := range have.segments {
		s, _ := parseSegment(name, size)
		if s.Number > end && s.Timeline == c.Line.owner(s.Number, size) && (c.Next == 0 || s.Start(size) < c.Next) {
			c.Next = s.Start(size)
		}
	}
	for name, pieces := range have.pieces {
		s, _ := parseSegment(name, size)
		_, bytes := cover(pieces)
		if s.Number > end && bytes > 0 && s.Timeline == c.Line.owner(s.Number, size) && (c.Next == 0 || s.Start(size) < c.Next) {
			c.Next = s.Start(size)
		}
	}
	return nil
}

// cover picks the pieces that make up a segment from its beginning on, and how
// far they reach.
func cover(pieces []Piece) (picked []Piece, to int64) {
	for {
		var best Piece
		for _, p := range pieces {
			if p.From <= to && p.To > max(to, best.To) {
				best = p
			}
		}
		if best.To == 0 {
			return picked, to
		}
		picked, to = append(picked, best), best.To
	}
}

// Whole refuses a chain with a hole.
func (c *Chain) Whole() error {
	if c.Next == 0 {
		return nil
	}
	return fault.New(fault.Failed, "the archived log has a hole: %s to %s is missing", c.End, c.Next).NothingDone().
		WithHint("restore to a moment before the hole, or from a base backup behind it")
}

// Bytes is how much the log of the chain is, unpacked.
func (c *Chain) Bytes() int64 { return int64(len(c.links)) * c.Base.SegmentSize }
