package sandbox

import (
	"context"
	"fmt"
	"runtime"
	"runtime/metrics"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// Limits are what a script may use. Zero fields stand for the defaults.
type Limits struct {
	Instructions int64  // between two refills; default 200 million, some 20 seconds
	Heap         uint64 // bytes in use by the whole process; default 1 GiB
}

const (
	defaultInstructions = 200_000_000
	defaultHeap         = 1 << 30
	memoryCheck         = 1 << 14 // instructions between two looks at the heap; a power of two
)

func (l Limits) orDefault() Limits {
	if l.Instructions <= 0 {
		l.Instructions = defaultInstructions
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
// baton touches it.
type meter struct {
	limits Limits
	left   int64
	spent  error // out of instructions; a refill forgives it
	fatal  error // out of memory; nothing forgives it
	sample []metrics.Sample
	closed chan struct{}
}

func newMeter(limits Limits) meter {
	m := meter{limits: limits, left: limits.Instructions, closed: make(chan struct{}),
		sample: []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}}
	close(m.closed)
	return m
}

func (m *meter) refill() { m.left, m.spent = m.limits.Instructions, nil }

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
		m.spent = &LimitError{fmt.Sprintf("the script ran for %d instructions without calling anything; it is stopped as an endless loop", m.limits.Instructions)}
	}
	if before/memoryCheck != m.left/memoryCheck {
		m.checkHeap()
	}
	return m.err()
}

// checkHeap collects garbage before it judges, so that only what is really
// in use counts.
func (m *meter) checkHeap() {
	if m.heap() <= m.limits.Heap || m.fatal != nil {
		return
	}
	runtime.GC()
	if used := m.heap(); used > m.limits.Heap {
		m.fatal = &LimitError{fmt.Sprintf("the script is stopped because memory runs out: %d MiB are in use, the limit is %d MiB", used>>20, m.limits.Heap>>20)}
	}
}

func (m *meter) heap() uint64 {
	metrics.Read(m.sample)
	return m.sample[0].Value.Uint64()
}

// fiber is the context of one line of execution: a branch, and the threads on
// which its pcalls run. gopher-lua asks Done before each instruction; that is
// where instructions are counted and where a script is stopped.
type fiber struct {
	vm     *VM
	parent context.Context
	done   <-chan struct{}
	depth  int           // nested protected calls
	calls  []*lua.LState // their threads, outermost first
}

func (f *fiber) Done() <-chan struct{} {
	m := &f.vm.meter
	m.left--
	if m.left&(memoryCheck-1) == 0 || m.left < 0 || m.fatal != nil {
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
