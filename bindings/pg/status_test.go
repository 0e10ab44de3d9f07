package pg

import (
	"context"
	"strings"
	"testing"
)

func TestStatusNamesWhatIsWrong(t *testing.T) {
	database := shared.fresh(t, "create table customers (id int)")
	c := client(t, nil, nil)
	shared.sql(t, database, "select pg_create_physical_replication_slot('gone', true)")
	defer shared.sql(t, "postgres", "select pg_drop_replication_slot('gone')")
	shared.sql(t, database, "insert into customers select generate_series(1, 1000)")
	open, err := c.connect(context.Background(), shared.host(), database, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer closeQuietly(context.Background(), open)
	if _, err := open.Exec(context.Background(), "begin"); err != nil {
		t.Fatal(err)
	}
	out, err := call(t, c, "status", map[string]any{"host": shared.host(), "pinned": 1.0, "transaction": "0s"})
	if err != nil {
		t.Fatal(err)
	}
	s := out.(map[string]any)
	if s["replica"] != false || s["sizes"].(map[string]any)[database].(float64) < 1e6 {
		t.Errorf("%v", s)
	}
	found := map[string]string{}
	for _, p := range s["problems"].([]any) {
		m := p.(map[string]any)
		found[m["what"].(string)] = m["way_out"].(string)
	}
	if !strings.Contains(found["slot"], "pg_drop_replication_slot('gone')") || !strings.Contains(found["transaction"], "pg_terminate_backend") {
		t.Errorf("%v", found)
	}
}

func TestIntegrityFindsDamage(t *testing.T) {
	database := shared.fresh(t, `create table customers (id serial primary key); create table orders (id serial primary key, customer int references customers (id));
		insert into customers select from generate_series(1, 5); insert into orders (customer) values (1), (null)`)
	c := client(t, nil, nil)
	look := func() map[string]any {
		t.Helper()
		out, err := call(t, c, "integrity", map[string]any{"host": shared.host(), "database": database})
		if err != nil {
			t.Fatal(err)
		}
		return out.(map[string]any)
	}
	if s := look(); s["ok"] != true || s["foreign_keys"] != 1.0 || s["sequences"] != 2.0 || s["amcheck"] != false || s["tables"].(map[string]any)["customers"] != 5.0 {
		t.Errorf("%v", s)
	}
	shared.sql(t, database, `create extension amcheck; set session_replication_role = replica; insert into orders (customer) values (77);
		set session_replication_role = origin; select setval('customers_id_seq', 2); alter table orders add constraint odd check (id < 0) not valid`)
	s := look()
	var text string
	for _, d := range s["damages"].([]any) {
		text += d.(string) + "\n"
	}
	if s["ok"] != false || s["amcheck"] != true || s["indexes"].(float64) < 2 {
		t.Errorf("%v", s)
	}
	for _, want := range []string{"1 rows lead nowhere", "setval('customers_id_seq', 5)", "constraint odd of orders was never checked"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in %s", want, text)
		}
	}
}
