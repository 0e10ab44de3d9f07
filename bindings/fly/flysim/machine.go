package flysim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// States of a machine, as the API names them.
const (
	created    = "created"
	starting   = "starting"
	started    = "started"
	stopping   = "stopping"
	stopped    = "stopped"
	restarting = "restarting"
	suspending = "suspending"
	suspended  = "suspended"
	replacing  = "replacing"
	destroying = "destroying"
	destroyed  = "destroyed"
	failed     = "failed"
)

// machine is one machine. Its life goes up with everything that is asked of
// it, so that work which was overtaken notices.
type machine struct {
	id, name  string
	number    int
	app       *app
	region    string
	state     string
	instance  string
	config    obj
	versions  []version // oldest first
	env       map[string]string
	privateIP string
	created   time.Time
	updated   time.Time
	events    []event // newest first
	lease     *lease
	cordoned  bool
	lost      bool // its host is out of reach for good
	hung      bool
	life      int
	working   chan struct{} // closed when the last work on the metal is done
	checks    map[string]checkState
}

// version is one configuration that a machine has had.
type version struct {
	instance string
	config   obj
	at       time.Time
}

// launchInput is the body of a creation or an update.
type launchInput struct {
	Config         obj    `json:"config"`
	Region         string `json:"region"`
	Name           string `json:"name"`
	SkipLaunch     bool   `json:"skip_launch"`
	CurrentVersion string `json:"current_version"`
	LeaseTTL       int    `json:"lease_ttl"`
	MinSecrets     int    `json:"min_secrets_version"`
}

// clone copies a configuration so deeply that the copy is its own.
func clone(o obj) obj {
	text, err := json.Marshal(o)
	var out obj
	if err != nil || json.Unmarshal(text, &out) != nil || out == nil {
		return obj{} // it came out of JSON, so it goes back; none is an empty one
	}
	return out
}

// part returns an object inside a configuration, or an empty one.
func part(o obj, key string) obj {
	if p, ok := o[key].(obj); ok {
		return p
	}
	return obj{}
}

// word returns a text inside a configuration.
func word(o obj, key string) string {
	t, _ := o[key].(string)
	return t
}

// number returns a number inside a configuration.
func number(o obj, key string) int {
	switch n := o[key].(type) {
	case float64:
		return int(n)
	case int:
		return n
	}
	return 0
}

// list returns the objects of a list inside a configuration.
func list(o obj, key string) []obj {
	all, _ := o[key].([]any)
	var out []obj
	for _, one := range all {
		if p, ok := one.(obj); ok {
			out = append(out, p)
		}
	}
	return out
}

// mount is the id of the volume that a configuration mounts.
func mount(config obj) string {
	for _, m := range list(config, "mounts") {
		return word(m, "volume")
	}
	return ""
}

// unreachable tells whether nobody can reach the machine's host; the caller
// holds the lock.
func (s *Sim) unreachable(m *machine) bool { return m.lost || s.down[m.region] }

// machineView is a machine as the API shows it; the caller holds the lock.
func (s *Sim) machineView(m *machine, checks []Check) obj {
	view := obj{"id": m.id, "name": m.name, "state": m.state, "region": m.region, "instance_id": m.instance, "version": m.instance,
		"private_ip": m.privateIP, "host_status": "ok", "cordoned": m.cordoned, "image_ref": imageRef(word(m.config, "image")),
		"created_at": stamp(m.created), "updated_at": stamp(m.updated), "events": s.eventViews(m, 0)}
	if s.unreachable(m) {
		view["host_status"] = "unreachable"
		view["incomplete_config"] = obj{"image": m.config["image"], "guest": m.config["guest"], "metadata": m.config["metadata"], "init": obj{}}
	} else {
		view["config"] = m.config
	}
	if shown := s.checkViews(m, checks); len(shown) > 0 {
		view["checks"] = shown
	}
	return view
}

