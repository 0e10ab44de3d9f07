package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/webhost-systems/drhost/host"
)

func newDrill(a *app) *cobra.Command {
	var speed float64
	var repeat int
	var seed int64
	cmd := &cobra.Command{
		Use:   "drill DRILL..",
		Short: "Break a simulated cloud, recover it, and judge the recovery",
		Long: `Each drill starts a simulated world (provider APIs, DNS, machines with SSH and a
real PostgreSQL on loopback), injects its faults, recovers it with its runbook in
a process of its own, and measures RTO and RPO. Exit code 1 when one fails.`,
		Example: `  drhost drill runbooks/drills/hetzner_replacement.lua
  drhost drill runbooks/drills --speed 120 --repeat 3`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := speedFlag(cmd, speed); err != nil {
				return err
			}
			if repeat < 1 {
				return &usageError{fmt.Errorf("--repeat %d: it is a number from 1 on", repeat)}
			}
			files, err := a.host.Drills(args)
			if err != nil {
				return err
			}
			ctx, done := interruptible(cmd.Context(), a.err)
			defer done()
			var results []host.DrillResult
			failed := false
			for n := range repeat {
				for _, file := range files {
					result, err := a.host.Drill(ctx, host.DrillRequest{File: file, Speed: speed, Seed: seed + int64(n), Out: io.Discard, Err: a.err, Flags: a.passOn(),
						Say: func(format string, args ...any) { fmt.Fprintf(a.err, format+"\n", args...) }})
					if err != nil {
						if !strings.HasPrefix(err.Error(), file) {
							err = fmt.Errorf("%s: %w", file, err)
						}
						return err
					}
					if !a.json {
						a.host.DrillSummary(a.out, result, a.color(a.out))
					}
					failed = failed || !result.Verdict.Passed
					results = append(results, *result)
				}
			}
			if a.json {
				a.print(results, nil)
			}
			if failed {
				return &exitError{host.ExitFailed}
			}
			return nil
		},
	}
	cmd.Flags().Float64Var(&speed, "speed", 0, "how many times faster the simulated providers wait (default: the drill's own)")
	cmd.Flags().IntVar(&repeat, "repeat", 1, "how often each drill is held")
	cmd.Flags().Int64Var(&seed, "seed", 1, "seed of the simulated world")
	return cmd
}

// passOn are the flags that the run part of a drill inherits.
func (a *app) passOn() []string {
	var flags []string
	if !a.color(a.err) {
		flags = append(flags, "--no-color")
	}
	if host.IsTerminal(a.out) && !a.json {
		flags = append(flags, "--erase-view")
	}
	return flags
}
