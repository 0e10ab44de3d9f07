// Package hetzner lets a runbook act on Hetzner Cloud: servers, images,
// addresses, volumes and load balancers. Every mutation waits for the actions
// it started before it returns. The package must never send a mutation twice
// by itself (the gate does, once it knows that nothing was done), never wait
// by any other means than the clock of its environment, and never hand a
// password or a token to a runbook.
package hetzner

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/secret"
)

// settings are [env.NAME.hetzner] of drhost.toml.
type settings struct {
	Endpoint string        `lua:"endpoint" default:"https://api.hetzner.cloud/v1" doc:"Address of the Hetzner Cloud API."`
	Token    secret.Value  `lua:"token" default:"env:HETZNER_API_TOKEN" doc:"API token of the project, with read and write rights."`
	Answer   time.Duration `lua:"answer_within" default:"30s" doc:"How long one request may take before it counts as lost."`
}

// Client is Hetzner Cloud as one run sees it. It is safe for concurrent use.
type Client struct {
	api   *hcloud.Client
	clock clock.Clock
	dir   string // relative paths of arguments start here
	pace  *pace

	progress batch[int64, map[int64]*hcloud.Action] // of running actions
	servings batch[serverKey, map[serverKey]*hcloud.Server]

	mu       sync.Mutex
	pages    int                       // of the list of servers when it was last read; 0: not yet
	marks    map[string]int64          // newest action of any server before a mutation left, by idempotency key
	foretold map[string]foretoldServer // servers that a plan would have created, by name
}

// open makes the client of one run; it calls nobody.
func open(env binding.Env, s settings) (*Client, error) {
	at, err := url.Parse(s.Endpoint)
	if err != nil || at.Host == "" || (at.Scheme != "https" && at.Scheme != "http") {
		return nil, fault.New(fault.Invalid, "endpoint %q is not an address such as %q", s.Endpoint, hcloud.Endpoint).
			WithOp("open hetzner").WithHint("set endpoint under [env.%s.hetzner]", env.Name)
	}
	if s.Token.Empty() {
		return nil, fault.New(fault.Invalid, "the API token is empty").WithOp("open hetzner").
			WithHint("set HETZNER_API_TOKEN, or token under [env.%s.hetzner]", env.Name)
	}
	keeping := &pace{clock: env.Clock}
	web := &http.Client{
		Transport: answers{&shared{clock: env.Clock, pace: keeping, reads: map[string]*read{},
			base: paced{base: env.Net.Transport(), pace: keeping, within: s.Answer}}},
		// A redirected mutation would be sent a second time.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	never := func(int) time.Duration { return 0 }
	api := hcloud.NewClient(
		hcloud.WithEndpoint(s.Endpoint),
		hcloud.WithToken(strings.TrimSpace(s.Token.Reveal())),
		hcloud.WithHTTPClient(web),
		hcloud.WithApplication("drhost", ""),
		hcloud.WithRetryOpts(hcloud.RetryOpts{BackoffFunc: never, MaxRetries: 0}),
	)
	c := &Client{api: api, clock: env.Clock, dir: env.Dir, pace: keeping, marks: map[string]int64{},
		foretold: map[string]foretoldServer{}}
	c.progress = batch[int64, map[int64]*hcloud.Action]{clock: env.Clock, every: pollEvery, ready: keeping.pass, ask: c.askActions}
	c.servings = batch[serverKey, map[serverKey]*hcloud.Server]{clock: env.Clock, ready: keeping.pass, ask: c.askServers}
	return c, nil
}

// answers turns every answer that is not the API's own (a proxy's page, a
// redirect) into an error that carries its status: the vendor's library would
// lose it, and would take a redirect for success.
type answers struct{ base http.RoundTripper }

func (a answers) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := a.base.RoundTrip(req)
	if err != nil {
		return resp, err
	}
	ours := strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json")
	if resp.StatusCode < 300 || (resp.StatusCode >= 400 && ours) {
		return resp, nil
	}
	if err := resp.Body.Close(); err != nil {
		return nil, fmt.Errorf("close the answer: %w", err)
	}
	return nil, &foreignAnswer{status: resp.StatusCode, header: resp.Header}
}

// foreignAnswer is an HTTP answer that does not come from the API itself.
type foreignAnswer struct {
	status int
	header http.Header
}

func (e *foreignAnswer) Error() string {
	return fmt.Sprintf("HTTP %d %s without an API answer", e.status, http.StatusText(e.status))
}
