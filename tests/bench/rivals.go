package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// k6Version is the release that is built. It takes minutes once; then it is
// kept in the user's cache folder.
const k6Version = "v1.8.1"

// absent is a rival that could not be had, and why.
type absent struct{ name, why string }

// rivals are a bare Go process and what else hosts scripts: those that this
// machine has, or that can be built. Only the bare Go process has to be there.
func (b *bench) rivals(ctx context.Context) ([]starter, []absent, error) {
	bare := filepath.Join(b.scratch, "bare")
	if err := writeFile(filepath.Join(bare, "main.go"), "package main\n\nfunc main() { println(\""+mark+"\") }\n"); err != nil {
		return nil, nil, err
	}
	if err := writeFile(filepath.Join(bare, "go.mod"), "module bare\n"); err != nil {
		return nil, nil, err
	}
	if err := build(ctx, bare, "bare"); err != nil {
		return nil, nil, err
	}
	found := []starter{{name: "a bare Go process", args: []string{filepath.Join(bare, "bare")}, dir: bare}}
	var missing []absent
	add := func(s starter, err error) {
		if err != nil {
			missing = append(missing, absent{s.name, firstLine(err)})
			return
		}
		found = append(found, s)
	}
	add(b.goja(ctx))
	add(b.k6(ctx))
	say := "print('" + mark + "')"
	add(installed("lua5.1", "lua5.1", "-e", say))
	add(installed("Node.js", "node", "-e", "console.log('"+mark+"')"))
	return found, missing, ctx.Err()
}

// goja is the smallest host of the engine that k6 uses. It is a Go module of
// its own, so that drhost does not depend on it.
func (b *bench) goja(ctx context.Context) (starter, error) {
	dir := filepath.Join(b.scratch, "goja")
	program := filepath.Join(dir, "goja")
	s := starter{name: "a minimal goja host", args: []string{program, "step.js"}, dir: dir}
	if err := writeFile(filepath.Join(dir, "step.js"), "print('"+mark+"')\n"); err != nil {
		return s, err
	}
	return s, build(ctx, filepath.Join(b.root, "tests", "bench", "rivals", "goja"), program)
}

// k6 starts with everything off that would leave the machine or open a port.
func (b *bench) k6(ctx context.Context) (starter, error) {
	dir := filepath.Join(b.scratch, "k6")
	s := starter{name: "k6 " + k6Version, dir: dir, env: []string{"K6_NO_USAGE_REPORT=true", "K6_AUTO_EXTENSION_RESOLUTION=false"}}
	if !b.withK6 {
		return s, errors.New("left out by -k6=false")
	}
	if err := writeFile(filepath.Join(dir, "step.js"), "export default function () { console.log('"+mark+"') }\n"); err != nil {
		return s, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return s, err
	}
	home := filepath.Join(cache, "drhost-bench", "k6-"+k6Version)
	program := filepath.Join(home, "k6")
	s.args = []string{program, "run", "--quiet", "--no-usage-report", "--no-summary", "--address", "", "step.js"}
	if _, err := os.Stat(program); err == nil {
		return s, nil
	}
	fmt.Fprintf(b.say, "building k6 %s, once, into %s: this takes minutes (-k6=false leaves it out)\n", k6Version, home)
	ctx, cancel := context.WithTimeout(ctx, 20*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "install", "-ldflags", "-s -w", "go.k6.io/k6@"+k6Version)
	cmd.Dir = b.scratch
	cmd.Env = append(os.Environ(), "GOBIN="+home, "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return s, fmt.Errorf("cannot be built: %w: %s", err, tail(text))
	}
	return s, nil
}

// installed is a program that the machine may have.
func installed(name, program string, args ...string) (starter, error) {
	s := starter{name: name}
	path, err := exec.LookPath(program)
	if err != nil {
		return s, fmt.Errorf("%s is not installed", program)
	}
	s.args = append([]string{path}, args...)
	return s, nil
}

// build builds the program in dir the way drhost itself is built.
func build(ctx context.Context, dir, program string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w: %s", filepath.Base(program), err, tail(text))
	}
	return nil
}

func firstLine(err error) string {
	text := err.Error()
	for i, c := range text {
		if c == '\n' {
			return text[:i]
		}
	}
	return text
}
