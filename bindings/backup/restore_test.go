package backup

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/bindings/backup/logical"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

func TestRestoreBringsBackEveryRow(t *testing.T) {
	db := shared.fresh(t, shop+`; alter database testrestorebringsbackeveryrow set search_path to audit, public;
		create role shop_owner login; create role shop_readers; grant shop_readers to shop_owner;
		alter table customers owner to shop_owner; grant select on customers to shop_readers`)
	want := shared.query(t, db, strings.Replace(contentHash, "customers", "public.customers", 1))
	c := client(t, nil)
	id := made(t, c, "k", db)
	shared.sql(t, "postgres", "drop database "+db)
	shared.sql(t, "postgres", "drop role shop_owner; drop role shop_readers")
	got, err := call(t, c, "restore", "r", map[string]any{"id": id, "host": shared.host()})
	if err != nil || got["rows"] != 5100.0 || got["database"] != db || got["kept"] != nil || got["data_until"] == nil {
		t.Fatal(got, err)
	}
	if !reflect.DeepEqual(got["roles"], []any{"shop_owner", "shop_readers"}) {
		t.Fatal(got["roles"])
	}
	if have := shared.query(t, db, strings.Replace(contentHash, "customers", "public.customers", 1)); have != want {
		t.Fatal("the content differs")
	}
	for sql, want := range map[string]string{
		"select tableowner from pg_tables where tablename = 'customers'":                 "shop_owner",
		"select has_table_privilege('shop_readers', 'public.customers', 'select')::text": "true",
		"select pg_has_role('shop_owner', 'shop_readers', 'member')::text":               "true",
		"show search_path":                         "audit, public",
		"select nextval('audit.log_id_seq')::text": "101",
		"select count(*)::text from pg_database where datname like '%restoring%'":       "0",
		"select reltuples::text from pg_class where oid = 'public.customers'::regclass": "5000",
	} {
		if got := shared.query(t, db, sql); got != want {
			t.Errorf("%s: %s", sql, got)
		}
	}
	newest, err := call(t, c, "newest", "", map[string]any{"database": db, "verified": true})
	if err != nil || newest["id"] != id {
		t.Fatal("a restored backup counts as verified:", err)
	}
}

func TestRestoreRefusesADatabaseWithTables(t *testing.T) {
	db := shared.fresh(t, shop)
	c := client(t, nil)
	id := made(t, c, "k", db)
	shared.sql(t, db, "insert into customers (id) values (9001)")
	_, err := call(t, c, "restore", "r", map[string]any{"id": id, "host": shared.host()})
	if f := fault.As(err); f.Kind != fault.Conflict || f.Sent != fault.NotDone || !strings.Contains(f.Hint, "replace = true") {
		t.Fatalf("%+v", f)
	}
	if n := shared.query(t, db, "select count(*)::text from customers"); n != "5001" {
		t.Fatal(n)
	}
}

func TestReplaceKeepsTheFormerDatabase(t *testing.T) {
	db := shared.fresh(t, shop)
	c := client(t, nil)
	id := made(t, c, "k", db)
	shared.sql(t, db, "delete from audit.log; delete from customers where id > 10")
	held, err := pgx.Connect(t.Context(), fmt.Sprintf("host=127.0.0.1 port=%d user=postgres password=%s dbname=%s sslmode=disable", shared.port, password, db))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close(context.Background()) // a client that does not let go
	args := map[string]any{"id": id, "host": shared.host(), "replace": true, "jobs": 1.0}
	got, err := call(t, c, "restore", "r", args)
	kept, _ := got["kept"].(string)
	if err != nil || !strings.HasPrefix(kept, db+"_damaged_") {
		t.Fatal(got, err)
	}
	if n := shared.query(t, db, "select count(*)::text from customers"); n != "5000" {
		t.Fatal(n)
	}
	if n := shared.query(t, kept, "select count(*)::text from customers"); n != "10" {
		t.Fatal("the kept database can be looked at:", n)
	}
	shared.sql(t, db, "insert into customers (id) values (9001)")
	again, err := call(t, c, "restore", "r", args)
	if err != nil || again["kept"] != kept || shared.query(t, db, "select count(*)::text from customers") != "5001" {
		t.Fatalf("the same call does not restore twice: %v %v", again, err)
	}
	a := restoreArgs{ID: id, Host: shared.host(), Replace: true, Jobs: 1}
	s, err := restore.Settled(c, binding.WithKey(t.Context(), "r"), a)
	if err != nil || s.Landed != binding.Yes || s.Result.Kept != kept || s.Result.Rows != 5100 {
		t.Fatal(s, err)
	}
	if s, err = restore.Settled(c, binding.WithKey(t.Context(), "other"), a); err != nil || s.Landed != binding.No {
		t.Fatal(s, err)
	}
}

