package physical

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/bindings/backup/postgres"
	"github.com/webhost-systems/drhost/bindings/backup/store"
)

func TestPruneKeepsWhatAKeptBaseNeeds(t *testing.T) {
	t.Parallel()
	c, repo, old, _, head := filled(t)
	second, files, err := Take(t.Context(), c.source(), repo, "c/second", "", artifact.Seal{})
	if err != nil {
		t.Fatal(err)
	}
	a := c.archive(repo, folder(t))
	c.sql("insert into written select n, repeat(md5(n::text), 30) from generate_series(10000, 11000) n")
	c.caught(repo)
	a.stop()
	count := func() (n int) {
		found, err := repo.List(t.Context(), "wal/")
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range found {
			if strings.HasSuffix(i.Name, ".zst") {
				n++
			}
		}
		return n
	}
	before := count()
	nobody := func(string, uint32, postgres.LSN) (string, bool) { return "", false }
	if out, err := PruneLogs(t.Context(), repo, nobody, false); err != nil || out.Segments != 0 || count() != before {
		t.Fatal(out, err, "the log of a cluster without a kept base is nobody's to judge")
	}
	both := catalogue.Floors{head.System: {{ID: "old", Timeline: 1, Start: old.Start}, {ID: "second", Timeline: 1, Start: second.Start}}}
	if out, err := PruneLogs(t.Context(), repo, both.Needs, false); err != nil || out.Segments > 1 { // what came before the first
		t.Fatal(out, err)
	}
	floors := catalogue.Floors{head.System: {{ID: "second", Timeline: 1, Start: second.Start}}}
	dry, err := PruneLogs(t.Context(), repo, floors.Needs, true)
	if err != nil || dry.Segments < 2 {
		t.Fatal(dry, err)
	}
	before = count()
	out, err := PruneLogs(t.Context(), repo, floors.Needs, false)
	if err != nil || out != dry || count() != before-out.Segments {
		t.Fatal(out, dry, err)
	}
	chain, err := Follow(t.Context(), Log{Store: repo}, Backup{ID: "second", Folder: "c/second", Base: second, Files: files}, 0)
	if err != nil || chain.Whole() != nil || chain.End <= second.Stop {
		t.Fatal(err, chain.Whole(), chain.End)
	}
	if _, err := chain.Sums(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// prunerVariable has this program prune archived logs, and kill itself on the
// way.
const prunerVariable = "DRHOST_TEST_PRUNER"

type pruning struct {
	Place
	Floors catalogue.Floors
	Dies   int // before this deletion, counted from 0; never when it is below
}

func prunerChild(text string) int {
	var p pruning
	err := json.Unmarshal([]byte(text), &p)
	if err == nil {
		err = p.prune()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func (p pruning) prune() error {
	at, err := p.Open()
	if err != nil {
		return err
	}
	_, err = PruneLogs(context.Background(), &suicidal{Store: at, left: p.Dies}, p.Floors.Needs, false)
	return errors.Join(err, at.Close())
}

// suicidal is a repository whose user is killed when it deletes once too often.
type suicidal struct {
	store.Store
	left int
}

func (s *suicidal) Delete(ctx context.Context, name string) error {
	if s.left == 0 {
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	s.left--
	return s.Store.Delete(ctx, name)
}

// TestAPruneThatIsKilled leaves what a kept base needs, without a hole, and the
// next one does the rest; the archiver is at work all the while.
func TestAPruneThatIsKilled(t *testing.T) {
	t.Parallel()
	for kind, place := range places(t) {
		t.Run(kind, func(t *testing.T) {
			c := newCluster(t)
			repo := place.opened(t)
			a := c.archive(repo, folder(t))
			c.sql(writtenTable)
			w := c.write(500)
			c.sql("create table ballast as select n, repeat(md5(n::text), 30) from generate_series(1, 8000) n")
			w.more(t, 50)
			base, files, err := Take(t.Context(), c.source(), repo, "c/b", "", artifact.Seal{})
			if err != nil {
				t.Fatal(err)
			}
			c.sql("checkpoint")
			head := c.caught(repo)
			floors := catalogue.Floors{head.System: {{ID: "b", Timeline: 1, Start: base.Start}}}
			all, err := PruneLogs(t.Context(), repo, floors.Needs, true)
			if err != nil || all.Segments < 6 {
				t.Fatal(all, err)
			}
			whole := func() {
				t.Helper()
				chain, err := Follow(t.Context(), Log{Store: repo}, Backup{ID: "b", Folder: "c/b", Base: base, Files: files}, 0)
				if err == nil {
					err = chain.Whole()
				}
				if err == nil {
					_, err = chain.Sums(t.Context())
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			for _, step := range []int{0, 1, 3} { // each goes on where the last was killed
				killed := again(t, prunerVariable, pruning{place, floors, step})
				err := killed.Wait()
				if state := killed.ProcessState; err == nil || state.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
					t.Fatalf("killed before deletion %d: %v", step, state)
				}
				whole()
			}
			if left, err := PruneLogs(t.Context(), repo, floors.Needs, true); err != nil || left.Segments == 0 {
				t.Fatal("nothing is left for the last one:", left, err)
			}
			last := again(t, prunerVariable, pruning{place, floors, -1})
			if err := last.Wait(); err != nil {
				t.Fatal(err)
			}
			whole()
			if left, err := PruneLogs(t.Context(), repo, floors.Needs, true); err != nil || left.Segments != 0 {
				t.Fatal(left, err)
			}
			w.stop()
			c.caught(repo)
			a.stop()
			got, err := c.restored(repo, base, files, Target{}, writtenText)
			if err != nil {
				t.Fatal(err)
			}
			if lost := missing(w.text(), got[0]); len(lost) > 0 {
				t.Fatalf("%d of %d rows are lost", len(lost), w.count())
			}
		})
	}
}
