// Package approval signs and verifies what people answer to a run's questions,
// so that who consented can be proved later. An answer is signed with the
// approver's own SSH key, in the format of `ssh-keygen -Y sign`: it can be
// checked without drhost. The package must never decide whether an answer is
// enough, and never let a signature over one question pass for another.
package approval

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// The answers that can be signed.
const (
	Approved = "approved"
	Denied   = "denied"
)

// Question is what is answered. Asked is the hash of the journal record that
// asks it: that record names the run and everything before it, so an answer
// fits one question of one run only.
type Question struct {
	Run   string `json:"run"`
	Key   string `json:"key"` // of the call that asks
	Text  string `json:"text"`
	Needs int    `json:"needs"` // how many different people
	Asked string `json:"asked"`
}

// ID is the hex SHA-256 of the question's canonical bytes.
func (q Question) ID() string {
	sum := sha256.Sum256(canonical(q))
	return hex.EncodeToString(sum[:])
}

// Statement is what a person signs.
type Statement struct {
	Question Question  `json:"question"`
	Answer   string    `json:"answer"` // approved | denied
	By       string    `json:"by"`     // the approver's name in drhost.toml
	At       time.Time `json:"at"`
}

// Bytes are what the signature covers: the statement as compact JSON, members
// in the order declared here, time in UTC, without HTML escaping.
func (s Statement) Bytes() []byte {
	s.At = s.At.UTC()
	return canonical(s)
}

func canonical(v any) []byte {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("approval: %v", err)) // strings, a number and a time always encode
	}
	return []byte(strings.TrimSuffix(b.String(), "\n"))
}

// Approver is a person of the configuration who may answer.
type Approver struct {
	Name string
	Key  ssh.PublicKey
}

// Signed is a statement with its proof.
type Signed struct {
	Statement Statement `json:"statement"`
	PublicKey string    `json:"public_key"` // "ssh-ed25519 AAAA..."
	Signature string    `json:"signature"`  // as ssh-keygen -Y sign writes it
}

// Sign signs s. The key must be of type ssh-ed25519.
func Sign(s Statement, key ssh.Signer) (Signed, error) {
	if err := ed25519Only(key.PublicKey()); err != nil {
		return Signed{}, err
	}
	s.At = s.At.UTC()
	armoured, err := sign(s.Bytes(), key)
	if err != nil {
		return Signed{}, fmt.Errorf("sign the answer of %s: %w", s.By, err)
	}
	return Signed{Statement: s, PublicKey: Line(key.PublicKey()), Signature: armoured}, nil
}

// Verify checks the signature under the key that the answer itself names; it
// returns the key. Whose key that is, the caller has to judge.
func (s Signed) Verify() (ssh.PublicKey, error) {
	key, err := ParseKey(s.PublicKey)
	if err != nil {
		return nil, err
	}
	if s.Statement.Answer != Approved && s.Statement.Answer != Denied {
		return nil, fmt.Errorf("%q is no answer", s.Statement.Answer)
	}
	if err := verify(s.Statement.Bytes(), s.Signature, key); err != nil {
		return nil, fmt.Errorf("the signature of %s (%s) does not hold: %w", s.Statement.By, Fingerprint(key), err)
	}
	return key, nil
}

// ParseKey reads a public key in the form of authorized_keys; the comment at
// its end is ignored. Only ssh-ed25519 serves.
func ParseKey(line string) (ssh.PublicKey, error) {
	key, _, options, rest, err := ssh.ParseAuthorizedKey([]byte(strings.TrimSpace(line)))
	if err != nil || len(options) > 0 || len(strings.TrimSpace(string(rest))) > 0 {
		return nil, errors.New(`a key is one line such as "ssh-ed25519 AAAAC3Nza... anna@laptop", as in ~/.ssh/id_ed25519.pub`)
	}
	return key, ed25519Only(key)
}

func ed25519Only(key ssh.PublicKey) error {
	if key.Type() != ssh.KeyAlgoED25519 {
		return fmt.Errorf("the key is of type %s; approvals are signed with ssh-ed25519 keys (ssh-keygen -t ed25519)", key.Type())
	}
	return nil
}

// Line is the key as authorized_keys has it, without a comment.
func Line(key ssh.PublicKey) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

// Fingerprint is how ssh-keygen -l names the key: SHA256:...
func Fingerprint(key ssh.PublicKey) string { return ssh.FingerprintSHA256(key) }

// ValidName tells whether an approver may be called so: the name is also that
// of a file.
func ValidName(name string) bool { return validName.MatchString(name) }

var validName = regexp.MustCompile(`^[\p{L}\p{N}][\p{L}\p{N} ._@-]{0,63}$`)

// Find returns the approver called name, or nil.
func Find(approvers []Approver, name string) *Approver {
	for i := range approvers {
		if approvers[i].Name == name {
			return &approvers[i]
		}
	}
	return nil
}

// Owner returns the approver whose key it is, or nil.
func Owner(approvers []Approver, key ssh.PublicKey) *Approver {
	for i := range approvers {
		if Line(approvers[i].Key) == Line(key) {
			return &approvers[i]
		}
	}
	return nil
}
