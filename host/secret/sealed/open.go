package sealed

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"golang.org/x/crypto/ssh"

	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/secret"
)

// tries is how often a person may mistype a passphrase.
const tries = 3

// Keys are what opens sealed credentials. They are read and asked for when
// they are first needed, and then remembered. Safe for concurrent use.
type Keys struct {
	// Identity is the file of a private key: age's (as age-keygen writes it,
	// also encrypted with a passphrase) or ssh's. Or it is the key itself,
	// "AGE-SECRET-KEY-...". Empty when there is none.
	Identity string
	// Ask returns a passphrase for what the prompt names; nil when there is
	// nobody to ask and none is set.
	Ask func(prompt string) (secret.Value, error)
	// Learn is told every key and passphrase, so that they can be kept out of
	// what is printed; may be nil.
	Learn func(secret.Value)

	mu         sync.Mutex
	identities []age.Identity
	known      secret.Value // the passphrase that opened something
}

// Open returns the credential sealed as name: *UnknownError when there is
// none, else faults of kind invalid that say what is missing or wrong.
func (f Folder) Open(name string, k *Keys) (secret.Value, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	text, err := f.read(name)
	if err != nil {
		return secret.Value{}, err
	}
	kinds, err := stanzas(text)
	if err != nil {
		return secret.Value{}, damaged(name, f)
	}
	var plain []byte
	if slices.Contains(kinds, "scrypt") {
		plain, err = k.withPassphrase(text, fmt.Sprintf("passphrase of the sealed credential %q", name))
	} else {
		plain, err = k.withIdentity(name, kinds, text)
	}
	var known *fault.Fault
	var unasked *unaskedError
	switch {
	case errors.As(err, &unasked):
		return secret.Value{}, unasked.error
	case errors.As(err, &known):
		return secret.Value{}, known
	case err != nil:
		return secret.Value{}, damaged(name, f)
	}
	return secret.New(string(plain)), nil
}

func damaged(name string, f Folder) *fault.Fault {
	return fault.New(fault.Invalid, "the sealed credential %q is damaged: the file is torn or was changed", name).
		WithHint("restore %s from a copy, or seal the credential anew: drhost secrets seal %s --replace", f.file(name), name)
}

// decrypt reads all of text. What comes out is authentic: age checks every
// part, and that none is missing at the end.
func decrypt(text []byte, identities ...age.Identity) ([]byte, error) {
	r, err := age.Decrypt(ciphertext(text), identities...)
	if err != nil {
		return nil, err
	}
	plain, err := io.ReadAll(io.LimitReader(r, longest+1))
	if err == nil && len(plain) > longest {
		err = errors.New("too large for a credential")
	}
	return plain, err
}

// withPassphrase decrypts text, asking as long as a person mistypes.
func (k *Keys) withPassphrase(text []byte, prompt string) ([]byte, error) {
	given := k.known
	for range tries + 1 {
		if given.Empty() {
			var err error
			if given, err = k.ask(prompt); err != nil {
				return nil, err
			}
		}
		identity, err := age.NewScryptIdentity(given.Reveal())
		if err != nil {
			return nil, fault.New(fault.Invalid, "the %s is empty", prompt)
		}
		plain, err := decrypt(text, identity)
		if !errors.Is(err, age.ErrIncorrectIdentity) {
			if err == nil {
				k.known = given
				k.learn(given) // only now: what was mistyped may be any word
			}
			return plain, err
		}
		wrong := given
		if given, err = k.ask(prompt); err != nil || given.Reveal() == wrong.Reveal() {
			break // it was set beforehand, or is meant as it was typed
		}
	}
	return nil, fault.New(fault.Invalid, "the %s is wrong", prompt)
}

func (k *Keys) ask(prompt string) (secret.Value, error) {
	if k.Ask == nil {
		return secret.Value{}, fault.New(fault.Invalid, "the %s is needed and nobody is there to ask", prompt).
			WithHint("set DRHOST_PASSPHRASE, or run drhost at a terminal")
	}
	v, err := k.Ask(prompt)
	if err != nil {
		err = &unaskedError{err}
	}
	return v, err
}

// unaskedError is why a person gave no passphrase. It says nothing of the file.
type unaskedError struct{ error }

func (e *unaskedError) Unwrap() error { return e.error }

func (k *Keys) learn(v secret.Value) {
	if k.Learn != nil {
		k.Learn(v)
	}
}

