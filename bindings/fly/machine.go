package fly

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// Check is one health check of a machine.
type Check struct {
	Name   string `lua:"name" doc:"Its name."`
	Status string `lua:"status" doc:"passing, warning or critical."`
	Output string `lua:"output,optional" doc:"What it says."`
}

// Machine is one machine of an app.
type Machine struct {
	ID       string    `lua:"id" doc:"Its id, such as d891234567890a."`
	Name     string    `lua:"name" doc:"Its name."`
	App      string    `lua:"app" doc:"The app it belongs to."`
	State    string    `lua:"state" doc:"created, starting, started, stopping, stopped, suspended, replacing, destroyed, failed, ..."`
	Region   string    `lua:"region" doc:"Code of its region: ams, fra, ..."`
	Host     string    `lua:"host" doc:"ok, unknown or unreachable: whether Fly can act on it."`
	Healthy  bool      `lua:"healthy" doc:"Whether it is started, its host is ok and all checks pass."`
	Cordoned bool      `lua:"cordoned" doc:"Whether Fly's proxy sends it no customers."`
	Role     string    `lua:"role,optional" doc:"In a Postgres cluster: primary, replica, witness, zombie, readonly or failed."`
	Group    string    `lua:"group,optional" doc:"Its process group."`
	Image    string    `lua:"image" doc:"The image it runs."`
	Memory   int       `lua:"memory" doc:"Memory in MiB."`
	CPUs     int       `lua:"cpus" doc:"Number of CPUs."`
	Volume   string    `lua:"volume,optional" doc:"Id of its volume."`
	Address  string    `lua:"address,optional" doc:"Private IPv6 address."`
	Instance string    `lua:"instance" doc:"Version of its configuration; every update gives a new one."`
	Checks   []Check   `lua:"checks" doc:"Its health checks."`
	Created  time.Time `lua:"created,optional" doc:"When it was made."`
	Updated  time.Time `lua:"updated,optional" doc:"When it changed last."`
}

func machineOf(app string, m *machine) Machine {
	host := m.HostStatus
	if host == "" {
		host = "ok"
	}
	out := Machine{ID: m.ID, Name: m.Name, App: app, State: m.State, Region: m.Region, Host: host, Healthy: m.healthy(), Cordoned: m.Cordoned,
		Role: m.role(), Group: m.group(), Image: m.image(), Memory: m.memory(), CPUs: m.cpus(), Volume: m.volume(), Address: m.PrivateIP,
		Instance: m.Instance, Checks: []Check{}, Created: moment(m.Created), Updated: moment(m.Updated)}
	for _, c := range m.Checks {
		out.Checks = append(out.Checks, Check{c.Name, c.Status, c.Output})
	}
	return out
}

func machinesOf(app string, all []*machine) []Machine {
	out := make([]Machine, 0, len(all))
	for _, m := range all {
		out = append(out, machineOf(app, m))
	}
	return out
}

// list returns the machines of an app that serve it, by region and id. A fault
// of an unknown app names what was probably meant.
func (c *Client) list(ctx context.Context, op, app string) ([]*machine, error) {
	all, err := c.listAll(ctx, op, app)
	all = slices.DeleteFunc(all, func(m *machine) bool { return !m.serves() })
	return all, err
}

func (c *Client) listAll(ctx context.Context, op, app string) ([]*machine, error) {
	if app == "" {
		return nil, fault.New(fault.Invalid, "the app has no name").WithOp("%s", op)
	}
	var all []*machine
	if err := c.get(ctx, op, "machine_list", app, "/machines", &all); err != nil {
		return nil, c.unknownApp(ctx, app, err)
	}
	slices.SortFunc(all, func(a, b *machine) int {
		return strings.Compare(a.Region+" "+a.ID, b.Region+" "+b.ID)
	})
	return all, nil
}

// find returns one machine by id or name. The one that lists does not give may
// be destroyed.
func (c *Client) find(ctx context.Context, op, app, name string) (*machine, error) {
	if name == "" {
		return nil, fault.New(fault.Invalid, "the machine has no name").WithOp("%s", op)
	}
	var m machine
	err := c.do(ctx, op, request{action: actionGet, subject: name, method: "GET", url: c.appURL(app, "/machines/%s", url.PathEscape(name))}, &m)
	if err == nil {
		return &m, nil
	}
	if fault.KindOf(err) != fault.NotFound {
		return nil, err
	}
	all, listErr := c.listAll(ctx, op, app)
	if listErr != nil {
		return nil, listErr
	}
	var names []string
	for _, m := range all {
		if m.Name == name {
			return m, nil
		}
		names = append(names, m.ID, m.Name)
	}
	f := fault.New(fault.NotFound, "app %s has no machine %q", app, name).WithOp("%s", op)
	if near := binding.Nearest(name, names); near != "" {
		return nil, f.WithHint("did you mean %q?", near)
	}
	return nil, f.WithHint("fly.machines { app = %q } lists what there is", app)
}

