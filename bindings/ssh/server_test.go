package ssh

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gliderlabs "github.com/gliderlabs/ssh"
	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/secret"
)

// machine is a small SSH server. Its commands: "say TEXT", "exit N", "cat",
// "hang", "cut" (the connection ends without an exit code), "flood".
type machine struct {
	addr   string
	signer ssh.Signer
	server *gliderlabs.Server
}

func newKey(t *testing.T) (ssh.Signer, string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer, string(pem.EncodeToMemory(block))
}

// boot starts a machine that lets the owner of key in; addr "" is any port.
func boot(t *testing.T, allowed ssh.PublicKey, addr string) *machine {
	t.Helper()
	signer, _ := newKey(t)
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{addr: l.Addr().String(), signer: signer}
	m.server = &gliderlabs.Server{
		PublicKeyHandler: func(_ gliderlabs.Context, key gliderlabs.PublicKey) bool {
			return gliderlabs.KeysEqual(key, allowed)
		},
		Handler: m.session,
		SubsystemHandlers: map[string]gliderlabs.SubsystemHandler{"sftp": func(s gliderlabs.Session) {
			files, err := sftp.NewServer(s)
			if err == nil {
				_ = files.Serve()
			}
		}},
	}
	m.server.AddHostKey(signer)
	go m.server.Serve(l)
	t.Cleanup(func() { m.server.Close() })
	return m
}

func (m *machine) session(s gliderlabs.Session) {
	command, argument, _ := strings.Cut(s.RawCommand(), " ")
	switch command {
	case "say":
		fmt.Fprintf(s, "%s says %s", s.User(), argument)
	case "exit":
		fmt.Fprintln(s.Stderr(), "it broke")
		code := 0
		fmt.Sscan(argument, &code)
		_ = s.Exit(code)
	case "cat":
		_, _ = io.Copy(s, s)
	case "hang":
		<-s.Context().Done()
	case "cut":
		m.server.Close()
	case "flood":
		_, _ = s.Write([]byte(strings.Repeat("x", 3*outputLimit) + "end"))
	}
}

// loopback is the network of these tests; addresses in hole never answer,
// names in alias lead elsewhere, as simulated machines do.
type loopback struct {
	hole  string
	alias map[string]string
}

func (n loopback) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if n.hole != "" && address == n.hole {
		<-ctx.Done()
		return nil, &net.OpError{Op: "dial", Net: network, Err: ctx.Err()}
	}
	if to, ok := n.alias[address]; ok {
		address = to
	}
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}
func (loopback) LookupHost(context.Context, string) ([]string, error) { return nil, nil }
func (loopback) Transport() http.RoundTripper                         { return nil }
func (loopback) Forward(_ context.Context, address string) (string, func(), error) {
	return address, func() {}, nil
}

// desk is an operator's machine: a key, a known_hosts file, a client.
type desk struct {
	*Client
	dir    string
	public ssh.PublicKey
	env    *binding.Env
}

func newDesk(t *testing.T, change func(*binding.Env)) *desk {
	t.Helper()
	signer, private := newKey(t)
	d := &desk{dir: t.TempDir(), public: signer.PublicKey()}
	d.env = &binding.Env{Name: "test", Net: loopback{}, Clock: clock.System{}, Dir: d.dir,
		Settings: map[string]any{"key": "file:key", "known_hosts": "known_hosts", "user": "root"},
		Secret:   func(string) (secret.Value, error) { return secret.New(private), nil }}
	if change != nil {
		change(d.env)
	}
	opened, err := Module().Open(*d.env)
	if err != nil {
		t.Fatal(err)
	}
	d.Client = opened.(*Client)
	return d
}

func (d *desk) knows(t *testing.T, addr string, key ssh.PublicKey) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(d.dir, "known_hosts"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fmt.Fprintln(f, knownhosts.Line([]string{addr}, key))
}

// pair is a desk and a machine that know each other.
func pair(t *testing.T) (*desk, *machine) {
	t.Helper()
	d := newDesk(t, nil)
	m := boot(t, d.public, "")
	d.knows(t, m.addr, m.signer.PublicKey())
	return d, m
}

// call goes the way of the gate: plain data in, plain data out.
func (d *desk) call(t *testing.T, name string, args map[string]any) (map[string]any, error) {
	t.Helper()
	f := Module().Function(name)
	decoded, err := f.Decode(args, d.env.Secret)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	out, err := f.Call(ctx, d.Client, decoded)
	if err != nil {
		return nil, err
	}
	return out.(map[string]any), nil
}
