package machine

import (
	"context"
	"crypto/ed25519"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/crypto/ssh"
)

// State is what a machine is doing.
type State string

const (
	Off     State = "off"
	Booting State = "booting"
	Up      State = "up"
	Hung    State = "hung"   // powered, nothing answers, the ACPI button is ignored; a reset heals it
	Broken  State = "broken" // the hardware has failed: powered or not, no guest ever comes up
)

// Machine is one simulated server. Its methods are safe for concurrent use.
type Machine struct {
	rack   *Rack
	spec   Spec
	dir    string // its disk on the host
	socket string // folder of its database's socket on the host
	disk   *disk
	pg     *postgres // nil without PostgreSQL on the disk
	log    *journal
	host   ssh.PublicKey

	mu      sync.Mutex
	powered bool
	broken  bool
	rescue  bool   // the next boot goes into the rescue system
	guest   *guest // the life since the last power-on; nil when off or broken
	first   bool   // user data has not run yet
	writer  *Writer
	up      atomic.Pointer[upstream] // of a machine that follows, or has followed, another
}

func newMachine(r *Rack, s Spec, dir, socket string) (*Machine, error) {
	d, err := openDisk(dir)
	if err != nil {
		return nil, err
	}
	m := &Machine{rack: r, spec: s, dir: dir, socket: socket, disk: d, first: true,
		log: &journal{disk: d, clock: r.opt.Clock, host: s.Name}}
	if err := m.personalise(); err != nil {
		d.close()
		return nil, err
	}
	if d.exists("/etc/systemd/system/" + unitPostgreSQL + ".service") {
		if m.pg, err = findPostgreSQL(); err != nil {
			d.close()
			return nil, err
		}
	}
	return m, nil
}

// personalise writes what is a machine's own: name, host key, logins. Like
// cloud-init it runs for a machine made of a snapshot, too.
func (m *Machine) personalise() error {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	if m.host, err = ssh.NewPublicKey(public); err != nil {
		return err
	}
	block, err := ssh.MarshalPrivateKey(private, "root@"+m.spec.Name)
	if err != nil {
		return err
	}
	files := []struct {
		name, text string
		perm       os.FileMode
	}{
		{"/etc/hostname", m.spec.Name + "\n", 0o644},
		{"/etc/hosts", "127.0.0.1 localhost\n" + m.spec.Address + " " + m.spec.Name + "\n", 0o644},
		{hostKeyFile, string(pem.EncodeToMemory(block)), 0o600},
		{hostKeyFile + ".pub", string(ssh.MarshalAuthorizedKey(m.host)), 0o644},
		{"/root/.ssh/authorized_keys", strings.Join(m.spec.Keys, "\n") + "\n", 0o600},
	}
	if m.spec.UserData != "" {
		files = append(files, struct {
			name, text string
			perm       os.FileMode
		}{"/var/lib/cloud/instance/user-data.txt", m.spec.UserData, 0o600})
	}
	for _, f := range files {
		if err := m.disk.write(f.name, []byte(f.text), f.perm); err != nil {
			return err
		}
	}
	return nil
}

const hostKeyFile = "/etc/ssh/ssh_host_ed25519_key"

// Name is the machine's name.
func (m *Machine) Name() string { return m.spec.Name }

// HostKey is the public key its SSH server shows.
func (m *Machine) HostKey() ssh.PublicKey { return m.host }

// State tells what the machine is doing.
func (m *Machine) State() State {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.broken:
		return Broken
	case m.guest == nil:
		return Off
	}
	return m.guest.state()
}

// Powered tells whether there is power, whatever the guest does.
func (m *Machine) Powered() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.powered
}

// Reach says what a packet to a port meets.
type Reach int

const (
	Silence Reach = iota // off, hung, broken or early in the boot: no answer at all
	Refused              // the machine answers, nothing listens there
	Open
)

// Port tells what a connection to a port of the machine meets and, when it is
// open, the loopback address that it leads to.
func (m *Machine) Port(number int) (address string, reach Reach) {
	m.mu.Lock()
	g := m.guest
	m.mu.Unlock()
	if g == nil {
		return "", Silence
	}
	return g.port(number)
}

// Write puts a file on the machine's disk, whatever the machine is doing.
func (m *Machine) Write(name string, data []byte) error { return m.disk.write(name, data, 0o644) }

// Read reads a file of the machine's disk, whatever the machine is doing.
func (m *Machine) Read(name string) ([]byte, error) { return m.disk.read(name) }

// Run runs a command in the machine's shell as root, as if over SSH. The
// machine must be up.
func (m *Machine) Run(ctx context.Context, command string) (stdout, stderr string, exit int, err error) {
	g := m.life()
	if g == nil || g.state() != Up {
		return "", "", 0, fmt.Errorf("run on %s: the machine is %s", m.spec.Name, m.State())
	}
	var out, errs strings.Builder
	code := g.shell(ctx, command, session{user: "root", stdout: &out, stderr: &errs})
	return out.String(), errs.String(), code, nil
}

func (m *Machine) life() *guest {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.guest
}

func (m *Machine) whileStill(do func() error) error {
	if g := m.life(); g != nil {
		if c := g.cluster(); c != nil {
			return c.still(do)
		}
	}
	return do()
}

func (m *Machine) remove() error {
	_ = m.disk.close()
	if u := m.follows(); u != nil {
		u.close()
		if err := os.RemoveAll(u.dir); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(m.socket); err != nil {
		return err
	}
	return os.RemoveAll(m.dir)
}

func (m *Machine) dataDir() string { return filepath.Join(m.dir, dataFolder(m.pg)) }
