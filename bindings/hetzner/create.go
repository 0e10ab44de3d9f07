package hetzner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
)

type createArgs struct {
	Name       string            `lua:"name" doc:"Name of the new server; unique in the project."`
	Like       string            `lua:"like,optional" doc:"Server to copy type, image, location, labels, networks, firewalls and placement group from; what is given beside it wins."`
	Config     string            `lua:"config,optional" doc:"File with the body of Hetzner's POST /servers, such as new-server-config.json; what is given beside it wins."`
	Type       string            `lua:"type,optional" doc:"Server type, such as cpx21."`
	Types      []string          `lua:"types,optional" doc:"Further types, tried in this order when every location is sold out of the one before."`
	Image      string            `lua:"image,optional" doc:"Name or id of an image, or the description of a snapshot (then the newest)."`
	Locations  []string          `lua:"locations,optional" doc:"Locations, tried in this order when the one before is sold out; Hetzner chooses when left out."`
	Labels     map[string]string `lua:"labels,optional" doc:"Labels, added to those of like or config."`
	UserData   string            `lua:"user_data,optional" doc:"cloud-init user data, at most 32 KiB. Hetzner keeps it: no passwords in here."`
	SSHKeys    []string          `lua:"ssh_keys,optional" doc:"Names or ids of SSH keys; all keys of the project when left out."`
	Networks   []string          `lua:"networks,optional" doc:"Names or ids of private networks."`
	Firewalls  []string          `lua:"firewalls,optional" doc:"Names or ids of firewalls."`
	Volumes    []string          `lua:"volumes,optional" doc:"Names or ids of volumes to attach; they have to be free and in the same location."`
	Placement  string            `lua:"placement_group,optional" doc:"Name or id of a placement group."`
	PrimaryIPs []string          `lua:"primary_ips,optional" doc:"Names, ids or addresses of free primary IPs to use instead of new ones; they bind the server to their location."`
	Start      *bool             `lua:"start" doc:"Whether to start it; true when left out."`
	Within     time.Duration     `lua:"within" default:"15m" doc:"How long it may take to report running."`
}

var createServer = binding.Func[*Client, createArgs, Server]{
	Name: "create_server", Effect: binding.Mutates,
	Doc: "Create a server and wait until it runs. Where Hetzner is sold out, the next location is tried, and after the last location the next type. " +
		"The new server carries the label drhost-key, by which a repeated call recognises it and returns it instead of making a second one.",
	Says: "create the server {name}",
	Raises: []fault.Kind{fault.NotFound, fault.Invalid, fault.Conflict, fault.Exhausted, fault.Failed, fault.Timeout, fault.Denied,
		fault.RateLimited, fault.Unavailable},
	Example: `hetzner.create_server { name = "hobby-1-r", like = "hobby-1", locations = { "fsn1", "nbg1", "hel1" } }`,
	Target:  "name",
	Call:    (*Client).createServer,
	Predict: (*Client).predictCreate,
	Settled: (*Client).createSettled,
}

func (c *Client) createServer(ctx context.Context, a createArgs) (Server, error) {
	op := "create " + a.Name
	w, err := c.wanted(ctx, op, a)
	if err != nil {
		return Server{}, before(err)
	}
	tries, err := c.tries(ctx, op, w)
	if err != nil {
		return Server{}, before(err)
	}
	var refused []string
	for _, t := range tries {
		binding.Progress(ctx, "create %s as %s", a.Name, t)
		made, _, err := c.api.Server.Create(ctx, t.opts)
		if err == nil {
			return c.created(ctx, op, a, w, made)
		}
		if hcloud.IsError(err, hcloud.ErrorCodeUniquenessError) {
			return c.taken(ctx, op, a, w)
		}
		if !soldOut(err) {
			return Server{}, c.translate(op, err)
		}
		// A refusal of the placement has been seen after the server was made
		// (hetznercloud/terraform-provider-hcloud issue 469).
		if ours, err := c.ours(ctx, op); err != nil || ours != nil {
			if err != nil {
				return Server{}, accepted(err) // Settled looks again
			}
			return c.adopted(ctx, op, a, w, ours)
		}
		refused = append(refused, fmt.Sprintf("%s: %s", t, messageOf(err)))
	}
	return Server{}, fault.New(fault.Exhausted, "no server of what was asked for is to be had: %s", strings.Join(refused, "; ")).WithOp("%s", op).
		WithHint("name further locations or types; hetzner.availability { type = %q } shows what is free", w.types[0])
}

