// Package sftptest is an SFTP server in the process of a test. It must never
// listen elsewhere than on loopback.
package sftptest

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"net"
	"sync"
	"testing"

	gliderlabs "github.com/gliderlabs/ssh"
	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// Server serves the files of this machine to whoever holds Key.
type Server struct {
	Addr      string // 127.0.0.1:PORT
	Key       string // the private key that is let in
	KnownHost string // its line for known_hosts
	signer    ssh.Signer
	host      ssh.PublicKey
	mu        sync.Mutex
	open      []net.Conn
}

// Start starts a server that ends with the test.
func Start(t *testing.T) *Server {
	t.Helper()
	s := &Server{}
	var host ssh.Signer
	host, _ = newKey(t)
	s.signer, s.Key = newKey(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Addr, s.host = listener.Addr().String(), host.PublicKey()
	s.KnownHost = knownhosts.Line([]string{s.Addr}, s.host) + "\n"
	server := &gliderlabs.Server{
		PublicKeyHandler: func(_ gliderlabs.Context, key gliderlabs.PublicKey) bool {
			return gliderlabs.KeysEqual(key, s.signer.PublicKey())
		},
		ConnCallback: func(_ gliderlabs.Context, conn net.Conn) net.Conn {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.open = append(s.open, conn)
			return conn
		},
		SubsystemHandlers: map[string]gliderlabs.SubsystemHandler{"sftp": func(session gliderlabs.Session) {
			if files, err := sftp.NewServer(session); err == nil {
				_ = files.Serve() // until the client leaves
			}
		}},
	}
	server.AddHostKey(host)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Close() })
	return s
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

// Dial logs in.
func (s *Server) Dial(t *testing.T) *ssh.Client {
	t.Helper()
	client, err := ssh.Dial("tcp", s.Addr, &ssh.ClientConfig{User: "backup", Auth: []ssh.AuthMethod{ssh.PublicKeys(s.signer)}, HostKeyCallback: ssh.FixedHostKey(s.host)})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// Cut ends all connections.
func (s *Server) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.open {
		c.Close()
	}
	s.open = nil
}
