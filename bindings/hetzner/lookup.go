package hetzner

import (
	"context"
	"strings"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// lookUp returns the thing called name (or with that id), or a fault of kind
// not_found whose hint names what was probably meant. names lists what there
// is; it is asked only then.
func lookUp[T any](ctx context.Context, c *Client, op, what, name string,
	get func(context.Context, string) (*T, *hcloud.Response, error), names func(context.Context) ([]string, error)) (*T, error) {
	if name == "" {
		return nil, fault.New(fault.Invalid, "the %s has no name", what).WithOp("%s", op)
	}
	found, _, err := get(ctx, name)
	if err != nil {
		return nil, c.translate(op, err)
	}
	if found != nil {
		return found, nil
	}
	f := fault.New(fault.NotFound, "there is no %s %q in this Hetzner project", what, name).WithOp("%s", op)
	if all, err := names(ctx); err == nil {
		f.Hint = suggestion(name, what, all)
	}
	return nil, f
}

// mostNames is how many names a hint lists when none comes near.
const mostNames = 6

func suggestion(name, what string, all []string) string {
	if near := binding.Nearest(name, all); near != "" {
		return "did you mean \"" + near + "\"?"
	}
	switch {
	case len(all) == 0:
		return "the project has no " + what + " at all: is it the right token?"
	case len(all) > mostNames:
		return "there are " + strings.Join(all[:mostNames], ", ") + " and others"
	}
	return "there is " + strings.Join(all, ", ")
}

func namesOf[T any](all []*T, name func(*T) string) []string {
	var out []string
	for _, x := range all {
		if n := name(x); n != "" {
			out = append(out, n)
		}
	}
	return out
}
