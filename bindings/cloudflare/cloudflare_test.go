package cloudflare

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/bindings/cloudflare/cloudflaresim"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

var hobby = data{"zone": "webhost.systems", "name": "hobby", "type": "A", "content": "203.0.113.11"}

func with(base data, more data) data {
	out := data{}
	for _, m := range []data{base, more} {
		for k, v := range m {
			out[k] = v
		}
	}
	return out
}

func TestReads(t *testing.T) {
	b := newBench(t)
	b.add("hobby", "A", "203.0.113.10")
	b.add("hobby", "TXT", "note")
	b.add("@", "MX", "mail.webhost.systems", func(r *cloudflaresim.Record) { r.Priority = 10 })
	wantFields(t, b.must("verify_token", data{}), data{"status": "active"})
	if got := b.must("zones", data{}).([]any); len(got) != 1 {
		t.Errorf("zones: %v", got)
	}
	wantFields(t, b.must("zone", data{"name": "Webhost.Systems."}), data{"name": "webhost.systems", "status": "active", "nameservers": "[ada.ns.cloudflare.com bob.ns.cloudflare.com]"})
	if got := b.must("records", data{"zone": "webhost.systems"}).([]any); len(got) != 3 {
		t.Errorf("records: %v", got)
	}
	got := b.must("records", data{"zone": "webhost.systems", "name": "hobby", "type": "A"}).([]any)
	if len(got) != 1 {
		t.Fatalf("records of one name and type: %v", got)
	}
	wantFields(t, got[0], data{"name": "hobby.webhost.systems", "content": "203.0.113.10", "ttl": 60, "proxied": false})
	got = b.must("records", data{"zone": "webhost.systems", "name": "@"}).([]any)
	wantFields(t, got[0], data{"type": "MX", "priority": 10})
	_, err := b.call("zone", data{"name": "webhost.system"})
	if f := fault.As(err); !strings.Contains(f.Hint, `"webhost.systems"`) {
		t.Errorf("hint %q", f.Hint)
	}
	_, err = b.call("zone", data{"name": "other.example"})
	b.wantFault(err, fault.NotFound, fault.NotDone, false)
}

func TestManyPages(t *testing.T) {
	b := newBench(t)
	for i := range 205 {
		b.add(fmt.Sprintf("h%d", i), "A", "203.0.113.10")
	}
	if got := b.must("records", data{"zone": "webhost.systems"}).([]any); len(got) != 205 {
		t.Errorf("%d records", len(got))
	}
	for i := range 55 {
		b.sim.AddZone(fmt.Sprintf("z%d.example", i))
	}
	if got := b.must("zones", data{}).([]any); len(got) != 56 {
		t.Errorf("%d zones", len(got))
	}
}

func TestSetRecordCreatesChangesAndRests(t *testing.T) {
	b := newBench(t)
	got := b.must("set_record", with(hobby, data{"ttl": 120.0, "comment": "for the drill"}))
	wantFields(t, got, data{"changed": true, "content": "203.0.113.11", "ttl": 120, "comment": "for the drill drhost run-7-call-3"})
	sent := b.front.mutations()
	wantFields(t, b.must("set_record", hobby), data{"changed": false, "ttl": 120})
	if b.front.mutations() != sent {
		t.Error("a record that was right already was sent")
	}
	got = b.must("set_record", with(hobby, data{"content": "203.0.113.12"}))
	wantFields(t, got, data{"changed": true, "before": "203.0.113.11", "content": "203.0.113.12", "ttl": 120, "comment": "for the drill drhost run-7-call-3"})
	wantFields(t, b.must("set_record", with(hobby, data{"content": "203.0.113.12", "proxied": true})), data{"changed": true, "proxied": true, "ttl": 1})
	wantFields(t, b.must("set_record", with(hobby, data{"content": "203.0.113.12", "ttl": 60.0})), data{"changed": false, "ttl": 1})
	if n := len(b.sim.Records("webhost.systems")); n != 1 {
		t.Errorf("%d records", n)
	}
}

