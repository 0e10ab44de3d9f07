// Package ssh runs commands on servers and moves files to, from and between
// them. It must never talk to a server whose host key is not known, never
// repeat a command by itself, and never dial other than through the
// environment's network.
package ssh

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
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

// address is where a call goes: user, and host:port as known_hosts knows it.
type address struct{ user, host, hostport string }

// address reads "host", "host:port", "user@host" and "[v6]:port".
func (c *Client) address(host, user string) (address, error) {
	a := address{user: user}
	if before, after, ok := strings.Cut(host, "@"); ok {
		host = after
		if a.user == "" {
			a.user = before
		}
	}
	if a.user == "" {
		a.user = c.set.User
	}
	port := strconv.Itoa(c.set.Port)
	if h, p, err := net.SplitHostPort(host); err == nil {
		host, port = h, p
	}
	a.host = strings.Trim(host, "[]")
	if a.host == "" {
		return a, fault.New(fault.Invalid, "the host is empty")
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return a, fault.New(fault.Invalid, "%q is no port", port)
	}
	a.hostport = net.JoinHostPort(a.host, port)
	return a, nil
}

func (c *Client) signer() (ssh.Signer, error) {
	key := c.set.Key
	if key.Empty() {
		var err error
		if key, err = c.env.Secret(keyDefault); err != nil {
			return nil, err
		}
	}
	signer, err := ssh.ParsePrivateKey([]byte(key.Reveal()))
	if _, locked := err.(*ssh.PassphraseMissingError); locked {
		return nil, fault.New(fault.Invalid, "the private key is protected by a passphrase").
			WithHint("give drhost a key of its own, without one, and point `key` in the settings of ssh to it")
	}
	if err != nil {
		// The parser's words may quote the key.
		return nil, fault.New(fault.Invalid, "the private key cannot be read").
			WithHint("`key` in the settings of ssh must refer to a private key, as in \"file:~/.ssh/id_ed25519\"")
	}
	return signer, nil
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
	keys, err := c.hostKeys(a)
	if err != nil {
		return nil, nil, err
	}
	config := &ssh.ClientConfig{User: a.user, Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback: keys.check, HostKeyAlgorithms: keys.algorithms}
	client, err = c.handshake(ctx, a, config)
	if err != nil {
		if keys.refusal != nil {
			return nil, nil, keys.refusal
		}
		return nil, nil, translate(err, "log in to "+a.user+"@"+a.host).NothingDone()
	}
	release := context.AfterFunc(ctx, func() { client.Close() })
	return client, func() { release(); client.Close() }, nil
}

// handshake dials and runs the SSH handshake within the connect timeout.
func (c *Client) handshake(ctx context.Context, a address, config *ssh.ClientConfig) (*ssh.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, c.set.ConnectTimeout)
	defer cancel()
	conn, err := c.env.Net.Dial(ctx, "tcp", a.hostport)
	if err != nil {
		return nil, err
	}
	inner, done := c.patience(ctx, c.set.ConnectTimeout)
	defer done()
	release := context.AfterFunc(inner, func() { conn.Close() })
	sc, channels, requests, err := ssh.NewClientConn(conn, a.hostport, config)
	if !release() && err == nil {
		sc.Close()
		err = inner.Err()
	}
	if err != nil {
		conn.Close()
		if inner.Err() != nil {
			return nil, fmt.Errorf("%w: %w", inner.Err(), err)
		}
		return nil, err
	}
	return ssh.NewClient(sc, channels, requests), nil
}

// shortestPatience is what a handshake gets at any speed: it is work that is
// really done.
const shortestPatience = time.Second

// patience bounds a handshake by d. Waiting for a server that accepts and then
// says nothing is a pure wait, so a scaled clock shortens it; done adds what was
// cut to the meter when the limit was reached. Dialling is not shortened here:
// the environment's network does that.
func (c *Client) patience(ctx context.Context, d time.Duration) (context.Context, func()) {
	short := max(time.Duration(float64(d)/c.env.Clock.Speed()), min(d, shortestPatience))
	inner, cancel := context.WithTimeout(ctx, short)
	return inner, func() {
		if inner.Err() == context.DeadlineExceeded && ctx.Err() == nil {
			clock.Cut(ctx, d-short)
		}
		cancel()
	}
}
