package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/webhost-systems/drhost/host"
)

func newCheck(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "check [PATH..]",
		Short:   "Check runbooks and drills without running them",
		Example: `  drhost check runbooks/hetzner_failure.lua`,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"runbooks"}
			}
			files, problems, err := a.host.Check(args)
			if err != nil {
				return err
			}
			err = a.print(map[string]any{"files": files, "problems": listed(problems)}, func(w io.Writer) error {
				for _, p := range problems {
					fmt.Fprintln(w, p)
				}
				if len(problems) == 0 {
					what := "files"
					if files == 1 {
						what = "file"
					}
					fmt.Fprintf(w, "%d %s, nothing to complain of\n", files, what)
				}
				return nil
			})
			if err == nil && host.HasErrors(problems) {
				err = &exitError{host.ExitUsage}
			}
			return err
		},
	}
}

func newList(a *app) *cobra.Command {
	var coverage bool
	var env string
	cmd := &cobra.Command{
		Use:   "list [FOLDER]",
		Short: "List the runbooks and drills of a folder, or what of an environment they cover",
		Long: `List the runbooks and drills of a folder; nothing is called.

With --coverage the environment's servers, apps, zones, databases and so on are
read live, and each is held against the drills that name it in their inputs (by name,
or by a label such as tier=hobby) and against the runs of those drills in the
state folder. What has no drill that passed lately is not covered.`,
		Example: `  drhost list runbooks --json
  drhost list --coverage --env production`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			folder := "runbooks"
			if len(args) == 1 {
				folder = args[0]
			}
			if coverage {
				c, err := a.host.Coverage(cmd.Context(), folder, env)
				if err != nil {
					return err
				}
				return a.print(c, func(w io.Writer) error { return a.host.CoverageTable(w, c) })
			}
			if env != "" {
				return &usageError{errors.New("--env says whose coverage is asked for: add --coverage")}
			}
			list, err := a.host.List(folder)
			if err != nil {
				return err
			}
			return a.print(listed(list), func(w io.Writer) error { return a.host.ListTable(w, list) })
		},
	}
	cmd.Flags().BoolVar(&coverage, "coverage", false, "tell which resources of the environment no drilled scenario covers")
	cmd.Flags().StringVar(&env, "env", "", "environment whose coverage is asked for; the default one when left out")
	return cmd
}

func newInit(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "init [DIR]",
		Short:   "Make a working folder: drhost.toml, runbooks, drills, editor stubs",
		Example: `  drhost init recovery`,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			written, err := a.host.Init(dir)
			if err != nil {
				return err
			}
			return a.print(written, func(w io.Writer) error {
				for _, f := range written {
					fmt.Fprintln(w, "wrote", f)
				}
				return nil
			})
		},
	}
}

func newReference(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "reference [TOPIC]",
		Short: "Print the reference of a module or of the runbook words",
		Example: `  drhost reference hetzner
  drhost reference words`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			topic := ""
			if len(args) == 1 {
				topic = args[0]
			}
			text, err := a.host.Reference(topic)
			if err != nil {
				return err
			}
			return a.print(map[string]string{"topic": topic, "text": string(text)}, func(w io.Writer) error {
				_, err := w.Write(text)
				return err
			})
		},
	}
}

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: `  drhost version --json`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := a.host.About()
			return a.print(v, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "drhost %s (%s)\n", v["version"], v["go"])
				return err
			})
		},
	}
}
