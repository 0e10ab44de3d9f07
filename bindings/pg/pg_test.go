package pg

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/secret"
)

func TestDeclarationsAreComplete(t *testing.T) {
	if _, err := binding.NewCatalog(Module()); err != nil {
		t.Fatal(err)
	}
}

func TestQueryGivesPlainData(t *testing.T) {
	db := shared.fresh(t, "create type mood as enum ('calm', 'loud'); create table x (n int)")
	got, err := call(t, client(t, nil, nil), "query", map[string]any{"host": shared.host(), "database": db,
		"sql": `select 7::int as i, 9007199254740993::bigint as big, 1.5::numeric as num, 12345678901234567890.5::numeric as long, true as yes,
			null::int as nothing, 'loud'::mood as mood, '2026-02-28 03:00:00.25+02'::timestamptz as at, '2026-02-28 03:00'::timestamp as local,
			'{"a":[1,2]}'::jsonb as doc, array['x','y z'] as words, array[1,2]::int[] as ints, '10.0.0.1'::inet as address, 'NaN'::float8 as nan,
			$1::text as p1, $2::int + 1 as p2`, "params": []any{"it's", float64(41)}})
	if err != nil {
		t.Fatal(err)
	}
	want := []any{map[string]any{"i": 7.0, "big": "9007199254740993", "num": 1.5, "long": "12345678901234567890.5", "yes": true,
		"nothing": nil, "mood": "loud", "at": "2026-02-28T01:00:00.25Z", "local": "2026-02-28T03:00:00Z",
		"doc": map[string]any{"a": []any{1.0, 2.0}}, "words": []any{"x", "y z"}, "ints": []any{1.0, 2.0}, "address": "10.0.0.1", "nan": "NaN",
		"p1": "it's", "p2": 42.0}}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got  %v\nwant %v", got, want)
	}
}

func TestQueryIsExactAboutNumbersAndGaps(t *testing.T) {
	db := shared.fresh(t, "select 1")
	got, err := call(t, client(t, nil, nil), "query", map[string]any{"host": shared.host(), "database": db,
		"sql": `select '{"id": 9007199254740993, "list": [1, null, 2.5]}'::jsonb as doc, array[1,null,3] as gap, array[[1,2],[3,4]] as square,
			$1::text as number_as_text, $2::float8 as half, $3::int8 as large, 2 = any($4::int[]) as member, $5::jsonb as table_as_json`,
		"params": []any{17.0, 17.5, 9007199254740992.0, []any{1.0, 2.0}, map[string]any{"n": 17.0}}})
	want := []any{map[string]any{"doc": map[string]any{"id": "9007199254740993", "list": []any{1.0, nil, 2.5}}, "gap": []any{1.0, nil, 3.0},
		"square": "{{1,2},{3,4}}", "number_as_text": "17", "half": 17.5, "large": 9007199254740992.0, "member": true, "table_as_json": map[string]any{"n": 17.0}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got  %v, %v\nwant %v", got, err, want)
	}
}

func TestParametersThatDoNotFitAreInvalidAndNothingIsDone(t *testing.T) {
	db := shared.fresh(t, "create table x (n int)")
	for name, c := range map[string]struct {
		sql    string
		params []any
		says   string
	}{
		"too few":       {"insert into x values ($1), ($2)", []any{1.0}, "takes 2 values in params, not 1"},
		"too many":      {"insert into x values (1)", []any{1.0}, "takes 0 values in params, not 1"},
		"a fraction":    {"insert into x values ($1)", []any{17.5}, "$1 is a number with a fraction, and a int4"},
		"out of range":  {"insert into x values ($1)", []any{1e11}, "int4"},
		"a wrong type":  {"insert into x values ($1)", []any{true}, "$1 is a boolean"},
		"text, no int":  {"insert into x values ($1)", []any{"many"}, "invalid input syntax"},
		"no such table": {"insert into y values ($1)", []any{1.0}, `"y" does not exist`},
	} {
		for _, function := range []string{"query", "execute"} {
			_, err := call(t, client(t, nil, nil), function, map[string]any{"host": shared.host(), "database": db, "sql": c.sql, "params": c.params})
			f := fault.As(err)
			if (f.Kind != fault.Invalid && name != "no such table") || f.Transient || !strings.Contains(err.Error(), c.says) && function == "execute" {
				t.Errorf("%s, %s: %s %v", name, function, f.Kind, err)
			}
			if function == "execute" && f.Sent != fault.NotDone {
				t.Errorf("%s: %s is not certain to be undone: %v", name, function, err)
			}
		}
	}
}

func TestQueryRefuses(t *testing.T) {
	db := shared.fresh(t, "create table customers (id int); insert into customers select generate_series(1, 20)")
	for _, c := range []struct {
		name, sql string
		kind      fault.Kind
		says      string
	}{
		{"a write", "delete from customers", fault.Invalid, "pg.execute"},
		{"two statements", "select 1; delete from customers", fault.Invalid, ""},
		{"too many rows", "select * from customers", fault.Invalid, "more than 10 rows"},
		{"twice the same name", "select 1 as a, 2 as a", fault.Invalid, "AS"},
		{"an unknown table", "select * from custmers", fault.NotFound, "custmers"},
		{"nonsense", "selct", fault.Invalid, "syntax"},
		{"its own limit", "select pg_sleep(5)", fault.Timeout, "within"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := call(t, client(t, nil, nil), "query", map[string]any{"host": shared.host(), "database": db, "sql": c.sql, "limit": 10.0, "within": "300ms"})
			if fault.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got %v (%s)", err, fault.KindOf(err))
			}
		})
	}
	var n int64
	counted, err := call(t, client(t, nil, nil), "counts", map[string]any{"host": shared.host(), "database": db})
	if err == nil {
		n = int64(counted.(map[string]any)["total"].(float64))
	}
	if err != nil || n != 20 {
		t.Fatalf("rows left %d, %v", n, err)
	}
}

