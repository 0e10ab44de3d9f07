package torture

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/bindings/fly/flysim"
	"github.com/webhost-systems/drhost/bindings/world"
	"github.com/webhost-systems/drhost/bindings/world/machine"
	"github.com/webhost-systems/drhost/host/clock"
)

// before is what Fly.io held when the run began. Its ids are chance and differ
// from world to world: what was there is called by its name, whatever was made
// since is called new. The digest of a secret hangs on a password that every
// world makes for itself: what counts is whether it changed.
type before struct {
	names   map[string]string // of machines and volumes, by id
	digests map[string]string // of secrets, by "app name"
}

// beforehand looks at Fly.io before the run.
func (t *trial) beforehand() error {
	s, err := t.worldState()
	if err != nil {
		return err
	}
	t.before = before{map[string]string{}, map[string]string{}}
	if s.Fly == nil {
		return nil
	}
	for app, a := range s.Fly.Apps {
		for id, m := range a.Machines {
			t.before.names[id] = m.Name
		}
		for id, m := range a.Volumes {
			t.before.names[id] = "the volume of " + a.Machines[m].Name
		}
		for name, digest := range a.Secrets {
			t.before.digests[app+" "+name] = digest
		}
	}
	return nil
}

// made are the ids that Fly.io gives to machines, volumes, events and versions.
var made = regexp.MustCompile(`\b(?:[0-9a-f]{14}|vol_[0-9a-z]+|01[0-9A-HJKMNP-TV-Z]{24})\b`)

func (b before) plain(text string) string {
	return made.ReplaceAllStringFunc(text, func(id string) string {
		if name, known := b.names[id]; known {
			return name
		}
		return "new"
	})
}

// resting are the states in which a machine stays by itself.
func resting() []string { return []string{"started", "stopped", "suspended", "failed"} }

// rested is the world once every machine at Fly.io has come to rest: what was
// asked of it last may still be under way. One that never rests is in the image
// as it is.
func (t *trial) rested(ctx context.Context) (s world.State, err error) {
	pollErr := clock.Poll(ctx, clock.System{}, 20*time.Second, 50*time.Millisecond, func(context.Context) (bool, error) {
		if s, err = t.worldState(); err != nil || s.Fly == nil {
			return true, err
		}
		for _, a := range s.Fly.Apps {
			for _, m := range a.Machines {
				if m.Reachable && !slices.Contains(resting(), m.State) {
					return false, nil
				}
			}
		}
		return true, nil
	})
	if err == nil && ctx.Err() != nil {
		err = pollErr
	}
	return s, err
}

// fly says what there is at Fly.io. Leases are left out: one that a dead life
// held ends by itself.
func (t *trial) fly(ctx context.Context, s world.State, add func(string, ...any)) error {
	if s.Fly == nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(s.Fly.Apps)) {
		a := s.Fly.Apps[name]
		add("fly %s: postgres %t, address %s, releases %v", name, a.Postgres, a.Address, a.Releases)
		for id, m := range a.Machines {
			delete(m.Metadata, restartMark)
			add("fly %s, machine %s in %s: %s, image %s, %d MB, cordoned %t, reachable %t, hung %t, %v", name, id, m.Region, m.State, m.Image, m.MemoryMB,
				m.Cordoned, m.Reachable, m.Hung, m.Metadata)
		}
		for id, m := range a.Volumes {
			add("fly %s, volume %s of machine %q", name, id, m)
		}
		for secret, digest := range a.Secrets {
			was, known := t.before.digests[name+" "+secret]
			add("fly %s, secret %s: known before %t, as before %t", name, secret, known, was == digest)
		}
		if !a.Postgres {
			continue
		}
		if !led(s, name) {
			add("database %s: nobody leads", name)
		} else if err := t.databases(ctx, name, name+".flycast", add); err != nil {
			return fmt.Errorf("databases of %s: %w", name, err)
		}
	}
	for id, n := range s.Nodes {
		add("fly node %s of %s in %s: %s, standby %t, zombie %t, full %t, follows %s", id, n.App, n.Region, n.State, n.Standby, n.Zombie, n.Full, n.From)
	}
	add("fly: full %v, down %v, managed %v", s.Fly.Full, s.Fly.Down, s.Fly.Managed)
	return nil
}

// led tells whether a Postgres app has a primary that answers.
func led(s world.State, app string) bool {
	for id, n := range s.Nodes {
		if n.App == app && n.State == machine.Up && !n.Standby && !n.Zombie && s.Fly.Apps[app].Machines[id].Reachable {
			return true
		}
	}
	return false
}

// restartMark is the metadata by which a machine tells which call was about to
// restart it, and after which event: every life may see another one.
const restartMark = "drhost_restart"

// flyDeed is what a request did to Fly.io, "" when it is nothing that counts:
// every life takes and gives back leases of its own, and makes its marks.
func (t *trial) flyDeed(r world.Request) string {
	path := t.before.plain(r.Path)
	switch {
	case strings.HasSuffix(path, "/lease"), strings.HasSuffix(path, "/metadata/"+restartMark):
		return ""
	case strings.HasSuffix(path, "/exec"):
		var c struct {
			Cmd     string
			Command []string
		}
		if json.Unmarshal([]byte(r.Body), &c) == nil {
			path += " " + t.before.plain(strings.Join(flysim.Command{Line: c.Cmd, Words: c.Command}.Split(), " "))
		}
	}
	return r.Method + " " + t.plain(path)
}
