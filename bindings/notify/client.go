// Package notify sends messages to people over the channels of the
// configuration. It must never let a drill's message pass for a real one, never
// let one dead channel keep the others from being used, and never show the
// address of a webhook, which is a credential.
package notify

import (
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/secret"
)

// drillMark opens the subject of every message of a drill.
const drillMark = "[DRILL]"

// settings is [env.NAME.notify].
type settings struct {
	Channels map[string]channel `lua:"channels,optional" doc:"Channels by name; only the terminal when there are none."`
	Drill    bool               `lua:"drill" default:"false" doc:"Mark every message as a drill's; a simulated environment does so anyway."`
}

// channel is [env.NAME.notify.channels.CHANNEL].
type channel struct {
	Kind    string            `lua:"kind" enum:"console,file,webhook" doc:"console: the terminal; file: a line of JSON; webhook: JSON by POST."`
	Path    string            `lua:"path,optional" doc:"File to append to."`
	URL     string            `lua:"url,optional" doc:"Address of the webhook: https://..., or a reference such as env:ALERT_URL."`
	Headers map[string]string `lua:"headers,optional" doc:"Headers of the webhook; a value may be a reference such as env:ALERT_TOKEN."`
	Only    []string          `lua:"only,optional" doc:"Severities it is meant for; all when not given."`
}

// Client is one run's way to its people.
type Client struct {
	env      binding.Env
	channels map[string]channel
	drill    bool
	files    sync.Mutex // one writer of files
}

// severities a message may have.
var severities = [...]string{"critical", "high", "medium", "low", "info"}

func open(env binding.Env, set settings) (*Client, error) {
	c := &Client{env: env, channels: map[string]channel{}, drill: set.Drill || env.Simulated}
	for name, ch := range set.Channels {
		if err := ch.check(name); err != nil {
			return nil, err
		}
		if ch.Kind == "file" {
			path, err := c.place(ch.Path)
			if err != nil {
				return nil, err
			}
			ch.Path = path
		}
		c.channels[name] = ch
	}
	if len(c.channels) == 0 {
		c.channels["console"] = channel{Kind: "console"}
	}
	return c, nil
}

// check finds what is wrong with a channel's settings before it is needed.
func (ch channel) check(name string) error {
	switch {
	case ch.Kind == "file" && ch.Path == "":
		return fault.New(fault.Invalid, "channel %s of notify is a file without `path`", name)
	case ch.Kind == "webhook" && ch.URL == "":
		return fault.New(fault.Invalid, "channel %s of notify is a webhook without `url`", name)
	}
	for _, s := range ch.Only {
		if !slices.Contains(severities[:], s) {
			f := fault.New(fault.Invalid, "channel %s of notify is for severity %q, which there is not", name, s)
			if near := binding.Nearest(s, severities[:]); near != "" {
				f = f.WithHint("did you mean %q?", near)
			}
			return f
		}
	}
	return nil
}

func (c *Client) place(path string) (string, error) {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fault.New(fault.Invalid, "%s needs a home directory: %v", path, err)
		}
		return filepath.Join(home, rest), nil
	}
	if filepath.IsAbs(path) {
		return path, nil
	}
	return filepath.Join(c.env.Dir, path), nil
}

// meant returns the names of the channels that a message goes to, sorted.
func (c *Client) meant(only, severity string) ([]string, error) {
	names := slices.Sorted(maps.Keys(c.channels))
	if only != "" {
		if _, ok := c.channels[only]; !ok {
			f := fault.New(fault.Invalid, "there is no channel %q", only).WithHint("the configuration has %s", strings.Join(names, ", "))
			if near := binding.Nearest(only, names); near != "" {
				f = f.WithHint("did you mean %q?", near)
			}
			return nil, f
		}
		return []string{only}, nil
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		takes := c.channels[name].Only
		return len(takes) > 0 && severity != "" && !slices.Contains(takes, severity)
	})
	if len(names) == 0 {
		return nil, fault.New(fault.Invalid, "no channel takes messages of severity %s", severity).
			WithHint("add it to `only` of a channel in the settings of notify, or name a channel")
	}
	return names, nil
}

// resolve returns the value of a header: the text itself, or what it refers to.
func (c *Client) resolve(text string) (secret.Value, error) {
	for _, scheme := range []string{"env:", "file:", "cmd:", "sealed:", "plain:"} {
		if strings.HasPrefix(text, scheme) {
			return c.env.Secret(text)
		}
	}
	return secret.New(text), nil
}

// target is a webhook's address, checked. No message of it quotes the address.
func (c *Client) target(ch channel) (*url.URL, error) {
	text := secret.New(ch.URL)
	if !strings.HasPrefix(ch.URL, "https://") && !strings.HasPrefix(ch.URL, "http://") {
		var err error
		if text, err = c.env.Secret(ch.URL); err != nil {
			return nil, err
		}
	}
	u, err := url.Parse(strings.TrimSpace(text.Reveal()))
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		return nil, fault.New(fault.Invalid, "its url is no http address")
	}
	return u, nil
}
