package s3store

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/minio/minio-go/v7"

	"github.com/webhost-systems/drhost/bindings/backup/store"
	"github.com/webhost-systems/drhost/bindings/backup/store/storetest"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/secret"
)

// server is an S3 in this process; around stands before it.
func server(t *testing.T, around func(http.Handler) http.Handler) Settings {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("backups"); err != nil {
		t.Fatal(err)
	}
	var handler http.Handler = gofakes3.New(backend, gofakes3.WithAutoBucket(false)).Server()
	if around != nil {
		handler = around(handler)
	}
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return Settings{Endpoint: s.URL, Region: "eu-central-1", Bucket: "backups", Prefix: "acme/prod", PartSize: 5 << 20,
		AccessKey: secret.New("AKIATEST"), SecretKey: secret.New("not-to-be-seen-anywhere"), Transport: http.DefaultTransport}
}

func opened(t *testing.T, set Settings) *Store {
	t.Helper()
	s, err := Open(set)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return opened(t, server(t, nil)) })
}

// lose carries a PUT of name out and then cuts the connection, or lets repeat
// send it a second time as a proxy does, whose answer is the 412.
type lose struct {
	inner  http.Handler
	name   string
	repeat bool
	puts   *atomic.Int32
}

func (l lose) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPut || !strings.HasSuffix(r.URL.Path, l.name) {
		l.inner.ServeHTTP(w, r)
		return
	}
	l.puts.Add(1)
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	l.inner.ServeHTTP(httptest.NewRecorder(), r.Clone(r.Context()))
	if l.repeat {
		r.Body = io.NopCloser(bytes.NewReader(body))
		l.inner.ServeHTTP(w, r)
		return
	}
	panic(http.ErrAbortHandler)
}

func TestAnAnswerThatWasLost(t *testing.T) {
	for name, repeat := range map[string]bool{"cut": false, "412": true} {
		t.Run(name, func(t *testing.T) {
			var puts atomic.Int32
			s := opened(t, server(t, func(h http.Handler) http.Handler { return lose{h, "/manifest.json", repeat, &puts} }))
			if err := s.Create(t.Context(), "db/1/manifest.json", strings.NewReader("{}")); err != nil {
				t.Fatal("the write that won was this one:", err)
			}
			if puts.Load() != 1 {
				t.Fatalf("it was sent %d times", puts.Load())
			}
			if err := s.Create(t.Context(), "db/1/manifest.json", strings.NewReader("{}")); !errors.Is(err, store.ErrExists) {
				t.Fatal(err)
			}
		})
	}
}

func TestNothingIsSentTwice(t *testing.T) {
	var asked atomic.Int32
	s := opened(t, server(t, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusServiceUnavailable)
		})
	}))
	if err := s.Put(t.Context(), "db/1/dump", strings.NewReader("x")); fault.KindOf(err) != fault.Unavailable || asked.Load() != 1 {
		t.Fatal(err, asked.Load())
	}
}

// TestAPlaceWithoutConditions: a lock there would be held by everybody.
func TestAPlaceWithoutConditions(t *testing.T) {
	s := opened(t, server(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del("If-None-Match")
			h.ServeHTTP(w, r)
		})
	}))
	if err := s.Create(t.Context(), "locks/x", strings.NewReader("x")); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "If-None-Match") {
		t.Fatal(err)
	}
	if found, err := s.List(t.Context(), ""); err != nil || len(found) != 0 {
		t.Fatal(found, err)
	}
}

func TestFaults(t *testing.T) {
	for code, want := range map[string]fault.Kind{
		"AccessDenied": fault.Denied, "SignatureDoesNotMatch": fault.Denied, "QuotaExceeded": fault.Exhausted, "XMinioStorageFull": fault.Exhausted,
		"SlowDown": fault.Unavailable, "NoSuchBucket": fault.Invalid, "RequestTimeTooSkewed": fault.Invalid,
	} {
		s := opened(t, server(t, func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.WriteHeader(http.StatusBadRequest)
				_, _ = io.WriteString(w, "<Error><Code>"+code+"</Code><Message>no</Message></Error>")
			})
		}))
		err := s.Put(t.Context(), "db/1/dump", strings.NewReader("x"))
		if fault.KindOf(err) != want || strings.Contains(err.Error(), "not-to-be-seen") {
			t.Errorf("%s: %v", code, err)
		}
	}
	if _, err := Open(Settings{Endpoint: "s3.example.org"}); fault.KindOf(err) != fault.Invalid {
		t.Error(err)
	}
}

// TestAnUploadThatWasCutOff leaves parts that show nowhere and are swept.
func TestAnUploadThatWasCutOff(t *testing.T) {
	s := opened(t, server(t, nil))
	id, err := s.core.NewMultipartUpload(t.Context(), "backups", "acme/prod/db/1/dump", minio.PutObjectOptions{})
	if err == nil {
		_, err = s.core.PutObjectPart(t.Context(), "backups", "acme/prod/db/1/dump", id, 1, bytes.NewReader(make([]byte, 5<<20)), 5<<20, minio.PutObjectPartOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	if found, err := s.List(t.Context(), ""); err != nil || len(found) != 0 {
		t.Fatal(found, err)
	}
	if n, err := s.Sweep(t.Context(), 1<<50); err != nil || n != 0 {
		t.Fatal("one that may be alive:", n, err)
	}
	if n, err := s.Sweep(t.Context(), 0); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	// One that fails in the middle gives its parts up by itself.
	failing := io.MultiReader(bytes.NewReader(make([]byte, 12<<20)), cut{})
	if err := s.Put(context.WithoutCancel(t.Context()), "db/1/dump", failing); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	if n, err := s.Sweep(t.Context(), 0); err != nil || n != 0 {
		t.Fatal(n, err)
	}
}

var errCut = errors.New("cut off")

type cut struct{}

func (cut) Read([]byte) (int, error) { return 0, errCut }

// TestAPlaceThatSaysNothing: one that accepts no connection, and one that
// accepts it and does not answer.
func TestAPlaceThatSaysNothing(t *testing.T) {
	set := server(t, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // else the server does not notice that the client has gone
			<-r.Context().Done()
		})
	})
	set.Answer = 100 * time.Millisecond
	s := opened(t, set)
	if _, err := s.Stat(t.Context(), "x"); fault.KindOf(err) != fault.Timeout || fault.As(err).Hint == "" {
		t.Error(err)
	}
	if err := s.Put(t.Context(), "x", strings.NewReader("small")); fault.KindOf(err) != fault.Timeout {
		t.Error(err)
	}
	set.Transport, set.Connect = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}, 100*time.Millisecond
	if _, err := opened(t, set).List(t.Context(), ""); fault.KindOf(err) != fault.Timeout {
		t.Error(err)
	}
}
