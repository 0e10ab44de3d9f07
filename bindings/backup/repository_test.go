package backup

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/host/fault"
)

// remembering is a client with a state folder.
func remembering(t *testing.T, with map[string]any) (c *Client, repo string) {
	t.Helper()
	c = client(t, with)
	c.env.State = t.TempDir()
	return c, filepath.Join(c.env.Dir, "repo")
}

// unmounted puts an empty folder where a repository is; back undoes it.
func unmounted(t *testing.T, repo string) (back func()) {
	t.Helper()
	rename := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	rename(repo, repo+"-disk")
	if err := os.Mkdir(repo, 0o755); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := os.Remove(repo); err != nil {
			t.Fatal("something was written below the mount:", err)
		}
		rename(repo+"-disk", repo)
	}
}

func TestARepositoryWhoseDiskIsNotMounted(t *testing.T) {
	db := shared.fresh(t, "create table x (n int)")
	c, repo := remembering(t, nil)
	made(t, c, "k1", db)
	back := unmounted(t, repo)
	calls := map[string]map[string]any{
		"create": {"host": shared.host(), "database": db}, "create_cluster": {"host": shared.host(), "cluster": "x"},
		"prune": {}, "status": {}, "list": {}, "newest": {"database": db},
	}
	for name, args := range calls {
		_, err := call(t, c, name, "k2", args)
		if f := fault.As(err); err == nil || f.Kind != fault.Unavailable || f.Transient || f.Sent != fault.NotDone || !strings.Contains(f.Message, "Is its disk mounted?") || !strings.Contains(f.Hint, c.env.State) {
			t.Errorf("%s: %v: %+v", name, err, f)
		}
	}
	err := Module().Service("archive").Run(ended(t), c, map[string]any{"host": shared.host()}, c.env.Secret, func(bool, string) {})
	if err != nil {
		t.Error("it waits for the disk:", err)
	}
	back()
	made(t, c, "k2", db)

	// Another repository lies there.
	identity := filepath.Join(repo, catalogue.IdentityName)
	text, err := os.ReadFile(identity)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(identity, []byte(`{"id": "another"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = call(t, c, "create", "k3", map[string]any{"host": shared.host(), "database": db})
	f := fault.As(err)
	if f.Kind != fault.Conflict || !strings.Contains(f.Message, "another repository") {
		t.Fatalf("%+v", f)
	}
	// It is the right one: the hint names the file to remove.
	at := f.Hint[strings.Index(f.Hint, "remove ")+len("remove "):]
	if err := os.Remove(at); err != nil {
		t.Fatal(err)
	}
	made(t, c, "k3", db)
	if err := os.WriteFile(identity, text[:5], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = call(t, c, "status", "", nil); fault.KindOf(err) != fault.Failed || fault.As(err).Hint == "" {
		t.Fatal(err)
	}
}

// ended is a context that ends as soon as something waits.
func ended(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// TestADiskThatGoesWhileArchiving: the archiver writes nothing into the folder
// below, says so, and goes on when the disk is back.
func TestADiskThatGoesWhileArchiving(t *testing.T) {
	db := shared.fresh(t, "create table x (n int)")
	c, repo := remembering(t, map[string]any{"archive": map[string]any{"spool": t.TempDir(), "slot": "gone", "every": "100ms"}})
	var mu sync.Mutex
	var alarms []string
	alarmed := func(text string) bool {
		mu.Lock()
		defer mu.Unlock()
		return strings.Contains(strings.Join(alarms, "\n"), text)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- Module().Service("archive").Run(ctx, c, map[string]any{"host": shared.host()}, c.env.Secret, func(alarm bool, text string) {
			mu.Lock()
			defer mu.Unlock()
			alarms = append(alarms, text)
		})
	}()
	head := func() string {
		found, _ := filepath.Glob(filepath.Join(repo, "wal", "*", "head.json"))
		if len(found) != 1 {
			return ""
		}
		text, err := os.ReadFile(found[0])
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		return string(text)
	}
	until(t, func() bool { return head() != "" })
	back := unmounted(t, repo)
	shared.sql(t, db, "insert into x values (1)")
	until(t, func() bool { return alarmed("Is its disk mounted?") })
	back()
	before := head()
	shared.sql(t, db, "insert into x values (2)")
	until(t, func() bool { return head() != before && alarmed("repository: well again") })
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	shared.sql(t, "postgres", "select pg_drop_replication_slot('gone')")
}

// TestARepositoryOlderThanIdentities goes on serving, and gets one.
func TestARepositoryOlderThanIdentities(t *testing.T) {
	db := shared.fresh(t, "create table x (n int)")
	c, repo := remembering(t, nil)
	c.env.State = ""
	id := made(t, c, "k1", db)
	if err := os.Remove(filepath.Join(repo, catalogue.IdentityName)); err != nil {
		t.Fatal(err)
	}
	c.env.State = t.TempDir()
	if _, err := call(t, c, "verify", "", map[string]any{"id": id}); err != nil {
		t.Fatal(err)
	}
	made(t, c, "k2", db)
	if found, err := catalogue.ReadIdentity(t.Context(), at(t, c).Store); err != nil || found == nil {
		t.Fatal(found, err)
	}
}

// TestARepositoryThatIsFull to the last byte takes no backup, keeps those that
// it has, and can still be pruned.
func TestARepositoryThatIsFull(t *testing.T) {
	db := shared.fresh(t, "create table x as select n, md5(n::text) from generate_series(1, 30000) n")
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=8m"); errors.Is(err, syscall.EPERM) {
		t.Skip("a disk that is really full takes the right to mount one")
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Unmount(disk, syscall.MNT_DETACH) })
	c := client(t, map[string]any{"repository": disk, "keep": map[string]any{"window": "0s", "last": 1.0}})
	made(t, c, "k1", db)
	second := made(t, c, "k2", db)
	ballast, err := os.Create(filepath.Join(disk, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = ballast.Write(make([]byte, 4096))
	}
	ballast.Close()
	_, err = call(t, c, "create", "k3", map[string]any{"host": shared.host(), "database": db})
	if f := fault.As(err); f.Kind != fault.Exhausted || f.Sent != fault.NotDone || f.Hint == "" {
		t.Fatalf("%+v", f)
	}
	if _, err := call(t, c, "verify", "", map[string]any{"id": second, "depth": "sums"}); err != nil && fault.KindOf(err) != fault.Exhausted { // the finding cannot be noted
		t.Fatal(err)
	}
	got, err := call(t, c, "prune", "p", nil)
	if err != nil || len(got["deleted"].([]any)) != 1 {
		t.Fatal(got, err)
	}
	if _, err := call(t, c, "verify", "", map[string]any{"id": second}); err != nil {
		t.Fatal(err)
	}
	if _, err := at(t, c).Store.Stat(t.Context(), "locks/reserve"); err != nil {
		t.Fatal("the reserve is not there again:", err)
	}
}
