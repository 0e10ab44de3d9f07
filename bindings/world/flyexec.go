package world

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/bindings/fly/flysim"
	"github.com/webhost-systems/drhost/bindings/world/machine"
)

// The secrets by which postgres-flex knows its archive, and what to be
// restored from (github.com/fly-apps/postgres-flex, internal/flypg).
const (
	archiveSecret = "S3_ARCHIVE_CONFIG"
	restoreSecret = "S3_ARCHIVE_REMOTE_RESTORE_CONFIG"
)

// archiveOf reads the address of an archive:
// https://KEY:SECRET@HOST/BUCKET/APP?targetName=ID.
func archiveOf(text string) (app, target string, err error) {
	u, err := url.Parse(text)
	if err != nil {
		return "", "", fmt.Errorf("the address of the archive cannot be read")
	}
	return path.Base(u.Path), u.Query().Get("targetName"), nil
}

// Exec is flysim.Metal's: it understands what postgres-flex brings for its
// administration, and leaves the rest to the machine's shell.
func (f *flyMetal) Exec(ctx context.Context, id string, c flysim.Command) (flysim.Output, error) {
	words := c.Split()
	if n := f.nodeOf(id); n != nil {
		out, err := f.execNode(ctx, n, words)
		out.Question = looks(words)
		return out, err
	}
	f.mu.Lock()
	s := f.sites[id]
	f.mu.Unlock()
	if s == nil {
		return flysim.Output{}, fmt.Errorf("machine %s does not run", id)
	}
	out := variable(words, s.b.Env)
	out.Question = looks(words)
	return out, nil
}

