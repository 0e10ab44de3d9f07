package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/webhost-systems/drhost/host"
)

// runOptions are the flags of run, plan and resume.
type runOptions struct {
	inputs     []string
	env        string
	yes        string
	noInput    bool
	detectedAt string
	operator   string
	breakGlass string
	plan       string
	id         string // hidden: the id of a drill's run part
	drill      string // hidden: the drill's title
	answers    string // hidden: the drill's scripted operator, JSON
	erase      bool   // hidden: the drill prints the tree itself
	tethered   bool   // hidden: standard input is held by the drill
}

func (o *runOptions) flags(f *pflag.FlagSet, starts bool) {
	if starts {
		f.StringArrayVar(&o.inputs, "input", nil, "an input of the runbook, name=value (repeatable)")
		f.StringVar(&o.env, "env", "", "environment: a name from drhost.toml, or sim (default: default_env)")
		f.StringVar(&o.detectedAt, "detected-at", "", "when the disaster was detected: RFC 3339, or 15:04 today (default: now)")
	}
	f.StringVar(&o.yes, "yes", "", "approve what is asked; --yes=destroys also what cannot be undone")
	f.Lookup("yes").NoOptDefVal = "approvals"
	f.BoolVar(&o.noInput, "no-input", false, "never ask; stop, resumable, where a person is needed")
	f.StringVar(&o.operator, "operator", "", "who runs it (default: the user's name)")
	f.StringVar(&o.breakGlass, "break-glass", "", "go on alone where other people's approvals are needed or a halt is down; the written justification is recorded")
}

func newRun(a *app) *cobra.Command {
	o := &runOptions{}
	cmd := &cobra.Command{
		Use:   "run RUNBOOK",
		Short: "Recover: run a runbook",
		Long: `Recover: run a runbook. With --plan it follows a plan that drhost plan has made:
runbook, inputs and environment are the plan's and need not be given again, and
others are refused, as is a runbook that was edited since. Every change that the
plan does not have is reported while the run goes and in its report. Before one
that destroys something a person is asked; unattended the run stops, resumable,
with exit code 3, unless --yes=destroys has answered beforehand.`,
		Example: `  drhost run runbooks/hetzner_failure.lua --input server=hobby-1
  drhost run runbooks/hetzner_failure.lua --input server=hobby-1 --env sim --yes
  drhost run --plan last`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && o.plan != "" {
				return nil
			}
			return cobra.ExactArgs(1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.run(cmd, strings.Join(args, ""), "run", o)
		},
	}
	o.flags(cmd.Flags(), true)
	f := cmd.Flags()
	f.StringVar(&o.plan, "plan", "", "follow this plan: report every deviation, and ask before one that destroys something")
	cmd.RegisterFlagCompletionFunc("plan", a.completeRuns)
	f.StringVar(&o.id, "run-id", "", "")
	f.StringVar(&o.drill, "drill", "", "")
	f.StringVar(&o.answers, "answers", "", "")
	f.BoolVar(&o.erase, "erase-view", false, "")
	f.BoolVar(&o.tethered, "tethered", false, "")
	for _, hidden := range []string{"run-id", "drill", "answers", "erase-view", "tethered"} {
		f.MarkHidden(hidden)
	}
	a.complete(cmd)
	return cmd
}

func newPlan(a *app) *cobra.Command {
	o := &runOptions{}
	cmd := &cobra.Command{
		Use:   "plan RUNBOOK",
		Short: "Say what a run would do: live reads, predicted writes",
		Long: `Say what a run would do, and do none of it. Reads are made, changes are
predicted. Where the runbook goes on by what nobody can know yet, such as
whether a reboot helps, both answers are followed. Values that only the run will
know are marked ‹planned›. The plan is kept: drhost show prints it again, and
drhost run --plan follows it and reports every deviation.`,
		Example: `  drhost plan runbooks/hetzner_failure.lua --input server=hobby-1 --env sim
  drhost run --plan last`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.run(cmd, args[0], "plan", o) },
	}
	o.flags(cmd.Flags(), true)
	a.complete(cmd)
	return cmd
}

func newResume(a *app) *cobra.Command {
	o := &runOptions{}
	cmd := &cobra.Command{
		Use:   "resume RUN",
		Short: "Go on with a run where it stopped",
		Example: `  drhost resume last
  drhost resume 20261123-0305-hetzner-failure-3f9a`,
		Args:              cobra.ExactArgs(1),
		RunE:              func(cmd *cobra.Command, args []string) error { return a.goOn(cmd, o, args[0], a.host.Resume) },
		ValidArgsFunction: a.completeRuns,
	}
	o.flags(cmd.Flags(), false)
	completeYes(cmd)
	return cmd
}

func newUndo(a *app) *cobra.Command {
	o := &runOptions{}
	cmd := &cobra.Command{
		Use:   "undo RUN",
		Short: "Take a run back: the undo of every step that finished, the last first",
		Long: `Take a run back. The steps that finished and say how to be undone (option undo)
are undone, the last first, after consent to the list. What was interrupted goes
on with the same command, and nothing is undone twice. Changes that no step
undoes are listed and left as they are. Consent covers the list; a call that
destroys something is asked about as in a run, or allowed by --yes=destroys.`,
		Example: `  drhost undo last
  drhost undo last --yes=destroys --no-input`,
		Args:              cobra.ExactArgs(1),
		RunE:              func(cmd *cobra.Command, args []string) error { return a.goOn(cmd, o, args[0], a.host.Undo) },
		ValidArgsFunction: a.completeRuns,
	}
	o.flags(cmd.Flags(), false)
	completeYes(cmd)
	return cmd
}

