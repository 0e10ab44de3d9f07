package ssh

import "github.com/webhost-systems/drhost/host/binding"

// Module declares `require "ssh"`.
func Module() *binding.Module {
	return binding.NewModule[*Client, settings]("ssh",
		"Servers over SSH: commands, and files over SFTP. Every server's host key is verified.",
		open,
		binding.Declare(run),
		binding.Declare(read),
		binding.Declare(ready),
		binding.Declare(waitReady),
		binding.Declare(trust),
		binding.Declare(upload),
		binding.Declare(download),
		binding.Declare(syncTrees),
	)
}
