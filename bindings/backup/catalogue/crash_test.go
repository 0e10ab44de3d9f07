package catalogue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/store"
	"github.com/webhost-systems/drhost/host/fault"
)

// mortal is a place whose user dies after so many writes and deletions: none
// of those that follow happens. What is under way when it dies is left out,
// because a store does a thing whole or not at all.
type mortal struct {
	store.Store
	mu   sync.Mutex
	left int
}

var errDied = errors.New("kill -9")

func (m *mortal) step() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.left--
	if m.left < 0 {
		return errDied
	}
	return nil
}

func (m *mortal) Put(ctx context.Context, name string, content io.Reader) error {
	return errors.Join(m.step(), then(m, func() error { return m.Store.Put(ctx, name, content) }))
}

func (m *mortal) Create(ctx context.Context, name string, content io.Reader) error {
	return errors.Join(m.step(), then(m, func() error { return m.Store.Create(ctx, name, content) }))
}

func (m *mortal) Delete(ctx context.Context, name string) error {
	return errors.Join(m.step(), then(m, func() error { return m.Store.Delete(ctx, name) }))
}

func then(m *mortal, do func() error) error {
	m.mu.Lock()
	dead := m.left < 0
	m.mu.Unlock()
	if dead {
		return errDied
	}
	return do()
}

// backUp makes a backup of two artifacts.
func backUp(ctx context.Context, c *Catalogue, until time.Time, key string) (Backup, error) {
	lock, held, err := c.Lock(ctx, "shop", "backup of shop", 0)
	if err != nil {
		return Backup{}, err
	}
	m := Manifest{ID: NewID(until, Suffix(key)), Kind: Logical, Subject: "shop", Database: "shop", Key: key, Until: until}
	folder, err := c.Begin(held, "shop", m.ID)
	for _, name := range []string{"dump", "globals.sql"} {
		if err != nil {
			return Backup{}, err
		}
		var r artifact.Record
		r, err = artifact.Write(held, c.Store, folder, name, artifact.Seal{}, func(w io.Writer) error {
			_, err := io.WriteString(w, strings.Repeat(key+name, 100))
			return err
		})
		m.Files = append(m.Files, r)
	}
	if err != nil {
		return Backup{}, err
	}
	b, err := c.Publish(held, folder, m)
	if err != nil {
		return Backup{}, err
	}
	return b, lock.Release(ctx)
}

// whole fails when a manifest points to what is not there.
func whole(t *testing.T, c *Catalogue) []Backup {
	t.Helper()
	all, _, err := c.All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range all {
		if b.Damaged() {
			t.Fatalf("%s: %s", b.ID, b.Checks.Reason)
		}
		for _, f := range b.Files {
			if err := artifact.Check(t.Context(), c.Store, b.Folder, f); err != nil {
				t.Fatalf("the manifest of %s points to an artifact that is not whole: %v", b.ID, err)
			}
		}
	}
	return all
}

func TestKillAtEveryPointOfCreate(t *testing.T) {
	for n := 0; ; n++ {
		s := age(t, local(t))
		_, err := backUp(t.Context(), of(&mortal{Store: s, left: n}, "first"), noon, "k")
		if err != nil && !errors.Is(err, errDied) {
			t.Fatal(err)
		}
		c := of(s, "second")
		before := whole(t, c)
		s.wait(t, time.Hour) // the lock of the dead runs out
		if len(before) == 0 {
			if _, err := backUp(t.Context(), c, noon.Add(time.Minute), "k"); err != nil {
				t.Fatalf("after %d steps: %v", n, err)
			}
		}
		if after := whole(t, c); len(after) != 1 {
			t.Fatalf("after %d steps: %d backups", n, len(after))
		}
		if _, left, err := c.All(t.Context()); err != nil || len(left) != 0 {
			t.Fatalf("after %d steps: %v %v", n, left, err)
		}
		if err == nil {
			if n < 5 {
				t.Fatalf("only %d steps", n)
			}
			return
		}
	}
}