func TestExecute(t *testing.T) {
	db := shared.fresh(t, "create table x (n int primary key)")
	c := client(t, nil, nil)
	run := func(sql string, params ...any) (Executed, error) {
		v, err := c.execute(t.Context(), executeArgs{Host: shared.host(), Database: db, SQL: sql, Params: params, Within: 5 * time.Second})
		return v, err
	}
	if got, err := run("insert into x values ($1), ($2)", 1.0, 2.0); err != nil || got.Rows != 2 || got.Command != "INSERT 0 2" {
		t.Fatal(got, err)
	}
	if got, err := run("insert into x values (3); insert into x values (4)"); err != nil || got.Rows != 2 {
		t.Fatal(got, err)
	}
	_, err := run("insert into x values (5); insert into x values (1)")
	f := fault.As(err)
	if f.Kind != fault.Conflict || strings.Contains(f.Error(), "(1)") {
		t.Fatalf("%s %v", f.Kind, err)
	}
	if got, err := c.counts(t.Context(), countsArgs{Host: shared.host(), Database: db, Within: quick}); err != nil || got.Tables["x"] != 4 {
		t.Fatalf("the failed pair left something: %v %v", got, err)
	}
	if _, err = run("insert into x values ($1)", 1.0); fault.As(err).Sent != fault.NotDone {
		t.Fatalf("a refused single statement is certainly not done: %v", err)
	}
	s, err := execute.Settled(c, t.Context(), executeArgs{Host: shared.host()})
	if err != nil || s.Landed != binding.Unknown || s.Look == "" {
		t.Fatal(s, err)
	}
}

func TestExecuteWhoseConnectionIsCutIsUnclear(t *testing.T) {
	db := shared.fresh(t, "create table x (n int)")
	c := client(t, nil, nil)
	got := make(chan error, 1)
	go func() {
		_, err := c.execute(t.Context(), executeArgs{Host: shared.host(), Database: db, SQL: "select pg_sleep(10)", Within: 15 * time.Second})
		got <- err
	}()
	waitFor(t, func() bool {
		n, err := c.sessions(t.Context(), terminateArgs{Host: shared.host(), Database: db})
		return err == nil && n == 1
	})
	ended, err := c.terminateConnections(t.Context(), terminateArgs{Host: shared.host(), Database: db, ExceptSelf: false})
	if err != nil || ended.Sessions < 1 { // the session that counted may still be closing
		t.Fatal(ended, err)
	}
	f := fault.As(<-got)
	if f.Kind != fault.Unavailable || f.Sent != fault.Unclear || !f.Transient {
		t.Fatalf("%+v", f)
	}
}

