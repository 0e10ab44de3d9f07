package fly

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/bindings/world"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/secret"
)

// land is the production tier of the plan in a simulated world with real
// PostgreSQL, and a client of its Fly.io.
type land struct {
	*testing.T
	*world.World
	bench *bench
}

func newLand(t *testing.T) *land {
	t.Helper()
	spec, err := world.Load("../../runbooks/worlds/production.toml")
	if err != nil {
		t.Fatal(err)
	}
	spec.Servers, spec.Images = nil, nil // Hetzner's tier has tests of its own
	spec.Zones[0].Records = spec.Zones[0].Records[:3]
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	w, err := world.Start(ctx, spec, world.Options{Speed: 60, WriteEvery: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	settings := w.Descriptor().Settings["fly"]
	b := &bench{T: t, url: settings["api_url"].(string), front: &front{}}
	if b.catalog, err = binding.NewCatalog(Module()); err != nil {
		t.Fatal(err)
	}
	b.reopen()
	client, err := Module().Open(binding.Env{Name: "sim", Settings: settings, Net: network{b.client.(*Client).web.Transport}, Clock: clock.Scaled{Factor: 60},
		Secret: func(ref string) (secret.Value, error) { return secret.New(ref[len("plain:"):]), nil }})
	if err != nil {
		t.Fatal(err)
	}
	b.client = client
	return &land{t, w, b}
}

func (l *land) hit(fault string, args data) {
	l.Helper()
	if err := l.Inject(fault, args); err != nil {
		l.Fatal(err)
	}
}

// served waits until a customer finds the application well.
func (l *land) served() {
	l.Helper()
	err := clock.Poll(l.Context(), clock.System{}, 30*time.Second, 50*time.Millisecond, func(ctx context.Context) (bool, error) {
		return l.Customer(ctx, "https://webhost-prod.fly.dev/health").Status == 200, nil
	})
	if err != nil {
		l.Fatalf("customers are not served: %v", err)
	}
}

// call carries out another call of the run.
func (l *land) call(key, name string, args data) data {
	l.Helper()
	f, decoded := l.bench.prepare(name, args)
	ctx := binding.WithSince(binding.WithKey(l.Context(), "run-7-"+key), time.Now())
	out, err := f.Call(ctx, l.bench.client, decoded)
	if err != nil {
		l.Fatalf("%s: %v", name, err)
	}
	m, _ := out.(data)
	return m
}

func TestWithRealPostgreSQL(t *testing.T) {
	if testing.Short() {
		t.Skip("starts PostgreSQL")
	}
	t.Parallel()
	l := newLand(t)
	l.served()
	k := l.call("status", "pg_status", data{"app": "webhost-prod-db"})
	if k["healthy"] != true || k["replicas"] != 1.0 {
		t.Errorf("%v", k)
	}
	// A switch between living nodes, and back.
	f := l.call("switch", "pg_failover", data{"app": "webhost-prod-db"})
	if f["primary"].(data)["id"] == k["leader"] || f["position"] == nil {
		t.Errorf("%v", f)
	}
	l.served()
	var again data
	err := clock.Poll(l.Context(), clock.System{}, 30*time.Second, 100*time.Millisecond, func(context.Context) (bool, error) {
		again = l.call("status2", "pg_status", data{"app": "webhost-prod-db"}) // it may still be starting
		return again["replicas"] == 1.0, nil
	})
	if err != nil {
		t.Errorf("the old primary does not follow: %v", again)
	}
	l.call("restart", "pg_restart", data{"app": "webhost-prod-db"})
	l.served()
	backup := l.call("backup", "pg_backup_create", data{"app": "webhost-prod-db"})
	if backup["status"] != "DONE" {
		t.Errorf("%v", backup)
	}
	// The leader's host dies.
	l.hit("lose_leader", data{"app": "webhost-prod-db"})
	f = l.call("failover", "pg_failover", data{"app": "webhost-prod-db"})
	if len(texts(f["old_left"])) != 1 {
		t.Errorf("%v", f)
	}
	l.served()
	restored := l.call("restore", "pg_restore", data{"app": "webhost-prod-db", "to": "webhost-prod-db-2", "organization": "webhost-systems"})
	if restored["role"] != "primary" {
		t.Errorf("%v", restored)
	}
}

func TestARegionIsLost(t *testing.T) {
	if testing.Short() {
		t.Skip("starts PostgreSQL")
	}
	t.Parallel()
	l := newLand(t)
	l.served()
	id := l.call("status", "status", data{"app": "webhost-prod"})["machines"].([]any)[0].(data)["id"]
	was := l.call("variable", "exec", data{"app": "webhost-prod", "machine": id, "command": []any{"sh", "-c", "echo $DATABASE_URL"}})["stdout"].(string)
	l.hit("region_down", data{"region": "ams"})
	// The order of the plan: the app, its database, its configuration.
	m := l.call("move", "move_region", data{"app": "webhost-prod", "to": "fra", "ready": "started"})
	if len(m["made"].([]any)) != 2 || len(texts(m["left"])) != 2 {
		t.Errorf("%v", m)
	}
	f := l.call("failover", "pg_failover", data{"app": "webhost-prod-db-replica", "primary_app": "webhost-prod-db"})
	if f["primary"].(data)["region"] != "fra" || len(texts(f["old_left"])) == 0 {
		t.Errorf("%v", f)
	}
	url := strings.ReplaceAll(strings.TrimSpace(was), "webhost-prod-db.", "webhost-prod-db-replica.")
	s := l.call("secrets", "secrets_set", data{"app": "webhost-prod", "values": data{"DATABASE_URL": url}})
	if len(s["machines"].([]any)) != 2 || len(texts(s["skipped"])) != 2 {
		t.Errorf("%v", s)
	}
	l.served()
}
