package dns

import "github.com/webhost-systems/drhost/host/binding"

// Module declares `require "dns"`.
func Module() *binding.Module {
	return binding.NewModule[*Client, settings]("dns",
		"DNS as resolvers and responsible servers answer it: lookups, a table of who says what, and the wait for a change to arrive.",
		open,
		binding.Declare(lookup),
		binding.Declare(nameservers),
		binding.Declare(check),
		binding.Declare(waitPropagated),
	)
}
