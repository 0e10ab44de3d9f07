package cloudflare

import "github.com/webhost-systems/drhost/host/binding"

// Module declares `require "cloudflare"`.
func Module() *binding.Module {
	return binding.NewModule[*Client, settings]("cloudflare",
		"Cloudflare: zones and their DNS records, read, set and verified through its API.",
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
	)
}
