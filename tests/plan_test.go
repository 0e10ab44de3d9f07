package tests

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/webhost-systems/drhost/bindings"
	"github.com/webhost-systems/drhost/bindings/world"
	"github.com/webhost-systems/drhost/host"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/network"
	"github.com/webhost-systems/drhost/host/report"
	"github.com/webhost-systems/drhost/runbooks"
	"github.com/webhost-systems/drhost/stdlib"
)

// wholeProof, when this variable is set, plans every runbook under every fault;
// else every runbook is planned once and every fault is met by one of them.
const wholeProof = "DRHOST_TORTURE"

// disaster is a fault with what it is given.
type disaster struct {
	verb string
	args map[string]any
}

// hobby and production are the worlds in which plans are made.
const (
	hobby      = "webhost.toml"
	production = "production.toml"
)

// disasters are the faults under which plans are made, the mild ones first:
// one world meets them all, because a plan must leave it as it was.
func disasters(at string) []disaster {
	if at == production {
		return atFly()
	}
	list := []disaster{{}}
	for _, provider := range []string{"hetzner", "cloudflare"} {
		for _, kind := range []map[string]any{{"kind": world.Slow, "factor": 20.0}, {"kind": world.Failing, "count": 3.0}, {"kind": world.RateLimited, "count": 1.0},
			{"kind": world.ActThenFail, "count": 2.0, "cut": true}, {"kind": world.ActThenFail, "count": 2.0, "method": "mutation"}} {
			kind["provider"] = provider
			list = append(list, disaster{"api", kind})
		}
		list = append(list, disaster{"heal_api", map[string]any{"provider": provider}})
	}
	server := map[string]any{"server": "hobby-1"}
	return append(list, disaster{"sold_out", map[string]any{"location": "fsn1"}},
		disaster{"wrong_record", map[string]any{"name": "hobby.webhost.systems", "content": "203.0.113.250"}},
		disaster{"lose_record", map[string]any{"name": "storage.webhost.systems"}},
		disaster{"rogue_record", map[string]any{"name": "hobby.webhost.systems", "content": "203.0.113.251"}},
		disaster{"zone_status", map[string]any{"zone": "webhost.systems", "status": "moved"}},
		disaster{"later", map[string]any{"provider": "cloudflare", "method": "mutation", "fault": "wrong_record",
			"args": map[string]any{"name": "hobby.webhost.systems", "content": "203.0.113.249"}}},
		disaster{"hang_server", server}, disaster{"kill_server", server}, disaster{"break_server", server},
		disaster{"revoke_token", map[string]any{"provider": "cloudflare"}}, disaster{"revoke_token", map[string]any{"provider": "hetzner"}})
}

// atFly are the faults of Fly.io.
func atFly() []disaster {
	machine := func(name string) map[string]any { return map[string]any{"machine": name} }
	database := map[string]any{"app": "webhost-prod-db"}
	return []disaster{{}, {"api", map[string]any{"provider": "fly", "kind": world.ActThenFail, "count": 2.0}}, {"heal_api", map[string]any{"provider": "fly"}},
		{"region_full", map[string]any{"region": "fra"}}, {"replica_lag", machine("webhost-prod-db-2")}, {"hold_lease", machine("webhost-prod-2")}, {"kill_machine", machine("webhost-prod-1")},
		{"hang_machine", machine("webhost-prod-2")}, {"bad_release", map[string]any{"app": "webhost-prod"}}, {"disk_full", database},
		{"lose_machine", machine("webhost-prod-1")}, {"lose_leader", database}, {"region_down", map[string]any{"region": "ams"}},
		{"region_up", map[string]any{"region": "ams"}}, {"revoke_token", map[string]any{"provider": "fly"}}, {"cut_provider", map[string]any{"provider": "fly"}}}
}

// TestPlanChangesNothing plans the repository's runbooks under the faults of
// the world, and looks whether anything in it, or in the folder, is changed.
func TestPlanChangesNothing(t *testing.T) {
	t.Parallel()
	met := map[string]bool{}
	plans := 0
	for _, at := range []string{hobby, production} {
		s := newStage(t, at)
		files := s.runbooks(t, at)
		for n, d := range disasters(at) {
			if d.verb != "" {
				if _, err := s.sim.Live.Do(d.verb, d.args); err != nil {
					t.Fatal(err)
				}
				met[d.verb] = true
				s.settle(t)
			}
			for i, file := range files {
				if os.Getenv(wholeProof) == "" && n > 0 && i != n%len(files) {
					continue
				}
				s.unchanged(t, file, d)
				plans++
			}
		}
	}
	for _, verb := range world.FaultNames() {
		if !met[verb] {
			t.Errorf("no plan was made after the fault %s; give it a line in disasters", verb)
		}
	}
	t.Logf("%d plans", plans)
}

