package fly

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// Release is one deployment of an app.
type Release struct {
	Version     int       `lua:"version" doc:"Its number."`
	Status      string    `lua:"status" doc:"complete, failed, running, ..."`
	Stable      bool      `lua:"stable" doc:"Whether Fly takes it for a good one."`
	Image       string    `lua:"image" doc:"The image that was deployed."`
	Description string    `lua:"description,optional" doc:"What it was about."`
	User        string    `lua:"user,optional" doc:"Who deployed it."`
	Created     time.Time `lua:"created,optional" doc:"When."`
}

type releasesArgs struct {
	App   string `lua:"app" doc:"Name of the app."`
	Limit int    `lua:"limit" default:"25" doc:"How many at most."`
	Whole bool   `lua:"whole" default:"false" doc:"Only those of them whose deployment was completed."`
}

var readReleases = binding.Func[*Client, releasesArgs, []Release]{
	Name: "releases", Effect: binding.Reads,
	Doc:     "The deployments of an app, the newest first, with their images.",
	Raises:  raises(fault.Failed),
	Example: `fly.releases { app = "webhost-prod" }`,
	Target:  "app",
	Call: func(c *Client, ctx context.Context, a releasesArgs) ([]Release, error) {
		found, err := c.releases(ctx, "list the releases of "+a.App, a.App, a.Limit)
		if a.Whole {
			found = slices.DeleteFunc(found, func(r Release) bool { return r.Status != "complete" })
		}
		return found, err
	},
}

const releasesQuery = `query ($appName: String!, $limit: Int!) {
  app(name: $appName) {
    releases: releasesUnprocessed(first: $limit) {
      nodes { id version description reason status imageRef stable user { id email name } createdAt }
    }
  }
}`

func (c *Client) releases(ctx context.Context, op, app string, limit int) ([]Release, error) {
	var answer struct {
		App *struct {
			Releases struct {
				Nodes []struct {
					Version     int
					Description string
					Reason      string
					Status      string
					ImageRef    string
					Stable      bool
					User        struct{ Email, Name string }
					CreatedAt   string
				}
			}
		}
	}
	err := c.graphql(ctx, op, "releases", app, releasesQuery, map[string]any{"appName": app, "limit": limit}, &answer)
	if err != nil {
		return nil, c.unknownApp(ctx, app, err)
	}
	if answer.App == nil {
		return nil, c.unknownApp(ctx, app, fault.New(fault.NotFound, "there is no app %s", app).WithOp("%s", op))
	}
	out := []Release{}
	for _, r := range answer.App.Releases.Nodes {
		who := r.User.Email
		if who == "" {
			who = r.User.Name
		}
		what := r.Description
		if what == "" {
			what = r.Reason
		}
		out = append(out, Release{r.Version, r.Status, r.Stable, r.ImageRef, what, who, moment(r.CreatedAt)})
	}
	return out, nil
}

type rollbackArgs struct {
	App     string        `lua:"app" doc:"Name of the app."`
	Image   string        `lua:"image,optional" doc:"The image to go back to."`
	Release int           `lua:"release,optional" doc:"The number of the release to go back to."`
	Group   string        `lua:"group,optional" doc:"Only machines of this process group."`
	Within  time.Duration `lua:"within" default:"5m" doc:"How long each machine may take until it is healthy again."`
}

// RolledBack is what became of a rollback.
type RolledBack struct {
	Image    string    `lua:"image" doc:"The image that the machines run now."`
	From     string    `lua:"from" doc:"The image that they ran before."`
	Machines []Machine `lua:"machines" doc:"The machines that have it."`
	Skipped  []string  `lua:"skipped" doc:"Ids of machines on dead hosts: they still have the old one."`
}

var rollback = binding.Func[*Client, rollbackArgs, RolledBack]{
	Name: "rollback", Effect: binding.Mutates,
	Doc: "Go back to an earlier image: machine after machine, each under its lease, waiting until it is healthy. Without image and release it is the image " +
		"of the newest completed release that differs from what runs, or, when the releases do not answer, the image that a machine had before. Only the " +
		"image changes: configuration and secrets stay.",
	Says:    "roll {app} back (release {release}, image {image})",
	Raises:  raises(fault.Invalid, fault.Conflict, fault.Failed),
	Example: `fly.rollback { app = "webhost-prod" }`,
	Target:  "app",
	Call:    (*Client).rollback,
	Predict: func(c *Client, ctx context.Context, a rollbackArgs) (RolledBack, error) {
		if binding.IsPlanned(a.App) {
			return RolledBack{Image: binding.Planned("earlier image of " + a.App), From: binding.Planned("image of " + a.App)}, nil
		}
		all, from, to, err := c.earlier(ctx, a)
		if err != nil {
			return RolledBack{}, err
		}
		out := RolledBack{Image: to, From: from, Machines: []Machine{}, Skipped: []string{}}
		for _, m := range all {
			if !m.reachable() {
				out.Skipped = append(out.Skipped, m.ID)
				continue
			}
			now := foretold(a.App, m, "started")
			now.Image, now.Instance = to, binding.Planned("instance of "+m.ID)
			out.Machines = append(out.Machines, now)
		}
		return out, nil
	},
	Settled: func(c *Client, ctx context.Context, a rollbackArgs) (binding.Settlement[RolledBack], error) {
		s, err := c.rolled(ctx, a.change(""))
		out := binding.Settlement[RolledBack]{Landed: s.Landed}
		if s.Landed == binding.Yes {
			out.Result = RolledBack{Machines: s.Result.Machines, Skipped: s.Result.Skipped, Image: s.Result.Machines[0].Image}
		}
		return out, err
	},
}

