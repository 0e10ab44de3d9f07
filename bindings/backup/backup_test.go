package backup

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/bindings/backup/logical"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
)

// shop is a database of 5,000 rows with an index, a view and a foreign key.
const shop = `create table customers (id int primary key, name text, created_at timestamptz default now());
	insert into customers (id, name) select g, 'Customer ' || g || repeat('ä', g % 7) from generate_series(1, 5000) g;
	create schema audit; create table audit.log (id bigserial primary key, customer int references customers, payload jsonb);
	insert into audit.log (customer, payload) select g, jsonb_build_object('n', g) from generate_series(1, 100) g;
	create view named as select name from customers; create index on customers (name)`

const contentHash = "select md5(string_agg(c::text, '|' order by id)) from customers c"

func folders(t *testing.T, c *Client) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(c.env.Dir, "repo", "*", "2*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// at is the client's repository.
func at(t *testing.T, c *Client) *catalogue.Catalogue {
	t.Helper()
	found, err := c.repository(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { found.Store.Close() })
	return found
}

func find(t *testing.T, c *Client, id string) catalogue.Backup {
	t.Helper()
	b, err := at(t, c).Find(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// file is the path of an artifact in a repository that is a folder.
func file(c *Client, b catalogue.Backup, name string) string {
	if r, ok := b.File(name); ok {
		name = r.Name
	}
	return filepath.Join(c.env.Dir, "repo", b.Folder, name)
}

// rewrite replaces a manifest.
func rewrite(t *testing.T, c *Client, b catalogue.Backup, m catalogue.Manifest) {
	t.Helper()
	text, err := json.Marshal(m)
	if err == nil {
		err = os.WriteFile(file(c, b, catalogue.ManifestName), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func made(t *testing.T, c *Client, key, database string) string {
	t.Helper()
	got, err := call(t, c, "create", key, map[string]any{"host": shared.host(), "database": database})
	if err != nil {
		t.Fatal(err)
	}
	return got["id"].(string)
}

func TestDeclarationsAreComplete(t *testing.T) {
	if _, err := binding.NewCatalog(Module()); err != nil {
		t.Fatal(err)
	}
}

func TestCreateListVerify(t *testing.T) {
	db := shared.fresh(t, shop)
	c := client(t, nil)
	before := clock.System{}.Now().Add(-time.Second)
	got, err := call(t, c, "create", "k1", map[string]any{"host": shared.host(), "database": db, "label": "first"})
	if err != nil || got["rows"] != 5100.0 || got["label"] != "first" {
		t.Fatal(got, err)
	}
	s := find(t, c, got["id"].(string))
	if s.Until.Before(before) || s.Rows["audit.log"] != 100 || len(s.Files) != 3 || len(s.Restore) == 0 || s.Files[0].PlainBytes < 10000 || s.Hashes["customers"] == "" {
		t.Fatalf("%+v", s)
	}
	if info, err := os.Stat(file(c, s, logical.DumpName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatal(info, err)
	}
	if again, err := call(t, c, "create", "k1", map[string]any{"host": shared.host(), "database": db}); err != nil || again["id"] != got["id"] {
		t.Fatalf("the same call makes no second backup: %v %v", again, err)
	}
	if len(folders(t, c)) != 1 {
		t.Fatal(folders(t, c))
	}
	if _, err := call(t, c, "newest", "", map[string]any{"database": db, "verified": true}); fault.KindOf(err) != fault.NotFound || !strings.Contains(err.Error(), "1 not verified") {
		t.Fatal(err)
	}
	if v, err := call(t, c, "verify", "", map[string]any{"id": got["id"]}); err != nil || v["depth"] != "read" {
		t.Fatal(v, err)
	}
	newest, err := call(t, c, "newest", "", map[string]any{"database": db, "verified": true})
	if err != nil || newest["id"] != got["id"] || newest["verified"] == nil || newest["age"] == nil {
		t.Fatal(newest, err)
	}
	if _, err := call(t, c, "newest", "", map[string]any{"database": db, "before": "2020-01-01T00:00:00Z"}); fault.KindOf(err) != fault.NotFound {
		t.Fatal(err)
	}
	if _, err := call(t, c, "newest", "", map[string]any{"database": db[:len(db)-1]}); !strings.Contains(fmt.Sprint(err), "did you mean") {
		t.Fatal(err)
	}
	exposed, err := c.status(t.Context(), statusArgs{})
	if err != nil || len(exposed) != 1 || exposed[0].Age == nil || *exposed[0].Age > time.Minute || exposed[0].Verified == nil {
		t.Fatal(exposed, err)
	}
	all, err := list.Call(c, t.Context(), listArgs{Limit: 5})
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
}

func TestFaultsOfCreating(t *testing.T) {
	db := shared.fresh(t, "create table x (n int)")
	closed, _ := net.Listen("tcp", "127.0.0.1:0")
	refused := closed.Addr().String()
	closed.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, k := range []struct {
		name, host, database string
		settings             map[string]any
		kind                 fault.Kind
		says                 string
	}{
		{"wrong password", shared.host(), db, map[string]any{"password": "is:wrong-password-xyz"}, fault.Denied, "PGPASSWORD"},
		{"refused", refused, db, nil, fault.Unavailable, "refused"},
		{"no database", shared.host(), "nothing_here", nil, fault.NotFound, "nothing_here"},
		{"repository is a file", shared.host(), db, map[string]any{"repository": file}, fault.Invalid, "repository"},
		{"repository below a file", shared.host(), db, map[string]any{"repository": file + "/below"}, fault.Invalid, "repository"},
		{"tools of an older version", shared.host(), db, map[string]any{"bin": older(t)}, fault.Invalid, "of at least that version; the newest here is 14.9"},
		{"no tools", shared.host(), db, map[string]any{"bin": "/nowhere"}, fault.Invalid, "apt-get install postgresql-client"},
	} {
		t.Run(k.name, func(t *testing.T) {
			c := client(t, k.settings)
			_, err := call(t, c, "create", "k", map[string]any{"host": k.host, "database": k.database})
			f := fault.As(err)
			if err == nil || f.Kind != k.kind || f.Sent != fault.NotDone || !strings.Contains(f.Error(), k.says) || strings.Contains(f.Error(), "xyz") {
				t.Fatalf("%v: %+v", err, f)
			}
			if left := folders(t, c); len(left) != 0 {
				t.Fatal(left)
			}
		})
	}
}

// older makes a folder of programs that say that they are PostgreSQL 14's, and
// do nothing.
func older(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, tool := range []string{"pg_dump", "pg_dumpall", "pg_restore"} {
		if err := os.WriteFile(filepath.Join(dir, tool), []byte("#!/bin/sh\necho '"+tool+" (PostgreSQL) 14.9'\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// bin makes a folder of PostgreSQL programs in which name is a script; $REAL is
// the program that it stands for.
func bin(t *testing.T, name, script string) string {
	t.Helper()
	dir := t.TempDir()
	for _, tool := range []string{"pg_dump", "pg_dumpall", "pg_restore"} {
		real := filepath.Join(shared.bin, tool)
		if tool != name {
			if err := os.Symlink(real, filepath.Join(dir, tool)); err != nil {
				t.Fatal(err)
			}
			continue
		}
		text := "#!/bin/sh\nREAL=" + real + "\n[ \"$1\" = --version ] && exec $REAL --version\n" + script
		if err := os.WriteFile(filepath.Join(dir, tool), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestADumpThatIsKilledLeavesNoBackup(t *testing.T) {
	db := shared.fresh(t, shop)
	c := client(t, map[string]any{"bin": bin(t, "pg_dump", `$REAL "$@" | head -c 5000; kill -9 $$`)})
	_, err := call(t, c, "create", "k", map[string]any{"host": shared.host(), "database": db})
	f := fault.As(err)
	if f.Kind != fault.Failed || f.Sent != fault.NotDone || !strings.Contains(f.Message, "signal 9") {
		t.Fatalf("%+v", f)
	}
	if left := folders(t, c); len(left) != 0 {
		t.Fatal(left)
	}
	s, err := create.Settled(c, binding.WithKey(t.Context(), "k"), createArgs{Host: shared.host(), Database: db})
	if err != nil || s.Landed != binding.No {
		t.Fatal(s, err)
	}
}

func TestWhatACrashLeftIsNoBackupAndIsCleared(t *testing.T) {
	db := shared.fresh(t, shop)
	c := client(t, nil)
	left := filepath.Join(c.env.Dir, "repo", db, catalogue.NewID(clock.System{}.Now(), catalogue.Suffix("k")))
	other := filepath.Join(c.env.Dir, "repo", db, catalogue.NewID(clock.System{}.Now(), catalogue.Suffix("other")))
	for _, dir := range []string{left, other} {
		if err := os.MkdirAll(dir, 0o750); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := call(t, c, "newest", "", map[string]any{"database": db}); fault.KindOf(err) != fault.NotFound {
		t.Fatal(err)
	}
	if e, err := c.status(t.Context(), statusArgs{}); err != nil || e[0].Incomplete != 2 || e[0].Until != nil {
		t.Fatal(e, err)
	}
	id := made(t, c, "k", db)
	if got := folders(t, c); len(got) != 2 {
		t.Fatalf("of this call's own attempts only the last stays, others are left alone: %v", got)
	}
	s, err := create.Settled(c, binding.WithKey(t.Context(), "k"), createArgs{})
	if err != nil || s.Landed != binding.Yes || s.Result.ID != id {
		t.Fatal(s, err)
	}
}

// TestThePasswordStaysOutOfSight: children read it from a file that has no
// name, so that a kill -9 leaves none behind.
func TestThePasswordStaysOutOfSight(t *testing.T) {
	db := shared.fresh(t, shop)
	seen, temporary := filepath.Join(t.TempDir(), "seen"), t.TempDir()
	t.Setenv("TMPDIR", temporary)
	c := client(t, map[string]any{"bin": bin(t, "pg_dump", fmt.Sprintf(`(echo "$@"; env; ls -A %s; stat -L -c %%a "$PGPASSFILE") > %s; exec $REAL "$@"`, temporary, seen))})
	made(t, c, "k", db)
	text, err := os.ReadFile(seen)
	if err != nil || strings.Contains(string(text), password) || !strings.HasSuffix(string(text), "\n600\n") {
		t.Fatalf("%v\n%s", err, text)
	}
	if runtime.GOOS == "linux" && strings.Contains(string(text), "drhost-pass") {
		t.Errorf("a kill now would leave the password in a file:\n%s", text)
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("afterwards there is %v, %v", left, err)
	}
}

func TestCancellingKillsTheWholeGroup(t *testing.T) {
	db := shared.fresh(t, shop)
	pid := filepath.Join(t.TempDir(), "pid")
	c := client(t, map[string]any{"bin": bin(t, "pg_dump", fmt.Sprintf("sleep 60 & echo $! > %s.new; mv %s.new %s; wait", pid, pid, pid))})
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan error, 1)
	go func() {
		_, err := c.create(ctx, createArgs{Host: shared.host(), Database: db, Within: time.Minute})
		got <- err
	}()
	var grandchild int
	until(t, func() bool {
		text, err := os.ReadFile(pid)
		_, scanned := fmt.Sscan(string(text), &grandchild)
		return err == nil && scanned == nil
	})
	cancel()
	if err := <-got; fault.KindOf(err) != fault.Cancelled {
		t.Fatal(err)
	}
	until(t, func() bool { return dead(grandchild) })
	if left := folders(t, c); len(left) != 0 {
		t.Fatal(left)
	}
}

// dead tells whether a process is gone, or only waits to be reaped.
func dead(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return true
	}
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, after, _ := strings.Cut(string(text), ") ")
	return strings.HasPrefix(after, "Z")
}

func until(t *testing.T, reached func() bool) {
	t.Helper()
	err := clock.Poll(t.Context(), clock.System{}, time.Minute, 20*time.Millisecond, func(context.Context) (bool, error) { return reached(), nil })
	if err != nil {
		t.Fatal(err)
	}
}

func flip(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAFlippedBitIsFoundBeforeAnythingIsTouched(t *testing.T) {
	db := shared.fresh(t, shop)
	c := client(t, nil)
	older, id := made(t, c, "k0", db), made(t, c, "k", db)
	s := find(t, c, id)
	flip(t, file(c, s, logical.DumpName))
	databases := "select string_agg(datname, ',' order by oid) from pg_database"
	before := shared.query(t, "postgres", databases)
	_, err := call(t, c, "restore", "r", map[string]any{"id": id, "host": shared.host(), "database": db, "replace": true})
	if f := fault.As(err); f.Kind != fault.Failed || f.Sent != fault.NotDone || !strings.Contains(f.Message, "checksum") {
		t.Fatalf("%+v", f)
	}
	if _, err := call(t, c, "verify", "", map[string]any{"id": id}); fault.KindOf(err) != fault.Failed {
		t.Fatal(err)
	}
	if after := shared.query(t, "postgres", databases); after != before {
		t.Fatalf("%s became %s", before, after)
	}
	newest, err := call(t, c, "newest", "", map[string]any{"database": db})
	if err != nil || newest["id"] != older {
		t.Fatalf("a damaged backup is not the newest: %v %v", newest, err)
	}
}

func TestVerifyReadsToTheEnd(t *testing.T) {
	db := shared.fresh(t, shop)
	c := client(t, nil)
	id := made(t, c, "k", db)
	s := find(t, c, id)
	// A dump that was cut off before its checksum was taken.
	half, err := artifact.Write(t.Context(), at(t, c).Store, s.Folder, logical.DumpName, artifact.Seal{}, func(w io.Writer) error {
		whole, err := artifact.Open(t.Context(), at(t, c).Store, s.Folder, s.Files[0], artifact.Keys{})
		if err != nil {
			return err
		}
		defer whole.Close()
		_, err = io.CopyN(w, whole, s.Files[0].PlainBytes*6/10)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Files[0] = half
	rewrite(t, c, s, s.Manifest)
	if _, err := call(t, c, "verify", "", map[string]any{"id": id}); fault.KindOf(err) != fault.Failed || !strings.Contains(err.Error(), "pg_restore") {
		t.Fatal(err)
	}
}

func TestAManifestThatCannotBeReadIsShownAsDamaged(t *testing.T) {
	db := shared.fresh(t, "create table x (n int)")
	c := client(t, nil)
	id := made(t, c, "k", db)
	s := find(t, c, id)
	text, err := json.Marshal(s.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file(c, s, catalogue.ManifestName), text[:len(text)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := list.Call(c, t.Context(), listArgs{Limit: 5})
	if err != nil || len(all) != 1 || all[0].Damaged == "" {
		t.Fatal(all, err)
	}
	for _, name := range []string{"verify", "restore"} {
		args := map[string]any{"id": id}
		if name == "restore" {
			args["host"] = shared.host()
		}
		if _, err := call(t, c, name, "r", args); fault.KindOf(err) != fault.Failed {
			t.Fatal(name, err)
		}
	}
}