// settle waits until no machine is on its way: what a fault has begun goes on
// by itself, as when a region comes back.
func (s *stage) settle(t *testing.T) {
	t.Helper()
	err := clock.Poll(t.Context(), clock.System{}, time.Minute, 50*time.Millisecond, func(context.Context) (bool, error) {
		v, err := s.sim.Live.Do("state", nil)
		return err == nil && !strings.Contains(indented(t, v), `"starting"`), err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// unchanged makes a plan and looks whether it left everything as it was.
func (s *stage) unchanged(t *testing.T, file string, d disaster) {
	t.Helper()
	before := s.look(t)
	s.plan(t, file, d)
	for what, text := range s.look(t) {
		if before[what] != text {
			t.Fatalf("the plan of %s after %s %v changed %s:\n%s", filepath.Base(file), d.verb, d.args, what, unlike(before[what], text))
		}
	}
}

// stage is a simulated world with a working folder around it.
type stage struct {
	dir  string
	host *host.Host
	sim  *host.Sim
	at   string // the world's own folder
}

func newStage(t *testing.T, at string) *stage {
	t.Helper()
	s := &stage{dir: t.TempDir()}
	if err := os.CopyFS(filepath.Join(s.dir, "runbooks"), runbooks.Files); err != nil {
		t.Fatal(err)
	}
	start := func(ctx context.Context, path string, o host.WorldOptions) (host.LiveWorld, error) {
		return bindings.StartWorld(ctx, path, o.Name, o.Speed, o.Seed)
	}
	var err error
	if s.host, err = host.New(bindings.Modules(), stdlib.Sources(), start, bindings.WorldVerbs(), "test"); err != nil {
		t.Fatal(err)
	}
	s.host.State = filepath.Join(s.dir, ".drhost")
	if s.sim, err = s.host.StartSim(t.Context(), filepath.Join(s.dir, "runbooks", "worlds", at), host.WorldOptions{Speed: 200, Seed: 1}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.sim.Close(); err != nil {
			t.Error(err)
		}
	})
	text, err := s.sim.Live.Describe()
	var described struct{ Dir string }
	if err == nil {
		err = json.Unmarshal(text, &described)
	}
	if err != nil || described.Dir == "" {
		t.Fatalf("where is the world? %v", err)
	}
	s.at = described.Dir
	return s
}

// runbooks are those of the repository that have to do with a world: who
// requires fly is about the production tier.
func (s *stage) runbooks(t *testing.T, at string) []string {
	t.Helper()
	names, err := fs.Glob(runbooks.Files, "*.lua")
	if err != nil || len(names) == 0 {
		t.Fatalf("runbooks: %v, %v", names, err)
	}
	var out []string
	for _, name := range names {
		text, err := runbooks.Files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), `require "fly"`) == (at == production) {
			out = append(out, filepath.Join(s.dir, "runbooks", name))
		}
	}
	return out
}

// plan makes a plan, with the examples of the runbook's inputs.
func (s *stage) plan(t *testing.T, file string, d disaster) *host.Result {
	t.Helper()
	listed, err := s.host.List(file)
	if err != nil || len(listed) != 1 || listed[0].Problem != "" {
		t.Fatalf("%s: %v, %+v", file, err, listed)
	}
	inputs, _ := listed[0].Head["input"].(map[string]any)
	given := map[string]string{}
	for name, declared := range inputs {
		input, _ := declared.(map[string]any)
		if example, ok := input["example"].(string); ok && input["default"] == nil {
			given[name] = example
		}
	}
	r, err := s.host.Run(t.Context(), host.Request{Runbook: file, Mode: "plan", Env: "sim", Input: given, Operator: &host.Unattended{Yes: true}, YesDestroy: true})
	if err != nil {
		t.Fatalf("plan %s after %s %v: %v", file, d.verb, d.args, err)
	}
	if r.Report.Plan == nil || len(r.Report.Plan.Ways) == 0 {
		t.Fatalf("plan %s after %s %v found nothing: %+v", file, d.verb, d.args, r.End)
	}
	return r
}

