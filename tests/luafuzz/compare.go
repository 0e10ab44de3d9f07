package luafuzz

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/sandbox"
)

//go:embed driver.lua
var driver string

const (
	separator = "\n--@@ next program @@\n"
	batchSize = 250
	failed    = "ERROR\n"
	refused   = "SYNTAX "
)

// Difference is a program that printed something else under the two.
type Difference struct {
	Seed       uint64
	Source     string // shrunk
	Ours, PUCs string
}

func (d Difference) String() string {
	return fmt.Sprintf("seed %d\n--- program\n%s--- lua5.1\n%s--- drhost\n%s", d.Seed, d.Source, cut(d.PUCs), cut(d.Ours))
}

// cut shortens what an endless loop printed.
func cut(s string) string {
	const most = 2000
	if len(s) > most {
		return s[:most/2] + "\n...\n" + s[len(s)-most/2:]
	}
	return s
}

// Result is what a comparison found.
type Result struct {
	Programs    int
	Differing   int
	Differences []Difference // the first few, shrunk
}

func (r Result) String() string {
	return fmt.Sprintf("programs %d, differences %d", r.Programs, r.Differing)
}

// Compare runs programs from seed on until programs were tried or more says
// no, and keeps the first keep differences. It needs lua5.1 on the PATH.
func Compare(ctx context.Context, seed uint64, programs, keep int, more func(Result) bool) (Result, error) {
	var r Result
	for r.Programs < programs && more(r) {
		n := min(batchSize, programs-r.Programs)
		batch := make([]*Program, n)
		sources := make([]string, n)
		for i := range batch {
			batch[i] = Generate(seed + uint64(r.Programs+i))
			sources[i] = batch[i].Source()
		}
		pucs, err := Reference(ctx, sources)
		if err != nil {
			return r, err
		}
		for i, source := range sources {
			if !same(Ours(ctx, source), pucs[i]) {
				if r.Differing++; len(r.Differences) < keep {
					r.Differences = append(r.Differences, shrink(ctx, batch[i]))
				}
			}
		}
		r.Programs += n
	}
	return r, nil
}

// Ours is what source prints in host/sandbox.
func Ours(ctx context.Context, source string) string {
	var out bytes.Buffer
	err := sandbox.RunPlain(ctx, sandbox.Limits{Instructions: 20_000_000}, "p", []byte(source), &out)
	var syntax *sandbox.SyntaxError
	if errors.As(err, &syntax) {
		return refused + syntax.Error() + "\n"
	}
	var script *sandbox.ScriptError
	if errors.As(err, &script) && script.Err != nil {
		return out.String() + "STOPPED " + script.Err.Error() + "\n"
	}
	if err != nil {
		out.WriteString(failed)
	}
	return out.String()
}

// Reference is what each source prints under PUC Lua 5.1, all in one process.
func Reference(ctx context.Context, sources []string) ([]string, error) {
	binary, err := exec.LookPath("lua5.1")
	if err != nil {
		return nil, fmt.Errorf("find lua5.1 (Debian package lua5.1): %w", err)
	}
	folder, err := os.MkdirTemp("", "luafuzz")
	if err != nil {
		return nil, fmt.Errorf("make a folder for programs: %w", err)
	}
	defer os.RemoveAll(folder)
	script, programs := filepath.Join(folder, "driver.lua"), filepath.Join(folder, "programs")
	if err := os.WriteFile(script, []byte(driver), 0o600); err != nil {
		return nil, fmt.Errorf("write the driver: %w", err)
	}
	if err := os.WriteFile(programs, []byte(strings.Join(sources, separator)), 0o600); err != nil {
		return nil, fmt.Errorf("write the programs: %w", err)
	}
	out, err := exec.CommandContext(ctx, binary, script, programs).Output()
	if err != nil {
		return nil, fmt.Errorf("run lua5.1: %w", err)
	}
	printed := strings.Split(string(out), separator)
	if len(printed) != len(sources) {
		return nil, fmt.Errorf("lua5.1 ran %d programs of %d", len(printed), len(sources))
	}
	return printed, nil
}

// same tells whether two outputs agree. Messages of refused programs may differ.
func same(ours, pucs string) bool {
	return ours == pucs || strings.HasPrefix(ours, refused) && strings.HasPrefix(pucs, refused)
}

// shrink drops statements for as long as the program still differs.
func shrink(ctx context.Context, p *Program) Difference {
	d := Difference{Seed: p.Seed}
	differs := func() bool {
		source := p.Source()
		short, cancel := context.WithTimeout(ctx, time.Second) // without its counter a loop is endless
		defer cancel()
		pucs, err := Reference(short, []string{source})
		if err != nil || strings.HasPrefix(pucs[0], refused) {
			return false
		}
		ours := Ours(ctx, source)
		if same(ours, pucs[0]) || d.Source != "" && strings.HasPrefix(ours, refused) != strings.HasPrefix(d.Ours, refused) {
			return false
		}
		d.Source, d.Ours, d.PUCs = strings.TrimPrefix(source, prelude), ours, pucs[0]
		return true
	}
	differs()
	for tries := 0; drop(p.block, differs, &tries) && tries < 600; {
	}
	return d
}

// drop drops every statement it can do without, the last ones first, and
// reports whether there was one.
func drop(b *block, differs func() bool, tries *int) bool {
	dropped := false
	for i := len(b.stmts) - 1; i >= 0 && *tries < 600; i-- {
		all, s := b.stmts, b.stmts[i]
		*tries++
		b.stmts = append(append([]*stmt{}, all[:i]...), all[i+1:]...)
		if differs() {
			dropped = true
			continue
		}
		b.stmts = all
		for _, part := range s.parts {
			if inner, ok := part.(*block); ok {
				*tries++
				b.stmts = append(append(append([]*stmt{}, all[:i]...), inner.stmts...), all[i+1:]...)
				if differs() {
					dropped = true
					break
				}
				b.stmts = all
				dropped = drop(inner, differs, tries) || dropped
			}
		}
	}
	return dropped
}
