package sshlink

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/webhost-systems/drhost/host/fault"
)

// ErrUnknownKey and ErrChangedKey are the causes of a refused host key.
var (
	ErrUnknownKey = errors.New("unknown host key")
	ErrChangedKey = errors.New("changed or revoked host key")
)

// HostKeys checks one server's key against known_hosts.
type HostKeys struct {
	Algorithms []string      // what to ask for: a known key of another type is no change
	Seen       ssh.PublicKey // what the server showed
	Refusal    *fault.Fault  // why it is not believed
	at         Address
	lookup     ssh.HostKeyCallback // nil when there is no known_hosts file
}

// HostKeys reads what is on record for a server.
func (l Link) HostKeys(a Address) (*HostKeys, error) {
	k := &HostKeys{at: a}
	lookup, err := knownhosts.New(l.KnownHosts)
	if errors.Is(err, os.ErrNotExist) {
		return k, nil
	}
	if err != nil {
		return nil, fault.New(fault.Invalid, "the known hosts cannot be read: %v", err)
	}
	k.lookup = lookup
	for _, want := range k.Wanted() {
		if want.Type() == ssh.KeyAlgoRSA {
			k.Algorithms = append(k.Algorithms, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
			continue
		}
		k.Algorithms = append(k.Algorithms, want.Type())
	}
	return k, nil
}

// Wanted lists the keys on record for the server, by asking for one that
// cannot be there.
func (k *HostKeys) Wanted() []ssh.PublicKey {
	if k.lookup == nil {
		return nil
	}
	nobody, err := ssh.NewPublicKey(ed25519.PublicKey(make([]byte, ed25519.PublicKeySize)))
	if err != nil {
		return nil
	}
	var mismatch *knownhosts.KeyError
	if !errors.As(k.lookup(k.at.HostPort, &net.TCPAddr{}, nobody), &mismatch) {
		return nil
	}
	var out []ssh.PublicKey
	for _, w := range mismatch.Want {
		out = append(out, w.Key)
	}
	return out
}

// Check is the callback of the handshake.
func (k *HostKeys) Check(hostport string, remote net.Addr, key ssh.PublicKey) error {
	k.Seen = key
	k.Refusal = k.judge(key)
	if k.Refusal != nil {
		return k.Refusal
	}
	return nil
}

// judge returns nil for a known key.
func (k *HostKeys) judge(key ssh.PublicKey) *fault.Fault {
	op := "verify the host key of " + k.at.Host
	print := ssh.FingerprintSHA256(key)
	unknown := fault.New(fault.Denied, "the host key %s (%s) is not known", print, key.Type()).WithOp("%s", op).
		WithHint("compare it with the server's console, then ssh.trust { host = %q, fingerprint = %q }", k.at.HostPort, print)
	unknown.Cause = ErrUnknownKey
	if k.lookup == nil {
		return unknown
	}
	err := k.lookup(k.at.HostPort, &net.TCPAddr{}, key)
	var mismatch *knownhosts.KeyError
	var revoked *knownhosts.RevokedError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &revoked):
		f := fault.New(fault.Denied, "THE HOST KEY %s IS REVOKED", print).WithOp("%s", op)
		f.Cause = ErrChangedKey
		return f
	case errors.As(err, &mismatch) && len(mismatch.Want) > 0:
		var was []string
		for _, w := range mismatch.Want {
			was = append(was, fmt.Sprintf("%s (%s:%d)", ssh.FingerprintSHA256(w.Key), w.Filename, w.Line))
		}
		f := fault.New(fault.Denied, "THE HOST KEY HAS CHANGED: it is %s, known is %s. Somebody may be in between", print, strings.Join(was, ", ")).WithOp("%s", op).
			WithHint("if the machine was rebuilt, remove that line of the known hosts and trust the new key; otherwise stop here")
		f.Cause = ErrChangedKey
		return f
	case errors.As(err, &mismatch):
		return unknown
	}
	return fault.New(fault.Denied, "the host key cannot be verified: %v", err).WithOp("%s", op)
}
