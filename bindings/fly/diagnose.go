package fly

import (
	"fmt"
	"strings"
)

// pinned is how much write-ahead log an unused slot may hold before it counts
// as a problem: less is a replica that is just restarting.
const pinned = 256 << 20

// diagnose names what is wrong with a cluster. Sources: the documents of
// fly-apps/postgres-flex (fencing.md, capacity_monitoring.md,
// troubleshooting.md) and its issues 79 and 92.
func diagnose(app string, nodes []member, k Cluster) []Problem {
	out := []Problem{}
	add := func(what, text, cause, wayOut string, args ...any) {
		out = append(out, Problem{what, text, cause, fmt.Sprintf(wayOut, args...)})
	}
	roles := map[string][]string{}
	for _, n := range nodes {
		roles[n.is()] = append(roles[n.is()], n.ID)
	}
	switch primaries := roles["primary"]; {
	case len(primaries) > 1:
		add("split_brain", "machines "+strings.Join(primaries, " and ")+" are both primary, and take different writes",
			"a replica was promoted while the old primary was only out of reach", "stop the one that is behind at once (fly.machine_stop), save what only it has, and let it join anew")
	case len(primaries) == 0 && len(roles["zombie"]) > 0:
		add("no_leader", "no machine is primary", "the last primary has fenced itself: it could not see more than half of the nodes",
			"fly.pg_failover { app = %q } promotes the best replica; when the fenced one is ahead of it, fly.pg_restart { app = %q } first", app, app)
	case len(primaries) == 0:
		add("no_leader", "no machine is primary", "the primary or its host died, and the others were too few to elect one, or none of them is in "+k.Region,
			"fly.pg_restart { app = %q } first; when that brings none, fly.pg_failover { app = %q } promotes the best replica", app, app)
	}
	if !k.Quorum {
		add("no_quorum", fmt.Sprintf("half or more of the %d nodes are not alive", len(nodes)),
			"nodes or hosts are down; a cluster of two has no quorum as soon as one is", "while it lasts the primary may go read-only: restart the dead nodes (fly.pg_restart { app = %q }); those that will "+
				"not come back go out of the count with fly.exec { command = { \"gosu\", \"postgres\", \"repmgr\", \"standby\", \"unregister\", \"-f\", \"/data/repmgr.conf\", "+
				"\"--node-id\", ... } }, and fly.clone makes others", app)
	}
	for _, n := range nodes {
		out = append(out, ofNode(app, n, k)...)
	}
	return out
}

// ofNode names what is wrong with one node.
func ofNode(app string, n member, k Cluster) []Problem {
	var out []Problem
	who := fmt.Sprintf("machine %s (%s)", n.ID, n.Region)
	role := n.is()
	checks := strings.Join(n.failing(), "; ")
	full := strings.Contains(strings.ToLower(checks), "disk") || strings.Contains(strings.ToLower(checks), "space")
	switch {
	case !n.reachable():
		out = append(out, Problem{"dead_host", who + " is on a host that does not answer", "Fly's host or region is down",
			fmt.Sprintf("nothing can be done to it; fly.pg_failover { app = %q } when it was the primary, fly.clone for a new replica", app)})
	case role == "zombie":
		out = append(out, Problem{"zombie", who + " is a former primary that has fenced itself",
			"it lost sight of more than half of the nodes, or found another primary", fmt.Sprintf("when another primary leads: fly.machine_restart { app = %q, machine = %q }, "+
				"so that it joins as a replica; else fly.pg_failover", app, n.ID)})
	case role == "readonly" || role == "primary" && n.probe != nil && n.probe.ReadOnly:
		cause, way := "the cluster has no quorum", "bring the dead nodes back; it takes writes again by itself"
		if full {
			cause, way = "its disk is more than 90 % full", "`fly volumes extend` gives it room; look for slots that pin the write-ahead log (problem slot)"
		}
		out = append(out, Problem{"readonly", who + " takes no writes", cause, way})
	case n.State == "started" && n.probe == nil && role != "witness" && role != "barman":
		out = append(out, Problem{"checks", who + " runs, and its PostgreSQL does not answer; " + checks,
			"PostgreSQL crashed, hangs, or still replays its log", fmt.Sprintf("fly.logs { app = %q, machine = %q }; then fly.machine_restart", app, n.ID)})
	case checks != "":
		out = append(out, Problem{"checks", who + ": " + checks, "see what the check says", fmt.Sprintf("fly.logs { app = %q, machine = %q }", app, n.ID)})
	}
	if role == "primary" && k.Region != "" && n.Region != k.Region {
		out = append(out, Problem{"region", fmt.Sprintf("the primary %s is in %s, and PRIMARY_REGION is %s", n.ID, n.Region, k.Region),
			"it was promoted without moving PRIMARY_REGION", fmt.Sprintf("fences itself at its next start: fly.pg_failover { app = %q, region = %q } sets PRIMARY_REGION as well", app, n.Region)})
	}
	if n.probe == nil || role != "primary" {
		return out
	}
	for _, s := range n.probe.Slots {
		if !s.Active && s.Bytes >= pinned {
			out = append(out, Problem{"slot", fmt.Sprintf("replication slot %s on machine %s is not used and keeps %d MiB of write-ahead log", s.Name, n.ID, s.Bytes>>20),
				"its replica is gone: nobody reads it, and nothing is deleted before it is read, until the disk is full",
				fmt.Sprintf("when that replica will not come back: pg.execute with select pg_drop_replication_slot('%s')", s.Name)})
		}
	}
	return out
}
