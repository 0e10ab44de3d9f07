package hetzner

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

	"github.com/hetznercloud/hcloud-go/v2/hcloud"

	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
)

// refusal is what an error code of the API means to a runbook.
type refusal struct {
	kind    fault.Kind
	passing bool
	hint    string
}

// refusals lists the codes that need more than their HTTP status says. Source:
// the error tables of https://docs.hetzner.cloud.
func refusals(code hcloud.ErrorCode) (refusal, bool) {
	switch code {
	case hcloud.ErrorCodeUnauthorized:
		return refusal{fault.Denied, false, "the token is wrong or revoked: check HETZNER_API_TOKEN, or token under [env.NAME.hetzner]"}, true
	case hcloud.ErrorCodeForbidden:
		return refusal{fault.Denied, false, "the token may only read: make one with read and write rights in the project's console under Security, API tokens"}, true
	case hcloud.ErrorCodeNotFound, hcloud.ErrorCodeFirewallResourceNotFound:
		return refusal{fault.NotFound, false, ""}, true
	case hcloud.ErrorCodeLocked:
		return refusal{fault.Conflict, true, "another action is still running on it"}, true
	case hcloud.ErrorCodeConflict:
		return refusal{fault.Conflict, true, "it changed while the request was under way"}, true
	case hcloud.ErrorCodeResourceLocked:
		return refusal{fault.Conflict, false, "Hetzner has locked it: their support has to say why"}, true
	case hcloud.ErrorCodeProtected:
		return refusal{fault.Conflict, false, "it is protected: lift the protection in the console first, if that is really meant"}, true
	case hcloud.ErrorCodeUniquenessError:
		return refusal{fault.Conflict, false, "the name is taken"}, true
	case hcloud.ErrorCodeServerNotStopped:
		return refusal{fault.Conflict, false, "the server has to be off: hetzner.poweroff or hetzner.shutdown first"}, true
	case hcloud.ErrorCodePrimaryIPAlreadyAssigned, hcloud.ErrorCodePrimaryIPAssigned:
		return refusal{fault.Conflict, false, "the address belongs to a server: hetzner.unassign_primary_ip first"}, true
	case hcloud.ErrorCodeServerHasIPv4, hcloud.ErrorCodeServerHasIPv6:
		return refusal{fault.Conflict, false, "the server has an address of that kind: hetzner.unassign_primary_ip on it first"}, true
	case hcloud.ErrorCodeVolumeAlreadyAttached:
		return refusal{fault.Conflict, false, "hetzner.detach_volume first"}, true
	case hcloud.ErrorCodeRateLimitExceeded:
		return refusal{fault.RateLimited, true, "the project's requests per hour are used up"}, true
	case hcloud.ErrorCodeResourceLimitExceeded:
		return refusal{fault.Exhausted, false, "the project's limit is reached: ask for more in the console, or delete what is not needed"}, true
	case hcloud.ErrorCodeResourceUnavailable, hcloud.ErrorCodePlacementError, hcloud.ErrorCodeNoSpaceLeftInLocation:
		return refusal{fault.Exhausted, false, "name further locations or types; hetzner.availability shows what is free"}, true
	case hcloud.ErrorCodeMaintenance, hcloud.ErrorCodeRobotUnavailable:
		return refusal{fault.Unavailable, true, "see https://status.hetzner.com"}, true
	case hcloud.ErrorCodeInvalidInput, hcloud.ErrorCodeJSONError, hcloud.ErrorCodeInvalidServerType,
		hcloud.ErrorUnsupportedError, hcloud.ErrorDeprecatedAPIEndpoint:
		return refusal{fault.Invalid, false, ""}, true
	}
	return refusal{}, false
}

// translate turns an error of the vendor's library into a fault; nil stays nil.
func (c *Client) translate(op string, err error) error {
	if err == nil {
		return nil
	}
	var own *fault.Fault
	if errors.As(err, &own) {
		return own
	}
	return c.classify(err).WithOp("%s", op)
}

func (c *Client) classify(err error) *fault.Fault {
	var api hcloud.Error
	var action hcloud.ActionError
	var foreign *foreignAnswer
	var syntax *json.SyntaxError
	var shape *json.UnmarshalTypeError
	var argument hcloud.ArgumentError
	switch {
	case errors.As(err, &api):
		return c.fromAPI(api)
	case errors.As(err, &action):
		return fromAction(action)
	case errors.As(err, &foreign):
		f := byStatus(foreign.status, foreign.Error())
		if f.Kind == fault.NotFound { // only the API itself knows what there is not
			f.Kind = fault.Failed
		}
		f = f.WithHint("something between drhost and Hetzner answered: check endpoint under [env.NAME.hetzner], and see https://status.hetzner.com")
		f.RetryAfter = retryAfter(c.clock, foreign.header)
		return f
	case errors.As(err, &argument):
		return fault.New(fault.Invalid, "%s", argument)
	case errors.As(err, &syntax), errors.As(err, &shape):
		return fault.New(fault.Failed, "the answer is not what the API promises: %v", err).WithHint("check endpoint under [env.NAME.hetzner]")
	case strings.Contains(err.Error(), "token contains invalid characters"):
		return fault.New(fault.Denied, "the API token holds characters that no token has").WithHint("check HETZNER_API_TOKEN for stray line ends or quotes")
	}
	return fromNetwork(err)
}

