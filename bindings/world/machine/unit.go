package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
)

// Names of the units that images may bring.
const (
	unitSSH        = "ssh"
	unitPostgreSQL = "postgresql"
	unitWebhost    = "webhost"
)

func descriptions(unit string) string {
	switch unit {
	case unitSSH:
		return "OpenBSD Secure Shell server"
	case unitPostgreSQL:
		return "PostgreSQL RDBMS"
	case unitWebhost:
		return "WebHost.Systems application"
	}
	return unit
}

// unit is a service of a guest, as systemctl sees it.
type unit struct {
	guest  *guest
	name   string
	port   int
	always bool // needs no link in multi-user.target.wants to start at boot
	launch func(u *unit) error

	mu      sync.Mutex
	state   string // "active", "inactive", "failed"
	open    *port
	server  io.Closer
	cluster *cluster
}

var errGuestDead = errors.New("the machine is off")

func sshUnit(g *guest) *unit {
	return &unit{guest: g, name: unitSSH, port: 22, always: true, state: "inactive", launch: func(u *unit) error {
		server, err := newSSHServer(g)
		if err != nil {
			return err
		}
		u.server = server
		go func(p *port) { _ = server.Serve(p) }(u.open) // ends with the port
		return nil
	}}
}

func webhostUnit(g *guest) *unit {
	return &unit{guest: g, name: unitWebhost, port: 80, state: "inactive", launch: func(u *unit) error {
		app := newApplication(g)
		server := &http.Server{Handler: app}
		u.server = closers{server, app}
		go func(p *port) { _ = server.Serve(p) }(u.open) // ends with the port
		return nil
	}}
}

func postgresqlUnit(g *guest) *unit {
	return &unit{guest: g, name: unitPostgreSQL, port: 5432, state: "inactive", launch: func(u *unit) error {
		log, err := g.m.disk.open("/var/log/postgresql.log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		defer log.Close()
		follows, why := g.m.followingAs()
		if why != nil { // it starts and follows nobody, as one whose setting is wrong
			fmt.Fprintf(log, "WARNING:  %v\n", why)
		}
		c, err := startCluster(g.m.rack.keeper, g.m.pg, g.m.dataDir(), g.m.socket, follows, log)
		if err != nil {
			return err
		}
		u.cluster = c
		go u.open.relay(c.dial)
		go u.watch(c)
		go u.vet(c)
		return nil
	}}
}

// watch notices when the database ends by itself.
func (u *unit) watch(c *cluster) {
	<-c.ended
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.cluster == c && u.state == "active" {
		u.state = "failed"
		u.guest.m.log.add("systemd", "%s.service: main process exited; see /var/log/postgresql.log", u.name)
		u.closePort()
	}
}

// enabled tells whether the unit starts at boot.
func (u *unit) enabled() bool {
	return u.always || u.guest.m.disk.exists("/etc/systemd/system/multi-user.target.wants/"+u.name+".service")
}

func (u *unit) active() bool { return u.status() == "active" }

func (u *unit) status() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.state
}

// address is where connections to the unit's port lead; empty when nothing
// would take them.
func (u *unit) address() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.state != "active" || u.open == nil || (u.cluster != nil && !u.cluster.accepting()) {
		return ""
	}
	return u.open.address()
}

// start starts the unit; without effect when it is active.
func (u *unit) start() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.state == "active" {
		return nil
	}
	if u.guest.isDead() {
		return errGuestDead
	}
	p, err := listen(u.guest)
	if err != nil {
		return err
	}
	u.open = p
	if err := u.launch(u); err != nil {
		u.state = "failed"
		u.closePort()
		return fmt.Errorf("start %s: %w", u.name, err)
	}
	u.state = "active"
	u.guest.m.log.add("systemd", "Started %s.service - %s.", u.name, descriptions(u.name))
	return nil
}

// reload makes the unit's database read its settings again; other units have
// none.
func (u *unit) reload() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.state != "active" {
		return fmt.Errorf("%s.service is not active, cannot reload", u.name)
	}
	if u.cluster == nil {
		return nil
	}
	return u.cluster.reload()
}

// stop ends the unit in order.
func (u *unit) stop(ctx context.Context) {
	u.mu.Lock()
	c := u.cluster
	u.cluster = nil
	if u.state == "active" {
		u.guest.m.log.add("systemd", "Stopped %s.service - %s.", u.name, descriptions(u.name))
	}
	u.state = "inactive"
	u.closePort()
	u.mu.Unlock()
	if c != nil {
		ctx, cancel := context.WithTimeout(ctx, stopGrace)
		defer cancel()
		c.stop(ctx)
	}
}

func (u *unit) kill() {
	u.mu.Lock()
	c := u.cluster
	u.cluster, u.state = nil, "inactive"
	u.closePort()
	u.mu.Unlock()
	if c != nil {
		c.kill()
	}
}

// closePort closes the port and what served it; u.mu is held.
func (u *unit) closePort() {
	if u.open != nil {
		u.open.Close()
	}
	if u.server != nil {
		u.server.Close()
	}
	u.open, u.server = nil, nil
}

type closers []io.Closer

func (c closers) Close() (err error) {
	for _, x := range c {
		err = errors.Join(err, x.Close())
	}
	return err
}
