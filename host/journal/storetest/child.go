package storetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/journal"
)

// The suite starts the test binary again for what only another process can
// show. These variables tell the child what to do.
const (
	childRole = "DRHOST_STORETEST_ROLE"
	childDir  = "DRHOST_STORETEST_DIR"
)

// nobody is the user a child becomes when the suite runs as root, for whom no
// folder is read-only.
const nobody = 65534

// actAsChild does what the parent asked for and tells that this was a child.
func actAsChild(t *testing.T, open Open) bool {
	role := os.Getenv(childRole)
	if role == "" {
		return false
	}
	s := open(os.Getenv(childDir), clock.System{})
	var err error
	switch role {
	case "write":
		err = childWrites(s)
	case "full":
		err = childFills(s)
	case "readonly":
		err = childMayOnlyRead(s)
	default:
		err = fmt.Errorf("no role %q", role)
	}
	if err != nil {
		t.Fatal(err)
	}
	return true
}

func say(format string, args ...any) { fmt.Fprintf(os.Stdout, format+"\n", args...) }

// child returns the command of a child; it runs the test that calls it.
func child(t *testing.T, role, dir string) *exec.Cmd {
	test, _, _ := strings.Cut(t.Name(), "/")
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+test+"$", "-test.count=1")
	cmd.Env = append(os.Environ(), childRole+"="+role, childDir+"="+dir)
	cmd.Stderr = os.Stderr
	return cmd
}

// childWrites appends synced records until it is killed and acknowledges each
// on standard output after the store did.
func childWrites(s journal.Store) error {
	l, err := s.Open(context.Background(), "run-1", me())
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		r, err := l.Append(journal.Note, journal.NoteText{Text: strings.Repeat("x", i%400)}, true)
		if err != nil {
			return err
		}
		say("acked %d %s", r.Seq, r.Hash)
	}
}

// killed kills a writer at many moments; every record that was acknowledged
// has to be there, unchanged.
func killed(t *testing.T, open Open) {
	dir := t.TempDir()
	s := open(dir, clock.System{})
	mustClose(t, mustCreate(t, s, "run-1"))
	acked := map[int64]string{}
	for round := range 6 {
		cmd := child(t, "write", dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			word, rest, _ := strings.Cut(lines.Text(), " ")
			number, hash, _ := strings.Cut(rest, " ")
			if seq, err := strconv.ParseInt(number, 10, 64); word == "acked" && err == nil {
				acked[seq] = hash
			}
			if n == 3+round*17 { // at another moment each time
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		var exit *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != -1 {
			t.Fatalf("the writer was not killed: %v", err)
		}
	}
	l := mustOpen(t, s, "run-1")
	defer l.Close()
	have := map[int64]string{}
	for _, r := range l.Records() {
		have[r.Seq] = r.Hash
	}
	if len(acked) < 50 {
		t.Fatalf("only %d records were acknowledged", len(acked))
	}
	for seq, hash := range acked {
		if have[seq] != hash {
			t.Errorf("record %d was acknowledged and is lost or changed", seq)
		}
	}
}

// lockDies shows that a holder which was killed holds nothing, and that one
// which lives is named.
func lockDies(t *testing.T, open Open) {
	dir := t.TempDir()
	s := open(dir, clock.System{})
	mustClose(t, mustCreate(t, s, "run-1"))
	cmd := child(t, "write", dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "acked") {
	}
	_, err = s.Open(t.Context(), "run-1", me())
	var held *journal.HeldError
	if !errors.As(err, &held) || held.Holder.PID != cmd.Process.Pid {
		t.Errorf("while another process writes: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() { // drain, so that the child is gone when Wait returns
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the writer was not killed")
	}
	mustClose(t, mustOpen(t, s, "run-1"))
}

// fileLimit is how large the "disk" of a full-disk child is, in bytes.
const fileLimit = 4096

// childFills writes until the disk is full and says what was acknowledged.
func childFills(s journal.Store) error {
	signal.Ignore(syscall.SIGXFSZ) // the write fails with EFBIG instead
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: fileLimit, Max: fileLimit}); err != nil {
		return err
	}
	l, err := s.Open(context.Background(), "run-1", me())
	if err != nil {
		return err
	}
	var full error
	for i := 0; i < 1000 && full == nil; i++ {
		var r journal.Record
		if r, full = l.Append(journal.Note, note(i), true); full == nil {
			say("acked %d %s", r.Seq, r.Hash)
		}
	}
	if !errors.Is(full, syscall.EFBIG) {
		return fmt.Errorf("a full disk gave %v", full)
	}
	// Room again, but nothing may be acknowledged before it is reopened: the
	// chain has a hole that only the disk knows.
	for range 3 {
		if _, again := l.Append(journal.Note, nil, false); again == nil || again.Error() != full.Error() {
			return fmt.Errorf("after %q an append gave %v", full, again)
		}
	}
	return l.Close()
}

func fullDisk(t *testing.T, open Open) {
	dir := t.TempDir()
	s := open(dir, clock.System{})
	mustClose(t, mustCreate(t, s, "run-1"))
	out, err := child(t, "full", dir).Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	acked := strings.Count(string(out), "acked ")
	if acked < 5 {
		t.Fatalf("only %d records fitted", acked)
	}
	l := mustOpen(t, s, "run-1")
	defer l.Close()
	var notes, repairs int
	for _, r := range l.Records() {
		switch r.Kind {
		case journal.Note:
			notes++
		case journal.TailRepaired:
			repairs++
		}
	}
	if notes != acked || repairs != 1 {
		t.Errorf("%d notes of %d acknowledged, %d repairs", notes, acked, repairs)
	}
	mustAppend(t, l, journal.Note, note(0), true)
}

// childMayOnlyRead gives up its rights and tries everything.
func childMayOnlyRead(s journal.Store) error {
	if os.Geteuid() == 0 {
		if err := syscall.Setuid(nobody); err != nil {
			return err
		}
	}
	ctx := context.Background()
	if records, err := s.Read(ctx, "run-1"); err != nil || len(records) != 1 {
		return fmt.Errorf("read %d records: %v", len(records), err)
	}
	for name, try := range map[string]func() (journal.Log, error){
		"open":   func() (journal.Log, error) { return s.Open(ctx, "run-1", me()) },
		"create": func() (journal.Log, error) { return s.Create(ctx, "run-2", me()) },
	} {
		if _, err := try(); !errors.Is(err, os.ErrPermission) {
			return fmt.Errorf("%s: %v", name, err)
		}
	}
	say("as it should be")
	return nil
}

func readOnly(t *testing.T, open Open) {
	dir := t.TempDir()
	s := open(dir, clock.System{})
	l := mustCreate(t, s, "run-1")
	mustAppend(t, l, journal.Note, note(1), true)
	mustClose(t, l)
	folder := s.Path("run-1")
	// From the state's folder down to the run: readable by all, writable by
	// none; t.TempDir removes it as it pleases afterwards.
	for path := folder; len(path) >= len(dir); path = path[:strings.LastIndexByte(path, '/')] {
		lock(t, path, 0o555)
	}
	lock(t, filepath.Dir(dir), 0o711)
	lock(t, journalOf(s, "run-1"), 0o444)
	out, err := child(t, "readonly", dir).Output()
	if err != nil || !strings.Contains(string(out), "as it should be") {
		t.Errorf("%v\n%s", err, out)
	}
	if n := len(mustRead(t, s, "run-1")); n != 1 {
		t.Errorf("%d records afterwards", n)
	}
}

func lock(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Chmod(path, 0o700); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
	})
}
