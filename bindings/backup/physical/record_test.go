package physical

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/webhost-systems/drhost/bindings/backup/postgres"
)

// TestScannerSeesWhatPgWaldumpSees takes PostgreSQL's own tool for the judge:
// records over pages and segments, a switch, a restore point.
func TestScannerSeesWhatPgWaldumpSees(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "-c wal_keep_size=100MB")
	c.sql("create table t (n int, pad text); insert into t select n, repeat(n::text, 900) from generate_series(1, 900) n")
	c.sql("select pg_create_restore_point('before the migration')")
	c.sql("select pg_switch_wal()")
	c.sql("insert into t values (1, 'y')")
	c.sql("select pg_logical_emit_message(false, 'big', repeat('z', 50000))")
	c.sql("insert into t values (2, 'z')")
	c.stop()
	wal := filepath.Join(c.dir, "pg_wal")
	names := segmentsIn(t, wal)
	out, err := exec.Command(filepath.Join(c.bin, "pg_waldump"), "-p", wal, names[0], names[len(names)-1]).Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) { // it complains about where the log ends
		t.Fatal(err)
	}
	const size = 1 << 20
	first, _ := parseSegment(names[0], size)
	s := newScanner(logOf(t, wal, names), first.Start(size), size)
	form := regexp.MustCompile(`tx: +(\d+), lsn: ([0-9A-F]+/[0-9A-F]+), prev .*?, desc: (.*)`)
	judged, commits, points := 0, 0, 0
	for line := range strings.SplitSeq(strings.TrimSpace(string(out)), "\n") {
		m := form.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		r, err := s.next()
		if err != nil {
			t.Fatalf("after %d records, at %s: %v", judged, line, err)
		}
		judged++
		if at, _ := postgres.ParseLSN(m[2]); at != r.At {
			t.Fatalf("record %d at %s, pg_waldump: %s", judged, r.At, line)
		}
		if strings.HasPrefix(m[3], "COMMIT") {
			commits++
			if want := r.Commit.Format("2006-01-02 15:04:05.000000"); !strings.HasPrefix(strings.TrimPrefix(m[3], "COMMIT "), want) {
				t.Fatalf("commit of %s: %s", want, line)
			}
		} else if !r.Commit.IsZero() {
			t.Fatalf("no commit: %s", line)
		}
		if strings.HasPrefix(m[3], "RESTORE_POINT") || strings.Contains(line, "RESTORE_POINT") {
			points++
			if r.Point != "before the migration" {
				t.Fatalf("%q: %s", r.Point, line)
			}
		}
	}
	if r, err := s.next(); err != errEnd && err != errBroken { // a segment that was made in advance may follow
		t.Fatalf("one more: %v %v", r, err)
	}
	if judged < 1000 || commits < 4 || points != 1 {
		t.Fatalf("only %d records, %d commits, %d restore points", judged, commits, points)
	}
}

func segmentsIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if segmentName.MatchString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names
}

func logOf(t *testing.T, dir string, names []string) io.Reader {
	t.Helper()
	var parts []io.Reader
	for _, n := range names {
		text, err := os.ReadFile(filepath.Join(dir, n))
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, bytes.NewReader(text))
	}
	return io.MultiReader(parts...)
}
