package cloudflaresim_test

import (
	"slices"
	"testing"

	cf "github.com/cloudflare/cloudflare-go"

	"github.com/webhost-systems/drhost/bindings/cloudflare/cloudflaresim"
)

func TestZonesComeAndGo(t *testing.T) {
	a := newAccount(t, cloudflaresim.Options{})
	ctx := t.Context()
	z, err := a.api.CreateZone(ctx, "New.example", false, cf.Account{}, "full")
	if err != nil || z.Name != "new.example" || z.Status != "pending" || len(z.NameServers) == 0 {
		t.Fatalf("%+v, %v", z, err)
	}
	if _, err := a.api.CreateZone(ctx, "new.example", false, cf.Account{}, "full"); !slices.Contains(codes(err), 1061) {
		t.Errorf("twice: %v", err)
	}
	for _, name := range []string{"", "single", "a..b", "*.example"} {
		if _, err := a.api.CreateZone(ctx, name, false, cf.Account{}, "full"); !slices.Contains(codes(err), 1049) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if got, err := a.api.ZoneActivationCheck(ctx, z.ID); err != nil || len(got.Messages) != 1 { // flarectl prints the first
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := a.api.PurgeEverything(ctx, z.ID); err != nil {
		t.Error(err)
	}
	if _, err := a.api.PurgeCache(ctx, z.ID, cf.PurgeCacheRequest{}); !slices.Contains(codes(err), 1012) {
		t.Errorf("nothing to purge: %v", err)
	}
	if _, err := a.api.CreateDNSRecord(ctx, cf.ZoneIdentifier(z.ID), cf.CreateDNSRecordParams{Type: "A", Name: "www", Content: "203.0.113.9", TTL: 60}); err != nil {
		t.Error(err)
	}
	if got := a.sim.Records("new.example"); len(got) != 1 || got[0].Name != "www.new.example" {
		t.Errorf("%+v", got)
	}
	if _, err := a.api.DeleteZone(ctx, z.ID); err != nil {
		t.Error(err)
	}
	if got := a.sim.Zones(); !slices.Equal(got, []string{"webhost.systems"}) {
		t.Errorf("%q are left", got)
	}
	if _, err := a.api.ZoneDetails(ctx, z.ID); err == nil {
		t.Error("a zone that is gone has details")
	}
}
