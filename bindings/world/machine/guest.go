package machine

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// guest is one life of a machine's system, from power-on to its death.
type guest struct {
	m   *Machine
	ctx context.Context // ends with the life
	end context.CancelFunc
	// work ends with the life and when the guest hangs: what runs inside.
	work   context.Context
	stop   context.CancelFunc
	frozen chan struct{} // closed when the guest hangs
	up     chan struct{} // closed when it has come up

	freezing sync.Once
	network  atomic.Bool // early in the boot there is no network yet
	leaving  atomic.Bool // it is shutting down
	rescue   bool

	mu    sync.Mutex
	units []*unit
	dead  bool
}

func newGuest(m *Machine, rescue bool) *guest {
	g := &guest{m: m, frozen: make(chan struct{}), up: make(chan struct{})}
	g.ctx, g.end = context.WithCancel(context.Background())
	g.work, g.stop = context.WithCancel(g.ctx)
	g.units = []*unit{sshUnit(g)}
	if g.rescue = rescue; rescue {
		return g
	}
	if m.pg != nil {
		g.units = append(g.units, postgresqlUnit(g))
	}
	if m.disk.exists("/etc/systemd/system/" + unitWebhost + ".service") {
		g.units = append(g.units, webhostUnit(g))
	}
	return g
}

// begin starts what takes real time at once, the database, and lets the rest
// follow after the boot's latency.
func (g *guest) begin(latency time.Duration) error {
	g.m.log.add("kernel", "Linux version 6.1.0 (simulated), %s booting", g.m.spec.Name)
	if u := g.unit(unitPostgreSQL); u != nil && u.enabled() {
		if err := u.start(); err != nil {
			return err
		}
	}
	go g.boot(latency)
	return nil
}

func (g *guest) boot(wait time.Duration) {
	clock := g.m.rack.opt.Clock
	if clock.Sleep(g.work, wait/3) != nil {
		return
	}
	g.network.Store(true)
	if clock.Sleep(g.work, wait-wait/3) != nil {
		return
	}
	for _, u := range g.units {
		if u.enabled() && !u.active() {
			if err := u.start(); err != nil && g.work.Err() == nil {
				g.m.log.add("systemd", "%s.service: %v", u.name, err)
			}
		}
	}
	close(g.up)
	if g.rescue {
		return
	}
	g.m.mu.Lock()
	first := g.m.first
	g.m.first = false
	w := g.m.writer
	g.m.mu.Unlock()
	if first && strings.HasPrefix(g.m.spec.UserData, "#!") {
		g.cloudInit()
	}
	if w != nil {
		go w.Run(g.work)
	}
}

// cloudInit runs user data that is a script, once, at the first boot.
func (g *guest) cloudInit() {
	var out strings.Builder
	code := g.shell(g.work, g.m.spec.UserData, session{user: "root", stdout: &out, stderr: &out})
	for _, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		if line != "" {
			g.m.log.add("cloud-init", "%s", line)
		}
	}
	g.m.log.add("cloud-init", "user data ended with exit status %d", code)
}

func (g *guest) state() State {
	select {
	case <-g.frozen:
		return Hung
	default:
	}
	select {
	case <-g.up:
		return Up
	default:
		return Booting
	}
}

func (g *guest) unit(name string) *unit {
	for _, u := range g.units {
		if u.name == strings.TrimSuffix(name, ".service") {
			return u
		}
	}
	return nil
}

// port tells what a connection to a port meets.
func (g *guest) port(number int) (string, Reach) {
	select {
	case <-g.frozen:
		return "", Silence
	case <-g.ctx.Done():
		return "", Silence
	default:
	}
	if !g.network.Load() {
		return "", Silence
	}
	for _, u := range g.units {
		if u.port == number {
			if address := u.address(); address != "" {
				return address, Open
			}
		}
	}
	return "", Refused
}

// cluster returns the running database, or nil.
func (g *guest) cluster() *cluster {
	u := g.unit(unitPostgreSQL)
	if u == nil {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.cluster
}

// shutDown ends the guest in order; it returns false when the guest died or
// hung before it was through.
func (g *guest) shutDown() bool {
	g.m.log.add("systemd", "powering down")
	if g.m.rack.opt.Clock.Sleep(g.work, g.m.rack.opt.Shutdown) != nil {
		return false
	}
	for i := len(g.units) - 1; i >= 0; i-- {
		g.units[i].stop(g.work)
	}
	if g.work.Err() != nil {
		return false
	}
	g.kill()
	return true
}

func (g *guest) freeze() {
	g.freezing.Do(func() {
		close(g.frozen)
		g.stop()
	})
}

// kill ends everything at once and returns when it is dead.
func (g *guest) kill() {
	g.end()
	g.mu.Lock()
	g.dead = true
	g.mu.Unlock()
	for _, u := range g.units {
		u.kill()
	}
}

func (g *guest) isDead() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.dead
}
