package tests

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	gliderlabs "github.com/gliderlabs/ssh"
	"github.com/jackc/pgx/v5/pgproto3"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// gossip is an HTTP server that repeats every credential it is shown, in every
// way that servers do. What comes for /hang waits until released is closed.
type gossip struct {
	*httptest.Server
	hanging  chan struct{} // one for each request that waits
	released chan struct{}
}

func newGossip(t *testing.T) *gossip {
	t.Helper()
	g := &gossip{hanging: make(chan struct{}, 16), released: make(chan struct{})}
	g.Server = httptest.NewServer(g)
	t.Cleanup(g.Close)
	return g
}

func (g *gossip) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	shown := r.Header.Get("Authorization")
	token := strings.TrimPrefix(shown, "Bearer ")
	sent, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	body := map[string]any{"authorization": shown, "query": url.QueryEscape(token), "path": url.PathEscape(token), "quoted": fmt.Sprintf("%q", token),
		"basic": base64.StdEncoding.EncodeToString([]byte("drhost:" + token)), token: "as a key", "headers": r.Header,
		"request": r.Method + " " + r.RequestURI, "sent": string(sent)}
	w.Header().Set("X-Echo", shown)
	w.Header().Set("X-Key-Echo", r.Header.Get("X-Key"))
	status := http.StatusOK
	switch path := r.URL.Path; {
	case path == "/hang":
		g.hanging <- struct{}{}
		<-g.released
	case path == "/deny": // an excerpt of this ends in the middle of the token
		pad, err := strconv.Atoi(r.URL.Query().Get("pad"))
		if err != nil {
			pad = 0
		}
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, strings.Repeat("x", pad), token, " and ", r.Header.Get("X-Key"))
		return
	case strings.HasPrefix(path, "/hetzner"):
		status = http.StatusUnauthorized
		body = map[string]any{"error": map[string]any{"code": "unauthorized", "message": "the token " + token + " is wrong"}}
	case strings.HasPrefix(path, "/cloudflare"):
		status = http.StatusForbidden
		body = map[string]any{"success": false, "errors": []any{map[string]any{"code": 9109, "message": "Invalid access token " + token}}}
	case strings.HasPrefix(path, "/services"):
		status = http.StatusForbidden
	case path == "/refuse":
		status = http.StatusUnprocessableEntity
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

// listen gives every connection to serve until the test ends.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
	return l.Addr().String()
}

// tellingPostgres asks for a password in the clear and repeats it in its refusal.
func tellingPostgres(conn net.Conn) {
	backend := pgproto3.NewBackend(conn, conn)
	for {
		message, err := backend.ReceiveStartupMessage()
		if err != nil {
			return
		}
		if _, start := message.(*pgproto3.StartupMessage); start {
			break
		}
		if _, err := conn.Write([]byte{'N'}); err != nil { // no encryption
			return
		}
	}
	backend.Send(&pgproto3.AuthenticationCleartextPassword{})
	if backend.Flush() != nil || backend.SetAuthType(pgproto3.AuthTypeCleartextPassword) != nil {
		return
	}
	message, err := backend.Receive()
	given, ok := message.(*pgproto3.PasswordMessage)
	if err != nil || !ok {
		return
	}
	backend.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "28P01", Hint: "not " + given.Password,
		Message: fmt.Sprintf("password %q is wrong, as in PASSWORD '%s'", given.Password, strings.ReplaceAll(given.Password, "'", "''"))})
	backend.Flush()
}

// newSSHKey is a private key as ssh-keygen writes it, and its public half.
func newSSHKey(t *testing.T) (string, ssh.Signer) {
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
	return string(pem.EncodeToMemory(block)), signer
}

// tellingSSH is a machine on which somebody has left the private key: every
// command prints it, on both channels, and fails when it is "false". It returns
// the address and the line for known_hosts.
func tellingSSH(t *testing.T, key string) (address, known string) {
	t.Helper()
	_, host := newSSHKey(t)
	server := &gliderlabs.Server{
		PublicKeyHandler: func(gliderlabs.Context, gliderlabs.PublicKey) bool { return true },
		Handler: func(s gliderlabs.Session) {
			fmt.Fprint(s, "key:\n", key, "line: ", strings.Split(key, "\n")[2], "\n")
			fmt.Fprint(s.Stderr(), "bad key ", key)
			if strings.Contains(s.RawCommand(), "false") {
				s.Exit(1)
			}
		}}
	server.AddHostKey(host)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	address = l.Addr().String()
	return address, knownhosts.Line([]string{address}, host.PublicKey())
}
