package approval

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// Load reads a private key. passphrase is asked when the key needs one; nil:
// nobody can be asked.
func Load(path string, passphrase func(path string) (string, error)) (ssh.Signer, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the key: %w", err)
	}
	key, err := ssh.ParsePrivateKey(text)
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) {
		if passphrase == nil {
			return nil, fmt.Errorf("%s needs a passphrase and nobody is there to give it; add it to an SSH agent (ssh-add %s)", path, path)
		}
		words, askErr := passphrase(path)
		if askErr != nil {
			return nil, askErr
		}
		key, err = ssh.ParsePrivateKeyWithPassphrase(text, []byte(words))
	}
	if err != nil {
		return nil, fmt.Errorf("%s is no private key that can be used: %w", path, err)
	}
	return key, ed25519Only(key.PublicKey())
}

// FromAgent returns the key of one of approvers that the SSH agent at socket
// offers; name "" takes the first. A forwarded agent lets a person sign on
// this machine with a key that never leaves theirs. close ends the connection.
func FromAgent(socket, name string, approvers []Approver) (key ssh.Signer, close func() error, err error) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return nil, nil, fmt.Errorf("reach the SSH agent: %w", err)
	}
	keys, err := agent.NewClient(conn).Signers()
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("ask the SSH agent: %w", err), conn.Close())
	}
	for _, k := range keys {
		if owner := Owner(approvers, k.PublicKey()); owner != nil && (name == "" || owner.Name == name) {
			return k, conn.Close, nil
		}
	}
	return nil, nil, errors.Join(ErrNoKey, conn.Close())
}

// ErrNoKey is returned when an agent holds no approver's key.
var ErrNoKey = errors.New("the SSH agent holds no key of an approver of drhost.toml")