// imageRef splits the name of an image as the API does. The digest is one of
// the name alone, so that the same image has the same digest everywhere.
func imageRef(image string) obj {
	name, digest, pinned := strings.Cut(image, "@")
	registry, repository := "registry-1.docker.io", name
	if first, rest, found := strings.Cut(name, "/"); found && strings.Contains(first, ".") {
		registry, repository = first, rest
	}
	repository, tag, tagged := strings.Cut(repository, ":")
	if !tagged && !pinned {
		tag = "latest"
	}
	if !pinned {
		digest = digestOf(name)
	}
	labels := obj{}
	if strings.HasPrefix(repository, "flyio/postgres-flex") {
		labels = obj{"fly.app_role": "postgres_cluster", "fly.version": "v0.0.66", "fly.pg-version": tag, "fly.pg-manager": "repmgr"}
	}
	return obj{"registry": registry, "repository": repository, "tag": tag, "digest": digest, "labels": labels}
}

func (s *Sim) listMachines(c *call) (int, any, error) {
	query := c.URL.Query()
	s.mu.Lock()
	all := c.app.inOrder()
	s.mu.Unlock()
	list := []obj{}
	for _, m := range all {
		checks := s.look(c.Context(), m)
		s.mu.Lock()
		wanted := (query.Get("state") == "" || slices.Contains(strings.Split(query.Get("state"), ","), m.state)) &&
			(query.Get("region") == "" || query.Get("region") == m.region) && hasMetadata(m, query) &&
			(m.state != destroyed || query.Has("include_deleted"))
		if wanted {
			list = append(list, frozen(s.machineView(m, checks)))
		}
		s.mu.Unlock()
	}
	return 200, list, nil
}

// hasMetadata keeps to filters of the form metadata.KEY=VALUE.
func hasMetadata(m *machine, query map[string][]string) bool {
	for key, values := range query {
		if name, found := strings.CutPrefix(key, "metadata."); found && !slices.Contains(values, word(part(m.config, "metadata"), name)) {
			return false
		}
	}
	return true
}

// frozen is a view that no longer changes with the state behind it; the caller
// holds the lock.
func frozen(view obj) obj { return clone(view) }

func (s *Sim) getMachine(c *call) (int, any, error) { return s.showMachine(c, c.one) }

func (s *Sim) showMachine(c *call, m *machine) (int, any, error) {
	checks := s.look(c.Context(), m)
	s.mu.Lock()
	defer s.mu.Unlock()
	return 200, frozen(s.machineView(m, checks)), nil
}

func (s *Sim) createMachine(c *call) (int, any, error) {
	var in launchInput
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	s.mu.Lock()
	m, err := s.newMachine(c.app, in)
	if err != nil {
		s.mu.Unlock()
		return 0, nil, err
	}
	s.note(m, "launch", created, "user", nil)
	if in.SkipLaunch {
		s.turn(m, s.pause(s.latency.Create), s.move(m, stopped))
	} else {
		s.launch(m, s.latency.Create)
	}
	nonce := s.leaseWith(m, in.LeaseTTL)
	s.mu.Unlock()
	status, body, err := s.showMachine(c, m)
	if view, ok := body.(obj); ok && nonce != "" {
		view["nonce"] = nonce
	}
	return status, body, err
}

// newMachine enters a machine in the books; the caller holds the lock.
func (s *Sim) newMachine(a *app, in launchInput) (*machine, error) {
	if word(in.Config, "image") == "" {
		return nil, invalid("config.image is missing")
	}
	region := or(in.Region, home)
	if !knownRegion(region) {
		return nil, invalid("unknown region: %s", region)
	}
	if s.down[region] {
		return nil, &problem{503, "unavailable: region " + region + " is out of reach", "unavailable"}
	}
	if s.full[region] {
		return nil, &problem{412, "insufficient resources available to fulfill request: could not reserve resource for machine: insufficient memory available to fulfill request", Capacity}
	}
	for _, m := range a.machines {
		if in.Name != "" && m.name == in.Name && m.state != destroyed {
			return nil, &problem{409, fmt.Sprintf("already_exists: unique machine name violation, machine ID %s already exists with name %q", m.id, in.Name), "already_exists"}
		}
	}
	if err := checkGuest(in.Config); err != nil {
		return nil, err
	}
	s.sequence++
	m := &machine{id: s.hex(14), number: s.sequence, app: a, name: or(in.Name, s.name()), region: region, state: created,
		created: s.now(), updated: s.now(), privateIP: fmt.Sprintf("fdaa:0:18:a7b:%x:%x:%x:2", 0x100+s.sequence, s.random.IntN(1<<16), s.random.IntN(1<<16)),
		checks: map[string]checkState{}}
	if err := s.attach(a, m, in.Config); err != nil {
		return nil, err
	}
	s.configure(m, in.Config)
	a.machines[m.id] = m
	return m, nil
}

