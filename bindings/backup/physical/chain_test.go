package physical

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/store"
	"github.com/webhost-systems/drhost/host/clock"
)

func chainOf(t *testing.T, repo store.Store, base Base, files []artifact.Record) *Chain {
	t.Helper()
	chain, err := Follow(t.Context(), Log{Store: repo}, Backup{ID: "b", Folder: "c/b", Base: base, Files: files}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return chain
}

// TestAPieceThatIsGoneIsAHole: of the newest segment only the head tells that
// more was archived than is there.
func TestAPieceThatIsGoneIsAHole(t *testing.T) {
	t.Parallel()
	c, repo, base, files, _ := filled(t)
	a := c.archive(repo, folder(t))
	for range 3 {
		c.sql("insert into written values (1, 'in pieces')")
		c.caught(repo)
	}
	a.stop()
	log := Log{Store: repo, System: base.System}
	head, err := log.ReadHead(t.Context())
	if err != nil || len(head.Pieces) < 3 {
		t.Fatal(head, err)
	}
	told := func() []string {
		t.Helper()
		found, err := Exposures(t.Context(), repo, clock.System{})
		if err != nil || len(found) != 1 {
			t.Fatal(found, err)
		}
		found[0].Holds(chainOf(t, repo, base, files))
		if found[0].Reaches(base.Stop) != (len(found[0].Gaps) == 0) {
			t.Error("it reaches over a hole")
		}
		var out []string
		for _, word := range found[0].Words() {
			if strings.Contains(word, "is lost") {
				out = append(out, word)
			}
		}
		return out
	}
	if holes := told(); len(holes) != 0 || chainOf(t, repo, base, files).End != head.Position {
		t.Fatal(holes)
	}
	for n, p := range head.Pieces {
		path := repo.Path(log.folderOf(p.Segment) + "/" + p.Record.Name)
		text, err := os.ReadFile(path)
		if err == nil {
			err = os.Remove(path)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.restored(repo, base, files, Target{}, "1"); err == nil || !strings.Contains(err.Error(), "has a hole") {
			t.Errorf("piece %d of %d is gone: %v", n, len(head.Pieces), err)
		}
		if holes := told(); len(holes) != 1 || !strings.Contains(holes[0], "it had been archived and is not in the repository any more") {
			t.Errorf("piece %d of %d is gone: %q", n, len(head.Pieces), holes)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// lagging is a place whose listings are old: of what was stored since they do
// not know, and what was deleted since they still show. times says how many.
type lagging struct {
	store.Store
	old   []store.Info
	times int
	head  []byte // what head.json says so long; nil: what it is
}

func (l *lagging) Open(ctx context.Context, name string, offset int64) (io.ReadCloser, error) {
	if l.times != 0 && l.head != nil && strings.HasSuffix(name, "head.json") {
		return io.NopCloser(bytes.NewReader(l.head)), nil
	}
	return l.Store.Open(ctx, name, offset)
}

func (l *lagging) List(ctx context.Context, prefix string) ([]store.Info, error) {
	if l.times == 0 {
		return l.Store.List(ctx, prefix)
	}
	l.times--
	return l.old, nil
}

// TestAListingThatLagsBehindIsNoHole: the archiver stores on while somebody
// lists, page by page; and some places are late with it for longer.
func TestAListingThatLagsBehindIsNoHole(t *testing.T) {
	t.Parallel()
	c, repo, base, files, _ := filled(t)
	early, err := repo.List(t.Context(), "wal/")
	if err != nil {
		t.Fatal(err)
	}
	a := c.archive(repo, folder(t))
	for n := range 4 {
		c.sql("insert into written select n, repeat(md5(n::text), 30) from generate_series(1, 900) n")
		if n == 2 {
			c.sql("select pg_switch_wal()")
		}
		c.caught(repo)
	}
	var before []byte
	var head Head
	for n := range mostPieces + 4 {
		c.sql("insert into written values (1, '')")
		if head = c.caught(repo); n == 5 {
			if before, err = os.ReadFile(repo.Path(Log{System: base.System}.headName())); err != nil {
				t.Fatal(err)
			}
		}
	}
	a.stop() // the first pieces were joined, and are gone
	if len(head.Pieces) == 0 {
		t.Fatal("there are no pieces")
	}
	late, err := repo.List(t.Context(), "wal/")
	if err != nil {
		t.Fatal(err)
	}
	var odd []store.Info // one page from before, the others from afterwards
	for n, i := range late {
		if n%2 == 0 {
			odd = append(odd, i)
		}
	}
	for name, place := range map[string]*lagging{
		"once": {repo, early, 1, nil}, "for long": {repo, early, -1, nil}, "in parts": {repo, odd, -1, nil}, "and pieces were joined meanwhile": {repo, early, 1, before}} {
		chain := chainOf(t, place, base, files)
		if err := chain.Whole(); err != nil || chain.End != head.Position {
			t.Errorf("%s: %v, it ends at %s instead of %s", name, err, chain.End, head.Position)
		}
	}
	gone := Log{Store: repo, System: base.System}.timeline(1) + "/" + head.Pieces[0].Record.Name
	if err := repo.Delete(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	for name, place := range map[string]*lagging{"listed": {repo, late, -1, nil}, "not listed": {repo, early, -1, nil}} {
		err := chainOf(t, place, base, files).Whole()
		if name == "not listed" && err == nil {
			t.Errorf("%s: what is gone was taken for there", name)
		}
		if _, err := chainOf(t, place, base, files).Sums(t.Context()); err == nil {
			t.Errorf("%s: what is gone was taken for whole", name)
		}
	}
}

// TestARestoreBesideARunningArchiver: the pieces that it found are joined and
// gone when it comes to read them.
func TestARestoreBesideARunningArchiver(t *testing.T) {
	t.Parallel()
	c, repo, base, files, _ := filled(t)
	a := c.archive(repo, folder(t))
	c.sql("insert into written values (-1, 'in a piece')")
	c.caught(repo)
	chain := chainOf(t, repo, base, files)
	if last := chain.links[len(chain.links)-1]; last.pieces == nil {
		t.Fatal("there is no piece")
	}
	c.sql("insert into written select n, repeat(md5(n::text), 30) from generate_series(10000, 12000) n")
	c.caught(repo)
	for _, p := range chain.links[len(chain.links)-1].pieces {
		until(t, "the pieces are gone", func() bool {
			_, err := repo.Stat(t.Context(), chain.log.folderOf(p.Segment)+"/"+p.Record.Name)
			return err != nil
		})
	}
	if _, err := chain.Sums(t.Context()); err != nil {
		t.Error(err)
	}
	laid, err := chain.Lay(t.Context(), clock.System{}, filepath.Join(folder(t), "back"), Target{}, c.as)
	if err != nil {
		t.Fatal(err)
	}
	err = laid.Try(t.Context(), c.tools(), clock.System{}, "postgres", func(ctx context.Context, trial *Trial) error {
		conn, err := trial.Connect(ctx, "postgres")
		if err != nil {
			return err
		}
		defer conn.Close(context.Background())
		var n int
		if err := conn.QueryRow(ctx, "select count(*) from written").Scan(&n); err != nil || n != 3501 {
			t.Errorf("%d rows of that moment, %v", n, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	a.stop()
}