// soldOut tells whether a refusal concerns only this type in this location.
func soldOut(err error) bool {
	var api hcloud.Error
	if !errors.As(err, &api) {
		return false
	}
	if slices.Contains([]hcloud.ErrorCode{hcloud.ErrorCodeResourceUnavailable, hcloud.ErrorCodePlacementError}, api.Code) {
		return true
	}
	text := strings.ToLower(api.Message)
	if details, ok := api.Details.(hcloud.ErrorDetailsInvalidInput); ok {
		for _, field := range details.Fields {
			text += " " + strings.ToLower(strings.Join(field.Messages, " "))
		}
	}
	return strings.Contains(text, "location disabled") || strings.Contains(text, "unsupported location for server type")
}

// created waits for a server that Hetzner has accepted.
func (c *Client) created(ctx context.Context, op string, a createArgs, w *wanted, made hcloud.ServerCreateResult) (Server, error) {
	if made.RootPassword != "" {
		binding.Progress(ctx, "%s has no SSH key; reset its root password in Hetzner's console to log in", a.Name)
	}
	ctx, b := c.budget(ctx, a.Within)
	if err := c.finish(ctx, b, op, append(made.NextActions, made.Action)...); err != nil {
		return Server{}, c.leftover(ctx, a.Name, made.Server, fault.As(err))
	}
	out, err := c.reach(ctx, b, op, made.Server, w.status())
	return out, accepted(err)
}

// leftover says what a creation that failed has left behind.
func (c *Client) leftover(ctx context.Context, name string, made *hcloud.Server, f *fault.Fault) error {
	if f.Kind != fault.Failed {
		return f
	}
	there, _, err := c.api.Server.GetByID(ctx, made.ID)
	switch {
	case err != nil:
		return f.WithHint("look whether server %d is left of it in Hetzner's console, and delete it", made.ID)
	case there == nil:
		return f.WithHint("nothing is left of %s: create it anew, perhaps in another location", name)
	}
	return f.WithHint("%s is left behind as server %d (%s): look at it, then delete it", name, made.ID, there.Status)
}

// taken answers when the name is in use: by this very call, sent before, or by
// something else.
func (c *Client) taken(ctx context.Context, op string, a createArgs, w *wanted) (Server, error) {
	there, _, err := c.api.Server.GetByName(ctx, a.Name)
	if err != nil {
		return Server{}, accepted(c.translate(op, err)) // perhaps by an earlier attempt
	}
	if there == nil {
		return Server{}, fault.New(fault.Conflict, "the name %s was in use a moment ago", a.Name).WithOp("%s", op).Passing()
	}
	if key := binding.Key(ctx); key != "" && there.Labels[keyLabel] == key {
		return c.adopted(ctx, op, a, w, there)
	}
	return Server{}, nameTaken(op, there)
}

func nameTaken(op string, there *hcloud.Server) *fault.Fault {
	return fault.New(fault.Conflict, "there is a server %s already (id %d, %s, created %s)", there.Name, there.ID, there.Status,
		there.Created.UTC().Format(time.RFC3339)).WithOp("%s", op).
		WithHint("choose another name; or hetzner.delete_server { server = %q } if it is left over from an earlier attempt", there.Name)
}

// adopted waits for a server that this call has made in an earlier attempt.
func (c *Client) adopted(ctx context.Context, op string, a createArgs, w *wanted, there *hcloud.Server) (Server, error) {
	actions, err := c.busyServer(there)(ctx)
	if err != nil {
		return Server{}, accepted(c.translate(op, err))
	}
	failed, _, err := c.recent(ctx, there, hcloud.ActionListOpts{Status: []hcloud.ActionStatus{hcloud.ActionStatusError}})
	if err != nil {
		return Server{}, accepted(c.translate(op, err))
	}
	for _, f := range failed {
		if f.Command == "create_server" {
			actions = append(actions, f)
		}
	}
	return c.created(ctx, op, a, w, hcloud.ServerCreateResult{Server: there, NextActions: actions})
}

