package host

import (
	"context"
	"errors"
	"fmt"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/run"
)

// ServiceRequest says which service of which module runs, where, and with what.
type ServiceRequest struct {
	Module, Service string
	Env             string         // default_env when empty
	Args            map[string]any // as on the command line
	Say             binding.Say
}

// Serve runs a service until ctx ends. No journal is kept: a service decides
// nothing and undoes nothing, and what it did is told by what it made.
func (h *Host) Serve(ctx context.Context, start string, r ServiceRequest) error {
	module := h.Catalog.Module(r.Module)
	if module == nil || module.Service(r.Service) == nil {
		return Usage(fmt.Errorf("there is no service %s of %s", r.Service, r.Module))
	}
	p, err := h.open(start)
	if err != nil {
		return err
	}
	env, err := p.environment(r.Env, h.Clock)
	if err != nil {
		return err
	}
	if err := h.guard(p, env, []string{r.Module}); err != nil {
		return err
	}
	h.Seams.surround(env)
	resolve := h.guarded(p, env, p.resolver(env, &h.redactor))
	clients, err := h.clients(env, []string{r.Module}, resolve, p.config.Dir)
	if err != nil {
		return err
	}
	defer closeAll(clients)
	say := func(alarm bool, text string) { r.Say(alarm, h.Redact(text)) }
	err = module.Service(r.Service).Run(ctx, clients[r.Module], r.Args, resolve, say)
	var wrong *binding.ArgumentError
	var f *fault.Fault
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong):
		return Usage(err)
	case errors.As(err, &f):
		if f.Kind == fault.Invalid {
			return Usage(err)
		}
		return &Error{run.ExitFailed, err}
	}
	return err
}
