// Package host assembles drhost: it is the only package of host/ that the
// command line needs. It decides nothing that a package below it can decide.
package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/config"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/journal/filestore"
	"github.com/webhost-systems/drhost/host/network"
	"github.com/webhost-systems/drhost/host/policy"
	"github.com/webhost-systems/drhost/host/run"
	"github.com/webhost-systems/drhost/host/sandbox"
	"github.com/webhost-systems/drhost/host/secret"
	"github.com/webhost-systems/drhost/host/secret/sealed"
)

// Host is drhost without its command line.
type Host struct {
	Catalog *binding.Catalog
	Std     map[string][]byte // "std.health" -> Lua source
	Verbs   map[string][]byte // runbooks of the program's own: "backup_create" -> Lua source
	Worlds  Worlds            // starts simulated worlds; nil: there are none
	// WorldVerbs are what drills can say to a world, for the checker.
	WorldVerbs []string
	// WorldArguments are the names of what a fault is told. May be nil.
	WorldArguments func(fault string) []string
	Version        string
	State          string // the folder given by --state; "" for the default
	Clock          clock.Clock
	Seams          Seams // for tests; empty in a program

	redactor secret.Redactor // knows every credential that this process has resolved
}

// Redact returns text without any credential that this process has resolved.
// Whatever is printed that did not come out of a journal goes through it.
func (h *Host) Redact(text string) string { return h.redactor.Text(text) }

// Worlds starts a simulated world. Describe is JSON, see World.
type Worlds func(ctx context.Context, path string, o WorldOptions) (LiveWorld, error)

// WorldOptions say how a world is started.
type WorldOptions struct {
	Name  string
	Speed float64
	Seed  int64
}

// LiveWorld is a world that runs in this process. What crosses is JSON or
// plain data, so that no simulator has to know the host.
type LiveWorld interface {
	// Describe is how other processes get in, see World.
	Describe() ([]byte, error)
	// Verbs are what Do understands: faults and questions.
	Verbs() []string
	Do(name string, args map[string]any) (any, error)
	// Faults are those injected so far: [{time, name, args}].
	Faults() ([]byte, error)
	// Stopped is closed when another process asked the world to end.
	Stopped() <-chan struct{}
	Close() error
}