// ours returns the server that carries the call's key, or nil.
func (c *Client) ours(ctx context.Context, op string) (*hcloud.Server, error) {
	key := binding.Key(ctx)
	if key == "" {
		return nil, nil
	}
	found, err := c.api.Server.AllWithOpts(ctx, hcloud.ServerListOpts{ListOpts: hcloud.ListOpts{LabelSelector: keyLabel + "==" + key}})
	return first(found), c.translate(op, err)
}

// appears polls see for as long as something that Hetzner has received may
// take to show up. Not showing up is no error.
func (c *Client) appears(ctx context.Context, see func(context.Context) (bool, error)) error {
	err := clock.Poll(ctx, c.clock, grace, graceEvery, see)
	if errors.Is(err, clock.ErrExpired) {
		return nil
	}
	return err
}

func (c *Client) createSettled(ctx context.Context, a createArgs) (binding.Settlement[Server], error) {
	op := "find out about the creation of " + a.Name
	if binding.Key(ctx) == "" {
		return binding.Settlement[Server]{Look: "look for a server " + a.Name + " in Hetzner's console"}, nil
	}
	var there *hcloud.Server
	err := c.appears(ctx, func(ctx context.Context) (found bool, err error) {
		there, err = c.ours(ctx, op)
		return there != nil, err
	})
	if err != nil {
		return binding.Settlement[Server]{}, c.translate(op, err)
	}
	if there == nil {
		return binding.Settlement[Server]{Landed: binding.No}, nil
	}
	w := &wanted{start: a.Start == nil || *a.Start}
	if a.Config != "" && a.Start == nil {
		body, err := c.readConfig(op, a.Config)
		if err != nil {
			return binding.Settlement[Server]{}, err
		}
		w.start = body.Start == nil || *body.Start
	}
	out, err := c.adopted(ctx, op, a, w, there)
	return binding.Settlement[Server]{Landed: landed(err), Result: out}, err
}

func (c *Client) predictCreate(ctx context.Context, a createArgs) (Server, error) {
	op := "create " + a.Name
	w, err := c.wanted(ctx, op, a)
	if err != nil {
		return Server{}, err
	}
	tries, err := c.tries(ctx, op, w)
	if err != nil {
		return Server{}, err
	}
	if _, twice := c.foretoldAs(a.Name); !twice {
		there, _, err := c.api.Server.GetByName(ctx, a.Name)
		if err != nil {
			return Server{}, c.translate(op, err)
		}
		if there != nil {
			return Server{}, nameTaken(op, there)
		}
	}
	chosen := tries[0]
	if i := slices.IndexFunc(tries, try.offered); i >= 0 {
		chosen = tries[i]
	}
	api := &hcloud.Server{Name: a.Name, Status: w.status(), ServerType: chosen.kind, Image: chosen.opts.Image, Labels: w.labels}
	shown := Server{ID: binding.Planned("id of " + a.Name), Name: a.Name, Status: string(w.status()), Type: chosen.kind.Name,
		Image: imageRef(chosen.opts.Image), Location: binding.Planned("location of " + a.Name), Labels: w.labels}
	if l := chosen.opts.Location; l != nil {
		api.Location, shown.Location = l, l.Name
	}
	net := chosen.opts.PublicNet
	if net == nil || net.EnableIPv4 {
		shown.IPv4 = binding.Planned("IPv4 of " + a.Name)
	}
	if net == nil || net.EnableIPv6 {
		shown.IPv6 = binding.Planned("IPv6 of " + a.Name)
	}
	if net != nil && net.IPv4 != nil {
		shown.IPv4 = net.IPv4.IP.String()
	}
	for _, n := range chosen.opts.Networks {
		shown.Networks = append(shown.Networks, idText(n.ID))
	}
	for _, f := range chosen.opts.Firewalls {
		shown.Firewalls = append(shown.Firewalls, idText(f.Firewall.ID))
	}
	c.foretell(api, shown)
	return shown, nil
}
