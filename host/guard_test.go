package host

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/policy"
	"github.com/webhost-systems/drhost/host/secret"
)

// cloud is a module with an address and a credential, as a provider's is.
type cloudSettings struct {
	Endpoint string                  `lua:"endpoint" default:"https://api.cloud.example/v1" doc:"Address."`
	Token    secret.Value            `lua:"token" default:"env:CLOUD_TOKEN" doc:"Token."`
	Logins   map[string]secret.Value `lua:"logins,optional" doc:"Others."`
}

func cloudHost(t *testing.T) *Host {
	t.Helper()
	module := binding.NewModule[*cloudSettings, cloudSettings]("cloud", "A cloud.", func(_ binding.Env, s cloudSettings) (*cloudSettings, error) { return &s, nil })
	h, err := New([]*binding.Module{module}, nil, nil, nil, "test")
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// platformSettings are those of a provider with two addresses, as Fly.io is.
type platformSettings struct {
	MachinesURL string       `lua:"machines_url" default:"https://api.machines.example" doc:"Address of the machines."`
	APIURL      string       `lua:"api_url" default:"https://api.platform.example" doc:"Address of the rest."`
	Token       secret.Value `lua:"token" default:"env:PLATFORM_TOKEN" doc:"Token."`
}

func platformHost(t *testing.T) *Host {
	t.Helper()
	module := binding.NewModule[*platformSettings, platformSettings]("platform", "A platform.", func(_ binding.Env, s platformSettings) (*platformSettings, error) { return &s, nil })
	h, err := New([]*binding.Module{module}, nil, nil, nil, "test")
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// openIn opens the host's modules in an environment, as a run does.
func openIn(t *testing.T, h *Host, toml, env string, mode policy.Mode) error {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "drhost.toml"), []byte("default_env = \"production\"\n"+toml), 0o600); err != nil {
		t.Fatal(err)
	}
	worlds := filepath.Join(dir, ".drhost", "worlds")
	if err := os.MkdirAll(worlds, 0o700); err != nil {
		t.Fatal(err)
	}
	world := `{"Name":"sim","PID":1,"Speed":1,"Settings":{"cloud":{"endpoint":"http://127.0.0.1:1","token":"plain:token-of-the-simulated-cloud"}}}`
	if err := os.WriteFile(filepath.Join(worlds, "sim.json"), []byte(world), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := h.open(dir)
	if err != nil {
		return err
	}
	e, err := p.environment(env, clock.System{})
	if err != nil {
		return err
	}
	if err := p.guardDrill(e, mode); err != nil {
		return err
	}
	var modules []string
	for _, m := range h.Catalog.Modules() {
		modules = append(modules, m.Name)
	}
	if err := h.guard(p, e, modules); err != nil {
		return err
	}
	clients, err := h.clients(e, modules, h.guarded(p, e, p.resolver(e, &h.redactor)), p.config.Dir)
	closeAll(clients)
	return err
}

func TestGuard(t *testing.T) {
	for _, c := range []struct {
		name, toml, env, live, staging string
		mode                           policy.Mode
		want                           []string // empty: allowed
	}{
		{name: "production with its own", toml: "[env.production]\n", live: "token-of-production"},
		{name: "staging with its own", toml: "[env.production]\n[env.staging.cloud]\ntoken = \"env:STAGING_TOKEN\"\n", env: "staging", live: "token-of-production", staging: "token-of-staging"},
		{name: "staging falls back to production's variable", toml: "[env.production]\n[env.staging]\n", env: "staging", live: "token-of-production",
			want: []string{"denied", `environment "staging"`, `"production"`, "[env.production.cloud] token"}},
		{name: "staging has production's value", toml: "[env.production]\n[env.staging.cloud]\ntoken = \"env:STAGING_TOKEN\"\n", env: "staging", live: "token-of-production", staging: "token-of-production",
			want: []string{"denied", `environment "staging"`, "[env.production.cloud] token", "shares_credentials"}},
		{name: "it is meant", toml: "[env.production]\n[env.staging]\nshares_credentials = true\n", env: "staging", live: "token-of-production"},
		{name: "production has staging's value", toml: "[env.production]\n[env.staging.cloud]\ntoken = \"env:STAGING_TOKEN\"\n", live: "token-of-staging!", staging: "token-of-staging!",
			want: []string{"denied", `environment "production"`, "[env.staging.cloud] token"}},
		{name: "staging copied production's reference: production still recovers", toml: "[env.production]\n[env.staging.cloud]\ntoken = \"env:CLOUD_TOKEN\"\n", live: "token-of-production"},
		{name: "one of several", toml: "[env.production]\n[env.staging.cloud.logins]\nroot = \"env:STAGING_TOKEN\"\n", live: "token-of-staging!", staging: "token-of-staging!",
			want: []string{"[env.staging.cloud.logins] root"}},
		{name: "short values prove nothing", toml: "[env.production]\n[env.staging.cloud]\ntoken = \"env:STAGING_TOKEN\"\n", live: "postgres", staging: "postgres"},
		{name: "production has the simulated cloud's token", toml: "[env.production]\n", live: "token-of-the-simulated-cloud", want: []string{"denied", `environment "production"`, `"sim"`}},
		{name: "the simulated cloud, its token exported", toml: "[env.production]\n", env: "sim", live: "token-of-the-simulated-cloud"},
		{name: "loopback in production", toml: "[env.production.cloud]\nendpoint = \"http://127.0.0.1:8080\"\n", live: "token-of-production", want: []string{"denied", "127.0.0.1", `"production"`, "simulated = true"}},
		{name: "localhost in production", toml: "[env.production.cloud]\nendpoint = \"http://LocalHost.:8080\"\n", live: "token-of-production", want: []string{"denied"}},
		{name: "loopback where it is meant", toml: "[env.production]\n[env.local]\nsimulated = true\n[env.local.cloud]\nendpoint = \"http://[::1]:80\"\ntoken = \"plain:made-up-for-tests\"\n", env: "local", live: "token-of-production"},
		{name: "a real address in a simulated environment", toml: "[env.production]\n[env.local]\nsimulated = true\n[env.local.cloud]\ntoken = \"plain:made-up-for-tests\"\n", env: "local",
			want: []string{"denied", `"local"`, "https://api.cloud.example"}},
		{name: "production's token in a simulated environment", toml: "[env.production]\n[env.local]\nsimulated = true\n[env.local.cloud]\nendpoint = \"http://127.0.0.1\"\n", env: "local", live: "token-of-production",
			want: []string{"denied", `environment "local"`, `"production"`}},
		{name: "a drill in production", toml: "[env.production]\n", live: "token-of-production", mode: policy.Drill, want: []string{"denied", "drill", `"production"`}},
		{name: "a drill in staging", toml: "[env.production]\n[env.staging.cloud]\ntoken = \"env:STAGING_TOKEN\"\n", env: "staging", staging: "token-of-staging", mode: policy.Drill},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("CLOUD_TOKEN", c.live)
			t.Setenv("STAGING_TOKEN", c.staging)
			err := openIn(t, cloudHost(t), c.toml, c.env, c.mode)
			if len(c.want) == 0 && err != nil {
				t.Errorf("refused: %v", err)
			}
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) || ExitCode(err) != ExitUsage {
					t.Errorf("want %q, exit 2; got %v", want, err)
				}
			}
			for _, token := range []string{c.live, c.staging} {
				if err != nil && len(token) >= leastTelling && strings.Contains(err.Error(), token) {
					t.Errorf("the message holds the credential: %v", err)
				}
			}
		})
	}
}

