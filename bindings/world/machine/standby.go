package machine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/jackc/pgx/v5"
)

// upstream is where a standby gets its changes from: a socket of the world's,
// whose connections lead wherever the world says at that moment. So a standby
// is re-pointed without a word to PostgreSQL, and what lies between two
// machines can be cut.
type upstream struct {
	dir            string
	name, password string // with which the standby logs in
	mu             sync.Mutex
	dial           func(context.Context) (net.Conn, error)
	ln             net.Listener
	open           map[net.Conn]struct{}
	held           bool
}

// standbySignal is the file that makes a cluster a standby; promotion
// removes it.
const standbySignal = "standby.signal"

// listenUpstream opens the socket, once for a machine's life.
func (m *Machine) listenUpstream() error {
	if m.follows() != nil {
		return nil
	}
	dir := m.socket + "u"
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return err
	}
	ln, err := net.Listen("unix", filepath.Join(dir, socketName))
	if err != nil {
		return err
	}
	if err := errors.Join(os.Chmod(dir, 0o711), os.Chmod(filepath.Join(dir, socketName), 0o777)); err != nil {
		return errors.Join(err, ln.Close())
	}
	u := &upstream{dir: dir, name: m.spec.Name, password: m.rack.opt.Password, ln: ln, open: map[net.Conn]struct{}{}}
	m.up.Store(u)
	go u.serve()
	return nil
}

func (u *upstream) serve() {
	for {
		in, err := u.ln.Accept()
		if err != nil {
			return
		}
		u.mu.Lock()
		dial, held := u.dial, u.held
		u.open[in] = struct{}{}
		u.mu.Unlock()
		if held {
			continue // silence, until it is let go
		}
		go u.pass(in, dial)
	}
}

func (u *upstream) pass(in net.Conn, dial func(context.Context) (net.Conn, error)) {
	defer u.forget(in)
	if dial == nil {
		return
	}
	out, err := dial(context.Background())
	if err != nil {
		return
	}
	u.mu.Lock()
	u.open[out] = struct{}{}
	u.mu.Unlock()
	defer u.forget(out)
	var wg sync.WaitGroup
	wg.Go(func() { pipe(out, in) })
	wg.Go(func() { pipe(in, out) })
	wg.Wait()
}

func (u *upstream) forget(c net.Conn) {
	c.Close()
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.open, c)
}

// point leads new connections to dial and ends the old ones.
func (u *upstream) point(dial func(context.Context) (net.Conn, error)) {
	u.change(func() { u.dial = dial })
}

// hold lets nothing through from now on, as a network that loses every packet.
func (u *upstream) hold(held bool) { u.change(func() { u.held = held }) }

func (u *upstream) change(do func()) {
	u.mu.Lock()
	do()
	open := u.open
	u.open = map[net.Conn]struct{}{}
	u.mu.Unlock()
	for c := range open {
		c.Close()
	}
}

func (u *upstream) close() {
	u.ln.Close()
	u.point(nil)
}

// Follow says where the machine's cluster, as a standby, gets its changes
// from. It holds for every life of the machine until it is said anew.
func (m *Machine) Follow(dial func(context.Context) (net.Conn, error)) error {
	if err := m.listenUpstream(); err != nil {
		return fmt.Errorf("follow: %w", err)
	}
	m.follows().point(dial)
	return nil
}

// follows is what the machine follows, or has followed; nil for none.
func (m *Machine) follows() *upstream { return m.up.Load() }

// HoldStream stops, or lets on again, what the standby receives.
func (m *Machine) HoldStream(held bool) {
	if u := m.follows(); u != nil {
		u.hold(held)
	}
}

// Clone replaces the cluster of a machine that is off by a base backup of
// what it follows, and makes it a standby.
func (m *Machine) Clone(ctx context.Context) error {
	if err := m.emptyData(); err != nil {
		return fmt.Errorf("clone %s: %w", m.spec.Name, err)
	}
	if err := m.baseBackup(ctx, m.follows().dir, m.dataDir()); err != nil {
		return fmt.Errorf("clone %s: %w", m.spec.Name, err)
	}
	return m.makeStandby()
}

func (m *Machine) makeStandby() error {
	file := filepath.Join(m.dataDir(), standbySignal)
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		return err
	}
	return m.pg.give(file)
}

// emptyData makes an empty data folder that belongs to PostgreSQL's user.
func (m *Machine) emptyData() error {
	if err := os.RemoveAll(m.dataDir()); err != nil {
		return err
	}
	return m.pg.own(m.dataDir(), 0o700)
}

