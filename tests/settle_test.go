package tests

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/webhost-systems/drhost/bindings"
	"github.com/webhost-systems/drhost/host"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/stdlib"
)

// What becomes of a change whose answer was lost after it was carried out.
const (
	found    = "it is found out that it happened"
	asked    = "a person is asked"
	harmless = "it is done again, which changes nothing more"
)

// lostAnswers has every function that changes something, but for those of
// hetzner and cloudflare, whose own tests go through all of them, of fly, whose
// world is another one, see lostAnswersOfFly, and pg.follow, which the test of
// its package loses: a server of a simulated machine follows nobody.
func lostAnswers() map[string]struct{ call, then string } {
	return map[string]struct{ call, then string }{
		"ssh.run":                  {`ssh.run { host = ip, command = "echo once >> /root/once" }`, asked},
		"ssh.trust":                {`ssh.trust { host = ip }`, found},
		"ssh.upload":               {`ssh.upload { host = ip, source = "drhost.toml", target = "/root/" }`, harmless},
		"ssh.download":             {`ssh.download { host = ip, source = "/etc/hostname", target = "evidence/" }`, harmless},
		"ssh.sync":                 {`ssh.sync { source = "root@" .. ip .. ":/etc/", target = "root@" .. ip .. ":/root/copy/" }`, harmless},
		"notify.send":              {`notify.send { subject = "Once", text = "Only once", severity = "critical" }`, asked},
		"notify.test":              {`notify.test {}`, asked},
		"pg.terminate_connections": {`pg.terminate_connections { host = ip, database = "webhost_prod" }`, found},
		"pg.promote":               {`pg.promote { host = ip }`, found},
		"pg.execute":               {`pg.execute { host = ip, database = "webhost_prod", sql = "create table once (n int)" }`, asked},
		"http.send":                {`http.send { url = "http://" .. ip .. "/health", method = "POST" }`, asked},
		"backup.create":            {`backup.create { host = ip, database = "webhost_prod" }`, found},
		"backup.restore":           {`backup.restore { id = backup.newest { database = "webhost_prod" }.id, host = ip, database = "restored" }`, found},
		"backup.create_cluster":    {`backup.create_cluster { host = ip, cluster = "settle" }`, found},
		"backup.restore, cluster":  {`backup.restore { id = backup.newest { cluster = "hobby-2" }.id, host = ip, replace = true }`, harmless},
		"backup.restore, files":    {`backup.restore { id = backup.newest { database = "settle-files", kind = "files" }.id, host = "root@" .. ip, path = "/root/restored" }`, harmless},
		"backup.prune":             {`backup.prune {}`, harmless},
	}
}

// needed is what a call wants to be there already.
func needed() map[string]string {
	return map[string]string{"backup.restore, cluster": `backup.create_cluster { host = ip, cluster = "hobby-2" }`,
		"backup.restore, files": `backup.create { kind = "files", host = "root@" .. ip, path = "/var/www/webhost", name = "settle-files" }`}
}

// TestEveryChangeIsSettled loses the answer of every function that changes
// something, by dying before it is journaled, and resumes the run without a
// person: it is not done twice, and where nobody can know, that is said with
// what to look at, and a person's word lets the run go on.
func TestEveryChangeIsSettled(t *testing.T) {
	catalog, err := binding.NewCatalog(bindings.Modules()...)
	if err != nil {
		t.Fatal(err)
	}
	all, tried := lostAnswers(), map[string]bool{"pg.follow": true}
	for name := range all {
		function, _, _ := strings.Cut(name, ",")
		tried[function] = true
	}
	for _, c := range lostAnswersOfFly() {
		tried[c.name] = true
	}
	for _, m := range catalog.Modules() {
		for _, f := range m.Functions {
			name := m.Name + "." + f.Spec().Name
			if !tried[name] && f.Spec().Effect != binding.Reads && m.Name != "hetzner" && m.Name != "cloudflare" {
				t.Errorf("%s changes something, and nobody has tried what becomes of it when its answer is lost", name)
			}
		}
	}
	dir := workingFolder(t)
	startSim(t, dir, 200)
	for name, c := range all {
		t.Run(name, func(t *testing.T) { loseAnswer(t, dir, name, serverOfHobby, c.call, c.then) })
	}
}

// serverOfHobby gives the calls of lostAnswers their ip.
const serverOfHobby = "local ip = hetzner.server { name = \"hobby-2\" }.ipv4"

