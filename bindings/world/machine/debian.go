package machine

import (
	"fmt"
	"strings"
)

// clusterName is what Debian calls the first cluster of a version.
const clusterName = "main"

// pgLsclusters lists the machine's cluster the way postgresql-common does.
func pgLsclusters(p *process) int {
	set, _, ok := p.options("h", "", "no-header")
	if !ok {
		return 2
	}
	m := p.guest.m
	if m.pg == nil {
		fmt.Fprintln(p.err, "bash: pg_lsclusters: command not found")
		return 127
	}
	if !has(set, "h", "no-header") {
		p.printf("Ver Cluster Port Status Owner    Data directory              Log file\n")
	}
	status := "down"
	if u := p.guest.unit(unitPostgreSQL); u != nil && u.active() {
		status = "online"
	}
	p.printf("%-3s %-7s 5432 %-6s postgres /%s /var/log/postgresql.log\n", m.pg.version, clusterName, status, dataFolder(m.pg))
	return 0
}

// pgCtlcluster starts, stops and restarts the machine's cluster.
func pgCtlcluster(p *process) int {
	set, args, ok := p.options("f", "m", "skip-systemctl-redirect", "force")
	_ = set
	m := p.guest.m
	if m.pg == nil {
		fmt.Fprintln(p.err, "bash: pg_ctlcluster: command not found")
		return 127
	}
	if !ok || len(args) != 3 {
		return p.usage("VERSION CLUSTER start|stop|restart|reload|status")
	}
	u := p.guest.unit(unitPostgreSQL)
	if args[0] != m.pg.version || args[1] != clusterName || u == nil {
		fmt.Fprintf(p.err, "Error: cluster %s %s does not exist\n", args[0], args[1])
		return 1
	}
	if args[2] == "status" {
		if !u.active() {
			p.printf("pg_ctl: no server running\n")
			return 3
		}
		p.printf("pg_ctl: server is running\n")
		return 0
	}
	if args[2] == "stop" && !u.active() {
		fmt.Fprintln(p.err, "Cluster is not running.")
		return 2
	}
	return p.control(u, args[2], false, false)
}

// ownedByPostgres tells whether chown's first argument names the database's
// user.
func ownedByPostgres(spec string) bool {
	user, _, _ := strings.Cut(spec, ":")
	return user == "postgres"
}
