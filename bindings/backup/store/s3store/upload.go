package s3store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/errgroup"

	"github.com/webhost-systems/drhost/host/fault"
)

// atOnce is how many parts are on their way at a time.
const atOnce = 2

// mostParts of an upload is what S3 allows.
const mostParts = 10_000

// upload sends content: what fits into one part as it is, more in parts, of
// which only those on their way are held in memory. Each is signed with its
// sum, so that the place refuses what was changed on the way.
func (s *Store) upload(ctx context.Context, key string, content io.Reader, options minio.PutObjectOptions) error {
	part, last, err := s.part(content)
	if err != nil {
		return err
	}
	if last {
		_, err := s.core.PutObject(ctx, s.set.Bucket, key, bytes.NewReader(part), int64(len(part)), "", sum(part), options)
		return err
	}
	id, err := s.core.NewMultipartUpload(ctx, s.set.Bucket, key, options)
	if err != nil {
		return err
	}
	parts, err := s.parts(ctx, key, id, part, content)
	if err == nil {
		_, err = s.core.CompleteMultipartUpload(ctx, s.set.Bucket, key, id, parts, options)
	}
	if err != nil {
		aside, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		// What cannot be given up now is swept later; it shows nowhere.
		_ = s.core.AbortMultipartUpload(aside, s.set.Bucket, key, id)
	}
	return err
}

// parts sends the first part and then the rest of content.
func (s *Store) parts(ctx context.Context, key, id string, part []byte, content io.Reader) ([]minio.CompletePart, error) {
	var mu sync.Mutex
	var sent []minio.CompletePart
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	send := func(number int, part []byte) {
		group.Go(func() error { // waits for its turn
			p, err := s.core.PutObjectPart(inner, s.set.Bucket, key, id, number, bytes.NewReader(part), int64(len(part)), minio.PutObjectPartOptions{Sha256Hex: sum(part), DisableContentSha256: true})
			mu.Lock()
			defer mu.Unlock()
			sent = append(sent, minio.CompletePart{PartNumber: number, ETag: p.ETag})
			return err
		})
	}
	send(1, part)
	var failed error
	for number, last := 2, false; !last && failed == nil && inner.Err() == nil; number++ {
		if number > mostParts {
			failed = fault.New(fault.Invalid, "it is larger than %d parts of %d MiB, more than S3 takes", mostParts, s.set.PartSize>>20).
				WithHint("raise `part_size` in the settings of backup.s3")
			break
		}
		if part, last, failed = s.part(content); failed == nil && len(part) > 0 {
			send(number, part)
		}
	}
	if err := group.Wait(); err != nil || failed != nil {
		return nil, errors.Join(failed, err)
	}
	slices.SortFunc(sent, func(a, b minio.CompletePart) int { return a.PartNumber - b.PartNumber })
	return sent, nil
}

// small is what is read before there is room made for a whole part.
const small = 256 << 10

// part reads as much as one part holds; last tells that the content has ended.
func (s *Store) part(content io.Reader) (part []byte, last bool, err error) {
	var buffer bytes.Buffer
	_, err = io.CopyN(&buffer, content, small) // most objects are
	if err == nil {
		buffer.Grow(s.set.PartSize - small + bytes.MinRead) // once, instead of by doubling
		_, err = io.CopyN(&buffer, content, int64(s.set.PartSize-small))
	}
	if err == io.EOF {
		return buffer.Bytes(), true, nil
	}
	return buffer.Bytes(), false, err
}

func sum(part []byte) string {
	of := sha256.Sum256(part)
	return hex.EncodeToString(of[:])
}