// Error is an error with the exit code it leads to.
type Error struct {
	Exit int
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Usage wraps an error of usage, of the config, or of a runbook that does not
// check.
func Usage(err error) error {
	if err == nil {
		return nil
	}
	return &Error{run.ExitUsage, err}
}

// ExitCode is what the process ends with for err.
func ExitCode(err error) int {
	var coded *Error
	var damaged *journal.DamagedError
	var held *journal.HeldError
	switch {
	case err == nil:
		return run.ExitDone
	case errors.As(err, &coded):
		return coded.Exit
	case errors.As(err, &damaged), errors.As(err, &held):
		return run.ExitJournal
	case errors.Is(err, journal.ErrNotFound):
		return run.ExitUsage
	}
	return run.ExitInternal
}

// project is a folder with drhost.toml, as one command sees it.
type project struct {
	config *config.Config
	state  string
	store  journal.Store
	ask    func(prompt string) (secret.Value, error) // for a passphrase; nil: nobody is there
	keys   *sealed.Keys                              // made when first needed
}

// open finds the config upward from start and the state folder.
func (h *Host) open(start string) (*project, error) {
	c, err := loadConfig(start)
	if err == nil {
		err = c.Check(h.Catalog)
	}
	if err != nil {
		return nil, Usage(err)
	}
	state := h.State
	if state == "" {
		state = c.StateDir()
	}
	if state, err = filepath.Abs(state); err != nil {
		return nil, Usage(err)
	}
	return &project{config: c, state: state, store: h.Seams.store(filestore.New(state, h.Clock))}, nil
}

// loadConfig finds the config upward from start.
func loadConfig(start string) (*config.Config, error) {
	c, err := config.Load(start)
	if err == nil && c.Path == "" {
		// A checkout keeps its configuration beside its runbooks.
		if _, statErr := os.Stat(filepath.Join(start, "runbooks", config.File)); statErr == nil {
			c, err = config.Load(filepath.Join(start, "runbooks"))
		}
	}
	return c, err
}

// resolver resolves the credentials of an environment; redactor learns them.
func (p *project) resolver(env *environment, redactor *secret.Redactor) binding.Resolver {
	return config.Resolver(config.Sources{Env: env.name, Simulated: env.simulated, Getenv: env.variable, Dir: p.config.Dir,
		Redactor: redactor, Sealed: p.sealed(redactor)})
}

// protected are the names whose change needs their name typed.
func (p *project) protected() map[string]bool {
	names := map[string]bool{}
	for _, list := range [][]string{p.config.Protected.Servers, p.config.Protected.Databases, p.config.Protected.Zones} {
		for _, name := range list {
			names[policy.Name(name)] = true
		}
	}
	return names
}

// environment is what the providers of a run are opened with.
type environment struct {
	name  string // as recorded: "production", "sim:drill-..."
	world *World // that of `drhost sim` or a drill; else nil
	// simulated tells that nothing in it is real: it is a world's, or its
	// configuration says so.
	simulated bool
	settings  map[string]map[string]any
	targets   map[string]binding.Objective
	net       binding.Network
	clock     clock.Clock
	state     string // where bindings may remember; "" in a simulated world
}

// targets are the objectives as providers see them.
func (p *project) targets() map[string]binding.Objective {
	out := map[string]binding.Objective{}
	for name, o := range p.config.Objectives {
		out[name] = binding.Objective{RTO: time.Duration(o.RTO), RPO: time.Duration(o.RPO)}
	}
	return out
}

// variable reads an environment variable. In a world those that it prints for
// people come first, so that a runbook names the same credentials in a drill
// as in life, and a drill does not see the real ones.
func (e *environment) variable(name string) string {
	if value, found := e.printed(name); found {
		return value
	}
	return os.Getenv(name)
}

// printed is a variable that the environment's world prints.
func (e *environment) printed(name string) (value string, found bool) {
	if e.world == nil {
		return "", false
	}
	for _, line := range e.world.Env {
		if value, found := strings.CutPrefix(line, name+"="); found {
			return value, true
		}
	}
	return "", false
}

// own tells whether a reference leads to a credential that the environment's
// world made for itself.
func (e *environment) own(reference string) bool {
	if name, found := strings.CutPrefix(reference, "env:"); found {
		_, found = e.printed(name)
		return found
	}
	return e.world != nil && strings.HasPrefix(reference, plain)
}

// Simulated names start with this; what follows the colon is the world.
const simulated = "sim"

// environment resolves a name. "sim" is the world that `drhost sim` keeps
// running, "sim:NAME" that of a drill.
func (p *project) environment(name string, c clock.Clock) (*environment, error) {
	if name == simulated || strings.HasPrefix(name, simulated+":") {
		w, err := readWorld(p.state, strings.TrimPrefix(strings.TrimPrefix(name, simulated), ":"))
		if err != nil {
			return nil, Usage(err)
		}
		scaled := clock.Scaled{Factor: w.Speed}
		return &environment{name: name, world: w, simulated: true, settings: w.Settings, clock: scaled, targets: p.targets(),
			net: network.Switchboard(w.Switchboard, w.Resolvers(), scaled)}, nil
	}
	settings, err := p.config.Env(name)
	if err != nil {
		return nil, Usage(err)
	}
	if name == "" {
		name = p.config.DefaultEnv
	}
	return &environment{name: name, simulated: p.config.Simulated(name), settings: settings, net: network.System(), clock: c, targets: p.targets(), state: p.state}, nil
}

// clients opens the modules that a script requires. A missing credential is
// found here, before anything is called.
func (h *Host) clients(env *environment, modules []string, resolve binding.Resolver, dir string) (map[string]any, error) {
	clients := map[string]any{}
	var lacking []string // each once, however many modules lack it
	lackedBy := map[string][]string{}
	for _, name := range modules {
		client, err := h.Catalog.Module(name).Open(binding.Env{Name: env.name, Simulated: env.simulated,
			Settings: env.settings[name], Net: env.net, Clock: env.clock, Secret: resolve, Dir: dir, State: env.state, Objectives: env.targets})
		if isDenied(err) {
			closeAll(clients)
			return nil, Usage(fmt.Errorf("denied: module %s: %w. Nothing was called", name, err))
		}
		if err != nil {
			what := fault.As(err).Message
			if lackedBy[what] == nil {
				lacking = append(lacking, what)
			}
			lackedBy[what] = append(lackedBy[what], name)
			continue
		}
		clients[name] = client
	}
	if len(lacking) > 0 {
		closeAll(clients)
		for i, what := range lacking {
			lacking[i] = what + " (for " + strings.Join(lackedBy[what], " and ") + ")"
			if text := absent(env, lackedBy[what]); text != "" {
				lacking[i] = text
			}
		}
		return nil, Usage(fmt.Errorf("environment %q lacks what the runbook needs: %s. Nothing was called. To try the runbook without any account, use `drhost drill runbooks/drills`",
			env.name, strings.Join(lacking, "; ")))
	}
	return clients, nil
}

// absent says that a simulated world has nothing of some providers, where no
// credential would help; "" when it is not that.
func absent(env *environment, modules []string) string {
	for _, name := range modules {
		if env.world == nil || env.settings[name] != nil {
			return ""
		}
	}
	return fmt.Sprintf("this simulated world has nothing of %s; the one of `drhost sim --world runbooks/worlds/production.toml` has all", strings.Join(modules, " and "))
}

func closeAll(clients map[string]any) {
	for _, c := range clients {
		if closer, ok := c.(interface{ Close() error }); ok {
			closer.Close()
		}
	}
}

// scriptOptions are those that a script is loaded with.
func (h *Host) scriptOptions(b bundle) sandbox.Options {
	std := map[string]sandbox.Source{}
	for name, text := range b.std {
		std[name] = sandbox.Source{File: name, Text: text}
	}
	return sandbox.Options{Source: b.Source, Catalog: h.Catalog, Std: std}
}

// load compiles a script with its std modules; nothing is called.
func (h *Host) load(b bundle) (*sandbox.Script, error) { return sandbox.Load(h.scriptOptions(b)) }

// readSource reads a Lua file and names it the way the operator did.
func readSource(path string) (sandbox.Source, error) {
	info, err := os.Stat(path)
	switch {
	case path == "":
		return sandbox.Source{}, Usage(errors.New("the name of the file is empty"))
	case errors.Is(err, os.ErrNotExist):
		return sandbox.Source{}, Usage(fmt.Errorf("there is no file %s%s", path, nearFile(path)))
	case err != nil:
		return sandbox.Source{}, Usage(err)
	case info.IsDir():
		return sandbox.Source{}, Usage(fmt.Errorf("%s is a folder; name a file in it%s", path, nearFile(filepath.Join(path, "x"))))
	case filepath.Ext(path) != ".lua":
		return sandbox.Source{}, Usage(fmt.Errorf("%s is no Lua file: the names of runbooks and drills end in .lua", path))
	case !info.Mode().IsRegular(): // reading a pipe would wait, and no Ctrl-C would end it
		return sandbox.Source{}, Usage(fmt.Errorf("%s is no regular file; name a file that holds the runbook", path))
	}
	text, err := readAtMost(path, largestSource)
	if err != nil {
		return sandbox.Source{}, Usage(err)
	}
	if why := noText(text); why != "" {
		return sandbox.Source{}, Usage(fmt.Errorf("%s %s", path, why))
	}
	return sandbox.Source{File: path, Text: text}, nil
}

// noText tells why text cannot be a script's, where the parser would only
// complain of a byte.
func noText(text []byte) string {
	switch {
	case bytes.HasPrefix(text, []byte("\xef\xbb\xbf")):
		return "begins with a byte order mark; save it as UTF-8 without one"
	case bytes.HasPrefix(text, []byte("\xff\xfe")), bytes.HasPrefix(text, []byte("\xfe\xff")):
		return "is UTF-16; save it as UTF-8"
	case bytes.IndexByte(text, 0) >= 0:
		return "holds zero bytes: it is no text, or it is damaged"
	}
	return ""
}

// largestSource is more than any script may have: what is beyond it need not
// be read to be refused.
const largestSource = 1 << 20

// readAtMost reads the beginning of a file.
func readAtMost(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most))
}

func nearFile(path string) string {
	entries, _ := os.ReadDir(filepath.Dir(path))
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".lua") && e.Name() != filepath.Base(path) { // a dangling link is there, and leads nowhere
			names = append(names, e.Name())
		}
	}
	sort.Strings(names)
	if near := binding.Nearest(filepath.Base(path), names); near != "" {
		return fmt.Sprintf("; did you mean %s?", filepath.Join(filepath.Dir(path), near))
	}
	if len(names) > 0 {
		return "; there are " + strings.Join(names, ", ")
	}
	return ""
}

var _ gate.Operator = (*Unattended)(nil)
