// Package sandbox is the Lua virtual machine in which runbooks run: which
// libraries exist, how much a script may use, how values cross between Lua and
// Go, and the words of a runbook.
//
// It is the only package that knows gopher-lua's VM, and the one place that
// knows what gopher-lua does wrong: Compile rewrites what it would miscompile,
// pcall and the libraries are our own, DEVIATIONS.md lists what is left. A
// script must never reach a file, a process, a clock, an address or another
// source of chance, and nothing it does may end or hang the process.
package sandbox

import (
	"context"
	"math/rand/v2"
	"sync"

	lua "github.com/yuin/gopher-lua"

	"github.com/webhost-systems/drhost/host/words"
)

const (
	callDepth      = words.MaxCalls // nested Lua calls on one thread
	registryStart  = 2048           // values
	registryMax    = 64 << 10       // values
	registryStep   = 8192
	maxArrayIndex  = words.MaxList
	maxString      = words.MaxString // bytes of one string a script may build
	protectedDepth = words.MaxPcalls // nested pcalls
	spareThreads   = 8
)

// concatName and buildName are globals that the rewritten source calls. No
// script can spell them.
const (
	concatName = ".."
	buildName  = "{}"
)

var setArrayIndex sync.Once // lua.MaxArrayIndex is a variable of gopher-lua's package

// VM is one Lua world: its globals, limits and generator of chance. Its
// threads may run on several goroutines, one at a time: who holds the baton
// runs, the others wait (the owner of the VM sees to it).
type VM struct {
	root   *lua.LState // never runs; the pattern of all threads
	env    *lua.LTable // the globals
	limits Limits
	meter  meter
	spare  []*lua.LState
	random *rand.Rand
	// foresee answers what a plan cannot know; nil outside of one.
	foresee foreseer
	words   []string // names of the globals, for "did you mean"
}

// newVM makes a VM with the libraries and without words.
func newVM(limits Limits) *VM {
	setArrayIndex.Do(func() { lua.MaxArrayIndex = maxArrayIndex })
	root := lua.NewState(lua.Options{CallStackSize: 4, RegistrySize: 128, SkipOpenLibs: true})
	root.Options = lua.Options{ // for its threads
		CallStackSize: callDepth, RegistrySize: registryStart, RegistryMaxSize: registryMax,
		RegistryGrowStep: registryStep, SkipOpenLibs: true,
	}
	root.G.MainThread, root.G.CurrentThread = root, root
	vm := &VM{root: root, limits: limits.orDefault()}
	vm.meter.open(vm.limits)
	vm.Seed(0)
	vm.env = root.NewTable()
	root.Env, root.G.Global = vm.env, vm.env
	vm.lockEnvironment()
	vm.openBase()
	vm.openString()
	vm.openTable()
	vm.openMath()
	return vm
}

// Seed sets where math.random starts. The same seed gives the same numbers.
func (vm *VM) Seed(seed uint64) { vm.random = seeded(seed) }

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, seed^0x9e3779b97f4a7c15)) }

// chance is the generator of the line of execution that L belongs to.
func (vm *VM) chance(L *lua.LState) *rand.Rand {
	if f, ok := L.Context().(*fiber); ok {
		return f.random
	}
	return vm.random
}

// Refill gives the script a fresh allowance of instructions. The gate calls it
// whenever a call comes back, so that only work between calls is limited. A VM
// that was stopped for its memory stays stopped.
func (vm *VM) Refill() { vm.meter.refill() }

// outside does what is not the script's own work: calls, waits, the journal.
func (vm *VM) outside(do func()) {
	vm.meter.watch.running.Store(false)
	defer vm.meter.watch.running.Store(true)
	do()
}

// SetWord declares a global function of the host.
func (vm *VM) SetWord(name string, fn lua.LGFunction) {
	vm.SetGlobal(name, vm.root.NewFunction(fn))
}

// SetGlobal declares a global. Scripts can read it and never assign it.
func (vm *VM) SetGlobal(name string, v lua.LValue) {
	vm.env.RawSetString(name, v)
	vm.words = append(vm.words, name)
}

// Function makes a function of a compiled file.
func (vm *VM) Function(proto *lua.FunctionProto) *lua.LFunction {
	return vm.root.NewFunctionFromProto(proto)
}

// NewThread makes a thread on which one goroutine may call into the VM. It
// stops when ctx is done. Its L.Context() is a context of the VM's own; host
// code that waits takes contextOf(L) instead.
func (vm *VM) NewThread(ctx context.Context) *lua.LState {
	return vm.newThread(&fiber{vm: vm, parent: ctx, done: ctx.Done(), random: vm.random})
}

func (vm *VM) newThread(f *fiber) *lua.LState {
	L, _ := vm.root.NewThread()
	L.SetContext(f)
	L.Panic = raise
	return L
}

// borrow takes a spare thread for f, or makes one.
func (vm *VM) borrow(f *fiber) *lua.LState {
	if n := len(vm.spare); n > 0 {
		L := vm.spare[n-1]
		vm.spare = vm.spare[:n-1]
		L.SetContext(f)
		return L
	}
	return vm.newThread(f)
}

// giveBack keeps a thread whose call returned normally. One that ended in an
// error is dropped: its frames are what the traceback was read from, and
// closures may still point into its registry.
func (vm *VM) giveBack(L *lua.LState) {
	L.SetTop(0)
	if len(vm.spare) < spareThreads {
		vm.spare = append(vm.spare, L)
	}
}

// register puts Go functions into a table.
func (vm *VM) register(t *lua.LTable, functions map[string]lua.LGFunction) {
	for _, name := range sortedNames(functions) {
		t.RawSetString(name, vm.root.NewFunction(functions[name]))
	}
}
