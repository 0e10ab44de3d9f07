package fly

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// Node is a machine of a Postgres cluster.
type Node struct {
	Machine  string `lua:"machine" doc:"Its id."`
	Region   string `lua:"region" doc:"Its region."`
	Role     string `lua:"role" doc:"primary, replica, witness, zombie (a fenced former primary), readonly, failed, or unknown when it does not answer."`
	State    string `lua:"state" doc:"State of the machine."`
	Host     string `lua:"host" doc:"ok, unknown or unreachable."`
	Healthy  bool   `lua:"healthy" doc:"Whether it is started and all its checks pass."`
	Answers  bool   `lua:"answers" doc:"Whether its PostgreSQL answered a question."`
	Position *int64 `lua:"position" doc:"How far its write-ahead log goes, in bytes; nil when it did not say."`
	Behind   *int64 `lua:"behind" doc:"How many bytes it is behind the node that is furthest; nil when it did not say."`
}

// Problem is something wrong with a cluster, with its usual cause and the way out.
type Problem struct {
	What   string `lua:"what" doc:"no_leader, split_brain, zombie, readonly, no_quorum, dead_host, slot, region, lease or checks."`
	Text   string `lua:"text" doc:"What is wrong."`
	Cause  string `lua:"cause" doc:"Its usual cause."`
	WayOut string `lua:"way_out" doc:"What to do."`
}

// Cluster is a Postgres app.
type Cluster struct {
	App      string    `lua:"app" doc:"Its name."`
	Leader   string    `lua:"leader,optional" doc:"Id of the machine that is primary; nil when there is none."`
	Region   string    `lua:"region,optional" doc:"Region in which primaries are elected (PRIMARY_REGION)."`
	Healthy  bool      `lua:"healthy" doc:"Whether one primary answers, is healthy, and takes writes."`
	Replicas int       `lua:"replicas" doc:"How many replicas answer."`
	Quorum   bool      `lua:"quorum" doc:"Whether more than half of the nodes are alive: else a primary is fenced, and takes no writes."`
	Nodes    []Node    `lua:"nodes" doc:"All machines."`
	Problems []Problem `lua:"problems" doc:"What is wrong, each with cause and way out."`
	Says     string    `lua:"says" doc:"How it is, in one sentence, with what is wrong and the usual cause of it."`
}

// sentence is how a cluster is, for people.
func (k Cluster) sentence() string {
	if k.Healthy && len(k.Problems) == 0 {
		return fmt.Sprintf("%s is well: its primary takes writes, %d of its replicas answer", k.App, k.Replicas)
	}
	var wrong []string
	for _, p := range k.Problems {
		wrong = append(wrong, fmt.Sprintf("%s (usually: %s)", p.Text, p.Cause))
	}
	what := " takes no writes: "
	if k.Healthy {
		what = " takes writes, but "
	}
	return k.App + what + strings.Join(wrong, "; ")
}

// member is what is known of a node.
type member struct {
	*machine
	probe *probe // nil when PostgreSQL did not answer
}

// probe is what a node's PostgreSQL says of itself.
type probe struct {
	Recovery bool  `json:"recovery"`
	Position int64 `json:"position"`
	ReadOnly bool  `json:"readonly"`
	Slots    []struct {
		Name   string `json:"name"`
		Active bool   `json:"active"`
		Bytes  int64  `json:"bytes"`
	} `json:"slots"`
}

// probeSQL is read-only, and works on a primary and on a replica.
const probeSQL = `select json_build_object('recovery', pg_is_in_recovery(), 'position', p.at - '0/0'::pg_lsn, ` +
	`'readonly', current_setting('default_transaction_read_only') = 'on', 'slots', ` +
	`(select coalesce(json_agg(json_build_object('name', slot_name, 'active', active, 'bytes', greatest(coalesce(p.at - restart_lsn, 0), 0))), '[]') ` +
	`from pg_replication_slots)) from (select case when pg_is_in_recovery() then ` +
	`greatest(coalesce(pg_last_wal_receive_lsn(), '0/0'), coalesce(pg_last_wal_replay_lsn(), '0/0')) else pg_current_wal_lsn() end as at) p`

// probeWithin is how long a node may take to answer: a hung one shall not hold
// up the choice among the others.
const probeWithin = 10 * time.Second