func TestAnEmptyDatabaseIsFilled(t *testing.T) {
	db := shared.fresh(t, shop)
	c := client(t, nil)
	id := made(t, c, "k", db)
	shared.sql(t, "postgres", "create database target_empty")
	got, err := call(t, c, "restore", "r", map[string]any{"id": id, "host": shared.host(), "database": "target_empty"})
	if err != nil || got["kept"] != nil {
		t.Fatal(got, err)
	}
	if n := shared.query(t, "target_empty", "select count(*)::text from pg_database where datname like 'target_empty%'"); n != "1" {
		t.Fatal(n)
	}
	if have := shared.query(t, "target_empty", contentHash); have != shared.query(t, db, contentHash) {
		t.Fatal("the content differs")
	}
}

func TestAnInterruptedRestoreIsRepeated(t *testing.T) {
	db := shared.fresh(t, shop)
	broken := client(t, map[string]any{"bin": bin(t, "pg_restore", `kill -9 $$`)})
	id := made(t, broken, "k", db)
	args := map[string]any{"id": id, "host": shared.host(), "database": "target_again"}
	_, err := call(t, broken, "restore", "r", args)
	if f := fault.As(err); f.Kind != fault.Failed || f.Sent != fault.NotDone {
		t.Fatalf("%+v", f)
	}
	if n := shared.query(t, db, "select count(*)::text from pg_database where datname like 'target_again%'"); n != "0" {
		t.Fatal("something was left")
	}
	// As kill -9 of drhost leaves it: begun beside, with a table.
	beside := logical.BesideName("target_again", "_restoring_"+catalogue.Suffix("r"))
	shared.sql(t, "postgres", "create database "+beside)
	shared.sql(t, beside, "create table customers (id int)")
	var said []string
	ctx := binding.WithProgress(binding.WithKey(t.Context(), "r"), func(text string) { said = append(said, text) })
	c := *broken
	c.set.Bin = ""
	s, err := restore.Settled(&c, ctx, restoreArgs{ID: id, Host: shared.host(), Database: "target_again", Jobs: 2})
	if err != nil || s.Landed != binding.No || len(said) != 1 {
		t.Fatal(s, err, said)
	}
	if _, err := call(t, &c, "restore", "r", args); err != nil {
		t.Fatal(err)
	}
	if n := shared.query(t, "target_again", "select count(*)::text from pg_database where datname like 'target_again%'"); n != "1" {
		t.Fatal(n)
	}
}

// TestARestoreThatDiesAroundTheSwap: just before it, the target is closed to
// clients; just after it, the database that was replaced is still there.
func TestARestoreThatDiesAroundTheSwap(t *testing.T) {
	db := shared.fresh(t, shop)
	c := client(t, nil)
	args := map[string]any{"id": made(t, c, "k", db), "host": shared.host(), "database": "target_swap"}
	beside := logical.BesideName("target_swap", "_restoring_"+catalogue.Suffix("r"))
	for _, sql := range []string{"create database target_swap", "create database " + beside, "alter database target_swap with allow_connections false"} {
		shared.sql(t, "postgres", sql)
	}
	if _, err := call(t, c, "restore", "r", args); err != nil {
		t.Fatal("a target that this call had closed:", err)
	}
	empty := logical.BesideName("target_swap", "_empty_"+catalogue.Suffix("r"))
	shared.sql(t, "postgres", "create database "+empty+" allow_connections false")
	if _, err := call(t, c, "restore", "r", args); err != nil {
		t.Fatal(err)
	}
	if n := shared.query(t, "target_swap", "select count(*)::text from pg_database where datname like 'target_swap%'"); n != "1" {
		t.Fatalf("%s databases are left", n)
	}
	// Somebody else has closed this one.
	shared.sql(t, "postgres", "create database target_closed allow_connections false")
	args["database"] = "target_closed"
	if _, err := call(t, c, "restore", "r2", args); err == nil {
		t.Fatal("a database that was closed on purpose was replaced")
	}
}

