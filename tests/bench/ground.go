package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ground is what backups are measured on: a cluster with data, a project of
// drhost's that backs it up, and every other way to do so. PostgreSQL does not
// run as root, so nothing of it does, drhost neither.
type ground struct {
	b       *bench
	dir     string
	bin     string // of PostgreSQL
	as      *syscall.Credential
	source  *cluster
	second  *cluster // where dumps are restored to
	ways    []*way
	started []*cluster
}

const (
	benchPassword = "only-for-the-benchmark"
	benchDatabase = "bench"
)

// cluster is one PostgreSQL server of the ground's.
type cluster struct {
	g    *ground
	data string
	port int
}

// stand makes the ground, once.
func (b *bench) stand(ctx context.Context) (*ground, error) {
	if b.ground != nil {
		return b.ground, nil
	}
	if _, err := os.Stat(b.program); err != nil {
		return nil, fmt.Errorf("%s is not built: run make bench-backup", b.program)
	}
	g := &ground{b: b, dir: filepath.Join(b.scratch, "backup")}
	b.ground = g
	if err := g.find(); err != nil {
		return nil, err
	}
	if err := g.folder(g.dir); err != nil {
		return nil, err
	}
	for _, one := range []struct {
		name string
		to   **cluster
	}{{"source", &g.source}, {"second", &g.second}} {
		c, err := g.newCluster(ctx, one.name)
		if err != nil {
			return nil, err
		}
		*one.to = c
	}
	fmt.Fprintf(b.say, "making a database of about %d MB\n", b.size)
	if err := g.fill(ctx); err != nil {
		return nil, err
	}
	size, err := g.source.value(ctx, "postgres", "select (sum(pg_database_size(oid)) / 1000000)::int from pg_database")
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(b.say, "the cluster's databases have %s MB\n", size)
	if err := g.project(ctx); err != nil {
		return nil, err
	}
	g.ways = g.everyWay()
	return g, g.prepareRest(ctx)
}

// close ends the servers; it is no error when they have ended.
func (b *bench) close() {
	if b.ground == nil {
		return
	}
	for _, c := range b.ground.started {
		c.stop(context.Background())
	}
}

// find finds PostgreSQL and whom it may run as.
func (g *ground) find() error {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(found) == 0 {
		return errors.New("PostgreSQL's server programs are not installed")
	}
	g.bin = slices.Max(found)
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return err
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	g.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chmod(g.b.scratch, 0o711)
}

// folder makes a folder of the user's.
func (g *ground) folder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil || g.as == nil {
		return err
	}
	return os.Chown(dir, int(g.as.Uid), int(g.as.Gid))
}

// write writes a file of the user's.
func (g *ground) write(path, text string) error {
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil || g.as == nil {
		return err
	}
	return os.Chown(path, int(g.as.Uid), int(g.as.Gid))
}

// command is a program that runs as the user, in the ground's folder.
func (g *ground) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	if path := filepath.Join(g.bin, name); !filepath.IsAbs(name) {
		if _, err := os.Stat(path); err == nil {
			name = path // Debian's own of the same name are scripts that look for it
		}
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = g.dir
	cmd.Env = []string{"PATH=" + g.bin + ":/usr/local/bin:/usr/bin:/bin", "HOME=" + g.dir, "TMPDIR=" + g.dir, "LC_ALL=C.UTF-8", "PGPASSWORD=" + benchPassword, "PGHOST=127.0.0.1", "PGUSER=postgres"}
	if g.as != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: g.as}
	}
	return cmd
}

