package backup

import (
	"strings"
	"testing"

	"github.com/webhost-systems/drhost/host/fault"
)

func TestOneTableComesBackBesideThePresentOne(t *testing.T) {
	db := shared.fresh(t, `create type mood as enum ('sad', 'ok'); create schema audit;
		create table customers (id int generated always as identity primary key, email varchar(40) unique, m mood, twice int generated always as (id * 2) stored, at timestamptz default now());
		insert into customers (email, m) select n || '@example.com', 'ok' from generate_series(1, 500) n; create table orders (c int references customers (id)); insert into orders values (1);
		create table audit.log (id int, at date) partition by range (at); create table audit.log_1 partition of audit.log for values from ('2026-01-01') to ('2027-01-01');
		insert into audit.log values (1, '2026-02-28'), (2, '2026-02-28')`)
	c := client(t, nil)
	id := made(t, c, "k", db)
	shared.sql(t, db, "delete from orders; delete from customers where id > 10; insert into customers (email) values ('later@example.com')")
	got, err := call(t, c, "restore", "r", map[string]any{"id": id, "host": shared.host(), "table": "customers"})
	if err != nil {
		t.Fatal(err)
	}
	name, _ := got["table"].(string)
	if !strings.HasPrefix(name, "customers_restored_") || got["rows"] != 500.0 {
		t.Fatal(got)
	}
	for sql, want := range map[string]string{
		"select count(*) || ' ' || sum(twice) || ' ' || min(m::text) from " + name:                                                  "500 250500 ok",
		"select count(*)::text from customers":                                                                                      "11",
		"select format_type(atttypid, atttypmod) from pg_attribute where attrelid = '" + name + "'::regclass and attname = 'email'": "character varying(40)",
		"select count(*)::text from pg_database where datname like '%restoring%'":                                                   "0",
	} {
		if have := shared.query(t, db, sql); have != want {
			t.Errorf("%s: %s", sql, have)
		}
	}
	again, err := call(t, c, "restore", "r", map[string]any{"id": id, "host": shared.host(), "table": "customers"})
	if err != nil || again["table"] != name {
		t.Fatal("the same call once more:", again, err)
	}
	got, err = call(t, c, "restore", "r2", map[string]any{"id": id, "host": shared.host(), "table": "audit.log"})
	if err != nil || got["rows"] != 2.0 || shared.query(t, db, "select count(*)::text from "+got["table"].(string)) != "2" {
		t.Fatal(got, err)
	}
	_, err = call(t, c, "restore", "r3", map[string]any{"id": id, "host": shared.host(), "table": "custmers"})
	if f := fault.As(err); f.Kind != fault.NotFound || !strings.Contains(f.Hint, `"customers"`) {
		t.Fatalf("%+v", f)
	}
	_, err = call(t, c, "restore", "r4", map[string]any{"id": id, "host": shared.host(), "table": "customers", "replace": true})
	if f := fault.As(err); f.Kind != fault.Invalid || f.Sent != fault.NotDone {
		t.Fatalf("%+v", f)
	}

	_, err = call(t, c, "restore", "r5", map[string]any{"id": id, "host": shared.host()})
	if f := fault.As(err); f.Kind != fault.Conflict || !strings.Contains(f.Message, "the backup has 503") || !strings.Contains(f.Message, "1 rows are stamped later than that (customers 1)") {
		t.Fatal("a refusal says what would be lost:", err)
	}
}
