package physical

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/store/localstore"
	"github.com/webhost-systems/drhost/host/fault"
)

// filled is a cluster with several archived segments of rows behind a base
// backup.
func filled(t *testing.T) (*cluster, *localstore.Store, Base, []artifact.Record, Head) {
	t.Helper()
	c := newCluster(t)
	repo := repository(t)
	a := c.archive(repo, folder(t))
	c.sql(writtenTable)
	base, files := c.base(repo, artifact.Seal{})
	for n := range 5 {
		c.sql("insert into written select n, repeat(md5(n::text), 30) from generate_series(" + itoa(n*700) + ", " + itoa(n*700+699) + ") n")
	}
	head := c.caught(repo)
	a.stop()
	return c, repo, base, files, head
}

// TestNoSilentPromotion is fault 5 of the reference: a segment that is missing
// or not what it was never gives a server with the half of the rows.
func TestNoSilentPromotion(t *testing.T) {
	t.Parallel()
	c, repo, base, files, head := filled(t)
	log := Log{Store: repo, System: head.System}
	have, err := log.contents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range have.segments {
		names = append(names, name)
	}
	slices.Sort(names)
	middle := have.segments[names[len(names)/2]]
	path := repo.Path(log.folderOf(middle.Name) + "/" + middle.Name)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what, want string) {
		t.Helper()
		got, err := c.restored(repo, base, files, Target{}, "select count(*) from written")
		if err == nil || !strings.Contains(err.Error(), want) || want == middle.Name && !errors.Is(err, artifact.ErrDamaged) {
			t.Errorf("%s: restored %v, %v", what, got, err)
		}
	}
	damage := func(text []byte) {
		t.Helper()
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	flipped := slices.Clone(whole)
	flipped[len(flipped)/2] ^= 1
	damage(flipped)
	refused("a flipped bit", middle.Name)
	damage(whole[:len(whole)/2])
	refused("a segment that is cut off", middle.Name)

	// A segment of another place under this name, with sums that fit.
	other := have.segments[names[len(names)/2-1]]
	text, err := os.ReadFile(repo.Path(log.folderOf(other.Name) + "/" + other.Name))
	if err != nil {
		t.Fatal(err)
	}
	damage(text)
	forged := other
	forged.Name = middle.Name
	if err := log.enter(t.Context(), 1, 1<<20, []artifact.Record{forged}); err != nil {
		t.Fatal(err)
	}
	refused("a segment of another place", "cannot be read on from")
	if err := log.enter(t.Context(), 1, 1<<20, []artifact.Record{middle}); err != nil {
		t.Fatal(err)
	}

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	refused("a segment that is missing", "has a hole")
	damage(whole)
	if got, err := c.restored(repo, base, files, Target{}, "select count(*) from written"); err != nil || got[0] != "3500" {
		t.Errorf("whole again: %v %v", got, err)
	}

	// What was damaged after it was laid down: PostgreSQL itself refuses.
	chain, err := Follow(t.Context(), Log{Store: repo}, Backup{ID: "b", Folder: "c/b", Base: base, Files: files}, 0)
	if err != nil {
		t.Fatal(err)
	}
	laid, err := chain.Lay(t.Context(), c.source().Clock, filepath.Join(folder(t), "back"), Target{}, c.as)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(laid.Folder, "pg_wal", middle.Plain()), make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := laid.Try(t.Context(), c.tools(), c.source().Clock, "postgres", nil); err == nil || !strings.Contains(err.Error(), "recovery ended before configured recovery target was reached") {
		t.Errorf("damaged afterwards: %v", err)
	}
}

