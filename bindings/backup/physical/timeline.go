package physical

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/postgres"
	"github.com/webhost-systems/drhost/host/fault"
)

// whence is the segment to go on with: the one that is not whole yet, else the
// one behind the last.
func (a *Archiver) whence(line Line, slot postgres.LSN) (Segment, error) {
	q, size := &a.queue, a.spool.size
	q.mu.Lock()
	var from Segment
	switch n := len(q.waiting); {
	case n > 0 && q.waiting[n-1].whole:
		last := q.waiting[n-1].Segment
		from = Segment{last.Timeline, last.Number + 1}
	case n > 0:
		from = q.waiting[n-1].Segment
	case q.durable > 0:
		from = segmentAt(q.line, q.durable, size)
	default:
		from = segmentAt(0, slot, size)
		from.Timeline = line.owner(from.Number, size)
	}
	q.mu.Unlock()
	if from.Timeline == line.Timeline {
		return from, nil
	}
	for n, b := range line.Branches {
		if b.Timeline != from.Timeline {
			continue
		}
		if from.Start(size) < b.End {
			return from, nil // its end comes over the wire
		}
		next := line.Timeline
		if n+1 < len(line.Branches) {
			next = line.Branches[n+1].Timeline
		}
		from = segmentAt(next, b.End, size)
	}
	if from.Timeline == line.Timeline {
		a.leave()
		return from, nil
	}
	return Segment{}, fault.New(fault.Conflict, "%s is on timeline %d, which does not come from timeline %d that is in the archive", a.Server.Host, line.Timeline, from.Timeline).
		WithHint("it was restored from an older state: archive it into a repository of its own, and make a base backup there")
}

// leave marks that no more will come of the segment at hand.
func (a *Archiver) leave() {
	a.queue.mu.Lock()
	defer a.queue.mu.Unlock()
	if n := len(a.queue.waiting); n > 0 && !a.queue.waiting[n-1].whole {
		a.queue.waiting[n-1].ended = true
	}
}

func (a *Archiver) durable() postgres.LSN {
	a.queue.mu.Lock()
	defer a.queue.mu.Unlock()
	return a.queue.durable
}

// histories stores where a timeline comes from, and its ancestors, and returns
// the way to it. Another history under the same number in the repository means
// that two servers have gone different ways.
func (a *Archiver) histories(ctx context.Context, conn *pgconn.PgConn, timeline uint32) (Line, error) {
	line := Line{Timeline: timeline}
	if timeline == 1 {
		return line, nil
	}
	text, err := a.history(ctx, conn, timeline)
	if err != nil {
		return line, err
	}
	if line.Branches, err = parseHistory(text); err != nil {
		return line, err
	}
	for _, b := range line.Branches {
		if b.Timeline > 1 {
			if _, err := a.history(ctx, conn, b.Timeline); err != nil && !removed(err) {
				return line, err
			}
		}
	}
	return line, nil
}

func (a *Archiver) history(ctx context.Context, conn *pgconn.PgConn, timeline uint32) (string, error) {
	got, err := pglogrepl.TimelineHistory(ctx, conn, int32(timeline))
	if err != nil {
		return "", err
	}
	text := string(got.Content)
	same, found, err := a.sameHistory(ctx, timeline, text)
	if err != nil {
		return "", err
	}
	if found && !same {
		return "", fault.New(fault.Conflict, "the archive holds another timeline %d of this cluster than %s is on: a restored copy of it has gone its own way", timeline, a.Server.Host).
			WithHint("archive one of the two into a repository of its own, and make a base backup there")
	}
	if found {
		return text, nil
	}
	_, err = artifact.Write(ctx, a.Store, a.timeline(timeline), historyName(timeline), a.historySeal(), func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
	return text, err
}

// historySeal leaves histories readable: they hold nothing of the data, and
// the archiver, which has no key, must be able to compare them.
func (a *Archiver) historySeal() artifact.Seal { return artifact.Seal{Threads: 1} }

func (a *Archiver) sameHistory(ctx context.Context, timeline uint32, text string) (same, found bool, err error) {
	r := recordOf(historyName(timeline)+".zst", 0)
	in, err := artifact.Open(ctx, a.Store, a.timeline(timeline), r, a.Keys)
	if errors.Is(err, artifact.ErrDamaged) {
		return false, false, nil
	}
	if err != nil {
		return false, false, err
	}
	defer in.Close()
	old, err := io.ReadAll(io.LimitReader(in, 1<<20))
	return essence(string(old)) == essence(text), true, err
}

// essence is a history without the reasons, which people may edit.
func essence(text string) string {
	branches, err := parseHistory(text)
	if err != nil {
		return text
	}
	var out []string
	for _, b := range branches {
		out = append(out, fmt.Sprint(b.Timeline, " ", b.End))
	}
	return strings.Join(out, "\n")
}
