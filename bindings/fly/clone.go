package fly

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// copying says how machines are copied in one call.
type copying struct {
	op, app string
	region  string // where to
	data    string // what becomes of a volume: empty, snapshot, fork; "" refuses machines with one
	within  time.Duration
	bare    bool // it suffices that a copy is started
}

type cloneArgs struct {
	App     string        `lua:"app" doc:"Name of the app."`
	Machine string        `lua:"machine" doc:"Id or name of the machine to copy; it may be on a dead host."`
	Region  string        `lua:"region,optional" doc:"Region of the copy; that of the machine when left out."`
	Data    string        `lua:"data,optional" enum:"empty,snapshot,fork" doc:"What a copy of a machine with a volume gets: an empty one, the newest snapshot, or a fork of the volume as it is. Such a machine is not copied without saying it."`
	Within  time.Duration `lua:"within" default:"5m" doc:"How long it may take until the copy is healthy."`
}

var clone = binding.Func[*Client, cloneArgs, Machine]{
	Name: "clone", Effect: binding.Mutates,
	Doc: "Make another machine like one that is there, maybe in another region, and wait until it is healthy. The copy carries the key of the call in its " +
		"metadata, by which a repeated call finds it instead of making a second one. A volume made on the way is found again as well.",
	Says:    "copy machine {machine} of {app} (region {region})",
	Raises:  raises(fault.Invalid, fault.Conflict, fault.Exhausted, fault.Failed),
	Example: `fly.clone { app = "webhost-prod", machine = "d891234567890a", region = "fra" }`,
	Target:  "app",
	Call: func(c *Client, ctx context.Context, a cloneArgs) (Machine, error) {
		k, m, all, err := c.copying(ctx, a)
		if err != nil {
			return Machine{}, before(err)
		}
		made, err := c.copy(ctx, k, m, all, binding.Key(ctx))
		if err != nil {
			return Machine{}, err
		}
		return machineOf(a.App, made), nil
	},
	Predict: func(c *Client, ctx context.Context, a cloneArgs) (Machine, error) {
		if binding.IsPlanned(a.App) || binding.IsPlanned(a.Machine) || binding.IsPlanned(a.Region) {
			return Machine{ID: binding.Planned("id of the copy of " + a.Machine), App: a.App, Region: a.Region, State: "started", Healthy: true}, nil
		}
		k, m, all, err := c.copying(ctx, a)
		if err != nil {
			return Machine{}, err
		}
		if _, err := template(k.op, a.App, m, all); err != nil {
			return Machine{}, err
		}
		return copyForetold(k, m), nil
	},
	Settled: func(c *Client, ctx context.Context, a cloneArgs) (binding.Settlement[Machine], error) {
		c.repeated(ctx)
		return settled(c, ctx, func(ctx context.Context) (Machine, bool, error) {
			all, err := c.list(ctx, "find out about the copy of "+a.Machine, a.App)
			made := keyed(all, binding.Key(ctx))
			if err != nil || made == nil {
				return Machine{}, false, err
			}
			return machineOf(a.App, made), made.healthy(), nil
		})
	},
}

func (c *Client) copying(ctx context.Context, a cloneArgs) (copying, *machine, []*machine, error) {
	k := copying{op: "copy machine " + a.Machine, app: a.App, region: a.Region, data: a.Data, within: a.Within}
	m, err := c.find(ctx, k.op, a.App, a.Machine)
	if err != nil {
		return k, nil, nil, err
	}
	all, err := c.list(ctx, k.op, a.App)
	if k.region == "" {
		k.region = m.Region
	}
	if err == nil {
		err = volumeChoice(k, m)
	}
	return k, m, all, err
}

// volumeChoice refuses to guess what a copy of a machine with data shall have.
func volumeChoice(k copying, m *machine) error {
	if hasMount(m) && k.data == "" {
		return fault.New(fault.Invalid, "machine %s has a volume", m.ID).WithOp("%s", k.op).
			WithHint(`say data = "snapshot" (the newest one), "fork" (its data as they are; the host has to be alive) or "empty"`)
	}
	return nil
}

func hasMount(m *machine) bool {
	mounts, _ := m.usable()["mounts"].([]any)
	return len(mounts) > 0
}

func copyForetold(k copying, m *machine) Machine {
	out := foretold(k.app, m, "started")
	out.ID, out.Name, out.Region, out.Cordoned, out.Host = binding.Planned("id of the copy of "+m.ID), binding.Planned("name of the copy of "+m.ID), k.region, false, "ok"
	out.Address, out.Instance = binding.Planned("address of the copy of "+m.ID), binding.Planned("instance of the copy of "+m.ID)
	if out.Volume != "" {
		out.Volume = binding.Planned("volume of the copy of " + m.ID)
	}
	return out
}

