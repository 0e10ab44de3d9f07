package tree

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/fault"
)

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// Local is a folder of this machine. Nothing outside of it is reached, whatever
// links lie in it.
type Local struct {
	root  *os.Root
	names map[string]string // of users and groups, by "u0" and "g0"
	owner bool              // whether files can be given away
}

// OpenLocal opens a folder; make tells whether it is made when it is missing.
func OpenLocal(folder string, make bool) (*Local, error) {
	if make {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return nil, err
		}
	}
	info, err := os.Stat(folder)
	if isNotExist(err) {
		return nil, fault.New(fault.NotFound, "there is no folder %s", folder)
	}
	if err == nil && !info.IsDir() {
		return nil, fault.New(fault.Invalid, "%s is no folder", folder)
	}
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	return &Local{root: root, names: map[string]string{}, owner: os.Geteuid() == 0}, nil
}

// Close gives the folder back.
func (l *Local) Close() error { return l.root.Close() }

// Coarse is how exactly it tells times.
func (l *Local) Coarse() time.Duration { return 1 }

// Root describes the folder itself.
func (l *Local) Root() (Entry, error) {
	info, err := l.root.Stat(".")
	if err != nil {
		return Entry{}, err
	}
	e, _, err := l.entry(".", info)
	return e, err
}

// List describes what lies in a folder.
func (l *Local) List(folder string) (found []Entry, ignored int, err error) {
	f, err := l.root.Open(folder)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	names, err := f.ReadDir(-1)
	if err != nil {
		return nil, 0, err
	}
	slices.SortFunc(names, func(a, b os.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, n := range names {
		info, err := n.Info()
		if isNotExist(err) {
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		e, known, err := l.entry(path.Join(folder, n.Name()), info)
		if isNotExist(err) {
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		if !known {
			ignored++
			continue
		}
		found = append(found, e)
	}
	return found, ignored, nil
}

func (l *Local) entry(p string, info fs.FileInfo) (e Entry, known bool, err error) {
	e = Entry{Path: p, Mode: bits(info.Mode()), Time: info.ModTime()}
	describe(&e, info)
	e.User, e.Group = l.name("u", e.UID), l.name("g", e.GID)
	switch {
	case info.IsDir():
		e.Type = Folder
	case info.Mode().IsRegular():
		e.Type, e.Size = File, info.Size()
	case info.Mode()&fs.ModeSymlink != 0:
		e.Type, e.Mode = Symlink, 0o777
		e.Link, err = l.root.Readlink(p)
	default:
		return e, false, nil
	}
	return e, true, err
}

// name finds the name of a user or group once.
func (l *Local) name(kind string, id int) string {
	key := kind + strconv.Itoa(id)
	if found, ok := l.names[key]; ok {
		return found
	}
	found := ""
	if kind == "u" {
		if u, err := user.LookupId(strconv.Itoa(id)); err == nil {
			found = u.Username
		}
	} else if g, err := user.LookupGroupId(strconv.Itoa(id)); err == nil {
		found = g.Name
	}
	l.names[key] = found
	return found
}

// bits are the permissions as chmod knows them.
func bits(m fs.FileMode) uint32 {
	out := uint32(m.Perm())
	for bit, mode := range map[uint32]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if m&mode != 0 {
			out |= bit
		}
	}
	return out
}

func fileMode(b uint32) fs.FileMode {
	out := fs.FileMode(b & 0o777)
	for bit, mode := range map[uint32]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if b&bit != 0 {
			out |= mode
		}
	}
	return out
}

// openFile is a file of this machine.
type openFile struct {
	*os.File
	place *Local
	path  string
}

// Describe tells what it is by now.
func (f openFile) Describe() (Entry, error) {
	info, err := f.Stat()
	if err != nil {
		return Entry{}, err
	}
	e, _, err := f.place.entry(f.path, info)
	return e, err
}

// Open opens a file.
func (l *Local) Open(p string) (Content, error) {
	f, err := l.root.OpenFile(p, os.O_RDONLY|noBlock, 0)
	if err != nil {
		return nil, err
	}
	return openFile{f, l, p}, nil
}

// Mkdir makes a folder that only its owner enters, until it is dressed.
func (l *Local) Mkdir(p string) error {
	err := l.root.Mkdir(p, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// partOf is the name under which a file is written until it is complete: the
// same on every attempt, so that a repeat cleans up after a crash.
func partOf(p string) string {
	sum := sha256.Sum256([]byte(path.Base(p)))
	return path.Join(path.Dir(p), ".drhost-"+hex.EncodeToString(sum[:8])+".part")
}

// Put writes a file; stretches of zeros become holes.
func (l *Local) Put(e Entry, content io.Reader) error {
	part := partOf(e.Path)
	if err := l.Remove(part); err != nil {
		return err
	}
	f, err := l.root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = errors.Join(sparse(f, content, e.Size), f.Close())
	if err == nil {
		err = l.dress(part, e)
	}
	if err == nil {
		err = l.root.Rename(part, e.Path)
	}
	if err != nil {
		return errors.Join(err, l.Remove(part))
	}
	return nil
}

// sparse copies and leaves out blocks of zeros.
func sparse(to *os.File, from io.Reader, size int64) error {
	block := make([]byte, 64<<10)
	zero := make([]byte, len(block))
	var at int64
	for {
		n, err := io.ReadFull(from, block)
		if n > 0 && string(block[:n]) != string(zero[:n]) {
			if _, err := to.WriteAt(block[:n], at); err != nil {
				return err
			}
		}
		at += int64(n)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return to.Truncate(at)
		}
		if err != nil {
			return err
		}
	}
}

// Symlink makes a link in place of what is there.
func (l *Local) Symlink(e Entry) error {
	if err := l.Remove(e.Path); err != nil {
		return err
	}
	if err := l.root.Symlink(e.Link, e.Path); err != nil || !l.owner {
		return err
	}
	uid, gid := ids(e)
	return l.root.Lchown(e.Path, uid, gid)
}

// Link gives a file another name.
func (l *Local) Link(e Entry) error {
	if err := l.Remove(e.Path); err != nil {
		return err
	}
	return l.root.Link(e.Link, e.Path)
}

// Remove removes what is there, if anything.
func (l *Local) Remove(p string) error { return l.root.RemoveAll(p) }

// Dress gives a folder or a file its rights, owner and times.
func (l *Local) Dress(e Entry) error { return l.dress(e.Path, e) }

func (l *Local) dress(p string, e Entry) error {
	if l.owner { // first, because it takes set-id bits away
		uid, gid := ids(e)
		if err := l.root.Lchown(p, uid, gid); err != nil {
			return err
		}
	}
	if err := l.root.Chmod(p, fileMode(e.Mode)); err != nil {
		return err
	}
	return l.root.Chtimes(p, e.Time, e.Time)
}

// ids are those of the names here, as tar does it; else the numbers.
func ids(e Entry) (uid, gid int) {
	uid, gid = e.UID, e.GID
	if u, err := user.Lookup(e.User); e.User != "" && err == nil {
		if n, err := strconv.Atoi(u.Uid); err == nil {
			uid = n
		}
	}
	if g, err := user.LookupGroup(e.Group); e.Group != "" && err == nil {
		if n, err := strconv.Atoi(g.Gid); err == nil {
			gid = n
		}
	}
	return uid, gid
}

var _ Target = (*Local)(nil)
