// Package storetest is the conformance suite that every store runs. It must
// ask for nothing that a backup does not need.
package storetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/webhost-systems/drhost/bindings/backup/store"
	"github.com/webhost-systems/drhost/host/fault"
)

// Run holds a store against what the interface promises. open returns a store
// on an empty place of its own.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for name, test := range map[string]func(*testing.T, store.Store){
		"WhatWasPutIsRead":    whatWasPutIsRead,
		"CreateIsOnce":        createIsOnce,
		"OneOfManyCreates":    oneOfManyCreates,
		"FailedContent":       failedContent,
		"CancelledContent":    cancelledContent,
		"AbsentIsNotFound":    absentIsNotFound,
		"ListIsSortedPrefix":  listIsSortedPrefix,
		"DeleteThenPut":       deleteThenPut,
		"Offsets":             offsets,
		"Names":               names,
		"ReadersSeeWhole":     readersSeeWhole,
		"SweepSparesTheWhole": sweepSparesTheWhole,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
			test(t, s)
		})
	}
}

// Read returns a whole object.
func Read(t *testing.T, s store.Store, name string) []byte {
	t.Helper()
	r, err := s.Open(t.Context(), name, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// large is more than one part of a multipart upload and more than one packet.
func large(t *testing.T) []byte {
	t.Helper()
	out := make([]byte, 18<<20+7)
	if _, err := rand.Read(out); err != nil {
		t.Fatal(err)
	}
	return out
}

func whatWasPutIsRead(t *testing.T, s store.Store) {
	for name, content := range map[string][]byte{
		"a/empty": {}, "a/small": []byte("x"), "top": []byte("at the top"),
		"a/ä %20 +&=?#;'\"~": []byte("odd name"), "a/b/c/d/large": large(t),
	} {
		if err := s.Put(t.Context(), name, onlyRead{bytes.NewReader(content)}); err != nil {
			t.Fatal(name, err)
		}
		if !bytes.Equal(Read(t, s, name), content) {
			t.Fatalf("%s reads back differently", name)
		}
		info, err := s.Stat(t.Context(), name)
		if err != nil || info.Name != name || info.Bytes != int64(len(content)) || info.Modified.IsZero() {
			t.Fatalf("%s: %+v %v", name, info, err)
		}
	}
	if err := s.Put(t.Context(), "a/small", strings.NewReader("replaced")); err != nil {
		t.Fatal(err)
	}
	if got := Read(t, s, "a/small"); string(got) != "replaced" {
		t.Fatalf("%q", got)
	}
}

// onlyRead hides that content could be read twice: a backup's cannot.
type onlyRead struct{ io.Reader }

func createIsOnce(t *testing.T, s store.Store) {
	if err := s.Create(t.Context(), "locks/one", onlyRead{strings.NewReader("first")}); err != nil {
		t.Fatal(err)
	}
	err := s.Create(t.Context(), "locks/one", strings.NewReader("second"))
	if !errors.Is(err, store.ErrExists) || fault.KindOf(err) != fault.Conflict {
		t.Fatal(err)
	}
	if got := Read(t, s, "locks/one"); string(got) != "first" {
		t.Fatalf("%q", got)
	}
	if err := s.Delete(t.Context(), "locks/one"); err != nil {
		t.Fatal(err)
	}
	if err := s.Create(t.Context(), "locks/one", strings.NewReader("third")); err != nil {
		t.Fatal("a name that was given back is free:", err)
	}
}

func oneOfManyCreates(t *testing.T, s store.Store) {
	const many = 8
	var won atomic.Int32
	var wait sync.WaitGroup
	winner := make(chan string, many)
	for n := range many {
		wait.Go(func() {
			text := fmt.Sprint("writer ", n)
			err := s.Create(t.Context(), "locks/busy", strings.NewReader(text))
			switch {
			case err == nil:
				won.Add(1)
				winner <- text
			case !errors.Is(err, store.ErrExists):
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if won.Load() != 1 {
		t.Fatalf("%d of %d won", won.Load(), many)
	}
	if got, want := string(Read(t, s, "locks/busy")), <-winner; got != want {
		t.Fatalf("%q is there, %q won", got, want)
	}
}

var errContent = errors.New("pg_dump was killed")

func failedContent(t *testing.T, s store.Store) {
	if err := s.Put(t.Context(), "db/kept", strings.NewReader("the former one")); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{0, 10, 18 << 20} {
		for name, write := range map[string]func(context.Context, string, io.Reader) error{"db/kept": s.Put, "db/new": s.Put, "db/created": s.Create} {
			content := io.MultiReader(bytes.NewReader(make([]byte, size)), broken{})
			if err := write(t.Context(), name, content); !errors.Is(err, errContent) {
				t.Fatalf("%s after %d bytes: %v", name, size, err)
			}
		}
	}
	found, err := s.List(t.Context(), "")
	if err != nil || len(found) != 1 || string(Read(t, s, "db/kept")) != "the former one" {
		t.Fatal(found, err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errContent }

func cancelledContent(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	content := io.MultiReader(bytes.NewReader(make([]byte, 1<<20)), &then{do: cancel}, bytes.NewReader(make([]byte, 1<<20)))
	if err := s.Put(ctx, "db/new", content); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if found, err := s.List(t.Context(), ""); err != nil || len(found) != 0 {
		t.Fatal(found, err)
	}
}

// then does something when it is read, and is empty.
type then struct{ do func() }

func (r *then) Read([]byte) (int, error) {
	r.do()
	return 0, io.EOF
}

func absentIsNotFound(t *testing.T, s store.Store) {
	if err := s.Put(t.Context(), "db/x/manifest.json", strings.NewReader("{}")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"nothing", "db", "db/x", "db/x/manifest.json/below", "db/x/manifest"} {
		_, err := s.Stat(t.Context(), name)
		if !errors.Is(err, store.ErrNotFound) || fault.KindOf(err) != fault.NotFound {
			t.Fatal(name, err)
		}
		if r, err := s.Open(t.Context(), name, 0); !errors.Is(err, store.ErrNotFound) {
			t.Fatal(name, r, err)
		}
	}
	for _, name := range []string{"nothing", "no/thing"} {
		if err := s.Delete(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	if found, err := s.List(t.Context(), "no/such/folder/"); err != nil || len(found) != 0 {
		t.Fatal(found, err)
	}
}

func listIsSortedPrefix(t *testing.T, s store.Store) {
	if found, err := s.List(t.Context(), ""); err != nil || len(found) != 0 {
		t.Fatal("an empty place:", found, err)
	}
	for _, name := range []string{"db/2/manifest.json", "db/1/manifest.json", "db/1/dump", "db-other/1/dump", "wal/1", "db/10"} {
		if err := s.Put(t.Context(), name, strings.NewReader(name)); err != nil {
			t.Fatal(err)
		}
	}
	for prefix, want := range map[string]string{
		"": "db-other/1/dump db/1/dump db/1/manifest.json db/10 db/2/manifest.json wal/1", "db/": "db/1/dump db/1/manifest.json db/10 db/2/manifest.json",
		"db/1": "db/1/dump db/1/manifest.json db/10", "db/1/": "db/1/dump db/1/manifest.json", "x": "", "wal/1": "wal/1",
	} {
		found, err := s.List(t.Context(), prefix)
		var names []string
		for _, i := range found {
			names = append(names, i.Name)
			if i.Bytes != int64(len(i.Name)) {
				t.Fatalf("%+v", i)
			}
		}
		if err != nil || strings.Join(names, " ") != want {
			t.Fatalf("%q: %v %v, want %s", prefix, names, err, want)
		}
	}
	for prefix, want := range map[string]string{"": "db db-other wal", "db/": "1 2", "db/1/": "", "no/": ""} {
		if found, err := s.Folders(t.Context(), prefix); err != nil || strings.Join(found, " ") != want {
			t.Fatalf("%q: %v %v, want %s", prefix, found, err, want)
		}
	}
}

func deleteThenPut(t *testing.T, s store.Store) {
	for range 3 {
		if err := s.Put(t.Context(), "db/1/dump", strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
		if err := s.Delete(t.Context(), "db/1/dump"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Stat(t.Context(), "db/1/dump"); !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
	}
}

func offsets(t *testing.T, s store.Store) {
	if err := s.Put(t.Context(), "o", strings.NewReader("0123456789")); err != nil {
		t.Fatal(err)
	}
	for offset, want := range map[int64]string{0: "0123456789", 4: "456789", 9: "9", 10: ""} {
		r, err := s.Open(t.Context(), "o", offset)
		if err != nil {
			t.Fatal(offset, err)
		}
		got, err := io.ReadAll(r)
		r.Close()
		if err != nil || string(got) != want {
			t.Fatalf("from %d: %q %v", offset, got, err)
		}
	}
}

func names(t *testing.T, s store.Store) {
	for _, name := range []string{"", "/a", "a/", "a//b", "../a", "a/../b", ".a", "a/.b", "a\\b", "a\nb", strings.Repeat("x", 201)} {
		if err := s.Put(t.Context(), name, strings.NewReader("x")); err == nil || errors.Is(err, store.ErrExists) {
			t.Fatalf("%q: %v", name, err)
		}
		if _, err := s.Open(t.Context(), name, 0); err == nil {
			t.Fatalf("%q was opened", name)
		}
	}
	if s.Place() == "" {
		t.Fatal("the place has no name")
	}
}

// readersSeeWhole replaces an object while it is read: each reader gets the
// one or the other.
func readersSeeWhole(t *testing.T, s store.Store) {
	one, two := bytes.Repeat([]byte("1"), 100_000), bytes.Repeat([]byte("2"), 150_000)
	if err := s.Put(t.Context(), "o", bytes.NewReader(one)); err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		for n := range 10 {
			if err := s.Put(t.Context(), "o", bytes.NewReader([][]byte{two, one}[n%2])); err != nil {
				t.Error(err)
			}
		}
	})
	for range 20 {
		if got := Read(t, s, "o"); !bytes.Equal(got, one) && !bytes.Equal(got, two) {
			t.Errorf("%d bytes of neither", len(got))
		}
	}
	wait.Wait()
}

func sweepSparesTheWhole(t *testing.T, s store.Store) {
	if err := s.Put(t.Context(), "db/1/dump", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Sweep(t.Context(), 0); err != nil || n != 0 {
		t.Fatal(n, err)
	}
	if string(Read(t, s, "db/1/dump")) != "x" {
		t.Fatal("it is gone")
	}
}
