package physical

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/postgres"
	"github.com/webhost-systems/drhost/bindings/backup/store"
	"github.com/webhost-systems/drhost/bindings/backup/store/localstore"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/secret"
)

const password = "correct-horse-battery"

// cluster is a real PostgreSQL cluster. Its folders lie in memory where there
// is some.
type cluster struct {
	t       *testing.T
	bin     string
	as      *syscall.Credential
	dir     string
	port    int
	options []string
}

var template string // a cluster that was never started; made once by TestMain

func TestMain(m *testing.M) {
	if text := os.Getenv(childVariable); text != "" {
		os.Exit(archiverChild(text))
	}
	if text := os.Getenv(prunerVariable); text != "" {
		os.Exit(prunerChild(text))
	}
	os.Exit(withTemplate(m))
}

func withTemplate(m *testing.M) int {
	root, err := os.MkdirTemp(memory(), "drhost-physical-test-")
	if err == nil {
		err = os.Chmod(root, 0o711)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(root)
	c := &cluster{dir: filepath.Join(root, "template")}
	if err := c.find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	pw := filepath.Join(root, "pw")
	if err := os.WriteFile(pw, []byte(password), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	err = c.own(c.dir)
	if err == nil {
		err = c.tool("initdb", "--no-sync", "-D", c.dir, "-U", "postgres", "-A", "scram-sha-256", "--pwfile", pw, "-E", "UTF8", "--locale=C", "--wal-segsize=1", "--data-checksums")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	template = c.dir
	return m.Run()
}

func memory() string {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() && os.Getenv("TMPDIR") == "" {
		return "/dev/shm"
	}
	return ""
}

func (c *cluster) find() error {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	sort.Strings(found)
	if len(found) == 0 {
		return fmt.Errorf("these tests need PostgreSQL: apt-get install postgresql")
	}
	c.bin = found[len(found)-1]
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		if u, err = user.Lookup("nobody"); err != nil {
			return err
		}
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	c.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return nil
}

// own makes a folder that the server's user owns.
func (c *cluster) own(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if c.as == nil {
		return nil
	}
	return os.Chown(dir, int(c.as.Uid), int(c.as.Gid))
}

// folder makes a folder of a test that the server's user may enter.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(memory(), "drhost-physical-test-")
	if err == nil {
		err = os.Chmod(dir, 0o711)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// newCluster starts a copy of the template; every copy has an identifier of
// its own only when fresh is asked for.
func newCluster(t *testing.T, options ...string) *cluster {
	t.Helper()
	c := &cluster{t: t, dir: filepath.Join(folder(t), "data"), options: options}
	if err := c.find(); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", "-a", template, c.dir).CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	c.start()
	return c
}

func (c *cluster) start() {
	c.t.Helper()
	if c.port == 0 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			c.t.Fatal(err)
		}
		c.port = l.Addr().(*net.TCPAddr).Port
		l.Close()
		c.t.Cleanup(c.stop)
	}
	options := fmt.Sprintf("-c listen_addresses=127.0.0.1 -c port=%d -c unix_socket_directories='' -c fsync=off -c shared_buffers=8MB -c max_connections=20 -c autovacuum=off %s",
		c.port, strings.Join(c.options, " "))
	if err := c.tool("pg_ctl", "-D", c.dir, "-w", "-t", "30", "-l", filepath.Join(c.dir, "log"), "-o", options, "start"); err != nil {
		log, _ := os.ReadFile(filepath.Join(c.dir, "log"))
		c.t.Fatal(err, string(log))
	}
}

// kill ends all processes of the server as a power cut does.
func (c *cluster) kill() {
	text, err := os.ReadFile(filepath.Join(c.dir, "postmaster.pid"))
	if err != nil {
		c.t.Fatal(err)
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(strings.SplitN(string(text), "\n", 2)[0]))
	syscall.Kill(pid, syscall.SIGSTOP)
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for _, child := range strings.Fields(string(children)) {
		n, _ := strconv.Atoi(child)
		syscall.Kill(n, syscall.SIGKILL)
	}
	syscall.Kill(pid, syscall.SIGKILL)
	until(c.t, "the server is dead", func() bool { return syscall.Kill(pid, 0) != nil })
	os.Remove(filepath.Join(c.dir, "postmaster.pid"))
}

func (c *cluster) stop() { _ = c.tool("pg_ctl", "-D", c.dir, "-w", "-m", "immediate", "stop") }

func (c *cluster) tool(name string, args ...string) error {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "PGPASSWORD=" + password}
	if c.as != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.as}
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, said.String())
	}
	return nil
}