// TestAFolderWithDataIsRefused and left as it is.
func TestAFolderWithDataIsRefused(t *testing.T) {
	t.Parallel()
	c, repo, base, files, _ := filled(t)
	chain, err := Follow(t.Context(), Log{Store: repo}, Backup{ID: "b", Folder: "c/b", Base: base, Files: files}, 0)
	if err != nil {
		t.Fatal(err)
	}
	dir := folder(t)
	if err := os.WriteFile(filepath.Join(dir, "PG_VERSION"), []byte("15\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := chain.Lay(t.Context(), c.source().Clock, dir, Target{}, nil); fault.KindOf(err) != fault.Conflict {
		t.Fatal(err)
	}
	empty := folder(t)
	if _, err := chain.Lay(t.Context(), c.source().Clock, empty, Target{BeforeXID: 4_000_000_000}, nil); err == nil {
		t.Fatal("there is no such transaction")
	}
	if left, err := os.ReadDir(empty); err != nil || len(left) != 0 {
		t.Fatalf("a restore that failed left %v, %v", left, err)
	}
}

// TestAFullDiskHealsByItself is fault 7 of the reference: first the repository
// is full, then the spool, and then both have room again.
func TestAFullDiskHealsByItself(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	repo := &moody{Store: repository(t)}
	spool := folder(t)
	if err := syscall.Mount("tmpfs", spool, "tmpfs", 0, "size=2m"); errors.Is(err, syscall.EPERM) {
		t.Skip("a disk that is really full takes the right to mount one")
	} else if err != nil {
		t.Fatal(err)
	}
	defer syscall.Unmount(spool, syscall.MNT_DETACH)
	a := c.archive(repo.Store, spool, func(a *Archiver) { a.Store = repo })
	c.sql(writtenTable)
	base, files := c.base(repo.Store, artifact.Seal{})
	c.caught(repo.Store)
	repo.full.Store(true)
	w := c.write(20_000)
	alarmed := func(topic string) func() bool {
		return func() bool {
			a.note.mu.Lock()
			defer a.note.mu.Unlock()
			return a.note.alarms[topic] != ""
		}
	}
	until(t, "the alarm about the repository", alarmed("repository"))
	until(t, "the alarm about the spool", alarmed("spool"))
	w.more(t, 20)
	repo.full.Store(false)
	w.more(t, 20)
	w.stop()
	c.caught(repo.Store)
	until(t, "the alarms end", func() bool { return !alarmed("repository")() && !alarmed("spool")() })
	a.stop()
	got, err := c.restored(repo.Store, base, files, Target{}, writtenText)
	if err != nil {
		t.Fatal(err)
	}
	if lost := missing(w.text(), got[0]); len(lost) > 0 {
		t.Fatalf("%d of %d rows are lost", len(lost), w.count())
	}
}

// TestALostSlotIsAGap that is told at once, and what lies before it can still
// be restored.
func TestALostSlotIsAGap(t *testing.T) {
	t.Parallel()
	c, repo, base, files, head := filled(t)
	xid := c.xid("insert into written values (1, 'not archived')")
	c.sql("select pg_drop_replication_slot('drhost')")
	for range 4 {
		c.sql("insert into written select n, repeat(md5(n::text), 30) from generate_series(1, 1500) n")
		c.sql("checkpoint")
	}
	a := c.archive(repo, folder(t))
	h := c.caught(repo)
	if len(h.Gaps) != 1 || h.Gaps[0].From != head.Position || h.Gaps[0].To <= h.Gaps[0].From {
		t.Fatalf("%+v", h.Gaps)
	}
	if _, err := c.restored(repo, base, files, Target{}, "1"); err == nil || !strings.Contains(err.Error(), "has a hole: "+head.Position.String()) {
		t.Error(err)
	}
	if _, err := c.restored(repo, base, files, Target{BeforeXID: atoi(xid)}, "1"); fault.KindOf(err) != fault.NotFound {
		t.Error(err)
	}
	second, _, err := Take(t.Context(), c.source(), repo, "c/second", "", artifact.Seal{})
	if err != nil {
		t.Fatal(err)
	}
	chain, err := Follow(t.Context(), Log{Store: repo}, Backup{ID: "second", Folder: "c/second", Base: second}, 0)
	if err != nil || chain.Whole() != nil {
		t.Fatal(err, chain.Whole())
	}
	a.stop()
}

func TestTheArchiveFollowsAPromotion(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	repo, spool := repository(t), folder(t)
	a := c.archive(repo, spool)
	c.sql(writtenTable)
	base, files := c.base(repo, artifact.Seal{})
	standby := &cluster{t: t, bin: c.bin, as: c.as, dir: filepath.Join(folder(t), "standby")}
	if err := standby.own(filepath.Dir(standby.dir)); err != nil {
		t.Fatal(err)
	}
	if err := c.tool("pg_basebackup", "-h", "127.0.0.1", "-p", itoa(c.port), "-U", "postgres", "-D", standby.dir, "-R", "-c", "fast", "-X", "stream"); err != nil {
		t.Fatal(err)
	}
	standby.start()
	c.sql("insert into written values (1, 'on the first')")
	c.caught(repo)
	until(t, "the standby has it", func() bool { return standby.query("select count(*) from written") == "1" })
	c.sql("insert into written values (2, 'on the first, before it dies')")
	c.caught(repo)
	until(t, "the standby has that, too", func() bool { return standby.query("select count(*) from written") == "2" })
	a.stop()
	c.kill()
	standby.sql("select pg_promote()")
	standby.sql("insert into written values (3, 'on the second')")
	b := standby.archive(repo, spool)
	standby.sql("insert into written values (4, 'on the second')")
	if head := standby.caught(repo); head.Timeline != 2 || len(head.Gaps) > 0 {
		t.Errorf("%+v", head)
	}
	b.stop()
	for target, want := range map[Target]string{{}: "1 2 3 4", {Timeline: 1}: "1 2"} {
		got, laid, err := standby.restore(repo, base, files, target, artifact.Keys{}, writtenText, "select substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)")
		if err != nil || got[0] != want {
			t.Errorf("%+v: %v %v", target, got, err)
			continue
		}
		// A number that the archive does not know yet, or two servers would
		// write different files of one name.
		if got[1] != "00000003" {
			t.Errorf("timeline %d restored goes on as %s", laid.Timeline, got[1])
		}
	}
}
