// Package fly lets a runbook act on Fly.io: apps and their machines, secrets,
// volumes, releases, logs, and Postgres, the kind that lives on machines and
// the managed one. It speaks to the Machines API and to GraphQL itself,
// because the vendor's library sends a mutation again on 502 and 503. The
// package must never send a mutation twice by itself (the gate does, once it
// knows that nothing was done), never leave a lease behind that it can give
// back, never wait by any other means than the clock of its environment, and
// never hand a token or the value of a secret to a runbook.
package fly

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/secret"
)

// settings are [env.NAME.fly] of drhost.toml.
type settings struct {
	MachinesURL  string        `lua:"machines_url" default:"https://api.machines.dev" doc:"Address of the Machines API, without /v1."`
	APIURL       string        `lua:"api_url" default:"https://api.fly.io" doc:"Address of GraphQL and of the logs."`
	Token        secret.Value  `lua:"token" default:"env:FLY_API_TOKEN" doc:"Access token or macaroons; a value that begins with FlyV1 is sent as it is."`
	Organization string        `lua:"organization,optional" doc:"Slug of the organization, such as personal; what creates apps or lists managed Postgres needs it."`
	Answer       time.Duration `lua:"answer_within" default:"30s" doc:"How long one request may take before it counts as lost."`
}

// Client is Fly.io as one run sees it. It is safe for concurrent use.
type Client struct {
	web      *http.Client
	machines string // base of the Machines API, with /v1
	api      string // base of GraphQL and logs
	auth     string
	org      string
	answer   time.Duration
	clock    clock.Clock
	env      string

	mu      sync.Mutex
	buckets map[string]time.Time // when a limited action may be sent next, see limit.go
	leases  map[string]holding   // the leases of this client, by machine
	trails  map[string]*trail    // what became of the requests of mutations, by key
	ahead   time.Duration        // how far Fly's clock is ahead of ours
}

// open makes the client of one run; it calls nobody.
func open(env binding.Env, s settings) (*Client, error) {
	c := &Client{org: s.Organization, answer: s.Answer, clock: env.Clock, env: env.Name,
		buckets: map[string]time.Time{}, leases: map[string]holding{}, trails: map[string]*trail{}}
	for _, u := range []struct {
		name, given string
		to          *string
		path        string
	}{{"machines_url", s.MachinesURL, &c.machines, "/v1"}, {"api_url", s.APIURL, &c.api, ""}} {
		at, err := url.Parse(u.given)
		if err != nil || at.Host == "" || (at.Scheme != "https" && at.Scheme != "http") {
			return nil, fault.New(fault.Invalid, "%s %q is not an address such as %q", u.name, u.given, "https://api.machines.dev").
				WithOp("open fly").WithHint("set %s under [env.%s.fly]", u.name, env.Name)
		}
		*u.to = strings.TrimSuffix(strings.TrimSuffix(u.given, "/"), "/v1") + u.path
	}
	auth, err := authorization(s.Token.Reveal())
	if err != nil {
		return nil, err.WithOp("open fly").WithHint("set FLY_API_TOKEN, or token under [env.%s.fly]: no line ends and no quotes", env.Name)
	}
	c.auth = auth
	c.web = &http.Client{
		Transport: env.Net.Transport(),
		// A redirected mutation would be sent a second time.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// authorization is the header of a token: macaroons go under FlyV1, everything
// else under Bearer.
func authorization(token string) (string, *fault.Fault) {
	token = strings.TrimSpace(token)
	if token == "" {
		return "", fault.New(fault.Invalid, "the access token is empty")
	}
	scheme, bare := "Bearer", token
	if first, rest, two := strings.Cut(token, " "); two {
		if !strings.EqualFold(first, "FlyV1") && !strings.EqualFold(first, "Bearer") {
			return "", fault.New(fault.Invalid, "the access token holds a blank, which no token has")
		}
		scheme, bare = first, rest
	} else if strings.HasPrefix(token, "fm1r_") || strings.HasPrefix(token, "fm1a_") || strings.HasPrefix(token, "fm2_") {
		scheme = "FlyV1"
	}
	if strings.ContainsFunc(bare, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fault.New(fault.Invalid, "the access token holds characters that no token has")
	}
	return scheme + " " + bare, nil
}

// organization is the one of the settings, or a fault that asks for it.
func (c *Client) organization(given string) (string, error) {
	if given != "" {
		return given, nil
	}
	if c.org == "" {
		return "", fault.New(fault.Invalid, "the organization is not known").
			WithHint("set organization under [env.%s.fly], or give it in the call", c.env)
	}
	return c.org, nil
}