// ask lets a node's own PostgreSQL tell about itself; local connections of the
// operating system's user postgres need no password in Fly's image.
func (c *Client) ask(ctx context.Context, op, app string, m *machine, l *lease) (*probe, error) {
	nonce := ""
	if l != nil {
		nonce = l.nonce
	}
	out, err := c.exec(ctx, op, app, m.ID, nonce, "", probeWithin,
		"gosu", "postgres", "psql", "-X", "-A", "-t", "-p", "5433", "-d", "postgres", "-c", probeSQL)
	if err != nil {
		return nil, err
	}
	var p probe
	if err := json.Unmarshal([]byte(strings.TrimSpace(out.Stdout)), &p); err != nil {
		return nil, fault.New(fault.Failed, "PostgreSQL on machine %s answered %q", m.ID, short(out.Stdout)).WithOp("%s", op)
	}
	return &p, nil
}

// members asks every node that can answer. Who does not answer is one of them
// all the same.
func (c *Client) members(ctx context.Context, op, app string, all []*machine) ([]member, error) {
	var out []member
	for _, m := range all {
		n := member{machine: m}
		if m.reachable() && m.State == "started" && m.role() != "witness" && m.role() != "barman" {
			p, err := c.ask(ctx, op, app, m, nil)
			if err != nil && ctx.Err() != nil {
				return nil, err
			}
			if err == nil {
				n.probe = p
			} else if fault.KindOf(err) == fault.Denied {
				return nil, err
			}
		}
		out = append(out, n)
	}
	return out, nil
}

// is tells the role: what PostgreSQL says of itself goes before the check,
// which lags, except that only the check knows of fencing.
func (n member) is() string {
	role := n.role()
	switch {
	case !n.reachable() || n.State != "started":
		return "unknown"
	case n.probe == nil || role == "witness" || role == "zombie" || role == "readonly":
		return role
	case n.probe.Recovery:
		return "replica"
	}
	return "primary"
}

// cluster lists the machines of a Postgres app.
func (c *Client) cluster(ctx context.Context, op, app string) ([]*machine, error) {
	all, err := c.list(ctx, op, app)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(all, (*machine).postgres) {
		return nil, fault.New(fault.Invalid, "%s is no Postgres app: none of its %d machines has a check called role", app, len(all)).WithOp("%s", op).
			WithHint("fly.status tells about other apps, fly.mpg_get about managed Postgres")
	}
	return all, nil
}

var pgStatus = binding.Func[*Client, appArgs, Cluster]{
	Name: "pg_status", Effect: binding.Reads,
	Doc: "A Postgres cluster on machines: who leads, who follows and how far behind, whether there is a quorum, and what is wrong, each with its usual cause " +
		"and the way out. Nodes that are dead or hung are an answer, not a fault.",
	Raises:  raises(fault.Invalid),
	Example: `fly.pg_status { app = "webhost-prod-db" }`,
	Target:  "app",
	Call: func(c *Client, ctx context.Context, a appArgs) (Cluster, error) {
		op := "look at cluster " + a.App
		all, err := c.cluster(ctx, op, a.App)
		if err != nil {
			return Cluster{}, err
		}
		nodes, err := c.members(ctx, op, a.App, all)
		if err != nil {
			return Cluster{}, err
		}
		return clusterOf(a.App, nodes), nil
	},
}

func clusterOf(app string, nodes []member) Cluster {
	out := Cluster{App: app, Nodes: []Node{}, Problems: []Problem{}, Region: regionOf(nodes)}
	furthest, alive, voters := int64(0), 0, 0
	for _, n := range nodes {
		if n.probe != nil {
			furthest = max(furthest, n.probe.Position)
		}
	}
	for _, n := range nodes {
		role := n.is()
		view := machineOf(app, n.machine)
		node := Node{Machine: n.ID, Region: n.Region, Role: role, State: n.State, Host: view.Host, Healthy: n.healthy(), Answers: n.probe != nil}
		if n.probe != nil {
			position, behind := n.probe.Position, furthest-n.probe.Position
			node.Position, node.Behind = &position, &behind
		}
		if role == "replica" && n.probe != nil {
			out.Replicas++
		}
		if role == "primary" {
			out.Leader, out.Healthy = n.ID, n.healthy() && n.probe != nil && !n.probe.ReadOnly
		}
		if role != "barman" {
			voters++
			if n.reachable() && n.State == "started" && (n.probe != nil || role == "witness") {
				alive++
			}
		}
		out.Nodes = append(out.Nodes, node)
	}
	out.Quorum = 2*alive > voters
	out.Problems = diagnose(app, nodes, out)
	out.Says = out.sentence()
	return out
}

// regionOf is the region in which primaries are elected.
func regionOf(nodes []member) string {
	for _, n := range nodes {
		if r := n.env("PRIMARY_REGION"); r != "" {
			return r
		}
	}
	return ""
}

