package torture

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/webhost-systems/drhost/host/journal/filestore"
)

// Durable is what a power loss leaves of a state folder: of each file so many
// bytes, and of what was made lately only what its folder was synced for.
type Durable struct {
	Synced  map[string]int64 `json:"synced,omitempty"`  // bytes by path
	Written map[string]int64 `json:"written,omitempty"` // bytes by path, with those that were not synced
	Fresh   []string         `json:"fresh,omitempty"`   // files and folders whose folder was not synced
}

// lose takes away what was not synced, the head of a journal among it. With
// torn, a part of it stays.
func (d Durable) lose(torn bool, seed int64) error {
	random := rand.New(rand.NewPCG(uint64(seed), 0x746f726e))
	for _, path := range slices.Sorted(maps.Keys(d.Synced)) {
		keep, written := d.Synced[path], d.Written[path]
		if torn && written > keep {
			keep += random.Int64N(written - keep + 1)
		}
		if err := os.Truncate(path, keep); err != nil && !os.IsNotExist(err) {
			return err
		}
		if head := filepath.Join(filepath.Dir(path), "journal.head"); !torn {
			if err := os.Remove(head); err != nil && !os.IsNotExist(err) {
				return err
			}
		}
	}
	for _, path := range d.Fresh {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}

// disk watches what a store writes and syncs. It does not really sync: the
// machine's own power stays on.
type disk struct {
	filestore.System
	life *mortal
	lies bool // a sync of an intent does nothing: the harness has to notice
	synced,
	written map[string]int64
	fresh map[string]bool
}

var _ filestore.Disk = (*disk)(nil)

// newDisk is the disk that earlier lives have left.
func newDisk(life *mortal, left Durable, lies bool) *disk {
	d := &disk{life: life, lies: lies, synced: map[string]int64{}, written: map[string]int64{}, fresh: map[string]bool{}}
	maps.Copy(d.synced, left.Synced)
	maps.Copy(d.written, left.Written)
	for _, path := range left.Fresh {
		d.fresh[path] = true
	}
	return d
}

// durable is called at death, with the life's lock held, or after its end.
func (d *disk) durable() Durable {
	return Durable{Synced: maps.Clone(d.synced), Written: maps.Clone(d.written), Fresh: slices.Sorted(maps.Keys(d.fresh))}
}

func (d *disk) make(what, path string, do func(string) error) (err error) {
	d.life.pass("before making the %s", what)
	d.life.with(func() {
		if err = do(path); err == nil {
			d.fresh[path] = true
		}
	})
	d.life.pass("after making the %s", what)
	return err
}

func (d *disk) Mkdir(path string) error { return d.make("folder", path, d.System.Mkdir) }
func (d *disk) Make(path string) error  { return d.make("journal", path, d.System.Make) }

func (d *disk) SyncFolder(path string) error {
	d.life.pass("before syncing a folder")
	d.life.with(func() {
		for made := range d.fresh {
			if filepath.Dir(made) == path {
				delete(d.fresh, made)
			}
		}
	})
	d.life.pass("after syncing a folder")
	return nil
}

func (d *disk) Cut(path string, size int64) (err error) {
	d.life.pass("before cutting off a torn line")
	d.life.with(func() {
		if err = os.Truncate(path, size); err == nil {
			d.synced[path], d.written[path] = size, size
		}
	})
	d.life.pass("after cutting off a torn line")
	return err
}

func (d *disk) Append(path string) (filestore.File, error) {
	f, err := d.System.Append(path)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	d.life.with(func() {
		if _, known := d.synced[path]; !known && !d.fresh[path] {
			d.synced[path] = info.Size() // it was there before any life
		} else if !known {
			d.synced[path] = 0
		}
		d.written[path] = info.Size()
	})
	return &watched{File: f, disk: d, path: path, last: "nothing"}, nil
}

// watched is the journal on a disk.
type watched struct {
	filestore.File
	disk *disk
	path string
	last string // what was written last
}

func (w *watched) Write(line []byte) (n int, err error) {
	w.last = title(line)
	w.disk.life.pass("before the append of %s", w.last)
	w.disk.life.with(func() {
		n, err = w.File.Write(line)
		w.disk.written[w.path] += int64(n)
	})
	w.disk.life.pass("after the append of %s", w.last)
	return n, err
}

func (w *watched) Sync() error {
	w.disk.life.pass("before the sync of %s", w.last)
	w.disk.life.with(func() {
		if !w.disk.lies || !strings.HasPrefix(w.last, "call_intent") {
			w.disk.synced[w.path] = w.disk.written[w.path]
		}
	})
	w.disk.life.pass("after the sync of %s", w.last)
	return nil
}

// title says what a record is about, the same in every life.
func title(line []byte) string {
	var r struct {
		Kind    string
		Payload struct{ Key, Path string }
	}
	if json.Unmarshal(line, &r) != nil {
		return "something"
	}
	return strings.TrimSpace(r.Kind + " " + r.Payload.Key + r.Payload.Path)
}
