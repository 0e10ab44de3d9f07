// Package bindings is the explicit list of providers that drhost is built
// with, and the simulated world that stands for them in drills. It contains no
// logic of its own.
package bindings

import (
	"github.com/webhost-systems/drhost/bindings/backup"
	"github.com/webhost-systems/drhost/bindings/cloudflare"
	"github.com/webhost-systems/drhost/bindings/dns"
	"github.com/webhost-systems/drhost/bindings/fly"
	"github.com/webhost-systems/drhost/bindings/hetzner"
	"github.com/webhost-systems/drhost/bindings/http"
	"github.com/webhost-systems/drhost/bindings/notify"
	"github.com/webhost-systems/drhost/bindings/pg"
	"github.com/webhost-systems/drhost/bindings/ssh"
	"github.com/webhost-systems/drhost/host/binding"
)

// Modules are what a runbook can require.
func Modules() []*binding.Module {
	return []*binding.Module{
		backup.Module(),
		cloudflare.Module(),
		dns.Module(),
		fly.Module(),
		hetzner.Module(),
		http.Module(),
		notify.Module(),
		pg.Module(),
		ssh.Module(),
	}
}
