package fly

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/secret"
)

// Secret is one secret of an app; Fly does not tell its value.
type Secret struct {
	Name    string    `lua:"name" doc:"Its name."`
	Digest  string    `lua:"digest" doc:"What changes when the value does."`
	Updated time.Time `lua:"updated,optional" doc:"When it was set last."`
}

type wireSecret struct {
	Name    string `json:"name"`
	Digest  string `json:"digest"`
	Created string `json:"created_at"`
	Updated string `json:"updated_at"`
}

func (s wireSecret) at() time.Time {
	if at := moment(s.Updated); !at.IsZero() {
		return at
	}
	return moment(s.Created)
}

var readSecrets = binding.Func[*Client, appArgs, []Secret]{
	Name: "secrets", Effect: binding.Reads,
	Doc:     "Names and digests of an app's secrets. Fly does not give their values.",
	Raises:  raises(),
	Example: `fly.secrets { app = "webhost-prod" }`,
	Target:  "app",
	Call: func(c *Client, ctx context.Context, a appArgs) ([]Secret, error) {
		all, err := c.secrets(ctx, "list the secrets of "+a.App, a.App)
		out := []Secret{}
		for _, s := range all {
			out = append(out, Secret{s.Name, s.Digest, s.at()})
		}
		return out, err
	},
}

func (c *Client) secrets(ctx context.Context, op, app string) ([]wireSecret, error) {
	var answer struct {
		Secrets []wireSecret `json:"secrets"`
	}
	if err := c.get(ctx, op, "secrets_list", app, "/secrets", &answer); err != nil {
		return nil, c.unknownApp(ctx, app, err)
	}
	return answer.Secrets, nil
}

type secretsSetArgs struct {
	App     string                  `lua:"app" doc:"Name of the app."`
	Secrets map[string]secret.Value `lua:"secrets,optional" doc:"Values by name, each a secret of the runbook or a reference such as env:NAME; they stay out of the journal."`
	Values  map[string]string       `lua:"values,optional" doc:"Values by name as text, which the journal shows; {name} in one is replaced by a secret of fill."`
	Fill    map[string]secret.Value `lua:"fill,optional" doc:"Secrets for the {name} in values, so that an address with a password in it can be put together."`
	Stage   bool                    `lua:"stage" default:"false" doc:"Whether to only keep them for the next deployment, and leave the machines as they are."`
	Within  time.Duration           `lua:"within" default:"5m" doc:"How long each machine may take until it is healthy with the new values."`
}

var secretsSet = binding.Func[*Client, secretsSetArgs, Updated]{
	Name: "secrets_set", Effect: binding.Mutates,
	Doc: "Set secrets of an app and update its machines one after the other, waiting until each is healthy with the new values. A wrong value stops at " +
		"the first machine that does not come back: the others go on with the old one.",
	Says:    "set secrets of {app} (values {values}, secrets {secrets})",
	Raises:  raises(fault.Invalid, fault.Conflict, fault.Failed),
	Example: `fly.secrets_set { app = "webhost-prod", values = { DATABASE_URL = "postgres://app:{password}@webhost-prod-db-replica.internal:5432/webhost" }, fill = { password = secret "db_password" } }`,
	Target:  "app",
	Call:    (*Client).secretsSet,
	Predict: func(c *Client, ctx context.Context, a secretsSetArgs) (Updated, error) {
		if _, err := a.values(); err != nil && !a.planned() {
			return Updated{}, err
		}
		return c.predicted(ctx, a.change())
	},
	Settled: func(c *Client, ctx context.Context, a secretsSetArgs) (binding.Settlement[Updated], error) {
		if !a.Stage {
			return c.rolled(ctx, a.change())
		}
		return settled(c, ctx, func(ctx context.Context) (Updated, bool, error) {
			done, err := c.staged(ctx, a)
			return Updated{Machines: []Machine{}, Skipped: []string{}}, done, err
		})
	},
}

func (a secretsSetArgs) planned() bool {
	for _, v := range a.Values {
		if binding.IsPlanned(v) {
			return true
		}
	}
	return false
}

// values are what is sent: name to value.
func (a secretsSetArgs) values() (map[string]string, error) {
	op := "set secrets of " + a.App
	out := map[string]string{}
	for name, v := range a.Values {
		for key, s := range a.Fill {
			v = strings.ReplaceAll(v, "{"+key+"}", s.Reveal())
		}
		out[name] = v
	}
	for name, v := range a.Secrets {
		if _, twice := out[name]; twice {
			return nil, fault.New(fault.Invalid, "%s is among values and among secrets", name).WithOp("%s", op)
		}
		out[name] = v.Reveal()
	}
	for name, v := range out {
		if v == "" {
			return nil, fault.New(fault.Invalid, "the value of %s is empty", name).WithOp("%s", op)
		}
	}
	if len(out) == 0 {
		return nil, fault.New(fault.Invalid, "there is nothing to set").WithOp("%s", op).WithHint("give values or secrets")
	}
	return out, nil
}

