package cloudflare

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/webhost-systems/drhost/bindings/cloudflare/cloudflaresim"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

const zoneName = "webhost.systems"

func edit(action, name, content string, more data) data {
	return with(data{"action": action, "name": name, "content": content}, more)
}

func batchOf(edits ...any) data { return data{"zone": zoneName, "edits": edits} }

// contentsOf are the records of the zone on one line each.
func (b *bench) contentsOf() string {
	var out []string
	for _, r := range b.sim.Records(zoneName) {
		out = append(out, fmt.Sprintf("%s %s %s", strings.TrimSuffix(r.Name, "."+zoneName), r.Type, r.Content))
	}
	return strings.Join(out, ", ")
}

func TestBatchIsOneTransaction(t *testing.T) {
	b := newBench(t)
	b.add("a", "A", "203.0.113.1", func(r *cloudflaresim.Record) { r.Tags, r.Comment = []string{"team:ops"}, "kept" })
	b.add("b", "A", "203.0.113.2")
	got := b.must("batch", batchOf(edit("change", "a", "203.0.113.11", data{"before": "203.0.113.1", "ttl": 120.0}), edit("create", "c", "203.0.113.3", nil)))
	wantFields(t, got, data{"changed": true, "created": 1, "altered": 1, "deleted": 0})
	if n := b.front.mutations(); n != 1 {
		t.Errorf("%d requests", n)
	}
	first := b.sim.Records(zoneName)[0]
	if len(first.Tags) != 1 || first.Comment != "kept" || first.TTL != 120 {
		t.Errorf("the change took more with it: %+v", first)
	}
	if c := b.sim.Records(zoneName)[2]; c.Comment != "drhost run-7-call-3" {
		t.Errorf("what was created does not carry the key: %+v", c)
	}
	again := batchOf(edit("change", "a", "203.0.113.11", nil), edit("create", "c", "203.0.113.3", nil))
	wantFields(t, b.must("batch", again), data{"changed": false})
	if n := b.front.mutations(); n != 1 {
		t.Error("what was right already was sent")
	}
	// One that Cloudflare refuses leaves the others undone.
	_, err := b.call("batch", batchOf(edit("change", "b", "203.0.113.22", data{"before": "203.0.113.2"}), edit("create", "d", "nonsense", nil)))
	b.wantFault(err, fault.Invalid, fault.NotDone, false)
	if got, want := b.contentsOf(), "a A 203.0.113.11, b A 203.0.113.2, c A 203.0.113.3"; got != want {
		t.Errorf("left %s, want %s", got, want)
	}
}

