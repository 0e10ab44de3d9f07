package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/webhost-systems/drhost/bindings"
	"github.com/webhost-systems/drhost/host"
	"github.com/webhost-systems/drhost/stdlib"
)

// version is set by the build: -ldflags "-X main.version=...".
var version = "dev"

// app is what every verb needs.
type app struct {
	host    *host.Host
	in      io.Reader
	out     io.Writer
	err     io.Writer
	json    bool // known before the flags are read, for mistakes in them
	noColor bool
}

func execute(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) (code int) {
	a := &app{in: in, out: out, err: errOut, json: slices.Contains(args, "--json")}
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(errOut, "drhost: a fault of drhost itself: %s; please report it with `drhost version` and the command\n", a.redact(fmt.Sprint(p)))
			code = host.ExitInternal
		}
	}()
	if err := host.KeepOutOfCores(); err != nil { // no reason to leave a disaster alone
		fmt.Fprintf(errOut, "drhost: %v; a crash may leave credentials on the disk\n", err)
	}
	h, err := host.New(bindings.Modules(), stdlib.Sources(), startWorld, bindings.WorldVerbs(), version)
	if err != nil {
		fmt.Fprintln(errOut, "drhost:", err)
		return host.ExitInternal
	}
	h.Verbs = stdlib.Verbs()
	h.WorldArguments = bindings.WorldFaultArguments
	a.host = h
	root := newRoot(a)
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	err = root.ExecuteContext(ctx)
	var quiet *exitError
	switch {
	case errors.As(err, &quiet):
		return quiet.code
	case err != nil:
		a.fail(err)
	}
	return exitCode(err)
}

// exitError ends the process with a code without saying anything more.
type exitError struct{ code int }

func (e *exitError) Error() string { return fmt.Sprintf("exit %d", e.code) }

func exitCode(err error) int {
	var usage *usageError
	if errors.As(err, &usage) {
		return host.ExitUsage
	}
	return host.ExitCode(err)
}

// usageError is a mistake on the command line.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }

// redact takes the credentials that are known out of text that is about to be
// printed.
func (a *app) redact(text string) string {
	if a.host == nil {
		return text
	}
	return a.host.Redact(text)
}

func (a *app) fail(err error) {
	text := a.redact(err.Error())
	if a.json {
		json.NewEncoder(a.out).Encode(map[string]any{"error": text, "exit": exitCode(err)})
		return
	}
	for _, line := range strings.Split(text, "\n") {
		fmt.Fprintln(a.err, "drhost:", line)
	}
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "drhost",
		Short: "Run disaster-recovery runbooks, for real or against a simulated cloud",
		Long: `drhost runs disaster-recovery runbooks. A runbook is a Lua file that operators
edit. Every call it makes is journaled, so that a run that dies goes on where it
stopped, and nothing is done twice.

Exit codes: 0 done · 1 the runbook failed · 2 bad usage, config or runbook ·
3 waits for a person · 4 interrupted, resumable · 5 recovered, but an objective
was missed · 6 journal locked, damaged or unwritable · 70 a fault of drhost.`,
		Example: `  drhost drill runbooks/drills/hetzner_replacement.lua
  drhost plan runbooks/hetzner_failure.lua --input server=hobby-1
  drhost run runbooks/hetzner_failure.lua --input server=hobby-1
  drhost resume last`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flags := root.PersistentFlags()
	flags.StringVar(&a.host.State, "state", "", "folder of journals (default .drhost beside drhost.toml)")
	flags.BoolVar(&a.json, "json", a.json, "print the result as JSON")
	flags.Lookup("json").DefValue = "false"
	flags.BoolVar(&a.noColor, "no-color", false, "print without colours (also NO_COLOR, CI)")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &usageError{fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath())}
	})
	root.AddCommand(newRun(a), newPlan(a), newResume(a), newUndo(a), newDrill(a), newSim(a), newRuns(a), newShow(a), newReport(a), newVerify(a),
		newHalt(a), newPause(a), newApprove(a), newBackup(a),
		newSecrets(a), newCheck(a), newList(a), newInit(a), newReference(a), newVersion(a))
	root.SuggestionsMinimumDistance = 2
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "completion": // without RunE a wrong shell's name would go unnoticed
			c.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		case "help":
			c.Args = helpTopic
			c.Example = "  drhost help run\n  drhost help sim fault"
		}
	}
	usageArgs(root)
	return root
}

