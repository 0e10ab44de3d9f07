package machine

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/crypto/ssh"

	"github.com/webhost-systems/drhost/host/clock"
)

const testPassword = "rack-test-password"

type bench struct {
	*testing.T
	rack *Rack
	key  ssh.Signer
	ctx  context.Context
}

// newBench makes a rack in a folder that PostgreSQL's user may enter.
func newBench(t *testing.T) *bench {
	t.Helper()
	place, err := NewPlace("drhost-rack-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := place.Remove(); err != nil {
			t.Error(err)
		}
	})
	rack, err := New(Options{Dir: place.Dir, Clock: clock.Scaled{Factor: 1000}, Password: testPassword})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rack.Close() })
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	return &bench{t, rack, signer, ctx}
}

func (b *bench) machine(id int64, name, image string) *Machine {
	b.Helper()
	m, err := b.rack.Provision(b.ctx, Spec{ID: id, Name: name, Image: image, Address: "203.0.113.10",
		Keys: []string{string(ssh.MarshalAuthorizedKey(b.key.PublicKey()))}})
	if err != nil {
		b.Fatal(err)
	}
	b.boot(m)
	return m
}

func (b *bench) boot(m *Machine) {
	b.Helper()
	if err := m.Boot(); err != nil {
		b.Fatal(err)
	}
	if err := m.WaitUp(b.ctx); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) eventually(what string, ok func() bool) {
	b.Helper()
	for !ok() {
		if (clock.System{}).Sleep(b.ctx, 5*time.Millisecond) != nil {
			b.Fatalf("never: %s", what)
		}
	}
}

func (b *bench) open(m *Machine, port int) string {
	b.Helper()
	var address string
	b.eventually("port opens", func() bool {
		var reach Reach
		address, reach = m.Port(port)
		return reach == Open
	})
	return address
}

func (b *bench) ssh(m *Machine, key ssh.Signer) (*ssh.Client, error) {
	return ssh.Dial("tcp", b.open(m, 22), &ssh.ClientConfig{User: "root", Auth: []ssh.AuthMethod{ssh.PublicKeys(key)},
		HostKeyCallback: ssh.FixedHostKey(m.HostKey()), Timeout: 5 * time.Second})
}

func (b *bench) login(m *Machine) *ssh.Client {
	b.Helper()
	c, err := b.ssh(m, b.key)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	return c
}

// run runs a command over SSH.
func (b *bench) run(c *ssh.Client, command string) (out string, exit int) {
	b.Helper()
	s, err := c.NewSession()
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	text, err := s.CombinedOutput(command)
	if e, ok := err.(*ssh.ExitError); ok {
		return string(text), e.ExitStatus()
	}
	if err != nil {
		b.Fatalf("%s: %v", command, err)
	}
	return string(text), 0
}

func (b *bench) pg(m *Machine, password string) (*pgx.Conn, error) {
	b.eventually("the database is ready", func() bool { return b.ready(m) })
	host, port, _ := net.SplitHostPort(b.open(m, 5432))
	return pgx.Connect(b.ctx, "host="+host+" port="+port+" user=postgres database=webhost_prod sslmode=disable password="+password)
}

func (b *bench) ready(m *Machine) bool {
	conn, err := m.connectReady(b.ctx)
	if err == nil {
		conn.Close(b.ctx)
	}
	return err == nil
}

func (b *bench) health(m *Machine) (int, map[string]any) {
	b.Helper()
	r, err := http.Get("http://" + b.open(m, 80) + "/health")
	if err != nil {
		b.Fatal(err)
	}
	defer r.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(r.Body).Decode(&answer); err != nil {
		b.Fatal(err)
	}
	return r.StatusCode, answer
}
