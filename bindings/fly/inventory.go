package fly

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/webhost-systems/drhost/host/binding"
)

// Listed is an app as a list of apps shows it.
type Listed struct {
	Name     string `lua:"name" doc:"Its name."`
	Status   string `lua:"status" doc:"deployed, suspended or pending."`
	Org      string `lua:"organization" doc:"Slug of its organization."`
	Postgres bool   `lua:"postgres" doc:"Whether it is a Postgres cluster."`
	Machines int    `lua:"machines" doc:"How many machines it has."`
}

type appsArgs struct {
	Organization string `lua:"organization,optional" doc:"Slug of the organization; when left out that of the settings, and without one in the settings every one that the token sees."`
}

var readApps = binding.Func[*Client, appsArgs, []Listed]{
	Name: "apps", Effect: binding.Reads,
	Doc:     "The apps of an organization, Postgres clusters among them. What flyctl apps list shows.",
	Raises:  raises(),
	Example: `fly.apps {}`,
	Call: func(c *Client, ctx context.Context, a appsArgs) ([]Listed, error) {
		op := "list the apps"
		orgs, err := c.organizations(ctx, op, a.Organization)
		out := []Listed{}
		for _, org := range orgs {
			var some []Listed
			if some, err = c.apps(ctx, op, org); err != nil {
				return nil, err
			}
			out = append(out, some...)
		}
		return out, err
	},
}

const organizationsQuery = `query { organizations { nodes { slug } } }`

// organizations are the slugs to look at: the given one, that of the settings,
// else all that the token sees.
func (c *Client) organizations(ctx context.Context, op, given string) ([]string, error) {
	if org, err := c.organization(given); err == nil {
		return []string{org}, nil
	}
	var answer struct {
		Organizations struct{ Nodes []struct{ Slug string } }
	}
	if err := c.graphql(ctx, op, "organizations", "", organizationsQuery, nil, &answer); err != nil {
		return nil, err
	}
	var out []string
	for _, o := range answer.Organizations.Nodes {
		out = append(out, o.Slug)
	}
	return out, nil
}

func (c *Client) apps(ctx context.Context, op, org string) ([]Listed, error) {
	var all struct {
		Apps []wireApp `json:"apps"`
	}
	q := request{action: "app_list", subject: org, method: http.MethodGet, url: c.machines + "/apps?org_slug=" + url.QueryEscape(org)}
	if err := c.do(ctx, op, q, &all); err != nil {
		return nil, err
	}
	out := []Listed{}
	for _, a := range all.Apps {
		slug := a.Org.Slug
		if slug == "" {
			slug = org
		}
		out = append(out, Listed{a.Name, a.Status, slug, a.Role == "postgres_cluster", a.Machines})
	}
	return out, nil
}

// inventory is what a disaster may strike: apps, and Postgres clusters of both
// kinds. What could be read counts although the rest could not.
func (c *Client) inventory(ctx context.Context) ([]binding.Resource, error) {
	op := "list what there is at Fly"
	orgs, err := c.organizations(ctx, op, "")
	if err != nil {
		return nil, err
	}
	var out []binding.Resource
	var faults []error
	for _, org := range orgs {
		apps, err := c.apps(ctx, op, org)
		for _, a := range apps {
			kind := "app"
			if a.Postgres {
				kind = "postgres"
			}
			out = append(out, binding.Resource{Kind: kind, Name: a.Name})
		}
		clusters, clustersErr := c.clusters(ctx, op, org)
		for _, k := range clusters {
			out = append(out, binding.Resource{Kind: "postgres", Name: k.Name})
		}
		faults = append(faults, err, clustersErr)
	}
	return out, errors.Join(faults...)
}
