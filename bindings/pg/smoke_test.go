package pg

import (
	"slices"
	"testing"

	"github.com/webhost-systems/drhost/host/fault"
)

func TestSmoke(t *testing.T) {
	db := shared.fresh(t, "create table customers (id int, plan text); insert into customers select n, 'hobby' from generate_series(1, 7) n; create table empty (n int)")
	type data = map[string]any
	ask := func(queries ...any) (data, error) {
		out, err := call(t, client(t, nil, nil), "smoke", data{"host": shared.host(), "database": db, "queries": queries})
		m, _ := out.(data)
		return m, err
	}
	const count = "select count(*) from customers"
	got, err := ask(
		data{"name": "enough", "sql": count, "at_least": 7.0, "at_most": 7.0},
		data{"name": "too few", "sql": count, "at_least": 8.0},
		data{"name": "too many", "sql": count, "at_most": 6.0},
		data{"name": "plan", "sql": "select plan from customers where id = $1", "params": []any{3.0}, "equals": "hobby"},
		data{"name": "other plan", "sql": "select plan from customers where id = 3", "equals": "team"},
		data{"name": "holds", "sql": "select bool_and(id > 0) from customers", "equals": true},
		data{"name": "rows", "sql": "select * from customers", "rows": 7.0},
		data{"name": "none", "sql": "select n from empty"},
		data{"name": "none is right", "sql": "select n from empty", "rows": 0.0},
		data{"name": "no table", "sql": "select 1 from custmers"},
		data{"name": "changes", "sql": "delete from customers"},
		data{"name": "no number", "sql": "select max(n) from empty", "at_least": 1.0},
		data{"name": "slow", "sql": "select pg_sleep(0)", "rows": 1.0},
	)
	if err != nil {
		t.Fatal(err)
	}
	wrong := []any{"too few", "too many", "other plan", "none", "no table", "changes", "no number"}
	if got["ok"] != false || !slices.Equal(got["failed"].([]any), wrong) {
		t.Errorf("%v", got["failed"])
	}
	results := got["results"].(data)
	if len(results) != 13 {
		t.Errorf("%d results", len(results))
	}
	for name, r := range results {
		answer := r.(data)
		for _, key := range []string{"problem", "cause", "way_out"} {
			text, _ := answer[key].(string)
			if bad := slices.Contains(wrong, any(name)); bad && key != "way_out" && text == "" || !bad && text != "" {
				t.Errorf("%s: %s is %q", name, key, text)
			}
		}
	}
	if results["enough"].(data)["value"] != 7.0 || results["rows"].(data)["rows"] != 7.0 {
		t.Errorf("%v", results)
	}
	if all, err := ask(data{"name": "enough", "sql": count, "equals": 7.0}); err != nil || all["ok"] != true || len(all["failed"].([]any)) != 0 {
		t.Errorf("%v, %v", all, err)
	}
	for _, bad := range [][]any{{}, {data{"name": "", "sql": count}}, {data{"name": "a", "sql": count}, data{"name": "a", "sql": count}}} {
		if _, err := ask(bad...); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%v: %v", bad, err)
		}
	}
	hole := turningAway(t, "57P03", "the database system is starting up")
	if _, err := call(t, client(t, nil, nil), "smoke", data{"host": hole, "queries": []any{data{"name": "a", "sql": count}}}); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a server that does not answer is a fault: %v", err)
	}
}
