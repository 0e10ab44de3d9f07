package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/webhost-systems/drhost/host"
)

// verb is a verb of drhost backup that is a run of one step.
type verb struct {
	app     *app
	options runOptions
	given   map[string]*string // inputs by name
	show    func(io.Writer, any) error
	looks   bool // it only reads: its run leaves nothing behind
}

func newVerb(a *app, cmd *cobra.Command, show func(io.Writer, any) error) *verb {
	v := &verb{app: a, given: map[string]*string{}, show: show}
	f := cmd.Flags()
	f.StringVar(&v.options.env, "env", "", "environment of drhost.toml, or sim (default: its default_env)")
	v.options.flags(f, false)
	cmd.RegisterFlagCompletionFunc("env", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return a.host.EnvironmentNames("."), cobra.ShellCompDirectiveNoFileComp
	})
	return v
}

// text makes a flag that is an input of the same name.
func (v *verb) text(f *pflag.FlagSet, name, doc string) {
	value := new(string)
	f.StringVar(value, name, "", doc)
	v.given[strings.ReplaceAll(name, "-", "_")] = value
}

func (v *verb) flag(f *pflag.FlagSet, name, doc string) {
	value := new(string)
	f.Var((*yesNo)(value), name, doc)
	f.Lookup(name).NoOptDefVal = "true"
	v.given[name] = value
}

// yesNo is a flag whose value is kept as text.
type yesNo string

func (y *yesNo) String() string { return string(*y) }
func (y *yesNo) Type() string   { return "bool" }
func (y *yesNo) Set(text string) error {
	on, err := strconv.ParseBool(text)
	*y = yesNo(strconv.FormatBool(on))
	return err
}

// run runs the program's own runbook and prints what its last step returned.
func (v *verb) run(cmd *cobra.Command, runbook string) (any, error) {
	r, view, err := v.app.request(&v.options)
	if err != nil {
		return nil, err
	}
	r.AskInput = nil // what is missing is a flag
	for name, value := range v.given {
		if *value != "" {
			r.Input[name] = *value
		}
	}
	ctx, done := interruptible(cmd.Context(), view)
	defer done()
	start := v.app.host.RunVerb
	if v.looks {
		start = v.app.host.LookVerb
	}
	result, err := start(ctx, ".", runbook, r)
	view.Close()
	if err != nil {
		return nil, err
	}
	if result.End.Exit != 0 {
		return nil, v.app.ended(result, nil)
	}
	return result.Value, v.app.print(result.Value, func(w io.Writer) error { return v.show(w, result.Value) })
}

// only makes a flag complete a few words.
func only(cmd *cobra.Command, flag string, words ...string) {
	cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

func usage(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

func newBackupCreate(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Back up a database, a cluster or a folder",
		Long: `Back up a database with pg_dump (--kind logical), a whole server with its own base
backup (--kind physical), or a folder of this machine or of one reached by SSH
(--kind files): compressed, encrypted when there are recipients, read back, and
described by a manifest that says how to restore it without drhost.`,
		Example: `  drhost backup create --host db.example.com --database webhost_prod
  drhost backup create --kind physical --host db.example.com --cluster hobby-1
  drhost backup create --kind files --path /var/www/webhost --name webhost-files
  drhost backup create --kind files --host root@203.0.113.10 --path /var/www/webhost --name webhost-files`,
		Args: cobra.NoArgs,
	}
	v := newVerb(a, cmd, showBackup)
	f := cmd.Flags()
	v.text(f, "kind", "what is backed up: logical, physical or files (default logical)")
	v.text(f, "host", "server, with :port when it is not the configured one; of files user@host, or this machine when not given")
	v.text(f, "database", "database to dump")
	v.text(f, "cluster", "what the backups of the cluster are called")
	v.text(f, "path", "folder to back up")
	v.text(f, "name", "what the backups of the folder are called (default: its path)")
	v.text(f, "label", "what to call this one")
	v.flag(f, "full", "store a folder whole, not only what has changed")
	v.text(f, "within", "how long it may take (default 4h)")
	only(cmd, "kind", "logical", "physical", "files")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		need := map[string][]string{"": {"host", "database"}, "logical": {"host", "database"}, "physical": {"host", "cluster"}, "files": {"path"}}
		for _, name := range need[*v.given["kind"]] {
			if *v.given[name] == "" {
				return usage("--%s is missing; see `drhost backup create --help`", name)
			}
		}
		_, err := v.run(cmd, "backup_create")
		return err
	}
	return cmd
}

func newBackupList(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the backups, the newest first",
		Example: "  drhost backup list --database webhost_prod\n  drhost backup list --limit 100 --json",
		Args:    cobra.NoArgs,
	}
	v := newVerb(a, cmd, showBackups)
	v.looks = true
	v.text(cmd.Flags(), "database", "only backups of this database, cluster or folder")
	v.text(cmd.Flags(), "limit", "at most so many (default 20)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		_, err := v.run(cmd, "backup_list")
		return err
	}
	return cmd
}

