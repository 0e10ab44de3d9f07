package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/logical"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
)

// TestADumpThatEndedEarlyAndSaidNothing stands for `pg_dump | gzip`, in which
// the pipe hides that pg_dump died: exit code 0, and half of the rows.
func TestADumpThatEndedEarlyAndSaidNothing(t *testing.T) {
	db := shared.fresh(t, shop)
	c := client(t, map[string]any{"bin": bin(t, "pg_dump", `$REAL "$@" | head -c 100000`)})
	id := made(t, c, "k", db)
	c.set.Bin = ""
	_, err := call(t, c, "restore", "r", map[string]any{"id": id, "host": shared.host(), "database": "half"})
	if f := fault.As(err); f.Kind != fault.Failed || f.Sent != fault.NotDone {
		t.Fatalf("half of the rows came back: %+v", f)
	}
	if n := shared.query(t, db, "select count(*)::text from pg_database where datname like 'half%'"); n != "0" {
		t.Fatal("something was left")
	}
	if _, err := call(t, c, "verify", "", map[string]any{"id": id, "depth": "sums"}); err != nil {
		t.Fatal("sums cannot tell:", err)
	}
	if _, err := call(t, c, "verify", "", map[string]any{"id": id}); fault.KindOf(err) != fault.Failed {
		t.Fatal(err)
	}
	if !find(t, c, id).Damaged() {
		t.Fatal("it is not known to be damaged")
	}
}

// TestAFlippedBitThatOnlyTheContentTells: it was flipped before anything was
// summed, on the way out of the server. pg_restore is content with it.
func TestAFlippedBitThatOnlyTheContentTells(t *testing.T) {
	db := shared.fresh(t, "create table letters (id int, body text); insert into letters select n, 'a letter to number ' || n from generate_series(1, 1000) n")
	c := client(t, nil)
	b := find(t, c, made(t, c, "k", db))
	store := at(t, c).Store
	r, _ := b.File(logical.DumpName)
	in, err := artifact.Open(t.Context(), store, b.Folder, r, artifact.Keys{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(in)
	if err = errors.Join(err, in.Close()); err != nil {
		t.Fatal(err)
	}
	bit := bytes.Index(text, []byte("letter to number 77"))
	if bit < 0 {
		t.Fatal("the dump does not hold the letter")
	}
	text[bit] ^= 1
	b.Files[0], err = artifact.Write(t.Context(), store, b.Folder, logical.DumpName, artifact.Seal{}, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	rewrite(t, c, b, b.Manifest)
	if _, err := call(t, c, "verify", "", map[string]any{"id": b.ID, "depth": "read"}); err != nil {
		t.Fatal("reading to the end cannot tell:", err)
	}
	_, err = call(t, c, "restore", "r", map[string]any{"id": b.ID, "host": shared.host(), "database": "flipped"})
	if f := fault.As(err); f.Kind != fault.Failed || !strings.Contains(f.Message, "letters has as many rows, but other content") {
		t.Fatalf("%+v", f)
	}
	if _, err := call(t, c, "verify", "", map[string]any{"id": b.ID, "depth": "restore"}); fault.KindOf(err) != fault.Failed || !find(t, c, b.ID).Damaged() {
		t.Fatal(err)
	}
}

// TestHashesUnderWriters: what is hashed and what is dumped are of one moment.
func TestHashesUnderWriters(t *testing.T) {
	db := shared.fresh(t, shop+"; create table busy (id bigserial primary key, n int, body text)")
	c := client(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var committed atomic.Int64
	ended, enough := make(chan error, 4), make(chan struct{}, 1)
	for writer := range 4 {
		go func() {
			conn, err := pgx.Connect(ctx, fmt.Sprintf("host=127.0.0.1 port=%d user=postgres password=%s dbname=%s sslmode=disable", shared.port, password, db))
			for err == nil {
				_, err = conn.Exec(ctx, "insert into busy (n, body) values ($1, repeat('x', 200)); ", writer)
				if err == nil {
					_, err = conn.Exec(ctx, "update busy set n = n + 1 where id = (select max(id) / 2 from busy)")
				}
				if committed.Add(1) == 50 {
					enough <- struct{}{}
				}
			}
			if conn != nil {
				conn.Close(context.Background())
			}
			if ctx.Err() != nil {
				err = nil
			}
			ended <- err
		}()
	}
	<-enough
	before := committed.Load()
	id := made(t, c, "k", db)
	during := committed.Load() - before
	cancel()
	for range 4 {
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
	if during == 0 {
		t.Fatal("nobody wrote while the dump was made")
	}
	got, err := call(t, c, "restore", "r", map[string]any{"id": id, "host": shared.host(), "database": "quiet"})
	if err != nil || got["tables"].(map[string]any)["busy"].(float64) < 50 {
		t.Fatal(got, err)
	}
	if n := shared.query(t, "quiet", "select (nextval('busy_id_seq') > (select max(id) from busy))::text"); n != "true" {
		t.Fatal("the sequence would give out a number twice")
	}
}

// wild is a clock that is wrong.
type wild struct {
	clock.System
	by time.Duration
}

func (w wild) Now() time.Time { return w.System.Now().Add(w.by) }

func TestAClockThatRunsWildDeletesNothing(t *testing.T) {
	db := shared.fresh(t, "create table x (n int)")
	c := client(t, map[string]any{"keep": map[string]any{"window": "1h", "last": 1.0}})
	first := made(t, c, "k1", db)
	made(t, c, "k2", db)
	for _, by := range []time.Duration{60 * 24 * time.Hour, -2 * time.Hour} {
		c.env.Clock = wild{by: by}
		_, err := call(t, c, "prune", "p", map[string]any{})
		if f := fault.As(err); f.Kind != fault.Conflict || !strings.Contains(f.Message, "differ by") || f.Hint == "" {
			t.Fatalf("%+v", f)
		}
	}
	c.env.Clock = clock.System{}
	find(t, c, first)
}
