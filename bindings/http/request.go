package http

import (
	"context"
	"encoding/json"
	"fmt"
	nethttp "net/http"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/secret"
)

// Response is an answer.
type Response struct {
	Status    int               `lua:"status" doc:"HTTP status, such as 200."`
	Headers   map[string]string `lua:"headers" doc:"Headers by name in lower case, without cookies."`
	Body      string            `lua:"body" doc:"The body, at most 1 MiB of it."`
	Truncated bool              `lua:"truncated" doc:"Whether the body was longer than that."`
	JSON      any               `lua:"json,optional" doc:"The body decoded, when it is JSON."`
	Latency   time.Duration     `lua:"latency" doc:"From the first attempt to connect to the end of the body."`
	Address   string            `lua:"address" doc:"Who answered, address and port."`
	URL       string            `lua:"url" doc:"Where the answer came from, after redirects, without the query."`
}

func responseFrom(r reply) Response {
	out := Response{Status: r.status, Headers: map[string]string{}, Body: string(r.body), Truncated: r.truncated,
		JSON: decoded(r), Latency: r.latency, Address: r.address, URL: show(r.url)}
	for name, values := range r.header {
		if name != "Set-Cookie" { // a session is a credential
			out.Headers[strings.ToLower(name)] = strings.Join(values, ", ")
		}
	}
	return out
}

// decoded is the body as plain data when its header calls it JSON, else nil.
func decoded(r reply) any {
	if r.truncated || !strings.Contains(strings.ToLower(r.header.Get("Content-Type")), "json") {
		return nil
	}
	var v any
	if json.Unmarshal(r.body, &v) != nil {
		return nil
	}
	return v
}

type requestArgs struct {
	URL     string                  `lua:"url" doc:"Where to ask, http or https."`
	Method  string                  `lua:"method" enum:"GET,HEAD" default:"GET" doc:"GET or HEAD; http.send is for what changes something."`
	Headers map[string]string       `lua:"headers,optional" doc:"Headers of the request."`
	Secrets map[string]secret.Value `lua:"secret_headers,optional" doc:"Headers whose values are secrets."`
	Bearer  secret.Value            `lua:"bearer,optional" doc:"Token for the header Authorization: Bearer."`
	Within  time.Duration           `lua:"within" default:"30s" doc:"How long the whole exchange may take."`
	Expect  *int                    `lua:"expect_status" doc:"Status that it has to answer; any other is a fault."`
	Address string                  `lua:"address,optional" doc:"Connect to this address (or address:port) instead of resolving the name."`
	Follow  bool                    `lua:"follow" default:"true" doc:"Whether to follow redirects."`
}

var request = binding.Func[*Client, requestArgs, Response]{
	Name: "request", Effect: binding.Reads,
	Doc:     "Fetch something. An answer is a result whatever its status, unless expect_status says which one it has to be; no answer is a fault.",
	Raises:  []fault.Kind{fault.Unavailable, fault.Timeout, fault.Failed, fault.Invalid, fault.NotFound, fault.Denied, fault.RateLimited, fault.Conflict},
	Example: `http.request { url = "https://app.webhost.systems/version", expect_status = 200 }`,
	Target:  "url",
	Call:    (*Client).request,
}

func (c *Client) request(ctx context.Context, a requestArgs) (Response, error) {
	u, err := target(a.URL)
	if err != nil {
		return Response{}, err
	}
	o := order{method: a.Method, url: u, header: headers(a.Headers), private: a.Secrets, bearer: a.Bearer,
		within: a.Within, address: a.Address, follow: a.Follow}
	r, err := c.do(ctx, o)
	if err != nil {
		return Response{}, translate(ctx, o, err)
	}
	if a.Expect != nil && r.status != *a.Expect {
		return Response{}, c.unexpected(o, r, fmt.Sprint(*a.Expect))
	}
	return responseFrom(r), nil
}

func headers(given map[string]string) nethttp.Header {
	h := nethttp.Header{}
	for name, value := range given {
		h.Set(name, value)
	}
	return h
}

