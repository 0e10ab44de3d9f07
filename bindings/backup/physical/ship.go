package physical

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/postgres"
	"github.com/webhost-systems/drhost/host/fault"
)

const (
	batch      = 8  // segments that are entered into the index at once
	atOnce     = 4  // of them that are on their way at the same time
	mostPieces = 16 // of one segment; then they are joined
)

// ship carries what is in the spool into the repository until leave is closed
// and nothing is left, or ctx ends.
func (a *Archiver) ship(ctx context.Context, leave <-chan struct{}, head Head) {
	pause := shortestPause
	leaving := false
	for {
		left, err := a.shipOnce(ctx, &head, leaving)
		switch {
		case err == nil:
			pause = shortestPause
			a.quiet("repository")
		case ctx.Err() != nil:
			return
		default:
			a.alarm("repository", "the log does not get into the repository: %s", fault.As(err).Message)
		}
		if leaving && (err == nil && !left) {
			return
		}
		if left && err == nil {
			continue
		}
		wait := a.Every
		if err != nil {
			wait, pause = pause, min(2*pause, longestPause)
		}
		leaving = a.rest(ctx, leave, wait, err != nil) || leaving
		if ctx.Err() != nil {
			return
		}
	}
}

// rest waits for a while, or until there is something to do at once. It tells
// whether it is time to leave.
func (a *Archiver) rest(ctx context.Context, leave <-chan struct{}, wait time.Duration, failed bool) bool {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	woken := a.queue.wake
	if failed {
		woken = nil
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		_ = a.Clock.Sleep(inner, wait) // its end is what counts
	}()
	select {
	case <-leave:
		cancel()
		<-over
		if failed { // not in a tight loop
			_ = a.Clock.Sleep(ctx, shortestPause)
		}
		return true
	case <-woken:
	case <-over:
	}
	return false
}

// shipOnce ships whole segments, then what has come of the last one, then says
// so in the head. Left tells that there is more to ship at once.
func (a *Archiver) shipOnce(ctx context.Context, head *Head, leaving bool) (left bool, err error) {
	whole, tail, more := a.next()
	if len(whole) > 0 {
		if err := a.shipWhole(ctx, head, whole); err != nil {
			return false, err
		}
	}
	moved := len(whole) > 0
	if tail != nil {
		shipped, err := a.shipTail(ctx, head, *tail)
		if err != nil {
			return false, err
		}
		moved = moved || shipped
	}
	return more, a.publish(ctx, head, moved, leaving && !more)
}

// next is what comes next: up to a batch of whole segments, and the segment
// behind them when it is not whole.
func (a *Archiver) next() (whole []waiting, tail *waiting, more bool) {
	q := &a.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	for n, w := range q.waiting {
		if !w.whole {
			tail := w
			return whole, &tail, w.ended && n < len(q.waiting)-1
		}
		if len(whole) == batch || len(whole) > 0 && w.Timeline != whole[0].Timeline {
			return whole, nil, true
		}
		whole = append(whole, w)
	}
	return whole, nil, false
}

