package config

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/secret"
	"github.com/webhost-systems/drhost/host/secret/sealed"
)

const publicKey = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"

func TestSecretsTable(t *testing.T) {
	dir := write(t, "[secrets]\nfolder = \"vault\"\nidentity = \"~/key\"\nrecipients = [\""+publicKey+"\"]\n")
	c, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", "/home/ann")
	if c.SealedDir() != filepath.Join(dir, "vault") || c.Identity() != "/home/ann/key" || len(c.Secrets.Recipients) != 1 {
		t.Errorf("%q %q %q", c.SealedDir(), c.Identity(), c.Secrets.Recipients)
	}
	c, err = Load(write(t, ""))
	if err != nil || c.SealedDir() != filepath.Join(c.Dir, "secrets") || c.Identity() != "" {
		t.Errorf("by default: %q %q %v", c.SealedDir(), c.Identity(), err)
	}
	private := "AGE-SECRET-KEY-1" + strings.Repeat("Q", 58)
	for text, want := range map[string]string{
		"recipients = [\"" + publicKey + "\", \"" + publicKey[:40] + "\"]": ":2: secrets.recipients, number 2: age1ql3z7hjy... is no public key",
		"recipients = [\n  \"" + private + "\",\n]":                        "number 1: this is a private key",
		"identity = \"" + private + "\"":                                   "not the key itself",
		"recipient = [\"" + publicKey + "\"]":                              `did you mean "recipients"?`,
	} {
		_, err := Load(write(t, "[secrets]\n"+text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
		if err != nil && strings.Contains(err.Error(), private[:30]) {
			t.Errorf("the private key is repeated: %v", err)
		}
	}
}

func TestSealedReference(t *testing.T) {
	s := sources(t)
	opened := 0
	s.Sealed = func(name string) (secret.Value, error) {
		opened++
		switch name {
		case "hetzner":
			return secret.New("hunter2\n"), nil
		case "blank":
			return secret.New("\n"), nil
		case "broken":
			return secret.Value{}, fault.New(fault.Invalid, "the sealed credential %q is damaged", name)
		}
		return secret.Value{}, &sealed.UnknownError{Name: name, Folder: s.Dir, Known: []string{"hetzner", "blank"}}
	}
	resolve := Resolver(s)
	for range 3 {
		if v, err := resolve("sealed:hetzner"); err != nil || v.Reveal() != "hunter2" {
			t.Fatalf("%v", err)
		}
	}
	if opened != 1 {
		t.Errorf("opened %d times", opened)
	}
	if got := s.Redactor.Text("x hunter2"); got != "x "+secret.Mark {
		t.Errorf("the redactor does not know it: %s", got)
	}
	for reference, want := range map[string]string{
		"sealed:hetznr": `there is no sealed credential "hetznr" in ` + s.Dir + `; did you mean "hetzner"? (environment "production" takes a credential from it; drhost secrets seal hetznr makes it)`,
		"sealed:broken": "is damaged",
		"sealed:blank":  "is empty",
		"sealed:":       "something has to follow sealed:",
		"sealed:../key": "letters, digits",
		"sealed:a b":    "letters, digits",
	} {
		if _, err := resolve(reference); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", reference, err)
		}
	}
	s.Sealed = nil
	if _, err := Resolver(s)("sealed:hetzner"); err == nil || !strings.Contains(err.Error(), "drhost secrets seal hetzner") {
		t.Errorf("%v", err)
	}
	if why := badReference("sealed:hetzner"); why != "" {
		t.Error(why)
	}
}

// TestEverySchemeIsNamed: the message about a credential that is written out
// offers every source that a real environment can use.
func TestEverySchemeIsNamed(t *testing.T) {
	why := badReference("hunter2")
	for _, scheme := range schemes() {
		if scheme != "plain" && !strings.Contains(why, fmt.Sprintf("%s:", scheme)) {
			t.Errorf("%s is missing in %s", scheme, why)
		}
	}
}
