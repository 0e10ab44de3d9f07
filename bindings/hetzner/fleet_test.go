package hetzner

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/bindings/hetzner/hetznersim"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
)

// addFleet makes servers named fleet-1 to fleet-n.
func (b *bench) addFleet(n int) {
	for i := range n {
		b.sim.AddServer(hetznersim.ServerSpec{Name: fmt.Sprintf("fleet-%d", i+1), Type: "cpx21", Location: "fsn1"})
	}
}

// atOnce calls a function for n servers at the same time. What the provider
// refused for its rate limit is asked again, as the gate does.
func (b *bench) atOnce(n int, name string, args func(server string) table) {
	b.t.Helper()
	var all sync.WaitGroup
	for i := range n {
		server := fmt.Sprintf("fleet-%d", i+1)
		f, decoded := b.function(name, args(server))
		ctx := b.ctx("run-" + server)
		all.Go(func() {
			_, err := f.Call(ctx, b.client, decoded)
			for range 5 {
				if fault.KindOf(err) != fault.RateLimited {
					break
				}
				_, err = f.Call(ctx, b.client, decoded)
			}
			if err != nil {
				b.t.Errorf("%s %s: %v", name, server, err)
			}
		})
	}
	all.Wait()
}

func (b *bench) asked() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.requests)
}

func TestBranchesShareRequests(t *testing.T) {
	b := newBench(t)
	const servers = 120
	b.addFleet(servers)
	b.atOnce(servers, "reboot", func(server string) table { return table{"server": server, "mode": "hard"} })
	if got := b.count(http.MethodPost, "/actions/reset"); got != servers {
		t.Errorf("%d servers were reset with %d requests", servers, got)
	}
	if got := b.asked(); got > 2*servers {
		t.Errorf("%d requests to reboot %d servers", got, servers)
	}
	for name, s := range b.sim.State().Servers {
		if s.Status != "running" {
			t.Errorf("%s is %s", name, s.Status)
		}
	}
	b.metal.mu.Lock()
	defer b.metal.mu.Unlock()
	if b.metal.cuts != servers {
		t.Errorf("%d machines had their power cut", b.metal.cuts)
	}
}

// TestScarceRequests: the budget is empty and others take nothing from it.
func TestScarceRequests(t *testing.T) {
	b := newBench(t)
	const servers, budget = 60, 3600
	b.sim = hetznersim.New(hetznersim.Options{Metal: b.metal, Clock: b.env.Clock, Token: token, RateLimit: budget, Spent: budget - 1})
	b.addFleet(servers)
	refused := 0
	b.hook(nil, func(http.ResponseWriter, *http.Request) bool { return false })
	counted := b.sim.Handler()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		counted.ServeHTTP(answer, r)
		b.mu.Lock()
		b.requests = append(b.requests, r.Method+" "+strings.TrimPrefix(r.URL.Path, "/v1"))
		if answer.Code == http.StatusTooManyRequests {
			refused++
		}
		b.mu.Unlock()
		for k, v := range answer.Header() {
			w.Header()[k] = v
		}
		w.WriteHeader(answer.Code)
		w.Write(answer.Body.Bytes())
	}))
	t.Cleanup(func() { web.Close(); b.sim.Close() })
	b.env.Settings = map[string]any{"endpoint": web.URL + "/v1"}
	b.open()
	b.call("servers", table{}) // learns that nothing is left
	b.atOnce(servers, "reboot", func(server string) table { return table{"server": server, "mode": "hard"} })
	if got := b.asked(); got > 3*servers { // alone, each would ask a dozen times
		t.Errorf("%d requests to reboot %d servers", got, servers)
	}
	if refused > servers/6 {
		t.Errorf("%d requests were refused: each branch waits for itself", refused)
	}
}

