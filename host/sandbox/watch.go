package sandbox

import (
	"context"
	"runtime/metrics"
	"sync/atomic"
	"time"

	"github.com/webhost-systems/drhost/host/clock"
)

const watchEvery = 5 * time.Millisecond

// watch looks after a VM from a goroutine of its own, because one instruction
// of a script may fill a table or read a long string: instructions alone do
// not tell what it costs. It never touches the VM; it leaves word, and the
// script's thread finds it before its next instruction.
type watch struct {
	running atomic.Bool  // script code runs; else it waits for a call or a person
	refills atomic.Int64 // counted up when the script gets a fresh allowance
	tight   atomic.Bool  // the heap has outgrown the limit
	spent   atomic.Int64 // number of the allowance whose time is used up, plus 1
	credit  atomic.Int64 // nanoseconds that the script may use again
	most    atomic.Int64 // nanoseconds of processor time in one allowance
	word    atomic.Bool  // one of the two above is news
}

// start watches until the function that it returns is called.
func (w *watch) start(heap uint64) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		heapNow := newHeapGauge()
		var used time.Duration
		var allowance int64
		last, at := clock.CPU(), clock.System{}.Now()
		for (clock.System{}).Sleep(ctx, watchEvery) == nil {
			now, then := clock.CPU(), clock.System{}.Now()
			// One thread cannot use more than the time that has passed: the rest
			// is the answers to other branches, which are no work of the script.
			step := min(now-last, then.Sub(at))
			last, at = now, then
			if n := w.refills.Load(); n != allowance {
				allowance, used = n, 0
			}
			if w.running.Load() {
				used += step
			}
			used = max(0, used-time.Duration(w.credit.Swap(0)))
			if int64(used) > w.most.Load() && w.spent.Load() != allowance+1 {
				w.spent.Store(allowance + 1)
				w.word.Store(true)
			}
			if heapNow.objects() > heap {
				w.tight.Store(true)
				w.word.Store(true)
			}
		}
	}()
	return cancel
}

// heapGauge reads how many bytes the process's heap holds.
type heapGauge struct{ sample []metrics.Sample }

func newHeapGauge() heapGauge {
	return heapGauge{[]metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/heap/live:bytes"}}}
}

// objects counts what is in use and what is not yet collected.
func (g heapGauge) objects() uint64 {
	metrics.Read(g.sample)
	return g.sample[0].Value.Uint64()
}

// live counts what the last collection found in use.
func (g heapGauge) live() uint64 {
	metrics.Read(g.sample)
	return g.sample[1].Value.Uint64()
}