func (k *Keys) withIdentity(name string, kinds []string, text []byte) ([]byte, error) {
	if k.identities == nil {
		list, err := k.read()
		if err != nil {
			return nil, err
		}
		if list == nil {
			return nil, fault.New(fault.Invalid, "the sealed credential %q needs an identity, a private key of one of its recipients, and there is none", name).
				WithHint("set `identity` under [secrets], or DRHOST_IDENTITY, to the key's file; it is sealed for %s", Describe(kinds))
		}
		k.identities = list
	}
	plain, err := decrypt(text, k.identities...)
	if errors.Is(err, age.ErrIncorrectIdentity) {
		return nil, fault.New(fault.Invalid, "the sealed credential %q does not open with the identity %s", name, k.source()).
			WithHint("it is sealed for %s; use the key of one of these, or have one of their owners seal it for you too", Describe(kinds))
	}
	return plain, err
}

// source names the identity without showing it.
func (k *Keys) source() string {
	if isKey(k.Identity) {
		return "in DRHOST_IDENTITY"
	}
	return k.Identity
}

func isKey(identity string) bool { return strings.HasPrefix(identity, "AGE-SECRET-KEY-") }

// read returns the identities; none when no file is named.
func (k *Keys) read() ([]age.Identity, error) {
	if k.Identity == "" {
		return nil, nil
	}
	if isKey(k.Identity) {
		k.learn(secret.New(k.Identity))
		list, err := age.ParseIdentities(strings.NewReader(k.Identity))
		if err != nil {
			return nil, fault.New(fault.Invalid, "the identity in DRHOST_IDENTITY is no private key of age: it is cut off, or has a typo")
		}
		return list, nil
	}
	text, err := k.file()
	if err != nil {
		return nil, err
	}
	start := bytes.TrimSpace(text)
	if bytes.HasPrefix(start, []byte("age-encryption.org/")) || bytes.HasPrefix(start, []byte("-----BEGIN AGE ENCRYPTED FILE-----")) {
		text, err = k.withPassphrase(text, "passphrase of the identity "+k.Identity)
		var known *fault.Fault
		var unasked *unaskedError
		if errors.As(err, &known) || errors.As(err, &unasked) {
			return nil, err
		}
		if err != nil {
			return nil, k.unusable("is damaged, or not encrypted with a passphrase")
		}
		start = bytes.TrimSpace(text)
	}
	k.learn(secret.New(string(text)))
	if bytes.HasPrefix(start, []byte("-----BEGIN")) {
		return k.fromSSH(text)
	}
	list, err := age.ParseIdentities(bytes.NewReader(text))
	if err != nil {
		return nil, k.unusable("holds no private key of age or ssh")
	}
	return list, nil
}

func (k *Keys) unusable(format string, args ...any) *fault.Fault {
	return fault.New(fault.Invalid, "the identity %s %s", k.Identity, fmt.Sprintf(format, args...))
}

func (k *Keys) file() ([]byte, error) {
	f, err := os.Open(k.Identity)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, k.unusable("does not exist").WithHint("set `identity` under [secrets], or DRHOST_IDENTITY, to the file of your private key; age-keygen makes one")
	}
	if err != nil {
		return nil, k.unusable("cannot be opened: %v", errors.Unwrap(err))
	}
	defer f.Close() // read-only: nothing can be lost here
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, k.unusable("cannot be read: %v", errors.Unwrap(err))
	case !info.Mode().IsRegular():
		return nil, k.unusable("is no file")
	case info.Mode().Perm()&0o006 != 0:
		return nil, k.unusable("is open to every user of this machine").WithHint("chmod 600 %s", k.Identity)
	case info.Size() > longest:
		return nil, k.unusable("is too large for a key")
	}
	text, err := io.ReadAll(io.LimitReader(f, longest))
	if err != nil {
		return nil, k.unusable("cannot be read: %v", errors.Unwrap(err))
	}
	return text, nil
}

func (k *Keys) fromSSH(text []byte) ([]age.Identity, error) {
	identity, err := agessh.ParseIdentity(text)
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) {
		return k.fromLockedSSH(text)
	}
	if err != nil {
		return nil, k.unusable("is no ssh key that can open anything: ssh-ed25519 and ssh-rsa can")
	}
	return []age.Identity{identity}, nil
}

// fromLockedSSH unlocks an ssh key that has a passphrase.
func (k *Keys) fromLockedSSH(text []byte) ([]age.Identity, error) {
	prompt := "passphrase of the ssh key " + k.Identity
	var last secret.Value
	for range tries {
		given, err := k.ask(prompt)
		if err != nil {
			return nil, err
		}
		key, err := ssh.ParseRawPrivateKeyWithPassphrase(text, []byte(given.Reveal()))
		if err == nil {
			k.learn(given)
			return k.fromKey(key)
		}
		if given.Reveal() == last.Reveal() {
			break
		}
		last = given
	}
	return nil, fault.New(fault.Invalid, "the %s is wrong", prompt)
}
