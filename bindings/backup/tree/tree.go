// Package tree backs up folders of files, whole or by what differs from a
// backup that is whole, and brings them back. What is stored are tar archives
// and lists that standard programs read. It must never take a file for
// unchanged because nobody looked, never write outside of the folder that it
// restores to, and never follow a link of the tree.
package tree

import (
	"context"
	"errors"
	"io"
	"path"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/bindings/backup/postgres"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
)

// Names of the artifacts, without their layers' endings. An increment has all
// four, a whole backup the first two.
const (
	ArchiveName = "tree.tar"
	IndexName   = "index.jsonl"
	DeletedName = "deleted.list" // paths, each ended by a zero byte
	TimesName   = "times.list"   // @SECONDS and path in turn, each ended by a zero byte
)

// Types of entries.
const (
	Folder   = 'd'
	File     = 'f'
	Symlink  = 'l'
	HardLink = 'h' // another name of the file Link
)

// Entry is one file, folder or link of a tree. Path is relative to the root,
// which is ".". What a place does not tell is zero.
type Entry struct {
	Path        string
	Type        byte
	Size        int64
	Mode        uint32 // permissions, with set-id and sticky bits as in chmod
	Time        time.Time
	UID, GID    int
	User, Group string
	Link        string
	Sum         string // SHA-256 of a file's content, once it was read
	Torn        bool   // it changed while it was read: what is stored may be of no one moment

	changed     int64 // ctime, in nanoseconds
	device, ino uint64
	links       uint64
}

// Place is a folder that is read.
type Place interface {
	// Root describes the folder itself; Missing tells that there is none.
	Root() (Entry, error)
	// List describes what lies in a folder of it, sorted. What vanished
	// meanwhile is left out; ignored counts devices, pipes and sockets.
	List(folder string) (found []Entry, ignored int, err error)
	Open(path string) (Content, error)
	// Coarse is how exactly it tells times.
	Coarse() time.Duration
	Close() error
}

// Content is an open file.
type Content interface {
	io.ReadCloser
	// Describe tells what it is by now.
	Describe() (Entry, error)
}

// Target is a folder that is restored to.
type Target interface {
	Place
	Mkdir(path string) error // one that exists is fine
	// Put writes a whole file beside path, then renames it into place.
	Put(e Entry, content io.Reader) error
	Symlink(e Entry) error
	Link(e Entry) error
	Remove(path string) error // with what is in it
	// Dress gives a folder or file its rights, owner and times.
	Dress(e Entry) error
}

// Engine is what trees are backed up and restored with.
type Engine struct {
	Catalogue  *catalogue.Catalogue
	Seal       artifact.Seal
	Recipients []string
	Keys       func() (artifact.Keys, error)
	Clock      clock.Clock
	Cache      string // folder of this machine for indexes that it cannot open again; none when empty
	Scratch    string // folder for trial restores; the system's when empty
	LockWait   time.Duration
}

// Because makes a fault of err; see postgres.Fault for what it knows.
func Because(ctx context.Context, err error, op string) *fault.Fault {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	f := postgres.Fault(err, op)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		f.Message, f.Hint, f.Transient = "it was not complete in time and was stopped", "raise `within`", false
	}
	return f
}

func (e *Engine) keys(files []artifact.Record) (artifact.Keys, error) {
	for _, f := range files {
		if f.Encryption != "" {
			return e.Keys()
		}
	}
	return artifact.Keys{}, nil
}

// within tells whether p is folder or lies in it.
func within(p, folder string) bool {
	return folder == "." || p == folder || strings.HasPrefix(p, folder+"/")
}

// inner tells whether a path out of a repository stays in the tree.
func inner(p string) bool {
	return p != "" && !path.IsAbs(p) && path.Clean(p) == p && p != ".." && !strings.HasPrefix(p, "../") && !strings.ContainsRune(p, 0)
}
