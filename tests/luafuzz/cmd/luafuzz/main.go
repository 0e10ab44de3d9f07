// Command luafuzz compares drhost's Lua with PUC Lua 5.1 over many random
// programs. It ends with 1 when there was a difference. It must never need
// more than lua5.1 on the PATH.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"github.com/webhost-systems/drhost/tests/luafuzz"
)

func main() {
	programs := flag.Int("programs", 100_000, "how many programs to try")
	seed := flag.Uint64("seed", 1, "seed of the first program; the next has the next seed")
	keep := flag.Int("show", 5, "how many differing programs to shrink and show")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	shown := 0
	progress := func(r luafuzz.Result) bool {
		for ; shown < len(r.Differences); shown++ {
			fmt.Println(r.Differences[shown])
		}
		if r.Programs > 0 && r.Programs%10_000 == 0 {
			fmt.Fprintln(os.Stderr, r)
		}
		return ctx.Err() == nil
	}
	r, err := luafuzz.Compare(ctx, *seed, *programs, *keep, progress)
	progress(r)
	fmt.Println(r)
	if err != nil {
		fmt.Fprintln(os.Stderr, "luafuzz:", err)
		os.Exit(2)
	}
	if r.Differing > 0 {
		os.Exit(1)
	}
}