func TestKillAtEveryPointOfPrune(t *testing.T) {
	for n := 0; ; n++ {
		s := age(t, local(t))
		c := of(s, "first")
		for i := range 3 {
			if _, err := backUp(t.Context(), c, noon.Add(-time.Duration(i)*day), fmt.Sprint("k", i)); err != nil {
				t.Fatal(err)
			}
		}
		err := pruned(t.Context(), of(&mortal{Store: s, left: n}, "first"))
		if err != nil && !errors.Is(err, errDied) {
			t.Fatal(err)
		}
		c = of(s, "second")
		whole(t, c)
		s.wait(t, time.Hour)
		// A restore of what is not deleted yet is possible: the dead dooms nothing.
		for _, b := range whole(t, c) {
			pin, _, err := c.Pin(t.Context(), b, "a restore")
			if err != nil {
				t.Fatalf("after %d steps: %v", n, err)
			}
			if err := pin.Release(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if other := pruned(t.Context(), c); other != nil {
			t.Fatalf("after %d steps: %v", n, other)
		}
		all := whole(t, c)
		if _, left, _ := c.All(t.Context()); len(all) != 1 || all[0].Key != "k0" || len(left) != 0 {
			t.Fatalf("after %d steps: %+v %v", n, all, left)
		}
		if err == nil {
			return
		}
	}
}

// pruned deletes all but the last good one.
func pruned(ctx context.Context, c *Catalogue) error {
	all, left, err := c.All(ctx)
	if err != nil {
		return err
	}
	lock, held, err := c.Lock(ctx, "shop", "prune", 0)
	if err != nil {
		return err
	}
	decided, _ := Retain(Rules{}, noon, all, nil)
	for _, d := range decided {
		if d.Keep {
			continue
		}
		if _, err := c.Remove(held, lock, d.Backup); err != nil {
			return err
		}
	}
	for _, i := range left {
		if err := c.Clear(held, lock, i); err != nil {
			return err
		}
	}
	return lock.Release(ctx)
}

// TestPruneAgainstRestore: whoever announces himself first wins, and nobody
// loses what he reads.
func TestPruneAgainstRestore(t *testing.T) {
	s := age(t, local(t))
	c := of(s, "ada")
	b, err := backUp(t.Context(), c, noon, "k")
	if err != nil {
		t.Fatal(err)
	}
	pin, _, err := c.Pin(t.Context(), b, "restore of shop")
	if err != nil {
		t.Fatal(err)
	}
	lock, _, err := c.Lock(t.Context(), "shop", "prune", 0)
	if err != nil {
		t.Fatal(err)
	}
	by, err := c.Remove(t.Context(), lock, b)
	if err != nil || by == nil || by.What != "restore of shop" || len(whole(t, c)) != 1 {
		t.Fatal("it is being read:", by, err)
	}
	if err := pin.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Doomed by the living holder of the lock.
	if err := c.Store.Put(t.Context(), b.Folder+"/"+doomedName, strings.NewReader(lock.Nonce)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Pin(t.Context(), b, "a restore"); fault.KindOf(err) != fault.Conflict {
		t.Fatal(err)
	}
	// A pin of one that died holds nothing up.
	dead, _, err := of(s, "dead").Pin(t.Context(), Backup{Manifest: Manifest{ID: b.ID}, Folder: b.Folder}, "a restore")
	if fault.KindOf(err) != fault.Conflict && err != nil {
		t.Fatal(dead, err)
	}
	if err := c.Store.Put(t.Context(), "pins/"+b.ID+"/dead.json", strings.NewReader(`{"owner":"dead","term_seconds":1}`)); err != nil {
		t.Fatal(err)
	}
	s.wait(t, time.Hour)
	if err := lock.write(t.Context()); err != nil {
		t.Fatal(err)
	}
	if by, err := c.Remove(t.Context(), lock, b); err != nil || by != nil || len(whole(t, c)) != 0 {
		t.Fatal(by, err)
	}
	if _, _, err := c.Pin(t.Context(), b, "a restore"); fault.KindOf(err) != fault.NotFound {
		t.Fatal(err)
	}
	if err := lock.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestFormat1IsRead: a repository of the first version goes on serving.
func TestFormat1IsRead(t *testing.T) {
	c := of(local(t), "ada")
	const id = "20260228T030000Z-0a1b2c3d"
	for name, text := range map[string]string{
		"shop/" + id + "/dump.pgdump": "PGDMP",
		"shop/" + id + "/manifest.json": `{"format":1,"id":"` + id + `","kind":"logical","database":"shop","until":"2026-02-28T03:00:00Z","tool_major":15,
			"files":[{"name":"dump.pgdump","bytes":5,"sha256":"b3b9dd8b1ab12bcc1b0e8e0c6c7b2c3f0e0d0c0b0a090807060504030201ffee"}],"rows":{"x":3}}`,
		"shop/" + id + "/checks.json": `{"verified_at":"2026-03-01T00:00:00Z","depth":"restored"}`,
	} {
		if err := c.Store.Put(t.Context(), name, strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	b, err := c.Find(t.Context(), id)
	if err != nil || b.Damaged() || b.Subject != "shop" || b.Total() != 3 || b.Checks.Depth != DepthRestored {
		t.Fatalf("%+v %v", b, err)
	}
	if r, ok := b.File("dump.pgdump"); !ok || r.Compression != "" {
		t.Fatal(r, ok)
	}
}

func TestNamesOfSubjects(t *testing.T) {
	for _, name := range []string{"shop", "wal", "locks", "..", ".x", "a/b", "ä b%2F", `a\b`, "-x"} {
		folder := SubjectFolder(name)
		if subjectOf(folder) != name || reserved(folder) || store.CheckName(folder) != nil || strings.Contains(folder, "/") {
			t.Errorf("%q lies in %q, which is of %q", name, folder, subjectOf(folder))
		}
	}
}
