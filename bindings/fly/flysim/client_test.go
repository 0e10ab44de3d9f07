package flysim

import (
	"strings"
	"testing"
	"time"
)

// refused asks GraphQL what it has to refuse, and returns why it did.
func (b *bench) refused(query string) string {
	b.Helper()
	got := b.want(200, "POST", "/graphql", obj{"query": query})
	errors, _ := got["errors"].([]any)
	if len(errors) == 0 {
		b.Fatalf("%s: %v", query, got)
	}
	return errors[0].(obj)["message"].(string)
}

// TestWhatFlyctlShows are the questions whose answers flyctl showed twice,
// wrongly, or not at all.
func TestWhatFlyctlShows(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	// flyctl adds the shared address to the others by itself.
	app := b.query(`{ app(name: "web") { ipAddresses { nodes { address } } sharedIpAddress addOns(type: redis) { nodes { name } } } }`, nil)["app"].(obj)
	if len(app["ipAddresses"].(obj)["nodes"].([]any)) != 0 || app["sharedIpAddress"] == "" || len(app["addOns"].(obj)["nodes"].([]any)) != 0 {
		t.Errorf("%v", app)
	}
	made := b.query(`mutation { allocateIpAddress(input: {appId: "web", type: shared_v4}) { app { sharedIpAddress } } }`, nil)
	if got := made["allocateIpAddress"].(obj)["app"].(obj)["sharedIpAddress"]; got != app["sharedIpAddress"] {
		t.Errorf("allocated %v", got)
	}
	if why := b.refused(`mutation { allocateIpAddress(input: {appId: "web", type: v6}) { ipAddress { address } } }`); !strings.Contains(why, "type v6") {
		t.Error(why)
	}
	// Only of Fly's own images is there a newer version.
	if why := b.refused(`{ latestImageDetails(image: "registry.fly.io/web:1") { tag } }`); why != "Unknown repository" {
		t.Error(why)
	}
	if got := b.query(`{ latestImageDetails(image: "flyio/postgres-flex:16.2") { tag } }`, nil)["latestImageDetails"].(obj)["tag"]; got != "16.2" {
		t.Errorf("%v", got)
	}
	org := b.query(`{ organization(slug: "webhost-systems") { rawSlug addOnSsoLink provisionsBetaExtensions addOns { nodes { name } } members { edges { node { email } } } } }`, nil)["organization"].(obj)
	if org["rawSlug"] != "webhost-systems" || len(org["members"].(obj)["edges"].([]any)) != 1 {
		t.Errorf("%v", org)
	}
	b.want(200, "POST", "/api/v1/builds", obj{"app_name": "web"}) // flyctl takes no other for a success
}

func TestAnUpdateLeavesAStoppedMachineStopped(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	one := b.machine(0)
	b.want(200, "POST", one+"/stop", nil)
	b.wait(one, "stopped")
	m := b.want(200, "POST", one, obj{"config": config("web:2")})
	b.want(200, "GET", one+"/wait?state=settled&timeout=60&version="+m["instance_id"].(string), nil)
	if now := b.want(200, "GET", one, nil); now["state"] != "stopped" || now["instance_id"] != m["instance_id"] || now["config"].(obj)["image"] != "web:2" {
		t.Errorf("%v", now)
	}
	b.want(200, "POST", one+"/start", nil)
	b.wait(one, "started")
}

// TestNothingStandsBehindAManagedCluster: nobody is made believe that there is
// something to connect to.
func TestNothingStandsBehindAManagedCluster(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.sim.AddCluster("mpg", "ams")
	if got := b.want(200, "GET", "/api/v1/postgres/"+id, nil)["credentials"].(obj); got["status"] != "error" || got["pgbouncer_uri"] != "" {
		t.Errorf("%v", got)
	}
	if got := b.want(200, "GET", "/v1/postgres/"+id, nil)["data"].(obj)["ip_assignments"].(obj); got["direct"] != "" {
		t.Errorf("it has an address: %v", got)
	}
	for _, what := range []string{"databases", "users", "users/fly-user/credentials", "databases/a/extensions"} {
		if got := b.want(501, "GET", "/api/v1/postgres/"+id+"/"+what, nil); !strings.Contains(got["error"].(string), "no database stands behind") {
			t.Errorf("%s: %v", what, got)
		}
	}
	b.want(404, "GET", "/v1/postgres/none/databases", nil)
	if got := b.want(200, "GET", "/api/v1/organizations/webhost-systems/postgres/deleted", nil)["data"].([]any); len(got) != 0 {
		t.Errorf("%v are deleted", got)
	}
	backups := b.want(200, "GET", "/v1/postgres/"+id+"/backups", nil)["data"].([]any)
	made := b.want(201, "POST", "/v1/postgres/"+id+"/restore", obj{"backup_id": backups[0].(obj)["id"], "name": "mine"})
	if made["data"].(obj)["name"] != "mine" {
		t.Errorf("%v", made)
	}
}

func TestSomebodyElseHoldsALease(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if err := b.sim.HoldLease("nobody", "anna@webhost.systems", time.Minute); err == nil {
		t.Error("the lease of a machine that is not there")
	}
	if err := b.sim.HoldLease(b.ids[0], "anna@webhost.systems", time.Hour); err != nil {
		t.Fatal(err)
	}
	if got := b.want(409, "POST", b.machine(0)+"/stop", nil)["error"].(string); !strings.Contains(got, "lease currently held by anna@webhost.systems") {
		t.Error(got)
	}
	b.want(200, "POST", b.machine(1)+"/stop", nil)
}
