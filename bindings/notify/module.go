package notify

import "github.com/webhost-systems/drhost/host/binding"

// Module declares `require "notify"`.
func Module() *binding.Module {
	return binding.NewModule[*Client, settings]("notify",
		"Messages to people: on the terminal, into a file, to a webhook. In a drill every subject says so.",
		open,
		binding.Declare(send),
		binding.Declare(test),
	)
}
