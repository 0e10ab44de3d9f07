package fly

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// cutUnacted cuts the connection of the first request of a method whose path
// ends so, without the simulator having seen it.
func cutUnacted(method, end string) breaking {
	var once sync.Once
	return func(_ http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if r.Method == method && strings.HasSuffix(r.URL.Path, end) {
			once.Do(func() { panic(http.ErrAbortHandler) })
		}
		return false
	}
}

// other carries out a call of another step of the run.
func (b *bench) other(key, name string, args data) {
	b.Helper()
	f, decoded := b.prepare(name, args)
	if _, err := f.Call(binding.WithSince(binding.WithKey(b.Context(), "run-7-"+key), time.Now()), b.client, decoded); err != nil {
		b.Fatalf("%s: %v", name, err)
	}
}

// post sends a request as somebody else does, past whatever is broken.
func (b *bench) post(path, body string) {
	b.Helper()
	r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Authorization", token)
	answer := httptest.NewRecorder()
	b.front.sim.ServeHTTP(answer, r)
	if answer.Code/100 != 2 {
		b.Fatalf("%s: %d %s", path, answer.Code, answer.Body)
	}
}

// TestAStartJustBeforeIsNoRestart: the start of another step, and somebody
// else's restart, a moment before a restart that never arrived.
func TestAStartJustBeforeIsNoRestart(t *testing.T) {
	t.Parallel()
	for _, again := range []bool{false, true} { // finding out in the same life, and in another
		b := newBench(t).web()
		args := data{"app": "web", "machine": b.ids[0]}
		b.must("machine_stop", args)
		b.other("start", "machine_start", args)
		b.post("/v1/apps/web/machines/"+b.ids[0]+"/restart", "")
		b.other("wait", "wait", args)
		b.since = time.Now()
		b.front.fail(cutUnacted("POST", b.ids[0]+"/restart"))
		if _, err := b.call("machine_restart", args); fault.As(err).Sent != fault.Unclear {
			t.Fatalf("%v", err)
		}
		if again {
			b.reopen()
		}
		if s := b.settle("machine_restart", args); s.Landed != binding.No {
			t.Errorf("another life %t: settled %s, although it was never received", again, s.Landed)
		}
		seen := b.front.count("POST", b.ids[0]+"/restart")
		b.must("machine_restart", args)
		if n := b.front.count("POST", b.ids[0]+"/restart") - seen; n != 1 {
			t.Errorf("another life %t: sent %d times afterwards", again, n)
		}
		if n := b.front.count("POST", "/metadata/"+restartLabel); n != 1 {
			t.Errorf("another life %t: marked %d times", again, n)
		}
		if s := b.settle("machine_restart", args); s.Landed != binding.Yes {
			t.Errorf("another life %t: settled %s when it was done", again, s.Landed)
		}
		if n := b.front.count("POST", "/metadata/drhost_restart"); n != 1 {
			t.Errorf("another life %t: the machine was marked %d times", again, n)
		}
	}
}

// TestARestartIsFoundBehindManyEvents: a machine shows its latest events only.
func TestARestartIsFoundBehindManyEvents(t *testing.T) {
	t.Parallel()
	b := newBench(t).web()
	args := data{"app": "web", "machine": b.ids[0]}
	b.must("machine_restart", args)
	b.reopen()
	b.front.fail(func(w http.ResponseWriter, r *http.Request, next http.Handler) bool {
		if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/machines/"+b.ids[0]) {
			return false
		}
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		var m data
		if err := json.Unmarshal(answer.Body.Bytes(), &m); err != nil {
			t.Error(err)
		}
		m["events"] = m["events"].([]any)[:1] // the start that flyd has brought about
		w.WriteHeader(answer.Code)
		return json.NewEncoder(w).Encode(m) == nil
	})
	if s := b.settle("machine_restart", args); s.Landed != binding.Yes {
		t.Errorf("settled %s", s.Landed)
	}
	if b.front.count("GET", "/events") == 0 {
		t.Error("the events were not asked for")
	}
}

