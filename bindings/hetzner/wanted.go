package hetzner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// mostUserData is Hetzner's limit in bytes.
const mostUserData = 32 << 10

// wanted is a new server as asked for: by name, not yet looked up.
type wanted struct {
	name      string
	types     []string
	image     string
	locations []string
	labels    map[string]string
	userData  string
	sshKeys   []string // nil: all keys of the project
	networks  []string
	firewalls []string
	volumes   []string
	placement string
	primary   []string
	ipv4      bool
	ipv6      bool
	automount *bool
	start     bool
}

func (w *wanted) status() hcloud.ServerStatus {
	if w.start {
		return hcloud.ServerStatusRunning
	}
	return hcloud.ServerStatusOff
}

// wanted puts together what the arguments say, over what like or config say.
func (c *Client) wanted(ctx context.Context, op string, a createArgs) (*wanted, error) {
	w := &wanted{labels: map[string]string{}, ipv4: true, ipv6: true, start: true}
	switch {
	case a.Like != "" && a.Config != "":
		return nil, fault.New(fault.Invalid, "like and config exclude each other").WithOp("%s", op)
	case a.Like != "":
		s, err := c.find(ctx, op, a.Like)
		if err != nil {
			return nil, err
		}
		w.copyFrom(s)
	case a.Config != "":
		body, err := c.readConfig(op, a.Config)
		if err != nil {
			return nil, err
		}
		body.fill(w)
	}
	w.override(a)
	w.labels = withKey(ctx, w.labels)
	return w, w.check(op, a)
}

// copyFrom takes over what Hetzner tells about an existing server. It does not
// tell a server's SSH keys, so all keys of the project stand in for them.
func (w *wanted) copyFrom(s *hcloud.Server) {
	if s.ServerType != nil {
		w.types = []string{s.ServerType.Name}
	}
	if s.Image != nil {
		w.image = imageRef(s.Image)
	}
	if s.Location != nil {
		w.locations = []string{s.Location.Name}
	}
	for k, v := range s.Labels {
		if k != keyLabel {
			w.labels[k] = v
		}
	}
	for _, n := range s.PrivateNet {
		w.networks = append(w.networks, idText(n.Network.ID))
	}
	for _, f := range s.PublicNet.Firewalls {
		w.firewalls = append(w.firewalls, idText(f.Firewall.ID))
	}
	if s.PlacementGroup != nil {
		w.placement = idText(s.PlacementGroup.ID)
	}
	if s.ID != 0 {
		w.ipv4, w.ipv6 = !s.PublicNet.IPv4.IsUnspecified(), !s.PublicNet.IPv6.IsUnspecified()
	}
}

func (w *wanted) override(a createArgs) {
	w.name = a.Name
	if a.Type != "" {
		w.types = []string{a.Type}
	}
	for _, t := range a.Types {
		if !slices.Contains(w.types, t) {
			w.types = append(w.types, t)
		}
	}
	if a.Image != "" {
		w.image = a.Image
	}
	if a.Locations != nil {
		w.locations = a.Locations
	}
	for k, v := range a.Labels {
		w.labels[k] = v
	}
	if a.UserData != "" {
		w.userData = a.UserData
	}
	for _, list := range []struct{ into, from *[]string }{{&w.sshKeys, &a.SSHKeys}, {&w.networks, &a.Networks},
		{&w.firewalls, &a.Firewalls}, {&w.volumes, &a.Volumes}, {&w.primary, &a.PrimaryIPs}} {
		if *list.from != nil {
			*list.into = *list.from
		}
	}
	if a.Placement != "" {
		w.placement = a.Placement
	}
	if a.Start != nil {
		w.start = *a.Start
	}
}

