package s3store

import (
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// answerWithin is how long a place may take to begin its answer to a request
// that carries nothing, or next to nothing.
const answerWithin = 30 * time.Second

// little is how much a request may carry to be bounded so: how long more takes
// is the line's matter.
const little = 64 << 10

// patience gives up on a place that does not accept a connection in time, or
// accepts it and says nothing. How long a body takes is not bounded.
type patience struct {
	http.RoundTripper
	connect, answer time.Duration
}

func (p patience) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	var bound atomic.Pointer[context.CancelFunc]
	within := func(limit time.Duration) {
		timer, end := context.WithTimeout(ctx, limit)
		context.AfterFunc(timer, func() {
			if timer.Err() == context.DeadlineExceeded {
				cancel(context.DeadlineExceeded)
			}
		})
		if before := bound.Swap(&end); before != nil {
			(*before)()
		}
	}
	within(p.connect)
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		limit := p.answer
		if r.ContentLength < 0 || r.ContentLength > little {
			limit = 24 * time.Hour
		}
		within(limit)
	}}
	answer, err := p.RoundTripper.RoundTrip(r.WithContext(httptrace.WithClientTrace(ctx, trace)))
	(*bound.Load())()
	if err != nil {
		if cause := context.Cause(ctx); cause == context.DeadlineExceeded {
			err = cause
		}
		cancel(nil)
		return nil, err
	}
	answer.Body = &bounded{answer.Body, cancel}
	return answer, nil
}

// bounded lets go of the request's context when its answer was read.
type bounded struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
}

func (b *bounded) Close() error {
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}
