package machine

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"syscall"
)

// postgres knows where PostgreSQL's programs are and who may run them.
type postgres struct {
	bin        string // folder of initdb, postgres and psql
	version    string // major version, as in "15"
	credential *syscall.Credential
}

// ErrNoPostgreSQL is returned when PostgreSQL's server programs are missing.
var ErrNoPostgreSQL = errors.New("PostgreSQL's server programs (initdb, postgres, psql) are not installed; on Debian and Ubuntu: apt-get install postgresql")

// findPostgreSQL looks where Debian puts the programs (the newest version
// first), then along PATH. Returns ErrNoPostgreSQL when there are none.
func findPostgreSQL() (*postgres, error) {
	candidates, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	sort.Slice(candidates, func(i, j int) bool { return majorOf(candidates[i]) > majorOf(candidates[j]) })
	if found, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(found); err == nil {
			candidates = append(candidates, filepath.Dir(real))
		}
	}
	for _, dir := range candidates {
		if runnable(dir, "initdb") && runnable(dir, "postgres") && runnable(dir, "psql") {
			p := &postgres{bin: dir, version: strconv.Itoa(max(majorOf(dir), 0))}
			if os.Geteuid() != 0 {
				return p, nil
			}
			var err error
			p.credential, err = unprivileged()
			return p, err
		}
	}
	return nil, ErrNoPostgreSQL
}

func runnable(dir, name string) bool {
	info, err := os.Stat(filepath.Join(dir, name))
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// majorOf reads 15 out of "/usr/lib/postgresql/15/bin".
func majorOf(dir string) int {
	n, err := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
	if err != nil {
		return -1
	}
	return n
}

// unprivileged finds a user under whom PostgreSQL, which refuses to be root,
// can run.
func unprivileged() (*syscall.Credential, error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), Groups: []uint32{}}, nil
		}
	}
	return nil, errors.New("PostgreSQL refuses to run as root, and this system has neither a user postgres nor nobody")
}

// own gives a folder to the user that PostgreSQL runs as.
func (p *postgres) own(dir string, perm os.FileMode) error {
	if err := os.MkdirAll(dir, perm); err != nil {
		return err
	}
	if p.credential != nil {
		if err := os.Chown(dir, int(p.credential.Uid), int(p.credential.Gid)); err != nil {
			return err
		}
	}
	return os.Chmod(dir, perm)
}

// give gives a file to the user that PostgreSQL runs as.
func (p *postgres) give(file string) error {
	if p.credential == nil {
		return nil
	}
	return os.Chown(file, int(p.credential.Uid), int(p.credential.Gid))
}

// command prepares one of PostgreSQL's programs. It gets no environment but
// env, so that nothing of the operator's settings reaches it.
func (p *postgres) command(program string, env []string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.bin, program), args...)
	cmd.Dir = "/"
	cmd.Env = append([]string{"LC_ALL=C.UTF-8", "PATH=" + p.bin + ":/usr/bin:/bin", "HOME=/nonexistent", "TZ=UTC"}, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.credential}
	return cmd
}

// makeTemplate makes a cluster that machines are copied from: role postgres
// (no superuser, see the package), password by SCRAM, database webhost_prod.
func (p *postgres) makeTemplate(dir, password string) error {
	if err := p.own(filepath.Dir(dir), 0o711); err != nil {
		return err
	}
	out, err := p.command("initdb", nil, "-D", dir, "-U", keeperRole, "-A", "reject", "-E", "UTF8",
		"--locale=C.UTF-8", "--wal-segsize=1", "--no-sync", "--no-instructions").CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb: %w: %s", err, lastLine(out))
	}
	if err := p.single(dir, "postgres", password); err != nil {
		return err
	}
	hba := "# Password for everybody; the role that owns the cluster cannot log in at all.\n" +
		"local all postgres scram-sha-256\nlocal replication postgres scram-sha-256\n"
	if err := os.WriteFile(filepath.Join(dir, "pg_hba.conf"), []byte(hba), 0o600); err != nil {
		return err
	}
	conf, err := os.OpenFile(filepath.Join(dir, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = conf.WriteString(clusterSettings)
	return errors.Join(err, conf.Close())
}

// single runs the statements that make a cluster the world's in a process of
// its own, without starting a server. Every statement is one line.
func (p *postgres) single(dir, database, password string) error {
	pr, pw, err := os.Pipe()
	if err != nil {
		return err
	}
	defer pr.Close()
	go func() {
		fmt.Fprintf(pw, templateStatements, password)
		if major, err := strconv.Atoi(p.version); err == nil && major >= 15 {
			fmt.Fprint(pw, followStatement)
		}
		pw.Close()
	}()
	cmd := p.command("postgres", nil, "--single", "-F", "-j", "-D", dir, "-c", "exit_on_error=on", database)
	cmd.Stdin = pr
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("prepare the database template: %w: %s", err, lastLine(out))
	}
	return nil
}

// keeperRole owns a cluster and can never log in.
const keeperRole = "cluster_owner"

// Statements end in a semicolon and an empty line (postgres --single -j).
// pg_reload_conf is PostgreSQL's own, under another name, but for what it
// refuses: a setting by which a standby would leave this computer must never be
// read. To replace its body would be of no use: PostgreSQL calls what it was
// built with by number.
const templateStatements = `CREATE ROLE postgres LOGIN CREATEDB REPLICATION PASSWORD '%s';

GRANT pg_monitor, pg_signal_backend, pg_read_all_data, pg_write_all_data, pg_checkpoint TO postgres;

ALTER DATABASE postgres OWNER TO postgres;

GRANT EXECUTE ON FUNCTION pg_promote(boolean, integer), pg_switch_wal(), pg_create_restore_point(text) TO postgres;

GRANT EXECUTE ON FUNCTION pg_backup_start(text, boolean), pg_backup_stop(boolean) TO postgres;

ALTER FUNCTION pg_catalog.pg_reload_conf() RENAME TO drhost_reload_conf;

CREATE FUNCTION pg_catalog.pg_reload_conf() RETURNS boolean LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog AS $f$ BEGIN IF EXISTS (SELECT FROM pg_file_settings WHERE name = 'primary_conninfo' AND (setting ~* '(hostaddr|service|passfile|ssl(cert|key|rootcert|crl)|://)' OR setting ~ 'port' AND (setting !~ '(^|\s)port\s*=\s*''?543[23]''?(\s|$)' OR setting ~ 'port.*port'))) THEN RAISE insufficient_privilege USING MESSAGE = 'a simulated machine follows by name or address, at port 5432 or 5433, and by no file', HINT = 'ALTER SYSTEM SET primary_conninfo to something else'; END IF; RETURN drhost_reload_conf(); END $f$;

REVOKE EXECUTE ON FUNCTION pg_reload_conf() FROM public;

GRANT EXECUTE ON FUNCTION pg_reload_conf() TO postgres;

CREATE DATABASE webhost_prod OWNER postgres;

`

// From version 15 on a role may be let change single settings.
const followStatement = `GRANT ALTER SYSTEM ON PARAMETER primary_conninfo, primary_slot_name TO postgres;

`

// The disk of a simulated machine need not survive the loss of the real one.
const clusterSettings = `
listen_addresses = ''
unix_socket_permissions = 0777
max_connections = 60
shared_buffers = 8MB
dynamic_shared_memory_type = mmap
fsync = off
full_page_writes = off
wal_init_zero = off
wal_recycle = off
max_wal_size = 64MB
jit = off
autovacuum_naptime = 5min
timezone = 'UTC'
log_timezone = 'UTC'
`