// look reads a machine by id.
func (c *Client) look(ctx context.Context, op, app, id string) (*machine, error) {
	var m machine
	err := c.do(ctx, op, request{action: actionGet, subject: id, method: "GET", url: c.appURL(app, "/machines/%s", url.PathEscape(id))}, &m)
	return &m, err
}

type machinesArgs struct {
	App    string `lua:"app" doc:"Name of the app."`
	Region string `lua:"region,optional" doc:"Only machines of this region."`
}

var readMachines = binding.Func[*Client, machinesArgs, []Machine]{
	Name: "machines", Effect: binding.Reads,
	Doc:     "The machines of an app, by region; those on a dead host too (host is then unreachable).",
	Raises:  raises(),
	Example: `fly.machines { app = "webhost-prod" }`,
	Target:  "app",
	Call: func(c *Client, ctx context.Context, a machinesArgs) ([]Machine, error) {
		all, err := c.list(ctx, "list the machines of "+a.App, a.App)
		if a.Region != "" {
			all = slices.DeleteFunc(all, func(m *machine) bool { return m.Region != a.Region })
		}
		return machinesOf(a.App, all), err
	},
}

type machineArgs struct {
	App     string `lua:"app" doc:"Name of the app."`
	Machine string `lua:"machine" doc:"Id or name of the machine."`
}

var readMachine = binding.Func[*Client, machineArgs, Machine]{
	Name: "machine", Effect: binding.Reads,
	Doc:     "One machine: state, region, health, image, role.",
	Raises:  raises(),
	Example: `fly.machine { app = "webhost-prod", machine = "d891234567890a" }`,
	Target:  "machine",
	Call: func(c *Client, ctx context.Context, a machineArgs) (Machine, error) {
		m, err := c.find(ctx, "look up machine "+a.Machine, a.App, a.Machine)
		if err != nil {
			return Machine{}, err
		}
		return machineOf(a.App, m), nil
	},
}

// Event is something that happened to a machine.
type Event struct {
	Type   string    `lua:"type" doc:"launch, start, stop, restart, exit, update, ..."`
	Status string    `lua:"status" doc:"State that it led to."`
	Source string    `lua:"source" doc:"Who brought it about: user or flyd."`
	At     time.Time `lua:"at" doc:"When."`
	Exit   string    `lua:"exit,optional" doc:"How the program ended: exit code 1, killed for lack of memory."`
}

type eventsArgs struct {
	App     string `lua:"app" doc:"Name of the app."`
	Machine string `lua:"machine" doc:"Id of the machine."`
	Limit   int    `lua:"limit" default:"20" doc:"How many at most."`
}

var readEvents = binding.Func[*Client, eventsArgs, []Event]{
	Name: "events", Effect: binding.Reads,
	Doc:     "What happened to a machine, the newest first. An exit that nobody asked for says with which code, and whether memory ran out.",
	Raises:  raises(),
	Example: `fly.events { app = "webhost-prod", machine = "d891234567890a" }`,
	Target:  "machine",
	Call: func(c *Client, ctx context.Context, a eventsArgs) ([]Event, error) {
		var all []wireEvent
		op := "read the events of " + a.Machine
		path := fmt.Sprintf("/machines/%s/events?limit=%d", url.PathEscape(a.Machine), a.Limit)
		if err := c.do(ctx, op, request{action: "events", subject: a.Machine, method: "GET", url: c.appURL(a.App, "%s", path)}, &all); err != nil {
			return nil, err
		}
		out := []Event{}
		for _, e := range all {
			exit, _ := e.exit()
			out = append(out, Event{Type: e.Type, Status: e.Status, Source: e.Source, At: e.at(), Exit: exit})
		}
		return out, nil
	},
}

// Version is one configuration that a machine had.
type Version struct {
	ID    string `lua:"id" doc:"What the machine calls its instance."`
	Image string `lua:"image" doc:"The image of it."`
}

type wireVersion struct {
	Version string         `json:"version"`
	Config  map[string]any `json:"user_config"`
}

var readVersions = binding.Func[*Client, machineArgs, []Version]{
	Name: "versions", Effect: binding.Reads,
	Doc:     "The configurations that a machine had, the newest first, with their images: what fly.rollback can go back to.",
	Raises:  raises(),
	Example: `fly.versions { app = "webhost-prod", machine = "d891234567890a" }`,
	Target:  "machine",
	Call: func(c *Client, ctx context.Context, a machineArgs) ([]Version, error) {
		all, err := c.versions(ctx, "read the versions of "+a.Machine, a.App, a.Machine)
		out := []Version{}
		for _, v := range all {
			image, _ := v.Config["image"].(string)
			out = append(out, Version{v.Version, image})
		}
		return out, err
	},
}

func (c *Client) versions(ctx context.Context, op, app, id string) ([]wireVersion, error) {
	var all []wireVersion
	err := c.do(ctx, op, request{action: "versions", subject: id, method: "GET", url: c.appURL(app, "/machines/%s/versions", url.PathEscape(id))}, &all)
	// Versions are ULIDs: their order is that of time.
	slices.SortFunc(all, func(a, b wireVersion) int { return strings.Compare(b.Version, a.Version) })
	return all, err
}
