package tree

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/pkg/sftp"

	"github.com/webhost-systems/drhost/host/fault"
)

// Remote is a folder of a machine that is reached by SFTP. It tells times to
// the second and knows of no hard links.
type Remote struct {
	files *sftp.Client
	root  string
	done  func()
	give  bool // whether files can be given away
}

// OpenRemote opens a folder; make tells whether it is made when it is missing.
// done is called by Close.
func OpenRemote(files *sftp.Client, folder string, make bool, asRoot bool, done func()) (*Remote, error) {
	if make {
		if err := files.MkdirAll(folder); err != nil {
			return nil, err
		}
	}
	info, err := files.Stat(folder)
	if isNotExist(err) {
		return nil, fault.New(fault.NotFound, "there is no folder %s on that machine", folder)
	}
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fault.New(fault.Invalid, "%s is no folder", folder)
	}
	return &Remote{files: files, root: folder, done: done, give: asRoot}, nil
}

// Close hangs up.
func (r *Remote) Close() error {
	r.done()
	return nil
}

// Coarse is how exactly it tells times.
func (r *Remote) Coarse() time.Duration { return time.Second }

func (r *Remote) at(p string) string { return path.Join(r.root, p) }

// Root describes the folder itself.
func (r *Remote) Root() (Entry, error) {
	info, err := r.files.Stat(r.root)
	if err != nil {
		return Entry{}, err
	}
	e, _, err := r.entry(".", info)
	return e, err
}

// List describes what lies in a folder.
func (r *Remote) List(folder string) (found []Entry, ignored int, err error) {
	infos, err := r.files.ReadDir(r.at(folder))
	if err != nil {
		return nil, 0, err
	}
	slices.SortFunc(infos, func(a, b os.FileInfo) int { return strings.Compare(a.Name(), b.Name()) })
	for _, info := range infos {
		e, known, err := r.entry(path.Join(folder, info.Name()), info)
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

func (r *Remote) entry(p string, info fs.FileInfo) (e Entry, known bool, err error) {
	e = Entry{Path: p, Mode: bits(info.Mode()), Time: info.ModTime()}
	if s, ok := info.Sys().(*sftp.FileStat); ok {
		e.UID, e.GID = int(s.UID), int(s.GID)
		e.Mode = s.Mode & 0o7777
	}
	switch {
	case info.IsDir():
		e.Type = Folder
	case info.Mode().IsRegular():
		e.Type, e.Size = File, info.Size()
	case info.Mode()&fs.ModeSymlink != 0:
		e.Type, e.Mode = Symlink, 0o777
		e.Link, err = r.files.ReadLink(r.at(p))
	default:
		return e, false, nil
	}
	return e, true, err
}

// remoteFile is an open file of the machine.
type remoteFile struct {
	*sftp.File
	place *Remote
	path  string
}

// Describe tells what it is by now.
func (f remoteFile) Describe() (Entry, error) {
	info, err := f.Stat()
	if err != nil {
		return Entry{}, err
	}
	e, _, err := f.place.entry(f.path, info)
	return e, err
}

// Open opens a file.
func (r *Remote) Open(p string) (Content, error) {
	f, err := r.files.Open(r.at(p))
	if err != nil {
		return nil, err
	}
	return remoteFile{f, r, p}, nil
}

// Mkdir makes a folder.
func (r *Remote) Mkdir(p string) error {
	err := r.files.Mkdir(r.at(p))
	if err != nil {
		if info, found := r.files.Lstat(r.at(p)); found == nil && info.IsDir() {
			return nil
		}
	}
	return err
}

// Put writes a file.
func (r *Remote) Put(e Entry, content io.Reader) error {
	part := partOf(e.Path)
	if err := r.Remove(part); err != nil {
		return err
	}
	f, err := r.files.OpenFile(r.at(part), os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	_, err = f.ReadFrom(content)
	if err = errors.Join(err, f.Close()); err == nil {
		err = r.dress(part, e)
	}
	if err == nil {
		err = r.files.PosixRename(r.at(part), r.at(e.Path))
	}
	if err != nil {
		return errors.Join(err, r.Remove(part))
	}
	return nil
}

// Symlink makes a link in place of what is there.
func (r *Remote) Symlink(e Entry) error {
	if err := r.Remove(e.Path); err != nil {
		return err
	}
	return r.files.Symlink(e.Link, r.at(e.Path))
}

// Link gives a file another name.
func (r *Remote) Link(e Entry) error {
	if err := r.Remove(e.Path); err != nil {
		return err
	}
	return r.files.Link(r.at(e.Link), r.at(e.Path))
}

// Remove removes what is there, if anything. Links are not followed.
func (r *Remote) Remove(p string) error {
	info, err := r.files.Lstat(r.at(p))
	if isNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return r.files.Remove(r.at(p))
	}
	inside, err := r.files.ReadDir(r.at(p))
	if err != nil {
		return err
	}
	for _, i := range inside {
		if err := r.Remove(path.Join(p, i.Name())); err != nil {
			return err
		}
	}
	return r.files.RemoveDirectory(r.at(p))
}

// Dress gives a folder or a file its rights, owner and times.
func (r *Remote) Dress(e Entry) error { return r.dress(e.Path, e) }

func (r *Remote) dress(p string, e Entry) error {
	if r.give {
		if err := r.files.Chown(r.at(p), e.UID, e.GID); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	if err := r.files.Chmod(r.at(p), fileMode(e.Mode)); err != nil {
		return err
	}
	return r.files.Chtimes(r.at(p), e.Time, e.Time)
}

var _ Target = (*Remote)(nil)
