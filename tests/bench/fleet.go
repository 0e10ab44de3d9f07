package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	fleetBudget = 3600             // requests an hour; one a second flows back
	fleetBoot   = 15 * time.Second // of a simulated machine
	fleetPage   = 50               // servers on a page of a list
	fleetMemory = 200              // MiB
)

// fleet is how many servers are recovered at once, and how many times faster
// than life their world waits. drhost's own work is not made faster with it,
// so that a short recovery is held in real time.
type fleet struct {
	servers int
	speed   float64
}

func fleets() []fleet { return []fleet{{1, 1}, {10, 2}, {100, 10}, {500, 10}} }

// leastRequests are those without which no client starts n servers: the list
// of them, and one request each.
func leastRequests(n int) int { return (n+fleetPage-1)/fleetPage + n }

// fleetBound is how long recovering n servers takes at least: the requests at
// the rate at which an empty budget refills, and the boot of the last one.
func fleetBound(n int, speed float64) time.Duration {
	last := time.Duration(leastRequests(n)) * time.Hour / fleetBudget
	return time.Duration(float64(last+fleetBoot) / speed)
}

// recovered is what came of one fleet.
type recovered struct {
	took     time.Duration
	requests int
	memory   int64 // bytes
}

// measureFleet recovers fleets of growing size.
func measureFleet(ctx context.Context, b *bench) ([]row, error) {
	if _, err := os.Stat(b.program); err != nil {
		return nil, fmt.Errorf("%s is not built: run make bench", b.program)
	}
	var rows []row
	before := 0.0 // requests per server of the smaller fleet
	for _, f := range fleets() {
		n := f.servers
		r, err := b.recoverFleet(ctx, f)
		if err != nil {
			return nil, fmt.Errorf("%d servers: %w", n, err)
		}
		each := float64(r.requests) / float64(n)
		name := fmt.Sprintf("%d servers", n)
		rows = append(rows, row{Benchmark: name + " recovered", Took: r.took, Rival: "the rate limit and one boot", RivalTook: fleetBound(n, f.speed), TargetRatio: 1.2},
			row{Benchmark: name + ", requests a server", Count: &count{each, "requests", before}},
			row{Benchmark: name + ", memory of drhost", Count: &count{float64(r.memory) / (1 << 20), "MiB", fleetMemory}})
		before = each
	}
	return rows, nil
}

// fleetWorld is a world of n servers that are off, at an account whose hour
// is used up.
func fleetWorld(n int) string {
	var text strings.Builder
	fmt.Fprintf(&text, "title = \"A fleet\"\n[hetzner]\nrequests_spent = %d\n", fleetBudget)
	for i := range n {
		fmt.Fprintf(&text, "[[server]]\nname = \"fleet-%03d\"\ntype = \"cx22\"\nimage = \"debian-12\"\nlocation = \"fsn1\"\nlabels = { tier = \"hobby\" }\noff = true\n", i+1)
	}
	return text.String()
}

// recoverFleet starts the world of a fleet, runs the runbook in a process of
// its own and looks at what it took.
func (b *bench) recoverFleet(ctx context.Context, f fleet) (r recovered, err error) {
	dir, err := os.MkdirTemp(b.scratch, "fleet-")
	if err != nil {
		return r, err
	}
	world := filepath.Join(dir, "fleet.toml")
	if err := writeFile(world, fleetWorld(f.servers)); err != nil {
		return r, err
	}
	if err := writeFile(filepath.Join(dir, "drhost.toml"), "default_env = \"bench\"\n\n[env.bench]\n"); err != nil {
		return r, err
	}
	runbook, err := os.ReadFile(filepath.Join(b.root, "runbooks", "hobby_fleet.lua"))
	if err != nil {
		return r, err
	}
	if err := writeFile(filepath.Join(dir, "hobby_fleet.lua"), string(runbook)); err != nil {
		return r, err
	}
	end, err := b.keepWorld(ctx, dir, world, f.speed)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, end()) }()

	run := b.command(ctx, dir, "run", "hobby_fleet.lua", "--env", "sim", "--yes", "--no-input", "--input", "domain=-")
	start := b.clock.Now()
	text, err := run.CombinedOutput()
	r.took = b.clock.Now().Sub(start)
	if err != nil {
		return r, fmt.Errorf("recover: %w\n%s", err, tail(text))
	}
	if usage, ok := run.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.memory = usage.Maxrss << 10
	}
	r.requests, err = b.requestsSeen(ctx, dir, f.servers)
	return r, err
}

func (b *bench) command(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, b.program, args...)
	cmd.Dir = dir
	return cmd
}

// keepWorld runs a simulated world until the function it returns is called.
func (b *bench) keepWorld(ctx context.Context, dir, world string, speed float64) (end func() error, err error) {
	sim := b.command(ctx, dir, "sim", "--world", world, "--speed", fmt.Sprint(speed), "--json")
	said := &bytes.Buffer{}
	sim.Stderr = said
	out, err := sim.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := sim.Start(); err != nil {
		return nil, err
	}
	end = func() error {
		if err := sim.Process.Signal(os.Interrupt); err != nil {
			return err
		}
		_ = sim.Wait() // it was interrupted, and says so
		return nil
	}
	var described map[string]any // the first thing it says, once it can be used
	if err := json.NewDecoder(out).Decode(&described); err != nil {
		return nil, errors.Join(fmt.Errorf("start the world: %w\n%s", err, tail(said.Bytes())), end())
	}
	go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the process
	return end, nil
}

// requestsSeen counts the requests to Hetzner, and checks that each server was
// started once.
func (b *bench) requestsSeen(ctx context.Context, dir string, n int) (int, error) {
	text, err := b.command(ctx, dir, "sim", "show", "requests").Output()
	if err != nil {
		return 0, fmt.Errorf("ask for the requests: %w", err)
	}
	var list []struct {
		Provider string `json:"provider"`
		Acted    bool   `json:"acted"`
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return 0, fmt.Errorf("read the requests: %w", err)
	}
	all, acted := 0, 0
	for _, r := range list {
		if r.Provider != "hetzner" {
			continue
		}
		all++
		if r.Acted {
			acted++
		}
	}
	if acted != n {
		return all, fmt.Errorf("%d mutations were carried out for %d servers", acted, n)
	}
	return all, nil
}