func (c *cluster) connect() *pgx.Conn {
	c.t.Helper()
	conn, err := pgx.Connect(context.Background(), fmt.Sprintf("host=127.0.0.1 port=%d user=postgres password=%s dbname=postgres sslmode=disable", c.port, password))
	if err != nil {
		c.t.Fatal(err)
	}
	return conn
}

// sql runs statements.
func (c *cluster) sql(text string) {
	c.t.Helper()
	conn := c.connect()
	defer conn.Close(context.Background())
	if _, err := conn.PgConn().Exec(context.Background(), text).ReadAll(); err != nil {
		c.t.Fatalf("%s: %v", text, err)
	}
}

// query returns one value as text.
func (c *cluster) query(sql string) string {
	c.t.Helper()
	conn := c.connect()
	defer conn.Close(context.Background())
	var out string
	if err := conn.QueryRow(context.Background(), "select ("+sql+")::text").Scan(&out); err != nil {
		c.t.Fatalf("%s: %v", sql, err)
	}
	return out
}

func (c *cluster) source() Source {
	return Source{Way: postgres.Way{Net: loopback{}, Clock: clock.System{}, ConnectTimeout: 10 * time.Second}, Clock: clock.System{},
		Server: postgres.Server{Host: "127.0.0.1", Port: c.port, User: "postgres", SSLMode: "disable", Password: secret.New(password)}}
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

// until waits for something to become true.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	err := clock.Poll(t.Context(), clock.System{}, 30*time.Second, 20*time.Millisecond, func(context.Context) (bool, error) { return is(), nil })
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// repository is a store in a folder.
func repository(t *testing.T) *localstore.Store {
	t.Helper()
	s, err := localstore.Open(filepath.Join(t.TempDir(), "repo"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// base takes a base backup.
func (c *cluster) base(to store.Store, seal artifact.Seal) (Base, []artifact.Record) {
	c.t.Helper()
	base, files, err := Take(c.t.Context(), c.source(), to, "c/b", "test", seal)
	if err != nil {
		c.t.Fatal(err)
	}
	return base, files
}

// archiving runs an archiver until stop.
type archiving struct {
	*Archiver
	ended  chan error
	cancel context.CancelFunc
}

func (c *cluster) archive(to store.Store, spool string, change ...func(*Archiver)) *archiving {
	c.t.Helper()
	a := &Archiver{Source: c.source(), Log: Log{Store: to}, Slot: "drhost", Spool: spool, Every: 100 * time.Millisecond, Owner: c.t.Name(),
		Limit: 1 << 30, Patience: time.Second, Report: func(alarm bool, text string) { c.t.Logf("archiver: %s", text) }}
	for _, do := range change {
		do(a)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &archiving{a, make(chan error, 1), cancel}
	go func() { r.ended <- a.Run(ctx) }()
	c.t.Cleanup(r.stop)
	return r
}

func (r *archiving) stop() {
	r.cancel()
	err := <-r.ended
	r.ended <- err
}

// caught waits until everything that the server has is in the repository.
func (c *cluster) caught(to store.Store) Head {
	c.t.Helper()
	want := c.flushed()
	system := c.query("select system_identifier from pg_control_system()")
	var head Head
	until(c.t, "the repository has caught up with "+want.String(), func() bool {
		h, err := Log{Store: to, System: system}.ReadHead(c.t.Context())
		if err != nil {
			c.t.Fatal(err)
		}
		if h != nil {
			head = *h
		}
		return head.Position >= want
	})
	return head
}

func lsn(n int64) postgres.LSN { return postgres.LSN(n) }

// unreadable is a store that takes nothing; the head it once had it knows.
type unreadable struct {
	*localstore.Store
	head Head
}

func (u unreadable) Open(ctx context.Context, name string, offset int64) (io.ReadCloser, error) {
	if strings.HasSuffix(name, "head.json") {
		text, err := json.Marshal(u.head)
		return io.NopCloser(bytes.NewReader(text)), err
	}
	return u.Store.Open(ctx, name, offset)
}

// flushed is where the server's log ends.
func (c *cluster) flushed() postgres.LSN {
	c.t.Helper()
	at, err := postgres.ParseLSN(c.query("pg_current_wal_flush_lsn()"))
	if err != nil {
		c.t.Fatal(err)
	}
	return at
}

// moody is a store that takes nothing while it is full.
type moody struct {
	*localstore.Store
	full atomic.Bool
}

func (m *moody) Put(ctx context.Context, name string, content io.Reader) error {
	if m.full.Load() {
		return store.Fault(store.ErrFull, "store "+name, "the test")
	}
	return m.Store.Put(ctx, name, content)
}
