package sealed

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	"golang.org/x/crypto/ssh"

	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/secret"
)

const value = "hunter2-of-the-cloud"

// person has an age key on disk.
type person struct{ recipient, file, key string }

func newPerson(t *testing.T, dir, name string) person {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return person{id.Recipient().String(), keep(t, dir, name, "# made by hand\n"+id.String()+"\n", 0o600), id.String()}
}

// newSSH has an ssh key on disk, with a passphrase if one is given.
func newSSH(t *testing.T, dir, name, passphrase string) person {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return person{string(ssh.MarshalAuthorizedKey(key)), keep(t, dir, name, string(pem.EncodeToMemory(block)), 0o600), ""}
}

func keep(t *testing.T, dir, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func lockTo(t *testing.T, recipients ...string) Lock {
	t.Helper()
	lock, err := To(recipients)
	if err != nil {
		t.Fatal(err)
	}
	return lock
}

// easy is a passphrase lock that is quick to open.
func easy(t *testing.T, passphrase string) Lock {
	t.Helper()
	lock, err := With(secret.New(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	lock.recipients[0].(*age.ScryptRecipient).SetWorkFactor(8)
	return lock
}

// typed answers prompts one after the other.
func typed(prompts *[]string, answers ...string) func(string) (secret.Value, error) {
	return func(prompt string) (secret.Value, error) {
		*prompts = append(*prompts, prompt)
		if len(answers) == 0 {
			return secret.Value{}, errors.New("nobody types any more")
		}
		answer := answers[0]
		answers = answers[1:]
		return secret.New(answer), nil
	}
}

func TestEveryRecipientOpensAlone(t *testing.T) {
	dir := t.TempDir()
	f := Folder{filepath.Join(dir, "secrets")}
	ann, bob, eve := newPerson(t, dir, "ann"), newPerson(t, dir, "bob"), newPerson(t, dir, "eve")
	carl, dora := newSSH(t, dir, "carl", ""), newSSH(t, dir, "dora", "open, please")
	if err := f.Seal("hetzner", secret.New(value), lockTo(t, ann.recipient, bob.recipient, carl.recipient, dora.recipient), false); err != nil {
		t.Fatal(err)
	}
	var prompts []string
	for _, identity := range []string{ann.file, bob.file, bob.key, carl.file, dora.file} {
		r := &secret.Redactor{}
		v, err := f.Open("hetzner", &Keys{Identity: identity, Ask: typed(&prompts, "open, please"), Learn: r.Add})
		if err != nil || v.Reveal() != value {
			t.Errorf("%.30s: %v", identity, err)
		}
		if identity == bob.key && strings.Contains(r.Text(bob.key), bob.key) {
			t.Error("the identity may be printed")
		}
	}
	if len(prompts) != 1 || !strings.Contains(prompts[0], dora.file) {
		t.Errorf("asked for %q", prompts)
	}
	_, err := f.Open("hetzner", &Keys{Identity: eve.file})
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), eve.file) || !strings.Contains(err.Error(), "2 age keys and 2 ssh keys") {
		t.Errorf("a stranger: %v", err)
	}
	if _, err := f.Open("hetzner", &Keys{Identity: dora.file, Ask: typed(&prompts, "no", "nope", "never")}); err == nil || !strings.Contains(err.Error(), "is wrong") {
		t.Errorf("a wrong passphrase of an ssh key: %v", err)
	}
	info, err := os.Stat(filepath.Join(f.Path, "hetzner.age"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("rights %v (%v)", info.Mode(), err)
	}
	text, err := os.ReadFile(filepath.Join(f.Path, "hetzner.age"))
	if err != nil || bytes.Contains(text, []byte(value)) || !bytes.HasPrefix(text, []byte("-----BEGIN AGE ENCRYPTED FILE-----")) {
		t.Errorf("the file is\n%s (%v)", text, err)
	}
	list, err := f.List()
	if err != nil || len(list) != 1 || list[0].Name != "hetzner" || list[0].Sealed.IsZero() || !slices.Equal(list[0].To, []string{"X25519", "X25519", "ssh-ed25519", "ssh-ed25519"}) {
		t.Errorf("listed %+v (%v)", list, err)
	}
}

func TestPassphrase(t *testing.T) {
	f := Folder{t.TempDir()}
	if err := f.Seal("db", secret.New(value), easy(t, "correct horse"), false); err != nil {
		t.Fatal(err)
	}
	if err := f.Seal("dns", secret.New(value+"2"), easy(t, "correct horse"), false); err != nil {
		t.Fatal(err)
	}
	var prompts []string
	k := &Keys{Ask: typed(&prompts, "corect horse", "correct horse")}
	for name, want := range map[string]string{"db": value, "dns": value + "2"} {
		if v, err := f.Open(name, k); err != nil || v.Reveal() != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(prompts) != 2 {
		t.Errorf("a person was asked %d times: mistyped once, it is remembered afterwards", len(prompts))
	}
	prompts = nil
	fixed := func(p string) (secret.Value, error) { prompts = append(prompts, p); return secret.New("battery"), nil }
	if _, err := f.Open("db", &Keys{Ask: fixed}); err == nil || !strings.Contains(err.Error(), "is wrong") || strings.Contains(err.Error(), "battery") {
		t.Errorf("wrong: %v", err)
	}
	if len(prompts) > 2 {
		t.Errorf("a passphrase that is set does not get better by being tried %d times", len(prompts))
	}
	if _, err := f.Open("db", &Keys{}); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "DRHOST_PASSPHRASE") {
		t.Errorf("nobody to ask: %v", err)
	}
	gone := errors.New("interrupted")
	if _, err := f.Open("db", &Keys{Ask: func(string) (secret.Value, error) { return secret.Value{}, gone }}); err != gone {
		t.Errorf("a person who is gone: %v", err)
	}
	list, err := f.List()
	if err != nil || !list[0].Passphrase() || Describe(list[0].To) != "a passphrase" {
		t.Errorf("%+v (%v)", list, err)
	}
	if _, err := With(secret.New("")); err == nil {
		t.Error("an empty passphrase locks")
	}
}

// TestLockedIdentity: the private key itself is a file that age encrypted.
func TestLockedIdentity(t *testing.T) {
	dir := t.TempDir()
	f := Folder{dir}
	ann := newPerson(t, dir, "ann")
	text, err := easy(t, "kitchen").encrypt(secret.New(ann.key + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	file := keep(t, dir, "locked", string(text), 0o600)
	if err := f.Seal("db", secret.New(value), lockTo(t, ann.recipient), false); err != nil {
		t.Fatal(err)
	}
	var prompts []string
	if v, err := f.Open("db", &Keys{Identity: file, Ask: typed(&prompts, "kitchen")}); err != nil || v.Reveal() != value {
		t.Errorf("%v", err)
	}
	if _, err := f.Open("db", &Keys{Identity: file, Ask: typed(&prompts, "x", "y", "z", "w")}); err == nil || !strings.Contains(err.Error(), "passphrase of the identity "+file+" is wrong") {
		t.Errorf("%v", err)
	}
}

// TestDamage cuts and changes a file all over; nothing wrong ever comes out.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	f := Folder{filepath.Join(dir, "s")}
	ann := newPerson(t, dir, "ann")
	k := &Keys{Identity: ann.file}
	if err := f.Seal("db", secret.New(value), lockTo(t, ann.recipient), false); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(f.file("db"))
	if err != nil {
		t.Fatal(err)
	}
	try := func(text []byte, what string) {
		keep(t, f.Path, "db.age", string(text), 0o600)
		v, err := f.Open("db", k)
		if err == nil && v.Reveal() == value {
			return // blanks around armor mean nothing
		}
		if err == nil {
			t.Fatalf("%s: a wrong value came out", what)
		}
		if fault.KindOf(err) != fault.Invalid || strings.Contains(err.Error(), value) {
			t.Fatalf("%s: %v", what, err)
		}
	}
	for n := 0; n < len(whole); n += 7 {
		try(whole[:n], "cut off")
		flipped := bytes.Clone(whole)
		flipped[n] ^= 4
		try(flipped, "changed")
	}
	keep(t, f.Path, "db.age", string(whole[:len(whole)/2]), 0o600)
	_, err = f.Open("db", k)
	if !strings.Contains(err.Error(), "damaged") || !strings.Contains(err.Error(), "seal db --replace") {
		t.Errorf("%v", err)
	}
	keep(t, f.Path, "empty.age", "", 0o600)
	list, err := f.List()
	if err != nil || len(list) != 2 || list[1].Problem == "" || list[1].Name != "empty" {
		t.Errorf("%+v (%v)", list, err)
	}
	keep(t, f.Path, "large.age", strings.Repeat("x", longestFile+1), 0o600)
	if _, err := f.Open("large", k); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("%v", err)
	}
}

func TestWhatCannotBeSealed(t *testing.T) {
	dir := t.TempDir()
	ann := newPerson(t, dir, "ann")
	lock := lockTo(t, ann.recipient)
	f := Folder{filepath.Join(dir, "s")}
	for _, name := range []string{"", ".db", "../db", "a/b", "hetzner=token", strings.Repeat("n", 101), "tokén"} {
		if err := f.Seal(name, secret.New(value), lock, false); fault.KindOf(err) != fault.Invalid {
			t.Errorf("name %q: %v", name, err)
		}
		if _, err := f.Open(name, &Keys{}); err == nil {
			t.Errorf("name %q was opened", name)
		}
	}
	for what, v := range map[string]string{"empty": "", "too large": strings.Repeat("x", longest+1)} {
		if err := f.Seal("db", secret.New(v), lock, false); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := f.Seal("db", secret.New(value), Lock{}, false); err == nil {
		t.Error("sealed for nobody")
	}
	if err := f.Seal("db", secret.New("first"), lock, false); err != nil {
		t.Fatal(err)
	}
	var taken *ExistsError
	if err := f.Seal("db", secret.New("second"), lock, false); !errors.As(err, &taken) {
		t.Errorf("the first value was lost: %v", err)
	}
	k := &Keys{Identity: ann.file}
	if v, err := f.Open("db", k); err != nil || v.Reveal() != "first" {
		t.Errorf("%v", err)
	}
	if err := f.Seal("db", secret.New("second"), lock, true); err != nil {
		t.Fatal(err)
	}
	if v, err := f.Open("db", k); err != nil || v.Reveal() != "second" {
		t.Errorf("%v", err)
	}
	var unknown *UnknownError
	if _, err := f.Open("dv", k); !errors.As(err, &unknown) || !slices.Equal(unknown.Known, []string{"db"}) {
		t.Errorf("%v", err)
	}
	left, err := os.ReadDir(f.Path)
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
}

func TestRecipients(t *testing.T) {
	dir := t.TempDir()
	ann := newPerson(t, dir, "ann")
	for text, want := range map[string]string{
		ann.key:                      "private key",
		"-----BEGIN OPENSSH PRIVATE": "private key",
		ann.recipient[:40]:           "cut off",
		"age1" + strings.Repeat("q", 58) + "\nage1x": "cut off",
		"ssh-ed25519 AAAA":                           "no public key that can be sealed for",
		"ssh-dss AAAAB3NzaC1kc3M=":                   "no public key that can be sealed for",
		"ann":                                        "a recipient is a public key",
		"":                                           "a recipient is a public key",
	} {
		err := BadRecipient(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v", text, err)
		}
		if err != nil && strings.Contains(err.Error(), ann.key[20:]) {
			t.Errorf("a private key is repeated: %v", err)
		}
	}
	if err := BadRecipient(" " + ann.recipient + "\n"); err != nil {
		t.Error(err)
	}
	if _, err := To(nil); err == nil {
		t.Error("nobody is a recipient")
	}
}

func TestBadIdentities(t *testing.T) {
	dir := t.TempDir()
	ann := newPerson(t, dir, "ann")
	f := Folder{dir}
	if err := f.Seal("db", secret.New(value), lockTo(t, ann.recipient), false); err != nil {
		t.Fatal(err)
	}
	for identity, want := range map[string]string{
		"":                               "needs an identity",
		filepath.Join(dir, "missing"):    "does not exist",
		dir:                              "is no file",
		keep(t, dir, "o", ann.key, 0644): "chmod 600",
		keep(t, dir, "n", "hello", 0600): "holds no private key",
		keep(t, dir, "p", "-----BEGIN OPENSSH PRIVATE KEY-----\n", 0600):   "is no ssh key",
		keep(t, dir, "e", "-----BEGIN AGE ENCRYPTED FILE-----\nx\n", 0600): "is damaged",
		ann.key[:30]: "in DRHOST_IDENTITY is no private key",
	} {
		var prompts []string
		_, err := f.Open("db", &Keys{Identity: identity, Ask: typed(&prompts, "x")})
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
		if err != nil && strings.Contains(err.Error(), "AGE-SECRET") {
			t.Errorf("an identity is repeated: %v", err)
		}
	}
}
