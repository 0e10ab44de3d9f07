package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

// Names of the images that a rack makes itself. Any other name that is not a
// number gives a bare machine, like Bare.
const (
	Bare  = "debian-12"     // SSH and nothing else
	Hobby = "webhost-hobby" // PostgreSQL with an empty database webhost_prod, unit webhost without its files
	Flex  = "postgres-flex" // PostgreSQL with an empty database webhost_prod, and nothing else
)

// images are the folders that disks are copied from.
type images struct {
	dir      string
	password string
	once     sync.Once // the first image with PostgreSQL gets its cluster by initdb
	template string    // and this is where
	failed   error     // or why it did not

	mu    sync.Mutex
	known map[string]*image
	made  int
}

// image is one folder; a stock image is made when it is first asked for.
type image struct {
	dir  string
	once sync.Once
	err  error
}

func newImages(dir, password string) *images {
	return &images{dir: dir, password: password, known: map[string]*image{}}
}

// folder returns the folder of an image, making stock images on first use. A
// number that is no known snapshot is an error.
func (i *images) folder(name string) (string, error) {
	i.mu.Lock()
	img := i.known[name]
	if img == nil {
		if _, err := strconv.ParseInt(name, 10, 64); err == nil {
			i.mu.Unlock()
			return "", fmt.Errorf("there is no snapshot %s", name)
		}
		img = i.next("stock")
		i.known[name] = img
	}
	i.mu.Unlock()
	img.once.Do(func() {
		if img.err = writeBase(img.dir, name); img.err != nil {
			return
		}
		switch name {
		case Hobby:
			img.err = i.writeServer(img.dir, unitPostgreSQL, unitWebhost)
		case Flex:
			img.err = i.writeServer(img.dir, unitPostgreSQL)
		}
	})
	return img.dir, img.err
}

func (i *images) has(name string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.known[name] != nil
}

// next makes the entry of a new image; i.mu is held.
func (i *images) next(kind string) *image {
	i.made++
	return &image{dir: filepath.Join(i.dir, kind+"-"+strconv.Itoa(i.made))}
}

// add copies a disk as image name, replacing an older one of that name.
func (i *images) add(name, disk string) error {
	i.mu.Lock()
	img := i.next("snapshot")
	i.mu.Unlock()
	img.once.Do(func() { img.err = copyTree(disk, img.dir) })
	if img.err != nil {
		return fmt.Errorf("copy the disk: %w", img.err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.known[name] = img
	return nil
}

// writeBase makes the folders and files every machine has.
func writeBase(dir, name string) error {
	for _, sub := range []string{"etc/ssh", "etc/systemd/system/multi-user.target.wants", "home", "mnt",
		"opt", "root/.ssh", "srv", "tmp", "usr/local/bin", "var/lib", "var/log", "var/tmp", "var/www", "dev"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	if err := os.Chmod(filepath.Join(dir, "root/.ssh"), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "dev/null"), nil, 0o444); err != nil { // for programs; the shell knows its own
		return err
	}
	release := fmt.Sprintf("PRETTY_NAME=\"%s (simulated)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nID=debian\n", name)
	return os.WriteFile(filepath.Join(dir, "etc/os-release"), []byte(release), 0o644)
}

// writeServer adds PostgreSQL and the units that an image has.
func (i *images) writeServer(dir string, units ...string) error {
	p, err := findPostgreSQL()
	if err != nil {
		return err
	}
	home := filepath.Join(dir, "var/lib/postgresql")
	if err := p.own(home, 0o755); err != nil {
		return err
	}
	data := filepath.Join(dir, dataFolder(p))
	i.once.Do(func() { i.template, i.failed = data, p.makeTemplate(data, i.password) })
	if i.failed != nil {
		return i.failed
	}
	if i.template != data { // an image never changes, so the first one is as good as a cluster of its own
		if err := p.own(filepath.Dir(data), 0o711); err != nil {
			return err
		}
		if err := copyTree(i.template, data); err != nil {
			return err
		}
	}
	for _, u := range units {
		file := filepath.Join(dir, "etc/systemd/system", u+".service")
		text := fmt.Sprintf("[Unit]\nDescription=%s\n[Install]\nWantedBy=multi-user.target\n", descriptions(u))
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return err
		}
		wants := filepath.Join(dir, "etc/systemd/system/multi-user.target.wants", u+".service")
		if err := os.Symlink("/etc/systemd/system/"+u+".service", wants); err != nil {
			return err
		}
	}
	return nil
}

func dataFolder(p *postgres) string { return "var/lib/postgresql/" + p.version + "/main" }
