package physical

import (
	"testing"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
)

func TestSpike(t *testing.T) {
	c := newCluster(t)
	repo := repository(t)
	a := c.archive(repo, folder(t))
	base, files := c.base(repo, artifact.Seal{})
	t.Logf("%+v %+v", base, files)
	c.sql("create table t (n int, pad text); insert into t select n, repeat(n::text, 900) from generate_series(1, 2900) n")
	head := c.caught(repo)
	t.Logf("%+v", head)
	a.stop()
	all, _ := repo.List(t.Context(), "")
	for _, i := range all {
		t.Log(i.Name, i.Bytes)
	}
}