// pgBackup is a backup as flexctl lists it, which is as barman does.
type pgBackup struct {
	ID     string `json:"backup_id"`
	Name   string `json:"backup_name"`
	Status string `json:"status"`
	Begin  string `json:"begin_time"`
	End    string `json:"end_time"`
	// barman writes these since 3.5; they are easier to read.
	BeginISO string `json:"begin_time_iso"`
	EndISO   string `json:"end_time_iso"`
}

// Backup is a backup of a Postgres cluster on machines.
type Backup struct {
	ID     string    `lua:"id" doc:"Its id, such as 20240702T210544."`
	Name   string    `lua:"name,optional" doc:"Its name, when it has one."`
	Status string    `lua:"status" doc:"DONE when it can be restored."`
	Begin  time.Time `lua:"begin,optional" doc:"When it was begun."`
	End    time.Time `lua:"finished,optional" doc:"When it was complete: a restore reaches this moment at least."`
}

func barmanTime(iso, text string) time.Time {
	if at := moment(iso); !at.IsZero() {
		return at
	}
	for _, form := range []string{time.ANSIC, "2006-01-02 15:04:05.999999-07:00", "2006-01-02 15:04:05.999999"} {
		if at, err := time.Parse(form, text); err == nil {
			return at
		}
	}
	return moment(text)
}

func backupOf(b pgBackup) Backup {
	return Backup{ID: b.ID, Name: b.Name, Status: b.Status, Begin: barmanTime(b.BeginISO, b.Begin), End: barmanTime(b.EndISO, b.End)}
}

type pgBackupsArgs struct {
	App   string `lua:"app" doc:"Name of the Postgres app."`
	Whole bool   `lua:"whole" default:"false" doc:"Only those that are complete, so that they can be restored."`
}

var pgBackups = binding.Func[*Client, pgBackupsArgs, []Backup]{
	Name: "pg_backups", Effect: binding.Reads,
	Doc:     "The backups of a Postgres cluster on machines, the newest first. Any node that answers can list them: the primary may be gone.",
	Raises:  raises(fault.Invalid, fault.Conflict, fault.Failed),
	Example: `fly.pg_backups { app = "webhost-prod-db" }`,
	Target:  "app",
	Call: func(c *Client, ctx context.Context, a pgBackupsArgs) ([]Backup, error) {
		op := "list the backups of " + a.App
		all, err := c.cluster(ctx, op, a.App)
		if err != nil {
			return nil, err
		}
		found, err := c.backups(ctx, op, a.App, all)
		if a.Whole {
			found = slices.DeleteFunc(found, func(b Backup) bool { return b.Status != "DONE" })
		}
		return found, err
	},
}

// backups asks one node after the other until one lists the backups.
func (c *Client) backups(ctx context.Context, op, app string, all []*machine) ([]Backup, error) {
	last := error(fault.New(fault.Conflict, "no machine of %s runs on a live host", app).WithOp("%s", op).
		WithHint("fly.pg_status { app = %q } shows what there is", app))
	for _, m := range all {
		if !m.reachable() || m.State != "started" {
			continue
		}
		out, err := c.exec(ctx, op, app, m.ID, "", "", time.Minute, "flexctl", "backup", "list", "--json")
		if err != nil {
			last = backupsOff(app, err)
			continue
		}
		var list struct {
			Backups []pgBackup `json:"backups_list"`
		}
		text := []byte(strings.TrimSpace(out.Stdout))
		if err := json.Unmarshal(text, &list); err != nil {
			if json.Unmarshal(text, &list.Backups) != nil {
				return nil, fault.New(fault.Failed, "flexctl answered %q", short(out.Stdout)).WithOp("%s", op)
			}
		}
		found := []Backup{}
		for _, b := range list.Backups {
			found = append(found, backupOf(b))
		}
		slices.SortStableFunc(found, func(a, b Backup) int { return strings.Compare(b.ID, a.ID) })
		return found, nil
	}
	return nil, last
}

// backupsOff names the usual cause of a flexctl that refuses.
func backupsOff(app string, err error) error {
	f := fault.As(err)
	if strings.Contains(f.Message, "not enabled") {
		return f.WithHint("`fly pg backup enable -a %s` turns backups on; until then only volume snapshots (fly.snapshots) and backups of drhost can help", app)
	}
	if f.Kind == fault.Failed && f.Hint == "" {
		return f.WithHint("%s", fmt.Sprintf("fly.logs { app = %q } may say more", app))
	}
	return err
}
