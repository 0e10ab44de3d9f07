package physical

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/host/fault"
)

// fetch writes the segments of a chain into a folder, several at a time, and
// checks the sums. A segment in pieces is filled up with zeros, which
// PostgreSQL takes for its end.
func (c *Chain) fetch(ctx context.Context, dir string) error {
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, l := range c.links {
		group.Go(func() error { return c.fetchOne(inner, l, filepath.Join(dir, l.name)) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for timeline, text := range c.history {
		if err := os.WriteFile(filepath.Join(dir, historyName(timeline)), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (c *Chain) fetchOne(ctx context.Context, l link, path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = c.stored(ctx, l, func(l link) error { return c.unpack(ctx, l, file) })
	if err == nil {
		err = file.Truncate(c.Base.SegmentSize)
	}
	return errors.Join(err, file.Close())
}

// stored reads a segment as it is stored now: while the archiver is at work, the
// pieces of the newest one are joined, and go when it is whole.
func (c *Chain) stored(ctx context.Context, l link, read func(link) error) error {
	for {
		err := read(l)
		if l.pieces == nil || !errors.Is(err, artifact.ErrDamaged) {
			return ofLog(err)
		}
		have, bad := c.log.contents(ctx)
		if bad != nil {
			return errors.Join(err, bad)
		}
		now := link{Segment: l.Segment, name: l.name, bytes: c.Base.SegmentSize}
		whole, there, bad := c.log.segment(ctx, have, l.name)
		if now.whole = whole; bad == nil && !there {
			now.pieces, now.bytes = cover(have.pieces[l.name])
		}
		if bad != nil || now.bytes < l.bytes || slices.EqualFunc(now.pieces, l.pieces, func(a, b Piece) bool { return a.Record.Name == b.Record.Name }) {
			return errors.Join(ofLog(err), bad)
		}
		l = now
	}
}

// ofLog says what to do about damage to the log: the base backup is still good.
func ofLog(err error) error {
	if errors.Is(err, artifact.ErrDamaged) {
		fault.As(err).Hint = "restore to a moment before it, or from a base backup that was made after it; if there is none make one now, nothing later can be restored without it"
	}
	return err
}

// unpack writes what a segment holds.
func (c *Chain) unpack(ctx context.Context, l link, to io.WriterAt) error {
	if l.pieces == nil {
		return c.copyOf(ctx, l, l.whole, to, 0, c.Base.SegmentSize)
	}
	for _, p := range l.pieces {
		if err := c.copyOf(ctx, l, p.Record, to, p.From, p.To); err != nil {
			return err
		}
	}
	return nil
}

func (c *Chain) copyOf(ctx context.Context, l link, r artifact.Record, to io.WriterAt, from, end int64) error {
	in, err := artifact.Open(ctx, c.log.Store, c.log.folderOf(l.name), r, c.log.Keys)
	if err != nil {
		return err
	}
	defer in.Close()
	n, err := io.Copy(io.NewOffsetWriter(to, from), in)
	if err == nil && n != end-from {
		err = artifact.Damaged("%s holds %d bytes of the log instead of %d", r.Name, n, end-from)
	}
	return err
}
