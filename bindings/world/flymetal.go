package world

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/webhost-systems/drhost/bindings/fly/flysim"
	"github.com/webhost-systems/drhost/bindings/world/machine"
)

// flyMetal lets the simulated API of Fly.io stand on a rack: machines of a
// Postgres app are servers with a real cluster each, machines of any other
// app are web servers of this process.
type flyMetal struct {
	world *World
	rack  *machine.Rack

	mu      sync.Mutex
	next    int64                // id on the rack
	nodes   map[string]*node     // by volume
	running map[string]*node     // by machine
	sites   map[string]*site     // by machine
	bad     map[string]bool      // images whose application does not work
	follows map[string]string    // Postgres app -> the app that it is a replica of
	taken   map[string][]*backup // by Postgres app, oldest first
	turn    int                  // counts promotions
}

// node is the cluster on one volume.
type node struct {
	volume string
	id     int64 // on the rack
	m      *machine.Machine
	b      flysim.Blueprint

	empty   bool // it was made of nothing
	started bool // a machine has run on it

	promoted int  // the turn of its promotion; 0 for the first primary
	zombie   bool // it was a primary when another one had taken over
	full     bool // its disk is
	lag      bool // it receives nothing
}

var _ flysim.Metal = (*flyMetal)(nil)

// firstFlyID is where the numbers of Fly's machines begin on the rack, far
// from those of Hetzner's.
const firstFlyID = 1 << 40

func newFlyMetal(w *World) *flyMetal {
	return &flyMetal{world: w, rack: w.rack, next: firstFlyID, nodes: map[string]*node{}, running: map[string]*node{},
		sites: map[string]*site{}, bad: map[string]bool{}, follows: map[string]string{}, taken: map[string][]*backup{}}
}

// Start is flysim.Metal's.
func (f *flyMetal) Start(ctx context.Context, b flysim.Blueprint) error {
	if !b.Postgres {
		return f.startSite(b)
	}
	if b.Volume == "" {
		return errors.New("a Postgres machine wants a volume")
	}
	n, err := f.node(ctx, b)
	if err != nil {
		return err
	}
	if err := f.prepare(ctx, n); err != nil {
		return err
	}
	f.mu.Lock()
	n.started = true // only this machine's own work, one after the other, reads it
	f.running[b.ID] = n
	f.mu.Unlock()
	if err := n.m.BootAtOnce(); err != nil {
		return err
	}
	return n.m.WaitUp(ctx)
}

// node finds the cluster of a volume, or makes an empty machine for it.
func (f *flyMetal) node(ctx context.Context, b flysim.Blueprint) (*node, error) {
	f.mu.Lock()
	n := f.nodes[b.Volume]
	f.mu.Unlock()
	if n == nil {
		n = &node{volume: b.Volume, b: b, empty: true}
		return n, f.provision(ctx, n, machine.Flex)
	}
	f.mu.Lock()
	n.b, n.lag = b, false
	f.mu.Unlock()
	n.m.Cut() // whatever was left of an earlier life
	return n, nil
}

func (f *flyMetal) provision(ctx context.Context, n *node, image string) error {
	f.mu.Lock()
	f.next++
	n.id = f.next
	f.mu.Unlock()
	m, err := f.rack.Provision(ctx, machine.Spec{ID: n.id, Name: n.volume, Image: image, Keys: []string{f.world.access.publicKey}})
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	n.m = m
	f.nodes[n.volume] = n
	return nil
}

// prepare decides what a cluster is when it starts.
func (f *flyMetal) prepare(ctx context.Context, n *node) error {
	leader := f.leader(n.b.App)
	if !n.started {
		return f.prepareFirst(ctx, n, leader)
	}
	if !n.m.Standby() && leader != nil && leader != n {
		// A primary that another one has replaced is fenced, and when it
		// starts once more it joins: repmgr's node rejoin, with a new copy in
		// place of pg_rewind.
		f.mu.Lock()
		fenced := n.zombie
		n.zombie = !fenced
		f.mu.Unlock()
		if fenced {
			return f.join(ctx, n, leader)
		}
	}
	if n.m.Standby() {
		n.m.HoldStream(false)
		if leader != nil && f.lost(n.m.Following()) {
			if err := f.point(n, leader); err != nil {
				return err
			}
		}
	}
	return n.m.Settings(f.settings(n))
}

// lost tells whether a private address is that of no machine any more.
func (f *flyMetal) lost(address string) bool {
	if _, err := netip.ParseAddr(address); err != nil {
		return false // a name is for its server to know
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range f.running {
		if n.b.PrivateIP == address {
			return false
		}
	}
	return true
}

// prepareFirst decides for a volume that no machine has started on: it joins
// the app's primary, follows another app's, or becomes the primary itself, of
// nothing, of a backup or of what a snapshot has kept.
func (f *flyMetal) prepareFirst(ctx context.Context, n, leader *node) error {
	backup, err := f.wantedBackup(n.b)
	switch {
	case err != nil:
		return err
	case backup != nil:
		if err := n.m.Restore(backup.dir); err != nil {
			return err
		}
		return n.m.Settings(nil)
	case leader != nil || f.follows[n.b.App] != "":
		return f.join(ctx, n, leader)
	case n.empty:
		return n.m.Settings(nil)
	}
	if err := n.m.Detach(); err != nil {
		return err
	}
	return n.m.Settings(nil)
}

// join makes a cluster the standby of another, or of another app's primary.
func (f *flyMetal) join(ctx context.Context, n, leader *node) error {
	if err := f.point(n, leader); err != nil {
		return err
	}
	if err := n.m.Clone(ctx); err != nil {
		return err
	}
	return n.m.Settings(f.settings(n))
}

// settings of the cluster that its fate brings with it.
func (f *flyMetal) settings(n *node) map[string]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	set := map[string]string{}
	if n.zombie || n.full {
		set["default_transaction_read_only"] = "on"
	}
	return set
}

