package fly

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/webhost-systems/drhost/bindings/fly/flysim"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// held are the resources as "kind name".
func held(all []binding.Resource) []string {
	var out []string
	for _, r := range all {
		out = append(out, r.Kind+" "+r.Name)
	}
	slices.Sort(out)
	return out
}

func TestTheInventoryHasAppsAndClusters(t *testing.T) {
	t.Parallel()
	b := newBench(t).web()
	if _, err := b.sim.AddApp(flysim.AppSpec{Name: "web-db", Postgres: true, Images: []string{imageGood}}); err != nil {
		t.Fatal(err)
	}
	b.sim.AddCluster("mpg", "ams")
	want := []string{"app web", "postgres mpg", "postgres web-db"}
	for _, org := range []string{"webhost-systems", ""} { // without one, every organization that the token sees
		b.reopen(data{"organization": org})
		got, err := Module().Inventory(t.Context(), b.client)
		if err != nil || !slices.Equal(held(got), want) {
			t.Errorf("organization %q: %q, %v", org, held(got), err)
		}
		f, decoded := b.prepare("apps", data{})
		out, err := f.Call(b.Context(), b.client, decoded)
		if err != nil || len(out.([]any)) != 2 {
			t.Fatalf("organization %q: %v, %v", org, out, err)
		}
		first, second := out.([]any)[0].(data), out.([]any)[1].(data)
		if first["name"] != "web" || first["machines"] != 2.0 || first["postgres"] != false || second["postgres"] != true || second["organization"] != "webhost-systems" {
			t.Errorf("organization %q: %v", org, out)
		}
	}
}

func TestAnInventoryThatCannotBeReadInPartKeepsTheRest(t *testing.T) {
	t.Parallel()
	b := newBench(t).web()
	b.front.fail(func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if !strings.HasPrefix(r.URL.Path, "/v1/postgres") {
			return false
		}
		flysim.WriteError(w, http.StatusForbidden, "forbidden", "forbidden")
		return true
	})
	got, err := Module().Inventory(t.Context(), b.client)
	if !slices.Equal(held(got), []string{"app web"}) || fault.KindOf(err) != fault.Denied {
		t.Errorf("%q, %v", held(got), err)
	}
}
