package http

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/secret"
)

// Health is the result of a check.
type Health struct {
	OK      bool          `lua:"ok" doc:"Whether everything asked for holds."`
	Status  int           `lua:"status" doc:"HTTP status; 0 when there was no answer."`
	Latency time.Duration `lua:"latency" doc:"How long it took."`
	Reason  string        `lua:"reason,optional" doc:"Why it is not healthy."`
	Body    string        `lua:"body,optional" doc:"The body, at most 1 MiB of it."`
	JSON    any           `lua:"json,optional" doc:"The body decoded, when it is JSON."`
	Address string        `lua:"address,optional" doc:"Who answered or was tried last, address and port."`
}

type checkArgs struct {
	URL      string                  `lua:"url" doc:"Where to ask, http or https."`
	Status   int                     `lua:"status" default:"200" doc:"Status that it should answer."`
	JSON     map[string]any          `lua:"json,optional" doc:"Values that the JSON of the body should have, by path: { status = 'ok', ['checks.0.name'] = 'db' }; the first element of a list is 0."`
	Contains string                  `lua:"contains,optional" doc:"Text that the body should contain."`
	Within   time.Duration           `lua:"within" default:"10s" doc:"How long the whole exchange may take."`
	Address  string                  `lua:"address,optional" doc:"Connect to this address (or address:port) instead of resolving the name."`
	Headers  map[string]string       `lua:"headers,optional" doc:"Headers of the request."`
	Secrets  map[string]secret.Value `lua:"secret_headers,optional" doc:"Headers whose values are secrets."`
	Bearer   secret.Value            `lua:"bearer,optional" doc:"Token for the header Authorization: Bearer."`
}

var check = binding.Func[*Client, checkArgs, Health]{
	Name: "check", Effect: binding.Reads,
	Doc:     "Check a service as its customers see it: resolve, connect, GET, and hold the answer against what is asked for. An unhealthy service is a result, not a fault.",
	Raises:  []fault.Kind{fault.Invalid},
	Example: `http.check { url = "http://hobby.webhost.systems/health", json = { status = "ok" } }`,
	Target:  "url",
	Call:    (*Client).check,
}

func (c *Client) check(ctx context.Context, a checkArgs) (Health, error) {
	u, err := target(a.URL)
	if err != nil {
		return Health{}, err
	}
	o := order{method: "GET", url: u, header: headers(a.Headers), private: a.Secrets, bearer: a.Bearer, within: a.Within,
		address: a.Address, follow: true}
	r, err := c.do(ctx, o)
	if errors.Is(ctx.Err(), context.Canceled) {
		return Health{}, translate(ctx, o, ctx.Err())
	}
	h := Health{Status: r.status, Latency: r.latency, Address: r.address}
	if err != nil {
		h.Status = 0
		_, h.Reason, _ = classify(o, err)
		return h, nil
	}
	h.Body, h.JSON = string(r.body), decoded(r)
	h.Reason = a.judge(r, h.JSON)
	h.OK = h.Reason == ""
	return h, nil
}

// judge returns why an answer is not healthy, or "".
func (a checkArgs) judge(r reply, data any) string {
	if r.status != a.Status {
		return fmt.Sprintf("it answers %d, not %d%s", r.status, a.Status, excerpt(r.body))
	}
	if a.Contains != "" && !strings.Contains(string(r.body), a.Contains) {
		return fmt.Sprintf("the body does not contain %q", a.Contains)
	}
	if len(a.JSON) > 0 && data == nil {
		return "the body is not JSON" + excerpt(r.body)
	}
	paths := make([]string, 0, len(a.JSON))
	for path := range a.JSON {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	for _, path := range paths {
		found, ok := at(data, path)
		switch {
		case !ok:
			return fmt.Sprintf("the JSON has no %s", path)
		case !equal(found, a.JSON[path]):
			return fmt.Sprintf("%s is %s, not %s", path, text(found), text(a.JSON[path]))
		}
	}
	return ""
}

// at follows a path such as "checks.0.name".
func at(v any, path string) (any, bool) {
	if m, ok := v.(map[string]any); ok {
		if whole, there := m[path]; there { // a key may hold dots itself
			return whole, true
		}
	}
	step, rest, more := strings.Cut(path, ".")
	var next any
	switch v := v.(type) {
	case map[string]any:
		var ok bool
		if next, ok = v[step]; !ok {
			return nil, false
		}
	case []any:
		i, err := strconv.Atoi(step)
		if err != nil || i < 0 || i >= len(v) {
			return nil, false
		}
		next = v[i]
	default:
		return nil, false
	}
	if !more {
		return next, true
	}
	return at(next, rest)
}

// equal compares plain data; a number may have come as any of Go's.
func equal(found, wanted any) bool {
	switch n := wanted.(type) {
	case int64:
		wanted = float64(n)
	case int:
		wanted = float64(n)
	}
	return reflect.DeepEqual(found, wanted)
}

func text(v any) string {
	out, err := json.Marshal(v)
	if err != nil || len(out) > 80 {
		return fmt.Sprintf("%.80v", v)
	}
	return string(out)
}
