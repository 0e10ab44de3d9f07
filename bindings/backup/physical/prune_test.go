package physical

import (
	"strings"
	"testing"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/bindings/backup/postgres"
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
