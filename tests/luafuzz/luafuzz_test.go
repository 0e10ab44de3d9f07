package luafuzz

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/host/clock"
)

// TestDifferential compares for as long as DRHOST_FUZZ_TIME says, 5 seconds by
// default. Each run of the clock's day tries other programs; the seed is shown.
func TestDifferential(t *testing.T) {
	span := 5 * time.Second
	if s := os.Getenv("DRHOST_FUZZ_TIME"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatalf("DRHOST_FUZZ_TIME: %v", err)
		}
		span = d
	}
	start := clock.System{}.Now()
	seed := uint64(start.Unix()) << 16
	r, err := Compare(context.Background(), seed, 1<<30, 3, func(Result) bool {
		return clock.System{}.Now().Sub(start) < span
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%v (seed %d on)", r, seed)
	for _, d := range r.Differences {
		t.Errorf("difference:\n%v", d)
	}
	if r.Differing > 0 || r.Programs == 0 {
		t.Fail()
	}
}

// TestDifferencesAreFound makes sure that a comparison can fail: a program that
// prints what is known to differ.
func TestDifferencesAreFound(t *testing.T) {
	p := &Program{Seed: 1, block: &block{[]*stmt{text("local unused = 1"), one("do", &block{[]*stmt{text("P(1)"), text("print(#setmetatable({}, {__len = function() return 5 end}))"), text("P(2)")}}, "end")[0]}}}
	d := shrink(context.Background(), p)
	if d.Ours == d.PUCs || strings.TrimSpace(d.Source) != "print(#setmetatable({}, {__len = function() return 5 end}))" {
		t.Errorf("shrunk to %q; printed %q and %q", d.Source, d.Ours, d.PUCs)
	}
}

// TestProgramsAreOfUse makes sure that the generator does not degenerate:
// programs differ, most run to their end, and what goes wrong in gopher-lua
// is among them.
func TestProgramsAreOfUse(t *testing.T) {
	var all strings.Builder
	ended := 0
	const n = 100
	for seed := range uint64(n) {
		source := Generate(seed).Source()
		if source != Generate(seed).Source() {
			t.Fatalf("seed %d gives two programs", seed)
		}
		out := Ours(context.Background(), source)
		if strings.HasPrefix(out, refused) {
			t.Errorf("seed %d does not compile: %s", seed, out)
		}
		if !strings.HasSuffix(out, failed) {
			ended++
		}
		all.WriteString(source)
	}
	if ended < n*3/4 {
		t.Errorf("%d of %d programs ran to their end", ended, n)
	}
	for _, shape := range []string{" and ", "break", "repeat", "pcall", "xpcall", "setmetatable", "(...)", "__concat", "string.gsub", ", 49, ", "error({", ":go("} {
		if !strings.Contains(all.String(), shape) {
			t.Errorf("no program has %q", shape)
		}
	}
}