func TestPaceLetsReadsGo(t *testing.T) {
	p := &pace{clock: clock.System{}, known: true, limit: 1e6, touched: time.Now()}
	p.left = -1e9 // nothing goes until an answer says so
	var mu sync.Mutex
	var order []string
	var all sync.WaitGroup
	enter := func(name string, mutation bool) {
		all.Go(func() {
			if _, err := p.admit(context.Background(), mutation); err != nil {
				t.Error(err)
			}
			mu.Lock()
			order = append(order, name)
			mu.Unlock()
		})
	}
	enter("read", false)
	for range 2 * readEvery {
		enter("mutation", true)
	}
	queued := func(n int) func(context.Context) (bool, error) {
		return func(context.Context) (bool, error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			return len(p.queue[0])+len(p.queue[1]) == n, nil
		}
	}
	if err := clock.Poll(t.Context(), clock.System{}, 10*time.Second, time.Millisecond, queued(2*readEvery+1)); err != nil {
		t.Fatal(err)
	}
	p.answered(1, http.Header{"Ratelimit-Limit": {"3600"}, "Ratelimit-Remaining": {"1000"}})
	all.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(order) != 2*readEvery+1 || p.ahead > readEvery {
		t.Errorf("%d went, %d mutations since the read", len(order), p.ahead)
	}
}

// TestPaceBelievesTheLatest: answers come back in another order than the one
// in which the requests were counted, and without fractions.
func TestPaceBelievesTheLatest(t *testing.T) {
	p := &pace{clock: clock.System{}}
	tell := func(number int64, left string) {
		p.mu.Lock()
		p.inFlight++
		p.touched = p.clock.Now()
		p.mu.Unlock()
		p.answered(number, http.Header{"Ratelimit-Limit": {"3600"}, "Ratelimit-Remaining": {left}})
	}
	want := func(least, most float64) {
		t.Helper()
		if p.left < least || p.left > most {
			t.Errorf("%v are left", p.left)
		}
	}
	tell(1, "9")
	want(9, 9.01)
	tell(3, "5")
	want(5, 5.01)
	tell(2, "8") // an older answer
	want(5, 5.01)
	tell(4, "7") // time has passed
	want(7, 7.01)
	p.left = 0.6
	tell(5, "0")
	want(0.6, 0.61)
	p.left = 3
	tell(4, "0") // others take from the budget too
	want(0, 0.01)
}

func TestPaceForgetsWhoIsCancelled(t *testing.T) {
	p := &pace{clock: clock.System{}}
	if _, err := p.admit(t.Context(), true); err != nil { // the first goes, and tells how many may follow
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.admit(ctx, true); err == nil {
		t.Error("a cancelled request was let through")
	}
	p.answered(1, http.Header{}) // no limit is known
	if _, err := p.admit(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if len(p.queue[0])+len(p.queue[1]) != 0 || p.inFlight != 1 {
		t.Errorf("left in the queue: %v, under way: %d", p.queue, p.inFlight)
	}
}

// TestRoundSurvivesItsLeader: who leads a round is told to stop; another
// member asks anew, and what one had seen before it asked is not handed to it.
func TestRoundSurvivesItsLeader(t *testing.T) {
	started, asked := make(chan struct{}, 4), 0
	var mu sync.Mutex
	b := &batch[int, int]{clock: clock.System{}}
	b.ask = func(ctx context.Context, keys []int) (int, error) {
		mu.Lock()
		asked++
		n := asked
		mu.Unlock()
		started <- struct{}{}
		if n == 1 {
			<-ctx.Done()
			return 0, ctx.Err()
		}
		return n*100 + len(keys), nil
	}
	leader, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() {
		if _, err := b.get(leader, 1); err == nil {
			t.Error("a cancelled leader has an answer")
		}
	})
	<-started
	for k := range 2 { // both join the round after the one under way
		all.Go(func() {
			if got, err := b.get(t.Context(), k+2); err != nil || got != 202 {
				t.Errorf("got %d, %v", got, err)
			}
		})
	}
	err := clock.Poll(t.Context(), clock.System{}, 10*time.Second, time.Millisecond, func(context.Context) (bool, error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.next != nil && len(b.next.keys) == 2, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	stop()
	all.Wait()
}

// TestFollowersCountTheWait: a call that shares the wait of another reports
// the same time at speed 1.
func TestFollowersCountTheWait(t *testing.T) {
	clk := clock.Scaled{Factor: 100}
	b := &batch[int, int]{clock: clk, ask: func(ctx context.Context, _ []int) (int, error) { return 0, clk.Sleep(ctx, 2*time.Second) }}
	var all sync.WaitGroup
	for k := range 3 {
		all.Go(func() {
			ctx, meter := clock.WithMeter(t.Context())
			if _, err := b.get(ctx, k); err != nil {
				t.Error(err)
			}
			if got := meter.Total(); got < 1900*time.Millisecond || got > 4100*time.Millisecond {
				t.Errorf("%s were cut off", got)
			}
		})
	}
	all.Wait()
}
