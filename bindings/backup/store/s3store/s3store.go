// Package s3store keeps a repository in a bucket of S3 or of what speaks like
// it. The library's own retries are off: whether something is tried again is
// the gate's decision. It must never take a lost answer for a failure of its
// own write without having asked, and never take credentials from anywhere but
// its settings.
package s3store

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/webhost-systems/drhost/bindings/backup/store"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/secret"
)

// Settings say where the bucket is.
type Settings struct {
	Endpoint  string // "https://s3.eu-central-1.amazonaws.com"
	Region    string
	Bucket    string
	Prefix    string // without slashes at its ends; may be empty
	AccessKey secret.Value
	SecretKey secret.Value
	PathStyle bool // the bucket stands in the path, not in the host name
	PartSize  int  // bytes of one part of an upload; DefaultPartSize when 0
	Transport http.RoundTripper
	Connect   time.Duration // how long a connection may take; 10 seconds when 0
	Answer    time.Duration // and the answer to a small request; answerWithin when 0
}

// DefaultPartSize allows artifacts of 160 GB in the 10,000 parts that S3 takes.
// As many bytes are held in memory for each part that is under way.
const DefaultPartSize = 16 << 20

// Store is a bucket, or what lies in it under a prefix.
type Store struct {
	core   minio.Core
	set    Settings
	proof  sync.Mutex
	proven bool // that the place refuses to replace when asked to
}

// Open does not reach out yet.
func Open(set Settings) (*Store, error) {
	at, err := url.Parse(set.Endpoint)
	if err != nil || at.Host == "" || at.Scheme != "https" && at.Scheme != "http" || strings.Trim(at.Path, "/") != "" {
		return nil, fault.New(fault.Invalid, "%q is no endpoint of S3", set.Endpoint).WithHint("`endpoint` in the settings of backup.s3 reads like https://s3.eu-central-1.amazonaws.com")
	}
	lookup := minio.BucketLookupAuto
	if set.PathStyle {
		lookup = minio.BucketLookupPath
	}
	if set.Transport == nil {
		set.Transport = http.DefaultTransport
	}
	if set.Connect == 0 {
		set.Connect = 10 * time.Second
	}
	if set.Answer == 0 {
		set.Answer = answerWithin
	}
	client, err := minio.New(at.Host, &minio.Options{
		Creds:  credentials.NewStaticV4(set.AccessKey.Reveal(), set.SecretKey.Reveal(), ""),
		Secure: at.Scheme == "https", Region: set.Region, BucketLookup: lookup, Transport: patience{set.Transport, set.Connect, set.Answer},
		MaxRetries: 1, // that is: one try
	})
	if err != nil {
		return nil, fault.New(fault.Invalid, "the settings of backup.s3 cannot be used: %v", err)
	}
	if set.PartSize == 0 {
		set.PartSize = DefaultPartSize
	}
	return &Store{core: minio.Core{Client: client}, set: set}, nil
}

// Place is s3://BUCKET/PREFIX.
func (s *Store) Place() string { return strings.TrimSuffix("s3://"+s.set.Bucket+"/"+s.set.Prefix, "/") }

// Close has nothing to give back.
func (s *Store) Close() error { return nil }

func (s *Store) key(name string) string {
	if s.set.Prefix == "" {
		return name
	}
	return s.set.Prefix + "/" + name
}

func (s *Store) name(key string) string {
	return strings.TrimPrefix(strings.TrimPrefix(key, s.set.Prefix), "/")
}

// fault names what S3 answered.
func (s *Store) fault(err error, op string) error {
	if err == nil {
		return nil
	}
	answer := minio.ToErrorResponse(err)
	cause := err
	switch answer.Code {
	case "NoSuchKey", "NotFound":
		cause = errors.Join(store.ErrNotFound, err)
	case "PreconditionFailed", "ConditionalRequestConflict":
		cause = errors.Join(store.ErrExists, err)
	case "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AllAccessDisabled", "AccountProblem":
		cause = errors.Join(store.ErrDenied, err)
	case "QuotaExceeded", "XMinioStorageFull", "InsufficientCapacity", "XMinioAdminBucketQuotaExceeded":
		cause = errors.Join(store.ErrFull, err)
	case "NoSuchBucket":
		return store.Fault(fault.New(fault.Invalid, "there is no bucket %s", s.set.Bucket).WithHint("make it, or check `repository` in the settings of backup"), op, s.Place())
	case "RequestTimeTooSkewed":
		return store.Fault(fault.New(fault.Invalid, "the clock of this machine differs too much from that of %s", s.Place()).WithHint("set the clock: `timedatectl`"), op, s.Place())
	case "SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout":
		return store.Fault(fault.New(fault.Unavailable, "%s: %s", s.Place(), answer.Message), op, s.Place())
	}
	switch {
	case answer.StatusCode == http.StatusInsufficientStorage:
		cause = errors.Join(store.ErrFull, err)
	case answer.StatusCode >= 500:
		return store.Fault(fault.New(fault.Unavailable, "%s answers %d", s.Place(), answer.StatusCode), op, s.Place())
	}
	return store.Fault(cause, op, s.Place())
}

