package world

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"
)

// Descriptor is how to get into a running world, for other processes.
type Descriptor struct {
	Name        string                    `json:"name"`
	PID         int                       `json:"pid"`
	Speed       float64                   `json:"speed"`
	Started     time.Time                 `json:"started"`
	Dir         string                    `json:"dir"`
	Switchboard string                    `json:"switchboard"` // base URL; GET /route
	Control     string                    `json:"control"`     // base URL of POST /fault and so on
	Resolvers   []string                  `json:"resolvers"`   // host:port, reached through the switchboard
	Settings    map[string]map[string]any `json:"settings"`    // per module, as in [env.NAME.<module>]
	Env         []string                  `json:"env"`         // for people and other clients: "HCLOUD_TOKEN=..."
}

// Descriptor returns how to get in.
func (w *World) Descriptor() Descriptor { return w.descriptor }

func (w *World) describe(hetzner, cloudflare, control string) {
	resolvers := []string{resolver1 + ":53", resolver2 + ":53"}
	plain := func(text string) string { return "plain:" + text } // a reference, as config has it for simulated environments
	database := func() map[string]any {
		return map[string]any{"user": "postgres", "password": plain(w.access.password), "sslmode": "disable"}
	}
	backup := database()
	backup["repository"] = filepath.Join(w.dir, "backups")
	backup["ssh"] = map[string]any{"key": "file:" + w.access.keyFile, "known_hosts": w.access.knownHosts}
	backup["archive"] = map[string]any{"spool": filepath.Join(w.dir, "spool"), "every": "200ms"}
	w.descriptor = Descriptor{
		Name: w.opt.Name, PID: os.Getpid(), Speed: w.opt.Speed, Started: w.started, Dir: w.dir,
		Switchboard: control, Control: control, Resolvers: resolvers,
		Settings: map[string]map[string]any{
			"hetzner":    {"endpoint": hetzner, "token": plain(w.access.hetznerToken)},
			"cloudflare": {"endpoint": cloudflare, "token": plain(w.access.cloudflareToken)},
			"dns":        {"resolvers": []any{resolvers[0], resolvers[1]}},
			"ssh":        {"user": "root", "key": "file:" + w.access.keyFile, "known_hosts": w.access.knownHosts},
			"pg":         database(),
			"backup":     backup,
			"notify": {"drill": true, "channels": map[string]any{
				"console": map[string]any{"kind": "console"},
				"inbox":   map[string]any{"kind": "webhook", "url": plain(control + "/inbox")},
			}},
		},
		Env: []string{
			"HCLOUD_ENDPOINT=" + hetzner, "HCLOUD_TOKEN=" + w.access.hetznerToken, "HETZNER_API_TOKEN=" + w.access.hetznerToken,
			"CLOUDFLARE_BASE_URL=" + cloudflare, "CLOUDFLARE_API_TOKEN=" + w.access.cloudflareToken,
			"PGPASSWORD=" + w.access.password, "WEBHOST_DB_PASSWORD=" + w.access.password,
		},
	}
}

// DescriptorPath is where the descriptor of a world called name is kept.
func DescriptorPath(stateDir, name string) string {
	return filepath.Join(stateDir, "worlds", name+".json")
}

// ReadDescriptor reads how to get into a running world. Returns an error that
// is os.ErrNotExist when there is none of that name.
func ReadDescriptor(stateDir, name string) (Descriptor, error) {
	var d Descriptor
	data, err := os.ReadFile(DescriptorPath(stateDir, name))
	if err == nil {
		err = json.Unmarshal(data, &d)
	}
	return d, err
}

// announce keeps the descriptor in the state folder, readable by its owner
// alone: it holds the world's tokens.
func (w *World) announce(context.Context) error {
	if w.opt.StateDir == "" {
		return nil
	}
	path := DescriptorPath(w.opt.StateDir, w.opt.Name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	data, err := json.MarshalIndent(w.descriptor, "", "  ")
	if err != nil {
		return err
	}
	beside, err := os.CreateTemp(filepath.Dir(path), "."+w.opt.Name+"-*")
	if err != nil {
		return err
	}
	_, err = beside.Write(append(data, '\n'))
	if err = errors.Join(err, beside.Close()); err == nil {
		err = os.Rename(beside.Name(), path)
	}
	if err != nil {
		_ = os.Remove(beside.Name())
		return err
	}
	w.onClose(func() error { return w.withdraw(path) })
	return nil
}

// withdraw removes the descriptor, unless another world of that name has
// replaced it.
func (w *World) withdraw(path string) error {
	if d, err := ReadDescriptor(w.opt.StateDir, w.opt.Name); err != nil || d.Dir != w.dir {
		return nil
	}
	return os.Remove(path)
}
