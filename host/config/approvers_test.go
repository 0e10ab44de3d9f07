package config

import (
	"fmt"
	"strings"
	"testing"
)

// Two public keys whose private halves nobody has kept.
const (
	keyOfAnna = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOoYbLHPuNvgFhFb2U1JBr5SXu0MnqwVqVYRSCkyTVaN"
	keyOfBen  = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB1rXvmrPBWCKgrrqjAZ4aJx0rNqM2p7n1mMhzJ3BEQm"
)

func approvers(list ...[2]string) string {
	text := "default_env = \"production\"\n[env.production]\nsimulated = false\n"
	for _, a := range list {
		text += fmt.Sprintf("[[approvers]]\nname = %q\nkey = %q\n", a[0], a[1])
	}
	return text
}

func TestApprovers(t *testing.T) {
	c, err := Load(write(t, approvers([2]string{"anna", keyOfAnna + " anna@laptop"}, [2]string{"Ben Müller", keyOfBen})))
	if err != nil {
		t.Fatal(err)
	}
	if s := c.Signers(); len(s) != 2 || s[0].Name != "anna" || s[1].Name != "Ben Müller" || s[0].Key == nil {
		t.Errorf("%+v", s)
	}
	for want, list := range map[string][][2]string{
		`there are two approvers called "Anna"`:     {{"anna", keyOfAnna}, {"Anna", keyOfBen}},
		`"anna" and "ben" have the same key`:        {{"anna", keyOfAnna}, {"ben", keyOfAnna + " other comment"}},
		`an approver needs a name`:                  {{"../anna", keyOfAnna}},
		`the key of approver "anna": a key is one`:  {{"anna", "ssh-ed25519"}},
		`the key of approver "anna": a key is one `: {{"anna", ""}},
	} {
		_, err := Load(write(t, approvers(list...)))
		if err == nil || !strings.Contains(err.Error(), strings.TrimSpace(want)) || !strings.Contains(err.Error(), "drhost.toml:") {
			t.Errorf("want %s, got %v", want, err)
		}
	}
}

func TestWhatAnEnvironmentSaysOfItself(t *testing.T) {
	c, err := Load(write(t, "default_env = \"live\"\n[env.live]\n[env.local]\nsimulated = true\nshares_credentials = true\n"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Simulated("live") || !c.Simulated("local") || c.SharesCredentials("live") || !c.SharesCredentials("local") || c.Simulated("nowhere") {
		t.Errorf("%+v", c.flags)
	}
	for _, line := range []string{`simulated = "yes"`, "simulatd = true"} {
		if _, err := Load(write(t, "[env.live]\n"+line+"\n")); err == nil {
			t.Errorf("%s is accepted", line)
		}
	}
}