// look tells what the world and the folder hold, of all that a runbook can
// change.
func (s *stage) look(t *testing.T) map[string]string {
	t.Helper()
	seen := map[string]string{}
	for _, verb := range []string{"state", "inbox"} {
		v, err := s.sim.Live.Do(verb, nil)
		if err != nil {
			t.Fatal(err)
		}
		seen["the world's "+verb] = indented(t, v)
	}
	v, err := s.sim.Live.Do("requests", nil)
	if err != nil {
		t.Fatal(err)
	}
	list, _ := v.([]any)
	seen["the providers' logs"] = indented(t, slices.DeleteFunc(list, func(r any) bool {
		request, _ := r.(map[string]any)
		path, _ := request["path"].(string)
		// Fly is asked by POST, too; of what it did not come to see nobody knows whether it was a question.
		asked := request["acted"] != true && (strings.HasSuffix(path, "/exec") || path == "/graphql")
		return request["mutation"] != true || asked
	}))
	seen["the disks and the backups"] = digests(t, s.at, func(name string) bool {
		// checks.json says when a backup was last verified; it is no part of it.
		return strings.Contains(name, "/var/log/") || strings.Contains(name, "/var/lib/postgresql") || filepath.Base(name) == "checks.json"
	})
	seen["the working folder"] = digests(t, s.dir, func(name string) bool { return strings.HasPrefix(name, ".drhost/runs") })
	for _, d := range s.sim.World.Databases {
		seen["the databases of "+d.Server] = s.databases(t, d, !slices.Contains([]string{"hobby-1", "webhost-prod-db", "webhost-prod-db-replica"}, d.Server))
	}
	return seen
}