func TestRestartedAfter(t *testing.T) {
	t.Parallel()
	user := func(id, kind string) wireEvent { return wireEvent{ID: id, Type: kind, Source: "user"} }
	crash := wireEvent{ID: "9", Type: "restart", Source: "flyd"}
	for _, c := range []struct {
		events      []wireEvent
		mark        string
		done, whole bool
	}{
		{nil, "", false, false},
		{[]wireEvent{crash, user("1", "restart")}, "1", false, true},
		{[]wireEvent{user("3", "restart"), user("2", "start")}, "2", true, true},
		{[]wireEvent{user("3", "update"), user("2", "start")}, "2", false, true},
		{[]wireEvent{user("3", "start")}, "2", true, false},
		{[]wireEvent{user("3", "start")}, "", true, false},
	} {
		if done, whole := restartedAfter(c.events, c.mark); done != c.done || whole != c.whole {
			t.Errorf("%v after %q: %t %t", c.events, c.mark, done, whole)
		}
	}
}

// doubted is a mutation without room for a key, beside somebody else's.
type doubted struct {
	name   string
	args   data
	sent   string // how the path of its request ends
	theirs func(b *bench)
}

func doubts(b *bench, volume any) []doubted {
	return []doubted{
		{"volume_snapshot", data{"app": "db", "volume": volume}, "/snapshots", func(b *bench) {
			b.post("/v1/apps/db/volumes/"+volume.(string)+"/snapshots", "{}")
		}},
		{"volume_restore", data{"app": "db", "volume": volume, "region": "fra"}, "/volumes", func(b *bench) {
			b.post("/v1/apps/db/volumes", `{"name":"pg_data","region":"fra"}`)
		}},
		{"mpg_restore", data{"cluster": "mpg"}, "/restore", func(b *bench) { b.sim.AddCluster("theirs", "ams") }},
		{"mpg_fork", data{"cluster": "mpg"}, "/fork", func(b *bench) { b.sim.AddCluster("theirs", "ams") }},
		{"mpg_fork", data{"cluster": "mpg", "name": "copy"}, "/fork", func(b *bench) { b.sim.AddCluster("copy", "ams") }},
		{"mpg_backup_create", data{"cluster": "mpg", "type": "incr"}, "/backups", func(b *bench) {
			var id string
			for _, k := range b.managed() {
				id = k.ID
			}
			b.post("/v1/postgres/"+id+"/backups", `{"type":"incr"}`)
		}},
	}
}

func (b *bench) managed() []ManagedCluster {
	b.Helper()
	all, err := b.client.(*Client).clusters(b.Context(), "look", "")
	if err != nil {
		b.Fatal(err)
	}
	return all
}

// doubtBench has a volume with a snapshot, and a managed cluster.
func doubtBench(t *testing.T) (*bench, any) {
	t.Helper()
	b := newBench(t).db("primary")
	volume := b.must("machine", data{"app": "db", "machine": b.ids[0]})["volume"]
	b.other("before", "volume_snapshot", data{"app": "db", "volume": volume})
	b.sim.AddCluster("mpg", "ams")
	return b, volume
}

// TestSomebodyElsesIsNotTakenForOurs: a request that never arrived, and
// somebody else's of the same kind at the same moment.
func TestSomebodyElsesIsNotTakenForOurs(t *testing.T) {
	t.Parallel()
	for i := range 6 {
		for _, when := range []string{"before", "in another life"} {
			b, volume := doubtBench(t)
			d := doubts(b, volume)[i]
			b.since = time.Now()
			b.front.fail(cutUnacted("POST", d.sent))
			if when == "before" { // this life knows what there was
				if !strings.Contains(d.name, "fork") || d.args["name"] == nil { // a name that is taken is refused
					d.theirs(b)
				}
			}
			if _, err := b.call(d.name, d.args); fault.As(err).Sent != fault.Unclear {
				t.Fatalf("%s: %v", d.name, err)
			}
			want := binding.No
			if when != "before" {
				d.theirs(b)
				b.reopen()
				want = binding.Unknown
			}
			s := b.settle(d.name, d.args)
			if s.Landed != want || (want == binding.Unknown) != (s.Look != "") {
				t.Errorf("%s %v, theirs %s: settled %s (%s), want %s", d.name, d.args, when, s.Landed, s.Look, want)
			}
		}
	}
}