// baseBackup runs pg_basebackup against a socket.
func (m *Machine) baseBackup(ctx context.Context, socket, to string) error {
	cmd := m.pg.command("pg_basebackup", []string{"PGPASSWORD=" + m.rack.opt.Password, "PGCONNECT_TIMEOUT=10"},
		"-h", socket, "-p", "5432", "-U", "postgres", "-w", "-D", to, "-X", "stream", "-c", "fast", "--no-sync", "--no-manifest")
	var out tail10
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := m.rack.keeper.start(cmd, syscall.SIGKILL); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
		_ = cmd.Process.Kill()
		<-ended
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("pg_basebackup: %w: %s", err, strings.ReplaceAll(strings.TrimSpace(string(out.text)), "\n", "; "))
	}
	return nil
}

// tail10 keeps the end of what a program says.
type tail10 struct{ text []byte }

func (t *tail10) Write(b []byte) (int, error) {
	t.text = append(t.text, b...)
	t.text = t.text[max(0, len(t.text)-10<<10):]
	return len(b), nil
}

// Standby tells whether the cluster on the disk is a standby.
func (m *Machine) Standby() bool {
	_, err := os.Stat(filepath.Join(m.dataDir(), standbySignal))
	return err == nil
}

// WaitDatabase waits until the machine's database takes connections.
func (m *Machine) WaitDatabase(ctx context.Context) error {
	conn, err := m.connectReady(ctx)
	if err != nil {
		return fmt.Errorf("wait for the database of %s: %w", m.spec.Name, err)
	}
	return conn.Close(ctx)
}

// InRecovery asks the running cluster whether it is a standby.
func (m *Machine) InRecovery(ctx context.Context) (standby bool, err error) {
	err = m.ask(ctx, func(conn *pgx.Conn) error { return conn.QueryRow(ctx, "SELECT pg_is_in_recovery()").Scan(&standby) })
	return standby, err
}

// Promote makes the running standby a primary and waits until it is one.
func (m *Machine) Promote(ctx context.Context) error {
	var done bool
	err := m.ask(ctx, func(conn *pgx.Conn) error { return conn.QueryRow(ctx, "SELECT pg_promote(true, 30)").Scan(&done) })
	if err == nil && !done {
		err = errors.New("the server did not end its recovery in 30 seconds")
	}
	if err != nil {
		return fmt.Errorf("promote: %w", err)
	}
	return nil
}

func (m *Machine) ask(ctx context.Context, do func(*pgx.Conn) error) error {
	if g := m.life(); g == nil || g.work.Err() != nil {
		return fmt.Errorf("%s is %s", m.spec.Name, m.State())
	}
	conn, err := m.connect(ctx, "postgres")
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return do(conn)
}

// Settings replaces what ALTER SYSTEM would have set, and makes the cluster,
// when it runs, take note.
func (m *Machine) Settings(set map[string]string) error {
	text := "# The world's own settings.\nwal_keep_size = '128MB'\n" // in place of slots: who was away for a while can go on
	if m.follows() != nil {
		text += "wal_retrieve_retry_interval = '200ms'\nwal_receiver_timeout = '10s'\nwal_receiver_status_interval = '1s'\n"
	}
	for name, value := range set {
		text += fmt.Sprintf("%s = '%s'\n", name, value)
	}
	file := filepath.Join(m.dataDir(), "postgresql.auto.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	if err := m.pg.give(file); err != nil {
		return err
	}
	if g := m.life(); g != nil {
		if c := g.cluster(); c != nil && c.running() {
			return c.cmd.Process.Signal(syscall.SIGHUP)
		}
	}
	return nil
}

// BackUp makes a base backup of the running cluster into a new folder.
func (m *Machine) BackUp(ctx context.Context, dir string) error {
	if err := m.pg.own(dir, 0o700); err != nil {
		return err
	}
	return m.baseBackup(ctx, m.socket, dir)
}

// Restore replaces the cluster of a machine that is off by a base backup.
func (m *Machine) Restore(dir string) error {
	if err := os.RemoveAll(m.dataDir()); err != nil {
		return err
	}
	if err := copyTree(dir, m.dataDir()); err != nil {
		return err
	}
	return m.Detach()
}

// Detach makes the cluster of a machine that is off one that follows nobody.
func (m *Machine) Detach() error {
	err := os.Remove(filepath.Join(m.dataDir(), standbySignal))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// Shutdown ends the guest in order, without the latency of the button, and
// returns when it is off; one that hangs loses its power.
func (m *Machine) Shutdown(ctx context.Context) {
	g := m.life()
	if g == nil {
		return
	}
	if g.state() == Hung || !g.leaving.CompareAndSwap(false, true) {
		m.Cut()
		return
	}
	for i := len(g.units) - 1; i >= 0 && ctx.Err() == nil; i-- {
		g.units[i].stop(g.work)
	}
	m.Cut()
}

// Dial connects to the machine's database as another machine does: a machine
// that is off or hangs does not answer.
func (m *Machine) Dial(ctx context.Context) (net.Conn, error) {
	to, reach := m.Port(5432)
	if reach != Open {
		return nil, fmt.Errorf("%s does not answer", m.spec.Name)
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", to)
}
