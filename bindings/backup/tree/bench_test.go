package tree

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/bindings/backup/store/localstore"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/secret"
)

// bench is a repository and a tree.
type bench struct {
	*Engine
	t    *testing.T
	repo string
	dir  string
	key  string // of age; empty when nothing is encrypted
	n    int
}

func newBench(t *testing.T, encrypted bool) *bench {
	t.Helper()
	b := &bench{t: t, repo: t.TempDir(), dir: t.TempDir()}
	s, err := localstore.Open(b.repo)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	b.Engine = &Engine{Catalogue: &catalogue.Catalogue{Store: s, Clock: clock.System{}, Owner: "test"}, Clock: clock.System{}, Cache: t.TempDir(), Scratch: t.TempDir(), LockWait: time.Minute,
		Keys: func() (artifact.Keys, error) { return artifact.Keys{}, nil }}
	if encrypted {
		id, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		b.key = id.String()
		b.Seal.Recipients = []age.Recipient{id.Recipient()}
		b.Keys = func() (artifact.Keys, error) { return artifact.ParseKeys(secret.New(b.key)) }
	}
	return b
}

// write puts files down, with times of long ago.
func (b *bench) write(files map[string]string) {
	b.t.Helper()
	for name, text := range files {
		p := filepath.Join(b.dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			b.t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			b.t.Fatal(err)
		}
		b.age(name, time.Duration(len(text))*time.Second+123456789)
	}
}

// age makes a file an hour and more old.
func (b *bench) age(name string, by time.Duration) {
	at := time.Now().Add(-time.Hour - by)
	if err := os.Chtimes(filepath.Join(b.dir, name), at, at); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) backUp() catalogue.Backup {
	b.t.Helper()
	from, err := OpenLocal(b.dir, false)
	if err != nil {
		b.t.Fatal(err)
	}
	defer from.Close()
	return b.backUpFrom(from)
}

func (b *bench) backUpFrom(from Place) catalogue.Backup {
	b.t.Helper()
	b.n++
	made, err := b.Create(b.t.Context(), Create{Name: "web", Path: b.dir, Key: fmt.Sprint("k", b.n), From: from})
	if err != nil {
		b.t.Fatal(err)
	}
	return made
}

func (b *bench) restoreTo(dir string, r Restore) (Restored, error) {
	r.Where = dir
	return b.Restore(b.t.Context(), r, func() (Target, error) { return OpenLocal(dir, true) })
}

// tree describes everything in a folder, byte by byte.
func (b *bench) tree(dir string) string {
	b.t.Helper()
	var out []string
	inodes := map[uint64]string{}
	err := filepath.Walk(dir, func(p string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		line := fmt.Sprintf("%q %v", rel, info.Mode())
		s := info.Sys().(*syscall.Stat_t)
		line += fmt.Sprintf(" %d:%d", s.Uid, s.Gid)
		switch {
		case info.Mode().IsRegular():
			text, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" %d %x", info.ModTime().UnixNano(), text)
			if first, ok := inodes[s.Ino]; ok {
				line += " same as " + first
			} else {
				inodes[s.Ino] = rel
			}
		case info.IsDir():
			line += fmt.Sprint(" ", info.ModTime().UnixNano())
		default:
			to, _ := os.Readlink(p)
			line += " -> " + to
		}
		out = append(out, line)
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return strings.Join(out, "\n")
}

// odd is a tree with everything that trees have.
func odd(t *testing.T, b *bench) {
	t.Helper()
	b.write(map[string]string{"index.html": "<h1>", "static/a.css": "a", "static/deep/er/b.js": strings.Repeat("b", 3<<20), "with\nnewline": "n", "-rf": "r", "sp ace/'quote'": "q", "\xff\xfe": "no text",
		"old/gone": "g", "old/er/gone": "g", "becomes-folder": "f", "becomes-file/x": "x", "touched": "same", "chmod": "c", "empty": "", "static/same-name": "1"})
	for _, err := range []error{
		os.Symlink("static/a.css", filepath.Join(b.dir, "link")), os.Symlink("/nowhere/at/all", filepath.Join(b.dir, "static/dangling")),
		os.Link(filepath.Join(b.dir, "index.html"), filepath.Join(b.dir, "static/hard")), os.Link(filepath.Join(b.dir, "index.html"), filepath.Join(b.dir, "z-hard")),
		os.Mkdir(filepath.Join(b.dir, "void"), 0o750), os.Chmod(filepath.Join(b.dir, "chmod"), 0o4711), os.Chmod(filepath.Join(b.dir, "static"), 0o2775),
		syscall.Mkfifo(filepath.Join(b.dir, "pipe"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if os.Geteuid() == 0 {
		if err := os.Lchown(filepath.Join(b.dir, "static/a.css"), 4711, 4712); err != nil {
			t.Fatal(err)
		}
	}
}

// change makes the changes that an increment has to carry.
func change(t *testing.T, b *bench) {
	t.Helper()
	b.write(map[string]string{"index.html": "<h2>", "static/new/c.css": "new"}) // in place: the hard links follow
	b.age("touched", 9*time.Hour)
	for _, err := range []error{
		os.RemoveAll(filepath.Join(b.dir, "old")), os.Remove(filepath.Join(b.dir, "becomes-folder")), os.RemoveAll(filepath.Join(b.dir, "becomes-file")),
		os.Remove(filepath.Join(b.dir, "link")), os.Symlink("elsewhere", filepath.Join(b.dir, "link")), os.Chmod(filepath.Join(b.dir, "chmod"), 0o600),
		os.Remove(filepath.Join(b.dir, "void")), os.Remove(filepath.Join(b.dir, "with\nnewline")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	b.write(map[string]string{"becomes-folder/in": "i", "becomes-file": "now"})
}