func (f *flyMetal) execNode(ctx context.Context, n *node, words []string) (flysim.Output, error) {
	if n.m.State() == machine.Hung {
		<-ctx.Done()
		return flysim.Output{}, ctx.Err()
	}
	words = unwrapped(words)
	switch {
	case len(words) == 0:
		return flysim.Output{}, nil
	case words[0] == "repmgr":
		return f.repmgr(ctx, n, words[1:]), nil
	case words[0] == "flexctl":
		return f.flexctl(ctx, n, words[1:]), nil
	case len(words) == 3 && words[1] == "-c" && strings.HasPrefix(words[2], "echo $"):
		return variable(words, n.b.Env), nil
	}
	words = withoutPort(words)
	quoted := make([]string, len(words)) // exec splits the line by itself: no shell reads it
	for i, word := range words {
		quoted[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	out, errs, exit, err := n.m.Run(ctx, strings.Join(quoted, " "))
	return flysim.Output{Stdout: out, Stderr: errs, Exit: exit}, err
}

// withoutPort drops the port at which postgres-flex lets PostgreSQL itself listen,
// beside its proxy at 5432: the machine's shell knows one database and no port.
func withoutPort(words []string) []string {
	if i := slices.Index(words, "-p"); i >= 0 && i+1 < len(words) && words[0] == "psql" && words[i+1] == ownPort {
		return slices.Delete(slices.Clone(words), i, i+2)
	}
	return words
}

// variable answers the one thing that flyctl asks a shell, the value of a
// variable, and what people try first.
func variable(words []string, env map[string]string) flysim.Output {
	if len(words) == 3 && words[1] == "-c" {
		if name, found := strings.CutPrefix(words[2], "echo $"); found {
			return flysim.Output{Stdout: env[strings.Trim(name, "{}")] + "\n"}
		}
	}
	switch {
	case len(words) > 0 && words[0] == "true":
		return flysim.Output{}
	case len(words) > 0 && words[0] == "echo":
		return flysim.Output{Stdout: strings.Join(words[1:], " ") + "\n"}
	}
	return flysim.Output{Exit: 127, Stderr: "exec: not found in the image\n"}
}

// refused is how repmgr and flexctl end what they will not do.
func refused(exit int, format string, args ...any) flysim.Output {
	return flysim.Output{Exit: exit, Stderr: fmt.Sprintf(format, args...) + "\n"}
}

// Exit codes of repmgr (github.com/EnterpriseDB/repmgr, errcode.h).
const (
	badConfig     = 1
	noDatabase    = 6
	promotionFail = 8
	switchFail    = 18
)

func (f *flyMetal) repmgr(ctx context.Context, n *node, words []string) flysim.Output {
	has := func(flag ...string) bool {
		return slices.ContainsFunc(flag, func(one string) bool { return slices.Contains(words, one) })
	}
	command := strings.Join(words[:min(2, len(words))], " ")
	dry, siblings, force := has("--dry-run"), has("--siblings-follow"), has("-F", "--force")
	switch command {
	case "standby promote":
		return f.promote(ctx, n, dry, siblings, force)
	case "standby follow":
		return f.follow(n)
	case "standby switchover":
		return f.switchover(ctx, n, dry, siblings)
	case "cluster show":
		return f.clusterShow(n, has("--csv"))
	case "daemon status", "service status", "node status", "node check":
		return flysim.Output{Stdout: "Node \"" + n.b.PrivateIP + "\": OK\n"}
	}
	return refused(badConfig, "ERROR: unknown or incomplete repmgr command: %s", command)
}

// promote makes a standby its app's primary. As repmgr does, it refuses while
// the old one still answers, unless it is forced to.
func (f *flyMetal) promote(ctx context.Context, n *node, dry, siblings, force bool) flysim.Output {
	standby, err := n.m.InRecovery(ctx)
	switch {
	case err != nil:
		return refused(noDatabase, "ERROR: connection to database failed: %v", err)
	case !standby:
		return refused(promotionFail, "ERROR: STANDBY PROMOTE can only be executed on a standby node")
	}
	if old := f.leader(n.b.App); old != nil && !force {
		return refused(promotionFail, "ERROR: this replication cluster already has an active primary server\nDETAIL: current primary is \"%s\" (ID: %d)", old.b.PrivateIP, old.id)
	}
	if dry {
		return flysim.Output{Stderr: "INFO: prerequisites for executing STANDBY PROMOTE are met\n"}
	}
	if err := n.m.Promote(ctx); err != nil {
		return refused(promotionFail, "ERROR: server failed to promote: %v", err)
	}
	f.mu.Lock()
	f.turn++
	n.promoted = f.turn
	f.mu.Unlock()
	text := fmt.Sprintf("NOTICE: promoting standby to primary\nDETAIL: promoting server \"%s\" (ID: %d)\nNOTICE: STANDBY PROMOTE successful\n", n.b.PrivateIP, n.id)
	for _, other := range f.of(n.b.App) {
		switch {
		case other == n:
		case !other.m.Standby():
			if other.m.State() == machine.Up { // one that hangs learns of it when it starts anew
				f.fence(other)
			}
		case siblings:
			if err := f.point(other, n); err != nil {
				text += fmt.Sprintf("WARNING: node \"%s\" does not follow: %v\n", other.b.PrivateIP, err)
			}
		}
	}
	f.world.fly.Log(n.b.ID, "info", "repmgrd | promoted to primary")
	return flysim.Output{Stdout: text}
}

// fence makes a primary that was replaced read-only: postgres-flex does so
// when its members disagree about who is primary.
func (f *flyMetal) fence(n *node) {
	f.mu.Lock()
	n.zombie = true
	f.mu.Unlock()
	_ = n.m.Settings(f.settings(n)) // a machine that does not run gets them when it starts
	f.world.fly.Log(n.b.ID, "error", "monitor | zombie primary detected: fenced, read-only")
}

func (f *flyMetal) follow(n *node) flysim.Output {
	leader := f.leader(n.b.App)
	if leader == nil || leader == n {
		return refused(noDatabase, "ERROR: unable to find an active primary node")
	}
	if err := f.point(n, leader); err != nil {
		return refused(badConfig, "ERROR: unable to follow: %v", err)
	}
	return flysim.Output{Stdout: "NOTICE: STANDBY FOLLOW successful\n"}
}

// switchover swaps the primary with a standby, both alive.
func (f *flyMetal) switchover(ctx context.Context, n *node, dry, siblings bool) flysim.Output {
	old := f.leader(n.b.App)
	if old == nil || old == n {
		return refused(switchFail, "ERROR: unable to connect to the primary database server")
	}
	if dry {
		return flysim.Output{Stderr: "INFO: prerequisites for executing STANDBY SWITCHOVER are met\n"}
	}
	old.m.Shutdown(ctx)
	out := f.promote(ctx, n, false, siblings, true)
	if out.Exit != 0 {
		return out
	}
	if err := f.join(ctx, old, n); err != nil {
		return refused(switchFail, "ERROR: the old primary could not rejoin: %v", err)
	}
	f.mu.Lock()
	old.zombie = false
	f.mu.Unlock()
	if err := old.m.BootAtOnce(); err != nil {
		return refused(switchFail, "ERROR: the old primary could not start: %v", err)
	}
	return flysim.Output{Stdout: out.Stdout + "NOTICE: STANDBY SWITCHOVER has completed successfully\n"}
}

// clusterShow lists an app's nodes as repmgr does.
func (f *flyMetal) clusterShow(n *node, csv bool) flysim.Output {
	var text strings.Builder
	if !csv {
		text.WriteString(" ID | Name | Role | Status | Upstream | Location\n----+------+------+--------+----------+---------\n")
	}
	for _, one := range f.of(n.b.App) {
		role, status, up, recovery := "standby", "running", 0, 1
		if !one.m.Standby() {
			role, recovery = "primary", 0
		}
		if _, reach := one.m.Port(5432); reach != machine.Open {
			status, up = "unreachable", -1
		}
		if csv {
			fmt.Fprintf(&text, "%d,%d,%d\n", one.id-firstFlyID, up, recovery)
			continue
		}
		fmt.Fprintf(&text, " %d | %s | %s | %s | %s | %s\n", one.id-firstFlyID, one.b.PrivateIP, role, status, one.m.Following(), one.b.Region)
	}
	return flysim.Output{Stdout: text.String()}
}

func (f *flyMetal) flexctl(ctx context.Context, n *node, words []string) flysim.Output {
	if len(words) < 2 || words[0] != "backup" {
		return refused(1, "Error: unknown command %q for \"flexctl\"", strings.Join(words, " "))
	}
	if n.b.Env[archiveSecret] == "" {
		return refused(1, "Error: backups are not enabled")
	}
	switch words[1] {
	case "list":
		return f.listBackups(n.b.App, slices.Contains(words, "--json"))
	case "create":
		name := ""
		for i, word := range words {
			if (word == "-n" || word == "--name") && i+1 < len(words) {
				name = words[i+1]
			}
		}
		return f.createBackup(ctx, n, name)
	case "config":
		return flysim.Output{Stdout: "  ArchiveTimeout = 60s\n  RecoveryWindow = 7d\n  FullBackupFrequency = 24h\n  MinimumRedundancy = 3\n"}
	}
	return refused(1, "Error: unknown command %q for \"flexctl backup\"", words[1])
}

// createBackup keeps a real base backup of the primary.
func (f *flyMetal) createBackup(ctx context.Context, n *node, name string) flysim.Output {
	if standby, err := n.m.InRecovery(ctx); err != nil {
		return refused(1, "Performing backup...\nError: failed to create backup: failed to connect to local db: %v", err)
	} else if standby {
		return refused(1, "Error: failed to create backup: backups can only be performed against the primary node")
	}
	if err := f.keepBackup(ctx, n, name); err != nil {
		return refused(1, "Error: failed to create backup: %v", err)
	}
	return flysim.Output{Stdout: "Performing backup...\nBackup completed successfully!\n"}
}

func (f *flyMetal) keepBackup(ctx context.Context, n *node, name string) error {
	dir, err := f.archive(n.b.App)
	if err != nil {
		return err
	}
	begin := f.world.opt.Clock.Now().UTC()
	f.mu.Lock()
	id := begin.Format("20060102T150405")
	for slices.ContainsFunc(f.taken[n.b.App], func(b *backup) bool { return b.id == id }) {
		begin = begin.Add(time.Second) // an id names a second
		id = begin.Format("20060102T150405")
	}
	f.mu.Unlock()
	b := &backup{id: id, name: name, dir: filepath.Join(dir, id), begin: begin.Format(time.ANSIC), wal: "000000010000000000000002"}
	if err := n.m.BackUp(ctx, b.dir); err != nil {
		return err
	}
	b.end = f.world.opt.Clock.Now().UTC().Format(time.ANSIC)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.taken[n.b.App] = append(f.taken[n.b.App], b)
	return nil
}

func (f *flyMetal) listBackups(app string, asJSON bool) flysim.Output {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := []map[string]any{}
	var text strings.Builder
	for _, b := range f.taken[app] {
		list = append(list, map[string]any{"backup_id": b.id, "backup_name": b.name, "begin_time": b.begin, "end_time": b.end,
			"begin_wal": b.wal, "status": "DONE"})
		fmt.Fprintf(&text, "| %s | %-10s | DONE   | %s | %s |\n", b.id, b.name, b.end, b.wal)
	}
	if asJSON {
		encoded, err := json.Marshal(map[string]any{"backups_list": list})
		if err != nil {
			return refused(1, "Error: failed to list backups: %v", err)
		}
		return flysim.Output{Stdout: string(encoded) + "\n"}
	}
	if len(list) == 0 {
		return flysim.Output{Stdout: "No backups found\n"}
	}
	return flysim.Output{Stdout: "| ID/Name         | Alias      | Status | End time                 | Begin WAL                |\n" + text.String()}
}