func indented(t *testing.T, v any) string {
	t.Helper()
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// digests is every file under a folder with a checksum of what it holds.
func digests(t *testing.T, folder string, except func(string) bool) string {
	t.Helper()
	var out strings.Builder
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		rel, relErr := filepath.Rel(folder, path)
		if errors.Is(err, fs.ErrNotExist) && except("/"+rel+"/") {
			return nil // files of a living database come and go
		}
		if err != nil || relErr != nil {
			return errors.Join(err, relErr)
		}
		if except(rel) || except("/"+rel+"/") {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		text, err := os.ReadFile(path)
		sum := sha256.Sum256(text)
		fmt.Fprintf(&out, "%s %s\n", rel, hex.EncodeToString(sum[:8]))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// databases is what a server's cluster holds: its databases and roles and, when
// nobody writes to it, every row.
func (s *stage) databases(t *testing.T, d host.WorldDatabase, rows bool) string {
	t.Helper()
	password, _ := s.sim.World.Settings["pg"]["password"].(string)
	config, err := pgx.ParseConfig(fmt.Sprintf("host=%s user=postgres dbname=%s sslmode=disable", d.Host, d.Database))
	if err != nil {
		t.Fatal(err)
	}
	config.Password = strings.TrimPrefix(password, "plain:")
	web := network.Switchboard(s.sim.World.Switchboard, s.sim.World.Resolvers(), clock.System{})
	config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	config.DialFunc = func(ctx context.Context, kind, address string) (net.Conn, error) { return web.Dial(ctx, kind, address) }
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return "not to be reached"
	}
	defer conn.Close(ctx)
	queries := []string{"select string_agg(datname, ' ' order by datname) from pg_database", "select string_agg(rolname || rolcanlogin, ' ' order by rolname) from pg_roles",
		"select string_agg(relname, ' ' order by relname) from pg_class where relnamespace = 'public'::regnamespace"}
	if rows {
		queries = append(queries, "select md5(string_agg(t::text, ',' order by id)) from customers t", "select md5(string_agg(t::text, ',' order by id)) from sync_updates t")
	}
	var out strings.Builder
	for _, q := range queries {
		var text string
		if err := conn.QueryRow(ctx, q).Scan(&text); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		fmt.Fprintln(&out, text)
	}
	return out.String()
}

// TestPlanTellsBothWays: after the disaster that the plan is for, a plan tells
// what is done if the mild remedies help and what if they do not.
func TestPlanTellsBothWays(t *testing.T) {
	t.Parallel()
	s := newStage(t, hobby)
	if _, err := s.sim.Live.Do("break_server", map[string]any{"server": "hobby-1"}); err != nil {
		t.Fatal(err)
	}
	r := s.plan(t, filepath.Join(s.dir, "runbooks", "hetzner_failure.lua"), disaster{})
	var text strings.Builder
	if err := s.host.Summary(&text, r, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"├ yes: DONE: hobby-1 serves again after a soft reboot", "├ yes: DONE: hobby-1 serves again after a hard reboot", "└ no: goes on below",
		"☞ ASKS A PERSON: Give up hobby-1", "→ create the server hobby-1-replacement", "‹planned: IPv4 of hobby-1-replacement›",
		"■ DONE: The hobby tier serves again", "this is a plan: nothing was changed", "changes    12 at most"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the plan says nothing of %q:\n%s", want, text.String())
		}
	}
	for _, line := range strings.Split(text.String(), "\n") {
		if len([]rune(line)) > 80 && !strings.Contains(line, "report: ") {
			t.Errorf("wider than 80 columns: %s", line)
		}
	}
	shown, err := s.host.Show(t.Context(), s.dir, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	var again strings.Builder
	if err := report.PlanTree(&again, shown.Report.Plan, report.Style{}); err != nil || !strings.HasPrefix(text.String(), again.String()) {
		t.Errorf("%v: shown again it reads\n%s", err, again.String())
	}
	if v, err := s.host.Verify(t.Context(), s.dir, r.ID); err != nil || v.Records < 5 {
		t.Errorf("%+v, %v", v, err)
	}
}

// TestPlansOfTheProductionTierAreWhole: what the longest runbooks do after the
// disasters they are for is followed to the end of every way. And the recovery
// of a region is none while customers of one endpoint are not answered.
func TestPlansOfTheProductionTierAreWhole(t *testing.T) {
	t.Parallel()
	s := newStage(t, production)
	whole := func(name string) {
		t.Helper()
		p := s.plan(t, filepath.Join(s.dir, "runbooks", name), disaster{}).Report.Plan
		if p.LeftOut > 0 {
			t.Errorf("the plan of %s leaves %d choices out after %d ways", name, p.LeftOut, len(p.Ways))
		}
	}
	for _, machine := range []string{"webhost-prod-1", "webhost-prod-2"} {
		if _, err := s.sim.Live.Do("hang_machine", map[string]any{"machine": machine}); err != nil {
			t.Fatal(err)
		}
	}
	whole("application_failure.lua")
	if _, err := s.sim.Live.Do("lose_leader", map[string]any{"app": "webhost-prod-db"}); err != nil {
		t.Fatal(err)
	}
	whole("database_failure.lua")
	for verb, args := range map[string]map[string]any{"region_down": {"region": "ams"},
		"wrong_record": {"name": "www.webhost.systems", "type": "CNAME", "content": "nowhere.example.com"}} {
		if _, err := s.sim.Live.Do(verb, args); err != nil {
			t.Fatal(err)
		}
	}
	whole("region_outage.lua")
	r, err := s.host.Run(t.Context(), host.Request{Runbook: filepath.Join(s.dir, "runbooks", "region_outage.lua"), Mode: "run", Env: "sim", Operator: &host.Unattended{Yes: true}})
	if err != nil {
		t.Fatal(err)
	}
	if r.End.Exit != 1 || !strings.Contains(r.End.Message, "https://www.webhost.systems/health") || !strings.Contains(r.End.Message, "go on with dns_failure.lua") {
		t.Errorf("exit %d: %s", r.End.Exit, r.End.Message)
	}
}

// TestUndoOfARegionsMove: once the region is back, the undo leads customers to
// it again, and the copies that were made serve nobody any more.
func TestUndoOfARegionsMove(t *testing.T) {
	t.Parallel()
	s := newStage(t, production)
	do := func(verb string, args map[string]any) {
		t.Helper()
		if _, err := s.sim.Live.Do(verb, args); err != nil {
			t.Fatal(err)
		}
		s.settle(t)
	}
	do("region_down", map[string]any{"region": "ams"})
	yes := host.Request{Env: "sim", Mode: "run", Operator: &host.Unattended{Yes: true}, YesDestroy: true, Runbook: filepath.Join(s.dir, "runbooks", "region_outage.lua")}
	r, err := s.host.Run(t.Context(), yes)
	if err != nil || r.End.Exit != 0 {
		t.Fatalf("%v, %+v", err, r)
	}
	do("region_up", map[string]any{"region": "ams"})
	err = clock.Poll(t.Context(), clock.System{}, time.Minute, 100*time.Millisecond, func(ctx context.Context) (bool, error) {
		r, err = s.host.Undo(ctx, s.dir, r.ID, yes) // the database takes a moment to come back
		return err == nil && r.End.Exit == 0, err
	})
	if err != nil {
		t.Fatalf("%v, %+v", err, r)
	}
	state, err := s.sim.Live.Do("state", nil)
	if err != nil {
		t.Fatal(err)
	}
	apps := state.(map[string]any)["fly"].(map[string]any)["apps"].(map[string]any)
	for id, m := range apps["webhost-prod"].(map[string]any)["machines"].(map[string]any) {
		machine := m.(map[string]any)
		if want := map[any]string{"ams": "started", "fra": "stopped"}[machine["region"]]; machine["state"] != want {
			t.Errorf("machine %s in %v is %v, not %s", id, machine["region"], machine["state"], want)
		}
	}
}
