// Package sshlink is what bindings share about reaching a server by SSH: the
// dial through the environment's network, the host key that has to be known,
// and the key that proves who we are. It must never talk to a server whose host
// key is not on record, and never dial another way.
package sshlink

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/secret"
)

// Link is how an environment reaches servers.
type Link struct {
	Net            binding.Network
	Clock          clock.Clock
	KnownHosts     string // path of the file of host keys that are trusted
	ConnectTimeout time.Duration
}

// Address is where a connection goes: user, and host:port as known_hosts knows it.
type Address struct{ User, Host, HostPort string }

// ParseAddress reads "host", "host:port", "user@host" and "[v6]:port". user, when
// given, goes before the one in the text, and that before usual.
func ParseAddress(text, user, usual string, port int) (Address, error) {
	a := Address{User: user, Host: text}
	if before, after, ok := strings.Cut(text, "@"); ok {
		a.Host = after
		if a.User == "" {
			a.User = before
		}
	}
	if a.User == "" {
		a.User = usual
	}
	portText := strconv.Itoa(port)
	if h, p, err := net.SplitHostPort(a.Host); err == nil {
		a.Host, portText = h, p
	}
	a.Host = strings.Trim(a.Host, "[]")
	if a.Host == "" {
		return a, fault.New(fault.Invalid, "the host is empty")
	}
	if n, err := strconv.Atoi(portText); err != nil || n < 1 || n > 65535 {
		return a, fault.New(fault.Invalid, "%q is no port", portText)
	}
	a.HostPort = net.JoinHostPort(a.Host, portText)
	return a, nil
}

// ParseKey reads a private key without passphrase; settings names the section
// that refers to it.
func ParseKey(key secret.Value, settings string) (ssh.Signer, error) {
	signer, err := ssh.ParsePrivateKey([]byte(key.Reveal()))
	if _, locked := err.(*ssh.PassphraseMissingError); locked {
		return nil, fault.New(fault.Invalid, "the private key is protected by a passphrase").
			WithHint("give drhost a key of its own, without one, and point `key` in the settings of %s to it", settings)
	}
	if err != nil {
		// The parser's words may quote the key.
		return nil, fault.New(fault.Invalid, "the private key cannot be read").
			WithHint("`key` in the settings of %s must refer to a private key, as in \"file:~/.ssh/id_ed25519\"", settings)
	}
	return signer, nil
}

// Login connects and proves who we are. A host key that is not known is a
// *fault.Fault; other errors are as the network or SSH gave them.
func (l Link) Login(ctx context.Context, a Address, signer ssh.Signer) (*ssh.Client, error) {
	keys, err := l.HostKeys(a)
	if err != nil {
		return nil, err
	}
	config := &ssh.ClientConfig{User: a.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback: keys.Check, HostKeyAlgorithms: keys.Algorithms}
	client, err := l.Handshake(ctx, a, config)
	if err != nil && keys.Refusal != nil {
		return nil, keys.Refusal
	}
	return client, err
}

// Handshake dials and runs the SSH handshake within the connect timeout.
func (l Link) Handshake(ctx context.Context, a Address, config *ssh.ClientConfig) (*ssh.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, l.ConnectTimeout)
	defer cancel()
	conn, err := l.Net.Dial(ctx, "tcp", a.HostPort)
	if err != nil {
		return nil, err
	}
	inner, done := l.patience(ctx, l.ConnectTimeout)
	defer done()
	release := context.AfterFunc(inner, func() { conn.Close() })
	sc, channels, requests, err := ssh.NewClientConn(conn, a.HostPort, config)
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
func (l Link) patience(ctx context.Context, d time.Duration) (context.Context, func()) {
	short := max(time.Duration(float64(d)/l.Clock.Speed()), min(d, shortestPatience))
	inner, cancel := context.WithTimeout(ctx, short)
	return inner, func() {
		if inner.Err() == context.DeadlineExceeded && ctx.Err() == nil {
			clock.Cut(ctx, d-short)
		}
		cancel()
	}
}