func (a secretsSetArgs) names() []string {
	names := slices.AppendSeq(slices.Collect(maps.Keys(a.Values)), maps.Keys(a.Secrets))
	slices.Sort(names)
	return names
}

// change is the rolling update: the machines read their secrets when they start.
func (a secretsSetArgs) change() change {
	return change{op: "set secrets of " + a.App, app: a.App, within: a.Within, edit: func(config map[string]any) error {
		delete(section(config, "metadata"), secretsLabel) // the key tells from now on
		return nil
	}}
}

// staged tells whether this life has seen all secrets change since they were
// sent. Whoever cannot tell sends them again, which does no harm.
func (c *Client) staged(ctx context.Context, a secretsSetArgs) (bool, error) {
	all, err := c.secrets(ctx, "find out about the secrets of "+a.App, a.App)
	if err != nil {
		return false, err
	}
	for _, name := range a.names() {
		at := slices.IndexFunc(all, func(s wireSecret) bool { return s.Name == name })
		if at < 0 || c.judge(ctx, all[at].state(), time.Time{}) != binding.Yes {
			return false, nil
		}
	}
	return true, nil
}

// state is what changes when a secret is set.
func (s wireSecret) state() string { return s.Name + " " + s.Digest + " " + s.Updated }

func (c *Client) secretsSet(ctx context.Context, a secretsSetArgs) (Updated, error) {
	ch := a.change()
	values, err := a.values()
	if err != nil {
		return Updated{}, before(err)
	}
	all, err := c.list(ctx, ch.op, a.App)
	if err != nil {
		return Updated{}, before(err)
	}
	set, err := c.alreadySet(ctx, a, all)
	if err != nil {
		return Updated{}, before(err)
	}
	if !set {
		var answer struct {
			Version uint64 `json:"version"`
		}
		if a.Stage {
			there, err := c.secrets(ctx, ch.op, a.App)
			if err != nil {
				return Updated{}, before(err)
			}
			var states []string
			for _, s := range there {
				states = append(states, s.state())
			}
			c.note(ctx, states)
		}
		err := c.do(ctx, ch.op, request{action: "secrets_update", subject: a.App, method: http.MethodPost, url: c.appURL(a.App, "/secrets"),
			body: map[string]any{"values": values}}, &answer)
		c.left(ctx, "", err)
		if err != nil {
			return Updated{}, err
		}
		ch.secrets = answer.Version
	}
	if a.Stage {
		return Updated{Machines: []Machine{}, Skipped: ids(all)}, nil
	}
	out, err := c.roll(ctx, ch, all)
	if err != nil && fault.KindOf(err) == fault.Failed {
		err = fault.As(err).WithHint("the app may not like a new value: fly.logs { app = %q }; set the right one with fly.secrets_set (%s)", a.App, fmt.Sprint(a.names()))
	}
	return out, begun(err)
}

// secretsLabel is the metadata by which a machine remembers which call is about
// to set secrets, and what they were before: Fly gives them no room for a key.
const secretsLabel = "drhost_secrets"

// alreadySet tells whether an earlier attempt of this call has set the values: a
// machine has its key, or the digests are no longer those that it noted. If not,
// it notes them, for the next attempt.
func (c *Client) alreadySet(ctx context.Context, a secretsSetArgs, all []*machine) (bool, error) {
	key, op := binding.Key(ctx), a.change().op
	if key == "" {
		return false, nil
	}
	if slices.ContainsFunc(all, func(m *machine) bool { return m.metadata(keyLabel) == key }) {
		return true, nil
	}
	known, err := c.secrets(ctx, op, a.App)
	if err != nil {
		return false, err
	}
	now := key
	for _, name := range a.names() {
		digest := "-"
		for _, s := range known {
			if s.Name == name {
				digest = s.Digest
			}
		}
		now += " " + digest
	}
	for _, m := range all {
		if noted := m.metadata(secretsLabel); strings.HasPrefix(noted, key+" ") {
			return noted != now, nil
		}
	}
	at := slices.IndexFunc(all, (*machine).reachable)
	if at < 0 {
		return false, nil
	}
	return false, c.leased(ctx, op, a.App, all[at].ID, func(ctx context.Context, l *lease) error {
		return c.setMetadata(ctx, op, a.App, l.id, l, secretsLabel, now)
	})
}

func ids(all []*machine) []string {
	out := []string{}
	for _, m := range all {
		out = append(out, m.ID)
	}
	return out
}
