package fly

import (
	"context"
	"crypto/rand"
	"net/http"
	"slices"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/secret"
)

type pgRestoreArgs struct {
	App          string        `lua:"app" doc:"Name of the Postgres app whose backup it is."`
	To           string        `lua:"to" doc:"Name of the new app; there must be none of that name."`
	Backup       string        `lua:"backup,optional" doc:"Id or name of the backup; everything that is archived when left out."`
	At           *time.Time    `lua:"at" doc:"Moment to restore, instead of a backup."`
	Region       string        `lua:"region,optional" doc:"Region of the new app; that of a machine of the old one when left out."`
	Organization string        `lua:"organization,optional" doc:"Slug of the organization; that of the settings when left out."`
	Archive      secret.Value  `lua:"archive,optional" doc:"S3_ARCHIVE_CONFIG of the old app, for when no machine of it answers."`
	Password     secret.Value  `lua:"password,optional" doc:"Password of the role postgres in the new app; that of the old app when left out and a machine of it answers."`
	Within       time.Duration `lua:"within" default:"1h" doc:"How long it may take until the new app's primary is healthy."`
}

var pgRestore = binding.Func[*Client, pgRestoreArgs, Machine]{
	Name: "pg_restore", Effect: binding.Mutates,
	Doc: "Restore a backup of a Postgres cluster into a new app of one machine, and wait until its primary is healthy. The old app is left alone. Passwords are taken " +
		"over from a machine of the old app that answers, so that what connects needs only another name.",
	Says:    "restore {app} into the new app {to} (backup {backup})",
	Raises:  raises(fault.Invalid, fault.Conflict, fault.Exhausted, fault.Failed),
	Example: `fly.pg_restore { app = "webhost-prod-db", to = "webhost-prod-db-2" }`,
	Target:  "to",
	Call:    (*Client).pgRestore,
	Predict: func(c *Client, ctx context.Context, a pgRestoreArgs) (Machine, error) {
		out := Machine{ID: binding.Planned("id of the machine of " + a.To), Name: binding.Planned("name of the machine of " + a.To), App: a.To, State: "started",
			Region: a.Region, Host: "ok", Healthy: true, Role: "primary", Checks: []Check{}}
		if binding.IsPlanned(a.App) || binding.IsPlanned(a.To) {
			return out, nil
		}
		_, err := c.restoring(ctx, a)
		return out, err
	},
	Settled: func(c *Client, ctx context.Context, a pgRestoreArgs) (binding.Settlement[Machine], error) {
		c.repeated(ctx)
		return settled(c, ctx, func(ctx context.Context) (Machine, bool, error) {
			all, err := c.list(ctx, "find out about the restore into "+a.To, a.To)
			if fault.KindOf(err) == fault.NotFound {
				return Machine{}, false, nil
			}
			made := keyed(all, binding.Key(ctx))
			if err != nil || made == nil {
				return Machine{}, false, err
			}
			return machineOf(a.To, made), made.healthy() && made.role() == "primary", nil
		})
	},
}

// restoring is what a restore is made of.
type restoring struct {
	op     string
	source []*machine
	model  *machine // whose configuration is taken
	alive  *machine // that tells secrets; nil when none answers
	org    string
	region string
	exists bool // the new app, by an earlier attempt
}

func (c *Client) restoring(ctx context.Context, a pgRestoreArgs) (restoring, error) {
	r := restoring{op: "restore " + a.App + " into " + a.To, region: a.Region}
	var err error
	if r.org, err = c.organization(a.Organization); err != nil {
		return r, err
	}
	if a.Backup != "" && a.At != nil {
		return r, fault.New(fault.Invalid, "backup and at exclude each other").WithOp("%s", r.op)
	}
	if r.source, err = c.cluster(ctx, r.op, a.App); err != nil {
		return r, err
	}
	for _, m := range r.source {
		if r.model == nil || r.model.Config == nil {
			r.model = m
		}
		if r.alive == nil && m.reachable() && m.State == "started" {
			r.alive = m
		}
	}
	if r.region == "" {
		r.region = r.model.Region
	}
	if r.alive == nil && a.Archive.Empty() {
		return r, fault.New(fault.Conflict, "no machine of %s answers that could tell where its backups are", a.App).WithOp("%s", r.op).
			WithHint("give archive, the value of its S3_ARCHIVE_CONFIG")
	}
	err = c.get(ctx, r.op, "app_get", a.To, "", nil)
	switch {
	case fault.KindOf(err) == fault.NotFound:
		return r, nil
	case err != nil:
		return r, err
	}
	r.exists = true
	all, err := c.list(ctx, r.op, a.To)
	if err == nil && (!c.again(ctx) || len(all) > 0 && keyed(all, binding.Key(ctx)) == nil) {
		err = fault.New(fault.Conflict, "there is an app %s already", a.To).WithOp("%s", r.op).WithHint("choose another name")
	}
	return r, err
}

