package physical

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/postgres"
	"github.com/webhost-systems/drhost/bindings/backup/store"
	"github.com/webhost-systems/drhost/host/clock"
)

func (c *cluster) tools() postgres.Tools {
	return postgres.Tools{Bin: c.bin, Major: 15}
}

// restored lays a backup down, lets the server recover and answers questions.
func (c *cluster) restored(repo store.Store, base Base, files []artifact.Record, t Target, questions ...string) ([]string, error) {
	c.t.Helper()
	answers, _, err := c.restore(repo, base, files, t, artifact.Keys{}, questions...)
	return answers, err
}

func (c *cluster) restore(repo store.Store, base Base, files []artifact.Record, t Target, keys artifact.Keys, questions ...string) (answers []string, laid Laid, err error) {
	c.t.Helper()
	ctx := c.t.Context()
	chain, err := Follow(ctx, Log{Store: repo, Keys: keys}, Backup{ID: "b", Folder: "c/b", Base: base, Files: files}, t.Timeline)
	if err != nil {
		return nil, laid, err
	}
	laid, err = chain.Lay(ctx, clock.System{}, filepath.Join(folder(c.t), "back"), t, c.as)
	if err != nil {
		return nil, laid, err
	}
	if text, err := os.ReadFile(filepath.Join(laid.Folder, autoConf)); err != nil || !strings.Contains(string(text), "\nhot_standby = off\n") {
		c.t.Fatalf("a server started by hand would answer before it has recovered: %s %v", text, err)
	}
	err = laid.Try(ctx, c.tools(), clock.System{}, "postgres", func(ctx context.Context, trial *Trial) error {
		conn, err := trial.Connect(ctx, "postgres")
		if err != nil {
			return err
		}
		defer postgres.CloseQuietly(ctx, conn)
		for _, q := range questions {
			var answer string
			if err := conn.QueryRow(ctx, "select ("+q+")::text").Scan(&answer); err != nil {
				return err
			}
			answers = append(answers, answer)
		}
		return nil
	})
	return answers, laid, err
}

func TestEveryTarget(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	repo := repository(t)
	a := c.archive(repo, folder(t))
	c.sql("create table t (n int, at timestamptz default clock_timestamp()); insert into t values (0)")
	base, files := c.base(repo, artifact.Seal{})
	xids := map[int]string{}
	for n := 1; n <= 5; n++ {
		xids[n] = c.xid("insert into t values (" + string(rune('0'+n)) + ")")
		if n == 2 {
			c.sql("select pg_create_restore_point('two are in')")
		}
	}
	between := c.moment()
	c.sql("insert into t values (6)")
	head := c.caught(repo)
	until(t, "the head has a moment behind the last commit", func() bool {
		h, err := Log{Store: repo, System: head.System}.ReadHead(t.Context())
		head = *h
		return err == nil && h.Until.After(c.moment().Add(-2*time.Second)) && h.Until.After(between.Add(100*time.Millisecond))
	})
	a.stop()
	count := "select string_agg(n::text, ' ' order by n) from t"
	var group sync.WaitGroup
	defer group.Wait()
	for name, try := range map[string]struct {
		target Target
		want   string
	}{
		"latest":              {Target{}, "0 1 2 3 4 5 6"},
		"before transaction":  {Target{BeforeXID: atoi(xids[4])}, "0 1 2 3"},
		"a moment":            {Target{Time: between}, "0 1 2 3 4 5"},
		"behind the last":     {Target{Time: head.Until}, "0 1 2 3 4 5 6"},
		"named restore point": {Target{Point: "two are in"}, "0 1 2"},
	} {
		group.Go(func() {
			got, err := c.restored(repo, base, files, try.target, count)
			if err != nil || got[0] != try.want {
				t.Errorf("%s: %q %v, want %q", name, got, err, try.want)
			}
		})
	}
	for name, try := range map[string]struct {
		target Target
		want   string
	}{
		"a transaction that is not there": {Target{BeforeXID: 4_000_000}, "no transaction 4000000 commits"},
		"a point that is not there":       {Target{Point: "none"}, "no restore point"},
		"the future":                      {Target{Time: time.Now().Add(time.Hour)}, "the log reaches to"},
		"the past":                        {Target{Time: time.Now().Add(-time.Hour)}, "use an older backup"},
		"two at once":                     {Target{Time: time.Now(), Point: "x"}, "exclude each other"},
	} {
		if _, err := c.restored(repo, base, files, try.target); err == nil || !strings.Contains(err.Error(), try.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// xid runs a statement and returns its transaction's number.
func (c *cluster) xid(statement string) string {
	c.t.Helper()
	conn := c.connect()
	defer conn.Close(context.Background())
	tx, err := conn.Begin(context.Background())
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := tx.Exec(context.Background(), statement); err != nil {
		c.t.Fatal(err)
	}
	var xid string
	if err := tx.QueryRow(context.Background(), "select txid_current()::text").Scan(&xid); err != nil {
		c.t.Fatal(err)
	}
	if err := tx.Commit(context.Background()); err != nil {
		c.t.Fatal(err)
	}
	return xid
}

// moment is the server's clock.
func (c *cluster) moment() time.Time {
	c.t.Helper()
	conn := c.connect()
	defer conn.Close(context.Background())
	var now time.Time
	if err := conn.QueryRow(context.Background(), "select clock_timestamp()").Scan(&now); err != nil {
		c.t.Fatal(err)
	}
	return now
}

func atoi(text string) uint64 {
	n, _ := strconv.ParseUint(text, 10, 64)
	return n
}

func itoa(n int) string { return strconv.Itoa(n) }
