package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/webhost-systems/drhost/host/journal"
)

// World is what a running simulated world tells of itself, in
// <state>/worlds/<name>.json.
type World struct {
	Name        string                    `json:"name"`
	PID         int                       `json:"pid"`
	Speed       float64                   `json:"speed"`
	Started     string                    `json:"started"`
	Switchboard string                    `json:"switchboard"` // URL: where does an address lead?
	Control     string                    `json:"control"`     // URL: faults, requests, state
	Settings    map[string]map[string]any `json:"settings"`
	Env         []string                  `json:"env"` // for other clients: HCLOUD_ENDPOINT=...
	Databases   []WorldDatabase           `json:"databases"`
}

// WorldDatabase is one that a world wants backed up when it starts.
type WorldDatabase struct {
	Server   string `json:"server"`
	Host     string `json:"host"`
	Database string `json:"database"`
}

// Resolvers are the addresses of the world's public resolvers.
func (w *World) Resolvers() []string {
	var out []string
	list, _ := w.Settings["dns"]["resolvers"].([]any)
	for _, r := range list {
		if s, ok := r.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

func worldPath(state, name string) string {
	if name == "" {
		name = simulated
	}
	return filepath.Join(state, "worlds", name+".json")
}

// readWorld reads the description of a world and sees that it still runs.
func readWorld(state, name string) (*World, error) {
	path := worldPath(state, name)
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && name != "" && name != simulated {
		return nil, goneWorld(name)
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("no simulated world runs here; start one with `drhost sim` in another terminal, or use `drhost drill`")
	}
	if err != nil {
		return nil, err
	}
	var w World
	if err := json.Unmarshal(text, &w); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if unix.Kill(w.PID, 0) == unix.ESRCH {
		if name != "" && name != simulated {
			return nil, goneWorld(name)
		}
		return nil, fmt.Errorf("the simulated world %q has ended (process %d); start one with `drhost sim`", w.Name, w.PID)
	}
	return &w, nil
}

// goneWorld says that the world of a drill went with its process.
func goneWorld(name string) error {
	return fmt.Errorf("the world of drill %s has ended together with the drill, and what the run did there is gone; hold the drill again. `drhost show %s` tells how far the run came", name, name)
}

// sameWorld refuses to go on in another simulated world than the run's: it
// knows nothing of what the run did, and looks healthy where the first was
// broken.
func sameWorld(started journal.Started, w *World) error {
	if w == nil || started.WorldStarted == "" || started.WorldStarted == w.Started {
		return nil
	}
	return Usage(fmt.Errorf("run %s began in a simulated world that has ended, and what it did there is gone; the one that runs now is another. "+
		"There is nothing to go on with or to take back. Break it with `drhost sim fault` and start a new run; `drhost show %s` tells how far this one came", started.Run, started.Run))
}

// publishWorld writes the description for other processes. It holds the
// world's credentials, so only this user may read it.
func publishWorld(state, name string, description []byte) (remove func(), err error) {
	path := worldPath(state, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	temporary := path + ".tmp"
	if err := os.WriteFile(temporary, description, 0o600); err != nil {
		return nil, err
	}
	return func() { os.Remove(path) }, os.Rename(temporary, path)
}
