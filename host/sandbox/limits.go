package sandbox

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	lua "github.com/yuin/gopher-lua"

	"github.com/webhost-systems/drhost/host/words"
)

// Limits are what a script may use. Zero fields stand for the defaults.
type Limits struct {
	Instructions int64         // between two refills; default 10 million
	CPU          time.Duration // of one processor, between two refills; default 600 ms
	Heap         uint64        // bytes by which the heap may grow while the script runs; default 160 MiB
}

const (
	defaultInstructions = words.MaxInstructions
	defaultCPU          = words.MaxCPU
	defaultHeap         = words.MaxHeap
	leastInstructions   = 100_000 // an allowance never becomes less, nor less than leastCPU
	leastCPU            = 10 * time.Millisecond
	mostExhausted       = 8       // allowances used up before branches are not forgiven any more
	memoryCheck         = 1 << 14 // instructions between two looks at the heap; a power of two
)

func (l Limits) orDefault() Limits {
	if l.Instructions <= 0 {
		l.Instructions = defaultInstructions
	}
	if l.CPU <= 0 {
		l.CPU = defaultCPU
	}
	if l.Heap == 0 {
		l.Heap = defaultHeap
	}
	return l
}

// LimitError says which limit a script ran into. No pcall catches it.
type LimitError struct{ Message string }

func (e *LimitError) Error() string { return e.Message }

// meter counts what the threads of a VM use. Only the thread that holds the
// baton touches it; the watch beside it is for another goroutine.
type meter struct {
	limits Limits
	left   int64
	spent  error // out of instructions or time; a refill forgives it
	fatal  error // out of memory; nothing forgives it
	gauge  heapGauge
	most   uint64 // bytes of the heap at which the script is stopped
	closed chan struct{}
	watch  watch
	calls  int // of the host, under way
	stop   func()

	exhausted int // how often an allowance was used up
}

func (m *meter) open(limits Limits) {
	m.limits, m.left, m.closed, m.gauge = limits, limits.Instructions, make(chan struct{}), newHeapGauge()
	close(m.closed)
	m.most = m.gauge.live() + limits.Heap
	m.watch.most.Store(int64(limits.CPU))
}

// enter begins a call of the host into the VM, leave ends it. The watch goes
// about as long as there is one.
func (m *meter) enter() {
	if m.calls++; m.calls == 1 {
		m.stop = m.watch.start(m.most)
	}
	m.watch.running.Store(true)
}

func (m *meter) leave() {
	m.watch.running.Store(false)
	if m.calls--; m.calls == 0 {
		m.stop()
	}
}

func (m *meter) refill() {
	m.left, m.spent = m.limits.Instructions, nil
	m.watch.refills.Add(1)
}

// waited gives an allowance for a call that took so long, in part when it was
// short: a script whose calls answer at once is an endless loop like any other.
func (m *meter) waited(took time.Duration) {
	switch {
	case took >= words.FullWait:
		m.refill()
	case took >= words.InstantCall:
		share := float64(took) / float64(words.FullWait)
		m.left = min(m.limits.Instructions, m.left+int64(share*float64(m.limits.Instructions)))
		m.watch.credit.Add(int64(share * float64(m.limits.CPU)))
	}
}

// exhaust stops the script until the next refill. From then on the allowance
// is half of what it was, so that a thousand endless branches end soon, too.
func (m *meter) exhaust(err *LimitError) {
	if m.spent != nil {
		return
	}
	m.spent = err
	m.limits.Instructions = max(m.limits.Instructions/2, leastInstructions)
	m.limits.CPU = max(m.limits.CPU/2, leastCPU)
	m.watch.most.Store(int64(m.limits.CPU))
	m.exhausted++
}

// forgive lets a branch go on after another has used everything up; not for
// ever, because a loop may start branches.
func (m *meter) forgive() {
	if m.spent != nil && m.exhausted <= mostExhausted {
		m.refill()
	}
}

// err is why the script must stop, or nil.
func (m *meter) err() error {
	if m.fatal != nil {
		return m.fatal
	}
	return m.spent
}

// charge takes n instructions and looks at the heap now and then.
func (m *meter) charge(n int64) error {
	before := m.left
	m.left -= n
	if m.left < 0 && m.spent == nil {
		m.exhaust(&LimitError{fmt.Sprintf("the script did the work of %d instructions between two calls; it is stopped as an endless loop", m.limits.Instructions)})
	}
	if before/memoryCheck != m.left/memoryCheck {
		m.checkHeap()
	}
	if m.watch.word.Load() {
		m.heed()
	}
	return m.err()
}

// heed takes up what the watch has found.
func (m *meter) heed() {
	m.watch.word.Store(false)
	if m.watch.tight.Swap(false) {
		m.checkHeap()
	}
	if m.watch.spent.Load() == m.watch.refills.Load()+1 && m.spent == nil {
		m.exhaust(&LimitError{fmt.Sprintf("the script used %v of processor time between two calls; it is stopped as an endless loop", m.limits.CPU)})
	}
}

// checkHeap collects garbage before it judges, so that only what is really
// in use counts.
func (m *meter) checkHeap() {
	if m.gauge.objects() <= m.most || m.fatal != nil {
		return
	}
	runtime.GC()
	if used := m.gauge.objects(); used > m.most {
		m.fatal = &LimitError{fmt.Sprintf("the script is stopped because memory runs out: %d MiB are in use, the limit is %d MiB", used>>20, m.most>>20)}
	}
}

// fiber is the context of one line of execution: a branch, and the threads on
// which its pcalls run. gopher-lua asks Done before each instruction; that is
// where instructions are counted and where a script is stopped.
type fiber struct {
	vm     *VM
	parent context.Context
	done   <-chan struct{}
	depth  int           // nested protected calls
	random *rand.Rand    // where its numbers of chance come from
	calls  []*lua.LState // their threads, outermost first
}

func (f *fiber) Done() <-chan struct{} {
	m := &f.vm.meter
	m.left--
	if m.left&(memoryCheck-1) == 0 || m.left < 0 || m.err() != nil || m.watch.word.Load() {
		if m.slow() {
			return m.closed
		}
	}
	return f.done
}

// slow is what Done does seldom; it reports whether the script must stop.
func (m *meter) slow() bool {
	m.left++
	_ = m.charge(1)
	if m.left&(memoryCheck-1) == 0 {
		m.checkHeap()
	}
	return m.err() != nil
}

func (f *fiber) Err() error {
	if err := f.vm.meter.err(); err != nil {
		return err
	}
	return f.parent.Err()
}

func (f *fiber) Deadline() (time.Time, bool) { return f.parent.Deadline() }
func (f *fiber) Value(key any) any           { return f.parent.Value(key) }

// contextOf is the context that host functions called on L wait with: it is
// done when the branch is cancelled, and costs the script nothing.
func contextOf(L *lua.LState) context.Context {
	if f, ok := L.Context().(*fiber); ok {
		return f.parent
	}
	return context.Background()
}

// spend charges n instructions to the script for work done in Go, and raises
// when there are none left or the branch was cancelled.
func spend(L *lua.LState, n int) {
	f, ok := L.Context().(*fiber)
	if !ok {
		return
	}
	err := f.vm.meter.charge(int64(n))
	if err == nil {
		err = f.parent.Err()
	}
	if err != nil {
		raiseFatal(L, err)
	}
}
