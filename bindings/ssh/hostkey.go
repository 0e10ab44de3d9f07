package ssh

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/webhost-systems/drhost/bindings/sshlink"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
)

type trustArgs struct {
	Host        string        `lua:"host" doc:"Name or address of the server, with :port when it is not the configured one."`
	Fingerprint string        `lua:"fingerprint,optional" doc:"The key's fingerprint as known from elsewhere, SHA256:...; a server that shows another one is refused. Without it the first key shown is believed."`
	Within      time.Duration `lua:"within" default:"0s" doc:"How long to wait for the server to answer at all, for one that boots."`
}

// Trusted is a host key on record.
type Trusted struct {
	Fingerprint string `lua:"fingerprint" doc:"SHA256:... of the key."`
	Added       bool   `lua:"added" doc:"Whether this call put it on record; false when it was there."`
}

var trust = binding.Func[*Client, trustArgs, Trusted]{
	Name: "trust", Effect: binding.Mutates,
	Doc: "Put the host key that a server shows now on record in known_hosts. Doing it again changes nothing; a key that differs " +
		"from the one on record is refused, never replaced.",
	Says:    "trust the host key of {host}",
	Raises:  []fault.Kind{fault.Denied, fault.Unavailable, fault.Timeout},
	Example: `ssh.trust { host = "203.0.113.10", fingerprint = "SHA256:uNiVztksCsDhcc0u9e8BrrQXVUpKZIDTMczCvj3tD2s" }`,
	Target:  "host",
	Call:    (*Client).trust,
	Predict: func(_ *Client, _ context.Context, a trustArgs) (Trusted, error) {
		print := a.Fingerprint
		if print == "" {
			print = binding.Planned("fingerprint of " + a.Host)
		}
		return Trusted{Fingerprint: print, Added: true}, nil
	},
	Settled: func(c *Client, _ context.Context, a trustArgs) (binding.Settlement[Trusted], error) {
		at, err := c.address(a.Host, "")
		if err != nil {
			return binding.Settlement[Trusted]{}, err
		}
		keys, err := c.link().HostKeys(at)
		if err != nil {
			return binding.Settlement[Trusted]{}, err
		}
		for _, key := range keys.Wanted() {
			if print := ssh.FingerprintSHA256(key); a.Fingerprint == "" || print == a.Fingerprint {
				return binding.Settlement[Trusted]{Landed: binding.Yes, Result: Trusted{Fingerprint: print, Added: true}}, nil
			}
		}
		return binding.Settlement[Trusted]{Landed: binding.No}, nil
	},
}

func (c *Client) trust(ctx context.Context, a trustArgs) (Trusted, error) {
	at, err := c.address(a.Host, "")
	if err != nil {
		return Trusted{}, err
	}
	var keys *sshlink.HostKeys
	err = c.until(ctx, a.Within, func(ctx context.Context) (err error) {
		keys, err = c.shown(ctx, at)
		return err
	})
	if err != nil {
		return Trusted{}, err
	}
	print := ssh.FingerprintSHA256(keys.Seen)
	if a.Fingerprint != "" && a.Fingerprint != print {
		return Trusted{}, fault.New(fault.Denied, "the server shows %s, not %s", print, a.Fingerprint).WithOp("trust %s", a.Host).
			WithHint("this may not be the server you mean; look at its console")
	}
	if keys.Refusal == nil {
		return Trusted{Fingerprint: print}, nil
	}
	if !errors.Is(keys.Refusal, sshlink.ErrUnknownKey) {
		return Trusted{}, keys.Refusal
	}
	if err := c.pin(at, keys.Seen); err != nil {
		return Trusted{}, translate(err, "trust "+a.Host)
	}
	return Trusted{Fingerprint: print, Added: true}, nil
}

// errSeen ends a handshake once the server's key is known.
var errSeen = errors.New("the key was seen")

// shown returns the key that a server shows, judged, without logging in.
func (c *Client) shown(ctx context.Context, at sshlink.Address) (*sshlink.HostKeys, error) {
	keys, err := c.link().HostKeys(at)
	if err != nil {
		return nil, err
	}
	config := &ssh.ClientConfig{User: at.User, HostKeyAlgorithms: keys.Algorithms,
		HostKeyCallback: func(hostport string, remote net.Addr, key ssh.PublicKey) error {
			_ = keys.Check(hostport, remote, key) // kept in keys.Refusal
			return errSeen
		}}
	client, err := c.link().Handshake(ctx, at, config)
	if err == nil {
		client.Close()
	}
	if keys.Seen != nil {
		return keys, nil
	}
	return nil, translate(err, "read the host key of "+at.Host).NothingDone()
}

// pin adds a line to known_hosts: a new file beside it, synced, then renamed,
// so that a crash leaves the old one or the new one.
func (c *Client) pin(at sshlink.Address, key ssh.PublicKey) error {
	c.pins.Lock()
	defer c.pins.Unlock()
	path := c.known
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if len(text) > 0 && text[len(text)-1] != '\n' {
		text = append(text, '\n')
	}
	text = slices.Concat(text, []byte(knownhosts.Line([]string{at.HostPort}, key)+"\n"))
	return replaceFile(path, text, 0o600)
}

// replaceFile puts text into place atomically and durably.
func replaceFile(path string, text []byte, mode os.FileMode) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".drhost-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // gone already when the rename worked
	_, err = tmp.Write(text)
	if err == nil {
		err = tmp.Chmod(mode)
	}
	if err == nil {
		err = tmp.Sync()
	}
	if closed := tmp.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes a rename in dir durable.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// until repeats try while its fault is passing, for at most within; with no
// time it tries once.
func (c *Client) until(ctx context.Context, within time.Duration, try func(context.Context) error) error {
	var last error
	err := clock.Poll(ctx, c.env.Clock, within, time.Second, func(ctx context.Context) (bool, error) {
		last = try(ctx)
		if last == nil {
			return true, nil
		}
		if !fault.As(last).Transient || within == 0 {
			return false, last
		}
		binding.Progress(ctx, "waiting: %s", fault.As(last).Message)
		return false, nil
	})
	if errors.Is(err, clock.ErrExpired) {
		f := fault.New(fault.Timeout, "no answer within %s; last: %s", within, fault.As(last).Message).WithOp("%s", fault.As(last).Op).
			WithHint("look at the machine's console, or raise `within`")
		f.Transient = false // it was waited for already
		return f.NothingDone()
	}
	return err
}
