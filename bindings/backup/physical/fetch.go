package physical

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
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
	err = c.unpack(ctx, l, file)
	if err == nil {
		err = file.Truncate(c.Base.SegmentSize)
	}
	return errors.Join(err, file.Close())
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