func (c *Client) fromAPI(api hcloud.Error) *fault.Fault {
	message := "Hetzner answers: " + api.Error()
	if details, ok := api.Details.(hcloud.ErrorDetailsInvalidInput); ok {
		for _, field := range details.Fields {
			message += fmt.Sprintf("; %s: %s", field.Name, strings.Join(field.Messages, ", "))
		}
	}
	status, header := 0, http.Header{}
	if resp := api.Response(); resp != nil && resp.Response != nil {
		status, header = resp.StatusCode, resp.Header
	}
	r, known := refusals(api.Code)
	if !known {
		f := byStatus(status, message)
		f.RetryAfter = retryAfter(c.clock, header)
		return f
	}
	f := fault.New(r.kind, "%s", message)
	f.Hint, f.Transient, f.Sent = r.hint, r.passing, fault.NotDone
	if r.passing {
		f.RetryAfter = retryAfter(c.clock, header)
	}
	return f
}

// byStatus judges an answer whose code says nothing. A 4xx means that nothing
// was done; a 5xx leaves that open.
func byStatus(status int, message string) *fault.Fault {
	switch {
	case status == http.StatusNotFound:
		return fault.New(fault.NotFound, "%s", message)
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fault.New(fault.Denied, "%s", message)
	case status == http.StatusTooManyRequests:
		return fault.New(fault.RateLimited, "%s", message)
	case status == http.StatusLocked:
		return fault.New(fault.Conflict, "%s", message).Passing()
	case status == http.StatusConflict || status == http.StatusPreconditionFailed || status == http.StatusUnprocessableEntity:
		return fault.New(fault.Conflict, "%s", message)
	case status == http.StatusRequestTimeout || status == http.StatusGatewayTimeout:
		return fault.New(fault.Timeout, "%s", message)
	case status >= 300 && status < 500:
		return fault.New(fault.Invalid, "%s", message)
	case status >= 500:
		return fault.New(fault.Unavailable, "%s", message)
	}
	return fault.New(fault.Failed, "%s", message)
}

// fromAction is the fault of an action that Hetzner accepted and could not
// carry through.
func fromAction(action hcloud.ActionError) *fault.Fault {
	command, id := "the action", int64(0)
	if a := action.Action(); a != nil {
		command, id = a.Command, a.ID
	}
	f := fault.New(fault.Failed, "%s (action %d) failed: %s (%s)", command, id, action.Message, action.Code)
	return f.WithHint("the server's activity list in Hetzner's console says more").AlreadyDone()
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
	switch {
	case errors.Is(err, context.Canceled):
		return fault.New(fault.Cancelled, "told to stop while Hetzner had not answered")
	case errors.As(err, &name):
		return fault.New(fault.Unavailable, "%s does not resolve: %v", name.Name, err).NothingDone()
	case errors.As(err, &dial) && dial.Op == "dial":
		return fault.New(fault.Unavailable, "no connection to Hetzner: %v", err).
			WithHint("check the network, and endpoint under [env.NAME.hetzner]").NothingDone()
	case errors.As(err, &untrusted):
		return fault.New(fault.Failed, "the certificate does not verify: %v", err).
			WithHint("check endpoint under [env.NAME.hetzner], and this machine's clock").NothingDone()
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return fault.New(fault.Timeout, "Hetzner did not answer in time: %v", err)
	}
	return fault.New(fault.Unavailable, "the connection to Hetzner broke: %v", err)
}

// retryAfter reads how long the API asks to wait: Retry-After, or the moment
// in RateLimit-Reset at which the limit is whole again. The limit refills by
// one request a second, so that waiting for the whole of it is never needed.
func retryAfter(clk clock.Clock, header http.Header) time.Duration {
	if seconds, err := strconv.Atoi(header.Get("Retry-After")); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	reset, err := strconv.ParseInt(header.Get("RateLimit-Reset"), 10, 64)
	if err != nil {
		return 0
	}
	wait := time.Unix(reset, 0).Sub(clk.Now())
	if limit, err := strconv.Atoi(header.Get("RateLimit-Limit")); err == nil && limit > 0 {
		wait = min(wait, refilled/time.Duration(limit)) // the next one; further ones keep the pace
	}
	return min(max(wait, time.Second), 30*time.Second)
}

// before marks a fault that came up while a mutation was being prepared: it
// had not been sent.
func before(err error) error {
	f := *fault.As(err)
	f.Sent = fault.NotDone
	return &f
}

// messageOf is what the API said, without code and correlation id.
func messageOf(err error) string {
	var api hcloud.Error
	if errors.As(err, &api) {
		return api.Message
	}
	return err.Error()
}