func TestFaultsOfConnecting(t *testing.T) {
	shared.fresh(t, "select 1")
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := closed.Addr().String()
	closed.Close()
	wrong := map[string]any{"password": "is:wrong-password-xyz"}
	for _, c := range []struct {
		name, host, database string
		settings             map[string]any
		kind                 fault.Kind
		passing              bool
		says                 string
	}{
		{"wrong password", shared.host(), "", wrong, fault.Denied, false, "PGPASSWORD"},
		{"no such database", shared.host(), "testfaultsofconectin", nil, fault.NotFound, false, `did you mean "testfaultsofconnecting"?`},
		{"refused", refused, "", nil, fault.Unavailable, true, "refused"},
		{"no such name", "no-such-host.invalid", "", nil, fault.Unavailable, true, "resolve"},
		{"silent", "203.0.113.99:5432", "", map[string]any{"connect_timeout": "200ms", "password": "is:" + password}, fault.Timeout, true, "no answer"},
		{"encryption demanded", shared.host(), "", map[string]any{"sslmode": "require", "password": "is:" + password}, fault.Invalid, false, "sslmode"},
		{"bad port", "127.0.0.1:99999", "", nil, fault.Invalid, false, "port"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl := client(t, c.settings, func(e *binding.Env) { e.Net = loopback{hole: "203.0.113.99:5432"} })
			_, err := call(t, cl, "execute", map[string]any{"host": c.host, "database": c.database, "sql": "select 1"})
			f := fault.As(err)
			if err == nil || f.Kind != c.kind || f.Transient != c.passing || f.Sent != fault.NotDone || !strings.Contains(f.Error(), c.says) {
				t.Fatalf("%v: %+v", err, f)
			}
			if strings.Contains(f.Error(), "wrong-password-xyz") || strings.Contains(f.Error(), password) {
				t.Fatalf("the password is in %v", err)
			}
		})
	}
}

func TestMissingPasswordIsNamedAtTheFirstConnection(t *testing.T) {
	c := client(t, map[string]any{}, func(e *binding.Env) {
		e.Secret = func(ref string) (secret.Value, error) {
			return secret.Value{}, fault.New(fault.Invalid, "%s is not set", ref)
		}
	})
	_, err := call(t, c, "ready", map[string]any{"host": shared.host()})
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "PGPASSWORD") {
		t.Fatal(err)
	}
}

func TestSettingsOfSingleHosts(t *testing.T) {
	c := client(t, map[string]any{"password": "is:nonsense", "hosts": map[string]any{
		"127.0.0.1": map[string]any{"password": "is:" + password, "port": float64(shared.port)}}}, nil)
	if got, err := call(t, c, "ready", map[string]any{"host": "127.0.0.1"}); err != nil || got.(map[string]any)["ok"] != true {
		t.Fatal(got, err)
	}
}

func TestReadyAndWaitReady(t *testing.T) {
	c := client(t, nil, nil)
	closed, _ := net.Listen("tcp", "127.0.0.1:0")
	refused := closed.Addr().String()
	closed.Close()
	got, err := call(t, c, "ready", map[string]any{"host": refused})
	if err != nil || got.(map[string]any)["ok"] != false || got.(map[string]any)["reason"] != "connection refused" {
		t.Fatal(got, err)
	}
	fast := client(t, nil, func(e *binding.Env) { e.Clock = clock.Scaled{Factor: 100} })
	_, err = call(t, fast, "wait_ready", map[string]any{"host": refused, "within": "20s"})
	if fault.KindOf(err) != fault.Timeout || !strings.Contains(err.Error(), "refused") {
		t.Fatal(err)
	}
	_, err = call(t, fast, "wait_ready", map[string]any{"host": shared.host(), "database": "no_such_db"})
	if fault.KindOf(err) != fault.NotFound {
		t.Fatalf("an unknown database does not heal: %v", err)
	}
	if _, err = call(t, fast, "wait_ready", map[string]any{"host": shared.host()}); err != nil {
		t.Fatal(err)
	}
}

func TestASilentServerCostsItsFullTimeOnTheMeter(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts, says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := client(t, nil, func(e *binding.Env) { e.Clock = clock.Scaled{Factor: 100} })
	ctx, meter := clock.WithMeter(t.Context())
	r, err := ready.Call(c, ctx, readyArgs{Host: l.Addr().String()})
	if err != nil || r.OK || r.Reason != "no answer in time" || meter.Total() != 9*time.Second {
		t.Fatal(r, err, meter.Total())
	}
}

