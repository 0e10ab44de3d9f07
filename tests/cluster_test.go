package tests

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/bindings"
	"github.com/webhost-systems/drhost/bindings/backup"
	"github.com/webhost-systems/drhost/bindings/pg"
	"github.com/webhost-systems/drhost/bindings/ssh"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/config"
	"github.com/webhost-systems/drhost/host/network"
)

// simulated is a world with two of its modules opened.
type simulated struct {
	t       *testing.T
	sim     *bindings.Simulation
	env     binding.Env
	modules map[string]*binding.Module
	clients map[string]any
	hosts   map[string]string
}

func newSimulated(t *testing.T) *simulated {
	t.Helper()
	sim, err := bindings.StartWorld(t.Context(), filepath.Join(root, "runbooks", "worlds", "webhost.toml"), "cluster-test", 1000, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	text, err := sim.Describe()
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Switchboard string
		Resolvers   []string
		Settings    map[string]map[string]any
		Databases   []struct{ Server, Host string }
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	scaled := clock.Scaled{Factor: 1000}
	s := &simulated{t: t, sim: sim, clients: map[string]any{}, hosts: map[string]string{}, modules: map[string]*binding.Module{"backup": backup.Module(), "pg": pg.Module(), "ssh": ssh.Module()}}
	for _, db := range d.Databases {
		s.hosts[db.Server] = db.Host
	}
	for name, m := range s.modules {
		s.env = binding.Env{Name: "sim:cluster-test", Simulated: true, Settings: d.Settings[name], Clock: scaled, Dir: t.TempDir(),
			Net:    network.Switchboard(d.Switchboard, d.Resolvers, scaled),
			Secret: config.Resolver(config.Sources{Env: "sim", Simulated: true, Dir: t.TempDir(), Getenv: func(string) string { return "" }})}
		if s.clients[name], err = m.Open(s.env); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// call goes the way of the gate: plain data in, plain data out.
func (s *simulated) call(full, key string, args map[string]any) (map[string]any, error) {
	s.t.Helper()
	module, name, _ := strings.Cut(full, ".")
	f := s.modules[module].Function(name)
	decoded, err := f.Decode(args, s.env.Secret)
	if err != nil {
		s.t.Fatal(err)
	}
	out, err := f.Call(binding.WithKey(s.t.Context(), key), s.clients[module], decoded)
	if err != nil {
		return nil, err
	}
	if list, ok := out.([]any); ok {
		return map[string]any{"list": list}, nil
	}
	m, _ := out.(map[string]any)
	return m, nil
}

// must is call where nothing may go wrong.
func (s *simulated) must(full, key string, args map[string]any) map[string]any {
	s.t.Helper()
	out, err := s.call(full, key, args)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

func (s *simulated) do(name string, args map[string]any) any {
	s.t.Helper()
	out, err := s.sim.Do(name, args)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// TestAClusterMovesToAnotherMachine is the plan's third scenario with nothing
// lost: the server dies under its writers, and another one takes over what was
// archived up to then. The restore speaks to the machine as to a real one.
func TestAClusterMovesToAnotherMachine(t *testing.T) {
	t.Parallel()
	s := newSimulated(t)
	from, to := s.hosts["hobby-1"], s.hosts["hobby-2"]
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() {
		ended <- s.modules["backup"].Service("archive").Run(ctx, s.clients["backup"], map[string]any{"host": from}, s.env.Secret, func(alarm bool, text string) { t.Log(text) })
	}()
	made := s.must("backup.create_cluster", "key-create", map[string]any{"host": from, "cluster": "hobby-1"})
	if again := s.must("backup.create_cluster", "key-create", map[string]any{"host": from, "cluster": "hobby-1"}); again["id"] != made["id"] {
		t.Fatal("a repeated call made another backup")
	}
	count := func(host string) int64 {
		out := s.must("pg.query", "", map[string]any{"host": host, "database": "webhost_prod", "sql": "select count(*)::bigint as n from sync_updates"})
		row, _ := out["list"].([]any)[0].(map[string]any)
		n, ok := row["n"].(float64)
		if !ok {
			t.Fatalf("%v", out)
		}
		return int64(n)
	}
	seen := count(from)
	wait := func(what string, is func() bool) {
		t.Helper()
		if err := clock.Poll(t.Context(), clock.System{}, 60*time.Second, 50*time.Millisecond, func(context.Context) (bool, error) { return is(), nil }); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	wait("customers write on", func() bool { return count(from) > seen+20 })
	s.do("kill_server", map[string]any{"server": "hobby-1"})
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	rows := count(to)
	_, err := s.call("backup.restore", "key-refused", map[string]any{"id": made["id"], "host": to})
	if err == nil || !strings.Contains(err.Error(), "which would be served no more") || count(to) != rows {
		t.Errorf("a cluster that serves was to be replaced unasked: %v", err)
	}
	out := s.must("backup.restore", "key-restore", map[string]any{"id": made["id"], "host": to, "replace": true})
	t.Logf("%+v", out)
	if got := count(to); got <= seen+20 {
		t.Errorf("%d rows came back; %d were there before the writer went on", got, seen)
	}
	if kept, _ := out["kept"].(string); !strings.HasPrefix(kept, "/var/lib/postgresql/") {
		t.Errorf("what was there is not kept: %q", kept)
	}
	if again := s.must("backup.restore", "key-restore", map[string]any{"id": made["id"], "host": to}); again["position"] != out["position"] {
		t.Errorf("a repeated call restored again: %v", again)
	}
	if _, err := s.call("backup.restore", "key-other", map[string]any{"id": made["id"], "host": to, "before_xid": 4_000_000.0, "replace": true}); err == nil || !strings.Contains(err.Error(), "no transaction") {
		t.Error(err)
	}
	// A server that does not start leaves things as they were.
	run := func(command string) string {
		out := s.must("ssh.run", "", map[string]any{"host": to, "command": command})
		text, _ := out["stdout"].(string)
		return text
	}
	run("pg_ctlcluster 15 main stop; rm /var/log/postgresql.log; mkdir /var/log/postgresql.log")
	before := run("cat /var/lib/postgresql/15/main/drhost_restored; ls /var/lib/postgresql/15")
	if _, err := s.call("backup.restore", "key-third", map[string]any{"id": made["id"], "host": to, "replace": true}); err == nil || !strings.Contains(err.Error(), "does not start") {
		t.Error(err)
	}
	if after := run("cat /var/lib/postgresql/15/main/drhost_restored; ls /var/lib/postgresql/15"); !strings.HasPrefix(after, "key-restore\n") || !strings.Contains(after, "main.failed-") || strings.Count(after, "main.damaged-") != strings.Count(before, "main.damaged-") {
		t.Errorf("%q, before %q", after, before)
	}
	run("rmdir /var/log/postgresql.log; pg_ctlcluster 15 main start")
	wait("the old one is well", func() bool {
		_, err := s.call("pg.query", "", map[string]any{"host": to, "database": "webhost_prod", "sql": "select 1 as n"})
		return err == nil
	})
}