func TestSetRecordKeepsTags(t *testing.T) {
	b := newBench(t)
	b.add("hobby", "A", "203.0.113.10", func(r *cloudflaresim.Record) { r.Tags = []string{"team:ops"} })
	b.must("set_record", hobby)
	if r := b.sim.Records("webhost.systems")[0]; len(r.Tags) != 1 || r.Content != "203.0.113.11" {
		t.Errorf("%+v", r)
	}
}

func TestSeveralRecords(t *testing.T) {
	b := newBench(t)
	b.add("hobby", "A", "203.0.113.10")
	b.add("hobby", "A", "203.0.113.20")
	_, err := b.call("set_record", hobby)
	f := b.wantFault(err, fault.Conflict, fault.NotDone, false)
	if !strings.Contains(f.Message, "203.0.113.10, 203.0.113.20") {
		t.Errorf("does not list them: %v", f)
	}
	wantFields(t, b.must("set_record", with(hobby, data{"content": "203.0.113.20"})), data{"changed": false, "others": "[203.0.113.10]"})
	_, err = b.call("delete_record", data{"zone": "webhost.systems", "name": "hobby", "type": "A"})
	b.wantFault(err, fault.Conflict, fault.NotDone, false)
	wantFields(t, b.must("delete_record", with(hobby, data{"content": "203.0.113.20"})), data{"content": "203.0.113.20"})
	if got := b.sim.Records("webhost.systems"); len(got) != 1 || got[0].Content != "203.0.113.10" {
		t.Errorf("left: %+v", got)
	}
	_, err = b.call("delete_record", with(hobby, data{"content": "203.0.113.20"}))
	b.wantFault(err, fault.NotFound, fault.NotDone, false)
}

func TestCreateAndUpdate(t *testing.T) {
	b := newBench(t)
	wantFields(t, b.must("create_record", with(hobby, data{"ttl": 60.0})), data{"changed": true, "comment": "drhost run-7-call-3"})
	_, err := b.call("create_record", with(hobby, data{"ttl": 60.0}))
	b.wantFault(err, fault.Conflict, fault.NotDone, false)
	_, err = b.call("create_record", with(hobby, data{"ttl": 90.0}))
	b.wantFault(err, fault.Conflict, fault.NotDone, false)
	_, err = b.call("create_record", with(hobby, data{"type": "CNAME", "content": "www.example"}))
	b.wantFault(err, fault.Conflict, fault.NotDone, false)
	_, err = b.call("create_record", with(hobby, data{"content": "nonsense"}))
	b.wantFault(err, fault.Invalid, fault.NotDone, false)
	_, err = b.call("update_record", with(hobby, data{"from": "203.0.113.99", "content": "203.0.113.12"}))
	b.wantFault(err, fault.Conflict, fault.NotDone, false)
	wantFields(t, b.must("update_record", with(hobby, data{"from": "203.0.113.11", "content": "203.0.113.12"})), data{"changed": true, "before": "203.0.113.11"})
	wantFields(t, b.must("update_record", with(hobby, data{"from": "203.0.113.11", "content": "203.0.113.12"})), data{"changed": false})
	_, err = b.call("update_record", with(hobby, data{"name": "nobody"}))
	b.wantFault(err, fault.NotFound, fault.NotDone, false)
	wantFields(t, b.must("create_record", data{"zone": "webhost.systems", "name": "@", "type": "MX", "content": "mail.example", "priority": 5.0}), data{"type": "MX"})
	_, err = b.call("create_record", data{"zone": "webhost.systems", "name": "@", "type": "MX", "content": "b.example", "priority": 70000.0})
	b.wantFault(err, fault.Invalid, fault.NotDone, false)
}

