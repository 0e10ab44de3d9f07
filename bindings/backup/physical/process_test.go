package physical

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/webhost-systems/drhost/host/clock"
)

// childVariable has this program be an archiver, for tests that kill it.
const childVariable = "DRHOST_TEST_ARCHIVER"

type order struct {
	Place
	Port  int
	Spool string
	Owner string
}

func archiverChild(text string) int {
	var o order
	err := json.Unmarshal([]byte(text), &o)
	if err == nil {
		err = o.archive()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func (o order) archive() error {
	store, err := o.Open()
	if err != nil {
		return err
	}
	c := &cluster{port: o.Port}
	a := &Archiver{Source: c.source(), Log: Log{Store: store}, Slot: "drhost", Spool: o.Spool, Every: 50 * time.Millisecond, Owner: o.Owner,
		Patience: 20 * time.Second, Report: func(alarm bool, text string) { fmt.Fprintln(os.Stderr, "archiver:", text) }}
	return a.Run(context.Background())
}

// process starts an archiver that can be killed.
func (c *cluster) process(to Place, spool, owner string) *exec.Cmd {
	c.t.Helper()
	return again(c.t, childVariable, order{to, c.port, spool, owner})
}

// again starts this program once more, as what the variable says.
func again(t *testing.T, variable string, what any) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(what)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), variable+"="+string(text))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd
}

// writer inserts one row after the other until stop, over restarts of the
// server, and keeps what was acknowledged.
type writer struct {
	mu        sync.Mutex
	committed []int
	cancel    context.CancelFunc
	ended     chan struct{}
}

func (c *cluster) write(pad int) *writer {
	ctx, cancel := context.WithCancel(context.Background())
	w := &writer{cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(w.ended)
		for n, conn := 0, (*pgx.Conn)(nil); ctx.Err() == nil; n++ {
			var err error
			if conn == nil {
				conn, err = pgx.Connect(ctx, fmt.Sprintf("host=127.0.0.1 port=%d user=postgres password=%s dbname=postgres sslmode=disable", c.port, password))
			}
			if err == nil {
				_, err = conn.Exec(ctx, "insert into written (n, pad) values ($1, repeat('x', $2))", n, pad)
			}
			if err != nil {
				conn = nil
				_ = clock.System{}.Sleep(ctx, 10*time.Millisecond)
				continue
			}
			w.mu.Lock()
			w.committed = append(w.committed, n)
			w.mu.Unlock()
		}
	}()
	c.t.Cleanup(w.stop)
	return w
}

func (w *writer) stop() { w.cancel(); <-w.ended }

func (w *writer) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.committed)
}

// more waits for so many more rows.
func (w *writer) more(t *testing.T, n int) {
	t.Helper()
	want := w.count() + n
	until(t, "the writer goes on", func() bool { return w.count() >= want })
}

// text is what was acknowledged.
func (w *writer) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, n := range w.committed {
		out = append(out, strconv.Itoa(n))
	}
	return strings.Join(out, " ")
}

const writtenTable = "create table written (n int, pad text)"
const writtenText = "select string_agg(n::text, ' ' order by n) from written"

// missing lists what of want is not in got.
func missing(want, got string) (out []string) {
	have := map[string]bool{}
	for _, n := range strings.Fields(got) {
		have[n] = true
	}
	for _, n := range strings.Fields(want) {
		if !have[n] {
			out = append(out, n)
		}
	}
	return out
}
