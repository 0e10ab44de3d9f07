package sealed

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/armor"

	"github.com/webhost-systems/drhost/host/secret"
)

// Lock says who will be able to open what is sealed.
type Lock struct {
	recipients []age.Recipient
}

// To locks for the owners of public keys: age's own ("age1...") and ssh's
// ("ssh-ed25519 ...", "ssh-rsa ..."). Each of them opens it alone.
func To(recipients []string) (Lock, error) {
	if len(recipients) == 0 {
		return Lock{}, errors.New("there is no recipient to seal for")
	}
	var lock Lock
	for _, text := range recipients {
		r, err := recipient(text)
		if err != nil {
			return Lock{}, err
		}
		lock.recipients = append(lock.recipients, r)
	}
	return lock, nil
}

// With locks with a passphrase, which is then the only way in.
func With(passphrase secret.Value) (Lock, error) {
	r, err := age.NewScryptRecipient(passphrase.Reveal())
	if err != nil {
		return Lock{}, errors.New("the passphrase is empty")
	}
	return Lock{[]age.Recipient{r}}, nil
}

// BadRecipient tells what is wrong with a recipient; nil when nothing is.
func BadRecipient(text string) error {
	_, err := recipient(text)
	return err
}

// recipient reads a public key. An error repeats nothing of it: what stands
// there by mistake may be the private half.
func recipient(text string) (age.Recipient, error) {
	text = strings.TrimSpace(text)
	switch {
	case strings.HasPrefix(text, "AGE-SECRET-KEY-"), strings.HasPrefix(text, "-----BEGIN"):
		return nil, errors.New("this is a private key, and whoever reads the file now has it: make a new one, and write its public half here (age-keygen -y)")
	case strings.HasPrefix(text, "age1"):
		list, err := age.ParseRecipients(strings.NewReader(text))
		if err != nil || len(list) != 1 {
			return nil, fmt.Errorf("%.12s... is no public key of age: it is cut off, or has a typo", text)
		}
		return list[0], nil
	case strings.HasPrefix(text, "ssh-"):
		r, err := agessh.ParseRecipient(text)
		if err != nil {
			return nil, fmt.Errorf("%.20s... is no public key that can be sealed for: ssh-ed25519 and ssh-rsa (2048 bits or more) can", text)
		}
		return r, nil
	}
	return nil, errors.New(`a recipient is a public key: "age1...", "ssh-ed25519 ..." or "ssh-rsa ..."`)
}

func (l Lock) encrypt(value secret.Value) ([]byte, error) {
	if len(l.recipients) == 0 {
		return nil, errors.New("there is no recipient to seal for")
	}
	var out bytes.Buffer
	armored := armor.NewWriter(&out)
	w, err := age.Encrypt(armored, l.recipients...)
	if err != nil {
		return nil, err
	}
	if _, err := io.WriteString(w, value.Reveal()); err != nil {
		return nil, err
	}
	if err := errors.Join(w.Close(), armored.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