func (c *Client) pgRestore(ctx context.Context, a pgRestoreArgs) (Machine, error) {
	r, err := c.restoring(ctx, a)
	if err != nil {
		return Machine{}, before(err)
	}
	ctx, b := c.budget(ctx, a.Within)
	var made *machine
	if r.exists {
		all, err := c.list(ctx, r.op, a.To)
		if err != nil {
			return Machine{}, err
		}
		made = keyed(all, binding.Key(ctx))
	}
	if made == nil {
		if made, err = c.restoreInto(ctx, b, a, r); err != nil {
			return Machine{}, err
		}
	}
	now, err := c.reach(ctx, b, r.op, a.To, made.ID, "healthy", func(m *machine) bool { return m.healthy() && m.role() == "primary" })
	return machineOf(a.To, now), accepted(err)
}

// restoreInto makes the app, its secrets, its volume and its machine.
func (c *Client) restoreInto(ctx context.Context, b *budget, a pgRestoreArgs, r restoring) (*machine, error) {
	var values map[string]string
	equipped, err := c.equipped(ctx, a, r)
	if err == nil && !equipped {
		values, err = c.restoreSecrets(ctx, a, r)
	}
	if err != nil {
		return nil, before(err)
	}
	config, err := template(r.op, a.App, r.model, r.source)
	if err != nil {
		return nil, before(err)
	}
	defer c.repeated(ctx)
	if !r.exists {
		err := c.do(ctx, r.op, request{action: "app_create", subject: a.To, method: http.MethodPost, url: c.machines + "/apps?wait=true",
			// The documented name of the field and the one that flyctl sends.
			body: map[string]any{"app_name": a.To, "name": a.To, "org_slug": r.org, "app_role_id": "postgres_cluster"}, within: c.answer}, nil)
		if err != nil {
			return nil, err
		}
	}
	if !equipped {
		err = c.do(ctx, r.op, request{action: "secrets_update", subject: a.To, method: http.MethodPost, url: c.appURL(a.To, "/secrets"),
			body: map[string]any{"values": values}}, nil)
		if err != nil {
			return nil, begun(err)
		}
	}
	config = edited(config, binding.Key(ctx))
	put(config, "env", "PRIMARY_REGION", r.region)
	size := 1
	mount := map[string]any{"path": "/data"}
	if mounts, _ := config["mounts"].([]any); len(mounts) > 0 {
		old, _ := mounts[0].(map[string]any)
		size = max(number(old["size_gb"]), 1)
	}
	v, err := c.makeVolume(ctx, b, r.op, a.To, wanted{name: "pg_data", region: r.region, size: size, alone: true}, section(config, "guest"))
	if err != nil {
		return nil, begun(regionFull(copying{region: r.region}, err))
	}
	mount["volume"], mount["size_gb"] = v.ID, size
	config["mounts"] = []any{mount}
	if s, _ := config["image"].(string); s == "" {
		config["image"] = r.model.Image.text()
	}
	made := &machine{}
	err = c.do(ctx, r.op, request{action: "launch", subject: a.To, method: http.MethodPost, url: c.appURL(a.To, "/machines"),
		body: map[string]any{"region": r.region, "config": config}, within: c.answer}, made)
	return made, begun(err)
}

// restoreSecret tells Fly's image where the backup is.
const restoreSecret = "S3_ARCHIVE_REMOTE_RESTORE_CONFIG"

// equipped tells whether an earlier attempt of this call has given the new app
// its secrets, which it does all at once.
func (c *Client) equipped(ctx context.Context, a pgRestoreArgs, r restoring) (bool, error) {
	if !r.exists {
		return false, nil
	}
	all, err := c.secrets(ctx, r.op, a.To)
	return slices.ContainsFunc(all, func(s wireSecret) bool { return s.Name == restoreSecret }), err
}

// restoreSecrets are those that Fly's image needs; what the old app does not
// tell is made up, except where its backups are.
func (c *Client) restoreSecrets(ctx context.Context, a pgRestoreArgs, r restoring) (map[string]string, error) {
	archive := a.Archive.Reveal()
	if archive == "" {
		var err error
		if archive, err = c.environment(ctx, r.op, a.App, r.alive, "S3_ARCHIVE_CONFIG"); err != nil {
			return nil, err
		}
	}
	if archive == "" {
		return nil, fault.New(fault.Conflict, "%s keeps no backups: S3_ARCHIVE_CONFIG is not set", a.App).WithOp("%s", r.op).
			WithHint("volume snapshots (fly.snapshots) and the backups of drhost are what is left")
	}
	out := map[string]string{restoreSecret: archive + restoreTarget(a.Backup, a.At)}
	for _, name := range []string{"SU_PASSWORD", "REPL_PASSWORD", "OPERATOR_PASSWORD"} {
		if name == "OPERATOR_PASSWORD" && !a.Password.Empty() {
			out[name] = a.Password.Reveal()
			continue
		}
		if r.alive != nil {
			value, err := c.environment(ctx, r.op, a.App, r.alive, name)
			if err == nil {
				out[name] = value
			} else if !slices.Contains([]fault.Kind{fault.Failed, fault.NotFound}, fault.KindOf(err)) {
				return nil, err
			}
		}
		if out[name] == "" {
			out[name] = rand.Text()
		}
	}
	return out, nil
}
