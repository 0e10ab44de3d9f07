package machine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// A machine's PostgreSQL is a real process of this computer, and what lies on
// the machine's disk, its settings too, is whoever may write there to decide.
// What is said on the command line goes before every file, and the rules about
// who may log in lie outside of the disk; a superuser, who could run programs
// by SQL, is not let in. Forged tables of the system, such as a function of the
// C library under a harmless name, are beyond this: nobody but the operator's
// own runbooks writes to that disk.
const (
	confinedLogin = "local all postgres scram-sha-256\nlocal replication postgres scram-sha-256\n"
	confinedIdent = "# nobody is anybody else\n"
)

// confined are the settings by which a server would run programs, load code,
// or write, listen and follow elsewhere. A standby may follow as its own
// settings say: its connections come out on loopback whatever they name, see
// upstream, and the settings by which they would not are refused, see
// ownFollowing and pg_reload_conf of the template.
func confined(version, outside string, follows following) []string {
	set := []string{
		"hba_file=" + filepath.Join(outside, "pg_hba.conf"), "ident_file=" + filepath.Join(outside, "pg_ident.conf"),
		"restore_command=false", "archive_cleanup_command=", "recovery_end_command=", "archive_mode=off", "archive_command=",
		"shared_preload_libraries=", "session_preload_libraries=", "local_preload_libraries=", "dynamic_library_path=$libdir", "jit=off", "jit_provider=llvmjit",
		"ssl=off", "ssl_passphrase_command=", "listen_addresses=", "external_pid_file=" + filepath.Join(outside, "pid"), "logging_collector=off", "log_destination=stderr",
		"port=5432", "unix_socket_permissions=0777",
	}
	if !follows.own {
		set = append(set, primaryConninfo+"="+follows.pinned)
	}
	if major, err := strconv.Atoi(version); err == nil && major >= 15 {
		set = append(set, "archive_library=")
	}
	var args []string
	for _, s := range set {
		args = append(args, "-c", s)
	}
	return args
}

// following is what a cluster follows when it starts: what its own settings
// say, or what stands on its command line, "" for nothing.
type following struct {
	own    bool
	pinned string
	env    []string // the password is here, where a list of processes does not show it
}

// followingAs decides it for a cluster; why says in what way its own settings
// are refused.
func (m *Machine) followingAs() (f following, why error) {
	if !m.Standby() {
		return f, nil
	}
	u, err := m.listenUpstream()
	if err != nil {
		return f, err
	}
	f.env = []string{"PGPASSWORD=" + u.password, "PGAPPNAME=" + m.spec.Name}
	if u.address == "" {
		f.pinned = "host=" + u.dir + " port=5432 user=postgres"
		return f, nil
	}
	text, err := os.ReadFile(filepath.Join(m.dataDir(), autoConf))
	if err == nil {
		err = ownFollowing(string(text))
	}
	if err != nil {
		return f, err
	}
	f.own, f.env = true, append(f.env, "PGHOSTADDR="+u.address)
	return f, nil
}

// confine writes the rules about logins beside the socket.
func confine(outside string) error {
	for name, text := range map[string]string{"pg_hba.conf": confinedLogin, "pg_ident.conf": confinedIdent} {
		if err := os.WriteFile(filepath.Join(outside, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// vet looks, as soon as the server answers, at what the one role that may log
// in can do there. Until then nobody is let in; when it is too much, nobody
// ever is.
func (u *unit) vet(c *cluster) {
	m := u.guest.m
	ctx, cancel := context.WithCancel(u.guest.ctx)
	defer cancel()
	for c.running() && ctx.Err() == nil {
		mighty, err := m.mighty(ctx)
		switch {
		case err == nil && !mighty:
			close(c.vetted)
			return
		case err == nil:
			m.log.add("postgresql", "%s", "its role postgres may run programs: this data folder comes from another server than a simulated machine's, and is not served")
			m.refused("the simulated machine serves no cluster whose role postgres may run programs")
			c.kill()
			return
		}
		if m.rack.opt.Clock.Sleep(ctx, 10*time.Millisecond) != nil {
			return
		}
	}
}

// mighty tells whether the role could reach out of the database.
func (m *Machine) mighty(ctx context.Context) (bool, error) {
	conn, err := m.connect(ctx, "postgres")
	if err != nil {
		return false, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var mighty bool
	err = conn.QueryRow(ctx, `select rolsuper or rolcreaterole or exists (select from pg_roles r where pg_has_role(current_user, r.oid, 'member')
		and (r.rolsuper or r.rolname in ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files')))
		or exists (select from pg_proc p join pg_language l on l.oid = p.prolang where p.oid = 'pg_catalog.pg_reload_conf()'::regprocedure
			and l.lanname = 'internal' and has_function_privilege(p.oid, 'execute')) from pg_roles where rolname = current_user`).Scan(&mighty)
	return mighty, err
}

// refused says in the database's own log why it was ended.
func (m *Machine) refused(why string) {
	file, err := m.disk.open("/var/log/postgresql.log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return // the machine's journal says it, too
	}
	defer file.Close()
	fmt.Fprintf(file, "FATAL:  %s\n", why)
}
