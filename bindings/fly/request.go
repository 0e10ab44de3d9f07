package fly

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/webhost-systems/drhost/host/fault"
)

// actionGet is the one action with a wider limit.
const actionGet = "machine_get"

// answerLimit bounds an answer: the longest list of machines is far below it.
const answerLimit = 32 << 20

// request is one request to Fly.
type request struct {
	action  string // what it counts as for the rate limit
	subject string // the machine or app that it counts for
	method  string
	url     string
	body    any
	nonce   string        // of the lease under which it is sent
	within  time.Duration // when it may take longer than usual
}

// do sends a request once and decodes the answer into out. Every error is a
// fault; one that came up before the request left is marked so.
func (c *Client) do(ctx context.Context, op string, q request, out any) error {
	if err := c.admit(ctx, q.action, q.subject); err != nil {
		return fault.New(fault.Cancelled, "told to stop before the request was sent").WithOp("%s", op).NothingDone()
	}
	ctx, cancel := context.WithTimeout(ctx, c.answer+q.within)
	defer cancel()
	req, err := c.compose(ctx, q)
	if err != nil {
		return fault.New(fault.Internal, "%v", err).WithOp("%s", op).NothingDone()
	}
	resp, err := c.web.Do(req)
	if err != nil {
		return fromNetwork(err).WithOp("%s", op)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return fromNetwork(err).WithOp("%s", op)
	}
	c.compare(resp.Header)
	if resp.StatusCode/100 != 2 {
		return c.refused(resp, text).WithOp("%s", op)
	}
	if out == nil {
		return nil
	}
	if err := decode(text, out); err != nil {
		return fault.New(fault.Failed, "the answer is not what the API promises: %v", err).WithOp("%s", op).
			WithHint("check machines_url and api_url under [env.%s.fly]", c.env)
	}
	return nil
}

func (c *Client) compose(ctx context.Context, q request) (*http.Request, error) {
	var body io.Reader
	if q.body != nil {
		text, err := json.Marshal(q.body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, q.method, q.url, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", c.auth)
	req.Header.Set("User-Agent", "drhost")
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if q.nonce != "" {
		req.Header.Set("fly-machine-lease-nonce", q.nonce)
	}
	return req, nil
}

// decode keeps the numbers of a configuration as they were written: it is sent
// back whole.
func decode(text []byte, out any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(out)
}

// slack covers the whole seconds of a Date header.
const slack = 2 * time.Second

// compare notes how far Fly's clock is ahead of ours.
func (c *Client) compare(header http.Header) {
	at, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return
	}
	ahead := at.Sub(c.clock.Now())
	if ahead.Abs() <= slack {
		ahead = 0
	}
	c.mu.Lock()
	c.ahead = ahead
	c.mu.Unlock()
}

// skew is how far Fly's clock was ahead of ours in the latest answer.
func (c *Client) skew() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ahead
}

// appURL is an address below an app in the Machines API.
func (c *Client) appURL(app, format string, args ...any) string {
	return c.machines + "/apps/" + url.PathEscape(app) + fmt.Sprintf(format, args...)
}

// get reads from the Machines API, below an app.
func (c *Client) get(ctx context.Context, op, action, app, path string, out any) error {
	return c.do(ctx, op, request{action: action, subject: app, method: http.MethodGet, url: c.appURL(app, "%s", path)}, out)
}

// graphql asks a question of the GraphQL API; errors in the answer are faults.
func (c *Client) graphql(ctx context.Context, op, action, subject, query string, variables map[string]any, out any) error {
	var answer struct {
		Data   json.RawMessage
		Errors []struct {
			Message    string
			Extensions struct{ Code string }
		}
	}
	err := c.do(ctx, op, request{action: action, subject: subject, method: http.MethodPost, url: c.api + "/graphql",
		body: map[string]any{"query": query, "variables": variables}}, &answer)
	if err != nil {
		return err
	}
	if len(answer.Errors) > 0 {
		return c.fromGraphQL(answer.Errors[0].Extensions.Code, answer.Errors[0].Message).WithOp("%s", op)
	}
	if err := decode(answer.Data, out); err != nil {
		return fault.New(fault.Failed, "the answer of GraphQL is not what its schema promises: %v", err).WithOp("%s", op)
	}
	return nil
}