// TestEachAddressIsGuarded: a provider that is reached by several addresses is
// refused when one of them belongs to another world.
func TestEachAddressIsGuarded(t *testing.T) {
	const local = "[env.production]\n[env.local]\nsimulated = true\n[env.local.platform]\ntoken = \"plain:made-up-for-tests\"\n"
	for _, c := range []struct {
		name, toml, env string
		want            []string // empty: allowed
	}{
		{name: "production with the defaults", toml: "[env.production]\n"},
		{name: "the machines on loopback in production", toml: "[env.production.platform]\nmachines_url = \"http://127.0.0.1:4280\"\n",
			want: []string{"denied", "[env.production.platform] machines_url", "127.0.0.1:4280", "simulated = true"}},
		{name: "the rest on loopback in production", toml: "[env.production.platform]\napi_url = \"http://[::1]:4280\"\n",
			want: []string{"denied", "[env.production.platform] api_url", "[::1]:4280", "simulated = true"}},
		{name: "both real in a simulated environment", toml: local, env: "local", want: []string{"denied", `"local"`, "https://api.machines.example", "machines_url"}},
		{name: "the machines real in a simulated environment", toml: local + "api_url = \"http://127.0.0.1:4280\"\n", env: "local",
			want: []string{"denied", "https://api.machines.example", "[env.local.platform] machines_url"}},
		{name: "the rest real in a simulated environment", toml: local + "machines_url = \"http://127.0.0.1:4280\"\n", env: "local",
			want: []string{"denied", "https://api.platform.example", "[env.local.platform] api_url"}},
		{name: "both simulated", toml: local + "machines_url = \"http://127.0.0.1:4280\"\napi_url = \"http://localhost:4280\"\n", env: "local"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("PLATFORM_TOKEN", "token-of-the-platform")
			err := openIn(t, platformHost(t), c.toml, c.env, policy.Run)
			if len(c.want) == 0 && err != nil {
				t.Errorf("refused: %v", err)
			}
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) || ExitCode(err) != ExitUsage {
					t.Errorf("want %q, exit 2; got %v", want, err)
				}
			}
		})
	}
}

// TestSecretWordIsGuarded: a runbook's own secret("env:...") passes the same
// guard as a module's settings.
func TestSecretWordIsGuarded(t *testing.T) {
	t.Setenv("CLOUD_TOKEN", "token-of-production")
	h, dir := cloudHost(t), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "drhost.toml"), []byte("default_env = \"production\"\n[env.production]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := h.open(dir)
	if err != nil {
		t.Fatal(err)
	}
	world := &environment{name: "sim:x", world: &World{}, simulated: true}
	if _, err := h.guarded(p, world, p.resolver(world, &h.redactor))("env:CLOUD_TOKEN"); fault.KindOf(err) != fault.Denied {
		t.Errorf("%v", err)
	}
}
