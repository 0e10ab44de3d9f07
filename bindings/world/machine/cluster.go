package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// cluster is a running PostgreSQL server of one machine. Clients reach it
// through a Unix socket that lies outside the machine's disk.
type cluster struct {
	data   string // its data folder on the host
	socket string // folder of the socket
	own    bool   // it follows as its own settings say
	cmd    *exec.Cmd
	ended  chan struct{}
	vetted chan struct{} // closed when clients may be let in, see vet
	once   sync.Once
}

const socketName = ".s.PGSQL.5432"

// startCluster starts the server and returns at once; it accepts connections
// a little later, after its own recovery.
func startCluster(k *keeper, p *postgres, data, socket string, follows following, log *os.File) (*cluster, error) {
	// A lock file left by a machine whose power was cut names a process that
	// is gone; its number may by now belong to somebody else.
	if err := os.Remove(filepath.Join(data, "postmaster.pid")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if err := p.own(socket, 0o700); err != nil {
		return nil, err
	}
	if err := confine(socket); err != nil {
		return nil, err
	}
	cmd := p.command("postgres", follows.env, append([]string{"-D", data, "-k", socket}, confined(p.version, socket, follows)...)...)
	cmd.Stdout, cmd.Stderr = log, log
	// SIGQUIT is PostgreSQL's "stop at once and take your children along".
	if err := k.start(cmd, syscall.SIGQUIT); err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	c := &cluster{data: data, socket: socket, own: follows.own, cmd: cmd, ended: make(chan struct{}), vetted: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // how it ended is told by its log
		close(c.ended)
	}()
	return c, nil
}

// errNotVetted refuses clients until it is known that they can do no harm.
var errNotVetted = errors.New("the database system is starting up")

func (c *cluster) open() bool {
	select {
	case <-c.vetted:
		return true
	default:
		return false
	}
}

// dial connects to the server's socket.
func (c *cluster) dial(ctx context.Context) (net.Conn, error) {
	if !c.open() {
		return nil, errNotVetted
	}
	var d net.Dialer
	return d.DialContext(ctx, "unix", filepath.Join(c.socket, socketName))
}

// accepting tells whether a connection would be taken.
func (c *cluster) accepting() bool {
	conn, err := c.dial(context.Background())
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

func (c *cluster) running() bool {
	select {
	case <-c.ended:
		return false
	default:
		return true
	}
}

// stop shuts down in order ("fast": sessions are ended, data is flushed); when
// ctx ends first the server is killed.
func (c *cluster) stop(ctx context.Context) {
	_ = c.cmd.Process.Signal(syscall.SIGINT)
	select {
	case <-c.ended:
	case <-ctx.Done():
		c.kill()
	}
}

// reload makes the server read its settings again, unless it would follow what
// a simulated machine must not.
func (c *cluster) reload() error {
	if c.own {
		text, err := os.ReadFile(filepath.Join(c.data, autoConf))
		if err != nil {
			return err
		}
		if err := ownFollowing(string(text)); err != nil {
			return err
		}
	}
	return c.cmd.Process.Signal(syscall.SIGHUP)
}

// kill ends the server as a power cut does: all its processes at once, none
// of which can finish anything. It returns when they are gone.
func (c *cluster) kill() {
	c.once.Do(func() {
		children := c.halt()
		for _, pid := range children {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		_ = c.cmd.Process.Kill()
	})
	<-c.ended
	c.release()
}

// halt stops the server's processes where they stand and returns the
// children's numbers. The postmaster comes first: it cannot start another
// child then.
func (c *cluster) halt() []int {
	if !c.running() {
		return nil
	}
	_ = c.cmd.Process.Signal(syscall.SIGSTOP)
	children := childrenOf(c.cmd.Process.Pid)
	for _, pid := range children {
		_ = syscall.Kill(pid, syscall.SIGSTOP)
	}
	return children
}

// still runs do while no process of the server moves, so that a copy of its
// files is what a power cut at that moment would have left.
func (c *cluster) still(do func() error) error {
	children := c.halt()
	defer func() {
		for _, pid := range children {
			_ = syscall.Kill(pid, syscall.SIGCONT)
		}
		_ = c.cmd.Process.Signal(syscall.SIGCONT)
	}()
	return do()
}

// release removes the small shared memory segment that a killed server leaves
// behind; its lock file names it in line 7 ("key id").
func (c *cluster) release() {
	text, err := os.ReadFile(filepath.Join(c.data, "postmaster.pid"))
	if err != nil {
		return
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) < 7 || strings.TrimSpace(lines[0]) != strconv.Itoa(c.cmd.Process.Pid) {
		return
	}
	if fields := strings.Fields(lines[6]); len(fields) == 2 {
		if id, err := strconv.Atoi(fields[1]); err == nil {
			_, _ = unix.SysvShmCtl(id, unix.IPC_RMID, nil)
		}
	}
	_ = os.Remove(filepath.Join(c.data, "postmaster.pid"))
}

// childrenOf lists the processes whose parent is pid.
func childrenOf(pid int) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var out []int
	for _, e := range entries {
		child, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if err != nil {
			continue
		}
		// "pid (name) state ppid ...": the name may hold spaces and brackets.
		rest := stat[bytes.LastIndexByte(stat, ')')+1:]
		if fields := bytes.Fields(rest); len(fields) > 1 && string(fields[1]) == strconv.Itoa(pid) {
			out = append(out, child)
		}
	}
	return out
}

// stopGrace is how long an orderly stop may take before the server is killed.
const stopGrace = 10 * time.Second

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}
