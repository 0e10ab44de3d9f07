package hetzner

import "github.com/webhost-systems/drhost/host/binding"

// Module declares the provider to the catalog.
func Module() *binding.Module {
	return binding.NewModule[*Client, settings]("hetzner",
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
	)
}
