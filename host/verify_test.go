package host

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/journal/filestore"
	"github.com/webhost-systems/drhost/host/journal/storetest"
	"github.com/webhost-systems/drhost/host/run"
)

const keptRunbook = `local shared = require "std.shared"
return runbook { title = "Keep", run = function()
  step("First", function() return run:elapsed() end)
  approve("Go on")
  step("Second", function() note("second") return shared.answer end)
  return finish("kept")
end }
`

// keptRun is a folder with a run that was stopped, edited, and has ended.
func keptRun(t *testing.T) (h *Host, dir, id string) {
	t.Helper()
	dir = t.TempDir()
	h = cloudHost(t)
	h.Std = map[string][]byte{"std.shared": []byte("return { answer = 42 }\n"), "std.other": []byte("return {}\n")}
	write(t, filepath.Join(dir, "drhost.toml"), "default_env = \"here\"\n[env.here]\n")
	write(t, filepath.Join(dir, "keep.lua"), keptRunbook)
	r, err := h.Run(context.Background(), Request{Runbook: filepath.Join(dir, "keep.lua"), Name: "anna"})
	if err != nil || r.End.Exit != run.ExitWaits {
		t.Fatalf("%+v, %v", r, err)
	}
	write(t, filepath.Join(dir, "keep.lua"), strings.Replace(keptRunbook, `"second"`, `"other"`, 1))
	if r, err = h.Resume(context.Background(), dir, r.ID, Request{Operator: &Unattended{Yes: true, By: "anna"}, Name: "anna"}); err != nil || r.End.Exit != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	return h, dir, r.ID
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestVerifyFindsEveryFlippedByte flips each byte of what a run keeps, of
// its journal, scripts and std modules, and many of its reports.
func TestVerifyFindsEveryFlippedByte(t *testing.T) {
	t.Parallel()
	h, dir, id := keptRun(t)
	v, err := h.Verify(context.Background(), dir, id)
	if err != nil || len(v.Reports) != 2 {
		t.Fatalf("untouched: %+v, %v", v, err)
	}
	p, err := h.open(dir)
	if err != nil {
		t.Fatal(err)
	}
	folder := p.store.Path(id)
	files := 0
	err = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "journal.head" { // that one is no evidence, and may lag behind
			return err
		}
		files++
		whole, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		stride := 1
		if strings.HasPrefix(d.Name(), "report.") { // each costs a rendering
			stride = 13
		}
		for i := 0; i < len(whole); i += stride {
			bad := bytes.Clone(whole)
			bad[i] ^= 1
			write(t, path, string(bad))
			if _, err := h.verify(p, id); ExitCode(err) != run.ExitJournal {
				t.Errorf("%s, byte %d (%q): %v", strings.TrimPrefix(path, folder), i, whole[i], err)
			}
		}
		return os.WriteFile(path, whole, 0o600)
	})
	if err != nil || files != 6 { // journal, two scripts, a module, two reports
		t.Errorf("%d files, %v", files, err)
	}
	if _, err := h.Verify(context.Background(), dir, id); err != nil {
		t.Errorf("put back: %v", err)
	}
}