// Put uploads an object; S3 shows it only when it is complete.
func (s *Store) Put(ctx context.Context, name string, content io.Reader) error {
	return s.store(ctx, name, content, minio.PutObjectOptions{})
}

// nonceHeader is metadata by which a write recognises itself. The library sends
// it as X-Amz-Meta-Drhost-Nonce.
const nonceHeader = "Drhost-Nonce"

// Create uploads an object under a condition. An answer that was lost, and a
// refusal, are looked into: the write that won may have been this one.
func (s *Store) Create(ctx context.Context, name string, content io.Reader) error {
	if _, err := s.Stat(ctx, name); err == nil {
		return store.Fault(store.ErrExists, "store "+name, s.Place())
	} else if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err := s.prove(ctx); err != nil {
		return err
	}
	return s.create(ctx, name, content)
}

func (s *Store) create(ctx context.Context, name string, content io.Reader) error {
	nonce := rand.Text()
	options := minio.PutObjectOptions{UserMetadata: map[string]string{nonceHeader: nonce}}
	options.SetMatchETagExcept("*") // If-None-Match: *
	err := s.store(ctx, name, content, options)
	var f *fault.Fault
	if err == nil || !errors.As(err, &f) {
		return err
	}
	info, looked := s.core.StatObject(ctx, s.set.Bucket, s.key(name), minio.StatObjectOptions{})
	switch {
	case looked == nil && info.UserMetadata[nonceHeader] == nonce:
		return nil
	case looked == nil:
		return store.Fault(errors.Join(store.ErrExists, err), "store "+name, s.Place())
	case errors.Is(err, store.ErrExists):
		// Two at once, of which neither won, or it is gone already.
		return store.Fault(fault.New(fault.Conflict, "somebody else wrote it at the same moment").Passing(), "store "+name, s.Place())
	}
	return err
}

// prove makes sure once that the place knows conditions: a lock at one that
// ignores them would be held by everybody.
func (s *Store) prove(ctx context.Context) error {
	s.proof.Lock()
	defer s.proof.Unlock()
	if s.proven {
		return nil
	}
	name := "locks/proof/" + rand.Text()
	err := s.create(ctx, name, strings.NewReader("1"))
	if err != nil {
		return err
	}
	err = s.create(ctx, name, strings.NewReader("2"))
	if deleted := s.Delete(ctx, name); deleted != nil {
		return deleted
	}
	if errors.Is(err, store.ErrExists) {
		s.proven = true
		return nil
	}
	if err != nil {
		return err
	}
	return fault.New(fault.Invalid, "%s replaces an object although it is asked not to (If-None-Match), so no lock can hold there", s.Place()).
		WithHint("use a provider of S3 with conditional writes, or another kind of repository")
}

func (s *Store) store(ctx context.Context, name string, content io.Reader, options minio.PutObjectOptions) error {
	source := store.NewSource(ctx, content)
	err := store.CheckName(name)
	options.DisableContentSha256 = true // of the stream: each part is signed with a sum of its own
	if err == nil {
		err = s.upload(ctx, s.key(name), source, options)
	}
	if source.Err != nil {
		return source.Err
	}
	return s.fault(err, "store "+name)
}

// Open reads an object.
func (s *Store) Open(ctx context.Context, name string, offset int64) (io.ReadCloser, error) {
	op := "read " + name
	if err := store.CheckName(name); err != nil {
		return nil, store.Fault(err, op, s.Place())
	}
	var options minio.GetObjectOptions
	if offset > 0 {
		if err := options.SetRange(offset, 0); err != nil {
			return nil, store.Fault(err, op, s.Place())
		}
	}
	in, _, _, err := s.core.GetObject(ctx, s.set.Bucket, s.key(name), options)
	if minio.ToErrorResponse(err).Code == "InvalidRange" {
		return io.NopCloser(bytes.NewReader(nil)), nil // the end
	}
	if err != nil {
		return nil, s.fault(err, op)
	}
	return &reading{in, s, op}, nil
}