func TestBatchRefuses(t *testing.T) {
	b := newBench(t)
	b.add("a", "A", "203.0.113.1")
	for name, c := range map[string]struct {
		edit data
		kind fault.Kind
	}{
		"changed by others": {edit("change", "a", "203.0.113.9", data{"before": "203.0.113.8"}), fault.Conflict},
		"not there":         {edit("change", "x", "203.0.113.9", nil), fault.Conflict},
		"there already":     {edit("create", "a", "203.0.113.1", data{"ttl": 300.0}), fault.Conflict},
		"a deletion":        {edit("delete", "a", "203.0.113.1", nil), fault.Invalid},
		"no SRV":            {edit("create", "s", "x", data{"type": "SRV"}), fault.Invalid},
	} {
		_, err := b.call("batch", batchOf(c.edit))
		if f := b.wantFault(err, c.kind, fault.NotDone, false); f.Hint == "" {
			t.Errorf("%s: no hint", name)
		}
	}
	if n := b.front.mutations(); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

// TestBatchDeleteTurnsAnAliasIntoAnAddress: only one transaction can.
func TestBatchDeleteTurnsAnAliasIntoAnAddress(t *testing.T) {
	b := newBench(t)
	b.add("www", "CNAME", "elsewhere.example")
	wanted := []any{data{"name": "www", "content": "203.0.113.1"}}
	edits := b.must("diff_zone", data{"zone": zoneName, "records": wanted})
	wantFields(t, b.must("batch_delete", data{"zone": zoneName, "edits": edits}), data{"created": 1, "deleted": 1})
	if got := b.contentsOf(); got != "www A 203.0.113.1" {
		t.Error(got)
	}
	if left := b.must("diff_zone", data{"zone": zoneName, "records": wanted, "complete": true}).([]any); len(left) != 0 {
		t.Errorf("left to do: %v", left)
	}
}

func TestEveryUsualType(t *testing.T) {
	b := newBench(t)
	for _, r := range []data{
		{"name": "a", "content": "203.0.113.1", "proxied": true},
		{"name": "aaaa", "type": "AAAA", "content": "2001:db8::1", "ttl": 300.0},
		{"name": "c", "type": "CNAME", "content": "a.webhost.systems"},
		{"name": "@", "type": "MX", "content": "mail.example.com", "priority": 10.0},
		{"name": "@", "type": "TXT", "content": "v=spf1 -all", "tags": []any{"team:ops"}},
		{"name": "_sip._tcp", "type": "SRV", "content": "5 5060 a.webhost.systems", "priority": 10.0},
		{"name": "@", "type": "CAA", "content": `0 issue "letsencrypt.org"`},
		{"name": "sub", "type": "NS", "content": "ns1.example.net"},
		{"name": "1.2.3", "type": "PTR", "content": "a.webhost.systems"},
	} {
		args := with(data{"zone": zoneName}, r)
		wantFields(t, b.must("set_record", args), data{"changed": true})
		wantFields(t, b.must("set_record", args), data{"changed": false})
		if left := b.must("diff_zone", data{"zone": zoneName, "records": []any{r}}).([]any); len(left) != 0 {
			t.Errorf("%v is there, and yet: %v", r, left)
		}
	}
	wantFields(t, b.must("set_record", data{"zone": zoneName, "name": "_sip._tcp", "type": "SRV", "content": "7 5061 a.webhost.systems", "priority": 20.0}),
		data{"changed": true, "content": "7 5061 a.webhost.systems", "priority": nil})
	if n := len(b.sim.Records(zoneName)); n != 9 {
		t.Errorf("%d records", n)
	}
}

func TestExportAndRestore(t *testing.T) {
	b := newBench(t)
	b.add("a", "A", "203.0.113.1", func(r *cloudflaresim.Record) { r.Tags, r.Comment = []string{"team:ops"}, "of the web team" })
	b.add("b", "A", "203.0.113.2", func(r *cloudflaresim.Record) { r.Proxied = true })
	b.add("@", "MX", "mail.example.com", func(r *cloudflaresim.Record) { r.Priority = 10 })
	b.add("_sip._tcp", "SRV", "5 5060 a.webhost.systems", func(r *cloudflaresim.Record) { r.Priority = 10 })
	export := b.must("export_zone", data{"zone": zoneName}).(data)
	if !strings.Contains(export["bind"].(string), "\tSOA\t") || len(export["records"].([]any)) != 4 {
		t.Fatalf("%v", export)
	}
	restore := data{"zone": zoneName, "records": export["records"]}
	wantFields(t, b.must("restore_zone", restore), data{"changed": false})
	before := b.contentsOf()
	for _, breakIt := range []func() error{
		func() error { return b.sim.Remove(zoneName, "a", "") },
		func() error { return b.sim.Remove(zoneName, "_sip._tcp", "") },
		func() error { return b.sim.SetContent(zoneName, "b", "A", "203.0.113.66") },
		func() error {
			return b.sim.Tamper(zoneName, "@", "MX", func(r *cloudflaresim.Record) { r.Priority = 50 })
		},
	} {
		if err := breakIt(); err != nil {
			t.Fatal(err)
		}
	}
	b.add("rogue", "A", "203.0.113.67")
	predicted, err := b.predict("restore_zone", restore)
	if err != nil {
		t.Fatal(err)
	}
	wantFields(t, predicted, data{"created": 2, "altered": 2, "deleted": 0})
	wantFields(t, b.must("restore_zone", restore), data{"created": 2, "altered": 2, "deleted": 0})
	if got := b.contentsOf(); !strings.Contains(got, "rogue A 203.0.113.67") {
		t.Errorf("restore_zone deleted: %s", got)
	}
	wantFields(t, b.must("restore_zone_exactly", restore), data{"created": 0, "altered": 0, "deleted": 1})
	if got := b.contentsOf(); got != before {
		t.Errorf("restored %s, want %s", got, before)
	}
	for _, r := range b.sim.Records(zoneName) {
		if r.Name == "a."+zoneName && (len(r.Tags) != 1 || r.Comment != "of the web team drhost run-7-call-3") {
			t.Errorf("%+v", r)
		}
	}
	if n := b.front.mutations(); n != 2 {
		t.Errorf("%d requests", n)
	}
	_, err = b.call("restore_zone_exactly", data{"zone": zoneName, "records": []any{}})
	b.wantFault(err, fault.Invalid, fault.NotDone, false)
}

// TestExportIsNoPage: what a proxy answers in the place of an export is none.
func TestExportIsNoPage(t *testing.T) {
	b := newBench(t)
	b.front.fail(func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if !strings.HasSuffix(r.URL.Path, "/export") {
			return false
		}
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write([]byte("please log in"))
		return true
	})
	_, err := b.call("export_zone", data{"zone": zoneName})
	b.wantFault(err, fault.Failed, fault.Unclear, false)
}

