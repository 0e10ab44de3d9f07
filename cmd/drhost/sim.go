package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/webhost-systems/drhost/bindings"
	"github.com/webhost-systems/drhost/host"
)

func newSim(a *app) *cobra.Command {
	var speed float64
	var seed int64
	var world string
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Keep a simulated cloud running, for people and for real clients",
		Long: `Starts the simulated world and prints the environment variables that point real
clients at it, such as Hetzner's hcloud. In another terminal, break it with
drhost sim fault, and recover it with drhost run --env sim. Ctrl-C ends it.`,
		Example: `  drhost sim
  drhost sim fault kill_server server=hobby-1
  drhost sim --world runbooks/worlds/production.toml
  drhost run runbooks/hetzner_failure.lua --env sim --input server=hobby-1 --yes`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := speedFlag(cmd, speed); err != nil {
				return err
			}
			ctx, done := interruptible(cmd.Context(), io.Discard)
			defer done()
			sim, err := a.host.StartSim(ctx, world, host.WorldOptions{Speed: speed, Seed: seed})
			if err != nil {
				return err
			}
			defer sim.Close()
			err = a.print(sim.World, func(w io.Writer) error {
				fmt.Fprintf(w, "# the simulated world runs at speed %g; point real clients at it with:\n", sim.World.Speed)
				for _, line := range sim.World.Env {
					fmt.Fprintf(w, "export %s\n", line)
				}
				fmt.Fprintf(w, "# HTTPS_PROXY and SSL_CERT_FILE lead clients without an endpoint option, such as flarectl, to the simulated\n# providers and nowhere else; the DNS of this world: dig @$DRHOST_DNS_HOST -p $DRHOST_DNS_PORT hobby.webhost.systems\n")
				if _, flies := sim.World.Settings["fly"]; flies {
					fmt.Fprint(w, "# flyctl leaves an agent running: flyctl agent stop; after deploy and secrets set it asks a public DNS server for\n# a minute, which does not know this world: --dns-checks=false\n# break it:   drhost sim fault lose_leader app=webhost-prod-db\n# Ctrl-C ends it\n")
					return nil
				}
				_, err := fmt.Fprintf(w, "# break it:   drhost sim fault kill_server server=hobby-1\n# recover it: drhost run runbooks/hetzner_failure.lua --env sim --input server=hobby-1\n# Ctrl-C ends it\n")
				return err
			})
			if err != nil {
				return err
			}
			return sim.Wait(ctx)
		},
	}
	cmd.Flags().Float64Var(&speed, "speed", 1, "how many times faster the simulated providers wait")
	cmd.Flags().Int64Var(&seed, "seed", 1, "seed of the simulated world")
	cmd.Flags().StringVar(&world, "world", "", "description of the world (default: runbooks/worlds/webhost.toml)")
	cmd.AddCommand(newSimFault(a), newSimState(a))
	return cmd
}

// speedFlag refuses a --speed at which nothing would ever end.
func speedFlag(cmd *cobra.Command, speed float64) error {
	if cmd.Flags().Changed("speed") && !(speed > 0 && speed <= maxSpeed) {
		return &usageError{fmt.Errorf("--speed %g: it is a number above 0, such as 60, and at most %.0f", speed, float64(maxSpeed))}
	}
	return nil
}

// maxSpeed leaves of a wait of ten minutes less than a millisecond.
const maxSpeed = 1e6

func newSimFault(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "fault [NAME argument=value..]",
		Short: "Break the running simulated world; without a name, list the faults",
		Example: `  drhost sim fault
  drhost sim fault hang_server server=hobby-1
  drhost sim fault sold_out location=fsn1`,

		ValidArgsFunction: completeFaults,
		RunE: func(cmd *cobra.Command, args []string) error {
			answer, err := a.host.SimFault(cmd.Context(), ".", args)
			if err != nil {
				return err
			}
			if len(args) == 0 && !a.json {
				return a.faults(answer)
			}
			return a.raw(answer)
		},
	}
}

// faults prints those that the world knows, each with what it is told.
func (a *app) faults(answer []byte) error {
	var names []string
	if err := json.Unmarshal(answer, &names); err != nil {
		return err
	}
	for _, name := range names {
		line := name
		for _, argument := range bindings.WorldFaultArguments(name) {
			line += " " + argument + "=.."
		}
		fmt.Fprintln(a.out, line)
	}
	return nil
}

// completeFaults knows the names of faults, and then the arguments of one that
// are not there yet.
func completeFaults(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return bindings.WorldFaults(), cobra.ShellCompDirectiveNoFileComp
	}
	var out []string
	for _, name := range bindings.WorldFaultArguments(args[0]) {
		if !slices.ContainsFunc(args[1:], func(given string) bool { return strings.HasPrefix(given, name+"=") }) {
			out = append(out, name+"=")
		}
	}
	return out, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
}

func newSimState(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "show [state|requests|faults|inbox]",
		Short:   "Print what the running simulated world holds, or the requests it got",
		Example: `  drhost sim show requests`,
		Args:    cobra.MaximumNArgs(1),

		ValidArgsFunction: cobra.FixedCompletions([]string{"state", "requests", "faults", "inbox"}, cobra.ShellCompDirectiveNoFileComp),
		RunE: func(cmd *cobra.Command, args []string) error {
			what := "state"
			if len(args) == 1 {
				what = args[0]
			}
			answer, err := a.host.SimShow(cmd.Context(), ".", what)
			if err != nil {
				return err
			}
			return a.raw(answer)
		},
	}
}

// raw prints JSON that came from the world, indented.
func (a *app) raw(text []byte) error {
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		return err
	}
	enc := json.NewEncoder(a.out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
