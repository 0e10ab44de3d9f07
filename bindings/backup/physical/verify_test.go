package physical

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
)

func TestThreeDepths(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	repo := repository(t)
	a := c.archive(repo, folder(t))
	c.sql("create table t (id serial primary key, pad text); insert into t (pad) select repeat('x', 100) from generate_series(1, 500)")
	c.sql("create database other")
	base, files := c.base(repo, artifact.Seal{})
	c.sql("insert into t (pad) select repeat('y', 100) from generate_series(1, 500)")
	c.caught(repo)
	a.stop()
	shop := func() Workshop {
		return Workshop{Folder: filepath.Join(folder(t), "data"), Tools: c.tools(), As: c.as, Clock: clock.System{}, User: "postgres"}
	}
	chain := func() *Chain {
		chain, err := Follow(t.Context(), Log{Store: repo}, Backup{ID: "b", Folder: "c/b", Base: base, Files: files}, 0)
		if err != nil {
			t.Fatal(err)
		}
		return chain
	}
	if n, err := chain().Sums(t.Context()); err != nil || n < files[0].Bytes {
		t.Fatal(n, err)
	}
	if err := chain().Read(t.Context(), shop()); err != nil {
		t.Fatal(err)
	}
	w := shop()
	looked := map[string]bool{}
	found, err := chain().Restored(t.Context(), w, Target{}, func(_ context.Context, _ *pgx.Conn, database string) error {
		looked[database] = true
		return nil
	})
	if err != nil || found.Rows != 1000 || found.Tables != 1 || len(found.Databases) != 2 || !looked["other"] {
		t.Fatalf("%+v %v", found, err)
	}
	if _, err := os.Stat(w.Folder); !errors.Is(err, os.ErrNotExist) {
		t.Error("the scratch cluster is still there:", err)
	}

	t.Run("a file that PostgreSQL did not write so", func(t *testing.T) {
		laid, err := chain().Lay(t.Context(), clock.System{}, filepath.Join(folder(t), "back"), Target{}, c.as)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(laid.Folder, c.query("pg_relation_filepath('t')"))
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text[5000] ^= 1
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := chain().compare(t.Context(), shop(), laid); !errors.Is(err, artifact.ErrDamaged) || !strings.Contains(err.Error(), "checksum mismatch") {
			t.Error(err)
		}
	})
	t.Run("a sequence behind its column", func(t *testing.T) {
		c.sql("select setval('t_id_seq', 3)")
		conn := c.connect()
		defer conn.Close(context.Background())
		if err := sequences(t.Context(), conn, "postgres"); fault.KindOf(err) != fault.Failed {
			t.Error(err)
		}
	})
	t.Run("sums that differ", func(t *testing.T) {
		path := repo.Path("c/b/" + files[0].Name)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text[len(text)/3] ^= 1
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := chain().Sums(t.Context()); !errors.Is(err, artifact.ErrDamaged) {
			t.Error(err)
		}
		if err := chain().Read(t.Context(), shop()); !errors.Is(err, artifact.ErrDamaged) {
			t.Error(err)
		}
	})
}

func TestExposure(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 2, 28, 12, 0, 0, 0, time.UTC)
	for _, try := range []struct {
		age, silent time.Duration
		stopped     bool
		objective   time.Duration
		want        string
		exceeded    bool
	}{
		{3 * time.Second, time.Second, false, 15 * time.Minute, "", false},
		{8 * time.Minute, time.Second, false, 15 * time.Minute, "more than half of the objective of 15m0s", false},
		{16 * time.Minute, 16 * time.Minute, false, 15 * time.Minute, "not been heard of since 2026-02-28T11:44:00Z, more than the objective", true},
		{16 * time.Minute, time.Second, true, 0, "", false},
		{-time.Minute, 0, false, time.Second, "", false},
	} {
		h := Head{Server: "db", Until: now.Add(-try.age), Updated: now.Add(-try.silent), Stopped: try.stopped}
		e := h.Exposure(now)
		text, exceeded := e.Exceeded(try.objective)
		if exceeded != try.exceeded || !strings.Contains(text, try.want) || (try.want == "") != (text == "") {
			t.Errorf("%+v: %q %v", try, text, exceeded)
		}
	}
	repo := repository(t)
	if err := (Log{Store: repo, System: "7"}).writeHead(t.Context(), Head{System: "7", SegmentSize: 1 << 24, Server: "db"}); err != nil {
		t.Fatal(err)
	}
	if found, err := Exposures(t.Context(), repo, clock.System{}); err != nil || len(found) != 1 || found[0].Server != "db" || !found[0].Dead {
		t.Error(found, err)
	}
}

// TestARunningArchiveIsSecondsBehind is what the recovery point objective rests
// on. The figure is not asserted; that it follows the writer is.
func TestARunningArchiveIsSecondsBehind(t *testing.T) {
	t.Parallel()
	for kind, place := range places(t) {
		t.Run(kind, func(t *testing.T) {
			c := newCluster(t)
			repo := place.opened(t)
			a := c.archive(repo, folder(t), func(a *Archiver) { a.Every = 500 * time.Millisecond })
			c.sql(writtenTable)
			c.caught(repo)
			w := c.write(500)
			last := time.Time{}
			worst := time.Duration(0)
			for range 6 {
				until(t, "the exposure moves", func() bool {
					found, err := Exposures(t.Context(), repo, clock.System{})
					if err != nil || len(found) != 1 {
						return false
					}
					moved := found[0].Until.After(last)
					if moved {
						last, worst = found[0].Until, max(worst, found[0].Age)
					}
					return moved
				})
			}
			w.stop()
			a.stop()
			t.Logf("at worst %s behind", worst)
		})
	}
}