// changing writes a runbook that learns what the call needs to know, and has
// one step that makes it.
func changing(t *testing.T, dir, name, learn, call string) (path string) {
	t.Helper()
	path = filepath.Join(dir, "runbooks", strings.NewReplacer(".", "_", ", ", "_").Replace(name)+".lua")
	module, _, _ := strings.Cut(name, ".")
	head := ""
	if strings.Contains(learn, "hetzner.") && module != "hetzner" {
		head = "local hetzner = require \"hetzner\"\n"
	}
	text := head + fmt.Sprintf("local %[1]s = require %[1]q\nreturn runbook {\n  title = %[2]q,\n  run = function()\n    %[3]s\n"+
		"    step(\"Change\", function() %[4]s end)\n    return finish(\"through\")\n  end,\n}\n", module, name, learn, call)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func loseAnswer(t *testing.T, dir, name, learn, call, then string) {
	t.Helper()
	ctx, r := t.Context(), host.Request{Env: "sim", YesDestroy: true, Name: "anna", Operator: &host.Unattended{Yes: true, By: "anna"}}
	if before := needed()[name]; before != "" {
		r.Runbook = changing(t, dir, name+".before", learn, before)
		if done, err := newHost(t, false).Run(ctx, r); err != nil || done.End.Exit != 0 {
			t.Fatalf("what it needs: %+v, %v", done, err)
		}
	}
	r.Runbook = changing(t, dir, name, learn, call)
	dying := newHost(t, true)
	first, err := dying.Run(ctx, r)
	if err != nil || first.End.Exit != 6 {
		t.Fatalf("the first life: %+v, %v", first, err)
	}
	second, err := newHost(t, false).Resume(ctx, dir, first.ID, r)
	if err != nil {
		t.Fatal(err)
	}
	function, _, _ := strings.Cut(name, ",")
	out, has := outcomeOf(t, filepath.Join(second.Folder, "journal.jsonl"), function)
	switch then {
	case found:
		if second.End.Exit != 0 || !has || out.Settled != "probe" {
			t.Errorf("%+v, settled by %q", second.End, out.Settled)
		}
		return
	case harmless:
		if second.End.Exit != 0 || !has {
			t.Errorf("%+v", second.End)
		}
		return
	}
	if second.End.Exit != 3 || has || !strings.Contains(second.End.Message, "nobody knows whether") || strings.Contains(second.End.Message, "look at the provider's own console") {
		t.Errorf("%+v", second.End)
	}
	r.Operator = &knows{Unattended: host.Unattended{Yes: true, By: "anna"}}
	third, err := newHost(t, false).Resume(ctx, dir, first.ID, r)
	if err != nil || third.End.Exit != 0 {
		t.Errorf("%+v, %v", third, err)
	}
	if out, has = outcomeOf(t, filepath.Join(third.Folder, "journal.jsonl"), function); !has || out.Settled != "operator" || out.By != "anna" {
		t.Errorf("settled by %q, %s", out.Settled, out.By)
	}
}

// knows is a person who has seen that it happened.
type knows struct{ host.Unattended }

func (k *knows) Settle(_ context.Context, q gate.Lost) (gate.Verdict, error) {
	for _, result := range []string{"", "[]", `{"exit":0,"stdout":"","stderr":""}`, `{"stdout":"","stderr":""}`,
		`{"command":"CREATE TABLE","rows":0}`,
		`{"id":"vs_1","volume":"vol_1","status":"created","size":1}`, `{"id":"b-1","type":"full","status":"completed"}`,
		`{"id":"vol_1","name":"pg_data","state":"created","region":"fra","size":10,"host":"ok","encrypted":true}`,
		`{"id":"k-1","name":"webhost-mpg-copy","region":"ams","status":"ready","disk":10}`,
		`{"status":200,"body":"","headers":{},"truncated":false,"latency":"100ms","address":"203.0.113.11:80","url":"http://203.0.113.11/health"}`} {
		if q.Fits(json.RawMessage(result)) == nil {
			return gate.Verdict{Landed: binding.Yes, Result: json.RawMessage(result), By: k.By}, nil
		}
	}
	return gate.Verdict{}, fmt.Errorf("no result that is known fits %s", q.Call)
}

// newHost is drhost in this process; a dying one is as if killed before the
// outcome of a change is journaled.
func newHost(t *testing.T, dies bool) *host.Host {
	t.Helper()
	h, err := host.New(bindings.Modules(), stdlib.Sources(), nil, bindings.WorldVerbs(), "test")
	if err != nil {
		t.Fatal(err)
	}
	if dies {
		h.Seams.Store = func(s journal.Store) journal.Store { return mortal{s} }
	}
	return h
}

type mortal struct{ journal.Store }

func (m mortal) Create(ctx context.Context, run string, by journal.Holder) (journal.Log, error) {
	log, err := m.Store.Create(ctx, run, by)
	return &mortalLog{Log: log}, err
}

type mortalLog struct {
	journal.Log
	dead bool
}

var errKilled = errors.New("killed")

func (l *mortalLog) Append(kind journal.Kind, payload any, sync bool) (journal.Record, error) {
	if out, ok := payload.(journal.Outcome); ok && out.Effect != binding.Reads.String() {
		l.dead = true
	}
	if l.dead {
		return journal.Record{}, errKilled
	}
	return l.Log.Append(kind, payload, sync)
}

// outcomeOf is the last outcome of the call in a journal.
func outcomeOf(t *testing.T, path, call string) (out journal.Outcome, has bool) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		var r journal.Record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		if r.Kind != journal.CallOutcome {
			continue
		}
		if o, err := journal.Decode[journal.Outcome](r); err == nil && o.Call == call {
			out, has = o, true
		}
	}
	return out, has
}
