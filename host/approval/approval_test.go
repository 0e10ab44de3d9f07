package approval

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

func newKey(t *testing.T) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

var asked = Question{Run: "r1", Key: "Agree/1", Text: "Give up <hobby-1> & go on", Needs: 2, Asked: "cafe"}

func signedBy(t *testing.T, name string, key ssh.Signer, q Question, answer string) Signed {
	t.Helper()
	s, err := Sign(Statement{Question: q, Answer: answer, By: name, At: time.Date(2026, 2, 28, 4, 5, 0, 7, time.FixedZone("", 3600))}, key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSignatureCoversEverything(t *testing.T) {
	key := newKey(t)
	good := signedBy(t, "anna", key, asked, Approved)
	if _, err := good.Verify(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Signed){
		"run":       func(s *Signed) { s.Statement.Question.Run = "r2" },
		"key":       func(s *Signed) { s.Statement.Question.Key = "Agree/2" },
		"text":      func(s *Signed) { s.Statement.Question.Text += "." },
		"needs":     func(s *Signed) { s.Statement.Question.Needs = 1 },
		"asked":     func(s *Signed) { s.Statement.Question.Asked = "beef" },
		"answer":    func(s *Signed) { s.Statement.Answer = Denied },
		"no answer": func(s *Signed) { s.Statement.Answer = "perhaps" },
		"by":        func(s *Signed) { s.Statement.By = "ben" },
		"at":        func(s *Signed) { s.Statement.At = s.Statement.At.Add(time.Nanosecond) },
		"another's": func(s *Signed) { s.PublicKey = Line(newKey(t).PublicKey()) },
		"cut":       func(s *Signed) { s.Signature = s.Signature[:len(s.Signature)/2] },
		"empty":     func(s *Signed) { s.Signature = "" },
		"tail":      func(s *Signed) { s.Signature += "more" },
	} {
		s := good
		change(&s)
		if _, err := s.Verify(); err == nil {
			t.Errorf("%s was changed and the signature holds", name)
		}
	}
	text, err := json.Marshal(good)
	if err != nil {
		t.Fatal(err)
	}
	var back Signed
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if _, err := back.Verify(); err != nil {
		t.Errorf("after a journey through JSON: %v", err)
	}
}

// TestOtherNamespace: a signature that the same key made over the same bytes
// for another purpose is no approval.
func TestOtherNamespace(t *testing.T) {
	key := newKey(t)
	s := signedBy(t, "anna", key, asked, Approved)
	block, _ := pem.Decode([]byte(s.Signature))
	var e envelope
	if err := ssh.Unmarshal(block.Bytes[len(magic):], &e); err != nil {
		t.Fatal(err)
	}
	e.Namespace = "git"
	s.Signature = string(pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: append([]byte(magic), ssh.Marshal(e)...)}))
	if _, err := s.Verify(); err == nil || !strings.Contains(err.Error(), `made for "git"`) {
		t.Errorf("%v", err)
	}
}

// TestSSHKeygenAgrees holds our signatures against OpenSSH's own program, both
// ways, where it is installed.
func TestSSHKeygenAgrees(t *testing.T) {
	program, err := exec.LookPath("ssh-keygen")
	if err != nil {
		t.Log("ssh-keygen is not to be had: the comparison is left out")
		return
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "id")
	if out, err := exec.Command(program, "-q", "-t", "ed25519", "-N", "open sesame", "-f", file).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if _, err := Load(file, nil); err == nil || !strings.Contains(err.Error(), "passphrase") {
		t.Errorf("a locked key with nobody to ask: %v", err)
	}
	if _, err := Load(file, func(string) (string, error) { return "wrong", nil }); err == nil {
		t.Error("a wrong passphrase opens the key")
	}
	key, err := Load(file, func(string) (string, error) { return "open sesame", nil })
	if err != nil {
		t.Fatal(err)
	}
	s := signedBy(t, "anna", key, asked, Approved)
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	signers, signature := write("signers", "anna "+s.PublicKey+"\n"), write("answer.sig", s.Signature)
	check := exec.Command(program, "-Y", "verify", "-f", signers, "-I", "anna", "-n", Namespace, "-s", signature)
	check.Stdin = bytes.NewReader(s.Statement.Bytes())
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("ssh-keygen does not accept our signature: %v: %s", err, out)
	}
}

