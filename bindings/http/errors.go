package http

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	nethttp "net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/fault"
)

// translate turns an error without an answer into a fault. Only when no
// request can have left is it certain that nothing was done.
func translate(ctx context.Context, o order, err error) *fault.Fault {
	kind, reason, unsent := classify(o, err)
	if errors.Is(ctx.Err(), context.Canceled) {
		kind, reason = fault.Cancelled, "told to stop before there was an answer"
	}
	f := fault.New(kind, "%s", reason)
	f.Cause = err
	if unsent {
		f.NothingDone()
	}
	return f.WithOp("%s %s", o.method, show(o.url))
}

// classify says what an error means, in words that repeat no address.
func classify(o order, err error) (kind fault.Kind, reason string, unsent bool) {
	var name *net.DNSError
	var dial *net.OpError
	var timeout net.Error
	late := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || (errors.As(err, &timeout) && timeout.Timeout())
	switch {
	case errors.As(err, &name) && name.IsNotFound:
		return fault.Unavailable, fmt.Sprintf("%s does not resolve", name.Name), true
	case errors.As(err, &name):
		return fault.Unavailable, fmt.Sprintf("%s cannot be resolved: %s", name.Name, name.Err), true
	case errors.As(err, &dial) && dial.Op == "dial" && late:
		return fault.Timeout, fmt.Sprintf("no connection within %s", o.within), true
	case errors.As(err, &dial) && dial.Op == "dial":
		return fault.Unavailable, fmt.Sprintf("no connection: %s", strings.ReplaceAll(dial.Err.Error(), "\n", "; ")), true
	case isCertificate(err):
		return fault.Failed, fmt.Sprintf("the certificate does not verify: %v", err), true
	case errors.Is(err, errTooOften):
		return fault.Failed, err.Error(), false
	case late:
		return fault.Timeout, fmt.Sprintf("no answer within %s", o.within), false
	}
	return fault.Unavailable, fmt.Sprintf("the connection broke: %v", err), false
}

func isCertificate(err error) bool {
	var verify *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &verify) || errors.As(err, &unknown) || errors.As(err, &host) || errors.As(err, &invalid)
}

// unexpected is the fault of an answer with another status than asked for.
func (c *Client) unexpected(o order, r reply, wanted string) *fault.Fault {
	kind, passing := fault.Failed, false
	switch {
	case r.status == nethttp.StatusNotFound || r.status == nethttp.StatusGone:
		kind = fault.NotFound
	case r.status == nethttp.StatusUnauthorized || r.status == nethttp.StatusForbidden:
		kind = fault.Denied
	case r.status == nethttp.StatusConflict || r.status == nethttp.StatusPreconditionFailed:
		kind = fault.Conflict
	case r.status == nethttp.StatusTooManyRequests:
		kind, passing = fault.RateLimited, true
	case r.status == nethttp.StatusLocked:
		kind, passing = fault.Conflict, true
	case r.status == nethttp.StatusGatewayTimeout:
		kind, passing = fault.Timeout, true
	case r.status == nethttp.StatusBadGateway || r.status == nethttp.StatusServiceUnavailable:
		kind, passing = fault.Unavailable, true
	case r.status >= 400 && r.status < 500:
		kind = fault.Invalid
	}
	f := fault.New(kind, "it answers %d %s, not %s%s", r.status, nethttp.StatusText(r.status), wanted, excerpt(r.body))
	f.Transient, f.Sent = passing, fault.Unclear
	if r.status >= 400 && r.status < 500 {
		f.Sent = fault.NotDone
	}
	f.RetryAfter = c.retryAfter(r.header)
	return f.WithOp("%s %s", o.method, show(o.url))
}

func (c *Client) retryAfter(header nethttp.Header) time.Duration {
	text := header.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	if at, err := nethttp.ParseTime(text); err == nil {
		return max(at.Sub(c.clock.Now()), 0)
	}
	return 0
}

// excerpt is the beginning of a body, for a message.
func excerpt(body []byte) string {
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(body[:min(len(body), 400)]), "")), " ")
	if text == "" {
		return ""
	}
	if len(text) > 160 {
		text = strings.ToValidUTF8(text[:160], "") + "..."
	}
	return ": " + text
}
