package machine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// upstream is how a standby reaches what it follows. Its PostgreSQL connects to
// a loopback address of the world's whatever primary_conninfo says
// (PGHOSTADDR), and the connection is led to where the name or address there
// leads in the world. So nothing leaves this computer, a standby is re-pointed
// as any other, and what lies between two machines can be cut.
type upstream struct {
	m        *Machine
	dir      string // of a socket that leads there, too, for base backups
	address  string // "" when this computer has none to give: then a setting of the standby's own has no effect
	password string // with which the standby logs in when it is told nothing else

	mu   sync.Mutex
	told hostPort // by the world
	open map[net.Conn]struct{}
	held bool
	lns  []net.Listener
}

// hostPort is a name or an address, and a port.
type hostPort struct{ host, port string }

// followPorts are the ports at which a standby may reach a primary: that of
// PostgreSQL, and that of a postgres-flex machine's own server beside its proxy.
func followPorts() []string { return []string{"5432", "5433"} }

// listenUpstream opens the sockets, once for a machine's life.
func (m *Machine) listenUpstream() (*upstream, error) {
	if u := m.follows(); u != nil {
		return u, nil
	}
	dir := m.socket + "u"
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, err
	}
	ln, err := net.Listen("unix", filepath.Join(dir, socketName))
	if err != nil {
		return nil, err
	}
	if err := errors.Join(os.Chmod(dir, 0o711), os.Chmod(filepath.Join(dir, socketName), 0o777)); err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	u := &upstream{m: m, dir: dir, password: m.rack.opt.Password, open: map[net.Conn]struct{}{}, lns: []net.Listener{ln}}
	u.listenTCP()
	m.up.Store(u)
	for _, ln := range u.lns {
		go u.serve(ln)
	}
	return u, nil
}

// listenTCP takes an address out of 127.0.0.0/8, all of which is loopback, so
// that the ports are those that runbooks say. Where somebody listens on such a
// port at every address, or an address other than 127.0.0.1 is not to be had,
// there is none.
func (u *upstream) listenTCP() {
	for range 5 {
		address := fmt.Sprintf("127.%d.%d.%d", 64+rand.IntN(128), rand.IntN(256), 1+rand.IntN(254))
		var lns []net.Listener
		for _, port := range followPorts() {
			if ln, err := net.Listen("tcp", net.JoinHostPort(address, port)); err == nil {
				lns = append(lns, ln)
			}
		}
		if len(lns) == len(followPorts()) {
			u.address, u.lns = address, append(u.lns, lns...)
			return
		}
		for _, ln := range lns {
			ln.Close()
		}
	}
}

func (u *upstream) serve(ln net.Listener) {
	for {
		in, err := ln.Accept()
		if err != nil {
			return
		}
		u.mu.Lock()
		held := u.held
		u.open[in] = struct{}{}
		u.mu.Unlock()
		if held {
			continue // silence, until it is let go
		}
		go u.pass(in)
	}
}

func (u *upstream) pass(in net.Conn) {
	defer u.forget(in)
	to := u.target(context.Background(), in.LocalAddr().Network() == "tcp")
	dial := u.m.rack.opt.Dial
	if to.host == "" || dial == nil {
		return
	}
	out, err := dial(context.Background(), net.JoinHostPort(to.host, to.port))
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

// target is what the standby follows: by its own setting, as it runs, or as it
// lies on the disk while nobody can ask it; else what the world has told it.
func (u *upstream) target(ctx context.Context, asks bool) hostPort {
	if asks {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second) // one that hangs does not answer
		defer cancel()
		if text, err := u.m.following(ctx); err == nil {
			if at, err := followed(text); err == nil && at.host != "" {
				return at
			}
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.told
}

func (u *upstream) forget(c net.Conn) {
	c.Close()
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.open, c)
}

// point says where it leads from now on, and ends the old connections.
func (u *upstream) point(to hostPort) { u.change(func() { u.told = to }) }

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
	for _, ln := range u.lns {
		ln.Close()
	}
	u.change(func() {})
}

// setting is the line by which the standby follows what it was told.
func (u *upstream) setting() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return settings{primaryConninfo: fmt.Sprintf("host=%s port=%s user=postgres", u.told.host, u.told.port)}.line(primaryConninfo)
}

// Follow says what the machine's cluster, as a standby, gets its changes from:
// a name or address of the world, and a port. It holds until it is said anew,
// here or by the cluster's own settings.
func (m *Machine) Follow(host, port string) error {
	u, err := m.listenUpstream()
	if err != nil {
		return fmt.Errorf("follow: %w", err)
	}
	u.point(hostPort{host, port})
	own, err := m.ownSettings()
	if err != nil {
		return fmt.Errorf("follow: %w", err)
	}
	if own == nil {
		return nil // there is no cluster yet
	}
	text, err := os.ReadFile(filepath.Join(m.dataDir(), autoConf))
	if err != nil {
		return fmt.Errorf("follow: %w", err)
	}
	return m.settle(string(text) + u.setting()) // the last one counts
}

// Following is the name or address of what the machine's cluster is set up to
// follow as a standby; "" for nothing.
func (m *Machine) Following() string {
	u := m.follows()
	if u == nil || !m.Standby() {
		return ""
	}
	own, err := m.ownSettings()
	if err == nil && u.address != "" {
		if at, err := followed(own[primaryConninfo]); err == nil && at.host != "" {
			return at.host
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.told.host
}

// follows is how the machine reaches what it follows, or has followed; nil for
// none.
func (m *Machine) follows() *upstream { return m.up.Load() }
