package world

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/webhost-systems/drhost/bindings/fly/flysim"
	"github.com/webhost-systems/drhost/host/clock"
)

// TestLooks tells commands that look from those that act.
func TestLooks(t *testing.T) {
	for command, want := range map[string]bool{
		"repmgr cluster show --csv":                                  true,
		"gosu postgres repmgr node check -f /data/repmgr.conf":       true,
		"gosu postgres repmgr standby promote --siblings-follow":     false,
		"repmgr standby switchover --dry-run":                        true,
		"repmgr standby switchover":                                  false,
		"repmgr":                                                     false,
		"flexctl backup list --json":                                 true,
		"flexctl backup create -n mine":                              false,
		"bash -c 'echo $SU_PASSWORD'":                                true,
		"bash -c 'echo $SU_PASSWORD > /data/x'":                      false,
		"true":                                                       true,
		"rm -rf /data":                                               false,
		"gosu postgres psql -p 5433 -c 'select pg_is_in_recovery()'": true,
		"psql -At -c 'SELECT count(*) >= 200 FROM customers'":        true,
		"psql -c 'select pg_promote()'":                              false,
		"psql -c 'select 1; drop table customers'":                   false,
		"psql -c 'select * into copied from customers'":              false,
		"psql -c 'select 1' -c 'drop table customers'":               false,
		"psql -c 'with gone as (delete from customers returning 1) select 1 from x'": false,
		"psql": false,
		"":     false,
	} {
		if got := looks(flysim.Command{Line: command}.Split()); got != want {
			t.Errorf("%q only looks: %t", command, got)
		}
	}
}

// TestQuestionsAreNoMutations: what a provider knows for a question is one in
// the log, whatever the client got to see, and the mark does not reach him.
func TestQuestionsAreNoMutations(t *testing.T) {
	g := &gateway{provider: "fly", clock: clock.System{}, speed: 1, requests: &requestLog{}, reject: rejectFly,
		next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/ask") {
				w.Header().Set(flysim.QuestionHeader, "yes")
			}
			w.WriteHeader(200)
		})}
	server := httptest.NewUnstartedServer(g)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.Start()
	t.Cleanup(server.Close)
	if err := g.inject(APIFault{Kind: ActThenFail, Path: "/ask/late", Method: "POST"}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/ask", "/ask/late", "/do"} {
		answer, err := http.Post(server.URL+path, "application/json", nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		if mark := answer.Header.Get(flysim.QuestionHeader); mark != "" {
			t.Errorf("%s: the client sees %q", path, mark)
		}
	}
	want := []Request{{Path: "/ask", Status: 200, Question: true}, {Path: "/ask/late", Status: 502, Question: true}, {Path: "/do", Status: 200, Mutation: true, Acted: true}}
	for i, r := range g.requests.all() {
		if w := want[i]; r.Path != w.Path || r.Status != w.Status || r.Question != w.Question || r.Mutation != w.Mutation || r.Acted != w.Acted {
			t.Errorf("request %d: %+v", i, r)
		}
	}
}
