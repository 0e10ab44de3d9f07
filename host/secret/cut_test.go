package secret

import (
	"strings"
	"testing"
)

// TestSecretThatWasCutOff: an excerpt ends wherever its limit falls. Nothing of
// eight bytes or more of a secret is left, wherever that is.
func TestSecretThatWasCutOff(t *testing.T) {
	const token = "s3cr3t-t0ken/0f-the+cl0ud"
	r := &Redactor{}
	r.Add(New(token))
	text := "it answers 401: bad token " + token + " for you"
	for n := range len(text) + 1 {
		for _, cut := range []string{text[:n], text[:n] + "...", text[:n] + "… (cut)", text[:n] + `..." not 2xx`, text[n:], "..." + text[n:], "a … " + text[n:]} {
			got := r.Text(cut)
			for i := range len(token) - shortestCut {
				if part := token[i : i+shortestCut+1]; strings.Contains(got, part) {
					t.Fatalf("%q is left of %q in %q", part, cut, got)
				}
			}
		}
	}
	for _, same := range []string{"", "short", "nothing here...", "s3cr3t-", "s3cr3t-x and more", "the+cl1ud", "... … ...", strings.Repeat("s3cr3t-tx", 50)} {
		if got := r.Text(same); got != same {
			t.Errorf("%q became %q", same, got)
		}
	}
	r.Add(New("aaaaaaaaaaaaaaaa"))
	if got := r.Text(strings.Repeat("a", 12)); got != Mark {
		t.Errorf("%q", got)
	}
}

// TestAddressThatIsASecret: a server is shown the path of a webhook's address,
// not the address.
func TestAddressThatIsASecret(t *testing.T) {
	r := &Redactor{}
	r.Add(New("https://hooks.example/services/T0001/B0001/xXyYzZ0123456789aAbB?sign=0123456789abcdef0123"))
	r.Add(New("postgres://app:hunter2@db.example/prod"))
	r.Add(New("http://127.0.0.1:8080/inbox"))
	r.Add(New("https://AKIA42:k3y-0f-the-store@s3.example/webhost-prod-db-backups/webhost-prod-db"))
	for text, want := range map[string]string{
		"POST /services/T0001/B0001/xXyYzZ0123456789aAbB?sign=0123456789abcdef0123 failed": "POST [secret] failed",
		"no hook xXyYzZ0123456789aAbB, bad sign 0123456789abcdef0123":                      "no hook [secret], bad sign [secret]",
		"password hunter2 of app is wrong for prod at db.example":                          "password [secret] of app is wrong for prod at db.example",
		"GET /inbox of https://hooks.example/services":                                     "GET /inbox of https://hooks.example/services",
		"https://hooks.example": "https://hooks.example",
		"webhost-prod":          "webhost-prod", // what a store keeps is no secret
		"webhost-prod-db-backups of /webhost-prod-db-backups/webhost-prod-db": "webhost-prod-db-backups of /webhost-prod-db-backups/webhost-prod-db",
		"the store refuses k3y-0f-the-store":                                  "the store refuses [secret]",
		"cut at xXyYzZ012345":                                                 "cut at [secret]",
	} {
		if got := r.Text(text); got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
}