func TestVerifyRecords(t *testing.T) {
	b := newBench(t)
	b.add("good", "A", "203.0.113.10")
	b.add("two", "A", "203.0.113.10")
	b.add("two", "A", "203.0.113.66")
	b.add("text", "TXT", "a")
	b.add("text", "TXT", "b")
	out := b.must("verify_records", data{"zone": "webhost.systems", "records": []any{
		data{"name": "good", "content": "203.0.113.10"},
		data{"name": "good", "content": "203.0.113.11"},
		data{"name": "two", "content": "203.0.113.10"},
		data{"name": "text", "type": "TXT", "content": "b"},
		data{"name": "gone", "content": "203.0.113.10"},
	}}).([]any)
	// The second line asks for another content of the first one's name, so the
	// first is right and the second is not.
	for i, want := range []bool{true, false, false, true, false} {
		wantFields(t, out[i], data{"ok": want})
	}
	wantFields(t, out[2], data{"found": "[203.0.113.10 203.0.113.66]", "wanted": "203.0.113.10", "name": "two.webhost.systems"})
}

func TestPredictTouchesNothing(t *testing.T) {
	b := newBench(t)
	b.add("www", "A", "203.0.113.10")
	www := with(hobby, data{"name": "www"})
	for _, c := range []struct {
		name string
		args data
		want data
	}{
		{"set_record", hobby, data{"changed": true, "content": "203.0.113.11", "id": binding.Planned("id of record hobby.webhost.systems")}},
		{"set_record", www, data{"changed": true, "before": "203.0.113.10", "ttl": 60}},
		{"set_record", with(www, data{"content": "203.0.113.10"}), data{"changed": false}},
		{"set_record", with(www, data{"content": binding.Planned("IPv4 of hobby-1-r")}), data{"changed": true, "content": binding.Planned("IPv4 of hobby-1-r")}},
		{"set_record", with(www, data{"name": binding.Planned("name")}), data{"changed": true}},
		{"create_record", hobby, data{"changed": true, "ttl": 1}},
		{"update_record", with(www, data{"from": "203.0.113.10"}), data{"changed": true, "before": "203.0.113.10"}},
		{"update_record", with(www, data{"from": binding.Planned("x")}), data{"changed": true, "before": binding.Planned("x")}},
		{"delete_record", data{"zone": "webhost.systems", "name": "www", "type": "A"}, data{"content": "203.0.113.10"}},
	} {
		got, err := b.predict(c.name, c.args)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		wantFields(t, got, c.want)
	}
	_, err := b.predict("create_record", with(www, data{"content": "203.0.113.10"}))
	b.wantFault(err, fault.Conflict, fault.NotDone, false)
	_, err = b.predict("update_record", hobby)
	b.wantFault(err, fault.NotFound, fault.NotDone, false)
	if n := b.front.mutations(); n != 0 {
		t.Errorf("%d mutations were sent", n)
	}
}

// TestLostAnswers: the provider acted and its answer was lost; Settled finds
// what was done, and says no where nothing was.
func TestLostAnswers(t *testing.T) {
	tried := map[string]bool{}
	for _, c := range append([]lost{
		{"set_record", hobby, data{"content": "203.0.113.11", "changed": true}, func(*bench) {}},
		{"set_record", hobby, data{"content": "203.0.113.11"}, func(b *bench) { b.add("hobby", "A", "203.0.113.10") }},
		{"create_record", hobby, data{"content": "203.0.113.11", "comment": "drhost run-7-call-3"}, func(b *bench) { b.add("hobby", "A", "203.0.113.10") }},
		{"update_record", with(hobby, data{"from": "203.0.113.10"}), data{"content": "203.0.113.11"}, func(b *bench) { b.add("hobby", "A", "203.0.113.10") }},
		{"delete_record", hobby, data{"content": "203.0.113.11"}, func(b *bench) { b.add("hobby", "A", "203.0.113.11") }},
	}, append(lostTransactions(), lostSteering()...)...) {
		tried[c.name] = true
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			c.before(b)
			if s := b.settle(c.name, c.args); s.Landed != binding.No {
				t.Errorf("before it was sent: %v", s)
			}
			if _, err := b.predict(c.name, c.args); err != nil || b.front.mutations() > 0 {
				t.Errorf("predicted: %v, %d sent", err, b.front.mutations())
			}
			b.front.fail(writes(actThenCut))
			_, err := b.call(c.name, c.args)
			b.wantFault(err, fault.Unavailable, fault.Unclear, true)
			if n := b.front.mutations(); n != 1 {
				t.Errorf("sent %d times", n)
			}
			s := b.settle(c.name, c.args)
			if s.Landed != binding.Yes {
				t.Fatalf("after it landed: %v", s)
			}
			wantFields(t, s.Result, c.want)
		})
	}
	for _, f := range Module().Functions {
		if spec := f.Spec(); spec.Effect != binding.Reads && !tried[spec.Name] {
			t.Errorf("nobody has tried what becomes of %s when its answer is lost", spec.Name)
		}
	}
}

