package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// post sends a message to a webhook, once. Its Idempotency-Key lets the
// receiver drop a message that a resumed run sends again.
func (c *Client) post(ctx context.Context, ch channel, m message) error {
	to, err := c.target(ch)
	if err != nil {
		return err
	}
	body, err := json.Marshal(m)
	if err != nil {
		return fault.New(fault.Invalid, "the message cannot be written as JSON")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), bytes.NewReader(body))
	if err != nil {
		return fault.New(fault.Invalid, "its url is no http address")
	}
	req.GetBody = nil // a transport may not send it a second time
	req.Header.Set("Content-Type", "application/json")
	if key := binding.Key(ctx); key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	for name, text := range ch.Headers {
		value, err := c.resolve(text)
		if err != nil {
			return err
		}
		req.Header.Set(name, value.Reveal())
	}
	client := http.Client{Transport: c.env.Net.Transport(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(req)
	if err != nil {
		return lost(err, to.Host)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) // so that the connection can be used again
	return judge(answer, c.env.Clock.Now())
}

// lost is the fault of a request without an answer. net/http's own words quote
// the address, so they are not passed on.
func lost(err error, host string) *fault.Fault {
	var dns *net.DNSError
	var ne net.Error
	var f *fault.Fault
	switch {
	case errors.Is(err, context.Canceled):
		return &fault.Fault{Kind: fault.Cancelled, Message: "stopped before it answered"}
	case errors.As(err, &dns):
		f = fault.New(fault.Unavailable, "%s does not resolve", dns.Name).NothingDone()
	case errors.Is(err, syscall.ECONNREFUSED):
		f = fault.New(fault.Unavailable, "%s refuses connections", host).NothingDone()
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &ne) && ne.Timeout():
		f = fault.New(fault.Timeout, "%s did not answer in time", host)
	default:
		f = fault.New(fault.Unavailable, "the connection to %s was lost", host)
	}
	return f
}

// judge reads the answer's status.
func judge(answer *http.Response, now time.Time) error {
	code := answer.StatusCode
	switch {
	case code >= 200 && code < 300:
		return nil
	case code == http.StatusTooManyRequests:
		f := fault.New(fault.RateLimited, "it asks for patience (429)")
		f.RetryAfter = retryAfter(answer.Header.Get("Retry-After"), now)
		return f
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return fault.New(fault.Denied, "it does not accept the credentials (%d)", code)
	case code == http.StatusNotFound, code == http.StatusGone:
		return fault.New(fault.NotFound, "there is no such webhook (%d)", code)
	case code == http.StatusConflict: // how a receiver may answer a key it has seen
		return fault.New(fault.Conflict, "it refuses the message (409)")
	case code >= 500:
		return fault.New(fault.Unavailable, "it fails (%d)", code)
	}
	return fault.New(fault.Invalid, "it refuses the message (%d)", code)
}

// retryAfter reads seconds or a date (RFC 9110, 10.2.3).
func retryAfter(text string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(text); err == nil && n > 0 {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}
