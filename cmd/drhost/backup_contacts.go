package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

func newBackupContacts(a *app) *cobra.Command {
	var form string
	cmd := &cobra.Command{
		Use:   "contacts [BACKUP]",
		Short: "List the customers whom a database's loss concerns, with the database gone",
		Long: `Prints the list of customers that was stored beside a backup, of the newest one of
--database when none is named, or writes it into a new file that only you can read. It is
personal data: drhost keeps no other copy of what it prints. In a runbook,
backup.contacts leaves the list in the run's journal.`,
		Example: "  drhost backup contacts --database webhost_prod --format csv\n  drhost backup contacts 20260228T030000Z-0a1b2c3d --json",
		Args:    cobra.MaximumNArgs(1),
	}
	v := newVerb(a, cmd, func(w io.Writer, found any) error { return showContacts(w, found, form) })
	v.looks = true
	v.text(cmd.Flags(), "database", "database whose newest backup it is")
	cmd.Flags().StringVar(&form, "format", "table", "how it is printed: table or csv; --json prints JSON")
	cmd.Flags().StringVar(&v.output, "output", "", "write it into this file, which must not be there yet")
	only(cmd, "format", "table", "csv")
	cmd.ValidArgsFunction = a.completeBackups
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if (len(args) == 0) == (*v.given["database"] == "") {
			return usage("name a backup, or --database for its newest one")
		}
		if form != "table" && form != "csv" {
			return usage("--format %s: it is table or csv", form)
		}
		if len(args) == 1 {
			v.given["id"] = &args[0]
		}
		_, err := v.run(cmd, "backup_contacts")
		return err
	}
	return cmd
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
