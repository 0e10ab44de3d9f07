package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/secret"
)

const plan = `default_env = "production"

[env.production.hetzner]
token = "env:HETZNER_API_TOKEN"
poll = "500ms"
retries = 3

[env.production.dns]
resolvers = ["1.1.1.1:53", "8.8.8.8:53"]
limits = { share = 0.5, strict = true, since = 2026-02-28T03:00:00Z }

[env.staging]

[[contacts]]
role = "Incident Commander"
person = "CTO"
email = "cto@webhost.systems"
backup = "Lead Engineer"

[[contacts]]
role = "Database"
person = "DBA"

[protected]
servers = ["hobby-1"]
zones = ["webhost.systems"]

[objectives.hobby]
rto = "4h"
rpo = "1h"

[sla]
availability = 99.9

[drill]
notify = ["drills"]

[limits]
call = "30m"
memory_mb = 512
`

func write(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, File), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestLoad(t *testing.T) {
	dir := write(t, plan)
	inner := filepath.Join(dir, "runbooks", "deep")
	if err := os.MkdirAll(inner, 0o700); err != nil {
		t.Fatal(err)
	}
	book := filepath.Join(inner, "x.lua")
	if err := os.WriteFile(book, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, start := range []string{dir, inner, book} {
		c, err := Load(start)
		if err != nil {
			t.Fatal(err)
		}
		if c.Dir != dir || c.Path != filepath.Join(dir, File) || c.StateDir() != filepath.Join(dir, ".drhost") {
			t.Errorf("from %s: %s, %s, %s", start, c.Dir, c.Path, c.StateDir())
		}
	}
	c, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	modules, err := c.Env("")
	if err != nil {
		t.Fatal(err)
	}
	hetzner := modules["hetzner"]
	if hetzner["token"] != "env:HETZNER_API_TOKEN" || hetzner["retries"] != 3.0 || hetzner["poll"] != "500ms" {
		t.Errorf("%#v", hetzner)
	}
	limits := modules["dns"]["limits"].(map[string]any)
	if limits["since"] != "2026-02-28T03:00:00Z" || limits["share"] != 0.5 || limits["strict"] != true {
		t.Errorf("%#v", limits)
	}
	limits["share"] = 9.0 // the caller's own copy
	if again, _ := c.Env("production"); again["dns"]["limits"].(map[string]any)["share"] != 0.5 {
		t.Error("a change of the settings reached the configuration")
	}
	if staging, err := c.Env("staging"); err != nil || len(staging) != 0 {
		t.Errorf("staging: %v %v", staging, err)
	}
	if c.Objectives["hobby"].RTO != Duration(4*time.Hour) || c.SLA.Availability != 99.9 || c.Limits.Call != Duration(30*time.Minute) || c.Limits.Memory != 512 {
		t.Errorf("%+v", c)
	}
	if who := c.Contact("Database"); who == nil || who.Person != "DBA" || c.Contact("Pope") != nil {
		t.Errorf("%+v", who)
	}
	if len(c.Protected.Servers) != 1 || c.Protected.Zones[0] != "webhost.systems" || c.Drill.Notify[0] != "drills" {
		t.Errorf("%+v %+v", c.Protected, c.Drill)
	}
}

func TestWithoutAFile(t *testing.T) {
	dir := t.TempDir()
	c, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if c.Path != "" || c.Dir != dir || strings.Join(c.Environments(), " ") != "production staging" || c.DefaultEnv != "production" {
		t.Errorf("%+v", c)
	}
	if _, err := c.Env("produktion"); err == nil || !strings.Contains(err.Error(), `did you mean "production"?`) {
		t.Errorf("%v", err)
	}
	if _, err := Load(filepath.Join(dir, "nowhere")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"default_evn = \"x\"\n", `drhost.toml:1: there is no key "default_evn"; did you mean "default_env"?`},
		{"\n[[contacts]]\nrole = \"a\"\nperson = \"b\"\n[[contacts]]\nrole = \"c\"\nperson = \"d\"\nemial = \"e\"\n", `:8: there is no key "contacts.emial"; did you mean "email"?`},
		{"[protectd]\nservers = []\n", `:1: there is no key "protectd"; did you mean "protected"?`},
		{"[objectives.hobby]\nrto = \"4h\"\nrop = \"1h\"\n", `:3: there is no key "objectives.hobby.rop"; did you mean`},
		{"[objectives.hobby]\nrto = \"4 hours\"\n", `:2: objectives.hobby.rto: must be a duration such as "30s", "5m" or "1h30m", not "4 hours"`},
		{"[objectives.hobby]\nrto = \"-4h\"\n", `:2: objectives.hobby.rto: must be a duration`},
		{"[env.production]\ntoken = \"hunter2\"\n", `:2: [env.production] holds one table for each module, and "token" is none`},
		{"[env.production.hetzner]\ntoken = \"a\"\ntoken = \"b\"\n", `:3: `},
		{"[env.production.hetzner]\ntoken = hunter2\n", `:2: `},
		{"default_env = \"staging\"\n[env.stagin.hetzner]\n", `:1: default_env: there is no environment "staging"; did you mean "stagin"?`},
		{"[sla]\navailability = 999\n", `:2: sla.availability is a percentage such as 99.9, not 999`},
		{"[sla]\navailability = \"high\"\n", `:2: sla.availability`},
		{"[limits]\nmemory_mb = -1\n", `:2: limits.memory_mb cannot be negative`},
		{"[[contacts]]\nrole = \"a\"\nperson = \"b\"\n\n[[contacts]]\nrole = \"c\"\n", `:5: a contact needs a role and a person`},
	} {
		_, err := Load(write(t, c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q:\ngot  %v\nwant %s", c.text, err, c.want)
			continue
		}
		var e *Error
		if !errors.As(err, &e) || e.Line == 0 {
			t.Errorf("%q: %#v", c.text, err)
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the message repeats a credential: %v", err)
		}
	}
	_, err := Load(write(t, "defualt_env = \"x\"\n[limts]\ncall = \"1s\"\n"))
	if err == nil || strings.Count(err.Error(), "there is no key") != 2 {
		t.Errorf("both mistakes should be told: %v", err)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, File), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); err == nil {
		t.Error("a folder was read as a file")
	}
}

