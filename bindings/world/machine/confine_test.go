package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkg/sftp"
)

// TestNoSettingRunsAProgramOfTheHost writes into the data folder what a runbook
// could: settings under which a server runs commands, rules that let anybody
// in, and a whole cluster whose role is a superuser.
func TestNoSettingRunsAProgramOfTheHost(t *testing.T) {
	b := newBench(t)
	m := b.machine(1, "hobby-1", Hobby)
	outside, err := os.MkdirTemp("", "drhost-outside-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(outside)
	if err := os.Chmod(outside, 0o777); err != nil {
		t.Fatal(err)
	}
	c := b.login(m)
	f, err := sftp.NewClient(c)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data := "/" + dataFolder(m.pg)
	write := func(name, text string) {
		t.Helper()
		w, err := f.Create(data + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(text))
		w.Close()
	}
	auto := ""
	for n, setting := range []string{"restore_command", "archive_command", "archive_cleanup_command", "recovery_end_command", "ssl_passphrase_command"} {
		auto += fmt.Sprintf("%s = 'touch %s'\n", setting, filepath.Join(outside, fmt.Sprint(n)))
	}
	auto += "hot_standby = off\narchive_mode = on\nlogging_collector = on\nlog_directory = '" + outside + "'\nshared_preload_libraries = 'drhost_no_such_library'\nhba_file = '" + outside + "/hba'\n"
	if out, exit := b.run(c, "pg_ctlcluster "+m.pg.version+" main stop && pg_lsclusters -h"); exit != 0 || !strings.Contains(out, " down ") {
		t.Fatal(out)
	}
	write("postgresql.auto.conf", auto)
	write("pg_hba.conf", "local all all trust\nlocal replication all trust\n")
	write("recovery.signal", "")
	if out, exit := b.run(c, "chown -R postgres:postgres "+data+" && pg_ctlcluster "+m.pg.version+" main start"); exit != 0 {
		t.Fatal(out)
	}
	t.Cleanup(func() {
		if log, err := m.Read("/var/log/postgresql.log"); err == nil && t.Failed() {
			t.Logf("the server says:\n%s", log)
		}
	})
	b.open(m, 5432) // it has recovered: restore_command was asked, and was another
	conn, err := b.pg(m, testPassword)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(b.ctx)
	for _, sql := range []string{"create table t as select repeat('x', 1000) from generate_series(1, 3000)", "checkpoint"} {
		if _, err := conn.Exec(b.ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	var mode string
	if err := conn.QueryRow(b.ctx, "select current_setting('archive_mode') || current_setting('ssl')").Scan(&mode); err != nil || mode != "offoff" {
		t.Error(mode, err)
	}
	if _, err := b.pg(m, "wrong"); err == nil || !strings.Contains(err.Error(), "28P01") {
		t.Errorf("the folder's own rules let anybody in: %v", err)
	}
	if out, exit := b.run(c, "psql -U "+keeperRole+" -c 'select 1'"); exit == 0 {
		t.Errorf("the cluster's owner can log in: %s", out)
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) > 0 {
		t.Errorf("something ran on the host: %v %v", left, err)
	}
}

// TestAClusterOfAnotherServerIsNotServed: its role postgres is a superuser,
// which may run programs by SQL.
func TestAClusterOfAnotherServerIsNotServed(t *testing.T) {
	b := newBench(t)
	m := b.machine(1, "hobby-1", Hobby)
	c := b.login(m)
	if out, exit := b.run(c, "systemctl stop postgresql"); exit != 0 {
		t.Fatal(out)
	}
	// What no login of the machine can do, done on its disk.
	cmd := m.pg.command("postgres", nil, "--single", "-F", "-j", "-D", m.dataDir(), "-c", "exit_on_error=on", "postgres")
	cmd.Stdin = strings.NewReader("ALTER ROLE postgres SUPERUSER;\n\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	if out, exit := b.run(c, "systemctl start postgresql"); exit != 0 {
		t.Fatal(out)
	}
	b.eventually("the server is ended", func() bool {
		out, _ := b.run(c, "systemctl is-active postgresql")
		return strings.TrimSpace(out) == "failed"
	})
	if out, exit := b.run(c, "psql -c 'select 1'"); exit == 0 {
		t.Errorf("it is served: %s", out)
	}
	if log, err := m.Read("/var/log/postgresql.log"); err != nil || !strings.Contains(string(log), "serves no cluster whose role postgres may run programs") {
		t.Errorf("nobody says why: %v", err)
	}
}
