package machine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/webhost-systems/drhost/host/clock"
)

// Options of a rack. Dir must be a folder that PostgreSQL's user may enter.
type Options struct {
	Dir      string
	Clock    clock.Clock   // waits of machines go by it; the real one when nil
	Boot     time.Duration // from power to answering; 15 s when 0 (assumed: a small cloud server with Debian)
	Shutdown time.Duration // from the ACPI button to off; 3 s when 0 (assumed)
	Password string        // of the database role postgres
	// Dial connects a machine to "name or address:port" of the world, as
	// standbys reach their primaries. May be nil: then they reach nobody.
	Dial func(ctx context.Context, address string) (net.Conn, error)
	// Runs is told of every command that comes by SSH, and what it returns of
	// its end. May be nil.
	Runs func(Command) (ended func(Command))
}

// Command is one that came by SSH.
type Command struct {
	Time   time.Time `json:"time"` // when it began
	Server string    `json:"server"`
	User   string    `json:"user"`
	Text   string    `json:"text"`
	Ended  bool      `json:"ended"`
	Cut    bool      `json:"cut,omitempty"` // it ended because its client or the machine was gone
	Exit   int       `json:"exit"`
	Stdout string    `json:"stdout,omitempty"` // the first 64 KiB
}

// Spec is what a machine is made of.
type Spec struct {
	ID       int64
	Name     string
	Image    string
	Address  string
	UserData string
	Keys     []string // authorized_keys lines
}

// Rack holds the machines of a world, their images and their processes. Its
// methods are safe for concurrent use.
type Rack struct {
	opt    Options
	keeper *keeper
	images *images

	mu       sync.Mutex
	machines map[int64]*Machine
	made     int
	closed   bool
}

// ErrNoMachine is returned for an id that the rack does not hold.
var ErrNoMachine = errors.New("there is no such machine")

// New makes an empty rack in opt.Dir.
func New(opt Options) (*Rack, error) {
	if opt.Clock == nil {
		opt.Clock = clock.System{}
	}
	if opt.Boot <= 0 {
		opt.Boot = 15 * time.Second
	}
	if opt.Shutdown <= 0 {
		opt.Shutdown = 3 * time.Second
	}
	// A socket's path has at most 107 characters (unix(7)).
	if longest := filepath.Join(opt.Dir, "sockets", "9999", socketName); len(longest) > 107 {
		return nil, fmt.Errorf("the folder %s is too deep for the socket of a database; set TMPDIR to a shorter one", opt.Dir)
	}
	for _, sub := range []string{"", "images", "machines", "sockets"} {
		dir := filepath.Join(opt.Dir, sub)
		if err := os.MkdirAll(dir, 0o711); err != nil {
			return nil, err
		}
		if err := os.Chmod(dir, 0o711); err != nil {
			return nil, err
		}
	}
	return &Rack{opt: opt, keeper: newKeeper(), machines: map[int64]*Machine{},
		images: newImages(filepath.Join(opt.Dir, "images"), opt.Password)}, nil
}

// Provision makes the disk of a machine from an image. For an id that exists
// already it is a rebuild: the old disk is gone, the machine is off.
func (r *Rack) Provision(ctx context.Context, s Spec) (*Machine, error) {
	if old, err := r.Machine(s.ID); err == nil {
		old.Cut()
		if err := r.Destroy(s.ID); err != nil {
			return nil, err
		}
	}
	source, err := r.images.folder(s.Image)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.made++
	dir := filepath.Join(r.opt.Dir, "machines", strconv.Itoa(r.made))
	socket := filepath.Join(r.opt.Dir, "sockets", strconv.Itoa(r.made))
	r.mu.Unlock()
	if err := copyTree(source, dir); err != nil {
		return nil, fmt.Errorf("copy image %s: %w", s.Image, err)
	}
	m, err := newMachine(r, s, dir, socket)
	if err != nil {
		return nil, fmt.Errorf("provision %s: %w", s.Name, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, errKeeperClosed
	}
	r.machines[s.ID] = m
	return m, nil
}

// Machine returns the machine with an id, or ErrNoMachine.
func (r *Rack) Machine(id int64) (*Machine, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := r.machines[id]; m != nil {
		return m, nil
	}
	return nil, fmt.Errorf("machine %d: %w", id, ErrNoMachine)
}

// Named returns the machine with a name, or ErrNoMachine.
func (r *Rack) Named(name string) (*Machine, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.machines {
		if m.spec.Name == name {
			return m, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", name, ErrNoMachine)
}

// Image copies the disk of a machine into a new image; a running database is
// held still meanwhile, so that the copy is what a power cut would leave.
func (r *Rack) Image(id int64, image string) error {
	m, err := r.Machine(id)
	if err != nil {
		return err
	}
	return m.whileStill(func() error { return r.images.add(image, m.dir) })
}

// Has tells whether an image was made or asked for already.
func (r *Rack) Has(image string) bool { return r.images.has(image) }

// Destroy cuts a machine's power and removes its disk.
func (r *Rack) Destroy(id int64) error {
	r.mu.Lock()
	m := r.machines[id]
	delete(r.machines, id)
	r.mu.Unlock()
	if m == nil {
		return fmt.Errorf("machine %d: %w", id, ErrNoMachine)
	}
	m.Cut()
	return m.remove()
}

// Close ends every process that the rack started. The folder stays: it is the
// caller's.
func (r *Rack) Close() error {
	r.mu.Lock()
	r.closed = true
	machines := r.machines
	r.machines = map[int64]*Machine{}
	r.mu.Unlock()
	var wg sync.WaitGroup
	for _, m := range machines {
		wg.Go(func() {
			m.Cut()
			if u := m.follows(); u != nil {
				u.close()
			}
			_ = m.disk.close()
		})
	}
	wg.Wait()
	r.keeper.close()
	return nil
}
