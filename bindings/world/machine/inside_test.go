package machine

import (
	"crypto/ed25519"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

func TestDatabaseCannotReachTheHost(t *testing.T) {
	b := newBench(t)
	m := b.machine(1, "hobby-1", Hobby)
	if conn, err := b.pg(m, "wrong"); err == nil || !strings.Contains(err.Error(), "28P01") {
		if conn != nil {
			conn.Close(b.ctx)
		}
		t.Errorf("wrong password: %v", err)
	}
	conn, err := b.pg(m, testPassword)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(b.ctx)
	for _, sql := range []string{
		"COPY (SELECT 1) TO PROGRAM 'true'", "COPY (SELECT 1) TO '/tmp/drhost-escape'", "SELECT pg_read_file('/etc/passwd')",
		"SELECT pg_ls_dir('/')", "ALTER SYSTEM SET archive_command = 'true'", "CREATE EXTENSION file_fdw",
		"GRANT pg_execute_server_program TO postgres", "ALTER ROLE postgres SUPERUSER", "SET ROLE " + keeperRole, "CREATE ROLE other",
		"SELECT lo_import('/etc/passwd')", "LOAD '/tmp/x.so'",
	} {
		if _, err := conn.Exec(b.ctx, sql); err == nil {
			t.Errorf("allowed: %s", sql)
		}
	}
	for _, sql := range []string{"CREATE DATABASE beside", "COMMENT ON DATABASE beside IS 'drhost key'",
		"ALTER DATABASE webhost_prod RENAME TO webhost_prod_damaged", "SELECT 1", "ALTER DATABASE beside RENAME TO other",
		"DROP DATABASE other", "CHECKPOINT"} {
		if strings.Contains(sql, "webhost_prod") {
			continue // one cannot rename the database one is in
		}
		if _, err := conn.Exec(b.ctx, sql); err != nil {
			t.Errorf("a restore needs this: %s: %v", sql, err)
		}
	}
	c := b.login(m)
	for _, command := range []string{`psql -c '\! id'`, `psql webhost_prod -c '\copy (select 1) to /tmp/x'`, `psql -f /etc/passwd`,
		`psql -h db.example.com -c 'select 1'`, `psql -d 'host=db.example.com' -c 'select 1'`, `psql -o /tmp/x -c 'select 1'`,
		`psql -P pager_min_lines=1 -c 'select 1'`, `psql -d postgresql://x/y -c 'select 1'`, `echo '\! id' | psql`} {
		if out, exit := b.run(c, command); exit == 0 {
			t.Errorf("%s: allowed: %s", command, out)
		}
	}
	if out, exit := b.run(c, `sudo -u postgres psql -Atc "select current_database() || 1 + 1" webhost_prod`); exit != 0 || strings.TrimSpace(out) != "webhost_prod2" {
		t.Errorf("psql: %d %s", exit, out)
	}
	if out, exit := b.run(c, `systemctl stop postgresql; psql -c 'select 1'`); exit == 0 || strings.Contains(out, m.socket) {
		t.Errorf("stopped: %d %s", exit, out)
	}
	if out, _ := b.run(c, "systemctl is-active postgresql webhost; systemctl start postgresql && systemctl is-active postgresql"); out != "inactive\nactive\nactive\n" {
		t.Errorf("units: %q", out)
	}
	b.open(m, 5432)
}

func TestShellStaysInside(t *testing.T) {
	b := newBench(t)
	m := b.machine(1, "bare-1", Bare)
	secret, err := os.CreateTemp("", "drhost-outside-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(secret.Name())
	io.WriteString(secret, "host-content")
	secret.Close()
	c := b.login(m)
	for _, command := range []string{
		"cat " + secret.Name(), "cat /../../../.." + secret.Name(), "cat < " + secret.Name(), "ln -s " + secret.Name() + " l; cat l",
		"ln -s / /up; cat /up/.." + secret.Name(), ". " + secret.Name(), "source " + secret.Name(), "eval 'cat " + secret.Name() + "'",
		"test -e " + secret.Name(), "[ -f " + secret.Name() + " ]", "[[ -r " + secret.Name() + " ]]", "cd /proc/1", "cat <(id)",
		"command -v gcc", "type gcc", "command type gcc", "builtin type gcc", "/usr/bin/git version", "exec git version", "echo ~nobody",
		"x=~nobody; echo $x", "cp " + secret.Name() + " /tmp/x", "tar -cf /tmp/t.tar " + secret.Name(), "bash -c 'git version'", "curl http://x", "trap 'git' EXIT",
	} {
		out, exit := b.run(c, command)
		if exit == 0 || strings.Contains(out, "host-content") {
			t.Errorf("%s: exit %d: %s", command, exit, out)
		}
	}
	if out, _ := b.run(c, "echo "+os.TempDir()+"/*; env; pwd -P"); strings.Contains(out, "drhost") || strings.Contains(out, "GOFLAGS") {
		t.Errorf("the host shows: %s", out)
	}
	for command, want := range map[string]string{
		"hostname; uname":   "bare-1\nLinux\n",
		"pwd; cd /var; pwd": "/root\n/var\n",
		"mkdir -p a/b && echo hi > a/b/c && cat a/b/c && ls a/b && find a -type f && sha256sum a/b/c | grep -c a/b/c": "hi\nc\na/b/c\n1\n",
		"ln -s /etc/hostname /tmp/h && cat /tmp/h && readlink -f /tmp/h":                                              "bare-1\n/etc/hostname\n",
		"echo one > f; cp f g; mv g h; cat f h | wc -l; rm -rf f h; test -e f || echo gone":                           "2\ngone\n",
		"mkdir t; echo x > t/x; tar -czf t.tgz t; rm -r t; tar -xzf t.tgz; cat t/x":                                   "x\n",
		"for i in 1 2 3; do echo $i; done | tail -n 1; cat > out <<E\nhere\nE\ncat out; grep -c here out":             "3\nhere\n1\n",
		"printf '#!/bin/sh\\necho script $1\\n' > s.sh; chmod 755 s.sh; ./s.sh a; sh s.sh b; cat /dev/null":           "script a\nscript b\n",
	} {
		if out, _ := b.run(c, command); out != want && !(strings.HasSuffix(command, "/dev/null") && strings.HasPrefix(out, want)) {
			t.Errorf("%s\n got %q\nwant %q", command, out, want)
		}
	}
	if _, exit := b.run(c, "exit 7"); exit != 7 {
		t.Errorf("exit status %d", exit)
	}
	m.Cut()
	if _, err := c.NewSession(); err == nil {
		t.Error("the connection outlived the machine")
	}
}

func TestSFTPStaysInside(t *testing.T) {
	b := newBench(t)
	m := b.machine(1, "bare-1", Bare)
	outside, err := os.MkdirTemp("", "drhost-outside-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(outside)
	f, err := sftp.NewClient(b.login(m))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Symlink(outside, "/tmp/out"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{outside + "/x", "/../../../../.." + outside + "/x", "/tmp/out/x"} {
		if w, err := f.Create(name); err == nil {
			w.Close()
			t.Errorf("created %s", name)
		}
	}
	if entries, _ := os.ReadDir(outside); len(entries) > 0 {
		t.Errorf("something came out: %v", entries)
	}
	if err := f.MkdirAll("/var/www/webhost"); err != nil {
		t.Fatal(err)
	}
	w, err := f.Create("/var/www/webhost/.tmp")
	if err != nil {
		t.Fatal(err)
	}
	w.Write([]byte("content"))
	w.Close()
	at := time.Unix(1700000000, 0)
	for _, err := range []error{f.Chmod("/var/www/webhost/.tmp", 0o640), f.Chtimes("/var/www/webhost/.tmp", at, at),
		f.PosixRename("/var/www/webhost/.tmp", "/var/www/webhost/a")} {
		if err != nil {
			t.Error(err)
		}
	}
	info, err := f.Stat("/var/www/webhost/a")
	if err != nil || info.Mode().Perm() != 0o640 || !info.ModTime().Equal(at) || info.Size() != 7 {
		t.Errorf("%v %v", info, err)
	}
	if target, err := f.ReadLink("/tmp/out"); err != nil || target != outside {
		t.Errorf("readlink: %s %v", target, err)
	}
	if err := f.Remove("/var/www"); err == nil {
		t.Error("removed a full folder")
	}
	if _, err := f.Stat("/nothing"); !os.IsNotExist(err) {
		t.Errorf("missing: %v", err)
	}
	_, other, _ := ed25519.GenerateKey(nil)
	stranger, _ := ssh.NewSignerFromKey(other)
	if _, err := b.ssh(m, stranger); err == nil || !strings.Contains(err.Error(), "unable to authenticate") {
		t.Errorf("a stranger: %v", err)
	}
}
