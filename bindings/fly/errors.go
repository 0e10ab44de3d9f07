package fly

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/fault"
)

// statusPage is where Fly says what is broken.
const statusPage = "see https://status.flyio.net"

// refused turns an answer that is no success into a fault. A 4xx means that
// nothing was done; a 5xx leaves that open.
func (c *Client) refused(resp *http.Response, text []byte) *fault.Fault {
	var answer struct {
		Error  string
		Status string
	}
	parsed := json.Unmarshal(text, &answer) == nil && answer.Error != ""
	id := resp.Header.Get("fly-request-id")
	if !parsed && id == "" && !plain(resp, text) {
		return foreign(resp.StatusCode, c.env)
	}
	reason := answer.Error
	if !parsed {
		reason = strings.TrimSpace(string(text[:min(len(text), 300)]))
	}
	if reason == "" {
		reason = "no reason given"
	}
	message := fmt.Sprintf("Fly answers HTTP %d: %s", resp.StatusCode, reason)
	if id != "" {
		message += ", request " + id
	}
	f := classify(resp.StatusCode, answer.Status, reason, message, c.env)
	if f.Transient {
		f.RetryAfter = c.retryAfter(resp.Header)
	}
	return f
}

// plain tells of the few answers that Fly gives as bare text.
func plain(resp *http.Response, text []byte) bool {
	return strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") && strings.Contains(string(text), "not found")
}

// classify judges an answer of the API by its words first: they say more than
// the status. Sources: reference/fly.md and https://fly.io/docs/machines/api.
func classify(status int, code, reason, message, env string) *fault.Fault {
	lower := strings.ToLower(reason)
	has := func(s string) bool { return strings.Contains(lower, s) }
	switch {
	case code == "insufficient_capacity" || has("insufficient_capacity") || has("insufficient resources") || has("insufficient capacity") || has("no capacity"):
		return fault.New(fault.Exhausted, "%s", message).WithHint("the region has no room: choose another region, or a smaller machine")
	case status == http.StatusTooManyRequests:
		return fault.New(fault.RateLimited, "%s", message).WithHint("somebody else uses up the same limit: one request a second for each action and machine")
	case status == http.StatusUnauthorized || status == http.StatusForbidden || has("token validation error"):
		return fault.New(fault.Denied, "%s", message).
			WithHint("the token is wrong, revoked, expired, or not for this organization: check FLY_API_TOKEN, or token under [env.%s.fly]", env)
	case has("lease currently held"):
		return fault.New(fault.Conflict, "%s", message).WithHint("somebody works on this machine: wait for it, or `fly machine leases clear` once that is known to have ended")
	case has("deadline_exceeded") && status < 500:
		return fault.New(fault.Timeout, "%s", message)
	case has("failed_precondition") || status == http.StatusPreconditionFailed:
		return fault.New(fault.Conflict, "%s", message).WithHint("the machine's state forbids it: fly.machine shows the state")
	case status == http.StatusNotFound:
		return fault.New(fault.NotFound, "%s", message)
	case status == http.StatusConflict:
		return fault.New(fault.Conflict, "%s", message)
	case status == http.StatusRequestTimeout || status == http.StatusGatewayTimeout:
		return fault.New(fault.Timeout, "%s", message)
	case status >= 500:
		return fault.New(fault.Unavailable, "%s", message).WithHint(statusPage)
	}
	return fault.New(fault.Invalid, "%s", message)
}

// foreign is an answer that does not come from Fly itself: a proxy's page, a
// redirect. Only Fly knows what there is not.
func foreign(status int, env string) *fault.Fault {
	message := fmt.Sprintf("HTTP %d %s without an answer of Fly's API", status, http.StatusText(status))
	kind := fault.Invalid
	switch {
	case status >= 500:
		kind = fault.Unavailable
	case status == http.StatusNotFound:
		kind = fault.Failed
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		kind = fault.Denied
	}
	return fault.New(kind, "%s", message).
		WithHint("something between drhost and Fly answered: check machines_url and api_url under [env.%s.fly]; %s", env, statusPage)
}

// fromGraphQL is the fault of an error inside an answer of status 200.
func (c *Client) fromGraphQL(code, reason string) *fault.Fault {
	message := "Fly answers: " + reason
	switch strings.ToUpper(code) {
	case "UNAUTHORIZED", "FORBIDDEN":
		return classify(http.StatusUnauthorized, "", reason, message, c.env)
	case "NOT_FOUND":
		return fault.New(fault.NotFound, "%s", message)
	}
	if strings.Contains(strings.ToLower(reason), "could not find app") {
		return fault.New(fault.NotFound, "%s", message)
	}
	return fault.New(fault.Failed, "%s", message)
}

// fromNetwork judges an error without an answer. Only when no connection came
// about is it certain that nothing was done.
func fromNetwork(err error) *fault.Fault {
	var name *net.DNSError
	var dial *net.OpError
	var timeout net.Error
	var untrusted *tls.CertificateVerificationError
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err // without the address, which says nothing new
	}
	late := errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
	switch {
	case errors.Is(err, context.Canceled):
		return fault.New(fault.Cancelled, "told to stop while Fly had not answered")
	case errors.As(err, &name):
		return fault.New(fault.Unavailable, "%s does not resolve: %v", name.Name, err).NothingDone()
	case errors.As(err, &dial) && dial.Op == "dial":
		kind := fault.Unavailable
		if late {
			kind = fault.Timeout
		}
		return fault.New(kind, "no connection to Fly: %v", err).
			WithHint("check the network, and machines_url and api_url under [env.NAME.fly]").NothingDone()
	case errors.As(err, &untrusted):
		return fault.New(fault.Failed, "the certificate does not verify: %v", err).
			WithHint("check machines_url and api_url under [env.NAME.fly], and this machine's clock").NothingDone()
	case late:
		return fault.New(fault.Timeout, "Fly did not answer in time: %v", err).WithHint(statusPage)
	}
	return fault.New(fault.Unavailable, "the connection to Fly broke: %v", err).WithHint(statusPage)
}

// retryAfter reads how long the API asks to wait.
func (c *Client) retryAfter(header http.Header) time.Duration {
	text := header.Get("Retry-After")
	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(c.clock.Now()), 0)
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
	if err == nil {
		return nil
	}
	f := *fault.As(err)
	f.Sent = fault.NotDone
	return &f
}

// begun marks a fault in the middle of a call of several parts, of which some
// were done: whoever sends the call again finds them done and makes the rest.
func begun(err error) error {
	if err == nil {
		return nil
	}
	f := *fault.As(err)
	if f.Sent == fault.NotDone && !f.Transient {
		f.Sent = fault.Done
	}
	return &f
}

// accepted marks a fault that came up after Fly had taken the mutation: a wait
// that ran out is known to be done, anything else leaves open what became of it.
func accepted(err error) error {
	if err == nil {
		return nil
	}
	f := *fault.As(err)
	switch {
	case f.Sent == fault.Done:
	case f.Kind == fault.Failed, f.Kind == fault.Timeout && !f.Transient:
		f.AlreadyDone()
	default:
		f.Sent = fault.Unclear
	}
	return &f
}

// raises are the kinds that every function may raise, with more.
func raises(more ...fault.Kind) []fault.Kind {
	return append(more, fault.NotFound, fault.Denied, fault.RateLimited, fault.Unavailable, fault.Timeout)
}
