package fly

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// keyLabel is the metadata under which a machine carries the idempotency key
// of the call that made or changed it last.
const keyLabel = "drhost_key"

// machine is one machine as the Machines API tells it. Config stays as it came,
// because an update sends it back whole.
type machine struct {
	ID         string         `json:"id"`
	Name       string         `json:"name"`
	State      string         `json:"state"`
	Region     string         `json:"region"`
	Instance   string         `json:"instance_id"`
	PrivateIP  string         `json:"private_ip"`
	HostStatus string         `json:"host_status"`
	Cordoned   bool           `json:"cordoned"`
	Image      imageRef       `json:"image_ref"`
	Created    string         `json:"created_at"`
	Updated    string         `json:"updated_at"`
	Config     map[string]any `json:"config"`
	Incomplete map[string]any `json:"incomplete_config"`
	Checks     []wireCheck    `json:"checks"`
	Events     []wireEvent    `json:"events"`
}

type imageRef struct {
	Registry   string            `json:"registry"`
	Repository string            `json:"repository"`
	Tag        string            `json:"tag"`
	Digest     string            `json:"digest"`
	Labels     map[string]string `json:"labels"`
}

// text is the reference as `image` of a configuration takes it.
func (r imageRef) text() string {
	if r.Repository == "" {
		return ""
	}
	out := r.Repository
	if r.Registry != "" {
		out = r.Registry + "/" + out
	}
	if r.Tag != "" {
		out += ":" + r.Tag
	}
	if r.Digest != "" {
		out += "@" + r.Digest
	}
	return out
}

type wireCheck struct {
	Name    string `json:"name"`
	Status  string `json:"status"`
	Output  string `json:"output"`
	Updated string `json:"updated_at"`
}

type wireEvent struct {
	ID        string         `json:"id"`
	Type      string         `json:"type"`
	Status    string         `json:"status"`
	Source    string         `json:"source"`
	Timestamp int64          `json:"timestamp"` // milliseconds
	Request   map[string]any `json:"request"`
}

func (e wireEvent) at() time.Time { return time.UnixMilli(e.Timestamp) }

// exit tells how the machine's program ended, when the event says so.
func (e wireEvent) exit() (text string, ok bool) {
	exit, ok := e.Request["exit_event"].(map[string]any)
	if !ok {
		return "", false
	}
	code := exit["exit_code"]
	if code == nil {
		code = 0
	}
	text = fmt.Sprintf("exit code %v", code)
	if killed, _ := exit["oom_killed"].(bool); killed {
		text += ", killed for lack of memory"
	}
	return text, true
}

// usable is the configuration, also that of a machine on a dead host, of which
// Fly knows only a part.
func (m *machine) usable() map[string]any {
	if m.Config != nil {
		return m.Config
	}
	return m.Incomplete
}

// reachable tells whether Fly can act on the machine.
func (m *machine) reachable() bool { return m.HostStatus == "" || m.HostStatus == "ok" }

// gone tells whether the machine is destroyed or on its way there.
func (m *machine) gone() bool {
	return slices.Contains([]string{"destroyed", "destroying", "replaced", "migrated"}, m.State)
}

// section is a table of the configuration.
func section(config map[string]any, name string) map[string]any {
	s, _ := config[name].(map[string]any)
	return s
}

func textOf(config map[string]any, name, key string) string {
	s, _ := section(config, name)[key].(string)
	return s
}

func (m *machine) metadata(key string) string { return textOf(m.usable(), "metadata", key) }
func (m *machine) env(key string) string      { return textOf(m.usable(), "env", key) }

// group is the process group; machines that flyctl did not make have none.
func (m *machine) group() string {
	if g := m.metadata("fly_process_group"); g != "" {
		return g
	}
	return m.metadata("process_group")
}

// passing machines of a deployment: a release command or a console comes and goes.
func (m *machine) serves() bool {
	g := m.group()
	return !m.gone() && g != "fly_app_release_command" && g != "fly_app_console"
}

// image is what the machine runs.
func (m *machine) image() string {
	if s, _ := m.usable()["image"].(string); s != "" {
		return s
	}
	return m.Image.text()
}

