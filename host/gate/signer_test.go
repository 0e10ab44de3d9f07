package gate_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/webhost-systems/drhost/host/approval"
)

// signer signs for whoever it is told: whose key counts for whom is judged by
// package approval.
type signer struct {
	t   *testing.T
	key ssh.Signer
}

func newSigner(t *testing.T) signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer{t, key}
}

func (s signer) sign(q approval.Question, name, answer string) approval.Signed {
	signed, err := approval.Sign(approval.Statement{Question: q, Answer: answer, By: name, At: time.Unix(1772247900, 0)}, s.key)
	if err != nil {
		s.t.Error(err)
	}
	return signed
}
