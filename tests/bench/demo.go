package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/journal/filestore"
	"github.com/webhost-systems/drhost/host/report"
)

const demoDrill = "runbooks/drills/hetzner_replacement.lua"

// measureDemo holds the drill of make demo and compares its run with its
// critical path.
func measureDemo(ctx context.Context, b *bench) ([]row, error) {
	start := b.clock.Now()
	folder, err := b.holdDrill(ctx)
	if err != nil {
		return nil, err
	}
	whole := b.clock.Now().Sub(start)
	state, run := filepath.Dir(filepath.Dir(folder)), filepath.Base(folder)
	records, err := filestore.New(state, clock.System{}).Read(ctx, run)
	if err != nil {
		return nil, err
	}
	r, err := report.Build(records)
	if err != nil {
		return nil, err
	}
	if r.Status != "done" {
		return nil, fmt.Errorf("run %s of the demo ended as %s: %s", run, r.Status, r.Message)
	}
	wall, p, calls := r.Ended.Sub(r.Started), sequence(r.Steps, outside(r.Speed)), sequence(r.Steps, asMeasured)
	if p.total <= 0 || p.total > calls.total || calls.total > wall {
		return nil, fmt.Errorf("run %s took %s, its calls %s, and its critical path is %s, which cannot be", run, wall, calls.total, p.total)
	}
	rows := []row{{Benchmark: "the demo's run", Took: wall, Rival: "its critical path", RivalTook: p.total, TargetRatio: 1.15},
		{Benchmark: "the demo's run", Took: wall, Rival: "its calls as they took", RivalTook: calls.total}}
	for _, module := range p.modules() {
		if p.spent[module] == 0 {
			continue
		}
		rows = append(rows, row{Benchmark: "  of the critical path: " + module, Took: p.spent[module]})
	}
	return append(rows, row{Benchmark: "the whole drill, with its world", Took: whole, Rival: "its critical path", RivalTook: p.total}), nil
}

// holdDrill holds the demo's drill and returns the folder of its run, which is
// kept in a state folder of its own.
func (b *bench) holdDrill(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, b.program, "drill", demoDrill, "--json", "--state", filepath.Join(b.scratch, "state"))
	cmd.Dir = b.root
	var said strings.Builder
	cmd.Stderr = &said
	text, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("drhost drill %s: %w\n%s%s", demoDrill, err, tail([]byte(said.String())), tail(text))
	}
	var results []struct {
		Verdict struct {
			Folder string `json:"folder"`
		} `json:"verdict"`
	}
	if err := json.Unmarshal(text, &results); err != nil {
		return "", fmt.Errorf("read the drill's result: %w", err)
	}
	if len(results) != 1 || results[0].Verdict.Folder == "" {
		return "", errors.New("the drill's result names no run")
	}
	return results[0].Verdict.Folder, nil
}

// path is what a piece of a run had to wait for, by module.
type path struct {
	total time.Duration
	spent map[string]time.Duration
}

// waiting is what the engine's own waits are counted under.
const waiting = "waits"

// worth is what a call of a module counts.
type worth func(module string, call *report.Node) time.Duration

// asMeasured counts a call as it took, work on this side of the connection
// included.
func asMeasured(_ string, call *report.Node) time.Duration { return time.Duration(call.Wall) }

// outside counts what no host could save: the waits of the simulated world,
// and all of a call that PostgreSQL works for. A clock of some speed cuts off
// all but one part in that many of every wait, and the journal has what was
// cut off; so it also tells what was really waited.
func outside(speed float64) worth {
	return func(module string, call *report.Node) time.Duration {
		if module == "backup" || module == "pg" || speed <= 1 {
			return asMeasured(module, call)
		}
		cut := float64(call.Live - call.Wall)
		return min(time.Duration(cut/(speed-1)), time.Duration(call.Wall))
	}
}

// sequence adds up what follows one another.
func sequence(nodes []*report.Node, w worth) path {
	sum := path{spent: map[string]time.Duration{}}
	for _, n := range nodes {
		sum.add(critical(n, w))
	}
	return sum
}

func (p *path) add(q path) {
	p.total += q.total
	for module, d := range q.spent {
		p.spent[module] += d
	}
}

// critical is the path through one node: branches are worth the one that ends
// last, and the host's own words are worth nothing but for waits.
func critical(n *report.Node, w worth) path {
	switch n.Form {
	case "parallel", "each":
		return branches(n.Children, w)
	case "call":
		module, _, _ := strings.Cut(n.Call, ".")
		switch {
		case n.Call == "host.wait":
			module = waiting
		case module == "host" || module == "run":
			return path{}
		}
		took := w(module, n)
		return path{took, map[string]time.Duration{module: took}}
	}
	return sequence(n.Children, w)
}

// branches is the path to the branch that ends last. A branch that began after
// another had ended (each with at_once) waited for it, and comes after it.
func branches(nodes []*report.Node, w worth) path {
	nodes = slices.Clone(nodes)
	slices.SortStableFunc(nodes, func(a, b *report.Node) int { return a.Started.Compare(b.Started) })
	var longest path
	var before []path // up to the end of each node
	for i, n := range nodes {
		own := path{spent: map[string]time.Duration{}}
		var waited path
		for k, e := range nodes[:i] {
			if !e.Ended.After(n.Started) && before[k].total > waited.total {
				waited = before[k]
			}
		}
		own.add(waited)
		own.add(critical(n, w))
		before = append(before, own)
		if own.total >= longest.total {
			longest = own
		}
	}
	return longest
}

// modules are those on the path, the one waited for longest first.
func (p path) modules() []string {
	names := make([]string, 0, len(p.spent))
	for name := range p.spent {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if p.spent[a] != p.spent[b] {
			return int(p.spent[b] - p.spent[a])
		}
		return strings.Compare(a, b)
	})
	return names
}
