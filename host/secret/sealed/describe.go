package sealed

import (
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
)

// Describe says what opens an entry: "2 age keys and 1 ssh key".
func Describe(kinds []string) string {
	var words []string
	count := map[string]int{}
	for _, kind := range kinds {
		word := kind
		switch {
		case kind == "scrypt":
			return "a passphrase"
		case kind == "X25519" || strings.HasPrefix(kind, "mlkem768"):
			word = "age key"
		case strings.HasPrefix(kind, "ssh-"):
			word = "ssh key"
		}
		if count[word]++; count[word] == 1 {
			words = append(words, word)
		}
	}
	for i, word := range words {
		n := count[word]
		if n > 1 {
			word += "s"
		}
		words[i] = fmt.Sprintf("%d %s", n, word)
	}
	if len(words) == 0 {
		return "nobody"
	}
	return strings.Join(words, " and ")
}

// fromKey makes an identity of an ssh key that was unlocked.
func (k *Keys) fromKey(key any) ([]age.Identity, error) {
	var identity age.Identity
	var err error
	switch key := key.(type) {
	case *ed25519.PrivateKey:
		identity, err = agessh.NewEd25519Identity(*key)
	case ed25519.PrivateKey:
		identity, err = agessh.NewEd25519Identity(key)
	case *rsa.PrivateKey:
		identity, err = agessh.NewRSAIdentity(key)
	default:
		return nil, k.unusable("is no ssh key that can open anything: ssh-ed25519 and ssh-rsa can")
	}
	if err != nil {
		return nil, k.unusable("is no ssh key that can open anything")
	}
	return []age.Identity{identity}, nil
}
