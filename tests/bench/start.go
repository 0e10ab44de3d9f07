package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// mark is what every program prints as its first step.
const mark = "The first step"

// starter is a program that is started over and over.
type starter struct {
	name string
	args []string
	dir  string
	env  []string
}

// measureStart starts drhost and its rivals in turns.
func measureStart(ctx context.Context, b *bench) ([]row, error) {
	own, err := b.ownStart()
	if err != nil {
		return nil, err
	}
	rivals, missing, err := b.rivals(ctx)
	if err != nil {
		return nil, err
	}
	all := append([]starter{own}, rivals...)
	first, whole := make([][]time.Duration, len(all)), make([][]time.Duration, len(all))
	for round := range b.rounds + 1 {
		for i := range all {
			k := (i + round) % len(all)
			f, w, err := all[k].once(ctx, b)
			if err != nil {
				return nil, err
			}
			if round > 0 { // the first one warms the disk's cache
				first[k], whole[k] = append(first[k], f), append(whole[k], w)
			}
		}
	}
	var rows []row
	for i, s := range rivals {
		r := row{Benchmark: "start to first step", Took: middle(first[0]), Rival: s.name, RivalTook: middle(first[i+1])}
		if i == 0 {
			r.TargetTook = 50 * time.Millisecond
		}
		rows = append(rows, r)
	}
	for _, m := range missing {
		rows = append(rows, row{Benchmark: "start to first step", Took: middle(first[0]), Rival: m.name, Note: m.why})
	}
	for i, s := range rivals {
		rows = append(rows, row{Benchmark: "start to end of one empty step", Took: middle(whole[0]), Rival: s.name, RivalTook: middle(whole[i+1])})
	}
	return rows, nil
}

// ownStart lays down a project whose runbook has one empty step.
func (b *bench) ownStart() (starter, error) {
	if _, err := os.Stat(b.program); err != nil {
		return starter{}, fmt.Errorf("%s is not built: run make bench", b.program)
	}
	dir := filepath.Join(b.scratch, "start")
	for name, text := range map[string]string{
		"drhost.toml": "default_env = \"bench\"\n\n[env.bench.notify.channels.console]\nkind = \"console\"\n",
		"bench.lua": `return runbook {
  title = "How long it takes to start",
  run = function(input)
    step("` + mark + `", function() end)
    return finish("done")
  end,
}
`} {
		if err := writeFile(filepath.Join(dir, name), text); err != nil {
			return starter{}, err
		}
	}
	return starter{name: "drhost", args: []string{b.program, "run", "bench.lua", "--env", "bench", "--no-input"}, dir: dir}, nil
}

// once starts the program and measures until it has printed the mark, and
// until it has ended.
func (s starter) once(ctx context.Context, b *bench) (first, whole time.Duration, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return 0, 0, err
	}
	defer r.Close()
	cmd := exec.CommandContext(ctx, s.args[0], s.args[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = s.dir, append(os.Environ(), s.env...), w, w
	start := b.clock.Now()
	if err := cmd.Start(); err != nil {
		w.Close()
		return 0, 0, fmt.Errorf("start %s: %w", s.name, err)
	}
	w.Close() // the child has its own
	var said []byte
	buf := make([]byte, 4096)
	for {
		n, readErr := r.Read(buf)
		said = append(said, buf[:n]...)
		if first == 0 && bytes.Contains(said, []byte(mark)) {
			first = b.clock.Now().Sub(start)
		}
		if readErr == io.EOF {
			break
		}
		if readErr != nil {
			err = readErr
			break
		}
	}
	waitErr := cmd.Wait()
	whole = b.clock.Now().Sub(start)
	switch {
	case err != nil:
		return 0, 0, fmt.Errorf("listen to %s: %w", s.name, err)
	case waitErr != nil:
		return 0, 0, fmt.Errorf("%s: %w\n%s", s.name, waitErr, tail(said))
	case first == 0:
		return 0, 0, fmt.Errorf("%s never came to its first step:\n%s", s.name, tail(said))
	}
	return first, whole, nil
}

func middle(took []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(took))
	return sorted[len(sorted)/2]
}

func writeFile(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}
