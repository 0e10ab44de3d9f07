package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/bindings/backup/store/sftpstore/sftptest"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// keyPair is a key of age for a test.
func keyPair(t *testing.T) *age.X25519Identity {
	t.Helper()
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// kinds are the settings of a repository of each kind.
func kinds(t *testing.T) map[string]map[string]any {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("backups"); err != nil {
		t.Fatal(err)
	}
	s3 := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(s3.Close)
	files := sftptest.Start(t)
	known := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(known, []byte(files.KnownHost), 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string]map[string]any{
		"folder": {"repository": t.TempDir()},
		"s3":     {"repository": "s3://backups/acme", "s3": map[string]any{"endpoint": s3.URL, "access_key": "is:AKIATEST", "secret_key": "is:secret-of-a-test"}},
		"sftp": {"repository": "sftp://backup@" + files.Addr + t.TempDir() + "/repo",
			"sftp": map[string]any{"key": "is:" + files.Key, "known_hosts": known}},
	}
}

// TestEveryKindOfRepository backs up, checks, restores and prunes, encrypted.
func TestEveryKindOfRepository(t *testing.T) {
	db := shared.fresh(t, shop+"; create table docs (id int, body json); insert into docs select g, json_build_object('n', g) from generate_series(1, 50) g")
	key, wrong := keyPair(t), keyPair(t)
	for name, settings := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			settings["recipients"] = []any{key.Recipient().String()}
			sealed := client(t, settings)
			id := made(t, sealed, "k", db)
			if v, err := call(t, sealed, "verify", "", map[string]any{"id": id}); err != nil || v["depth"] != "sums" {
				t.Fatal(v, err)
			}
			if _, err := call(t, sealed, "newest", "", map[string]any{"database": db, "verified": true}); fault.KindOf(err) != fault.NotFound {
				t.Fatal("sums alone make nothing verified:", err)
			}
			args := map[string]any{"id": id, "host": shared.host(), "database": "kinds_" + name}
			settings["identity"] = "is:" + wrong.String()
			for who, c := range map[string]*Client{"no key": sealed, "a wrong key": client(t, settings)} {
				_, err := call(t, c, "restore", "r", args)
				if f := fault.As(err); f.Kind != fault.Denied || f.Sent != fault.NotDone || !strings.Contains(f.Error(), "identity") {
					t.Fatalf("%s: %+v", who, f)
				}
			}
			settings["identity"] = "is:" + key.String()
			c := client(t, settings)
			if n := shared.query(t, db, "select count(*)::text from pg_database where datname like 'kinds_"+name+"%'"); n != "0" {
				t.Fatal("something was touched")
			}
			if v, err := call(t, c, "verify", "", map[string]any{"id": id}); err != nil || v["depth"] != "read" {
				t.Fatal(v, err)
			}
			got, err := call(t, c, "restore", "r", args)
			if err != nil || got["rows"] != 5150.0 {
				t.Fatal(got, err)
			}
			if shared.query(t, "kinds_"+name, contentHash) != shared.query(t, db, contentHash) {
				t.Fatal("the content differs")
			}
			b := find(t, c, id)
			if b.Checks.Depth != catalogue.DepthRestored || len(b.Checks.Compared) != 3 || len(b.Recipients) != 1 || b.Files[0].Name != "dump.pgdump.zst.age" {
				t.Fatalf("%+v", b)
			}
			left, err := at(t, c).Store.List(t.Context(), "pins/")
			if err != nil || len(left) != 0 {
				t.Fatal("pins are left:", left, err)
			}
		})
	}
}

