package hetznersim

import "maps"

// vocabulary is the whole API: who answers what. Paths follow from it, see
// find.
func (s *Sim) vocabulary() map[string]noun {
	all := s.machinery()
	maps.Copy(all, s.connections())
	maps.Copy(all, s.catalogue())
	return all
}

// machinery are servers and what they are made of.
func (s *Sim) machinery() map[string]noun {
	serverActs := map[string]handler{
		"enable_rescue": s.enableRescue, "disable_rescue": s.disableRescue,
		"create_image": s.createImage, "rebuild": s.rebuildServer, "change_type": s.changeType,
		"attach_to_network": s.attachToNetwork, "detach_from_network": s.detachFromNetwork,
		"change_protection": s.protectServer, "change_dns_ptr": s.changeServerPtr,
	}
	maps.Copy(serverActs, s.powerCommands())
	maps.Copy(serverActs, s.serverSettings())
	return map[string]noun{
		"servers": {
			kind: "server", list: s.listServers, create: s.createServer,
			get: s.getServer, update: s.updateServer, destroy: s.deleteServer, acts: serverActs,
		},
		"images": {
			kind: "image", list: s.listImages, get: s.getImage, update: s.updateImage, destroy: s.deleteImage,
			acts: map[string]handler{"change_protection": s.protectImage},
		},
		"volumes": {
			kind: "volume", list: s.listVolumes, create: s.createVolume,
			get: s.getVolume, update: s.updateVolume, destroy: s.deleteVolume,
			acts: map[string]handler{
				"attach": s.attachVolume, "detach": s.detachVolume, "resize": s.resizeVolume, "change_protection": s.protectVolume,
			},
		},
		"certificates": {
			kind: "certificate", list: s.listCertificates, create: s.createCertificate,
			get: s.getCertificate, update: s.updateCertificate, destroy: s.deleteCertificate,
			acts: map[string]handler{"retry": s.retryCertificate},
		},
		"ssh_keys": {list: s.listKeys, create: s.createKey, get: s.getKey, update: s.updateKey, destroy: s.deleteKey},
		"placement_groups": {
			list: s.listPlacements, create: s.createPlacement,
			get: s.getPlacement, update: s.updatePlacement, destroy: s.deletePlacement,
		},
	}
}

// connections are addresses and what leads to servers.
func (s *Sim) connections() map[string]noun {
	return map[string]noun{
		"floating_ips": {
			kind: "floating_ip", list: s.listFloating, create: s.createFloating,
			get: s.getFloating, update: s.updateFloating, destroy: s.deleteFloating,
			acts: map[string]handler{
				"assign": s.assignFloating, "unassign": s.unassignFloating,
				"change_dns_ptr": s.floatingPtr, "change_protection": s.protectFloating,
			},
		},
		"primary_ips": {
			kind: "primary_ip", list: s.listPrimary, create: s.createPrimary,
			get: s.getPrimary, update: s.updatePrimary, destroy: s.deletePrimary,
			acts: map[string]handler{
				"assign": s.assignPrimary, "unassign": s.unassignPrimary,
				"change_dns_ptr": s.primaryPtr, "change_protection": s.protectPrimary,
			},
		},
		"networks": {
			kind: "network", list: s.listNetworks, create: s.createNetwork,
			get: s.getNetwork, update: s.updateNetwork, destroy: s.deleteNetwork,
			acts: map[string]handler{
				"add_subnet": s.addNetworkSubnet, "delete_subnet": s.deleteSubnet, "add_route": s.addRoute, "delete_route": s.deleteRoute,
				"change_ip_range": s.changeRange, "change_protection": s.protectNetwork,
			},
		},
		"firewalls": {
			kind: "firewall", list: s.listFirewalls, create: s.createFirewall,
			get: s.getFirewall, update: s.updateFirewall, destroy: s.deleteFirewall,
			acts: map[string]handler{
				"apply_to_resources": s.applyFirewall, "remove_from_resources": s.removeFirewall, "set_rules": s.setFirewallRules,
			},
		},
		"load_balancers": {
			kind: "load_balancer", list: s.listBalancers, create: s.createBalancer,
			get: s.getBalancer, update: s.updateBalancer, destroy: s.deleteBalancer,
			acts: map[string]handler{
				"add_target": s.addTarget, "remove_target": s.removeTarget,
				"add_service": s.addService, "update_service": s.updateService, "delete_service": s.deleteService,
				"change_algorithm": s.changeAlgorithm, "change_type": s.changeBalancerType, "change_protection": s.protectBalancer,
			},
		},
	}
}

// catalogue is what the vendor has, the same for every project.
func (s *Sim) catalogue() map[string]noun {
	return map[string]noun{
		"server_types":        {list: s.listServerTypes, get: s.getServerType},
		"load_balancer_types": {list: s.listBalancerTypes, get: s.getBalancerType},
		"locations":           {list: s.listLocations, get: s.getLocation},
		"datacenters":         {list: s.listDatacenters, get: s.getDatacenter},
		"isos":                {list: s.listISOs, get: s.getISO},
		"pricing":             {list: s.getPricing},
	}
}

func (s *Sim) protectServer(c *call) (int, any, error) {
	v, err := s.freeServer(c.id)
	if err != nil {
		return 0, nil, err
	}
	return s.protect(c, v.resource(), &v.busy, &v.protectDelete, &v.protectRebuild)
}
