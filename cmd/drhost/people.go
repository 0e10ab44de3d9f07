package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/webhost-systems/drhost/host"
)

// leverOptions are the flags of halt and pause.
type leverOptions struct {
	reason string
	lift   bool
	status bool
	by     string
}

func (o *leverOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.reason, "reason", "", "why, for everybody who is held by it")
	f.BoolVar(&o.lift, "lift", false, "let them go on")
	f.BoolVar(&o.status, "status", false, "only say how it stands")
	f.StringVar(&o.by, "operator", "", "who does it (default: the user's name)")
	args := cmd.Args
	cmd.Args = func(cmd *cobra.Command, list []string) error {
		var given []string
		for _, name := range []string{"reason", "lift", "status"} {
			if cmd.Flags().Changed(name) {
				given = append(given, "--"+name)
			}
		}
		if len(given) > 1 {
			return fmt.Errorf("%s exclude each other; give one of them", strings.Join(given, " and "))
		}
		return args(cmd, list)
	}
}

func (o *leverOptions) action() host.LeverAction {
	switch {
	case o.lift:
		return host.LiftLever
	case o.status:
		return host.ReadLever
	}
	return host.PullLever
}

func newHalt(a *app) *cobra.Command {
	o := &leverOptions{}
	cmd := &cobra.Command{
		Use:   "halt",
		Short: "Stop every run from changing anything, until it is lifted",
		Long: `Stops every new change of every run of the state folder. What was sent already
comes to its end, and reads go on. A run with a person at it offers to wait; one
without stops with exit code 3 and can be resumed once the halt is lifted.`,
		Example: `  drhost halt --reason "the provider has an incident of its own"
  drhost halt --status
  drhost halt --lift`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			s, err := a.host.Halt(".", o.action(), o.by, o.reason)
			if err != nil {
				return err
			}
			return a.print(s, s.Text)
		},
	}
	o.flags(cmd)
	return cmd
}

func newPause(a *app) *cobra.Command {
	o := &leverOptions{}
	cmd := &cobra.Command{
		Use:   "pause RUN",
		Short: "Let one run wait before its next call, until it is lifted",
		Example: `  drhost pause last --reason "the database team is looking"
  drhost pause last --lift`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.host.Pause(cmd.Context(), ".", args[0], o.action(), o.by, o.reason)
			if err != nil {
				return err
			}
			return a.print(s, s.Text)
		},
		ValidArgsFunction: a.completeRuns,
	}
	o.flags(cmd)
	return cmd
}

func newApprove(a *app) *cobra.Command {
	r := host.ApproveRequest{}
	yes := false
	cmd := &cobra.Command{
		Use:   "approve RUN",
		Short: "Answer a run's question, signed with your SSH key",
		Long: `Signs an answer to a question of a run and lays it into the run's folder. A run
that waits takes it at once, one that has stopped when it is resumed. You have to
be one of the [[approvers]] of drhost.toml, which names your public key:

  [[approvers]]
  name = "anna"
  key = "ssh-ed25519 AAAAC3Nza... anna@laptop"

Without --key an SSH agent is asked, then ~/.ssh/id_ed25519. Over ssh -A to the
machine of the run, the key stays on yours.`,
		Example: `  drhost approve last
  drhost approve last --as anna --key ~/.ssh/id_ed25519
  drhost approve last --deny`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if host.IsTerminal(a.in) && !a.json {
				r.Passphrase = a.passphrase
				if !yes {
					r.Confirm = a.confirm
				}
			}
			done, err := a.host.Approve(cmd.Context(), ".", args[0], r)
			if err != nil {
				return err
			}
			return a.print(done, done.Text)
		},
		ValidArgsFunction: a.completeRuns,
	}
	f := cmd.Flags()
	f.StringVar(&r.As, "as", "", "who you are, by the name in drhost.toml (default: whoever owns the key)")
	f.StringVar(&r.KeyFile, "key", "", "private key (default: an SSH agent, then ~/.ssh/id_ed25519)")
	f.BoolVar(&r.Deny, "deny", false, "deny it; the run stops")
	f.StringVar(&r.Question, "question", "", "beginning of the question's id, when several are open")
	f.BoolVar(&yes, "yes", false, "sign without being asked once more")
	return cmd
}

// confirm shows a person what is about to be signed.
func (a *app) confirm(q host.OpenQuestion, answer, by string) (bool, error) {
	fmt.Fprintf(a.err, "run %s asks at %s (needs %d, so far: %s):\n  %s\nsign %q as %s? [yes/no]: ", q.Run, q.Where, q.Needs, soFar(q.Approved), q.Text, answer, by)
	line, err := a.line()
	return strings.EqualFold(line, "yes") || strings.EqualFold(line, "y"), err
}

func soFar(names []string) string {
	if len(names) == 0 {
		return "nobody"
	}
	return strings.Join(names, ", ")
}

// line reads one line, byte by byte: nothing after it may be swallowed.
func (a *app) line() (string, error) {
	var text []byte
	one := make([]byte, 1)
	for {
		n, err := a.in.Read(one)
		if n > 0 && one[0] == '\n' {
			return strings.TrimSpace(string(text)), nil
		}
		text = append(text, one[:n]...)
		if err != nil {
			return strings.TrimSpace(string(text)), err
		}
	}
}

// passphrase asks for a key's passphrase without showing it.
func (a *app) passphrase(path string) (string, error) {
	f, ok := a.in.(*os.File)
	if !ok {
		return "", errors.New("nobody is there to give the passphrase")
	}
	return host.AskHidden(f, a.err, fmt.Sprintf("passphrase of %s: ", path))
}
