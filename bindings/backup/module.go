package backup

import (
	"context"

	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/host/binding"
)

// Module declares `require "backup"`.
func Module() *binding.Module {
	return binding.Listing(binding.NewModule[*Client, settings]("backup",
		"Backups of PostgreSQL databases in a repository, made and restored with PostgreSQL's own tools.",
		open,
		binding.Declare(create),
		binding.Declare(createCluster),
		binding.Declare(list),
		binding.Declare(newest),
		binding.Declare(lookUp),
		binding.Declare(verify),
		binding.Declare(restore),
		binding.Declare(prune),
		binding.Declare(retention),
		binding.Declare(status),
		binding.Declare(contacts),
	).WithServices(archive(), showContacts()), (*Client).inventory)
}

// inventory is the databases that there are backups of.
func (c *Client) inventory(ctx context.Context) ([]binding.Resource, error) {
	at, err := c.repository(ctx)
	if err != nil {
		return nil, err
	}
	defer at.Store.Close()
	all, _, err := at.All(ctx)
	var out []binding.Resource
	for _, b := range all {
		if b.Kind == catalogue.Logical {
			out = append(out, binding.Resource{Kind: "database", Name: b.Subject})
		}
	}
	return out, err
}
