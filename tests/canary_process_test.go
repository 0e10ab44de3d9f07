package tests

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestChildrenSeeNoSecret holds a drill with a backup and a restore, and watches
// every process that is started meanwhile: no command line holds a credential,
// nor does the environment of a program that is not drhost. What the drill
// leaves behind is searched as well.
func TestChildrenSeeNoSecret(t *testing.T) {
	if _, err := os.ReadDir("/proc/self"); err != nil {
		t.Logf("no process list to look at here: %v", err)
		return
	}
	a := &aviary{dir: workingFolder(t), birds: canaries{"operator": "K4n4ryOperatorQz7Wv2Lmx9"}}
	a.env = append(os.Environ(), "CI=true", "HETZNER_API_TOKEN="+a.birds["operator"])
	cmd := a.command("drill", "runbooks/drills/hetzner_replacement.lua")
	cmd.Stdout, cmd.Stderr = &a.out, &a.out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w := &watch{birds: a.birds, programs: map[string]bool{}, ended: make(chan struct{})}
	var watching sync.WaitGroup
	watching.Go(func() { w.look(filepath.Join(a.dir, ".drhost", "worlds")) })
	err := cmd.Wait()
	close(w.ended)
	watching.Wait()
	if err != nil {
		t.Fatalf("%v\n%s", err, a.out.String())
	}
	for _, leak := range w.found {
		t.Error(leak)
	}
	for _, name := range []string{"pg_dump", "pg_restore", "postgres", "drhost"} {
		if !w.programs[name] {
			t.Errorf("%s was never seen: the watch looked away", name)
		}
	}
	if len(a.birds) < 6 {
		t.Errorf("the world's own credentials were not learnt: %d", len(a.birds))
	}
	a.search(t)
}

// watch looks at processes.
type watch struct {
	birds    canaries
	programs map[string]bool
	found    []string
	ended    chan struct{}
}

// look watches until the drill has ended.
func (w *watch) look(worlds string) {
	for tick := time.Tick(5 * time.Millisecond); ; {
		select {
		case <-w.ended:
			return
		case <-tick:
		}
		if len(w.birds) == 1 {
			w.learn(worlds)
		}
		lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
		if err != nil {
			return
		}
		for _, path := range lines {
			w.process(filepath.Dir(path))
		}
	}
}

// learn takes the credentials of the world that the drill has started.
func (w *watch) learn(worlds string) {
	files, err := filepath.Glob(filepath.Join(worlds, "*.json"))
	if err != nil || len(files) == 0 {
		return
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		return
	}
	var world struct{ Settings map[string]map[string]any }
	if json.Unmarshal(text, &world) != nil {
		return
	}
	for module, settings := range world.Settings {
		for _, key := range []string{"token", "password"} {
			if value, ok := settings[key].(string); ok {
				w.birds[module] = strings.TrimPrefix(value, "plain:")
			}
		}
		if reference, ok := settings["key"].(string); ok {
			if key, err := os.ReadFile(strings.TrimPrefix(reference, "file:")); err == nil {
				w.birds["key"] = string(key)
			}
		}
	}
}

func (w *watch) process(folder string) {
	line, err := os.ReadFile(filepath.Join(folder, "cmdline"))
	if err != nil || len(line) == 0 {
		return // it has ended
	}
	name, _, _ := bytes.Cut(line, []byte{0})
	base := filepath.Base(string(name))
	if slices.Contains([]string{"pg_dump", "pg_restore", "postgres", "initdb", "pg_ctl", "drhost"}, base) {
		w.programs[base] = true
	}
	for _, leak := range w.birds.leaks(line) {
		w.found = append(w.found, fmt.Sprintf("command line of %s: %s", base, leak))
	}
	if base == "drhost" || !w.descends(folder) {
		return
	}
	env, err := os.ReadFile(filepath.Join(folder, "environ"))
	if err != nil {
		return
	}
	for _, leak := range w.birds.leaks(env) {
		w.found = append(w.found, fmt.Sprintf("environment of %s: %s", base, leak))
	}
}

// descends tells whether a process was started by a drhost of this test.
func (w *watch) descends(folder string) bool {
	for range 8 {
		status, err := os.ReadFile(filepath.Join(folder, "stat"))
		if err != nil {
			return false
		}
		_, rest, _ := strings.Cut(string(status), ") ")
		fields := strings.Fields(rest)
		if len(fields) < 2 || fields[1] == "0" {
			return false
		}
		folder = "/proc/" + fields[1]
		if exe, err := os.Readlink(folder + "/exe"); err == nil && exe == program {
			return true
		}
	}
	return false
}