// keyed is the machine that carries a key, or nil.
func keyed(all []*machine, key string) *machine {
	at := slices.IndexFunc(all, func(m *machine) bool { return key != "" && m.metadata(keyLabel) == key })
	if at < 0 {
		return nil
	}
	return all[at]
}

// template is the configuration to copy. Of a machine on a dead host Fly knows
// only a part: then one of its group on a live host stands in.
func template(op, app string, m *machine, all []*machine) (map[string]any, error) {
	if m.Config != nil {
		return m.Config, nil
	}
	for _, other := range all {
		if other.Config != nil && other.group() == m.group() && hasMount(other) == hasMount(m) {
			return other.Config, nil
		}
	}
	if image, _ := m.Incomplete["image"].(string); image != "" || m.Image.text() != "" {
		return m.Incomplete, nil
	}
	return nil, fault.New(fault.Conflict, "Fly does not tell how machine %s was configured, because its host does not answer", m.ID).WithOp("%s", op).
		WithHint("deploy %s anew into the other region", app)
}

// copy makes a machine like m, or finds the one that this call has made, and
// waits until it is healthy.
func (c *Client) copy(ctx context.Context, k copying, m *machine, all []*machine, key string) (*machine, error) {
	ctx, b := c.budget(ctx, k.within)
	made := keyed(all, key)
	if made == nil {
		config, err := template(k.op, k.app, m, all)
		if err != nil {
			return nil, before(err)
		}
		config = edited(config, key)
		if s, _ := config["image"].(string); s == "" {
			config["image"] = m.Image.text()
		}
		if textOf(config, "env", "PRIMARY_REGION") == m.Region && !m.postgres() {
			put(config, "env", "PRIMARY_REGION", k.region)
		}
		delete(config, "standbys")
		for _, label := range []string{restartLabel, startLabel, promoteLabel, demoteLabel} { // those say what was done to the other machine
			delete(section(config, "metadata"), label)
		}
		if err := c.furnish(ctx, b, k, m, config); err != nil {
			return nil, err
		}
		made = &machine{}
		err = c.do(ctx, k.op, request{action: "launch", subject: k.app, method: http.MethodPost, url: c.appURL(k.app, "/machines"),
			body: map[string]any{"region": k.region, "config": config}, within: c.answer}, made)
		if err != nil {
			return nil, regionFull(k, err)
		}
	} else if made.rests() {
		if _, err := c.carry(ctx, k.app, made.ID, b.left(), command{verb: "start", action: "start", path: "/start", what: "started", met: started}); err != nil {
			return nil, err
		}
	}
	what := "healthy"
	if k.bare {
		what = "started"
	}
	now, err := c.reach(ctx, b, k.op, k.app, made.ID, what, func(m *machine) bool { return m.ready(k.bare) })
	return now, accepted(err)
}

// ready tells whether a copy is as far as it has to be.
func (m *machine) ready(bare bool) bool { return m.healthy() || bare && m.reachable() && started(m) }

// regionFull names the region in a fault about capacity.
func regionFull(k copying, err error) error {
	if f := fault.As(err); f.Kind == fault.Exhausted {
		return f.WithHint("region %s has no room: another region, or fly.scale_memory to a smaller size first", k.region)
	}
	return err
}

// furnish gives a configuration with a mount the volume that the copy gets.
func (c *Client) furnish(ctx context.Context, b *budget, k copying, m *machine, config map[string]any) error {
	mounts, _ := config["mounts"].([]any)
	if len(mounts) == 0 {
		return nil
	}
	if err := volumeChoice(k, m); err != nil {
		return before(err)
	}
	mount, _ := mounts[0].(map[string]any)
	source := m.volume()
	want := wanted{name: stringOf(mount["name"]), region: k.region, size: number(mount["size_gb"])}
	if source != "" {
		v, err := c.volume(ctx, k.op, k.app, source)
		if err == nil {
			want.name, want.size = v.Name, v.Size
		} else if fault.KindOf(err) != fault.NotFound || k.data == "fork" {
			return before(err)
		}
	}
	switch k.data {
	case "fork":
		want.source = source
	case "snapshot":
		s, err := c.newestSnapshot(ctx, k.op, k.app, source)
		if err != nil {
			return before(err)
		}
		want.snapshot = s.ID
	}
	if want.name == "" {
		want.name = "data"
	}
	guest := section(config, "guest")
	v, err := c.makeVolume(ctx, b, k.op, k.app, want, guest)
	if err != nil {
		return regionFull(k, err)
	}
	mount["volume"] = v.ID
	delete(mount, "name")
	config["mounts"] = []any{mount}
	return nil
}

func stringOf(v any) string {
	s, _ := v.(string)
	return strings.TrimSpace(s)
}

// part is the key of one of several things that a call makes.
func part(key, of string) string {
	if key == "" {
		return ""
	}
	return fmt.Sprintf("%s.%s", key, of)
}
