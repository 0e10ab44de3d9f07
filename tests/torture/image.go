package torture

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/webhost-systems/drhost/bindings/world"
)

// image is a world as lines that are the same whenever the same was done to
// it: without times, numbers of the provider's own, and keys of a run.
type image []string

// look takes the image of the trial's world.
func (t *trial) image(ctx context.Context) (image, error) {
	var out image
	add := func(format string, args ...any) { out = append(out, t.plain(fmt.Sprintf(format, args...))) }
	seen, err := t.rested(ctx)
	if err != nil {
		return nil, err
	}
	state, err := t.world("state")
	if err != nil {
		return nil, err
	}
	if all, ok := state.(map[string]any); ok { // see fly.go
		delete(all, "fly")
		delete(all, "nodes")
	}
	flatten("", state, add)
	if err := t.fly(ctx, seen, add); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(seen.Hetzner.Servers)) {
		server := seen.Hetzner.Servers[name]
		if err := t.files(name, server.ID, add); err != nil {
			return nil, fmt.Errorf("files of %s: %w", name, err)
		}
		if string(seen.Machines[name]) != "up" {
			continue
		}
		if !t.hasCluster(server.ID) {
			add("database %s: none", name)
		} else if err := t.databases(ctx, name, server.IPv4, add); err != nil {
			return nil, fmt.Errorf("databases of %s: %w", name, err)
		}
	}
	if err := t.messages(add); err != nil {
		return nil, err
	}
	if err := t.backups(add); err != nil {
		return nil, fmt.Errorf("backups: %w", err)
	}
	left, err := os.ReadDir(t.temporary())
	if err != nil {
		return nil, err
	}
	for _, e := range left {
		add("left behind %s", e.Name())
	}
	known, err := os.ReadFile(t.setting("ssh", "known_hosts"))
	if err != nil {
		return nil, err
	}
	for _, line := range strings.Split(strings.TrimSpace(string(known)), "\n") {
		host, _, _ := strings.Cut(line, " ")
		add("known host %s", host)
	}
	slices.Sort(out)
	return out, nil
}

// world asks the world of the trial a question.
func (t *trial) world(verb string) (any, error) { return t.stage.Sim.Live.Do(verb, nil) }

// worldState is the world's state in its own types.
func (t *trial) worldState() (s world.State, err error) { return s, t.into("state", &s) }

func (t *trial) into(verb string, v any) error {
	answer, err := t.world(verb)
	if err != nil {
		return err
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}

func (t *trial) setting(module, key string) string {
	s, _ := t.stage.Sim.World.Settings[module][key].(string)
	return strings.TrimPrefix(s, "plain:")
}

// folder is where the world keeps its machines and backups.
func (t *trial) folder() string { return filepath.Dir(t.setting("backup", "repository")) }

// volatile are the fields that differ from world to world though the same was
// done.
var volatile = regexp.MustCompile(`(?i)^(id|created(_?(at|on))?|modified_?on|time|server_?id|tags)$`)

// flatten says every leaf of v in one line.
func flatten(at string, v any, add func(string, ...any)) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			if !volatile.MatchString(k) {
				flatten(at+"/"+k, x, add)
			}
		}
	case []any:
		for n, x := range v {
			// The order of a list is the provider's own; what it holds is not.
			if m, ok := x.(map[string]any); ok {
				flatten(at+"/"+fmt.Sprint(m["Name"], " ", m["Type"]), x, add)
			} else {
				flatten(fmt.Sprintf("%s/%d", at, n), x, add)
			}
		}
	default:
		add("%s = %v", at, v)
	}
}

// plain takes the run's name and keys out of a text.
func (t *trial) plain(text string) string {
	run := t.stage.Run
	for _, name := range []string{run, run[:min(len(run), 40)]} {
		text = strings.ReplaceAll(text, name, "RUN")
	}
	return t.before.plain(keys.ReplaceAllString(text, "RUN-key"))
}

// keys are idempotency keys of a run whose name was taken out.
var keys = regexp.MustCompile(`RUN-[0-9a-f]{16}`)

// files says what is on a machine's disk, but for what changes by itself.
func (t *trial) files(name string, id int64, add func(string, ...any)) error {
	root := filepath.Join(t.folder(), "rack", "machines", fmt.Sprint(id))
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it went while we looked
		}
		if err != nil {
			return err
		}
		inside := "/" + strings.TrimPrefix(strings.TrimPrefix(path, root), "/")
		for _, changing := range []string{"/var/log", "/var/lib/postgresql", "/etc/ssh", "/usr", "/root/.ssh", "/run", "/etc/machine-id"} {
			if inside == changing {
				if d.IsDir() {
					return fs.SkipDir
				}
				return nil
			}
		}
		if !d.Type().IsRegular() {
			return nil
		}
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		sum := sha256.Sum256(text)
		add("file %s:%s %s", name, inside, hex.EncodeToString(sum[:6]))
		return nil
	})
}

// backups says which backups there are, and which were begun and are not whole.
// Their ids are times and chance.
func (t *trial) backups(add func(string, ...any)) error {
	repository := t.setting("backup", "repository")
	folders, err := filepath.Glob(filepath.Join(repository, "*", "*"))
	if err != nil {
		return err
	}
	for _, folder := range folders {
		subject := filepath.Base(filepath.Dir(folder))
		if subject == "locks" || subject == "pins" {
			continue // whose holders are gone counts for nothing
		}
		text, err := os.ReadFile(filepath.Join(folder, "manifest.json"))
		if errors.Is(err, fs.ErrNotExist) {
			add("backup of %s: not whole", subject)
			continue
		}
		var manifest struct{ Kind, Label, Key string }
		if err == nil {
			err = json.Unmarshal(text, &manifest)
		}
		if err != nil {
			return err
		}
		add("backup of %s: %s, label %q, key %s", subject, manifest.Kind, manifest.Label, prepared.ReplaceAllString(manifest.Key, "$1-key"))
	}
	return nil
}

// prepared are the keys of backups that a world is made with.
var prepared = regexp.MustCompile(`^(prepare)-[0-9a-f]{16}$`)

// messages says what reached people.
func (t *trial) messages(add func(string, ...any)) error {
	var inbox []world.Message
	if err := t.into("inbox", &inbox); err != nil {
		return err
	}
	for _, m := range inbox {
		var body map[string]any
		if err := json.Unmarshal(m.Body, &body); err != nil {
			return err
		}
		add("message %v", body["subject"])
	}
	return nil
}

// unlike are the lines that differ between what was expected and what is.
func (i image) unlike(is image) []string {
	var out []string
	count := func(i image) map[string]int {
		n := map[string]int{}
		for _, line := range i {
			n[line]++
		}
		return n
	}
	want, got := count(i), count(is)
	for line, n := range want {
		if got[line] < n {
			out = append(out, "- "+line)
		}
	}
	for line, n := range got {
		if want[line] < n {
			out = append(out, "+ "+line)
		}
	}
	slices.SortFunc(out, func(a, b string) int { return strings.Compare(a[2:]+a[:1], b[2:]+b[:1]) })
	return out
}