// volume is the id of the volume that is mounted, or "".
func (m *machine) volume() string {
	mounts, _ := m.usable()["mounts"].([]any)
	for _, x := range mounts {
		mount, _ := x.(map[string]any)
		if id, _ := mount["volume"].(string); id != "" {
			return id
		}
	}
	return ""
}

func number(v any) int {
	switch n := v.(type) {
	case json.Number:
		i, err := n.Int64()
		if err != nil {
			return 0
		}
		return int(i)
	case float64:
		return int(n)
	case int:
		return n
	}
	return 0
}

func (m *machine) memory() int { return number(section(m.usable(), "guest")["memory_mb"]) }
func (m *machine) cpus() int   { return number(section(m.usable(), "guest")["cpus"]) }

// role is what a machine is in its Postgres cluster, as its check "role" says:
// primary, replica, witness, zombie, readonly, failed; "" for other machines.
func (m *machine) role() string {
	for _, c := range m.Checks {
		if c.Name != "role" {
			continue
		}
		word := strings.ToLower(strings.TrimSpace(c.Output))
		if i := strings.IndexFunc(word, func(r rune) bool { return r < 'a' || r > 'z' }); i >= 0 {
			word = word[:i]
		}
		switch word {
		case "leader":
			return "primary"
		case "standby":
			return "replica"
		case "primary", "replica", "witness", "zombie", "readonly", "barman":
			return word
		}
		return "failed"
	}
	return ""
}

// postgres tells whether the machine belongs to a Postgres cluster.
func (m *machine) postgres() bool {
	return m.role() != "" || m.Image.Labels["fly.pg-manager"] != "" || strings.Contains(m.image(), "flyio/postgres")
}

// failing lists the checks that do not pass.
func (m *machine) failing() []string {
	var out []string
	for _, c := range m.Checks {
		if c.Status != "passing" {
			out = append(out, fmt.Sprintf("%s is %s: %s", c.Name, c.Status, short(c.Output)))
		}
	}
	return out
}

// healthy tells whether the machine runs and all its checks pass.
func (m *machine) healthy() bool {
	return m.reachable() && m.State == "started" && len(m.failing()) == 0
}

// rests tells of a machine that somebody has stopped on purpose. One whose
// program ended by itself is stopped as well, and does not rest.
func (m *machine) rests() bool {
	switch m.State {
	case "suspended", "created":
		return true
	case "stopped":
		return !m.crashed()
	}
	return false
}

// crashed tells whether the latest thing that happened to a machine is that its
// program ended unasked.
func (m *machine) crashed() bool {
	if len(m.Events) == 0 {
		return false
	}
	if _, ended := m.Events[0].exit(); !ended {
		return false
	}
	exit := m.Events[0].Request["exit_event"].(map[string]any)
	asked, _ := exit["requested_stop"].(bool)
	return !asked
}

// short is the first line of an output, cut to what fits a message.
func short(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	if len(s) > 120 {
		s = s[:117] + "..."
	}
	return s
}

// newest is the id of the latest event, or "".
func (m *machine) newest() string {
	if len(m.Events) == 0 {
		return ""
	}
	return m.Events[0].ID
}

// moment reads a time as Fly writes it; the zero time when it does not say.
func moment(text string) time.Time {
	for _, form := range []string{time.RFC3339Nano, "2006-01-02 15:04:05 -0700 MST", "2006-01-02 15:04:05.999999999 -0700 MST"} {
		if at, err := time.Parse(form, text); err == nil {
			return at
		}
	}
	return time.Time{}
}

// deepCopy copies plain JSON data.
func deepCopy(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[k] = deepCopy(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = deepCopy(x)
		}
		return out
	}
	return v
}

// edited is a copy of a configuration with the call's key in its metadata.
func edited(config map[string]any, key string) map[string]any {
	out, _ := deepCopy(config).(map[string]any)
	if out == nil {
		out = map[string]any{}
	}
	if key != "" {
		put(out, "metadata", keyLabel, key)
	}
	return out
}

// put sets one value in a table of a configuration.
func put(config map[string]any, name, key string, value any) {
	s := section(config, name)
	if s == nil {
		s = map[string]any{}
		config[name] = s
	}
	s[key] = value
}
