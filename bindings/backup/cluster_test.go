package backup

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/secret"
)

const password = "correct-horse-battery"

// cluster is a real PostgreSQL cluster of this package's tests.
type cluster struct {
	bin, dir string
	port     int
	as       *syscall.Credential
}

var shared *cluster // started once by TestMain

func TestMain(m *testing.M) {
	os.Exit(withCluster(m))
}

func withCluster(m *testing.M) int {
	dir, err := os.MkdirTemp("", "drhost-backup-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	shared, err = startCluster(filepath.Join(dir, "primary"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer shared.stop()
	return m.Run()
}

// startCluster makes and starts a cluster in dir.
func startCluster(dir string) (*cluster, error) {
	s := &cluster{dir: dir}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	sort.Strings(found)
	if len(found) == 0 {
		return nil, fmt.Errorf("these tests need PostgreSQL: apt-get install postgresql")
	}
	s.bin = found[len(found)-1]
	if os.Getuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			if u, err = user.Lookup("nobody"); err != nil {
				return nil, err
			}
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		s.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	if err := s.makeFolder(filepath.Dir(dir)); err != nil {
		return nil, err
	}
	pw := filepath.Join(filepath.Dir(dir), "pw")
	if err := os.WriteFile(pw, []byte(password), 0o644); err != nil {
		return nil, err
	}
	if err := s.tool("initdb", "--no-sync", "-D", dir, "-U", "postgres", "-A", "scram-sha-256", "--pwfile", pw, "-E", "UTF8", "--locale=C"); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.port = l.Addr().(*net.TCPAddr).Port
	l.Close()
	options := fmt.Sprintf("-c listen_addresses=127.0.0.1 -c port=%d -c unix_socket_directories='' -c fsync=off -c shared_buffers=16MB -c max_connections=20", s.port)
	return s, s.tool("pg_ctl", "-D", dir, "-w", "-t", "30", "-l", dir+".log", "-o", options, "start")
}

func (s *cluster) makeFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o755); err != nil || s.as == nil {
		return err
	}
	return os.Chown(dir, int(s.as.Uid), int(s.as.Gid))
}

func (s *cluster) tool(name string, args ...string) error {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "PGPASSWORD=" + password}
	if s.as != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, said.String())
	}
	return nil
}

func (s *cluster) stop() { _ = s.tool("pg_ctl", "-D", s.dir, "-m", "immediate", "stop") }

func (s *cluster) host() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// sql runs statements as the superuser, outside of what is tested.
func (s *cluster) sql(t *testing.T, database, text string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), fmt.Sprintf("host=127.0.0.1 port=%d user=postgres password=%s dbname=%s sslmode=disable", s.port, password, database))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.PgConn().Exec(t.Context(), text).ReadAll(); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// fresh makes an empty database for one test.
func (s *cluster) fresh(t *testing.T, text string) string {
	t.Helper()
	name := strings.ToLower(strings.NewReplacer("/", "_", " ", "_").Replace(t.Name()))
	s.sql(t, "postgres", "create database "+name)
	s.sql(t, name, text)
	return name
}

// query returns one text value.
func (s *cluster) query(t *testing.T, database, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), fmt.Sprintf("host=127.0.0.1 port=%d user=postgres password=%s dbname=%s sslmode=disable", s.port, password, database))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var out string
	if err := conn.QueryRow(t.Context(), sql).Scan(&out); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return out
}

// loopback is the network of these tests.
type loopback struct{}

func (loopback) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}
func (loopback) LookupHost(context.Context, string) ([]string, error) { return nil, nil }
func (loopback) Transport() http.RoundTripper                         { return nil }
func (loopback) Forward(_ context.Context, address string) (string, func(), error) {
	return address, func() {}, nil
}

// client opens the module on a repository of its own.
func client(t *testing.T, with map[string]any) *Client {
	t.Helper()
	settings := map[string]any{"password": "is:" + password, "repository": "repo"}
	for k, v := range with {
		settings[k] = v
	}
	opened, err := Module().Open(binding.Env{Name: "test", Net: loopback{}, Clock: clock.System{}, Dir: t.TempDir(), Settings: settings,
		Secret: func(ref string) (secret.Value, error) { return secret.New(strings.TrimPrefix(ref, "is:")), nil }})
	if err != nil {
		t.Fatal(err)
	}
	return opened.(*Client)
}

// call goes the way of the gate: plain data in, plain data out.
func call(t *testing.T, c *Client, name, key string, args map[string]any) (map[string]any, error) {
	t.Helper()
	f := Module().Function(name)
	decoded, err := f.Decode(args, c.env.Secret)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(binding.WithKey(t.Context(), key), 2*time.Minute)
	defer cancel()
	out, err := f.Call(ctx, c, decoded)
	if err != nil {
		return nil, err
	}
	m, _ := out.(map[string]any)
	return m, nil
}
