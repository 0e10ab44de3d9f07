package tree

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/bindings/backup/store/localstore"
	"github.com/webhost-systems/drhost/host/clock"
)

// doomedVariable has this program back a tree up, or restore it, and kill
// itself in the middle of a file.
const doomedVariable = "DRHOST_TEST_DOOMED"

func TestMain(m *testing.M) {
	if text := os.Getenv(doomedVariable); text != "" {
		fmt.Fprintln(os.Stderr, doomed(text)) // it is not to come so far
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// doom is what is done, and in which file it ends.
type doom struct {
	Repo, Dir, Scratch string
	Restore            string // id of a backup that is restored to Dir; "": Dir is backed up
	File               string
}

// briefly is how long the locks of these tests live.
const briefly = 2 * time.Second

func doomed(text string) error {
	var d doom
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return err
	}
	s, err := localstore.Open(d.Repo)
	if err != nil {
		return err
	}
	ctx := context.Background()
	e := &Engine{Catalogue: &catalogue.Catalogue{Store: s, Clock: clock.System{}, Owner: "doomed", Term: briefly}, Clock: clock.System{}, Scratch: d.Scratch,
		Keys: func() (artifact.Keys, error) { return artifact.Keys{}, nil }}
	if d.Restore == "" {
		from, err := OpenLocal(d.Dir, false)
		if err != nil {
			return err
		}
		_, err = e.Create(ctx, Create{Name: "web", Path: d.Dir, Key: "doomed", From: doomedPlace{from, d.File}})
		return err
	}
	b, err := e.Catalogue.Find(ctx, d.Restore)
	if err != nil {
		return err
	}
	_, err = e.Restore(ctx, Restore{Backup: b, Where: d.Dir}, func() (Target, error) {
		to, err := OpenLocal(d.Dir, true)
		return doomedTarget{to, d.File}, err
	})
	return err
}

type doomedPlace struct {
	Place
	file string
}

func (d doomedPlace) Open(path string) (Content, error) {
	c, err := d.Place.Open(path)
	if err == nil && path == d.file {
		c = doomedContent{c, &deadly{c, 3000}}
	}
	return c, err
}

type doomedContent struct {
	Content
	deadly io.Reader
}

func (d doomedContent) Read(p []byte) (int, error) { return d.deadly.Read(p) }

type doomedTarget struct {
	Target
	file string
}

func (d doomedTarget) Put(e Entry, content io.Reader) error {
	if e.Path == d.file {
		content = &deadly{content, 3000}
	}
	return d.Target.Put(e, content)
}

// deadly kills the process that reads more of it than so many bytes.
type deadly struct {
	io.Reader
	left int
}

func (d *deadly) Read(p []byte) (int, error) {
	if d.left <= 0 {
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	n, err := d.Reader.Read(p[:min(len(p), d.left)])
	d.left -= n
	return n, err
}

func (b *bench) killed(d doom) {
	b.t.Helper()
	d.Repo, d.Scratch = b.repo, b.Scratch
	text, err := json.Marshal(d)
	if err != nil {
		b.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), doomedVariable+"="+string(text))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		b.t.Fatalf("it was not killed: %v\n%s", err, out)
	}
}

// TestKilledInTheMiddleOfAFile by kill -9: a backup that was is none, and the
// same call makes it; a restore that was is completed by another one.
func TestKilledInTheMiddleOfAFile(t *testing.T) {
	t.Parallel()
	b := newBench(t, false)
	b.Catalogue.Term = briefly
	b.write(map[string]string{"a": "small", "b/large": strings.Repeat("large ", 10_000), "c": "behind it", "link": "-> a"})
	b.killed(doom{Dir: b.dir, File: "b/large"})
	all, left, err := b.Catalogue.All(t.Context())
	if err != nil || len(all) != 0 {
		t.Fatal(all, left, err)
	}
	from, err := OpenLocal(b.dir, false)
	if err != nil {
		t.Fatal(err)
	}
	made, err := b.Create(t.Context(), Create{Name: "web", Path: b.dir, Key: "doomed", From: from}) // waits until the dead one's lock has run out
	if err != nil {
		t.Fatal(err)
	}
	if all, left, err = b.Catalogue.All(t.Context()); err != nil || len(all) != 1 || len(left) != 0 {
		t.Fatal(all, left, err)
	}
	dir := t.TempDir()
	b.killed(doom{Dir: dir, Restore: made.ID, File: "b/large"})
	if _, err := os.Stat(dir + "/b/large"); !errors.Is(err, os.ErrNotExist) {
		t.Fatal("half a file has its name:", err)
	}
	if _, err := b.restoreTo(dir, Restore{Backup: made}); err != nil {
		t.Fatal(err)
	}
	if have, want := b.tree(dir), b.tree(b.dir); have != want {
		t.Fatal(firstDifference(have, want))
	}
}