// TestArchivingIntoEveryKindOfRepository by the service that the command line
// runs, encrypted: what committed after the copy of the cluster is in a trial
// restore.
func TestArchivingIntoEveryKindOfRepository(t *testing.T) {
	db := shared.fresh(t, "create table rows (n int)")
	key := keyPair(t)
	for name, settings := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			settings["recipients"], settings["identity"] = []any{key.Recipient().String()}, "is:"+key.String()
			settings["archive"] = map[string]any{"spool": t.TempDir(), "slot": "kind_" + name, "every": "100ms"}
			c := client(t, settings)
			c.env.State = t.TempDir()
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			done := make(chan error, 1)
			go func() {
				done <- Module().Service("archive").Run(ctx, c, map[string]any{"host": shared.host()}, c.env.Secret, func(alarm bool, text string) { t.Log(alarm, text) })
			}()
			got, err := call(t, c, "create_cluster", "k", map[string]any{"host": shared.host(), "cluster": "all"})
			if err != nil {
				t.Fatal(err)
			}
			made := find(t, c, got["id"].(string))
			shared.sql(t, db, "insert into rows select generate_series(1, 1000)")
			var at time.Time
			if at, err = time.Parse(time.RFC3339Nano, shared.query(t, db, `select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`)); err != nil {
				t.Fatal(err)
			}
			var x Exposure
			until(t, func() bool {
				found, err := c.status(t.Context(), statusArgs{Database: "all"})
				if err != nil || len(found) != 1 {
					t.Fatal(found, err)
				}
				x = found[0]
				return x.Kind == archived && x.Until.After(at)
			})
			if !x.Until.After(made.Until) {
				t.Fatalf("%+v", x)
			}
			t.Logf("%s behind", x.Age)
			stop()
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if v, err := call(t, c, "verify", "", map[string]any{"id": got["id"], "depth": "restore"}); err != nil || v["depth"] != "restored" {
				t.Fatal(v, err)
			}
			back, err := call(t, c, "restore", "r", map[string]any{"id": got["id"], "folder": filepath.Join(t.TempDir(), "back"), "time": at.Format(time.RFC3339Nano)})
			if err != nil || back["kind"] != "physical" || back["last_commit"] == nil {
				t.Fatal(back, err)
			}
			shared.sql(t, "postgres", "select pg_drop_replication_slot('kind_"+name+"')")
		})
	}
}

