// Package cloudflare lets a runbook read and change the DNS records of zones
// at Cloudflare. It must never send a mutation twice by itself (the gate does,
// once it knows that nothing was done), never take an answer for a success
// that does not say so, and never hand a token to a runbook.
package cloudflare

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	cf "github.com/cloudflare/cloudflare-go"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/secret"
)

// settings are [env.NAME.cloudflare] of drhost.toml.
type settings struct {
	Endpoint string        `lua:"endpoint" default:"https://api.cloudflare.com/client/v4" doc:"Address of Cloudflare's API."`
	Token    secret.Value  `lua:"token" default:"env:CLOUDFLARE_API_TOKEN" doc:"API token with the rights Zone:Read and DNS:Edit on the zones."`
	Answer   time.Duration `lua:"answer_within" default:"30s" doc:"How long one request may take before it counts as lost."`
}

// Client is Cloudflare as one run sees it. It is safe for concurrent use.
type Client struct {
	api   *cf.API
	clock clock.Clock

	mu    sync.Mutex
	zones map[string]Zone // by name; a zone keeps its id within a run
}

// open makes the client of one run; it calls nobody.
func open(env binding.Env, s settings) (*Client, error) {
	at, err := url.Parse(s.Endpoint)
	if err != nil || at.Host == "" || (at.Scheme != "https" && at.Scheme != "http") {
		return nil, fault.New(fault.Invalid, "endpoint %q is not an address such as %q", s.Endpoint, "https://api.cloudflare.com/client/v4").
			WithOp("open cloudflare").WithHint("set endpoint under [env.%s.cloudflare]", env.Name)
	}
	token := strings.TrimSpace(s.Token.Reveal())
	if token == "" {
		return nil, fault.New(fault.Invalid, "the API token is empty").WithOp("open cloudflare").
			WithHint("set CLOUDFLARE_API_TOKEN, or token under [env.%s.cloudflare]", env.Name)
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, fault.New(fault.Invalid, "the API token holds characters that no token has").WithOp("open cloudflare").
			WithHint("check CLOUDFLARE_API_TOKEN for stray line ends or quotes")
	}
	web := &http.Client{
		Transport: answers{env.Net.Transport()},
		Timeout:   s.Answer,
		// A redirected mutation would be sent a second time.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	// The library would send a POST up to four times and ignore Retry-After.
	api, err := cf.NewWithAPIToken(token, cf.BaseURL(strings.TrimSuffix(s.Endpoint, "/")), cf.HTTPClient(web),
		cf.UsingRetryPolicy(0, 0, 0), cf.UsingRateLimit(math.MaxFloat64), cf.UserAgent("drhost"))
	if err != nil {
		return nil, fault.New(fault.Internal, "%v", err).WithOp("open cloudflare").NothingDone()
	}
	return &Client{api: api, clock: env.Clock, zones: map[string]Zone{}}, nil
}

// answerLimit bounds an answer: the longest page of records is far below it.
const answerLimit = 16 << 20

// answers turns everything but a success into an error that carries the
// status, the headers and the API's own words. The vendor's library loses the
// body of a 5xx and takes an answer of status 200 with success=false for a
// success.
type answers struct{ base http.RoundTripper }

func (a answers) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := a.base.RoundTrip(req)
	if err != nil {
		return resp, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	var envelope struct {
		Success *bool
		Errors  []cf.ResponseInfo
	}
	if resp.StatusCode == http.StatusOK && zoneFile(req, resp, body) {
		resp.Body = io.NopCloser(bytes.NewReader(body))
		return resp, nil
	}
	parsed := json.Unmarshal(body, &envelope) == nil && envelope.Success != nil
	if resp.StatusCode/100 == 2 && parsed && *envelope.Success {
		resp.Body = io.NopCloser(bytes.NewReader(body))
		return resp, nil
	}
	return nil, &refusal{status: resp.StatusCode, header: resp.Header, errors: envelope.Errors, foreign: !parsed}
}

// zoneFile tells whether an answer is an export, which alone comes without an
// envelope. A page that something on the way sent is none.
func zoneFile(req *http.Request, resp *http.Response, body []byte) bool {
	return req.Method == http.MethodGet && strings.HasSuffix(req.URL.Path, "/dns_records/export") &&
		strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") && bytes.Contains(body, []byte("\tSOA\t"))
}

// refusal is an answer that is no success.
type refusal struct {
	status  int
	header  http.Header
	errors  []cf.ResponseInfo
	foreign bool // not the API's own: a proxy's page, a redirect
}

func (r *refusal) Error() string {
	if r.foreign {
		return fmt.Sprintf("HTTP %d %s without an API answer", r.status, http.StatusText(r.status))
	}
	var parts []string
	for _, e := range r.errors {
		parts = append(parts, fmt.Sprintf("%s (%d)", strings.TrimSuffix(e.Message, "."), e.Code))
	}
	if len(parts) == 0 {
		parts = []string{"no reason given"}
	}
	text := fmt.Sprintf("HTTP %d: %s", r.status, strings.Join(parts, "; "))
	if ray := r.header.Get("Cf-Ray"); ray != "" {
		text += ", cf-ray " + ray
	}
	return text
}

// has tells whether one of the codes is among the errors.
func (r *refusal) has(codes ...int) bool {
	for _, e := range r.errors {
		for _, c := range codes {
			if e.Code == c {
				return true
			}
		}
	}
	return false
}
