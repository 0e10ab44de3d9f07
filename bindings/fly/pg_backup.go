package fly

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

type pgBackupArgs struct {
	App    string        `lua:"app" doc:"Name of the Postgres app."`
	Name   string        `lua:"name,optional" doc:"Name of the backup; the key of the call when left out."`
	Within time.Duration `lua:"within" default:"1h" doc:"How long it may take."`
}

var pgBackupCreate = binding.Func[*Client, pgBackupArgs, Backup]{
	Name: "pg_backup_create", Effect: binding.Mutates,
	Doc: "Make a backup of a Postgres cluster on its primary, and see it among the backups. Its name carries the key of the call, by which a repeated " +
		"call finds it.",
	Says:    "back the cluster {app} up",
	Raises:  raises(fault.Invalid, fault.Conflict, fault.Failed),
	Example: `fly.pg_backup_create { app = "webhost-prod-db" }`,
	Target:  "app",
	Call:    (*Client).pgBackupCreate,
	Predict: func(c *Client, ctx context.Context, a pgBackupArgs) (Backup, error) {
		out := Backup{ID: binding.Planned("id of the backup of " + a.App), Name: a.Name, Status: "DONE"}
		if binding.IsPlanned(a.App) {
			return out, nil
		}
		_, _, err := c.leader(ctx, "back up "+a.App, a.App)
		return out, err
	},
	Settled: func(c *Client, ctx context.Context, a pgBackupArgs) (binding.Settlement[Backup], error) {
		op := "find out about the backup of " + a.App
		if a.name(ctx) == "" {
			return binding.Settlement[Backup]{Look: "see with fly.pg_backups whether there is a new one"}, nil
		}
		c.repeated(ctx)
		doubt := ""
		out, err := settled(c, ctx, func(ctx context.Context) (Backup, bool, error) {
			all, err := c.cluster(ctx, op, a.App)
			if err != nil {
				return Backup{}, false, err
			}
			found, err := c.backups(ctx, op, a.App, all)
			made, whose := c.madeBackup(ctx, a, found)
			switch {
			case err != nil || made == nil:
				return Backup{}, false, err
			case whose == binding.Unknown:
				doubt = fmt.Sprintf("backup %s with the name %s was begun at %s: is it this call's, or somebody else's?", made.ID, made.Name, made.Begin.Format(time.RFC3339))
				return Backup{}, false, nil
			}
			return *made, made.Status == "DONE", nil
		})
		return doubtful(out, doubt), err
	},
}

// name is the one that was asked for, else the key of the call.
func (a pgBackupArgs) name(ctx context.Context) string { return cmp.Or(a.Name, binding.Key(ctx)) }

// madeBackup finds the backup that this call has made: by the key, which it
// has for a name, or by the name that was asked for. Of one with that name it
// may be impossible to tell (Unknown).
func (c *Client) madeBackup(ctx context.Context, a pgBackupArgs, all []Backup) (found *Backup, whose binding.Landed) {
	for i, b := range all {
		if name := a.name(ctx); name == "" || b.Name != name {
			continue
		}
		now := binding.Yes
		if a.Name != "" {
			now = c.judge(ctx, b.ID, b.Begin)
		}
		if now == binding.Yes || now == binding.Unknown && whose != binding.Yes {
			found, whose = &all[i], now
		}
	}
	return found, whose
}

// leader is the machine that is primary, with the whole cluster.
func (c *Client) leader(ctx context.Context, op, app string) (*machine, []*machine, error) {
	all, err := c.cluster(ctx, op, app)
	if err != nil {
		return nil, nil, err
	}
	nodes, err := c.members(ctx, op, app, all)
	if err != nil {
		return nil, nil, err
	}
	for _, n := range nodes {
		if n.is() == "primary" {
			return n.machine, all, nil
		}
	}
	f := fault.New(fault.Conflict, "%s has no primary", app).WithOp("%s", op)
	for _, p := range clusterOf(app, nodes).Problems {
		return nil, all, f.WithHint("%s: %s", p.Cause, p.WayOut)
	}
	return nil, all, f
}

func (c *Client) pgBackupCreate(ctx context.Context, a pgBackupArgs) (Backup, error) {
	op := "back up " + a.App
	m, all, err := c.leader(ctx, op, a.App)
	if err != nil {
		return Backup{}, before(err)
	}
	known, err := c.backups(ctx, op, a.App, all)
	if err != nil {
		return Backup{}, before(err)
	}
	if made, whose := c.madeBackup(ctx, a, known); whose == binding.Yes && made.Status == "DONE" {
		return *made, nil
	}
	var there []string
	for _, k := range known {
		there = append(there, k.ID)
	}
	c.note(ctx, there)
	command := []string{"flexctl", "backup", "create"}
	if name := a.name(ctx); name != "" {
		command = append(command, "-n", name)
	}
	_, err = c.exec(ctx, op, a.App, m.ID, "", "", a.Within, command...)
	if c.left(ctx, "", err); err != nil {
		if f := fault.As(err); strings.Contains(f.Message, "primary") {
			return Backup{}, f.WithHint("the primary changed meanwhile: fly.pg_status { app = %q }", a.App)
		}
		return Backup{}, backupsOff(a.App, err)
	}
	ctx, b := c.budget(ctx, 2*time.Minute)
	var out Backup
	err = c.await(ctx, b, op, func() string { return "the backup is " + cmp.Or(out.Status, "not listed") }, func(ctx context.Context) (bool, error) {
		now, err := c.backups(ctx, op, a.App, all)
		for _, n := range now {
			if !slices.ContainsFunc(known, func(k Backup) bool { return k.ID == n.ID }) {
				out = n
			}
		}
		if out.Status == "FAILED" {
			return false, fault.New(fault.Failed, "the backup %s failed", out.ID).WithOp("%s", op).WithHint("fly.logs { app = %q } says why", a.App)
		}
		return out.Status == "DONE", err
	})
	return out, accepted(err)
}

// restoreTarget is what Fly's image reads at the end of an archive's address.
func restoreTarget(backup string, at *time.Time) string {
	switch {
	case backup != "":
		return "?targetName=" + backup
	case at != nil:
		return "?targetTime=" + at.UTC().Format(time.RFC3339) + "&targetInclusive=true"
	}
	return ""
}

// environment reads one variable of a machine, which holds a secret: it goes
// to Fly again and nowhere else.
func (c *Client) environment(ctx context.Context, op, app string, m *machine, name string) (string, error) {
	out, err := c.exec(ctx, op, app, m.ID, "", "", 30*time.Second, "bash", "-c", fmt.Sprintf("echo $%s", name))
	if err != nil {
		f := *fault.As(err)
		f.Message = "machine " + m.ID + " does not tell " + name
		return "", &f
	}
	return strings.TrimSpace(out.Stdout), nil
}
