package machine

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
)

// family is a primary with two standbys, at addresses of the documentation.
func (b *bench) family() (old, one, two *Machine) {
	b.Helper()
	at := map[string]*Machine{}
	b.rack.opt.Dial = func(ctx context.Context, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil || at[host] == nil {
			return nil, fmt.Errorf("nobody is at %s: %v", address, err)
		}
		to, reach := at[host].Port(5432)
		if reach != Open {
			return nil, fmt.Errorf("%s does not answer", address)
		}
		var d net.Dialer
		return d.DialContext(ctx, "tcp", to)
	}
	old = b.machine(1, "db-1", Hobby)
	at["203.0.113.11"] = old
	standby := func(id int64, name, address string) *Machine {
		m, err := b.rack.Provision(b.ctx, Spec{ID: id, Name: name, Image: Hobby, Address: address})
		if err != nil {
			b.Fatal(err)
		}
		at[address] = m
		if err := m.Follow("203.0.113.11", "5432"); err != nil {
			b.Fatal(err)
		}
		if err := m.Clone(b.ctx); err != nil {
			b.Fatal(err)
		}
		if err := m.Settings(nil); err != nil {
			b.Fatal(err)
		}
		b.boot(m)
		return m
	}
	b.eventually("the primary is ready", func() bool { return b.ready(old) })
	return old, standby(2, "db-2", "203.0.113.12"), standby(3, "db-3", "203.0.113.13")
}

// sql asks a machine's database one thing.
func (b *bench) sql(m *Machine, sql string) (text string, err error) {
	b.Helper()
	conn, err := m.connect(b.ctx, "postgres")
	if err != nil {
		return "", err
	}
	defer conn.Close(b.ctx)
	err = conn.QueryRow(b.ctx, sql).Scan(&text)
	if err == pgx.ErrNoRows {
		err = nil
	}
	return text, err
}

// streams waits until a standby receives from a host.
func (b *bench) streams(m *Machine, host string) {
	b.Helper()
	b.eventually(m.spec.Name+" streams from "+host, func() bool {
		got, err := b.sql(m, "select sender_host || ':' || sender_port from pg_stat_wal_receiver where status = 'streaming'")
		return err == nil && got == host+":5432"
	})
}

func TestAStandbyFollowsAsItsSettingsSay(t *testing.T) {
	b := newBench(t)
	old, one, two := b.family()
	for _, m := range []*Machine{one, two} {
		b.streams(m, "203.0.113.11")
		if m.follows().address == "" {
			t.Skip("this computer has no loopback address with the ports free")
		}
	}
	old.Cut()
	if err := one.Promote(b.ctx); err != nil {
		t.Fatal(err)
	}
	alter := func(conninfo string) error {
		conn, err := two.connect(b.ctx, "postgres")
		if err != nil {
			return err
		}
		defer conn.Close(b.ctx)
		if _, err := conn.Exec(b.ctx, "alter system set primary_conninfo = '"+conninfo+"'"); err != nil {
			return err
		}
		_, err = conn.Exec(b.ctx, "select pg_reload_conf()")
		return err
	}
	if err := alter("host=203.0.113.12 port=5432 user=postgres"); err != nil {
		t.Fatal(err)
	}
	b.streams(two, "203.0.113.12")
	if source, err := b.sql(two, "select source from pg_settings where name = 'primary_conninfo'"); err != nil || source != "configuration file" {
		t.Errorf("%s, %v", source, err)
	}
	// It holds for the next life, and under the world's own settings.
	two.Cut()
	if err := two.Settings(map[string]string{"log_min_messages": "warning"}); err != nil {
		t.Fatal(err)
	}
	b.boot(two)
	b.streams(two, "203.0.113.12")
	if got := two.Following(); got != "203.0.113.12" {
		t.Errorf("it follows %q", got)
	}
}

// TestAStandbyStaysOnLoopback: what would lead it elsewhere, or to a file of
// this computer, is neither loaded nor started with, whoever wrote it.
func TestAStandbyStaysOnLoopback(t *testing.T) {
	b := newBench(t)
	_, _, two := b.family()
	b.streams(two, "203.0.113.11")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	var reached atomic.Bool
	go func() {
		if c, err := ln.Accept(); err == nil {
			reached.Store(true)
			c.Close()
		}
	}()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	conn, err := two.connect(b.ctx, "postgres")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(b.ctx)
	for _, bad := range []string{"hostaddr=127.0.0.1 port=" + port, "host=127.0.0.1 port=" + port, "service=elsewhere", "host=db-1 passfile=/etc/passwd",
		"host=db-1 sslkey=/etc/passwd", "postgresql://127.0.0.1:" + port} {
		if _, err := conn.Exec(b.ctx, "alter system set primary_conninfo = '"+bad+"'"); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(b.ctx, "select pg_reload_conf()"); err == nil || !strings.Contains(err.Error(), "a simulated machine follows by name or address") {
			t.Errorf("%s is loaded: %v", bad, err)
		}
		if err := two.life().unit(unitPostgreSQL).reload(); err == nil {
			t.Errorf("%s is loaded by systemctl", bad)
		}
	}
	if _, err := conn.Exec(b.ctx, "select drhost_reload_conf()"); err == nil {
		t.Error("whoever is let in can load settings unseen")
	}
	// Written to the disk, and the machine started anew.
	for _, text := range []string{"primary_conninfo = 'hostaddr=127.0.0.1 port=" + port + "'\n", "PRIMARY_CONNINFO 'hostaddr=127.0.0.1 port=" + port + "'\n",
		"include 'x.conf'\n", "primary_conninfo = 'host=203.0.113.11'\nprimary_conninfo = hostaddr\n"} {
		two.Cut()
		if err := os.WriteFile(filepath.Join(two.dataDir(), "x.conf"), []byte("primary_conninfo = 'hostaddr=127.0.0.1 port="+port+"'\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(two.dataDir(), autoConf), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		b.boot(two)
		b.eventually("it is ready", func() bool { return b.ready(two) })
		if got, err := b.sql(two, "select setting from pg_settings where name = 'primary_conninfo'"); err != nil || got != "" {
			t.Errorf("%q makes it follow %q, %v", text, got, err)
		}
	}
	if reached.Load() {
		t.Error("it connected to this computer")
	}
}

func TestFollowed(t *testing.T) {
	for text, want := range map[string]string{
		"host=203.0.113.11 port=5433 user=postgres":                                          "203.0.113.11 5433",
		`user=postgres password='it\'s \\ one' channel_binding=prefer host = 'fdaa:0:18::3'`: "fdaa:0:18::3 5432",
		"": " 5432",
	} {
		if at, err := followed(text); err != nil || at.host+" "+at.port != want {
			t.Errorf("%q: %v, %v", text, at, err)
		}
	}
	for _, bad := range []string{"hostaddr=1.2.3.4", "host=a hostaddr=1.2.3.4", "service=x", "host=a port=22", "host=a port=5432 port=22", "postgres://a/b", "host=a sslrootcert=/x", "host='a"} {
		if at, err := followed(bad); err == nil {
			t.Errorf("%q: %v", bad, at)
		}
	}
	own := settings{primaryConninfo: `host=a password='it\'s'`}
	if again := parseSettings(own.line(primaryConninfo)); again[primaryConninfo] != own[primaryConninfo] {
		t.Errorf("%q", again)
	}
}
