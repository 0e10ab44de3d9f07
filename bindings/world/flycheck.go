package world

import (
	"context"
	"fmt"
	"net/http"

	"github.com/webhost-systems/drhost/bindings/fly/flysim"
	"github.com/webhost-systems/drhost/bindings/world/machine"
)

// Checks is flysim.Metal's: what postgres-flex says of a node, and what the
// web application's own check says.
func (f *flyMetal) Checks(ctx context.Context, id string) []flysim.Check {
	if n := f.nodeOf(id); n != nil {
		return f.nodeChecks(ctx, n)
	}
	f.mu.Lock()
	s := f.sites[id]
	f.mu.Unlock()
	if s == nil {
		return nil
	}
	check := flysim.Check{Name: webCheck, Status: flysim.Passing, Output: "HTTP GET http://172.19.0.2:8080/health: 200 OK"}
	if status := s.health(ctx); status != http.StatusOK {
		check.Status, check.Output = flysim.Critical, fmt.Sprintf("HTTP GET http://172.19.0.2:8080/health: %d %s", status, http.StatusText(status))
	}
	return []flysim.Check{check}
}

// Roles of a node, as postgres-flex's check names them.
const (
	rolePrimary  = "primary"
	roleReplica  = "replica"
	roleZombie   = "zombie"
	roleReadonly = "readonly"
	roleFailed   = "failed"
)

// role asks the running cluster what it is.
func (f *flyMetal) role(ctx context.Context, n *node) (string, error) {
	if n.m.State() != machine.Up {
		return roleFailed, fmt.Errorf("the machine is %s", n.m.State())
	}
	standby, err := n.m.InRecovery(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case err != nil:
		return roleFailed, err
	case n.zombie:
		return roleZombie, nil
	case standby:
		return roleReplica, nil
	case n.full:
		return roleReadonly, nil
	}
	return rolePrimary, nil
}

func (f *flyMetal) nodeChecks(ctx context.Context, n *node) []flysim.Check {
	role, err := f.role(ctx, n)
	checks := []flysim.Check{{Name: "pg", Status: flysim.Passing, Output: "[✓] connections: 3 used, 3 reserved, 60 max (0.91ms)"},
		{Name: "role", Status: flysim.Passing, Output: role},
		{Name: "vm", Status: flysim.Passing, Output: "[✓] checkDisk: 928.2 MB (94.0%) free space on /data/ (61.5µs)"}}
	f.mu.Lock()
	full, lag := n.full, n.lag
	f.mu.Unlock()
	switch {
	case err != nil:
		checks[0].Status, checks[0].Output = flysim.Critical, fmt.Sprintf("failed to connect to local node: %v", err)
		checks[1].Status = flysim.Critical
	case role == roleZombie:
		checks[0].Status, checks[0].Output = flysim.Critical, "[✗] cluster: zombie lock exists; the node was fenced because another primary was found"
	case lag:
		checks[0].Status, checks[0].Output = flysim.Warning, "[!] replication: the node receives nothing from its primary"
	}
	if full {
		checks[2].Status, checks[2].Output = flysim.Critical, "[✗] checkDisk: 29.4 MB (2.9%) free space on /data/ is below the threshold (10%)"
	}
	return checks
}
