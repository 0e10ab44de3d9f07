// Package ssh runs commands on servers and moves files to, from and between
// them. It must never talk to a server whose host key is not known, never
// repeat a command by itself, and never dial other than through the
// environment's network.
package ssh

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/webhost-systems/drhost/bindings/sshlink"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/secret"
)

// keyDefault is read at the first connection, not at the start of a run.
const keyDefault = "file:~/.ssh/id_ed25519"

// settings is [env.NAME.ssh].
type settings struct {
	User           string        `lua:"user" default:"root" doc:"User to log in as."`
	Key            secret.Value  `lua:"key,optional" doc:"Reference to the private key, without passphrase; file:~/.ssh/id_ed25519 when not set."`
	KnownHosts     string        `lua:"known_hosts" default:"~/.ssh/known_hosts" doc:"File of the host keys that are trusted."`
	Port           int           `lua:"port" default:"22" doc:"Port of hosts that are given without one."`
	ConnectTimeout time.Duration `lua:"connect_timeout" default:"10s" doc:"How long a server may take to accept a login."`
}

// Client logs in anew for each call, so a server that is rebuilt needs no word.
type Client struct {
	env   binding.Env
	set   settings
	known string     // path of known_hosts
	pins  sync.Mutex // one writer of known_hosts
}

func open(env binding.Env, set settings) (*Client, error) {
	if set.Port < 1 || set.Port > 65535 {
		return nil, fault.New(fault.Invalid, "port %d in the settings of ssh is no port", set.Port)
	}
	known, err := place(env.Dir, set.KnownHosts)
	if err != nil {
		return nil, err
	}
	return &Client{env: env, set: set, known: known}, nil
}

// place turns a path of the operator's machine into an absolute one.
func place(dir, path string) (string, error) {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fault.New(fault.Invalid, "%s needs a home directory: %v", path, err)
		}
		return filepath.Join(home, rest), nil
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	return filepath.Clean(path), nil
}

// link is how this environment reaches servers.
func (c *Client) link() sshlink.Link {
	return sshlink.Link{Net: c.env.Net, Clock: c.env.Clock, KnownHosts: c.known, ConnectTimeout: c.set.ConnectTimeout}
}

// address reads "host", "host:port", "user@host" and "[v6]:port".
func (c *Client) address(host, user string) (sshlink.Address, error) {
	return sshlink.ParseAddress(host, user, c.set.User, c.set.Port)
}

func (c *Client) signer() (ssh.Signer, error) {
	key := c.set.Key
	if key.Empty() {
		var err error
		if key, err = c.env.Secret(keyDefault); err != nil {
			return nil, err
		}
	}
	return sshlink.ParseKey(key, "ssh")
}

// login connects and proves who we are. The connection closes when ctx ends;
// stop releases it earlier. Every fault of login says NotDone.
func (c *Client) login(ctx context.Context, host, user string) (client *ssh.Client, stop func(), err error) {
	a, err := c.address(host, user)
	if err != nil {
		return nil, nil, err
	}
	signer, err := c.signer()
	if err != nil {
		return nil, nil, err
	}
	client, err = c.link().Login(ctx, a, signer)
	if err != nil {
		return nil, nil, translate(err, "log in to "+a.User+"@"+a.Host).NothingDone()
	}
	release := context.AfterFunc(ctx, func() { client.Close() })
	return client, func() { release(); client.Close() }, nil
}
