package physical

import (
	"testing"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/postgres"
)

// TestAServerThatNeverRestsIsFollowed: its log moves on between any two
// messages, and what is durable is always a little behind.
func TestAServerThatNeverRestsIsFollowed(t *testing.T) {
	t.Parallel()
	a := &Archiver{}
	f := &flow{a: a}
	begin := time.Date(2026, 2, 28, 12, 0, 0, 0, time.UTC)
	for n := range 10_000 {
		now := begin.Add(time.Duration(n) * 5 * time.Millisecond)
		f.mark(postgres.LSN(n*1000), now)
		if n%100 != 99 {
			continue
		}
		a.queue.durable = postgres.LSN((n - 60) * 1000) // 300 ms behind
		until, behind := a.reached()
		if late := now.Sub(until); late < 300*time.Millisecond || late > 500*time.Millisecond || behind != 60_000 {
			t.Fatalf("after %d messages it says %s behind, %d bytes", n, late, behind)
		}
	}
	a.queue.durable = 0
	for n := range 1_000_000 { // a repository that is away
		f.mark(postgres.LSN(10_000_000+n*1000), begin.Add(time.Hour+time.Duration(n)*100*time.Millisecond))
	}
	if n := len(a.queue.marks); n > 12_000 {
		t.Fatalf("%d moments are remembered", n)
	}
}
