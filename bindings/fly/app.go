package fly

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// App is an app with its machines.
type App struct {
	Name     string    `lua:"name" doc:"Its name."`
	Status   string    `lua:"status" doc:"deployed, suspended or pending."`
	Org      string    `lua:"organization,optional" doc:"Slug of its organization."`
	Healthy  bool      `lua:"healthy" doc:"Whether at least one machine serves customers: started, on a live host, not cordoned, all checks passing."`
	Serving  int       `lua:"serving" doc:"How many machines do."`
	Well     bool      `lua:"well" doc:"Whether every machine does that was not cordoned."`
	Unwell   []string  `lua:"unwell" doc:"Ids of machines that should and do not, on hosts that answer: a restart or another release may help."`
	Lost     []string  `lua:"lost" doc:"Ids of those on hosts that do not answer: others in their place help."`
	Image    string    `lua:"image,optional" doc:"The image that most machines run."`
	Regions  []string  `lua:"regions" doc:"Regions with at least one machine."`
	Machines []Machine `lua:"machines" doc:"All machines."`
	Problems []string  `lua:"problems" doc:"What is wrong, in words."`
}

type appArgs struct {
	App string `lua:"app" doc:"Name of the app."`
}

var readStatus = binding.Func[*Client, appArgs, App]{
	Name: "status", Effect: binding.Reads,
	Doc:     "An app and its machines: who serves, who does not and why. What flyctl status shows.",
	Raises:  raises(),
	Example: `fly.status { app = "webhost-prod" }`,
	Target:  "app",
	Call:    (*Client).status,
}

type wireApp struct {
	Name     string `json:"name"`
	Status   string `json:"status"`
	Role     string `json:"app_role"`
	Machines int    `json:"machine_count"`
	Org      struct {
		Slug string `json:"slug"`
	} `json:"organization"`
}

func (c *Client) status(ctx context.Context, a appArgs) (App, error) {
	op := "look at app " + a.App
	all, err := c.list(ctx, op, a.App)
	if err != nil {
		return App{}, err
	}
	var app wireApp
	if err := c.get(ctx, op, "app_get", a.App, "", &app); err != nil {
		return App{}, err
	}
	out := App{Name: a.App, Status: app.Status, Org: app.Org.Slug, Machines: machinesOf(a.App, all), Regions: []string{}, Problems: []string{}, Unwell: []string{}, Lost: []string{}}
	images := map[string]int{}
	for _, m := range all {
		switch {
		case m.healthy() && !m.Cordoned:
			out.Serving++
		case m.Cordoned || m.healthy():
		case m.reachable():
			out.Unwell = append(out.Unwell, m.ID)
		default:
			out.Lost = append(out.Lost, m.ID)
		}
		if !slices.Contains(out.Regions, m.Region) {
			out.Regions = append(out.Regions, m.Region)
		}
		if images[m.image()]++; out.Image == "" || images[m.image()] > images[out.Image] {
			out.Image = m.image()
		}
		out.Problems = append(out.Problems, problemsOf(a.App, m)...)
	}
	out.Healthy, out.Well = out.Serving > 0, len(out.Unwell)+len(out.Lost) == 0
	if len(images) > 1 {
		out.Problems = append(out.Problems, fmt.Sprintf("the machines run %d different images: a deployment or a rollback stopped half-way", len(images)))
	}
	if len(all) == 0 {
		out.Problems = append(out.Problems, "the app has no machines: fly.scale_count cannot help without one to copy; deploy it")
	}
	return out, nil
}

// problemsOf says what is wrong with a machine, with the way out.
func problemsOf(app string, m *machine) []string {
	who := fmt.Sprintf("machine %s (%s)", m.ID, m.Region)
	switch {
	case !m.reachable():
		return []string{who + " is on a host that does not answer: fly.move_region or fly.clone builds a substitute elsewhere"}
	case m.State != "started":
		text := who + " is " + m.State
		if len(m.Events) > 0 {
			if exit, ended := m.Events[0].exit(); ended {
				text += " (" + exit + ")"
			}
		}
		return []string{text}
	case len(m.failing()) > 0:
		return []string{who + ": check " + strings.Join(m.failing(), "; check ")}
	case m.Cordoned:
		return []string{who + " is cordoned: customers do not reach it; fly.machine_uncordon gives it back"}
	}
	return nil
}

// unknownApp adds to a fault about an app that is not there what was meant.
func (c *Client) unknownApp(ctx context.Context, app string, err error) error {
	f := fault.As(err)
	if f.Kind != fault.NotFound {
		return err
	}
	f.Message = fmt.Sprintf("there is no app %q that this token sees", app)
	f.Hint = "is it the token of the right organization?"
	if c.org == "" {
		return f
	}
	all, listErr := c.apps(ctx, f.Op, c.org)
	if listErr != nil {
		return f
	}
	var names []string
	for _, a := range all {
		names = append(names, a.Name)
	}
	if near := binding.Nearest(app, names); near != "" {
		f.Hint = fmt.Sprintf("did you mean %q?", near)
	}
	return f
}

