package lever

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestLever(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "halt.json")
	if l, err := Read(path); l != nil || err != nil {
		t.Fatalf("before it was pulled: %v %v", l, err)
	}
	if l, err := Lift(path); l != nil || err != nil {
		t.Fatalf("lifted before it was pulled: %v %v", l, err)
	}
	at := time.Date(2026, 2, 28, 3, 5, 0, 0, time.UTC)
	for _, by := range []string{"anna", "ben"} { // the second replaces the first
		if err := Pull(path, Lever{By: by, At: at, Reason: "an audit"}); err != nil {
			t.Fatal(err)
		}
	}
	l, err := Read(path)
	if err != nil || l == nil || l.String() != "by ben at 2026-02-28 03:05:00 UTC: an audit" {
		t.Fatalf("%v %v", l, err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".lever-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if l, err := Lift(path); err != nil || l == nil || l.By != "ben" {
		t.Errorf("lifted: %v %v", l, err)
	}
	if l, err := Read(path); l != nil || err != nil {
		t.Errorf("after it was lifted: %v %v", l, err)
	}
}

// TestDamagedLeverIsDown: what cannot be read must not let anything pass, and
// can be lifted all the same.
func TestDamagedLeverIsDown(t *testing.T) {
	path := filepath.Join(t.TempDir(), "halt.json")
	if err := os.WriteFile(path, []byte(`{"by":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if l, err := Read(path); err == nil {
		t.Errorf("a torn file reads as %v", l)
	}
	if _, err := Lift(path); err != nil {
		t.Error(err)
	}
	if l, err := Read(path); l != nil || err != nil {
		t.Errorf("after it was lifted: %v %v", l, err)
	}
}

func TestPullSaysWhy(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Pull(filepath.Join(file, "halt.json"), Lever{By: "anna"}); err == nil {
		t.Error("a lever in a file")
	}
}

// TestEveryDamageHoldsIt: whatever is in the lever's place holds it down, until
// it is lifted.
func TestEveryDamageHoldsIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "halt.json")
	for name, put := range map[string]func() error{
		"empty":          func() error { return os.WriteFile(path, nil, 0o600) },
		"torn":           func() error { return os.WriteFile(path, []byte(`{"by":"an`), 0o600) },
		"null":           func() error { return os.WriteFile(path, []byte("null"), 0o600) },
		"nobody":         func() error { return os.WriteFile(path, []byte("{}"), 0o600) },
		"a folder":       func() error { return os.Mkdir(path, 0o700) },
		"a dangling one": func() error { return os.Symlink(filepath.Join(path, "nowhere"), path) },
	} {
		if err := put(); err != nil {
			t.Fatal(err)
		}
		if l, err := Read(path); err == nil || l != nil {
			t.Errorf("%s: it is up: %+v", name, l)
		}
		if was, err := Lift(path); err != nil || was == nil || was.By != "somebody" {
			t.Errorf("%s: lifted %+v, %v", name, was, err)
		}
		if l, err := Read(path); err != nil || l != nil {
			t.Errorf("%s: it is down after it was lifted: %+v, %v", name, l, err)
		}
	}
}
