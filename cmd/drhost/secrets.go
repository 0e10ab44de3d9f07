package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/webhost-systems/drhost/host"
)

func newSecrets(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "secrets",
		Short: "Keep credentials sealed beside the config, for the day the vault is down",
		Long: `A sealed credential is a file secrets/NAME.age beside drhost.toml, encrypted with
age for several people's keys or with a passphrase. drhost.toml refers to it as
"sealed:NAME". The files may be committed; they open without drhost, too:
age --decrypt -i KEY secrets/NAME.age

  [secrets]
  recipients = ["age1...", "ssh-ed25519 ..."]   # public keys; each opens alone
  identity = "~/.config/drhost/key"             # this machine's private key

DRHOST_IDENTITY (a key's file, or the key) goes before identity; a passphrase is
asked for, or taken from DRHOST_PASSPHRASE.`,
		Example: `  pass show hetzner | drhost secrets seal hetzner
  drhost secrets list
  drhost secrets open hetzner`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSecretsSeal(a), newSecretsOpen(a), newSecretsList(a))
	return cmd
}

func newSecretsSeal(a *app) *cobra.Command {
	r := host.SealRequest{}
	cmd := &cobra.Command{
		Use:   "seal NAME",
		Short: "Seal a credential; its value is read from standard input, or asked for",
		Long: `Seal a credential for the recipients in drhost.toml, or with a passphrase. The
value is read from standard input; at a terminal it is asked for, without being
shown. It is never an argument: every user's process list shows those.`,
		Example: `  drhost secrets seal hetzner
  drhost secrets seal db --passphrase --replace < password.txt`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 2 {
				return fmt.Errorf("the value is read from standard input, not from the command line, where every process list shows it; this one should be changed")
			}
			return cobra.ExactArgs(1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, done := untilInterrupted(cmd.Context())
			defer done()
			r.Name, r.In = args[0], a.in
			result, err := a.host.Seal(ctx, ".", r)
			if err != nil {
				return err
			}
			return a.print(result, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "sealed %s for %s: %s\nuse it as \"sealed:%s\"\n", result.Name, result.To, result.Path, result.Name)
				return err
			})
		},
		ValidArgsFunction: a.completeSealed,
	}
	cmd.Flags().BoolVar(&r.Passphrase, "passphrase", false, "lock it with a passphrase instead of the recipients' keys")
	cmd.Flags().BoolVar(&r.Replace, "replace", false, "replace the value that is sealed under this name")
	return cmd
}

func newSecretsOpen(a *app) *cobra.Command {
	force := false
	cmd := &cobra.Command{
		Use:   "open NAME",
		Short: "Print a sealed credential, at a terminal",
		Long: `Print a sealed credential. Into a pipe or a file it is printed only with --force,
because there it may outlive the emergency: in a log, a backup, a shell's history
of output.`,
		Example: `  drhost secrets open hetzner
  HCLOUD_TOKEN=$(drhost secrets open hetzner --force) hcloud server list`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			shown := host.IsTerminal(a.out)
			if !shown && !force {
				return &usageError{fmt.Errorf("the output is no terminal: a credential in a pipe or a file outlives the emergency; add --force when it has to go there")}
			}
			ctx, done := untilInterrupted(cmd.Context())
			defer done()
			value, err := a.host.OpenSealed(ctx, ".", args[0])
			if err != nil {
				return err
			}
			return a.print(map[string]string{"name": args[0], "value": value}, func(w io.Writer) error {
				if shown && !strings.HasSuffix(value, "\n") {
					value += "\n"
				}
				_, err := io.WriteString(w, value)
				return err
			})
		},
		ValidArgsFunction: a.completeSealed,
	}
	cmd.Flags().BoolVar(&force, "force", false, "print it also where it is no terminal")
	return cmd
}

func newSecretsList(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List sealed credentials: what opens them, when they were sealed, what uses them",
		Example: `  drhost secrets list --json`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			list, err := a.host.ListSealed(".")
			if err != nil {
				return err
			}
			return a.print(list, func(w io.Writer) error { return a.host.SealedTable(w, list) })
		},
	}
}

// untilInterrupted ends the context at Ctrl-C, so that a terminal whose echo is
// off is put right before the process ends.
func untilInterrupted(ctx context.Context) (context.Context, func()) {
	return signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
}

func (a *app) completeSealed(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	list, err := a.host.ListSealed(".")
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, l := range list {
		names = append(names, l.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
