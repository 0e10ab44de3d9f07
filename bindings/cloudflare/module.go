package cloudflare

import (
	"context"

	"github.com/webhost-systems/drhost/host/binding"
)

// Module declares `require "cloudflare"`.
func Module() *binding.Module {
	return binding.Listing(binding.NewModule[*Client, settings]("cloudflare",
		"Cloudflare: zones and their DNS records, read, set, exported, restored and verified through its API, and its load balancing.",
		open,
		binding.Declare(verifyToken),
		binding.Declare(zones),
		binding.Declare(zone),
		binding.Declare(records),
		binding.Declare(setRecord),
		binding.Declare(createRecord),
		binding.Declare(updateRecord),
		binding.Declare(deleteRecord),
		binding.Declare(verifyRecords),
		binding.Declare(failover),
		binding.Declare(exportZone),
		binding.Declare(diffZone),
		binding.Declare(batch),
		binding.Declare(batchDelete),
		binding.Declare(restoreZone),
		binding.Declare(restoreExactly),
		binding.Declare(pools),
		binding.Declare(poolHealth),
		binding.Declare(setPoolEnabled),
		binding.Declare(setOriginEnabled),
		binding.Declare(balancers),
		binding.Declare(setLBPools),
	), (*Client).inventory)
}

// inventory is the account's zones.
func (c *Client) inventory(ctx context.Context) ([]binding.Resource, error) {
	found, err := c.listZones(ctx, zonesArgs{})
	var out []binding.Resource
	for _, z := range found {
		out = append(out, binding.Resource{Kind: "zone", Name: z.Name})
	}
	return out, err
}