// goOn resumes a run or takes it back.
func (a *app) goOn(cmd *cobra.Command, o *runOptions, id string, how func(context.Context, string, string, host.Request) (*host.Result, error)) error {
	if err := noneEmpty(cmd, "yes", "operator", "break-glass"); err != nil {
		return err
	}
	r, view, err := a.request(o)
	if err != nil {
		return err
	}
	ctx, done := interruptible(cmd.Context(), view)
	defer done()
	result, err := how(ctx, ".", id, r)
	view.Close()
	return a.ended(result, err)
}

// noneEmpty refuses a flag whose value is empty: a script's unset variable
// must not choose the default environment or the present moment.
func noneEmpty(cmd *cobra.Command, names ...string) error {
	for _, name := range names {
		if f := cmd.Flags().Lookup(name); f != nil && f.Changed && f.Value.String() == "" {
			return &usageError{fmt.Errorf("--%s is empty; leave it out or give it a value", name)}
		}
	}
	return nil
}

func (a *app) run(cmd *cobra.Command, runbook, mode string, o *runOptions) error {
	if err := noneEmpty(cmd, "env", "detected-at", "yes", "operator", "break-glass"); err != nil {
		return err
	}
	r, view, err := a.request(o)
	if err != nil {
		return err
	}
	r.Runbook, r.Mode = runbook, host.Mode(mode)
	if o.drill != "" {
		r.Mode = host.Mode("drill")
	}
	ctx, done := interruptible(cmd.Context(), view)
	defer done()
	if o.tethered {
		ctx = tethered(ctx, a.in)
	}
	result, err := a.host.Run(ctx, r)
	view.Close()
	return a.ended(result, err)
}

// request turns flags into what the host needs, with a person to ask unless
// there is none.
func (a *app) request(o *runOptions) (host.Request, host.View, error) {
	r := host.Request{ID: o.id, Plan: o.plan, Drill: o.drill, Env: o.env, Name: o.operator, BreakGlass: o.breakGlass, YesDestroy: o.yes == "destroys", Input: map[string]string{}}
	if o.yes != "" && o.yes != "approvals" && o.yes != "destroys" {
		return r, nil, &usageError{fmt.Errorf("--yes=%s: it is --yes or --yes=destroys", o.yes)}
	}
	for _, in := range o.inputs {
		name, value, ok := strings.Cut(in, "=")
		if !ok || name == "" {
			return r, nil, &usageError{fmt.Errorf("--input %q: write name=value", in)}
		}
		if _, twice := r.Input[name]; twice {
			return r, nil, &usageError{fmt.Errorf("--input %s is given twice; give it once", name)}
		}
		r.Input[name] = value
	}
	var err error
	if r.DetectedAt, err = a.moment(o.detectedAt); err != nil {
		return r, nil, &usageError{err}
	}
	answers := map[string]string{}
	if o.answers != "" {
		if err := json.Unmarshal([]byte(o.answers), &answers); err != nil {
			return r, nil, &usageError{fmt.Errorf("--answers: %w", err)}
		}
	}
	t := host.TerminalOptions{In: a.in, Out: a.err, Color: a.color(a.err), Ask: !o.noInput && !a.json, Yes: o.yes != "", Answers: answers, Name: o.operator,
		Erase: o.erase || host.IsTerminal(a.out) && !a.json}
	operator, view, ask := a.host.Terminal(t)
	r.Operator, r.Observe, r.Recall, r.AskInput = operator, view.Observe, view.Recall, ask
	r.Warn = func(text string) { fmt.Fprintf(view, "drhost: %s\n", text) }
	return r, view, nil
}

// moment reads a time of detection.
func (a *app) moment(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		if at.Year() < 2000 {
			return time.Time{}, fmt.Errorf("--detected-at %s: is the year right?", text)
		}
		if at.After(a.host.Clock.Now()) {
			return time.Time{}, fmt.Errorf("--detected-at %s is still to come; it is the moment in which the disaster was noticed", text)
		}
		return at, nil
	}
	if at, err := time.ParseInLocation("15:04", text, time.Local); err == nil {
		return a.host.Today(at), nil
	}
	return time.Time{}, fmt.Errorf("--detected-at %q: write 2026-02-28T03:05:00Z, or 03:05 for today", text)
}

// ended prints what became of a run.
func (a *app) ended(result *host.Result, err error) error {
	if err != nil {
		return err
	}
	if printErr := a.print(result.Report, func(w io.Writer) error { return a.host.Summary(w, result, a.color(w)) }); printErr != nil {
		return printErr
	}
	if on := result.Continuation(); result.End.Exit == host.ExitInterrupted && on != "" { // the journal has no end of it, so no report tells
		fmt.Fprintf(a.err, "drhost: interrupted; `%s` goes on from here\n", on)
	}
	if result.End.Exit != 0 {
		return &exitError{result.End.Exit}
	}
	return nil
}
