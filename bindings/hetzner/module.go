package hetzner

import (
	"context"

	"github.com/webhost-systems/drhost/host/binding"
)

// Module declares the provider to the catalog.
func Module() *binding.Module {
	return binding.Listing(binding.NewModule[*Client, settings]("hetzner",
		"Servers, images, addresses, volumes and load balancers of Hetzner Cloud.", open,
		binding.Declare(readServer), binding.Declare(readServers), binding.Declare(waitStatus),
		binding.Declare(reboot), binding.Declare(shutdown), binding.Declare(poweron), binding.Declare(poweroff),
		binding.Declare(reset), binding.Declare(powerCycle), binding.Declare(rescue),
		binding.Declare(createServer), binding.Declare(rebuild), binding.Declare(deleteServer),
		binding.Declare(readImage), binding.Declare(readImages), binding.Declare(readSnapshots),
		binding.Declare(snapshot), binding.Declare(deleteImage),
		binding.Declare(readFloatingIP), binding.Declare(readFloatingIPs),
		binding.Declare(assignFloatingIP), binding.Declare(unassignFloatingIP),
		binding.Declare(readPrimaryIP), binding.Declare(assignPrimaryIP), binding.Declare(unassignPrimaryIP),
		binding.Declare(readVolume), binding.Declare(readVolumes), binding.Declare(attachVolume), binding.Declare(detachVolume),
		binding.Declare(readLoadBalancer), binding.Declare(lbAddTarget), binding.Declare(lbRemoveTarget),
		binding.Declare(readAvailability), binding.Declare(readNetworks), binding.Declare(readFirewalls), binding.Declare(readSSHKeys),
		binding.Declare(readAction),
	), (*Client).inventory)
}

// inventory is the project's servers.
func (c *Client) inventory(ctx context.Context) ([]binding.Resource, error) {
	found, err := c.servers(ctx, serversArgs{})
	var out []binding.Resource
	for _, s := range found {
		out = append(out, binding.Resource{Kind: "server", Name: s.Name, Labels: s.Labels})
	}
	return out, err
}