// ownPort is where PostgreSQL itself listens on a postgres-flex machine, beside
// the proxy that leads to the primary.
const ownPort = "5433"

// point lets a standby follow another node, or the primary of the app that its
// own one is a replica of.
func (f *flyMetal) point(n, leader *node) error {
	if leader == nil {
		return n.m.Follow(f.follows[n.b.App]+".flycast", "5432")
	}
	return n.m.Follow(leader.b.PrivateIP, ownPort)
}

// leader finds the primary of an app that answers and is no zombie; of
// several, the one promoted last.
func (f *flyMetal) leader(app string) *node {
	var best *node
	last := -1
	for _, n := range f.of(app) {
		f.mu.Lock()
		zombie, promoted := n.zombie, n.promoted
		f.mu.Unlock()
		if !zombie && promoted > last && !n.m.Standby() && n.m.State() == machine.Up {
			best, last = n, promoted
		}
	}
	return best
}

// of lists the clusters of an app that run.
func (f *flyMetal) of(app string) []*node {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []*node
	for _, id := range slices.Sorted(maps.Keys(f.running)) {
		if n := f.running[id]; n.b.App == app && n.b.ID == id {
			list = append(list, n)
		}
	}
	return list
}

func (f *flyMetal) byVolume(volume string) *node {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.nodes[volume]
}

// nodeOf finds the cluster that a machine runs, or nil.
func (f *flyMetal) nodeOf(machine string) *node {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.running[machine]
}

// Stop is flysim.Metal's.
func (f *flyMetal) Stop(ctx context.Context, id string) error {
	if n := f.drop(id); n != nil {
		n.m.Shutdown(ctx)
	}
	return nil
}

// Kill is flysim.Metal's.
func (f *flyMetal) Kill(id string) {
	if n := f.drop(id); n != nil {
		n.m.Cut()
	}
}

// drop forgets that a machine runs, and ends its web server if it is one.
func (f *flyMetal) drop(id string) *node {
	f.mu.Lock()
	n, s := f.running[id], f.sites[id]
	delete(f.running, id)
	delete(f.sites, id)
	f.mu.Unlock()
	if s != nil {
		s.close()
	}
	return n
}

// Destroy is flysim.Metal's.
func (f *flyMetal) Destroy(id string) { f.Kill(id) }

// MakeVolume is flysim.Metal's. An empty volume gets its cluster when a
// machine starts on it.
func (f *flyMetal) MakeVolume(ctx context.Context, volume, snapshot, source string) error {
	image := snapshot
	n := &node{volume: volume} // not empty
	if source != "" {
		from := f.byVolume(source)
		if from == nil || from.m == nil {
			return nil // the source is empty, too
		}
		image = "fork-" + volume
		if err := f.rack.Image(from.id, image); err != nil {
			return err
		}
	}
	if image == "" || !f.rack.Has(image) {
		return nil
	}
	return f.provision(ctx, n, image)
}

// Snapshot is flysim.Metal's. A volume that no machine has started on is
// empty, and so is its snapshot.
func (f *flyMetal) Snapshot(_ context.Context, volume, snapshot string) error {
	n := f.byVolume(volume)
	if n == nil || n.m == nil {
		return nil
	}
	return f.rack.Image(n.id, snapshot)
}

// DestroyVolume is flysim.Metal's.
func (f *flyMetal) DestroyVolume(volume string) {
	f.mu.Lock()
	n := f.nodes[volume]
	delete(f.nodes, volume)
	f.mu.Unlock()
	if n != nil && n.m != nil {
		_ = f.rack.Destroy(n.id) // gone either way
	}
}

// Grow is flysim.Grower's: a disk that was full has room again.
func (f *flyMetal) Grow(volume string, _ int) {
	if n := f.byVolume(volume); n != nil {
		f.mu.Lock()
		n.full = false
		f.mu.Unlock()
		_ = n.m.Settings(f.settings(n)) // without effect on a machine that is off: it gets them when it starts
	}
}

// backup is a base backup as flexctl keeps it in object storage.
type backup struct {
	id, name, dir string
	begin, end    string
	wal           string
}

// wantedBackup finds what a machine is to be restored from: its environment
// names the archive of an app and, if it likes, the backup.
func (f *flyMetal) wantedBackup(b flysim.Blueprint) (*backup, error) {
	text := b.Env[restoreSecret]
	if text == "" {
		return nil, nil
	}
	app, target, err := archiveOf(text)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	all := f.taken[app]
	for i := len(all) - 1; i >= 0; i-- {
		if target == "" || target == all[i].id || target == all[i].name {
			return all[i], nil
		}
	}
	return nil, fmt.Errorf("there is no backup %q of %s", target, app)
}

// archive makes the folder of an app's backups.
func (f *flyMetal) archive(app string) (string, error) {
	dir := filepath.Join(f.world.dir, "rack", "archive-"+app)
	err := os.MkdirAll(dir, 0o711)
	return dir, errors.Join(err, os.Chmod(dir, 0o711))
}
