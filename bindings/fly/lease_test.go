package fly

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
)

func TestALeaseOfOthersIsNamed(t *testing.T) {
	t.Parallel()
	b := newBench(t).web()
	lease := func() {
		r, err := http.NewRequest("POST", b.url+"/v1/apps/web/machines/"+b.ids[0]+"/lease?ttl=100000", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", token)
		if resp, err := http.DefaultClient.Do(r); err != nil || resp.StatusCode != 201 {
			t.Fatal(resp, err)
		}
	}
	lease()
	_, err := b.call("machine_restart", data{"app": "web", "machine": b.ids[0]})
	f := b.wantFault(err, fault.Conflict, fault.NotDone, "ask operator@webhost.systems")
	if !strings.Contains(f.Message, "leased by operator@webhost.systems until") {
		t.Error(f)
	}
}

// slow is a clock that notes how long it was to wait, and is there at once.
type slow struct {
	clock.System
	at time.Time
}

func (s *slow) Now() time.Time { return s.at }
func (s *slow) Sleep(_ context.Context, d time.Duration) error {
	s.at = s.at.Add(d)
	return nil
}

func TestTheRateLimitIsKept(t *testing.T) {
	t.Parallel()
	for action, most := range map[string]time.Duration{actionGet: 20 * time.Second / 5, "restart": 20 * time.Second} {
		clk := &slow{at: time.Unix(0, 0)}
		c := &Client{clock: clk, buckets: map[string]time.Time{}}
		var sent []time.Time
		for range 40 {
			if err := c.admit(t.Context(), action, "one"); err != nil {
				t.Fatal(err)
			}
			sent = append(sent, clk.at)
		}
		burst, every := 3, time.Second
		if action == actionGet {
			burst, every = 10, time.Second/5
		}
		for i := burst; i < len(sent); i++ { // no window holds more than the burst and what refilled
			if window := sent[i].Sub(sent[i-burst]); window < every {
				t.Fatalf("%s: %d requests within %s", action, burst+1, window)
			}
		}
		if took := sent[39].Sub(sent[0]); took > 2*most {
			t.Errorf("%s: 40 requests took %s", action, took)
		}
		if err := c.admit(t.Context(), action, "another"); err != nil || !clk.at.Equal(sent[39]) {
			t.Errorf("%s: another machine waited as well", action)
		}
	}
}

func TestALeaseOfOurEarlierLifeIsTakenOver(t *testing.T) {
	t.Parallel()
	b := newBench(t).web()
	r, err := http.NewRequest("POST", b.url+"/v1/apps/web/machines/"+b.ids[0]+"/lease?ttl=100000", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", token)
	if resp, err := http.DefaultClient.Do(r); err != nil || resp.StatusCode != 201 {
		t.Fatal(resp, err)
	}
	describe := func(text string) {
		b.front.fail(func(w http.ResponseWriter, r *http.Request, next http.Handler) bool {
			if r.Method != "GET" || !strings.HasSuffix(r.URL.Path, "/lease") {
				return false
			}
			answer := httptest.NewRecorder()
			next.ServeHTTP(answer, r)
			w.WriteHeader(answer.Code)
			_, err := w.Write([]byte(strings.Replace(answer.Body.String(), `"description":""`, `"description":"`+text+`"`, 1)))
			return err == nil
		})
	}
	describe("drhost run-8-0123456789abcdef")
	_, err = b.call("machine_cordon", data{"app": "web", "machine": b.ids[0]})
	b.wantFault(err, fault.Conflict, fault.NotDone, "another run of drhost")
	describe("drhost run-7-fedcba9876543210")
	b.must("machine_cordon", data{"app": "web", "machine": b.ids[0]})
	b.front.fail(nil)
	b.free()
}

func TestTokens(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{"FlyV1 fm2_a,fm2_b": "FlyV1 fm2_a,fm2_b", "fm2_a": "FlyV1 fm2_a", "abc\n": "Bearer abc", "Bearer abc": "Bearer abc", "": "", "a b": "", "a\x01b": ""} {
		got, err := authorization(given)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", given, got, err)
		}
	}
	b := newBench(t).web()
	b.sim.RevokeToken()
	_, err := b.call("status", data{"app": "web"})
	b.wantFault(err, fault.Denied, fault.NotDone, "FLY_API_TOKEN")
}
