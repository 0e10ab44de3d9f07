// Package conformance points the vendor's own client at the simulator and
// decodes its answers strictly. It is a module of its own, so that the
// vendor's client with all that it brings never gets into drhost.
package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	fly "github.com/superfly/fly-go"
	"github.com/superfly/fly-go/flaps"
	"github.com/superfly/fly-go/tokens"

	"github.com/webhost-systems/drhost/bindings/fly/flysim"
	"github.com/webhost-systems/drhost/host/clock"
)

// organization is a simulator with an app of one machine, and who asks it.
type organization struct {
	*testing.T
	url     string
	flaps   *flaps.Client
	fly     *fly.Client
	machine string
	volume  string
}

func newOrganization(t *testing.T) *organization {
	t.Helper()
	sim := flysim.New(flysim.Options{Clock: clock.Scaled{Factor: 1000}, Token: "secret", Unlimited: true})
	t.Cleanup(sim.Close)
	server := httptest.NewServer(sim.Handler())
	t.Cleanup(server.Close)
	if _, err := sim.AddApp(flysim.AppSpec{Name: "db", Postgres: true, Images: []string{"flyio/postgres-flex:15.8"}, Secrets: map[string]string{"A": "b"}}); err != nil {
		t.Fatal(err)
	}
	b, err := sim.AddMachine(flysim.MachineSpec{App: "db", Name: "db-1", Region: "ams", Volume: "pg_data", VolumeSize: 10, Config: map[string]any{
		"image": "flyio/postgres-flex:15.8", "metadata": map[string]any{"fly_platform_version": "v2"},
		"checks": map[string]any{"role": map[string]any{"type": "http", "port": 5500, "interval": "15s", "timeout": "10s"}}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("FLY_FLAPS_BASE_URL", server.URL)
	client, err := flaps.NewWithOptions(t.Context(), flaps.NewClientOpts{Tokens: tokens.Parse("secret"), UserAgent: "test"})
	if err != nil {
		t.Fatal(err)
	}
	fly.SetBaseURL(server.URL)
	return &organization{t, server.URL, client, fly.NewClientFromOptions(fly.ClientOptions{BaseURL: server.URL, Tokens: tokens.Parse("secret"), Name: "test", Version: "1"}), b.ID, b.Volume}
}

// strictly decodes an answer into the vendor's type and refuses fields that
// it does not have; known names those that only the documentation has.
func (o *organization) strictly(path string, v any, known ...string) {
	o.Helper()
	req, err := http.NewRequestWithContext(o.Context(), http.MethodGet, o.url+path, nil)
	if err != nil {
		o.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer secret")
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		o.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		o.Fatalf("%s: %d %v %s", path, r.StatusCode, err, text)
	}
	var plain any
	if err := json.Unmarshal(text, &plain); err != nil {
		o.Fatal(err)
	}
	without(plain, known)
	if text, err = json.Marshal(plain); err != nil {
		o.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		o.Errorf("%s: %v", path, err)
	}
}

// without removes fields, at any depth.
func without(v any, names []string) {
	switch v := v.(type) {
	case map[string]any:
		for _, name := range names {
			delete(v, name)
		}
		for _, one := range v {
			without(one, names)
		}
	case []any:
		for _, one := range v {
			without(one, names)
		}
	}
}

func TestAnswersAreTheVendors(t *testing.T) {
	o := newOrganization(t)
	one := "/v1/apps/db/machines/" + o.machine
	// fly.io/docs/machines/api has an id of events, which the client lacks.
	o.strictly(one, &fly.Machine{}, "id")
	o.strictly("/v1/apps/db/machines", &[]fly.Machine{}, "id")
	o.strictly(one+"/ps", &fly.MachinePsResponse{})
	o.strictly(one+"/metadata", &map[string]string{})
	o.strictly("/v1/apps/db", &flaps.App{})
	// The documentation has the file system and its blocks.
	o.strictly("/v1/apps/db/volumes", &[]fly.Volume{}, "fstype", "blocks", "block_size", "blocks_free", "blocks_avail")
	o.strictly("/v1/apps/db/secrets", &fly.ListAppSecretsResp{})
	o.strictly("/v1/platform/regions", &flaps.RegionData{})
	o.strictly("/v1/apps/db/ip_assignments", &flaps.ListIPAssignmentsResponse{})
}

func TestTheVendorsClientWorks(t *testing.T) {
	o := newOrganization(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ttl := 3600000
	lease, err := o.flaps.AcquireLease(ctx, "db", o.machine, &ttl)
	must(err)
	nonce := lease.Data.Nonce
	if err := o.flaps.Stop(ctx, "db", fly.StopMachineInput{ID: o.machine}, ""); err == nil || !strings.Contains(err.Error(), "lease currently held") {
		t.Errorf("without the nonce: %v", err)
	}
	_, err = o.flaps.RefreshLease(ctx, "db", o.machine, &ttl, nonce)
	must(err)
	must(o.flaps.Restart(ctx, "db", fly.RestartMachineInput{ID: o.machine}, nonce))
	must(o.flaps.Wait(ctx, "db", o.machine, flaps.WithWaitStates("started")))
	m, err := o.flaps.Get(ctx, "db", o.machine)
	must(err)
	if m.ImageVersion() == "" || m.Config.Mounts[0].Volume != o.volume || m.Checks[0].UpdatedAt == nil {
		t.Errorf("machine: %+v", m)
	}
	m.Config.Guest.MemoryMB = 1024
	updated, err := o.flaps.Update(ctx, "db", fly.LaunchMachineInput{ID: o.machine, Config: m.Config}, nonce)
	must(err)
	must(o.flaps.Wait(ctx, "db", o.machine, flaps.WithWaitStates("started"), flaps.WithWaitVersion(updated.InstanceID)))
	must(o.flaps.ReleaseLease(ctx, "db", o.machine, nonce))
	out, err := o.flaps.Exec(ctx, "db", o.machine, &fly.MachineExecRequest{Cmd: "false"})
	must(err)
	if out.ExitCode != 1 {
		t.Errorf("exec: %+v", out)
	}
	_, err = o.flaps.UpdateAppSecrets(ctx, "db", map[string]*string{"A": nil})
	must(err)
	must(o.flaps.CreateVolumeSnapshot(ctx, "db", o.volume))
	snapshots, err := o.flaps.GetVolumeSnapshots(ctx, "db", o.volume)
	must(err)
	if len(snapshots) != 1 {
		t.Errorf("snapshots: %+v", snapshots)
	}
	must(o.flaps.Destroy(ctx, "db", fly.RemoveMachineInput{ID: o.machine, Kill: true}, ""))
}

func TestTheVendorsGraphQL(t *testing.T) {
	o := newOrganization(t)
	a, err := o.fly.GetAppCompact(t.Context(), "db")
	if err != nil || !a.IsPostgresApp() || a.Organization.Slug != "webhost-systems" {
		t.Errorf("app: %+v %v", a, err)
	}
	if _, err := o.fly.GetApp(t.Context(), "db"); err != nil {
		t.Error(err)
	}
	releases, err := o.fly.GetAppReleasesMachines(t.Context(), "db", "", 25)
	if err != nil || len(releases) != 1 || releases[0].ImageRef != "flyio/postgres-flex:15.8" {
		t.Errorf("releases: %+v %v", releases, err)
	}
	if _, _, err := o.fly.PlatformRegions(t.Context()); err != nil {
		t.Error(err)
	}
	lines, token, err := o.fly.GetAppLogs(t.Context(), "db", "", "", "")
	if err != nil || token == "" || len(lines) == 0 || lines[0].Meta.Event.Provider != "runner" {
		t.Errorf("logs: %+v %q %v", lines, token, err)
	}
}
