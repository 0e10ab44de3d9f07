package torture

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/webhost-systems/drhost/bindings/world"
	"github.com/webhost-systems/drhost/bindings/world/machine"
	"github.com/webhost-systems/drhost/host/journal"
)

// deeds are what was done to the world, each with how often: the mutations
// that providers carried out, the commands that machines ran for ssh.run.
type deeds map[string]int

var numbers = regexp.MustCompile(`/[0-9]+(/|$)|/[0-9a-f]{32}(/|$)`)

// deeds reads the logs of the world.
func (t *trial) deeds(ctx context.Context) (deeds, error) {
	var requests []world.Request
	if err := t.into("requests", &requests); err != nil {
		return nil, err
	}
	out := deeds{}
	for _, r := range requests {
		if !r.Mutation || !r.Acted {
			continue
		}
		if r.Provider == "fly" {
			if what := t.flyDeed(r); what != "" {
				out["fly "+what]++
			}
		} else {
			path := numbers.ReplaceAllString(r.Path, "/*$1$2")
			out[strings.TrimSpace(fmt.Sprintf("%s %s %s", r.Provider, r.Method, numbers.ReplaceAllString(path, "/*$1$2")))]++
		}
	}
	changing, err := t.changing(ctx)
	if err != nil {
		return nil, err
	}
	ran, err := t.ran()
	if err != nil {
		return nil, err
	}
	for _, c := range ran {
		if changing[c.Text] && !c.Cut {
			out[fmt.Sprintf("%s ran %q", c.Server, c.Text)]++
		}
	}
	return out, nil
}

func (t *trial) ran() (ran []machine.Command, err error) { return ran, t.into("commands", &ran) }

// named tells whether host, as a runbook says it, is server.
func (t *trial) named(server, host string) bool {
	s, err := t.worldState()
	if err != nil {
		return false
	}
	host, _, _ = strings.Cut(host, ":")
	return host == server || host == s.Hetzner.Servers[server].IPv4
}

// changing are the commands that the run sent as mutations.
func (t *trial) changing(ctx context.Context) (map[string]bool, error) {
	records, err := t.records(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for _, r := range records {
		if r.Kind != journal.CallIntent {
			continue
		}
		in, err := journal.Decode[journal.Intent](r)
		if err != nil {
			return nil, err
		}
		if text, ok := in.Args["command"].(string); ok && in.Call == "ssh.run" {
			out[text] = true
		}
	}
	return out, nil
}

// twice are the deeds that were done more often than in the undisturbed run.
func (d deeds) twice(undisturbed deeds) (out []string, n int) {
	for _, what := range slices.Sorted(maps.Keys(d)) {
		if more := d[what] - undisturbed[what]; more > 0 {
			out = append(out, fmt.Sprintf("%s: %d times, undisturbed %d", what, d[what], undisturbed[what]))
			n += more
		}
	}
	return out, n
}