// configure gives a machine a configuration and with it the secrets of this
// moment; the caller holds the lock.
func (s *Sim) configure(m *machine, config obj) {
	m.config = clone(config)
	if _, given := m.config["init"]; !given {
		m.config["init"] = obj{}
	}
	if _, given := m.config["guest"]; !given {
		m.config["guest"] = obj{"cpu_kind": "shared", "cpus": 1, "memory_mb": 256}
	}
	m.instance, m.updated = s.ulid(), s.now()
	m.versions = append(m.versions, version{m.instance, m.config, m.updated})
	m.env = map[string]string{}
	for name, value := range part(m.config, "env") {
		m.env[name] = fmt.Sprint(value)
	}
	for name, v := range m.app.secrets {
		m.env[name] = v.value
	}
}

// checkGuest refuses sizes that do not exist (fly.io/docs/machines/guides-examples/machine-sizing).
func checkGuest(config obj) error {
	guest, given := config["guest"].(obj)
	if !given {
		return nil
	}
	memory, cpus := number(guest, "memory_mb"), number(guest, "cpus")
	step, most := 256, 2048
	if word(guest, "cpu_kind") == "performance" {
		step, most = 1024, 8192
	}
	switch {
	case memory == 0 || cpus == 0:
		return invalid("config.guest: cpus and memory_mb must be given")
	case memory%step != 0:
		return invalid("invalid memory size requested, '%d', must be divisible by %d", memory, step)
	case memory > cpus*most:
		return invalid("invalid memory size requested, '%d', must be at most %d for %d CPUs", memory, cpus*most, cpus)
	case step == 1024 && memory < cpus*2048:
		return invalid("invalid memory size requested, '%d', must be at least %d for %d CPUs", memory, cpus*2048, cpus)
	}
	return nil
}

// updateMachine replaces the whole configuration and starts the machine anew
// with it.
func (s *Sim) updateMachine(c *call) (int, any, error) {
	var in launchInput
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	s.mu.Lock()
	nonce, err := s.replace(c, in)
	s.mu.Unlock()
	if err != nil {
		return 0, nil, err
	}
	status, body, err := s.showMachine(c, c.one)
	if view, ok := body.(obj); ok && nonce != "" {
		view["nonce"] = nonce
	}
	return status, body, err
}

func (s *Sim) replace(c *call, in launchInput) (nonce string, err error) {
	m := c.one
	if err := s.writable(c); err != nil {
		return "", err
	}
	switch {
	case word(in.Config, "image") == "":
		return "", invalid("config.image is missing")
	case in.Region != "" && in.Region != m.region:
		return "", invalid("cannot change the region of a machine from %s to %s", m.region, in.Region)
	case in.CurrentVersion != "" && in.CurrentVersion != m.instance:
		return "", &problem{412, fmt.Sprintf("failed_precondition: machine version mismatch: current version is %s, not %s", m.instance, in.CurrentVersion), "failed_precondition"}
	case m.state == destroyed || m.state == destroying || m.state == replacing:
		return "", precondition("unable to update machine from current state: '%s'", m.state)
	case in.MinSecrets > m.app.version:
		return "", precondition("secrets version %d is not there yet", in.MinSecrets)
	case s.full[m.region] && grows(m.config, in.Config):
		return "", &problem{412, "insufficient resources available to fulfill request: could not reserve resource for machine: insufficient memory available to fulfill request", Capacity}
	}
	if err := checkGuest(in.Config); err != nil {
		return "", err
	}
	if mount(in.Config) != mount(m.config) {
		return "", invalid("the volume of a machine cannot be changed")
	}
	s.configure(m, in.Config)
	s.note(m, "update", replacing, "user", nil)
	if !in.SkipLaunch {
		s.relaunch(m)
	}
	if m.lease != nil {
		m.lease.version = m.instance
	}
	return s.leaseWith(m, in.LeaseTTL), nil
}

// grows tells whether a configuration wants more memory than another.
func grows(from, to obj) bool {
	return number(part(to, "guest"), "memory_mb") > number(part(from, "guest"), "memory_mb")
}
