package physical

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"filippo.io/age"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/bindings/backup/postgres"
	"github.com/webhost-systems/drhost/bindings/backup/store/localstore"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
)

func (c *cluster) engine(repo *localstore.Store) *Engine {
	return &Engine{Catalogue: &catalogue.Catalogue{Store: repo, Clock: clock.System{}, Owner: "the test"}, Clock: clock.System{}, Way: c.source().Way, User: "postgres",
		Keys:  func() (artifact.Keys, error) { return artifact.Keys{}, nil },
		Tools: func(context.Context, int) (postgres.Tools, error) { return c.tools(), nil }, Scratch: memory()}
}

// TestTheManifestRestoresWithoutDrhost runs its commands to the letter.
func TestTheManifestRestoresWithoutDrhost(t *testing.T) {
	t.Parallel()
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for name, seal := range map[string]artifact.Seal{"open": {}, "encrypted": {Recipients: []age.Recipient{key.Recipient()}}} {
		t.Run(name, func(t *testing.T) { restoredByHand(t, seal, key.String()) })
	}
}

func restoredByHand(t *testing.T, seal artifact.Seal, key string) {
	for _, program := range []string{"age", "zstd", "sha256sum", "tar"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatal("this test needs age and zstd: apt-get install age zstd")
		}
	}
	c := newCluster(t)
	dir := folder(t)
	repo, err := localstore.Open(filepath.Join(dir, "repo"))
	if err != nil {
		t.Fatal(err)
	}
	a := c.archive(repo, folder(t), func(a *Archiver) { a.Seal = seal })
	c.sql(writtenTable)
	e := c.engine(repo)
	e.Seal = seal
	for range seal.Recipients {
		e.Recipients = append(e.Recipients, "of the test")
	}
	identity := filepath.Join(dir, "key.txt")
	if err := os.WriteFile(identity, []byte(key+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	b, err := e.Copy(t.Context(), Copy{Server: c.source().Server, Host: "db", Cluster: "shop", Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	c.sql("insert into written select n, repeat(md5(n::text), 30) from generate_series(1, 2000) n")
	c.caught(repo)
	c.sql("insert into written values (2001, '')")
	c.caught(repo)
	a.stop()
	if exec.Command("chmod", "-R", "a+rX", dir).Run() != nil {
		t.Fatal("the server's user has to read the repository")
	}
	script := "set -e\n" + strings.Join(b.Restore, "\n") + "\n"
	script = strings.Replace(script, "pg_ctl -D \"$DATA\" -w start", `pg_ctl -D "$DATA" -w -l "$DATA/log" -o "-k '$DATA' -c listen_addresses=''" start`, 1) // not on the usual port
	cmd := exec.Command("bash", "-c", script+`until psql -h "$DATA" -U postgres -Atc "select 'replayed ' || count(*) from written where not pg_is_in_recovery()" postgres | grep 'replayed [1-9]'; do :; done; pg_ctl -D "$DATA" -m immediate stop`)
	cmd.Dir = repo.Path(b.Folder)
	if err := c.own(filepath.Join(dir, "back")); err != nil {
		t.Fatal(err)
	}
	cmd.Env = []string{"PATH=" + c.bin + ":/usr/bin:/bin", "DATA=" + filepath.Join(dir, "back", "data"), "REPOSITORY=" + repo.Path(""), "KEY=" + identity, "PGPASSWORD=" + password, "LC_ALL=C"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.as}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "replayed 2001") {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestTheCatalogueKnowsCopies(t *testing.T) {
	t.Parallel()
	c, repo, _, _, _ := filled(t)
	e := c.engine(repo)
	b, err := e.Copy(t.Context(), Copy{Server: c.source().Server, Host: "db", Cluster: "shop", Label: "nightly", Key: "one"})
	if err != nil || b.Subject != "shop" || b.Kind != catalogue.Physical || b.Base.Stop <= b.Base.Start || b.Base.Databases[0] != "postgres" {
		t.Fatalf("%+v %v", b, err)
	}
	found, err := e.Verify(t.Context(), b, catalogue.DepthRestored)
	if err != nil || found.Rows != 3500 {
		t.Fatal(found, err)
	}
	again, err := e.Catalogue.Find(t.Context(), b.ID)
	if err != nil || again.Checks.Depth != catalogue.DepthRestored || again.Checks.VerifiedAt.IsZero() {
		t.Fatalf("%+v %v", again.Checks, err)
	}
	c.sql("create table t2 (n int)")
	if err := os.MkdirAll(filepath.Join(c.dir+"-space"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := c.own(c.dir + "-space"); err != nil {
		t.Fatal(err)
	}
	c.sql("create tablespace elsewhere location '" + c.dir + "-space'")
	if _, err := e.Copy(t.Context(), Copy{Server: c.source().Server, Host: "db", Cluster: "shop", Key: "two"}); fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), "elsewhere") {
		t.Fatal(err)
	}
	path := repo.Path(b.Folder + "/" + b.Files[0].Name)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Verify(t.Context(), b, catalogue.DepthSums); err == nil {
		t.Fatal("a flipped bit")
	}
	if again, err = e.Catalogue.Find(t.Context(), b.ID); err != nil || !again.Damaged() {
		t.Fatal(again.Checks, err)
	}
	if all, _, err := e.Catalogue.All(t.Context()); err != nil || len(all) != 1 {
		t.Fatal(len(all), err)
	}
}
