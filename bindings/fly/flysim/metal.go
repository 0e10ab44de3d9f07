package flysim

import (
	"context"
	"maps"
	"sync"
)

// Metal is what machines run on. Its methods are called without the
// simulator's lock, for one machine one at a time.
type Metal interface {
	// Start runs a machine that does not run. It returns when the machine's
	// processes have been started, not when they are ready.
	Start(ctx context.Context, b Blueprint) error
	// Stop ends a machine's processes in order; without effect when none run.
	Stop(ctx context.Context, machine string) error
	// Kill ends them at once, as a failure of the host or SIGKILL does.
	Kill(machine string)
	// Destroy forgets a machine; its volume stays.
	Destroy(machine string)
	// Exec runs a command inside a machine that runs.
	Exec(ctx context.Context, machine string, c Command) (Output, error)
	// Checks tells what the machine's health checks say now. Those that the
	// metal does not name have the state of the machine.
	Checks(ctx context.Context, machine string) []Check
	// MakeVolume makes a volume: empty, out of a snapshot, or as the copy of
	// another volume.
	MakeVolume(ctx context.Context, volume, snapshot, source string) error
	// Snapshot keeps a volume as it is now.
	Snapshot(ctx context.Context, volume, snapshot string) error
	// DestroyVolume drops a volume and its data.
	DestroyVolume(volume string)
}

// Blueprint is what a machine is started from.
type Blueprint struct {
	ID        string
	Name      string
	App       string
	Region    string
	Image     string
	PrivateIP string
	Volume    string            // id; "" when it has none
	Env       map[string]string // with the app's secrets as they were when the machine was configured
	Postgres  bool              // it belongs to a Postgres app
}

// Command is what exec was asked for.
type Command struct {
	Line  string   // as a shell splits it, without a shell's other doings
	Words []string // the command in words; wins over Line
	Stdin string
}

// Output is how a command ended.
type Output struct {
	Stdout, Stderr string
	Exit           int
	Signal         int
	Question       bool // it only looked: nothing was changed by it
}

// Check is the state of one health check.
type Check struct {
	Name   string
	Status string // passing, warning or critical
	Output string
}

// Bare is Metal that only remembers what runs: for tests of the API alone.
// The zero value is ready for use.
type Bare struct {
	mu      sync.Mutex
	running map[string]Blueprint
}

// Start is Metal's.
func (b *Bare) Start(_ context.Context, p Blueprint) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.running == nil {
		b.running = map[string]Blueprint{}
	}
	p.Env = maps.Clone(p.Env)
	b.running[p.ID] = p
	return nil
}

// Stop is Metal's.
func (b *Bare) Stop(_ context.Context, machine string) error {
	b.Kill(machine)
	return nil
}

// Kill is Metal's.
func (b *Bare) Kill(machine string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.running, machine)
}

// Running returns what a machine was started from, if it runs.
func (b *Bare) Running(machine string) (Blueprint, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p, ok := b.running[machine]
	return p, ok
}

// Destroy is Metal's.
func (b *Bare) Destroy(machine string) { b.Kill(machine) }

// Exec is Metal's: it knows true, false and echo.
func (b *Bare) Exec(_ context.Context, _ string, c Command) (Output, error) {
	words := c.Split()
	switch {
	case len(words) > 0 && words[0] == "true":
		return Output{Question: true}, nil
	case len(words) > 0 && words[0] == "false":
		return Output{Exit: 1}, nil
	case len(words) > 1 && words[0] == "echo":
		return Output{Stdout: words[1] + "\n"}, nil
	}
	return Output{Exit: 127, Stderr: "command not found\n"}, nil
}

// Checks is Metal's.
func (b *Bare) Checks(context.Context, string) []Check { return nil }

// MakeVolume is Metal's.
func (b *Bare) MakeVolume(context.Context, string, string, string) error { return nil }

// Snapshot is Metal's.
func (b *Bare) Snapshot(context.Context, string, string) error { return nil }

// DestroyVolume is Metal's.
func (b *Bare) DestroyVolume(string) {}