type restartArgs struct {
	App    string        `lua:"app" doc:"Name of the app."`
	Region string        `lua:"region,optional" doc:"Only machines of this region."`
	Force  bool          `lua:"force" default:"false" doc:"Whether to kill them instead of asking them to end."`
	Within time.Duration `lua:"within" default:"5m" doc:"How long each machine may take until it is healthy again."`
}

// Restarted is what became of the machines of an app.
type Restarted struct {
	Machines []Machine `lua:"machines" doc:"The machines that were restarted."`
	Skipped  []string  `lua:"skipped" doc:"Ids of machines that were not: stopped by somebody, or on a dead host."`
}

var restart = binding.Func[*Client, restartArgs, Restarted]{
	Name: "restart", Effect: binding.Mutates,
	Doc: "Restart the machines of an app, those too whose program has died, one after the other: each under its lease, waiting until it is started and its checks pass before the " +
		"next. The first that does not come back ends it, so that the others go on serving. For Postgres use fly.pg_restart, which knows the order.",
	Says:    "restart the machines of {app}",
	Raises:  raises(fault.Conflict, fault.Failed),
	Example: `fly.restart { app = "webhost-prod" }`,
	Target:  "app",
	Call:    (*Client).restart,
	Predict: func(c *Client, ctx context.Context, a restartArgs) (Restarted, error) {
		if binding.IsPlanned(a.App) {
			return Restarted{}, nil
		}
		todo, skipped, err := c.restartables(ctx, "restart "+a.App, a)
		out := Restarted{Machines: []Machine{}, Skipped: skipped}
		for _, m := range todo {
			out.Machines = append(out.Machines, foretold(a.App, m, "started"))
		}
		return out, err
	},
	Settled: func(c *Client, ctx context.Context, a restartArgs) (binding.Settlement[Restarted], error) {
		op := "find out about the restart of " + a.App
		return settled(c, ctx, func(ctx context.Context) (Restarted, bool, error) {
			todo, skipped, err := c.restartables(ctx, op, a)
			if fault.KindOf(err) == fault.Conflict {
				return Restarted{}, false, nil // nothing is left to restart: sent again it does nothing but say so
			}
			if err != nil {
				return Restarted{}, false, err
			}
			for _, m := range todo {
				seen, err := c.look(ctx, op, a.App, m.ID)
				if err != nil {
					return Restarted{}, false, err
				}
				if done, err := c.restartedBy(ctx, op, a.App, seen); err != nil || !done || !seen.healthy() {
					return Restarted{}, false, err
				}
			}
			return Restarted{machinesOf(a.App, todo), skipped}, true, nil
		})
	},
}

// restartables are the machines that a restart of the app concerns. One that
// this call has restarted and that is not yet back counts as well.
func (c *Client) restartables(ctx context.Context, op string, a restartArgs) (todo []*machine, skipped []string, err error) {
	all, err := c.list(ctx, op, a.App)
	if err != nil {
		return nil, nil, before(err)
	}
	skipped = []string{}
	for _, m := range all {
		ours, err := c.restartedBy(ctx, op, a.App, m)
		switch {
		case err != nil:
			return nil, nil, before(err)
		case a.Region != "" && m.Region != a.Region:
		case !m.reachable() || m.rests() && !ours:
			skipped = append(skipped, m.ID)
		default:
			todo = append(todo, m)
		}
	}
	if len(todo) == 0 {
		return nil, nil, fault.New(fault.Conflict, "none of the %d machines of %s runs on a live host", len(all), a.App).WithOp("%s", op).
			WithHint("fly.machine_start starts stopped ones; fly.move_region { app = %q, to = ... } builds substitutes for those on dead hosts", a.App)
	}
	return todo, skipped, nil
}

func (c *Client) restart(ctx context.Context, a restartArgs) (Restarted, error) {
	op := "restart " + a.App
	todo, skipped, err := c.restartables(ctx, op, a)
	if err != nil {
		return Restarted{}, err
	}
	out := Restarted{Machines: []Machine{}, Skipped: skipped}
	for i, m := range todo {
		binding.Progress(ctx, "restart %s: machine %d of %d, %s (%s)", a.App, i+1, len(todo), m.ID, m.Region)
		err := c.leased(ctx, op, a.App, m.ID, func(ctx context.Context, l *lease) error {
			ctx, b := c.budget(ctx, a.Within)
			if _, err := c.restartOne(ctx, b, op, m, l, a.Force); err != nil {
				return err
			}
			m, err := c.reach(ctx, b, op, a.App, m.ID, "healthy", (*machine).healthy)
			out.Machines = append(out.Machines, machineOf(a.App, m))
			return accepted(err)
		})
		if err != nil {
			if i > 0 {
				err = begun(err)
			}
			return out, err
		}
	}
	return out, nil
}