// TestSettledWaitsForWhatIsUnderWay: what shows up only when it was looked for
// once has landed; a no would have it sent twice.
func TestSettledWaitsForWhatIsUnderWay(t *testing.T) {
	for name, arrives := range map[string]func(*bench){
		"set_record": func(b *bench) { b.add("hobby", "A", "203.0.113.11") },
		"create_record": func(b *bench) {
			b.add("hobby", "A", "203.0.113.11", func(r *cloudflaresim.Record) { r.Comment = "drhost run-7-call-3" })
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			looks := 0
			b.front.fail(func(_ http.ResponseWriter, r *http.Request, _ http.Handler) bool {
				if strings.HasSuffix(r.URL.Path, "/dns_records") {
					if looks++; looks == 2 {
						arrives(b)
					}
				}
				return false
			})
			if s := b.settle(name, hobby); s.Landed != binding.Yes {
				t.Errorf("after %d looks: %v", looks, s)
			}
		})
	}
}

func TestSettledAsksWhenItCannotKnow(t *testing.T) {
	b := newBench(t)
	b.add("hobby", "A", "203.0.113.55")
	if s := b.settle("update_record", with(hobby, data{"from": "203.0.113.10"})); s.Landed != binding.Unknown || !strings.Contains(s.Look, "203.0.113.55") {
		t.Errorf("%+v", s)
	}
	if s := b.settle("create_record", with(hobby, data{"content": "203.0.113.55"})); s.Landed != binding.Unknown || s.Look == "" {
		t.Errorf("%+v", s)
	}
}

func TestFaultsOfTheAPI(t *testing.T) {
	status := func(code, number int, header ...string) func(http.ResponseWriter, *http.Request, http.Handler) {
		return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			cloudflaresim.WriteError(w, code, number, "it is so")
		}
	}
	page := func(code int) func(http.ResponseWriter, *http.Request, http.Handler) {
		return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.WriteHeader(code)
			_, _ = w.Write([]byte("<html>sorry</html>"))
		}
	}
	slow := func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
		if _, err := io.Copy(io.Discard, r.Body); err == nil { // only then is a client's leaving noticed
			<-r.Context().Done()
		}
	}
	for name, c := range map[string]struct {
		do        func(http.ResponseWriter, *http.Request, http.Handler)
		kind      fault.Kind
		sent      fault.Sent
		transient bool
		wait      time.Duration
	}{
		"429":                   {status(429, 971, "Retry-After", "17"), fault.RateLimited, fault.NotDone, true, 17 * time.Second},
		"429 by Ratelimit":      {status(429, 971, "Ratelimit", `"default";r=0;t=30`), fault.RateLimited, fault.NotDone, true, 30 * time.Second},
		"500":                   {status(500, 10001), fault.Unavailable, fault.Unclear, true, 0},
		"503":                   {status(503, 10001, "Retry-After", "5"), fault.Unavailable, fault.Unclear, true, 5 * time.Second},
		"504":                   {status(504, 10001), fault.Timeout, fault.Unclear, true, 0},
		"409":                   {status(409, 99999), fault.Conflict, fault.NotDone, false, 0},
		"403":                   {status(403, 10000), fault.Denied, fault.NotDone, false, 0},
		"success=false":         {status(200, 10013), fault.Failed, fault.Unclear, false, 0},
		"a page with 502":       {page(502), fault.Unavailable, fault.Unclear, true, 0},
		"a page with 200":       {page(200), fault.Failed, fault.Unclear, false, 0},
		"a page with 302":       {page(302), fault.Invalid, fault.NotDone, false, 0},
		"cut without an answer": {func(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) }, fault.Unavailable, fault.Unclear, true, 0},
		"no answer":             {slow, fault.Timeout, fault.Unclear, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, data{"answer_within": "150ms"})
			b.front.fail(writes(c.do))
			_, err := b.call("set_record", hobby)
			f := b.wantFault(err, c.kind, c.sent, c.transient)
			if f.RetryAfter != c.wait {
				t.Errorf("asks to wait %s, want %s", f.RetryAfter, c.wait)
			}
			if f.Op == "" || f.Message == "" {
				t.Errorf("%+v", f)
			}
			if n := b.front.mutations(); n != 1 {
				t.Errorf("sent %d times", n)
			}
		})
	}
}