// shipWhole stores segments, enters them into the index, and only then counts
// them as durable.
func (a *Archiver) shipWhole(ctx context.Context, head *Head, whole []waiting) error {
	size := a.spool.size
	records := make([]artifact.Record, len(whole))
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for n, w := range whole {
		group.Go(func() (err error) {
			records[n], err = a.put(inner, w.Segment, w.Name(size), 0, size)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	last := whole[len(whole)-1]
	if err := a.enter(ctx, last.Timeline, size, records); err != nil {
		return err
	}
	a.advance(head, last.Segment, last.End(size))
	var old []Piece
	for _, p := range head.Pieces { // those of a timeline that was left stay where they are
		if slices.ContainsFunc(whole, func(w waiting) bool { return w.Name(size) == p.Segment }) {
			old = append(old, p)
		}
	}
	head.Pieces = nil
	if err := a.publish(ctx, head, true, false); err != nil {
		return err
	}
	for _, w := range whole {
		if err := a.spool.drop(w.Segment); err != nil {
			return err
		}
		a.remove(w.Segment)
	}
	return a.dropPieces(ctx, old)
}

// shipTail stores what has come of a segment since. It tells whether there was
// anything.
func (a *Archiver) shipTail(ctx context.Context, head *Head, w waiting) (bool, error) {
	size := a.spool.size
	name := w.Name(size)
	from := int64(0)
	if n := len(head.Pieces); n > 0 && head.Pieces[n-1].Segment == name {
		from = head.Pieces[n-1].To
	}
	shipped := w.bytes > from
	if shipped {
		var old []Piece
		keep := head.Pieces
		if n := len(keep); n > 0 && keep[0].Segment != name {
			keep = nil // of a timeline that was left: they stay where they are
		}
		if len(keep) >= mostPieces {
			old, keep, from = keep, nil, 0
		}
		record, err := a.put(ctx, w.Segment, pieceName(name, from, w.bytes), from, w.bytes)
		if err != nil {
			return false, err
		}
		head.Pieces = append(keep[:len(keep):len(keep)], Piece{Segment: name, From: from, To: w.bytes, Record: record})
		a.advance(head, w.Segment, w.Start(size)+postgres.LSN(w.bytes))
		if len(old) > 0 {
			if err := a.publish(ctx, head, true, false); err != nil {
				return false, err
			}
			if err := a.dropPieces(ctx, old); err != nil {
				return false, err
			}
		}
	}
	if w.ended {
		if err := a.spool.drop(w.Segment); err != nil {
			return shipped, err
		}
		a.remove(w.Segment)
	}
	return shipped, nil
}

// put stores bytes of a segment.
func (a *Archiver) put(ctx context.Context, seg Segment, name string, from, to int64) (artifact.Record, error) {
	seal := a.Seal
	seal.Threads = 1
	return artifact.Write(ctx, a.Store, a.timeline(seg.Timeline), name, seal, func(w io.Writer) error {
		in, err := a.spool.read(seg, from, to)
		if err != nil {
			return err
		}
		defer in.Close()
		n, err := io.Copy(w, in)
		if err == nil && n != to-from {
			err = fmt.Errorf("the spool holds %d bytes of %s instead of %d", n, seg.Name(a.spool.size), to-from)
		}
		return err
	})
}

// dropPieces removes pieces that are no longer needed.
func (a *Archiver) dropPieces(ctx context.Context, pieces []Piece) error {
	for _, p := range pieces {
		if err := a.Store.Delete(ctx, a.folderOf(p.Segment)+"/"+p.Record.Name); err != nil {
			return err
		}
	}
	return nil
}

// advance counts everything before a place as durable, and the moments whose
// commits lie before it.
func (a *Archiver) advance(head *Head, seg Segment, to postgres.LSN) {
	q := &a.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	q.line, q.durable = seg.Timeline, to
	head.Timeline, head.Position = seg.Timeline, to
}

// remove takes a segment out of the queue.
func (a *Archiver) remove(seg Segment) {
	q := &a.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	for n, w := range q.waiting {
		if w.Segment == seg {
			q.waiting = append(q.waiting[:n:n], q.waiting[n+1:]...)
			return
		}
	}
}

// reached is the last moment whose commits are all durable, and how much the
// server has more.
func (a *Archiver) reached() (until time.Time, behind int64) {
	q := &a.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	n := 0
	for n < len(q.marks) && q.marks[n].at <= q.durable {
		if q.marks[n].when.After(q.until) {
			q.until = q.marks[n].when
		}
		n++
	}
	q.marks = append(q.marks[:0], q.marks[n:]...)
	if q.server > q.durable {
		behind = int64(q.server - q.durable)
	}
	return q.until, behind
}

// publish writes the head when something has moved, and now and then anyway.
func (a *Archiver) publish(ctx context.Context, head *Head, moved, stopped bool) error {
	now := a.Clock.Now().UTC()
	alarms, gaps := a.alarms()
	if !moved && !stopped && !a.held.Load() {
		return nil // somebody else may be the one
	}
	if !moved && !stopped && len(alarms) == len(head.Alarms) && len(gaps) == len(head.Gaps) && now.Sub(head.Updated) < a.beat() {
		return nil
	}
	if head.Position == 0 && len(gaps) == 0 && !moved {
		return nil // nothing to say yet
	}
	next := *head
	next.Until, next.Behind = a.reached()
	next.Updated, next.Alarms, next.Gaps, next.Stopped = now, alarms, gaps, stopped
	if err := a.writeHead(ctx, next); err != nil {
		return err
	}
	*head = next
	return nil
}
