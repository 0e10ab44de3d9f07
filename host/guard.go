package host

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/config"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/policy"
	"github.com/webhost-systems/drhost/host/secret"
)

// endpoints are the settings in which modules have their provider's address.
var endpoints = [...]string{"endpoint", "machines_url", "api_url"}

// guard refuses what looks like one environment taken for another, before
// anything is opened.
func (h *Host) guard(p *project, env *environment, modules []string) error {
	if env.world != nil {
		return nil // a world's switchboard leads nowhere else
	}
	for _, name := range modules {
		for _, setting := range endpoints {
			if field := h.Catalog.Module(name).Settings.Field(setting); field != nil {
				if err := env.guardEndpoint(name, setting, field.Default); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (env *environment) guardEndpoint(module, setting, otherwise string) error {
	endpoint, given := env.settings[module][setting].(string)
	if !given {
		endpoint = otherwise
	}
	here := onThisMachine(endpoint)
	if here && !env.simulated {
		return Usage(fmt.Errorf("denied: [env.%s.%s] %s %s leads to this machine, as that of a simulated cloud does, and environment %q is a real one; "+
			"if it is meant, write simulated = true under [env.%s]. Nothing was called", env.name, module, setting, endpoint, env.name, env.name))
	}
	if !here && env.simulated {
		return Usage(fmt.Errorf("denied: environment %q calls itself simulated, and module %s would talk to %s; set [env.%s.%s] %s. Nothing was called",
			env.name, module, endpoint, env.name, module, setting))
	}
	return nil
}

// guardDrill refuses to hold a drill where customers are.
func (p *project) guardDrill(env *environment, mode policy.Mode) error {
	if mode == policy.Drill && !env.simulated && env.name == p.config.DefaultEnv {
		return Usage(fmt.Errorf("denied: a drill does not touch environment %q, which is default_env; hold it in the simulated world or in another environment", env.name))
	}
	return nil
}

// onThisMachine tells whether an address leads to the loopback interface.
func onThisMachine(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	name := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	ip := net.ParseIP(name)
	return name == "localhost" || strings.HasSuffix(name, ".localhost") || ip != nil && (ip.IsLoopback() || ip.IsUnspecified())
}

// foreign is a credential that another environment refers to.
type foreign struct {
	env, place string // place: "[env.production.hetzner] token"
	reference  string
}

// custodian resolves the credentials of one environment and refuses those
// that are another's.
type custodian struct {
	project   *project
	env       *environment
	resolve   binding.Resolver
	others    []foreign
	find      sync.Once
	known     map[[sha256.Size]byte]foreign // by the hash of the value
	shortcuts map[string]foreign            // by the reference
}

// plain begins a reference that is the credential itself.
const plain = "plain:"

// leastTelling is how long a credential is at least that can be told from
// another by its value: two databases may both have the password "postgres".
const leastTelling = 12

// guarded wraps resolve, which is that of env.
func (h *Host) guarded(p *project, env *environment, resolve binding.Resolver) binding.Resolver {
	if p.config.SharesCredentials(env.name) {
		return resolve
	}
	c := &custodian{project: p, env: env, resolve: resolve, others: h.foreign(p, env)}
	return c.credential
}

// foreign lists the credentials of the other environments. What is simulated
// and what is real are always told apart; of two real ones each is told from
// the other, but default_env is not refused what another merely copied from it.
func (h *Host) foreign(p *project, env *environment) []foreign {
	var out []foreign
	own := references(h.Catalog, p.config, env.name, true)
	for _, name := range p.config.Environments() {
		if name == env.name || p.config.Simulated(name) && env.simulated || p.config.SharesCredentials(name) {
			continue
		}
		for _, f := range references(h.Catalog, p.config, name, name == p.config.DefaultEnv) {
			copied := env.name == p.config.DefaultEnv && slices.ContainsFunc(own, func(o foreign) bool { return o.reference == f.reference })
			if !copied {
				out = append(out, f)
			}
		}
	}
	if !env.simulated {
		out = append(out, h.worldly(p)...)
	}
	return out
}

// worldly are the credentials of simulated worlds: their variables are made to
// be exported, and easily left so.
func (h *Host) worldly(p *project) []foreign {
	paths, err := filepath.Glob(worldPath(p.state, "*"))
	if err != nil {
		return nil
	}
	var out []foreign
	for _, path := range paths {
		text, err := os.ReadFile(path)
		var w World
		if err != nil || json.Unmarshal(text, &w) != nil {
			continue
		}
		for _, m := range h.Catalog.Modules() {
			out = append(out, secretsIn(m.Settings, w.Settings[m.Name], simulated, []string{m.Name}, false)...)
		}
	}
	return out
}

// references are what an environment's settings refer to; with defaults also
// what its modules take when nothing is set.
func references(catalog *binding.Catalog, c *config.Config, env string, defaults bool) []foreign {
	settings, err := c.Env(env)
	if err != nil {
		return nil // a simulated world's: it brings its own
	}
	var out []foreign
	for _, m := range catalog.Modules() {
		out = append(out, secretsIn(m.Settings, settings[m.Name], env, []string{m.Name}, defaults)...)
	}
	return out
}

func secretsIn(t *binding.Type, v any, env string, path []string, defaults bool) []foreign {
	var out []foreign
	switch t.Kind {
	case binding.Secret:
		if reference, ok := v.(string); ok && reference != "" {
			section := append([]string{"env", env}, path[:len(path)-1]...)
			out = append(out, foreign{env: env, place: fmt.Sprintf("[%s] %s", strings.Join(section, "."), path[len(path)-1]), reference: reference})
		}
	case binding.Record:
		table, _ := v.(map[string]any)
		for _, f := range t.Fields {
			value, given := table[f.Name]
			if !given && defaults && f.Default != "" {
				value = f.Default
			}
			out = append(out, secretsIn(f.Type, value, env, append(slices.Clone(path), f.Name), defaults)...)
		}
	case binding.Map:
		table, _ := v.(map[string]any)
		for key, value := range table {
			out = append(out, secretsIn(t.Elem, value, env, append(slices.Clone(path), key), defaults)...)
		}
	case binding.List:
		list, _ := v.([]any)
		for i, value := range list {
			out = append(out, secretsIn(t.Elem, value, env, append(slices.Clone(path), fmt.Sprint(i+1)), defaults)...)
		}
	}
	return out
}

// credential is a binding.Resolver.
func (c *custodian) credential(reference string) (secret.Value, error) {
	v, err := c.resolve(reference)
	if err != nil || c.env.own(reference) {
		return v, err // a world's own; if another environment's variable holds it, the mistake is there
	}
	c.find.Do(c.lookUp)
	f, ok := c.shortcuts[reference]
	if !ok && len(v.Reveal()) >= leastTelling {
		f, ok = c.known[sha256.Sum256([]byte(v.Reveal()))]
	}
	if !ok {
		return v, nil
	}
	return secret.Value{}, fault.New(fault.Denied, "environment %q was given a credential of environment %q, that of %s", c.env.name, f.env, f.place).
		WithHint("give %q one of its own; if both are meant to share it, write shares_credentials = true under [env.%s]", c.env.name, c.env.name)
}

// lookUp resolves the others' credentials, where that needs no person: a
// command may ask for one, so it is compared by its reference alone.
func (c *custodian) lookUp() {
	c.known, c.shortcuts = map[[sha256.Size]byte]foreign{}, map[string]foreign{}
	for _, f := range c.others {
		c.shortcuts[f.reference] = f
		if !strings.HasPrefix(f.reference, "env:") && !strings.HasPrefix(f.reference, "file:") && !strings.HasPrefix(f.reference, plain) {
			continue
		}
		other := config.Resolver(config.Sources{Env: f.env, Simulated: true, Getenv: os.Getenv, Dir: c.project.config.Dir})
		if v, err := other(f.reference); err == nil {
			c.known[sha256.Sum256([]byte(v.Reveal()))] = f
		}
	}
}

// isDenied tells whether opening a module was refused, not merely impossible.
func isDenied(err error) bool {
	var f *fault.Fault
	return errors.As(err, &f) && f.Kind == fault.Denied
}
