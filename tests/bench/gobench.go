package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// measureCall runs the Go benchmarks of a gated call.
func measureCall(ctx context.Context, b *bench) ([]row, error) {
	found, err := b.goBench(ctx, "./host/sandbox", "^Benchmark(GatedCall|StockCall)$", "-count=7", "-benchtime=0.3s")
	if err != nil {
		return nil, err
	}
	gated, err := found.median("BenchmarkGatedCall", "ns/op")
	if err != nil {
		return nil, err
	}
	stock, err := found.median("BenchmarkStockCall", "ns/op")
	if err != nil {
		return nil, err
	}
	return []row{{Benchmark: "a gated call, no journal", Took: gated, Rival: "stock gopher-lua calling Go", RivalTook: stock, TargetTook: 10 * time.Microsecond}}, nil
}

// measureMutation runs the Go benchmark of a journaled mutation, which brings
// its rivals along.
func measureMutation(ctx context.Context, b *bench) ([]row, error) {
	found, err := b.goBench(ctx, "./host/gate", "^BenchmarkGatedMutation$", "-count=3", "-benchtime=300x")
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, rival := range []struct {
		unit, name string
		target     float64
	}{{"fsync-ns/op", "two bare append+fsync", 1.3}, {"datasync-ns/op", "two bare append+fdatasync", 0}} {
		gated, err := found.median("BenchmarkGatedMutation", "gated-ns/op")
		if err != nil {
			return nil, err
		}
		bare, err := found.median("BenchmarkGatedMutation", rival.unit)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row{Benchmark: "a journaled mutation", Took: gated, Rival: rival.name, RivalTook: bare, TargetRatio: rival.target})
	}
	return rows, nil
}

// measureRecord runs the Go benchmarks of a record's chain and of its
// redaction, which bring their rivals along.
func measureRecord(ctx context.Context, b *bench) ([]row, error) {
	var rows []row
	for _, m := range []struct{ pkg, name, unit, what, rival string }{
		{"./host/journal/filestore", "BenchmarkChain", "chained-ns/op", "a record in the hash chain", "encode as JSON and write"},
		{"./host/gate", "BenchmarkRedaction", "redacted-ns/op", "a record searched for ten secrets", "encode as JSON, no secrets"},
	} {
		found, err := b.goBench(ctx, m.pkg, "^"+m.name+"$", "-count=5", "-benchtime=100x")
		if err != nil {
			return nil, err
		}
		took, err := found.median(m.name, m.unit)
		if err != nil {
			return nil, err
		}
		bare, err := found.median(m.name, "bare-ns/op")
		if err != nil {
			return nil, err
		}
		rows = append(rows, row{Benchmark: m.what, Took: took, Rival: m.rival, RivalTook: bare})
	}
	return rows, nil
}

// goBench runs benchmarks whose temporary folders lie on the repository's disk.
func (b *bench) goBench(ctx context.Context, pkg, pattern string, flags ...string) (figures, error) {
	args := append([]string{"test", pkg, "-run", "^$", "-bench", pattern}, flags...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = b.root
	cmd.Env = append(os.Environ(), "TMPDIR="+b.scratch)
	text, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, tail(text))
	}
	return parseBench(string(text)), nil
}

// figures holds what benchmarks reported, by name and unit.
type figures map[string][]float64

// parseBench reads the lines of `go test -bench`:
//
//	BenchmarkName-2   	  1000	  8169 ns/op	  3384 B/op
func parseBench(text string) figures {
	found := figures{}
	for _, line := range strings.Split(text, "\n") {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name := fields[0]
		if at := strings.LastIndexByte(name, '-'); at > 0 { // the number of processors
			name = name[:at]
		}
		for i := 2; i+1 < len(fields); i += 2 {
			if v, err := strconv.ParseFloat(fields[i], 64); err == nil {
				found[name+" "+fields[i+1]] = append(found[name+" "+fields[i+1]], v)
			}
		}
	}
	return found
}

// median is of all counts of one benchmark, whose unit is nanoseconds.
func (f figures) median(name, unit string) (time.Duration, error) {
	values := slices.Sorted(slices.Values(f[name+" "+unit]))
	if len(values) == 0 {
		return 0, fmt.Errorf("%s reported no %s", name, unit)
	}
	return time.Duration(values[len(values)/2]), nil
}

// tail is the end of what a program printed, for an error.
func tail(text []byte) string {
	const shown = 2000
	if len(text) > shown {
		text = text[len(text)-shown:]
	}
	return strings.TrimSpace(string(text))
}