// TestNothingIsLostInSilence cuts the journal at every byte, and takes lines
// out, doubles and exchanges them: a verify and a resume say so.
func TestNothingIsLostInSilence(t *testing.T) {
	t.Parallel()
	h, dir, id := keptRun(t)
	p, err := h.open(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(p.store.Path(id), "journal.jsonl")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var damaged *journal.DamagedError
	refused := func(what string, text []byte) {
		t.Helper()
		write(t, path, string(text))
		if _, err := h.Verify(context.Background(), dir, id); !errors.As(err, &damaged) {
			t.Errorf("%s: verify says %v", what, err)
		}
		if _, err := h.Resume(context.Background(), dir, id, Request{Operator: &Unattended{Yes: true}}); ExitCode(err) != run.ExitJournal {
			t.Errorf("%s: resume says %v", what, err)
		}
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, text) {
			t.Fatalf("%s: the journal was touched", what)
		}
	}
	for cut := range whole {
		write(t, path, string(whole[:cut]))
		if _, _, err := filestore.Verify(p.store.Path(id), id); !errors.As(err, &damaged) {
			t.Errorf("cut at %d: %v", cut, err)
		}
		if cut == 0 || whole[cut-1] == '\n' || cut%200 == 0 {
			refused("cut", whole[:cut])
		}
	}
	lines := bytes.SplitAfter(whole, []byte("\n"))
	for i := range len(lines) - 1 {
		refused("missing", bytes.Join(append(append([][]byte{}, lines[:i]...), lines[i+1:]...), nil))
		refused("doubled", bytes.Join(append(append([][]byte{}, lines[:i+1]...), lines[i:]...), nil))
		if i > 0 {
			swapped := append([][]byte{}, lines...)
			swapped[i-1], swapped[i] = swapped[i], swapped[i-1]
			refused("exchanged", bytes.Join(swapped, nil))
		}
	}
	other, otherDir, otherID := keptRun(t)
	foreign, err := os.ReadFile(filepath.Join(otherDir, ".drhost", "runs", otherID, "journal.jsonl"))
	if err != nil || other == nil {
		t.Fatal(err)
	}
	refused("of another run", foreign)
	foreignLines := bytes.SplitAfter(foreign, []byte("\n"))
	refused("with a line of another run", bytes.Join(append(append([][]byte{}, lines[:2]...), foreignLines[2:]...), nil))
}

// TestOtherLibrary: a run goes on with the std modules that it began with.
func TestOtherLibrary(t *testing.T) {
	dir := t.TempDir()
	h := cloudHost(t)
	h.Std = map[string][]byte{"std.shared": []byte("return { answer = 42 }\n")}
	write(t, filepath.Join(dir, "drhost.toml"), "default_env = \"here\"\n[env.here]\n")
	write(t, filepath.Join(dir, "keep.lua"), strings.Replace(keptRunbook, `finish("kept")`, `finish("the answer is " .. shared.answer)`, 1))
	r, err := h.Run(context.Background(), Request{Runbook: filepath.Join(dir, "keep.lua")})
	if err != nil || r.End.Exit != run.ExitWaits {
		t.Fatalf("%+v, %v", r, err)
	}
	h.Std = map[string][]byte{"std.shared": []byte("return { question = 42 }\n")}
	var said []string
	r, err = h.Resume(context.Background(), dir, r.ID, Request{Operator: &Unattended{Yes: true}, Warn: func(text string) { said = append(said, text) }})
	if err != nil || r.End.Message != "the answer is 42" {
		t.Errorf("%+v, %v", r, err)
	}
	if len(said) != 1 || !strings.Contains(said[0], "another std.shared") {
		t.Errorf("said %q", said)
	}
}

// TestClockSetBack: a run whose machine's clock was set back by a day between
// two lives goes on and is told of without times that run backwards.
func TestClockSetBack(t *testing.T) {
	dir := t.TempDir()
	h := cloudHost(t)
	h.Std = map[string][]byte{"std.shared": []byte("return { answer = 42 }\n")}
	write(t, filepath.Join(dir, "drhost.toml"), "default_env = \"here\"\n[env.here]\n")
	write(t, filepath.Join(dir, "keep.lua"), keptRunbook)
	noon := time.Date(2026, 2, 28, 12, 0, 0, 0, time.UTC)
	fixed := storetest.NewFixed(noon)
	h.Clock = clock.Clock(fixed)
	r, err := h.Run(context.Background(), Request{Runbook: filepath.Join(dir, "keep.lua")})
	if err != nil || r.End.Exit != run.ExitWaits {
		t.Fatalf("%+v, %v", r, err)
	}
	fixed.Set(noon.Add(-24 * time.Hour))
	r, err = h.Resume(context.Background(), dir, r.ID, Request{Operator: &Unattended{Yes: true}})
	if err != nil || r.End.Result != "done" {
		t.Fatalf("%+v, %v", r, err)
	}
	if _, err := h.Verify(context.Background(), dir, r.ID); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(filepath.Join(r.Folder, "report.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, backwards := range []string{"-24h", "-23h", "-86", "-1h"} {
		if strings.Contains(string(text), backwards) {
			t.Errorf("%q is in the report:\n%s", backwards, text)
		}
	}
}