// helpTopic refuses a verb that there is not.
func helpTopic(cmd *cobra.Command, args []string) error {
	found, rest, err := cmd.Root().Find(args)
	if err != nil || len(rest) > 0 || found == cmd.Root() && len(args) > 0 {
		return fmt.Errorf("there is no verb %q", strings.Join(args, " "))
	}
	return nil
}

// usageArgs gives wrong arguments the exit code of wrong usage.
func usageArgs(cmd *cobra.Command) {
	for _, c := range cmd.Commands() {
		args := c.Args
		if args != nil {
			c.Args = func(cmd *cobra.Command, list []string) error {
				if err := args(cmd, list); err != nil {
					return &usageError{fmt.Errorf("%w%s; see `%s --help`", err, detached(cmd, list), cmd.CommandPath())}
				}
				return nil
			}
		}
		usageArgs(c)
	}
	if !cmd.HasParent() {
		cmd.Args = func(cmd *cobra.Command, list []string) error {
			if len(list) == 0 {
				return nil
			}
			text := fmt.Sprintf("unknown command %q", list[0])
			if near := cmd.SuggestionsFor(list[0]); len(near) > 0 {
				text += fmt.Sprintf("; did you mean %q?", near[0])
			}
			return &usageError{fmt.Errorf("%s; see `drhost --help`", text)}
		}
	}
}

// detached tells of a value of --yes that stands beside it as an argument.
func detached(cmd *cobra.Command, args []string) string {
	yes := cmd.Flags().Lookup("yes")
	if yes == nil || !yes.Changed || yes.NoOptDefVal == "" {
		return ""
	}
	for _, value := range []string{"destroys", "approvals"} {
		if slices.Contains(args, value) {
			return fmt.Sprintf("; write --yes=%s, with an equals sign: %q is taken for an argument", value, value)
		}
	}
	return ""
}

// print writes v as JSON, or calls text.
func (a *app) print(v any, text func(io.Writer) error) error {
	if !a.json {
		return text(a.out)
	}
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// listed is list, which in JSON is [] and not null when it is empty.
func listed[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// color tells whether w may be painted.
func (a *app) color(w io.Writer) bool {
	return !a.noColor && os.Getenv("NO_COLOR") == "" && os.Getenv("CI") == "" && os.Getenv("TERM") != "dumb" && host.IsTerminal(w)
}

// interruptible ends the context at the first Ctrl-C, at the next safe point,
// and the process at the second.
func interruptible(ctx context.Context, say io.Writer) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		if _, ok := <-signals; !ok {
			return
		}
		fmt.Fprintln(say, "\ndrhost: stopping at the next safe point; once more stops at once")
		cancel(host.Interruption())
		if _, ok := <-signals; ok {
			os.Exit(host.ExitInterrupted)
		}
	}()
	return ctx, func() { signal.Stop(signals); close(signals); cancel(nil) }
}

// tethered ends the context when the drill that started this process says so,
// and the process when the drill is gone: its world is, too.
func tethered(ctx context.Context, tether io.Reader) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		for s := bufio.NewScanner(tether); s.Scan(); {
			cancel(host.Interruption())
		}
		os.Exit(host.ExitInterrupted)
	}()
	return ctx
}

func startWorld(ctx context.Context, path string, o host.WorldOptions) (host.LiveWorld, error) {
	return bindings.StartWorld(ctx, path, o.Name, o.Speed, o.Seed)
}