func TestRestoreRefusesWhatCannotWork(t *testing.T) {
	db := shared.fresh(t, shop)
	c := client(t, nil)
	id := made(t, c, "k", db)
	if _, err := call(t, c, "restore", "r", map[string]any{"id": id[:len(id)-1], "host": shared.host()}); fault.KindOf(err) != fault.NotFound || !strings.Contains(err.Error(), id) {
		t.Fatal(err)
	}
	wrong := *c
	wrong.set.Hosts = map[string]serverSettings{"127.0.0.1": {User: "nobody_here"}}
	if _, err := call(t, &wrong, "restore", "r", map[string]any{"id": id, "host": shared.host()}); fault.KindOf(err) != fault.Denied || strings.Contains(err.Error(), password) {
		t.Fatal(err)
	}
	s := find(t, c, id)
	change := func(edit func(*catalogue.Manifest)) error {
		m := s.Manifest
		edit(&m)
		rewrite(t, c, s, m)
		_, err := call(t, c, "restore", "r", map[string]any{"id": id, "host": shared.host(), "database": "target_refused"})
		return err
	}
	if err := change(func(m *catalogue.Manifest) { m.Server.Major = 99 }); fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), "PostgreSQL 99") {
		t.Fatal(err)
	}
	if err := change(func(m *catalogue.Manifest) { m.ToolMajor = 99 }); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "postgresql-client-99") {
		t.Fatal(err)
	}
	err := change(func(m *catalogue.Manifest) { m.Rows = map[string]int64{"customers": 4999, "audit.log": 100} })
	if fault.KindOf(err) != fault.Failed || !strings.Contains(err.Error(), "customers has 5000 rows instead of 4999") {
		t.Fatal(err)
	}
	if n := shared.query(t, db, "select count(*)::text from pg_database where datname like 'target_refused%'"); n != "0" {
		t.Fatal("something was left")
	}
	if err := change(func(m *catalogue.Manifest) { m.Server.Collate = "xx_XX" }); err != nil {
		t.Fatalf("an unknown locale is a warning: %v", err)
	}
}

func TestPredictTouchesNothing(t *testing.T) {
	db := shared.fresh(t, shop)
	c := client(t, nil)
	id := made(t, c, "k", db)
	p, err := restore.Predict(c, t.Context(), restoreArgs{ID: id, Host: "203.0.113.99", Within: time.Second})
	if err != nil || p.Rows != 5100 || p.Database != db {
		t.Fatal(p, err)
	}
	p2, err := create.Predict(c, t.Context(), createArgs{Host: "203.0.113.99", Database: db})
	if err != nil || !binding.IsPlanned(p2.ID) || len(folders(t, c)) != 1 {
		t.Fatal(p2, err)
	}
}

func TestALimitThatWasReachedIsNotPassing(t *testing.T) {
	db := shared.fresh(t, shop)
	c := client(t, map[string]any{"bin": bin(t, "pg_restore", `exec sleep 30`)})
	id := made(t, c, "k", db)
	_, err := call(t, c, "restore", "r", map[string]any{"id": id, "host": shared.host(), "database": "target_late", "within": "700ms"})
	if f := fault.As(err); f.Kind != fault.Timeout || f.Transient || f.Sent != fault.NotDone || !strings.Contains(f.Hint, "within") {
		t.Fatalf("%+v", f)
	}
	if n := shared.query(t, db, "select count(*)::text from pg_database where datname like 'target_late%'"); n != "0" {
		t.Fatal("something was left")
	}
}