func (a rollbackArgs) change(image string) change {
	return change{op: "roll back " + a.App, app: a.App, group: a.Group, within: a.Within, edit: func(config map[string]any) error {
		config["image"] = image
		return nil
	}}
}

// earlier finds what to roll back and where to. In a repeat the machines that
// have this call's key already say it: what they run must not be chosen anew.
func (c *Client) earlier(ctx context.Context, a rollbackArgs) (all []*machine, from, to string, err error) {
	op := "roll back " + a.App
	if all, err = c.list(ctx, op, a.App); err != nil {
		return nil, "", "", err
	}
	all = inGroup(all, a.Group)
	key := binding.Key(ctx)
	for _, m := range all {
		if key != "" && m.metadata(keyLabel) == key {
			to = m.image()
		} else if from == "" {
			from = m.image()
		}
	}
	switch {
	case len(all) == 0:
		return nil, "", "", fault.New(fault.Conflict, "%s has no machine to roll back", a.App).WithOp("%s", op)
	case to != "":
		return all, from, to, nil
	case a.Image != "":
		return all, from, a.Image, nil
	}
	to, err = c.choose(ctx, op, a, all[0], from)
	return all, from, to, err
}

// choose picks the image by the releases, else by the machine's own versions.
func (c *Client) choose(ctx context.Context, op string, a rollbackArgs, m *machine, from string) (string, error) {
	known, err := c.releases(ctx, op, a.App, 25)
	for _, r := range known {
		if a.Release == r.Version && r.Image != "" {
			return r.Image, nil
		}
		failed := strings.EqualFold(r.Status, "failed") || strings.EqualFold(r.Status, "interrupted")
		if a.Release == 0 && !failed && r.Image != "" && !sameImage(r.Image, from) {
			return r.Image, nil
		}
	}
	if a.Release != 0 {
		if err != nil {
			return "", err
		}
		return "", fault.New(fault.NotFound, "%s has no release %d among its last %d", a.App, a.Release, len(known)).WithOp("%s", op).
			WithHint("fly.releases { app = %q } lists them", a.App)
	}
	versions, versionsErr := c.versions(ctx, op, a.App, m.ID)
	for _, v := range versions {
		if image, _ := v.Config["image"].(string); image != "" && !sameImage(image, from) {
			return image, nil
		}
	}
	switch {
	case err != nil:
		return "", err
	case versionsErr != nil:
		return "", versionsErr
	}
	return "", fault.New(fault.Conflict, "%s has never run another image than %s", a.App, from).WithOp("%s", op).
		WithHint("give image = ... when a good one is known")
}

// sameImage compares references; a digest decides when both have one.
func sameImage(a, b string) bool {
	nameA, digestA, _ := strings.Cut(a, "@")
	nameB, digestB, _ := strings.Cut(b, "@")
	if digestA != "" && digestB != "" {
		return digestA == digestB
	}
	return strings.TrimPrefix(nameA, "registry-1.docker.io/") == strings.TrimPrefix(nameB, "registry-1.docker.io/")
}

func (c *Client) rollback(ctx context.Context, a rollbackArgs) (RolledBack, error) {
	all, from, to, err := c.earlier(ctx, a)
	if err != nil {
		return RolledBack{}, before(err)
	}
	binding.Progress(ctx, "roll %s back from %s to %s", a.App, from, to)
	done, err := c.roll(ctx, a.change(to), all)
	out := RolledBack{Image: to, From: from, Machines: done.Machines, Skipped: done.Skipped}
	if fault.KindOf(err) == fault.Failed {
		err = fault.As(err).WithHint("%s does not run either: fly.logs { app = %q } says why; fly.releases lists older ones, and a wrong secret or database breaks every image",
			to, a.App)
	}
	if err != nil {
		return out, err
	}
	return out, nil
}