func (w *wanted) check(op string, a createArgs) error {
	f := func(format string, args ...any) *fault.Fault {
		return fault.New(fault.Invalid, format, args...).WithOp("%s", op)
	}
	switch {
	case w.name == "":
		return f("the server has no name")
	case len(w.types) == 0:
		return f("no server type is given").WithHint("set type, or like, or config")
	case w.image == "" && a.Like != "":
		return f("the image of %s is gone", a.Like).WithHint("set image: hetzner.images lists what there is")
	case w.image == "":
		return f("no image is given").WithHint("set image, or like, or config")
	case len(w.userData) > mostUserData:
		return f("user_data is %d bytes long, Hetzner takes %d", len(w.userData), mostUserData)
	}
	return nil
}

// configBody is Hetzner's POST /servers body, as new-server-config.json of a
// recovery plan holds it. References are ids or names.
type configBody struct {
	Name      string            `json:"name"`
	Type      reference         `json:"server_type"`
	Image     reference         `json:"image"`
	Location  reference         `json:"location"`
	Labels    map[string]string `json:"labels"`
	UserData  string            `json:"user_data"`
	SSHKeys   []reference       `json:"ssh_keys"`
	Networks  []reference       `json:"networks"`
	Volumes   []reference       `json:"volumes"`
	Firewalls []struct {
		Firewall reference `json:"firewall"`
	} `json:"firewalls"`
	Placement reference `json:"placement_group"`
	PublicNet *struct {
		EnableIPv4 *bool     `json:"enable_ipv4"`
		EnableIPv6 *bool     `json:"enable_ipv6"`
		IPv4       reference `json:"ipv4"`
		IPv6       reference `json:"ipv6"`
	} `json:"public_net"`
	Automount *bool `json:"automount"`
	Start     *bool `json:"start_after_create"`
}

// reference is an id or a name in JSON.
type reference string

func (r *reference) UnmarshalJSON(data []byte) error {
	var n json.Number
	if data[0] != '"' {
		err := json.Unmarshal(data, &n)
		*r = reference(n)
		return err
	}
	return json.Unmarshal(data, (*string)(r))
}

func (c *Client) readConfig(op, path string) (*configBody, error) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(c.dir, path)
	}
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fault.New(fault.NotFound, "there is no file %s", path).WithOp("%s", op).WithHint("config is a path, relative to drhost.toml")
	}
	if err != nil {
		return nil, fault.New(fault.Invalid, "%v", err).WithOp("%s", op)
	}
	var body configBody
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&body); err != nil {
		f := fault.New(fault.Invalid, "%s: %s", path, strings.TrimPrefix(err.Error(), "json: ")).WithOp("%s", op)
		if strings.Contains(err.Error(), `"datacenter"`) {
			f.Hint = "Hetzner has given up datacenter: name the location instead, fsn1 for fsn1-dc14"
		} else {
			f.Hint = "the file holds the body of Hetzner's POST /servers"
		}
		return nil, f
	}
	return &body, nil
}

func (b *configBody) fill(w *wanted) {
	if b.Type != "" {
		w.types = []string{string(b.Type)}
	}
	w.image, w.userData, w.placement, w.automount = string(b.Image), b.UserData, string(b.Placement), b.Automount
	if b.Location != "" {
		w.locations = []string{string(b.Location)}
	}
	for k, v := range b.Labels {
		w.labels[k] = v
	}
	w.sshKeys, w.networks, w.volumes = words(b.SSHKeys), words(b.Networks), words(b.Volumes)
	for _, f := range b.Firewalls {
		w.firewalls = append(w.firewalls, string(f.Firewall))
	}
	if n := b.PublicNet; n != nil {
		w.ipv4, w.ipv6 = n.EnableIPv4 == nil || *n.EnableIPv4, n.EnableIPv6 == nil || *n.EnableIPv6
		for _, ip := range []reference{n.IPv4, n.IPv6} {
			if ip != "" {
				w.primary = append(w.primary, string(ip))
			}
		}
	}
	if b.Start != nil {
		w.start = *b.Start
	}
}

func words(refs []reference) []string {
	if refs == nil {
		return nil
	}
	out := make([]string, len(refs))
	for i, r := range refs {
		out[i] = string(r)
	}
	return out
}