// TestRestoredByHand follows the manifest's commands literally, with the real
// programs and without drhost.
func TestRestoredByHand(t *testing.T) {
	for _, program := range []string{"age", "zstd", "sha256sum"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatal("this test needs age and zstd: apt-get install age zstd")
		}
	}
	key := keyPair(t)
	for name, recipients := range map[string][]any{"encrypted": {key.Recipient().String()}, "open": {}} {
		t.Run(name, func(t *testing.T) {
			db := shared.fresh(t, shop+"; alter database "+strings.ToLower(strings.ReplaceAll(t.Name(), "/", "_"))+" set search_path to audit, public")
			want := shared.query(t, db, strings.Replace(contentHash, "customers", "public.customers", 1))
			c := client(t, map[string]any{"recipients": recipients})
			b := find(t, c, made(t, c, "k", db))
			shared.sql(t, "postgres", "drop database "+db)
			identity := filepath.Join(t.TempDir(), "key.txt")
			if err := os.WriteFile(identity, []byte(key.String()+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			var manifest catalogue.Manifest
			text, err := os.ReadFile(file(c, b, catalogue.ManifestName))
			if err == nil {
				err = json.Unmarshal(text, &manifest)
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, line := range manifest.Restore {
				cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", line)
				cmd.Dir = filepath.Dir(file(c, b, catalogue.ManifestName))
				cmd.Env = []string{"PATH=" + shared.bin + ":/usr/bin:/bin", "KEY=" + identity, "LC_ALL=C", "PGHOST=127.0.0.1", fmt.Sprint("PGPORT=", shared.port), "PGUSER=postgres", "PGPASSWORD=" + password}
				if said, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%s: %v\n%s", line, err, said)
				}
			}
			if got := shared.query(t, db, strings.Replace(contentHash, "customers", "public.customers", 1)); got != want {
				t.Fatal("the content differs")
			}
			if got := shared.query(t, db, "show search_path"); got != "audit, public" {
				t.Fatal(got)
			}
		})
	}
}

// TestABackupOfTheFirstFormatIsRestored: plain files, and no hashes of content.
func TestABackupOfTheFirstFormatIsRestored(t *testing.T) {
	db := shared.fresh(t, shop)
	c := client(t, nil)
	b := find(t, c, made(t, c, "k", db))
	m := b.Manifest
	m.Format, m.Subject, m.Hashes = 1, "", nil
	for n, sealed := range m.Files {
		in, err := artifact.Open(t.Context(), at(t, c).Store, b.Folder, sealed, artifact.Keys{})
		if err != nil {
			t.Fatal(err)
		}
		plain, err := artifact.Write(t.Context(), at(t, c).Store, b.Folder, sealed.Plain(), artifact.Seal{Plain: true}, func(w io.Writer) error {
			_, err := io.Copy(w, in)
			return errors.Join(err, in.Close())
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(file(c, b, sealed.Name)); err != nil {
			t.Fatal(err)
		}
		m.Files[n] = artifact.Record{Name: plain.Name, Bytes: plain.Bytes, SHA256: plain.SHA256}
	}
	rewrite(t, c, b, m)
	if v, err := call(t, c, "verify", "", map[string]any{"id": b.ID}); err != nil || v["depth"] != "read" {
		t.Fatal(v, err)
	}
	got, err := call(t, c, "restore", "r", map[string]any{"id": b.ID, "host": shared.host(), "database": "first_format"})
	if err != nil || got["rows"] != 5100.0 || shared.query(t, "first_format", contentHash) != shared.query(t, db, contentHash) {
		t.Fatal(got, err)
	}
}

// TestTwoBackupsAtOnce: the second waits for the first, and when it may not, it
// says who is at work.
func TestTwoBackupsAtOnce(t *testing.T) {
	db := shared.fresh(t, "create table x (n int)")
	c := client(t, map[string]any{"lock_wait": "0s"})
	lock, _, err := at(t, c).Lock(t.Context(), db, "backup of "+db, 0)
	if err != nil {
		t.Fatal(err)
	}
	args := map[string]any{"host": shared.host(), "database": db}
	_, err = call(t, c, "create", "k", args)
	if f := fault.As(err); f.Kind != fault.Conflict || f.Sent != fault.NotDone || !strings.Contains(f.Message, "(backup of "+db) {
		t.Fatalf("%+v", f)
	}
	c.set.LockWait = time.Minute
	waits := make(chan struct{})
	ctx := binding.WithProgress(binding.WithKey(t.Context(), "k"), func(text string) {
		if strings.HasPrefix(text, "waiting for ") {
			close(waits)
		}
	})
	done := make(chan error, 1)
	go func() {
		_, err := c.create(ctx, createArgs{Host: shared.host(), Database: db, Within: time.Minute})
		done <- err
	}()
	select {
	case <-waits:
	case err := <-done:
		t.Fatal("it did not wait:", err)
	}
	if err := lock.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// TestAChangeOfOneValueIsFound, which a count of rows does not tell.
func TestAChangeOfOneValueIsFound(t *testing.T) {
	db := shared.fresh(t, shop)
	c := client(t, nil)
	b := find(t, c, made(t, c, "k", db))
	m := b.Manifest
	m.Hashes["customers"] = "record:1"
	rewrite(t, c, b, m)
	_, err := call(t, c, "restore", "r", map[string]any{"id": b.ID, "host": shared.host(), "database": "one_value"})
	if f := fault.As(err); f.Kind != fault.Failed || f.Sent != fault.NotDone || !strings.Contains(f.Message, "customers has as many rows, but other content") {
		t.Fatalf("%+v", f)
	}
	if n := shared.query(t, db, "select count(*)::text from pg_database where datname like 'one_value%'"); n != "0" {
		t.Fatal("something was left")
	}
}

// TestPrune makes old backups out of new ones.
func TestPrune(t *testing.T) {
	db := shared.fresh(t, "create table x (n int); insert into x select generate_series(1, 10)")
	c := client(t, map[string]any{"keep": map[string]any{"window": "24h"}})
	var ids []string
	for n := range 3 {
		id := made(t, c, fmt.Sprint("k", n), db)
		b := find(t, c, id)
		m := b.Manifest
		m.Until = m.Until.Add(-time.Duration(5-n) * 24 * time.Hour)
		rewrite(t, c, b, m)
		ids = append(ids, id)
	}
	cut := filepath.Join(c.env.Dir, "repo", db, "20200101T000000Z-00000000")
	if err := os.MkdirAll(cut, 0o750); err != nil {
		t.Fatal(err)
	}
	predicted, err := prune.Predict(c, t.Context(), pruneArgs{Within: time.Minute})
	if err != nil || len(predicted.Deleted) != 2 || len(folders(t, c)) != 4 || predicted.Cleared != 1 {
		t.Fatal(predicted, err)
	}
	pin, _, err := at(t, c).Pin(t.Context(), find(t, c, ids[1]), "a restore")
	if err != nil {
		t.Fatal(err)
	}
	got, err := call(t, c, "prune", "p", map[string]any{"database": db})
	if err != nil || len(got["deleted"].([]any)) != 1 || got["cleared"] != 1.0 || !strings.Contains(fmt.Sprint(got["kept"]), "a restore") {
		t.Fatal(got, err)
	}
	if err := pin.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := call(t, c, "prune", "p", nil); err != nil {
		t.Fatal(err)
	}
	left := folders(t, c)
	if len(left) != 1 || filepath.Base(left[0]) != ids[2] {
		t.Fatal("the last good one stays, however old:", left)
	}
}

func TestRepositoriesThatCannotBe(t *testing.T) {
	for _, text := range []string{"s3://", "s3://user@bucket/x", "sftp://host/path", "sftp://user@host", "ftp://host/x", "sftp://user:hunter2@host/path", "s3://bucket/x?y=z"} {
		_, err := Module().Open(binding.Env{Settings: map[string]any{"repository": text}})
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "repository") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := artifact.ParseRecipients([]string{"nobody"}); fault.KindOf(err) != fault.Invalid {
		t.Error(err)
	}
}
