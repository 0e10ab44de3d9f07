package cloudflare

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
)

// translate turns an error of the vendor's library into a fault; nil stays nil.
func (c *Client) translate(op string, err error) error {
	if err == nil {
		return nil
	}
	var own *fault.Fault
	if errors.As(err, &own) {
		return own
	}
	var r *refusal
	if errors.As(err, &r) {
		f := byCode(r)
		if f.Transient {
			f.RetryAfter = retryAfter(c.clock, r.header)
		}
		return f.WithOp("%s", op)
	}
	return fromNetwork(err).WithOp("%s", op)
}

// byCode judges an answer by its error codes and, where they say nothing, by
// its status. A 4xx means that nothing was done; anything else leaves that
// open. Source of the codes: developers.cloudflare.com/api and the answers
// that the API gives.
func byCode(r *refusal) *fault.Fault {
	message := "Cloudflare answers " + r.Error()
	certain := r.status >= 400 && r.status < 500
	switch {
	case r.status == http.StatusTooManyRequests:
		return fault.New(fault.RateLimited, "%s", message).WithHint("1200 requests are allowed in five minutes for each user, whoever sends them")
	case !certain || r.foreign:
		return byStatus(r, message)
	case r.has(1000, 6003, 6111, 9106, 9109, 10000, 10001) || r.status == 401 || r.status == 403:
		return fault.New(fault.Denied, "%s", message).
			WithHint("the token is wrong, revoked, or lacks Zone:Read and DNS:Edit on this zone: check CLOUDFLARE_API_TOKEN, or token under [env.NAME.cloudflare]")
	case r.has(81044, 7000, 7003, 1001, 1002) || r.status == http.StatusNotFound:
		return fault.New(fault.NotFound, "%s", message)
	case r.has(81053, 81054, 81055, 81056, 81057, 81058) || r.status == http.StatusConflict:
		return fault.New(fault.Conflict, "%s", message).WithHint("cloudflare.records { zone = ..., name = ... } shows what is there")
	}
	return byStatus(r, message)
}

func byStatus(r *refusal, message string) *fault.Fault {
	var f *fault.Fault
	switch {
	case r.status == http.StatusUnauthorized || r.status == http.StatusForbidden:
		f = fault.New(fault.Denied, "%s", message)
	case r.status == http.StatusNotFound && !r.foreign: // only the API itself knows what there is not
		f = fault.New(fault.NotFound, "%s", message)
	case r.status == http.StatusNotFound:
		f = fault.New(fault.Failed, "%s", message)
	case r.status == http.StatusRequestTimeout || r.status == http.StatusGatewayTimeout || r.status == 524:
		f = fault.New(fault.Timeout, "%s", message)
	case r.status >= 500:
		f = fault.New(fault.Unavailable, "%s", message).WithHint("see https://www.cloudflarestatus.com")
	case r.status >= 300:
		f = fault.New(fault.Invalid, "%s", message)
	default: // a 2xx that is no success
		f = fault.New(fault.Failed, "%s", message)
	}
	if r.foreign {
		f.WithHint("something between drhost and Cloudflare answered: check endpoint under [env.NAME.cloudflare]")
	}
	return f
}

// fromNetwork judges an error without an answer. Only when no connection came
// about is it certain that nothing was done.
func fromNetwork(err error) *fault.Fault {
	var name *net.DNSError
	var dial *net.OpError
	var timeout net.Error
	late := errors.Is(err, context.DeadlineExceeded) || (errors.As(err, &timeout) && timeout.Timeout())
	switch {
	case errors.Is(err, context.Canceled):
		return fault.New(fault.Cancelled, "told to stop while Cloudflare had not answered")
	case errors.As(err, &name):
		return fault.New(fault.Unavailable, "%s does not resolve: %v", name.Name, err).NothingDone()
	case errors.As(err, &dial) && dial.Op == "dial":
		kind := fault.Unavailable
		if late {
			kind = fault.Timeout
		}
		return fault.New(kind, "no connection to Cloudflare: %v", err).
			WithHint("check the network, and endpoint under [env.NAME.cloudflare]").NothingDone()
	case late:
		return fault.New(fault.Timeout, "Cloudflare did not answer in time: %v", err)
	}
	return fault.New(fault.Unavailable, "the connection to Cloudflare broke: %v", err)
}

// retryAfter reads how long the API asks to wait: Retry-After in seconds or as
// a date, or the t of Ratelimit.
func retryAfter(clk clock.Clock, header http.Header) time.Duration {
	text := header.Get("Retry-After")
	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(clk.Now()), 0)
	}
	if text == "" {
		for _, part := range strings.Split(header.Get("Ratelimit"), ";") {
			if t, ok := strings.CutPrefix(strings.TrimSpace(part), "t="); ok {
				text = t
			}
		}
	}
	seconds, err := strconv.Atoi(text)
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// before marks a fault that came up while a mutation was being prepared: it
// had not been sent.
func before(err error) error {
	f := *fault.As(err)
	f.Sent = fault.NotDone
	return &f
}