func newBackupVerify(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify [BACKUP]",
		Short: "Check whether a backup would come back",
		Long: `Check a backup, the newest one of --database when none is named. Three depths:
sums compares checksums; read also reads the archive to its end; restore brings
it back on a server of this machine that only this user reaches and that is gone
afterwards, and compares rows and contents. The finding is noted in the repository.`,
		Example: "  drhost backup verify 20260228T030000Z-0a1b2c3d\n  drhost backup verify --database webhost_prod --depth restore",
		Args:    cobra.MaximumNArgs(1),
	}
	v := newVerb(a, cmd, showFields)
	v.text(cmd.Flags(), "database", "database, cluster or folder whose newest backup is verified")
	v.text(cmd.Flags(), "depth", "how deep: sums, read or restore (default read)")
	v.text(cmd.Flags(), "within", "how long it may take (default 4h)")
	only(cmd, "depth", "sums", "read", "restore")
	cmd.ValidArgsFunction = a.completeBackups
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if (len(args) == 0) == (*v.given["database"] == "") {
			return usage("name a backup, or --database for its newest one")
		}
		if len(args) == 1 {
			v.given["id"] = &args[0]
		}
		_, err := v.run(cmd, "backup_verify")
		return err
	}
	return cmd
}

func newBackupRestore(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore BACKUP",
		Short: "Bring a backup back: a database, one table, a cluster, or files",
		Long: `Bring a backup back. A database is restored beside, compared with its manifest,
and only then takes its name; one that holds tables is refused unless --replace,
and then kept under another name. --table brings one table back under another
name, beside the present one. Files go to --path, here or by SSH to --host, and
only what differs is sent. A cluster goes to a machine by SSH (--host), where the
one that is there is moved aside and kept (--replace when it holds databases), or
into an empty --folder of this one; with the archived log up to the newest moment, or to --time, --before-xid, --point.`,
		Example: `  drhost backup restore 20260228T030000Z-0a1b2c3d --host db.example.com
  drhost backup restore 20260228T030000Z-0a1b2c3d --host db.example.com --table customers
  drhost backup restore 20260228T031500Z-0a1b2c3d --host root@203.0.113.11 --path /var/www/webhost --replace
  drhost backup restore 20260228T031500Z-0a1b2c3d --path /tmp/uploads --only static/uploads
  drhost backup restore 20260228T030000Z-5e6f7a8b --host root@203.0.113.11 --before-xid 48213
  drhost backup restore 20260228T030000Z-5e6f7a8b --folder /srv/beside --time 2026-02-28T11:59:00Z`,
		Args: cobra.ExactArgs(1),
	}
	v := newVerb(a, cmd, showFields)
	f := cmd.Flags()
	v.text(f, "host", "server to restore on; of files user@host, or this machine when not given")
	v.text(f, "database", "name that the database gets (default: that of the backup)")
	v.text(f, "table", "only this table, under another name")
	v.text(f, "path", "folder that files are restored to")
	v.text(f, "only", "only this folder or file of a backup of files")
	v.text(f, "folder", "empty folder of this machine that a cluster is laid down in")
	v.text(f, "cluster", "name of the cluster on the host, when there are several of one version")
	v.text(f, "time", "bring a cluster to this moment: 2026-02-28T11:59:00Z")
	v.text(f, "before-xid", "bring a cluster to just before this transaction")
	v.text(f, "point", "bring a cluster to this restore point")
	v.flag(f, "replace", "replace what is there")
	v.flag(f, "delete", "remove files that the backup does not have")
	v.text(f, "jobs", "how many tables and indexes are built at once (default 2)")
	v.text(f, "within", "how long it may take (default 4h)")
	cmd.ValidArgsFunction = a.completeBackups
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *v.given["host"] == "" && *v.given["path"] == "" && *v.given["folder"] == "" {
			return usage("--host is missing, or --path for files, or --folder for a cluster; see `drhost backup restore --help`")
		}
		v.given["id"] = &args[0]
		_, err := v.run(cmd, "backup_restore")
		return err
	}
	return cmd
}

func newBackupPrune(a *app) *cobra.Command {
	var dry bool
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Delete the backups that no rule keeps",
		Long: `Delete the backups that no rule of [env.NAME.backup.keep] keeps: never the last
good one, nor one that is being read, nor what another one needs. It is asked
about unless --yes=destroys; --dry-run only says what would go, and why.`,
		Example: "  drhost backup prune --dry-run\n  drhost backup prune --yes=destroys --no-input",
		Args:    cobra.NoArgs,
	}
	v := newVerb(a, cmd, showPruned)
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only say what would be deleted")
	v.text(cmd.Flags(), "database", "only backups of this database, cluster or folder")
	v.text(cmd.Flags(), "within", "how long it may take (default 1h)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		runbook := "backup_prune"
		if v.looks = dry; dry {
			runbook = "backup_prune_dry"
		}
		_, err := v.run(cmd, runbook)
		return err
	}
	return cmd
}

func newBackupStatus(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Tell what a disaster now would cost, against the objectives",
		Long: `For each database, cluster and folder: up to when its data could come back now,
and how that compares with its objective, [objectives.NAME] rpo, where NAME is
its own name or what [env.NAME.backup.databases.NAME] calls it.

Exit codes: 0 every objective is kept · 5 one is exceeded.`,
		Example: "  drhost backup status\n  drhost backup status --database webhost_prod --json",
		Args:    cobra.NoArgs,
	}
	v := newVerb(a, cmd, showStatus)
	v.looks = true
	v.text(cmd.Flags(), "database", "only this database, cluster or folder")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		found, err := v.run(cmd, "backup_status")
		if err != nil {
			return err
		}
		for _, x := range records(found) {
			if x["exceeded"] == true {
				return &exitError{host.ExitMissed}
			}
		}
		return nil
	}
	return cmd
}
