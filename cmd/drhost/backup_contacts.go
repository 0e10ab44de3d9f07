package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/webhost-systems/drhost/host"
)

func newBackupContacts(a *app) *cobra.Command {
	var env, database, form, output string
	cmd := &cobra.Command{
		Use:   "contacts [BACKUP]",
		Short: "List the customers whom a database's loss concerns, with the database gone",
		Long: `Prints the list of customers that was stored beside a backup, of the newest one of
--database when none is named, or writes it into a new file that only you can read. It is
personal data: drhost keeps no other copy of what it prints. A runbook's backup.contacts
learns how many there are, and not who.`,
		Example: "  drhost backup contacts --database webhost_prod --format csv\n  drhost backup contacts 20260228T030000Z-0a1b2c3d --json",
		Args:    cobra.MaximumNArgs(1),
	}
	f := cmd.Flags()
	f.StringVar(&env, "env", "", "environment of drhost.toml, or sim (default: its default_env)")
	f.StringVar(&database, "database", "", "database whose newest backup it is")
	f.StringVar(&form, "format", "table", "how it is printed: table or csv; --json prints JSON")
	f.StringVar(&output, "output", "", "write it into this file, which must not be there yet")
	only(cmd, "format", "table", "csv")
	cmd.RegisterFlagCompletionFunc("env", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return a.host.EnvironmentNames("."), cobra.ShellCompDirectiveNoFileComp
	})
	cmd.ValidArgsFunction = a.completeBackups
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if (len(args) == 0) == (database == "") {
			return usage("name a backup, or --database for its newest one")
		}
		if form != "table" && form != "csv" {
			return usage("--format %s: it is table or csv", form)
		}
		asked := map[string]any{"database": database}
		if len(args) == 1 {
			asked = map[string]any{"id": args[0]}
		}
		found, err := a.contacts(cmd, env, asked)
		if err != nil {
			return err
		}
		show := func() error {
			return a.print(found, func(w io.Writer) error { return showContacts(w, found, form) })
		}
		if output != "" {
			return a.into(output, show)
		}
		return show()
	}
	return cmd
}

// contacts asks for the list. No run is made of it, whose journal would keep it.
func (a *app) contacts(cmd *cobra.Command, env string, asked map[string]any) (found any, err error) {
	ctx, done := interruptible(cmd.Context(), io.Discard)
	defer done()
	var text string
	err = a.host.Serve(ctx, ".", host.ServiceRequest{Module: "backup", Service: "contacts", Env: env, Args: asked,
		Say: func(_ bool, said string) { text = said }})
	if err == nil {
		err = json.Unmarshal([]byte(text), &found)
	}
	return found, err
}

// into sends what write prints into a new file of the user alone. One that was
// not written wholly is taken away.
func (a *app) into(path string, write func() error) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return usage("--output: %v", err)
	}
	out := a.out
	a.out = f
	err = write()
	a.out = out
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	_, err = fmt.Fprintf(a.err, "%s holds personal data; delete it when the customers are told\n", path)
	return err
}