func TestCountsAndNewest(t *testing.T) {
	db := shared.fresh(t, `create table customers (id int, created_at timestamptz); insert into customers select g, now() - g * interval '1 hour' from generate_series(1, 5) g;
		create schema audit; create table audit.log (n int); insert into audit.log values (1);
		create table parts (n int) partition by range (n); create table p1 partition of parts for values from (0) to (10); insert into parts values (1), (2);
		create table hollow (created_at timestamp)`)
	c := client(t, nil, nil)
	got, err := call(t, c, "counts", map[string]any{"host": shared.host(), "database": db})
	want := map[string]any{"customers": 5.0, "audit.log": 1.0, "parts": 2.0, "hollow": 0.0}
	if err != nil || !reflect.DeepEqual(got.(map[string]any)["tables"], want) || got.(map[string]any)["total"] != 8.0 {
		t.Fatal(got, err)
	}
	_, err = call(t, c, "counts", map[string]any{"host": shared.host(), "database": db, "tables": []any{"custmers"}})
	if fault.KindOf(err) != fault.NotFound || !strings.Contains(err.Error(), `"customers"`) {
		t.Fatal(err)
	}
	n, err := c.newest(t.Context(), newestArgs{Host: shared.host(), Database: db, Table: "customers", Column: "created_at", Within: quick})
	if err != nil || n.Age == nil || *n.Age < time.Hour || *n.Age > time.Hour+time.Minute {
		t.Fatal(n, err)
	}
	got, err = call(t, c, "newest", map[string]any{"host": shared.host(), "database": db, "table": "hollow"})
	if _, present := got.(map[string]any)["at"]; err != nil || present {
		t.Fatal(got, err)
	}
	_, err = call(t, c, "newest", map[string]any{"host": shared.host(), "database": db, "table": "audit.log", "column": `n" from x; --`})
	if fault.KindOf(err) != fault.NotFound {
		t.Fatalf("a column is quoted: %v", err)
	}
}

func TestPromotion(t *testing.T) {
	dir := filepath.Join(filepath.Dir(shared.dir), "replica")
	if err := shared.tool("pg_basebackup", "-h", "127.0.0.1", "-p", portOf(shared), "-U", "postgres", "-D", dir, "-R", "-c", "fast", "--no-sync"); err != nil {
		t.Fatal(err)
	}
	replica, err := startCluster(dir, "prepared")
	if err != nil {
		t.Fatal(err)
	}
	defer replica.stop()
	c := client(t, nil, nil)
	args := promoteArgs{Host: replica.host(), Within: 10 * time.Second}
	if got, err := call(t, c, "is_replica", map[string]any{"host": replica.host()}); err != nil || got != true {
		t.Fatal(got, err)
	}
	if s, err := promote.Settled(c, t.Context(), args); err != nil || s.Landed != binding.No {
		t.Fatal(s, err)
	}
	if p, err := promote.Predict(c, t.Context(), args); err != nil || !p.Promoted {
		t.Fatal(p, err)
	}
	if p, err := c.promote(t.Context(), args); err != nil || !p.Promoted {
		t.Fatal(p, err)
	}
	if s, err := promote.Settled(c, t.Context(), args); err != nil || s.Landed != binding.Yes {
		t.Fatal(s, err)
	}
	if p, err := c.promote(t.Context(), args); err != nil || p.Promoted || !p.Primary {
		t.Fatalf("a second promotion does nothing: %v %v", p, err)
	}
	if r, err := replication.Call(c, t.Context(), serverArgs{Host: replica.host()}); err != nil || r.Replica || r.Position == "" {
		t.Fatal(r, err)
	}
}

func TestTerminateNamesAnUnknownDatabase(t *testing.T) {
	_, err := call(t, client(t, nil, nil), "terminate_connections", map[string]any{"host": shared.host(), "database": "postgrse"})
	if fault.KindOf(err) != fault.NotFound || !strings.Contains(err.Error(), `"postgres"`) {
		t.Fatal(err)
	}
}

func TestVersionAndDatabases(t *testing.T) {
	c := client(t, nil, nil)
	v, err := version.Call(c, t.Context(), serverArgs{Host: shared.host()})
	if err != nil || v.Major < 13 || !strings.HasPrefix(v.Full, "1") {
		t.Fatal(v, err)
	}
	names, err := databases.Call(c, t.Context(), serverArgs{Host: shared.host()})
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
}

func TestACancelledCallSaysSo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := client(t, nil, nil).query(ctx, queryArgs{Host: shared.host(), SQL: "select 1", Limit: 1, Within: time.Second})
	if fault.KindOf(err) != fault.Cancelled || !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// waitFor polls the server's own state, at most five seconds.
func waitFor(t *testing.T, reached func() bool) {
	t.Helper()
	err := clock.Poll(t.Context(), clock.System{}, 5*time.Second, 20*time.Millisecond, func(context.Context) (bool, error) { return reached(), nil })
	if err != nil {
		t.Fatal(err)
	}
}

func portOf(s *server) string { return s.host()[strings.LastIndexByte(s.host(), ':')+1:] }
