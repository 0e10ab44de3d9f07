package storetest

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/webhost-systems/drhost/host/journal"
)

// RunFiles holds a store that keeps its chain in journal.jsonl of the run's
// folder to what a disk can do to it.
func RunFiles(t *testing.T, open Open) {
	if actAsChild(t, open) {
		return
	}
	for name, test := range map[string]func(*testing.T, Open){
		"a torn tail at every byte":    tornTail,
		"every flipped byte is found":  flippedBytes,
		"a line that is gone":          lineGone,
		"a bad last line with newline": badLastLine,
		"another run's journal":        foreign,
		"a full disk":                  fullDisk,
		"a folder that is read-only":   readOnly,
		"a run folder without journal": noJournal,
	} {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

func journalOf(s journal.Store, run string) string {
	return filepath.Join(s.Path(run), "journal.jsonl")
}

// sample makes run-1 with three notes and returns its journal's bytes.
func sample(t *testing.T, s journal.Store) []byte {
	t.Helper()
	l := mustCreate(t, s, "run-1")
	for i := range 3 {
		mustAppend(t, l, journal.Note, note(i), false)
	}
	mustClose(t, l)
	text, err := os.ReadFile(journalOf(s, "run-1"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// put replaces the journal by what a crash left of it: text was never known to
// be on the disk.
func put(t *testing.T, s journal.Store, text []byte) {
	t.Helper()
	if err := os.Remove(filepath.Join(s.Path("run-1"), "journal.head")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if err := os.WriteFile(journalOf(s, "run-1"), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func tornTail(t *testing.T, open Open) {
	s := open(t.TempDir(), NewFixed(noon))
	whole := sample(t, s)
	last := bytes.LastIndexByte(whole[:len(whole)-1], '\n') + 1
	for cut := last; cut < len(whole); cut++ {
		put(t, s, whole[:cut])
		if records := mustRead(t, s, "run-1"); len(records) != 2 {
			t.Fatalf("cut at %d: read %d records", cut, len(records))
		}
		l := mustOpen(t, s, "run-1")
		records := l.Records()[2:]
		if torn := cut - last; torn > 0 {
			repair, err := journal.Decode[journal.Repair](records[0])
			if err != nil || records[0].Kind != journal.TailRepaired || repair.Bytes != torn || !strings.HasPrefix(string(whole[last:cut]), repair.Text) || repair.Text == "" {
				t.Fatalf("cut at %d: %s %+v (%v)", cut, records[0].Kind, repair, err)
			}
			records = records[1:]
		}
		if len(records) != 1 || records[0].Kind != journal.LeaseTaken {
			t.Fatalf("cut at %d: opening appended %+v", cut, records)
		}
		mustAppend(t, l, journal.Note, note(9), true)
		mustClose(t, l)
		mustRead(t, s, "run-1")
	}
}

// wantDamage tells whether both ways in refuse the journal at that line.
func wantDamage(t *testing.T, s journal.Store, line int, what string) {
	t.Helper()
	before, err := os.ReadFile(journalOf(s, "run-1"))
	if err != nil {
		t.Fatal(err)
	}
	_, read := s.Read(t.Context(), "run-1")
	_, opened := s.Open(t.Context(), "run-1", me())
	for _, err := range []error{read, opened} {
		var damaged *journal.DamagedError
		if !errors.As(err, &damaged) {
			t.Fatalf("%s: %v", what, err)
		}
		if damaged.Line != line || damaged.Path != journalOf(s, "run-1") || damaged.Reason == "" {
			t.Fatalf("%s: found at %v, want line %d", what, damaged, line)
		}
	}
	after, err := os.ReadFile(journalOf(s, "run-1"))
	if err != nil || !bytes.Equal(before, after) {
		t.Fatalf("%s: a damaged journal was written to (%v)", what, err)
	}
}

func flippedBytes(t *testing.T, open Open) {
	s := open(t.TempDir(), NewFixed(noon))
	whole := sample(t, s)
	line := 1
	for i := range whole[:len(whole)-1] {
		bad := bytes.Clone(whole)
		bad[i] ^= 1 << (i % 8)
		put(t, s, bad)
		wantDamage(t, s, line, "byte "+string(whole[i]))
		if whole[i] == '\n' {
			line++
		}
	}
}

func lineGone(t *testing.T, open Open) {
	s := open(t.TempDir(), NewFixed(noon))
	lines := bytes.SplitAfter(sample(t, s), []byte("\n"))
	put(t, s, bytes.Join([][]byte{lines[0], lines[2]}, nil))
	wantDamage(t, s, 2, "the second line is gone")
	put(t, s, bytes.Join([][]byte{lines[1], lines[2]}, nil))
	wantDamage(t, s, 1, "the first line is gone")
	put(t, s, bytes.Join([][]byte{lines[1], lines[0], lines[2]}, nil))
	wantDamage(t, s, 1, "two lines are swapped")
	put(t, s, bytes.Join([][]byte{lines[0], lines[1], lines[1], lines[2]}, nil))
	wantDamage(t, s, 3, "a line is there twice")
	put(t, s, bytes.Join([][]byte{lines[0], []byte("\n"), lines[1]}, nil))
	wantDamage(t, s, 2, "an empty line")
}

func badLastLine(t *testing.T, open Open) {
	s := open(t.TempDir(), NewFixed(noon))
	whole := sample(t, s)
	for _, tail := range []string{"{}\n", "garbage\n", "\n", "\x00\x00\x00\n"} {
		put(t, s, append(bytes.Clone(whole), tail...))
		wantDamage(t, s, 4, "a last line "+tail)
	}
	changed := bytes.Clone(whole)
	changed[len(changed)-1] = 'x'
	put(t, s, changed)
	wantDamage(t, s, 3, "the last newline")
}

func foreign(t *testing.T, open Open) {
	s := open(t.TempDir(), NewFixed(noon))
	whole := sample(t, s)
	mustClose(t, mustCreate(t, s, "run-2"))
	if err := os.WriteFile(journalOf(s, "run-2"), whole, 0o600); err != nil {
		t.Fatal(err)
	}
	var damaged *journal.DamagedError
	if _, err := s.Read(t.Context(), "run-2"); !errors.As(err, &damaged) || damaged.Line != 1 {
		t.Errorf("another run's journal was read: %v", err)
	}
}

func noJournal(t *testing.T, open Open) {
	s := open(t.TempDir(), NewFixed(noon))
	mustClose(t, mustCreate(t, s, "run-1"))
	if err := os.Remove(journalOf(s, "run-1")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(t.Context(), "run-1", me()); !errors.Is(err, journal.ErrNotFound) {
		t.Errorf("open: %v", err)
	}
	if _, err := os.Stat(journalOf(s, "run-1")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("opening made a journal: %v", err)
	}
	if ids, err := s.List(t.Context()); err != nil || len(ids) != 0 {
		t.Errorf("list: %v %v", ids, err)
	}
}
