package physical

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/secret"
)

// TestNothingIsLostWhateverIsKilled: the archiver is killed at points of its
// own choosing, the server is restarted and killed, and a writer never stops.
func TestNothingIsLostWhateverIsKilled(t *testing.T) {
	t.Parallel()
	for kind, place := range places(t) {
		t.Run(kind, func(t *testing.T) { nothingIsLost(t, place) })
	}
}

func nothingIsLost(t *testing.T, place Place) {
	c := newCluster(t, "-c fsync=on", "-c synchronous_commit=on")
	repo, spool := place.opened(t), folder(t)
	c.sql(writtenTable)
	running := c.process(place, spool, "zero")
	base, files := c.base(repo, artifact.Seal{})
	w := c.write(20_000)
	for n := range 6 {
		w.more(t, 5+rand.IntN(60))
		running.Process.Kill()
		running.Wait()
		switch n {
		case 1:
			if err := c.tool("pg_ctl", "-D", c.dir, "-w", "-m", "fast", "stop"); err != nil {
				t.Fatal(err)
			}
			c.start()
		case 3:
			c.kill()
			c.start()
		}
		running = c.process(place, spool, "life "+itoa(n+1))
	}
	w.more(t, 50)
	w.stop()
	head := c.caught(repo)
	c.kill()
	running.Process.Kill()
	if len(head.Gaps) > 0 {
		t.Fatalf("it says that something is lost: %+v", head.Gaps)
	}
	got, err := c.restored(repo, base, files, Target{}, writtenText)
	if err != nil {
		t.Fatal(err)
	}
	if lost := missing(w.text(), got[0]); len(lost) > 0 {
		t.Fatalf("%d of %d rows are lost: %v", len(lost), w.count(), lost[:min(len(lost), 10)])
	}
}

// TestTheSpoolSavesWhatTheRepositoryHadNot is fault 4 of the reference: what
// was received of a segment that is not whole counts, with a server that is
// gone for good.
func TestTheSpoolSavesWhatTheRepositoryHadNot(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	repo, spool := repository(t), folder(t)
	a := c.archive(repo, spool)
	c.sql(writtenTable)
	base, files := c.base(repo, artifact.Seal{})
	head := c.caught(repo)
	a.stop()
	// Another life that never reaches the repository.
	locked := repo.Path("wal")
	if err := os.Rename(locked, locked+"-away"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(locked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b := c.archive(repo, spool, func(b *Archiver) { b.Log.Store = unreadable{repo, head} })
	w := c.write(100)
	w.more(t, 200)
	w.stop()
	want := c.flushed()
	until(t, "the spool has it all", func() bool {
		b.queue.mu.Lock()
		defer b.queue.mu.Unlock()
		n := len(b.queue.waiting)
		if n == 0 || b.spool == nil {
			return false
		}
		last := b.queue.waiting[n-1]
		return last.Start(b.spool.size)+lsn(last.bytes) >= want
	})
	c.kill()
	b.cancel()
	<-b.ended
	b.ended <- nil
	if err := os.Remove(locked); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(locked+"-away", locked); err != nil {
		t.Fatal(err)
	}
	before, err := c.restored(repo, base, files, Target{}, "select count(*) from written")
	if err != nil || before[0] != "0" {
		t.Fatalf("%v %v: the repository was to have nothing yet", before, err)
	}
	third := c.archive(repo, spool) // the server is dead: it salvages
	until(t, "the spool is in the repository", func() bool {
		h, err := Log{Store: repo, System: head.System}.ReadHead(t.Context())
		return err == nil && h.Position >= want
	})
	third.stop()
	got, err := c.restored(repo, base, files, Target{}, writtenText)
	if err != nil {
		t.Fatal(err)
	}
	if lost := missing(w.text(), got[0]); len(lost) > 0 {
		t.Fatalf("%d of %d rows are lost", len(lost), w.count())
	}
}

func TestEncryptedAndPutTogetherByHand(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	repo := repository(t)
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	seal := artifact.Seal{Recipients: []age.Recipient{key.Recipient()}}
	keys, err := artifact.ParseKeys(secret.New(key.String()))
	if err != nil {
		t.Fatal(err)
	}
	a := c.archive(repo, folder(t), func(a *Archiver) { a.Seal = seal })
	c.sql(writtenTable)
	base, files := c.base(repo, seal)
	for range 40 { // more pieces than are kept apart
		c.sql("insert into written values (1, repeat('x', 1000))")
		c.caught(repo)
	}
	head := c.caught(repo)
	if len(head.Pieces) > mostPieces+1 {
		t.Errorf("%d pieces", len(head.Pieces))
	}
	a.stop()
	got, _, err := c.restore(repo, base, files, Target{}, keys, "select count(*) from written")
	if err != nil || got[0] != "40" {
		t.Fatal(got, err)
	}
	if _, err := c.restored(repo, base, files, Target{}, "1"); fault.KindOf(err) != fault.Denied {
		t.Fatal(err)
	}
	all, err := repo.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		if text, err := os.ReadFile(repo.Path(i.Name)); err != nil || strings.HasSuffix(i.Name, ".zst.age") != strings.HasPrefix(string(text), "age-encryption.org/v1") {
			t.Errorf("%s: %v", i.Name, err)
		}
	}
}

func TestTwoArchiversAtOnce(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	repo, spool := repository(t), folder(t)
	first := c.archive(repo, spool, func(a *Archiver) { a.Owner = "the first" })
	c.sql(writtenTable)
	c.caught(repo)
	second := c.archive(repo, filepath.Join(spool, "other"), func(a *Archiver) { a.Owner = "the second"; a.Patience = 0 })
	err := <-second.ended
	second.ended <- err
	if fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), "the slot drhost is in use: process ") || !strings.Contains(err.Error(), "last written by the first") {
		t.Error(err)
	}
	third := c.archive(repo, spool, func(a *Archiver) { a.Slot, a.Owner = "other", "the third" })
	if err := <-third.ended; fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), "the first archives this cluster") {
		t.Error(err)
	}
	third.ended <- nil
	first.stop()
	next := c.archive(repo, spool, func(a *Archiver) { a.Owner = "the next" })
	c.sql("insert into written values (1, '')")
	if head := c.caught(repo); head.Owner != "the next" {
		t.Error(head.Owner)
	}
	next.stop()
}