// reading is an object whose errors are faults.
type reading struct {
	io.ReadCloser
	store *Store
	op    string
}

func (r *reading) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = r.store.fault(err, r.op)
	}
	return n, err
}

// Stat asks for an object's head.
func (s *Store) Stat(ctx context.Context, name string) (store.Info, error) {
	op := "look at " + name
	if err := store.CheckName(name); err != nil {
		return store.Info{}, store.Fault(err, op, s.Place())
	}
	info, err := s.core.StatObject(ctx, s.set.Bucket, s.key(name), minio.StatObjectOptions{})
	if err != nil {
		return store.Info{}, s.fault(err, op)
	}
	return store.Info{Name: name, Bytes: info.Size, Modified: info.LastModified}, nil
}

// List asks for all objects under a prefix.
func (s *Store) List(ctx context.Context, prefix string) ([]store.Info, error) {
	var found []store.Info
	err := s.each(ctx, prefix, true, func(i minio.ObjectInfo) {
		if name := s.name(i.Key); store.CheckName(name) == nil {
			found = append(found, store.Info{Name: name, Bytes: i.Size, Modified: i.LastModified})
		}
	})
	return store.Sorted(found), err
}

// Folders asks for the common prefixes.
func (s *Store) Folders(ctx context.Context, prefix string) ([]string, error) {
	var found []store.Info
	err := s.each(ctx, prefix, false, func(i minio.ObjectInfo) {
		if name, ok := strings.CutSuffix(s.name(i.Key), "/"); ok {
			found = append(found, store.Info{Name: strings.TrimPrefix(name, prefix)})
		}
	})
	var names []string
	for _, i := range store.Sorted(found) {
		names = append(names, i.Name)
	}
	return names, err
}

func (s *Store) each(ctx context.Context, prefix string, recursive bool, do func(minio.ObjectInfo)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends a listing that is left early
	for i := range s.core.Client.ListObjects(ctx, s.set.Bucket, minio.ListObjectsOptions{Prefix: s.key(prefix), Recursive: recursive}) {
		if i.Err != nil {
			return s.fault(i.Err, "list the repository")
		}
		do(i)
	}
	return store.Fault(ctx.Err(), "list the repository", s.Place())
}

// Delete removes an object.
func (s *Store) Delete(ctx context.Context, name string) error {
	op := "delete " + name
	if err := store.CheckName(name); err != nil {
		return store.Fault(err, op, s.Place())
	}
	err := s.core.RemoveObject(ctx, s.set.Bucket, s.key(name), minio.RemoveObjectOptions{})
	if err = s.fault(err, op); errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// Sweep gives up uploads of parts that were begun before the idle time. Its
// beginning is by the clock of the place, and so is the present.
func (s *Store) Sweep(ctx context.Context, idle time.Duration) (int, error) {
	var begun []minio.ObjectMultipartInfo
	for i := range s.core.ListIncompleteUploads(ctx, s.set.Bucket, s.key(""), true) {
		if minio.ToErrorResponse(i.Err).Code == "NoSuchUpload" {
			break // how some say that there is none
		}
		if i.Err != nil {
			return 0, s.fault(i.Err, "sweep the repository")
		}
		begun = append(begun, i)
	}
	if len(begun) == 0 {
		return 0, nil
	}
	now, err := s.now(ctx)
	if err != nil {
		return 0, err
	}
	removed := 0
	for _, i := range begun {
		if now.Sub(i.Initiated)+time.Second < idle { // places tell whole seconds
			continue
		}
		if err := s.core.AbortMultipartUpload(ctx, s.set.Bucket, i.Key, i.UploadID); err != nil {
			return removed, s.fault(err, "sweep the repository")
		}
		removed++
	}
	return removed, nil
}

// now is the time by the clock of the place.
func (s *Store) now(ctx context.Context) (time.Time, error) {
	name := "locks/now/" + rand.Text()
	if err := s.Put(ctx, name, strings.NewReader("")); err != nil {
		return time.Time{}, err
	}
	info, err := s.Stat(ctx, name)
	return info.Modified, errors.Join(err, s.Delete(ctx, name))
}