type sendArgs struct {
	URL     string                  `lua:"url" doc:"Where to send, http or https."`
	Method  string                  `lua:"method" enum:"POST,PUT,PATCH,DELETE" default:"POST" doc:"POST, PUT, PATCH or DELETE."`
	Headers map[string]string       `lua:"headers,optional" doc:"Headers of the request."`
	Secrets map[string]secret.Value `lua:"secret_headers,optional" doc:"Headers whose values are secrets."`
	Bearer  secret.Value            `lua:"bearer,optional" doc:"Token for the header Authorization: Bearer."`
	Body    string                  `lua:"body,optional" doc:"Body of the request."`
	JSON    any                     `lua:"json,optional" doc:"Body of the request as a table, sent as JSON; not together with body."`
	Within  time.Duration           `lua:"within" default:"30s" doc:"How long the whole exchange may take."`
	Expect  *int                    `lua:"expect_status" doc:"Status that it has to answer; without it any 2xx will do."`
	Address string                  `lua:"address,optional" doc:"Connect to this address (or address:port) instead of resolving the name."`
}

var send = binding.Func[*Client, sendArgs, Response]{
	Name: "send", Effect: binding.Mutates,
	Doc: "Send something that changes something. It carries the key of the call in the header Idempotency-Key, so that a receiver who knows the header acts once; " +
		"redirects are not followed. Any answer but a 2xx (or expect_status) is a fault.",
	Says:    "send {method} to {url}",
	Raises:  []fault.Kind{fault.Unavailable, fault.Timeout, fault.Failed, fault.Invalid, fault.NotFound, fault.Denied, fault.RateLimited, fault.Conflict},
	Example: `http.send { url = "https://app.webhost.systems/admin/cache/flush", json = { scope = "all" } }`,
	Target:  "url",
	Call:    (*Client).dispatch,
	Predict: (*Client).predictSend,
	Settled: (*Client).sendSettled,
}

// asOrder checks what is to be sent.
func (a sendArgs) asOrder(ctx context.Context) (order, error) {
	u, err := target(a.URL)
	if err != nil {
		return order{}, err
	}
	o := order{method: a.Method, url: u, header: headers(a.Headers), private: a.Secrets, bearer: a.Bearer,
		body: []byte(a.Body), within: a.Within, address: a.Address}
	if a.JSON != nil {
		if a.Body != "" {
			return order{}, fault.New(fault.Invalid, "body and json exclude each other").WithOp("send to %s", show(u))
		}
		if o.body, err = json.Marshal(a.JSON); err != nil {
			return order{}, fault.New(fault.Invalid, "json cannot be encoded: %v", err).WithOp("send to %s", show(u))
		}
		if o.header.Get("Content-Type") == "" {
			o.header.Set("Content-Type", "application/json")
		}
	}
	if key := binding.Key(ctx); key != "" && o.header.Get("Idempotency-Key") == "" {
		o.header.Set("Idempotency-Key", key)
	}
	return o, nil
}

func (c *Client) dispatch(ctx context.Context, a sendArgs) (Response, error) {
	o, err := a.asOrder(ctx)
	if err != nil {
		return Response{}, err
	}
	r, err := c.do(ctx, o)
	if err != nil {
		return Response{}, translate(ctx, o, err)
	}
	if a.Expect != nil && r.status != *a.Expect {
		return Response{}, c.unexpected(o, r, fmt.Sprint(*a.Expect))
	}
	if a.Expect == nil && r.status/100 != 2 {
		return Response{}, c.unexpected(o, r, "2xx")
	}
	return responseFrom(r), nil
}

func (c *Client) predictSend(ctx context.Context, a sendArgs) (Response, error) {
	if binding.IsPlanned(a.URL) {
		return Response{Status: 200, Headers: map[string]string{}, Body: binding.Planned("answer of " + a.URL), URL: a.URL}, nil
	}
	o, err := a.asOrder(ctx)
	if err != nil {
		return Response{}, err
	}
	status := 200
	if a.Expect != nil {
		status = *a.Expect
	}
	what := fmt.Sprintf("answer of %s %s", o.method, show(o.url))
	return Response{Status: status, Headers: map[string]string{}, Body: binding.Planned(what), Address: binding.Planned("address of " + o.url.Host), URL: show(o.url)}, nil
}

// sendSettled cannot know: only the receiver does.
func (c *Client) sendSettled(ctx context.Context, a sendArgs) (binding.Settlement[Response], error) {
	return binding.Settlement[Response]{Look: fmt.Sprintf("ask whoever runs %s whether %s with Idempotency-Key %s arrived",
		describe(a.URL), a.Method, binding.Key(ctx))}, nil
}