// try is one request that create_server may send.
type try struct {
	kind *hcloud.ServerType
	opts hcloud.ServerCreateOpts
}

func (t try) String() string {
	if t.opts.Location == nil {
		return t.kind.Name
	}
	return t.kind.Name + " in " + t.opts.Location.Name
}

// offered tells whether Hetzner reports the type as available there.
func (t try) offered() bool {
	return slices.ContainsFunc(t.kind.Locations, func(l hcloud.ServerTypeLocation) bool {
		return l.Available && (t.opts.Location == nil || t.opts.Location.Name == l.Location.Name)
	})
}

// tries looks up everything that w names and returns the requests in the order
// in which they are sent: the first type in every location, then the next one.
func (c *Client) tries(ctx context.Context, op string, w *wanted) ([]try, error) {
	common, err := c.options(ctx, op, w)
	if err != nil {
		return nil, err
	}
	locations := []*hcloud.Location{nil}
	if len(w.locations) > 0 {
		if locations, err = each(ctx, op, w.locations, c.locationIn); err != nil {
			return nil, err
		}
	}
	images := map[hcloud.Architecture]*hcloud.Image{}
	var out []try
	for _, name := range w.types {
		kind, err := c.findType(ctx, op, name)
		if err != nil {
			return nil, err
		}
		if images[kind.Architecture] == nil {
			image, err := c.findImage(ctx, op, w.image, kind.Architecture)
			if err != nil {
				return nil, err
			}
			images[kind.Architecture] = image
		}
		for _, location := range locations {
			opts := common
			opts.ServerType, opts.Image, opts.Location = kind, images[kind.Architecture], location
			out = append(out, try{kind, opts})
		}
	}
	return out, nil
}

// locationIn is findLocation, but leaves out what a plan does not know yet.
func (c *Client) locationIn(ctx context.Context, op, name string) (*hcloud.Location, error) {
	if binding.IsPlanned(name) {
		return nil, nil
	}
	return c.findLocation(ctx, op, name)
}

// options looks up what every request has in common.
func (c *Client) options(ctx context.Context, op string, w *wanted) (hcloud.ServerCreateOpts, error) {
	out := hcloud.ServerCreateOpts{Name: w.name, UserData: w.userData, Labels: w.labels, StartAfterCreate: &w.start, Automount: w.automount}
	var err error
	if out.SSHKeys, err = c.keysFor(ctx, op, w.sshKeys); err != nil {
		return out, err
	}
	if out.Networks, err = each(ctx, op, w.networks, c.findNetwork); err != nil {
		return out, err
	}
	if out.Volumes, err = each(ctx, op, w.volumes, volumes.finder(c)); err != nil {
		return out, err
	}
	firewalls, err := each(ctx, op, w.firewalls, c.findFirewall)
	if err != nil {
		return out, err
	}
	for _, f := range firewalls {
		out.Firewalls = append(out.Firewalls, &hcloud.ServerCreateFirewall{Firewall: *f})
	}
	if w.placement != "" {
		if out.PlacementGroup, err = c.findPlacement(ctx, op, w.placement); err != nil {
			return out, err
		}
	}
	return out, c.publicNet(ctx, op, w, &out)
}

// publicNet is left out of the request when it says no more than Hetzner's own
// default.
func (c *Client) publicNet(ctx context.Context, op string, w *wanted, out *hcloud.ServerCreateOpts) error {
	if w.ipv4 && w.ipv6 && len(w.primary) == 0 {
		return nil
	}
	out.PublicNet = &hcloud.ServerCreatePublicNet{EnableIPv4: w.ipv4, EnableIPv6: w.ipv6}
	addresses, err := each(ctx, op, w.primary, primaryIPs.finder(c))
	for _, p := range addresses {
		if p.Type == hcloud.PrimaryIPTypeIPv6 {
			out.PublicNet.IPv6, out.PublicNet.EnableIPv6 = p, true
		} else {
			out.PublicNet.IPv4, out.PublicNet.EnableIPv4 = p, true
		}
	}
	return err
}
