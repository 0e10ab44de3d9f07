package http

import "github.com/webhost-systems/drhost/host/binding"

// Module declares `require "http"`.
func Module() *binding.Module {
	return binding.NewModule[*Client, settings]("http",
		"HTTP: fetch something, check a service as its customers see it, send something.",
		open,
		binding.Declare(request),
		binding.Declare(send),
		binding.Declare(check),
	)
}