func TestFailover(t *testing.T) {
	b := newBench(t)
	b.add("hobby", "A", "203.0.113.10")
	over := data{"zone": zoneName, "name": "hobby", "from": "203.0.113.10", "to": "203.0.113.11"}
	wantFields(t, b.must("failover", over), data{"changed": true, "before": "203.0.113.10", "ttl": 60})
	wantFields(t, b.must("failover", over), data{"changed": false})
	_, err := b.call("failover", with(over, data{"from": "203.0.113.10", "to": "203.0.113.12"}))
	if f := b.wantFault(err, fault.Conflict, fault.NotDone, false); !strings.Contains(f.Message, "203.0.113.11") {
		t.Errorf("does not say what it answers now: %v", f)
	}
	_, err = b.call("failover", with(over, data{"from": ""}))
	b.wantFault(err, fault.Invalid, fault.NotDone, false)
}

func lostTransactions() []lost {
	records := []any{data{"name": "a", "content": "203.0.113.1"}, data{"name": "b", "content": "203.0.113.2"}}
	there := func(b *bench) {
		b.add("a", "A", "203.0.113.9")
		b.add("old", "A", "203.0.113.8")
	}
	done := data{"changed": true, "zone": zoneName}
	return []lost{
		{"batch", batchOf(edit("change", "a", "203.0.113.1", data{"before": "203.0.113.9"}), edit("create", "b", "203.0.113.2", nil)),
			with(done, data{"created": 1, "altered": 1, "deleted": 0}), there},
		{"batch_delete", batchOf(edit("delete", "old", "203.0.113.8", nil), edit("create", "b", "203.0.113.2", nil)),
			with(done, data{"created": 1, "deleted": 1}), there},
		{"restore_zone", data{"zone": zoneName, "records": records}, done, there},
		{"restore_zone_exactly", data{"zone": zoneName, "records": records}, done, there},
		{"failover", data{"zone": zoneName, "name": "a", "from": "203.0.113.9", "to": "203.0.113.1"}, data{"content": "203.0.113.1"}, there},
	}
}

// TestSettledAsksAfterOthers: a record that somebody else changed meanwhile
// says nothing of the transaction.
func TestSettledAsksAfterOthers(t *testing.T) {
	b := newBench(t)
	b.add("a", "A", "203.0.113.77")
	s := b.settle("batch", batchOf(edit("change", "a", "203.0.113.1", data{"before": "203.0.113.9"})))
	if s.Landed != binding.Unknown || !strings.Contains(s.Look, "203.0.113.9") {
		t.Errorf("%+v", s)
	}
}
