package hetzner

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync"

	"github.com/webhost-systems/drhost/host/clock"
)

// timedBody ends the time that an answer may take when it has been read.
type timedBody struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b *timedBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// shared is a transport that sends equal reads of several branches as one.
// What is under way is never joined, only what has not left yet.
type shared struct {
	base  http.RoundTripper
	clock clock.Clock
	pace  *pace

	mu    sync.Mutex
	reads map[string]*read
}

// read is the reads of one address. users keeps it for as long as anybody asks.
type read struct {
	batch batch[struct{}, answer]
	users int
}

// answer is a response with its whole body, to be handed to several.
type answer struct {
	resp *http.Response
	body []byte
}

func (s *shared) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet {
		return s.base.RoundTrip(req)
	}
	address := req.URL.String()
	s.mu.Lock()
	r := s.reads[address]
	if r == nil {
		r = &read{batch: batch[struct{}, answer]{clock: s.clock, ready: s.pass,
			ask: func(ctx context.Context, _ []struct{}) (answer, error) { return s.fetch(ctx, req) }}}
		s.reads[address] = r
	}
	r.users++
	s.mu.Unlock()
	got, err := r.batch.get(req.Context())
	s.mu.Lock()
	if r.users--; r.users == 0 {
		delete(s.reads, address)
	}
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	out := *got.resp
	out.Header, out.Request, out.Body = got.resp.Header.Clone(), req, io.NopCloser(bytes.NewReader(got.body))
	return &out, nil
}

// pass is the pace's, unless the read was admitted before.
func (s *shared) pass(ctx context.Context) (context.Context, error) {
	if ctx.Value(passKey{}) != nil {
		return ctx, nil
	}
	return s.pace.pass(ctx)
}

func (s *shared) fetch(ctx context.Context, req *http.Request) (answer, error) {
	resp, err := s.base.RoundTrip(req.Clone(ctx))
	if err != nil {
		return answer{}, err
	}
	body, err := io.ReadAll(resp.Body)
	if closeErr := resp.Body.Close(); err == nil {
		err = closeErr
	}
	return answer{resp, body}, err
}
