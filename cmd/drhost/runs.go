package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

func newRuns(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "runs",
		Short:   "List the runs, the newest last",
		Example: `  drhost runs --json`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			lines, err := a.host.Runs(cmd.Context(), ".")
			if err != nil {
				return err
			}
			return a.print(listed(lines), func(w io.Writer) error { return a.host.RunTable(w, lines) })
		},
	}
}

func newShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "show RUN",
		Short:   "Show a run's step tree, from its journal",
		Example: `  drhost show last`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			result, err := a.host.Show(cmd.Context(), ".", args[0])
			if err != nil {
				return err
			}
			return a.print(result.Report, func(w io.Writer) error { return a.host.Summary(w, result, a.color(w)) })
		},
		ValidArgsFunction: a.completeRuns,
	}
}

func newReport(a *app) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "report RUN",
		Short: "Print a run's report, from its journal and nothing else",
		Example: `  drhost report last --format md > report.md
  drhost report last --format html > report.html`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if a.json {
				format = "json"
			}
			if format != "html" && format != "md" && format != "json" {
				return &usageError{fmt.Errorf("--format %s: it is html, md or json", format)}
			}
			result, err := a.host.Show(cmd.Context(), ".", args[0])
			if err != nil {
				return err
			}
			return a.host.WriteReport(a.out, result, format)
		},
		ValidArgsFunction: a.completeRuns,
	}
	cmd.Flags().StringVar(&format, "format", "md", "html, md or json")
	cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"html", "md", "json"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func newVerify(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "verify RUN",
		Short:   "Check that a run's journal, signed approvals and sealed runbook were not changed",
		Example: `  drhost verify last`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := a.host.Verify(cmd.Context(), ".", args[0])
			if err != nil {
				return err
			}
			return a.print(v, func(w io.Writer) error {
				return a.host.VerifiedText(w, v)
			})
		},
		ValidArgsFunction: a.completeRuns,
	}
}

func (a *app) completeRuns(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	lines, err := a.host.Runs(cmd.Context(), ".")
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	ids := []string{"last"}
	for _, l := range lines {
		ids = append(ids, l.ID)
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}

// completeYes makes a verb complete the values of --yes.
func completeYes(cmd *cobra.Command) {
	cmd.RegisterFlagCompletionFunc("yes", cobra.FixedCompletions([]string{"approvals", "destroys"}, cobra.ShellCompDirectiveNoFileComp))
}

// complete makes a verb complete runbooks, their inputs, and environments.
func (a *app) complete(cmd *cobra.Command) {
	completeYes(cmd)
	cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return []string{"lua"}, cobra.ShellCompDirectiveFilterFileExt
	}
	cmd.RegisterFlagCompletionFunc("input", func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return a.host.InputNames(args[0]), cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
	})
	cmd.RegisterFlagCompletionFunc("env", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return a.host.EnvironmentNames("."), cobra.ShellCompDirectiveNoFileComp
	})
}