// TestFaultWhilePreparing: a mutation whose reading part fails was not sent.
func TestFaultWhilePreparing(t *testing.T) {
	b := newBench(t)
	b.front.fail(func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		cloudflaresim.WriteError(w, 502, 10001, "bad gateway")
		return true
	})
	for name, args := range map[string]data{"set_record": hobby, "create_record": hobby, "update_record": hobby, "delete_record": hobby} {
		_, err := b.call(name, args)
		b.wantFault(err, fault.Unavailable, fault.NotDone, true)
	}
	b.server.Close()
	_, err := b.call("zones", data{})
	b.wantFault(err, fault.Unavailable, fault.NotDone, true)
}

func TestRevokedToken(t *testing.T) {
	b := newBench(t)
	b.sim.RevokeToken()
	for _, name := range []string{"verify_token", "zones"} {
		_, err := b.call(name, data{})
		f := b.wantFault(err, fault.Denied, fault.NotDone, false)
		if !strings.Contains(f.Hint, "CLOUDFLARE_API_TOKEN") {
			t.Errorf("the hint names no variable: %q", f.Hint)
		}
	}
}

func TestNamesThatDoNotResolve(t *testing.T) {
	f := fromNetwork(fmt.Errorf("send: %w", &net.DNSError{Err: "no such host", Name: "api.example", IsNotFound: true}))
	if f.Kind != fault.Unavailable || f.Sent != fault.NotDone || !strings.Contains(f.Message, "api.example") {
		t.Errorf("%+v", f)
	}
}

func TestOpenRefusesBadSettings(t *testing.T) {
	for name, c := range map[string]struct {
		set   data
		token string
	}{
		"endpoint":  {data{"endpoint": "api.cloudflare.com"}, token},
		"no token":  {data{}, "  "},
		"bad token": {data{}, "a\nb"},
	} {
		_, err := openWith(t, c.set, c.token)
		if fault.KindOf(err) != fault.Invalid || strings.Contains(fmt.Sprint(err), "a\nb") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSignedCommentsFit(t *testing.T) {
	ctx := keyed()
	long := signed(ctx, strings.Repeat("ä", 200))
	if len(long) > longestComment || !strings.HasSuffix(long, " drhost run-7-call-3") {
		t.Errorf("%d bytes: %s", len(long), long)
	}
	if !carriesKey(ctx, Record{Comment: long}) || carriesKey(ctx, Record{Comment: "drhost run-7-call-31"}) || carriesKey(ctx, Record{}) {
		t.Error("the key is not recognised for what it is")
	}
}
