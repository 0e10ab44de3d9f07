package backup

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/webhost-systems/drhost/host/fault"
)

func TestTheCustomersAreKnownWhenTheDatabaseIsGone(t *testing.T) {
	db := shared.fresh(t, `create table customers (id int primary key, email text, plan text); insert into customers values (1, 'a@example.com', 'hobby'), (2, 'b@example.com', null)`)
	key := keyPair(t)
	c := client(t, map[string]any{"recipients": []any{key.Recipient().String()}, "identity": "is:" + key.String(),
		"databases": map[string]any{db: map[string]any{"contacts": "select email, plan from customers where id < 3 order by id"}}})
	id := made(t, c, "k", db)
	shared.sql(t, "postgres", "drop database "+db)
	for _, args := range []map[string]any{{"id": id}, {"database": db}} {
		got, err := call(t, c, "contacts", "", args)
		if err != nil {
			t.Fatal(err)
		}
		// What a run's journal gets holds nobody's data.
		if text := fmt.Sprint(got); got["count"] != 2.0 || got["id"] != id || len(got["columns"].([]any)) != 2 || len(got["sha256"].(string)) != 64 || strings.Contains(text, "example.com") {
			t.Fatal(text)
		}
		var said string
		if err := Module().Service("contacts").Run(t.Context(), c, args, c.env.Secret, func(_ bool, text string) { said += text }); err != nil {
			t.Fatal(err)
		}
		var list struct{ Rows []map[string]*string }
		if err := json.Unmarshal([]byte(said), &list); err != nil || len(list.Rows) != 2 || *list.Rows[0]["email"] != "a@example.com" || list.Rows[1]["plan"] != nil {
			t.Fatal(said, err)
		}
	}
	b := find(t, c, id)
	if text, err := os.ReadFile(file(c, b, "contacts.json.zst.age")); err != nil || len(text) == 0 {
		t.Fatal("the list is not sealed:", err)
	}
	_, err := call(t, c, "contacts", "", map[string]any{"database": db + "x"})
	if f := fault.As(err); f.Kind != fault.NotFound || f.Hint == "" {
		t.Fatal(err)
	}
}

func TestAQueryForContactsThatIsWrongIsSaid(t *testing.T) {
	db := shared.fresh(t, "create table t (i int)")
	c := client(t, map[string]any{"databases": map[string]any{db: map[string]any{"contacts": "delete from t returning i"}}})
	_, err := call(t, c, "create", "k", map[string]any{"host": shared.host(), "database": db})
	if f := fault.As(err); f.Kind != fault.Invalid || f.Sent != fault.NotDone {
		t.Fatalf("%+v", f)
	}
	c = client(t, map[string]any{"databases": map[string]any{db: map[string]any{"contacts": "none"}}})
	made(t, c, "k", db)
}

// OIDs of the values of an enumeration, of tables and types are others in
// another database: hashes must not depend on them.
func TestContentThatIsNamedByNumbersComesBackEqual(t *testing.T) {
	db := shared.fresh(t, `create type mood as enum ('sad', 'ok'); create domain cheer as mood; create type pair as (a mood, b int);
		create table feelings (id int, m mood, many mood[], c cheer, p pair, of regclass);
		insert into feelings values (1, 'sad', '{ok,sad}', 'ok', '(sad,1)', 'feelings')`)
	c := client(t, nil)
	id := made(t, c, "k", db)
	shared.sql(t, "postgres", "drop database "+db)
	if _, err := call(t, c, "restore", "r", map[string]any{"id": id, "host": shared.host()}); err != nil {
		t.Fatal(err)
	}
}
