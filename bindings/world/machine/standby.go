package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
)

// standbySignal is the file that makes a cluster a standby; promotion
// removes it.
const standbySignal = "standby.signal"

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
	if err := m.settle(m.follows().setting()); err != nil { // the copy has what the other one follows
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

// Settings replaces what ALTER SYSTEM would have set, but for what the cluster
// follows, and makes the cluster, when it runs, take note.
func (m *Machine) Settings(set map[string]string) error {
	text := "# The world's own settings.\nwal_keep_size = '128MB'\n" // in place of slots: who was away for a while can go on
	kept, err := m.ownSettings()
	if err != nil {
		return err
	}
	if _, err := followed(kept[primaryConninfo]); err == nil {
		text += kept.line(primaryConninfo) + kept.line(primarySlot)
	}
	if m.follows() != nil {
		text += "wal_retrieve_retry_interval = '200ms'\nwal_receiver_timeout = '10s'\nwal_receiver_status_interval = '1s'\n"
	}
	for name, value := range set {
		text += fmt.Sprintf("%s = '%s'\n", name, value)
	}
	return m.settle(text)
}

// settle writes the settings that lie over the others, and makes the cluster,
// when it runs, take note.
func (m *Machine) settle(text string) error {
	file := filepath.Join(m.dataDir(), autoConf)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	if err := m.pg.give(file); err != nil {
		return err
	}
	if g := m.life(); g != nil {
		if c := g.cluster(); c != nil && c.running() {
			return c.reload()
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
