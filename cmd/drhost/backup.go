package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/webhost-systems/drhost/host"
)

func newBackup(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup",
		Short: "Keep what a disaster would take",
		Long: `Make, list, check, restore and prune backups, and tell what a disaster now would
cost. Each verb but archive is a run like that of a runbook: journaled, held by
drhost halt, asked about where something is destroyed, and resumed with drhost
resume. Runbooks do the same with require "backup". Settings: [env.NAME.backup].`,
		Example: `  drhost backup create --host db.example.com --database webhost_prod
  drhost backup status
  drhost backup verify --database webhost_prod --depth restore
  drhost backup archive --host db.example.com`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newBackupCreate(a), newBackupList(a), newBackupVerify(a), newBackupRestore(a), newBackupPrune(a),
		newBackupStatus(a), newBackupContacts(a), newBackupArchive(a))
	return cmd
}

func newBackupArchive(a *app) *cobra.Command {
	var env, server string
	cmd := &cobra.Command{
		Use:   "archive --host HOST",
		Short: "Archive a server's write-ahead log without pause, until it is stopped",
		Long: `Receives the write-ahead log of a PostgreSQL server through a replication slot and
ships it into the repository, seconds behind the last commit. It is meant to run
for months: it survives restarts of the server and its own, a full disk and a
repository that is away, and it says what it cannot heal. SIGTERM or Ctrl-C ends
it when what it has received is in the repository. Settings: [env.NAME.backup].

Exit codes: 0 it was told to stop · 1 it is of no use to start it again before
somebody has looked · 2 bad usage or config.`,
		Example: `  drhost backup archive --host db.example.com
  drhost backup archive --env staging --host 203.0.113.10:5433`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if server == "" {
				return &usageError{fmt.Errorf("--host is missing: the server whose log is archived")}
			}
			ctx, done := interruptible(cmd.Context(), io.Discard)
			defer done()
			return a.host.Serve(ctx, ".", host.ServiceRequest{Module: "backup", Service: "archive", Env: env,
				Args: map[string]any{"host": server}, Say: a.say})
		},
	}
	cmd.Flags().StringVar(&env, "env", "", "environment of drhost.toml (default: its default_env)")
	cmd.Flags().StringVar(&server, "host", "", "name or address of the server, with :port when it is not the configured one")
	return cmd
}

// say prints what a service says, one line each; with --json, one object.
func (a *app) say(alarm bool, text string) {
	at := a.host.Clock.Now().UTC().Format(time.RFC3339)
	if a.json {
		_ = json.NewEncoder(a.out).Encode(map[string]any{"time": at, "alarm": alarm, "text": text}) // a log that cannot be written ends nothing
		return
	}
	mark := ""
	if alarm {
		mark = "ALARM: "
	}
	fmt.Fprintf(a.err, "%s %s%s\n", at, mark, text)
}
