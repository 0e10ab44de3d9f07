package approval

import (
	"crypto/rand"
	"crypto/sha512"
	"encoding/pem"
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"
)

// Namespace keeps a signature over an approval from being taken for one over
// anything else, such as a login or a commit.
const Namespace = "drhost-approval"

// The format is OpenSSH's PROTOCOL.sshsig: what is signed is a structure with
// a magic preamble, the namespace and the hash of the message.
const (
	magic    = "SSHSIG"
	hashName = "sha512"
	pemType  = "SSH SIGNATURE"
)

// toBeSigned follows the magic preamble in what the key signs.
type toBeSigned struct {
	Namespace string
	Reserved  string
	Hash      string
	Digest    string
}

// envelope follows the magic preamble in the signature.
type envelope struct {
	Version   uint32
	PublicKey string
	Namespace string
	Reserved  string
	Hash      string
	Signature string
}

func covered(message []byte) []byte {
	digest := sha512.Sum512(message)
	return append([]byte(magic), ssh.Marshal(toBeSigned{Namespace: Namespace, Hash: hashName, Digest: string(digest[:])})...)
}

func sign(message []byte, key ssh.Signer) (string, error) {
	signature, err := key.Sign(rand.Reader, covered(message))
	if err != nil {
		return "", err
	}
	blob := append([]byte(magic), ssh.Marshal(envelope{Version: 1, PublicKey: string(key.PublicKey().Marshal()),
		Namespace: Namespace, Hash: hashName, Signature: string(ssh.Marshal(signature))})...)
	return string(pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: blob})), nil
}

func verify(message []byte, armoured string, key ssh.PublicKey) error {
	block, rest := pem.Decode([]byte(armoured))
	if block == nil || block.Type != pemType || len(rest) > 0 || len(block.Bytes) < len(magic) || string(block.Bytes[:len(magic)]) != magic {
		return errors.New("it is no SSH signature")
	}
	var e envelope
	if err := ssh.Unmarshal(block.Bytes[len(magic):], &e); err != nil {
		return fmt.Errorf("it is damaged: %w", err)
	}
	if e.Version != 1 || e.Hash != hashName || e.Reserved != "" {
		return errors.New("it is of a form that is not known here")
	}
	if e.Namespace != Namespace {
		return fmt.Errorf("it was made for %q, not for an approval", e.Namespace)
	}
	if e.PublicKey != string(key.Marshal()) {
		return errors.New("it was made with another key")
	}
	var signature ssh.Signature
	if err := ssh.Unmarshal([]byte(e.Signature), &signature); err != nil {
		return fmt.Errorf("it is damaged: %w", err)
	}
	return key.Verify(covered(message), &signature)
}