// TestOursIsFoundBesideSomebodyElses: it arrived, its answer did not, and
// somebody else did the same before.
func TestOursIsFoundBesideSomebodyElses(t *testing.T) {
	t.Parallel()
	for i := range 5 { // of backups only one runs at a time
		b, volume := doubtBench(t)
		d := doubts(b, volume)[i]
		if d.args["name"] == nil {
			d.theirs(b)
		}
		b.since = time.Now()
		b.front.fail(actThenCut("POST", d.sent))
		if _, err := b.call(d.name, d.args); fault.As(err).Sent != fault.Unclear {
			t.Fatalf("%s: %v", d.name, err)
		}
		if strings.HasPrefix(d.name, "mpg") && d.args["name"] == nil {
			b.reopen() // the name tells it in every life
		}
		b.settle(d.name, d.args)
		out := b.must(d.name, d.args)
		if n := b.front.count("POST", d.sent); n != 1 && d.sent != "/snapshots" || n > 2 {
			t.Errorf("%s %v was sent %d times", d.name, d.args, n)
		}
		if s := b.settle(d.name, d.args); s.Landed != binding.Yes || s.Result.(data)["id"] != out["id"] {
			t.Errorf("%s %v: settled %s %v, and the call made %v", d.name, d.args, s.Landed, s.Result, out["id"])
		}
	}
}

func TestANameOfAClusterThatIsTaken(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.sim.AddCluster("mpg", "ams")
	b.sim.AddCluster("copy", "ams")
	_, err := b.call("mpg_fork", data{"cluster": "mpg", "name": "copy"})
	b.wantFault(err, fault.Conflict, fault.NotDone, "another name")
	if k := b.must("mpg_restore", data{"cluster": "mpg", "name": "mpg-2"}); k["name"] != "mpg-2" {
		t.Errorf("%v", k)
	}
}

func TestWhatIsOlderThanTheMutationIsNotItsOwn(t *testing.T) {
	t.Parallel()
	c := &Client{trails: map[string]*trail{}}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	ctx := binding.WithKey(binding.WithSince(t.Context(), at), "run-7-1")
	if got := c.judge(ctx, "a", at); got != binding.No {
		t.Errorf("nothing was sent: %s", got)
	}
	c.repeated(ctx) // in an earlier life
	for made, want := range map[time.Time]binding.Landed{at.Add(-time.Minute): binding.No, at: binding.Unknown, at.Add(time.Hour): binding.Unknown, {}: binding.Unknown} {
		if got := c.judge(ctx, "a", made); got != want {
			t.Errorf("made at %s: %s, want %s", made, got, want)
		}
	}
	c.ahead = time.Hour // Fly's clock
	if got := c.judge(ctx, "a", at.Add(time.Minute)); got != binding.No {
		t.Errorf("older by Fly's clock: %s", got)
	}
	c.note(ctx, []string{"a"})
	c.left(ctx, "", fault.New(fault.Unavailable, "cut"))
	if there, fresh := c.judge(ctx, "a", at), c.judge(ctx, "b", at.Add(-time.Hour)); there != binding.No || fresh != binding.Yes {
		t.Errorf("what was there: %s; what was not: %s", there, fresh)
	}
	c.note(ctx, []string{"a", "b"})
	c.left(ctx, "", fault.New(fault.RateLimited, "later")) // refused: what comes now is not its own
	if got := c.judge(ctx, "c", at); got != binding.No {
		t.Errorf("after a refusal: %s", got)
	}
	c.left(ctx, "d", nil)
	if got := c.judge(ctx, "d", at); got != binding.Yes {
		t.Errorf("what an answer has named: %s", got)
	}
}
