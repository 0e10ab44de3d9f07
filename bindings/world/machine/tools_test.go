package machine

import (
	"net"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestPostgreSQLsToolsWork dumps and restores over the machine's port as a
// backup does: the role must suffice although it is no superuser.
func TestPostgreSQLsToolsWork(t *testing.T) {
	b := newBench(t)
	m := b.machine(1, "hobby-1", Hobby)
	if err := m.Seed(b.ctx, Seeds{Customers: 30, Updates: 300}); err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(b.open(m, 5432))
	if err != nil {
		t.Fatal(err)
	}
	tool := func(program string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(b.ctx, filepath.Join(m.pg.bin, program), append([]string{"-h", host, "-p", port, "-U", "postgres", "-w"}, args...)...)
		cmd.Env = []string{"PGPASSWORD=" + testPassword, "PGSSLMODE=disable", "LC_ALL=C.UTF-8"}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", program, err, out)
		}
	}
	dump := filepath.Join(t.TempDir(), "dump")
	tool("pg_dump", "-Fc", "-f", dump, "webhost_prod")
	tool("pg_dumpall", "--globals-only", "--no-role-passwords", "-f", dump+".globals")
	tool("createdb", "-T", "template0", "beside")
	tool("pg_restore", "--exit-on-error", "-j", "2", "-d", "beside", dump)
	tool("psql", "-X", "-v", "ON_ERROR_STOP=1", "-d", "postgres", "-c", `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'webhost_prod'`,
		"-c", `ALTER DATABASE webhost_prod RENAME TO webhost_prod_damaged`, "-c", `ALTER DATABASE beside RENAME TO webhost_prod`,
		"-c", `COMMENT ON DATABASE webhost_prod IS 'drhost key'`)
	tool("pg_basebackup", "-D", filepath.Join(t.TempDir(), "base"), "-X", "stream", "--no-sync", "-c", "fast")
	conn, err := b.pg(m, testPassword)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(b.ctx)
	var rows int
	if err := conn.QueryRow(b.ctx, "SELECT count(*) FROM sync_updates").Scan(&rows); err != nil || rows != 300 {
		t.Errorf("%d rows restored: %v", rows, err)
	}
}
