package filestore

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/journal/storetest"
)

func open(dir string, c clock.Clock) journal.Store { return New(dir, c) }

func TestStore(t *testing.T)      { storetest.Run(t, open) }
func TestStoreFiles(t *testing.T) { storetest.RunFiles(t, open) }

// badDisk fails at the write or sync with the number given, counted from 1.
type badDisk struct {
	File
	writes, syncs     int
	failWrite, failAt int
	half              bool // the failing write puts half of the line there
}

func (d *badDisk) Write(p []byte) (int, error) {
	if d.writes++; d.writes == d.failWrite {
		n := 0
		if d.half {
			n, _ = d.File.Write(p[:len(p)/2])
		}
		return n, syscall.ENOSPC
	}
	return d.File.Write(p)
}

func (d *badDisk) Sync() error {
	if d.syncs++; d.syncs == d.failAt {
		return syscall.EIO
	}
	return d.File.Sync()
}

func onBadDisk(t *testing.T, disk *badDisk) (*Store, string) {
	t.Helper()
	dir := t.TempDir()
	return On(journalOnBadDisk{System{}, disk}, dir, clock.System{}), dir
}

// journalOnBadDisk keeps the journal on a disk that fails.
type journalOnBadDisk struct {
	System
	bad *badDisk
}

func (d journalOnBadDisk) Append(path string) (File, error) {
	f, err := d.System.Append(path)
	d.bad.File = f
	return d.bad, err
}

func TestNothingIsAcknowledgedAfterAFailedWrite(t *testing.T) {
	for _, half := range []bool{false, true} {
		disk := &badDisk{failWrite: 3, half: half}
		s, dir := onBadDisk(t, disk)
		l, err := s.Create(t.Context(), "run-1", journal.Holder{})
		if err != nil {
			t.Fatal(err)
		}
		var failed error
		for i := range 6 {
			_, err := l.Append(journal.Note, i, true)
			if i < 2 && err != nil || i >= 2 && !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("append %d: %v", i, err)
			}
			if failed != nil && err != failed {
				t.Fatalf("append %d: %v is not the first error", i, err)
			}
			failed = err
		}
		if disk.writes != 3 {
			t.Errorf("%d writes: something was written after the failure", disk.writes)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		again, err := New(dir, clock.System{}).Open(t.Context(), "run-1", journal.Holder{})
		if err != nil {
			t.Fatal(err)
		}
		want := "note note lease_taken"
		if half {
			want = "note note tail_repaired lease_taken"
		}
		if got := kinds(again.Records()); got != want {
			t.Errorf("half %v: %s", half, got)
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNothingIsAcknowledgedAfterAFailedSync(t *testing.T) {
	disk := &badDisk{failAt: 3} // the first is Create's
	s, _ := onBadDisk(t, disk)
	l, err := s.Create(t.Context(), "run-1", journal.Holder{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(journal.Note, 1, true); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(journal.Note, 2, false); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := l.Append(journal.Note, 3, true); !errors.Is(err, syscall.EIO) {
			t.Fatalf("a failed sync gave %v", err)
		}
	}
	if _, err := l.Append(journal.Note, 4, false); !errors.Is(err, syscall.EIO) {
		t.Fatalf("after a failed sync: %v", err)
	}
	if disk.syncs != 3 {
		t.Errorf("%d syncs: the failed one was repeated, which proves nothing", disk.syncs)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestARemovedJournalTakesNoMore: a file that is removed while it is open would
// take all that a run does, and keep none of it.
func TestARemovedJournalTakesNoMore(t *testing.T) {
	s := New(t.TempDir(), clock.System{})
	log, err := s.Create(t.Context(), "r", journal.Holder{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := log.Append(journal.Note, map[string]any{}, true); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(s.Path("r")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := log.Append(journal.Note, map[string]any{}, true); err == nil || !strings.Contains(err.Error(), "was removed") {
			t.Errorf("a record was acknowledged that nobody can find: %v", err)
		}
	}
}

func TestCloseSyncsWhatIsNotYetSynced(t *testing.T) {
	disk := &badDisk{}
	s, _ := onBadDisk(t, disk)
	l, err := s.Create(t.Context(), "run-1", journal.Holder{})
	if err != nil {
		t.Fatal(err)
	}
	before := disk.syncs
	if _, err := l.Append(journal.Note, 1, false); err != nil || disk.syncs != before {
		t.Fatalf("%d syncs, %v", disk.syncs-before, err)
	}
	disk.failAt = before + 1
	if err := l.Close(); !errors.Is(err, syscall.EIO) {
		t.Errorf("close: %v", err)
	}
	if again, err := s.Open(t.Context(), "run-1", journal.Holder{}); err != nil {
		t.Errorf("a close that failed kept the lock: %v", err)
	} else if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func TestAFailedCreateLeavesNothing(t *testing.T) {
	disk := &badDisk{failAt: 1}
	s, _ := onBadDisk(t, disk)
	if _, err := s.Create(t.Context(), "run-1", journal.Holder{}); !errors.Is(err, syscall.EIO) {
		t.Fatalf("create: %v", err)
	}
	if _, err := os.Stat(s.Path("run-1")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
	l, err := s.Create(t.Context(), "run-1", journal.Holder{})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestStateIsAFile(t *testing.T) {
	path := t.TempDir() + "/state"
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(path, clock.System{}).Create(t.Context(), "run-1", journal.Holder{}); err == nil {
		t.Error("a run was made inside a file")
	}
}

// TestReopeningIsFast keeps resume from growing quadratic: 3,000 records took
// 25 ms where this was designed; a generous bound still catches a square.
func TestReopeningIsFast(t *testing.T) {
	s := New(t.TempDir(), clock.System{})
	l, err := s.Create(t.Context(), "run-1", journal.Holder{})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("x", 250)
	for range 3000 {
		if _, err := l.Append(journal.Note, journal.NoteText{Text: text}, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	c := clock.System{}
	start := c.Now()
	if l, err = s.Open(t.Context(), "run-1", journal.Holder{}); err != nil {
		t.Fatal(err)
	}
	took := c.Now().Sub(start)
	if n := len(l.Records()); n != 3001 {
		t.Errorf("%d records", n)
	}
	t.Logf("verified 3,000 records in %v", took)
	if took > 2*time.Second {
		t.Errorf("opening took %v", took)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func kinds(records []journal.Record) string {
	var out []string
	for _, r := range records {
		out = append(out, string(r.Kind))
	}
	return strings.Join(out, " ")
}

// TestHalfACreationIsNoRun: a creation that died after it made the folder does
// not keep the id for ever.
func TestHalfACreationIsNoRun(t *testing.T) {
	s := New(t.TempDir(), clock.System{})
	if err := os.MkdirAll(s.Path("run-1"), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := s.Create(t.Context(), "run-1", journal.Holder{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(journal.Note, 1, true); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if records, err := s.Read(t.Context(), "run-1"); err != nil || len(records) != 1 {
		t.Errorf("%d records, %v", len(records), err)
	}
	if _, err := s.Create(t.Context(), "run-1", journal.Holder{}); !errors.Is(err, journal.ErrExists) {
		t.Errorf("creating it once more: %v", err)
	}
}
