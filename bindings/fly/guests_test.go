package fly

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/webhost-systems/drhost/bindings/fly/flysim"
)

// guests is metal whose machines have roles in a cluster without a database
// behind them, and whose images may be bad.
type guests struct {
	flysim.Bare
	sim *flysim.Sim

	mu    sync.Mutex
	crash map[string]bool   // images whose program ends at once
	roles map[string]string // by machine
	at    map[string]int64  // position of the log
	slots string            // JSON of the slots of a primary
	ran   []string          // commands, with the machine
	mute  bool              // PostgreSQL does not answer psql
	deny  bool              // repmgr refuses

	healBy string // the machine whose start makes it primary
}

func (g *guests) Start(ctx context.Context, p flysim.Blueprint) error {
	g.mu.Lock()
	bad := g.crash[p.Image] || g.crash[p.Env["DATABASE_URL"]]
	if p.ID == g.healBy {
		g.roles[p.ID] = "primary"
	}
	g.mu.Unlock()
	if bad {
		return fmt.Errorf("exit 1")
	}
	return g.Bare.Start(ctx, p)
}

func (g *guests) role(id string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.roles[id]
}

func (g *guests) Checks(_ context.Context, id string) []flysim.Check {
	role := g.role(id)
	if role == "" {
		return nil
	}
	status := flysim.Passing
	if role == "failed" {
		status = flysim.Critical
	}
	return []flysim.Check{{Name: "role", Status: status, Output: role}}
}

func (g *guests) Exec(ctx context.Context, id string, c flysim.Command) (flysim.Output, error) {
	words := c.Split()
	line := strings.Join(words, " ")
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ran = append(g.ran, id+" "+line)
	switch {
	case g.roles[id] == "":
		return g.Bare.Exec(ctx, id, c)
	case slices.Contains(words, "psql"):
		if g.mute || g.roles[id] == "failed" {
			return flysim.Output{Exit: 2, Stderr: "psql: error: connection refused\n"}, nil
		}
		slots := g.slots
		if slots == "" || g.roles[id] != "primary" {
			slots = "[]"
		}
		return flysim.Output{Stdout: fmt.Sprintf(`{"recovery":%t,"position":%d,"readonly":%t,"slots":%s}`+"\n",
			g.roles[id] == "replica", g.at[id], g.roles[id] == "zombie" || g.roles[id] == "readonly", slots)}, nil
	case strings.Contains(line, "repmgr standby promote"):
		if g.deny || g.roles[id] != "replica" {
			return flysim.Output{Exit: 8, Stderr: "ERROR: STANDBY PROMOTE can only be executed on a standby node\n"}, nil
		}
		for other := range g.roles {
			if _, runs := g.Running(other); other != id && runs && g.roles[other] == "primary" {
				return flysim.Output{Exit: 8, Stderr: "ERROR: this replication cluster already has an active primary server\n"}, nil
			}
		}
		g.roles[id] = "primary"
		return flysim.Output{Stdout: "NOTICE: STANDBY PROMOTE successful\n"}, nil
	}
	return flysim.Output{Exit: 127, Stderr: "not found\n"}, nil
}

// commands are those that hold a text, without the machine that ran them.
func (g *guests) commands(with string) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []string
	for _, c := range g.ran {
		if strings.Contains(c, with) {
			out = append(out, c)
		}
	}
	return out
}