type place struct {
	Name string  `lua:"name" doc:"Name of the place."`
	Size float64 `lua:"size,optional"`
}

type settings struct {
	Token  secret.Value      `lua:"token" default:"env:TOKEN" doc:"The token."`
	Mode   string            `lua:"mode" enum:"soft,hard" default:"soft"`
	Poll   time.Duration     `lua:"poll" default:"1s"`
	Count  int               `lua:"count,optional"`
	Share  float64           `lua:"share,optional"`
	Strict bool              `lua:"strict,optional"`
	Since  time.Time         `lua:"since,optional"`
	Hosts  []string          `lua:"hosts,optional"`
	Places []place           `lua:"places,optional"`
	Labels map[string]string `lua:"labels,optional"`
	More   any               `lua:"more,optional"`
	Must   string            `lua:"must" doc:"Something nobody can guess."`
}

func catalog(t *testing.T) *binding.Catalog {
	t.Helper()
	open := func(binding.Env, settings) (int, error) { return 0, errors.New("a check opens nothing") }
	c, err := binding.NewCatalog(binding.NewModule("hetzner", "Servers.", open), binding.NewModule("cloudflare", "Zones.", open))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCheck(t *testing.T) {
	good := `[env.production.hetzner]
token = "file:token.txt"
mode = "hard"
poll = "2s"
count = 3
share = 1
strict = true
since = 2026-02-28T03:00:00Z
hosts = ["a", "b"]
labels = { tier = "hobby" }
more = [1, { x = 2 }]
must = "x"
[[env.production.hetzner.places]]
name = "fsn1"
[[env.production.hetzner.places]]
name = "nbg1"
size = 2
`
	c, err := Load(write(t, good))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Check(catalog(t)); err != nil {
		t.Error(err)
	}
	for _, bad := range []struct{ from, to, want string }{
		{`token = "file:token.txt"`, `token = "hunter2"`, `:2: env.production.hetzner.token: write where the credential is`},
		{`token = "file:token.txt"`, `token = "vault:hunter2"`, `:2: env.production.hetzner.token: write where the credential is`},
		{`token = "file:token.txt"`, `token = "env:"`, `:2: env.production.hetzner.token: something has to follow env:`},
		{`token = "file:token.txt"`, `token = 4711`, `:2: env.production.hetzner.token: write where`},
		{`token = "file:token.txt"`, `tokn = "hunter2"`, `:2: there is no setting "tokn" in [env.production.hetzner]; did you mean "token"?`},
		{`mode = "hard"`, `mode = "hrad"`, `:3: env.production.hetzner.mode must be one of soft, hard; did you mean "hard"?`},
		{`poll = "2s"`, `poll = 2`, `:4: env.production.hetzner.poll must be a duration`},
		{`count = 3`, `count = 3.5`, `:5: env.production.hetzner.count must be a whole number`},
		{`share = 1`, `share = "1"`, `:6: env.production.hetzner.share must be a number`},
		{`strict = true`, `strict = "yes"`, `:7: env.production.hetzner.strict must be true or false`},
		{`since = 2026-02-28T03:00:00Z`, `since = "yesterday"`, `:8: env.production.hetzner.since must be a time`},
		{`hosts = ["a", "b"]`, `hosts = ["a", 1]`, `:9: env.production.hetzner.hosts.1 must be a string`},
		{`labels = { tier = "hobby" }`, `labels = { tier = 1 }`, `:10: env.production.hetzner.labels.tier must be a string`},
		{`must = "x"`, ``, `:1: env.production.hetzner needs must: Something nobody can guess`},
		{`size = 2`, `sise = 2`, `:17: there is no setting "sise" in [env.production.hetzner.places.1]; did you mean "size"?`},
		{`name = "fsn1"`, ``, `:13: env.production.hetzner.places.0 needs name: Name of the place`},
		{`[env.production.hetzner]`, `[env.production.hetzne]`, `there is no module "hetzne"; did you mean "hetzner"?`},
	} {
		c, err := Load(write(t, strings.Replace(good, bad.from, bad.to, 1)))
		if err != nil {
			t.Fatal(err)
		}
		err = c.Check(catalog(t))
		if err == nil || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("%s:\ngot  %v\nwant %s", bad.to, err, bad.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the message repeats a credential: %v", err)
		}
	}
}