// do runs a program to its end.
func (g *ground) do(ctx context.Context, name string, args ...string) (string, error) {
	text, err := g.command(ctx, name, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", name, err, tail(text))
	}
	return string(text), nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// newCluster makes and starts an empty cluster with data checksums.
func (g *ground) newCluster(ctx context.Context, name string) (*cluster, error) {
	c := &cluster{g: g, data: filepath.Join(g.dir, name)}
	pw := filepath.Join(g.dir, "password")
	if err := g.write(pw, benchPassword+"\n"); err != nil {
		return nil, err
	}
	if _, err := g.do(ctx, "initdb", "-D", c.data, "-U", "postgres", "--auth-local=trust", "--auth-host=scram-sha-256", "--pwfile="+pw, "-E", "UTF8", "--locale=C.UTF-8", "--data-checksums"); err != nil {
		return nil, err
	}
	if err := c.start(ctx, "-c archive_mode=on"); err != nil {
		return nil, err
	}
	return c, c.archiveBy(ctx, "/bin/true")
}

// archiveBy has the server hand its log to a command.
func (c *cluster) archiveBy(ctx context.Context, command string) error {
	conn, err := c.connect(ctx, "postgres")
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	if _, err = conn.Exec(ctx, "alter system set archive_command = '"+command+"'"); err == nil {
		_, err = conn.Exec(ctx, "select pg_reload_conf()")
	}
	return err
}

// start starts a cluster whose settings are on the command line, so that a
// restored one gets the same.
func (c *cluster) start(ctx context.Context, more string) error {
	if c.port == 0 {
		var err error
		if c.port, err = freePort(); err != nil {
			return err
		}
	}
	if !slices.Contains(c.g.started, c) {
		c.g.started = append(c.g.started, c)
	}
	options := fmt.Sprintf("-c listen_addresses=127.0.0.1 -c port=%d -c unix_socket_directories=%s -c shared_buffers=256MB -c max_wal_size=4GB -c max_connections=50 -c wal_level=replica -c autovacuum=off %s",
		c.port, c.g.dir, more)
	if _, err := c.g.do(ctx, "pg_ctl", "-D", c.data, "-w", "-t", "300", "-l", c.data+".log", "-o", options, "start"); err != nil {
		log, _ := os.ReadFile(c.data + ".log")
		return fmt.Errorf("%w\n%s", err, tail(log))
	}
	return nil
}

func (c *cluster) stop(ctx context.Context) {
	if _, err := os.Stat(filepath.Join(c.data, "postmaster.pid")); err == nil {
		_, _ = c.g.do(ctx, "pg_ctl", "-D", c.data, "-m", "immediate", "-w", "stop")
	}
}

// remove ends a cluster and deletes it.
func (c *cluster) remove(ctx context.Context) error {
	c.stop(ctx)
	return os.RemoveAll(c.data)
}

func (c *cluster) address() string { return "127.0.0.1:" + strconv.Itoa(c.port) }

func (c *cluster) connect(ctx context.Context, database string) (*pgx.Conn, error) {
	return pgx.Connect(ctx, fmt.Sprintf("host=127.0.0.1 port=%d user=postgres password=%s dbname=%s sslmode=disable", c.port, benchPassword, database))
}

// sql runs statements in one database.
func (c *cluster) sql(ctx context.Context, database, text string) error {
	conn, err := c.connect(ctx, database)
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	_, err = conn.PgConn().Exec(ctx, text).ReadAll()
	return err
}

// value asks for one value as text.
func (c *cluster) value(ctx context.Context, database, query string) (out string, err error) {
	conn, err := c.connect(ctx, database)
	if err != nil {
		return "", err
	}
	defer conn.Close(context.Background())
	return out, conn.QueryRow(ctx, "select ("+query+")::text").Scan(&out)
}

// answers asks a restored database something, which ends every measurement of
// a restore. A server that answers while it still recovers has not all yet.
func (c *cluster) answers(ctx context.Context, database string) error {
	if err := c.recovered(ctx); err != nil {
		return err
	}
	rows, err := c.value(ctx, database, "select count(*) from pgbench_branches")
	if err == nil && rows == "0" {
		err = errors.New("the restored database has lost its branches")
	}
	return err
}

// recovered waits until a server has recovered. One without hot standby takes
// no connection before.
func (c *cluster) recovered(ctx context.Context) error {
	for {
		answer, err := c.value(ctx, "postgres", "select pg_is_in_recovery()")
		var refused *pgconn.PgError
		switch {
		case errors.As(err, &refused) && refused.Code == "57P03":
		case err != nil:
			return err
		case answer == "false":
			return nil
		}
		if err := c.g.wait(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}

// fill makes the data: two fifths pgbench, the rest text and JSON, with
// indexes.
func (g *ground) fill(ctx context.Context) error {
	port := strconv.Itoa(g.source.port)
	if err := g.source.sql(ctx, "postgres", "create database "+benchDatabase); err != nil {
		return err
	}
	if _, err := g.do(ctx, "pgbench", "-p", port, "-i", "-q", "-s", strconv.Itoa(max(1, g.b.size*2/5/16)), benchDatabase); err != nil {
		return err
	}
	return g.source.sql(ctx, benchDatabase, fmt.Sprintf(`
set synchronous_commit = off;
create function phrase(n bigint) returns text language sql immutable as $$ select substr(md5(n::text), 1, (n %% 7)::int + 2) || ' restores the ' ||
  (array['site','shop','page','order','ledger','account'])[n %% 6 + 1] || ' of customer ' || n $$;
create table documents (id bigint primary key, customer bigint not null, title text not null, body text not null, changed timestamptz not null);
insert into documents select n, n %% 5000, 'Document ' || n || ' ' || md5(n::text),
  concat_ws(' ', phrase(n %% 3989), phrase(n * 7 %% 3967), md5(n::text || 'x'), phrase(n * 13 %% 3947), phrase(n * 31 %% 3931), phrase(n * 57 %% 3923), phrase(n * 91 %% 3919),
    phrase(n * 111 %% 3917), md5(n::text || 'y'), phrase(n * 137 %% 3911), phrase(n * 151 %% 3907)),
  '2026-01-01'::timestamptz + n * interval '17 seconds' from generate_series(1, %[1]d::bigint) n;
create table events (id bigserial primary key, kind text not null, payload jsonb not null);
insert into events (kind, payload) select (array['login','order','refund','upload','mail'])[n %% 5 + 1],
  jsonb_build_object('customer', n %% 5000, 'path', '/' || md5((n %% 2000)::text), 'address', '10.' || n %% 256 || '.' || n * 7 %% 256 || '.' || n * 13 %% 256,
    'items', jsonb_build_array(n, n * 3, md5(n::text)), 'note', phrase(n %% 3989)) from generate_series(1, %[1]d::bigint) n;
create index on documents (customer, changed); create index on documents (title); create index on events (kind, id); create index on events ((payload->>'customer'));
analyze; checkpoint`, g.b.size*500))
}