func TestParseKey(t *testing.T) {
	good := Line(newKey(t).PublicKey())
	for _, line := range []string{good, good + " anna@laptop", "  " + good + "\n"} {
		if key, err := ParseKey(line); err != nil || Line(key) != good {
			t.Errorf("%q: %v", line, err)
		}
	}
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ssh.NewPublicKey(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{"": "one line", "ssh-ed25519": "one line", "no-pty " + good: "one line", good + "\n" + good: "one line",
		Line(other): "ssh-keygen -t ed25519"} {
		if _, err := ParseKey(line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30q: %v", line, err)
		}
	}
}

func TestFolderCountsOnlyWhatHolds(t *testing.T) {
	anna, ben, eve := newKey(t), newKey(t), newKey(t)
	f := Folder{Run: t.TempDir(), Approvers: []Approver{{"anna", anna.PublicKey()}, {"ben", ben.PublicKey()}}}
	if answers, refused := f.Answers(asked); answers != nil || refused != nil {
		t.Errorf("before anything was answered: %v %v", answers, refused)
	}
	again := asked
	again.Asked = "beef"
	lay := func(name string, s Signed) {
		path, err := f.Write(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(f.of(asked), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path, filepath.Join(f.of(asked), name)); err != nil {
			t.Fatal(err)
		}
	}
	lay("anna.json", signedBy(t, "anna", anna, asked, Approved))
	lay("copy.json", signedBy(t, "anna", anna, asked, Approved))    // once is enough
	lay("eve.json", signedBy(t, "eve", eve, asked, Approved))       // nobody knows her
	lay("false-ben.json", signedBy(t, "ben", eve, asked, Approved)) // with another's key
	lay("older.json", signedBy(t, "ben", ben, again, Approved))     // to another question
	lay(".answer-1.json", signedBy(t, "ben", ben, asked, Approved)) // half written
	if err := os.WriteFile(filepath.Join(f.of(asked), "junk.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	answers, refused := f.Answers(asked)
	if len(answers) != 1 || answers[0].Statement.By != "anna" {
		t.Errorf("counted %+v", answers)
	}
	all := strings.Join(refused, "\n")
	for _, want := range []string{"eve is no approver", "the key of ben is", "answers another question", "junk.json"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is missing in\n%s", want, all)
		}
	}
	lay("second.json", signedBy(t, "anna", anna, asked, Denied))
	if answers, _ := f.Answers(asked); len(answers) != 1 || answers[0].Statement.Answer != Denied {
		t.Errorf("a denial beside an approval: %+v", answers)
	}
}

// TestAgent signs with a key that an SSH agent keeps.
func TestAgent(t *testing.T) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keyring := agent.NewKeyring()
	if err := keyring.Add(agent.AddedKey{PrivateKey: private}); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "agent")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				agent.ServeAgent(keyring, conn)
				conn.Close()
			}()
		}
	}()
	own, err := ssh.NewPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	approvers := []Approver{{"ben", newKey(t).PublicKey()}, {"anna", own}}
	key, done, err := FromAgent(socket, "", approvers)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signedBy(t, "anna", key, asked, Approved).Verify(); err != nil {
		t.Error(err)
	}
	if err := done(); err != nil {
		t.Error(err)
	}
	if _, _, err := FromAgent(socket, "ben", approvers); !errors.Is(err, ErrNoKey) {
		t.Errorf("ben's key is not in the agent: %v", err)
	}
	if _, _, err := FromAgent(socket+".none", "", approvers); err == nil {
		t.Error("an agent that is not there")
	}
}
