package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// way is one way to back the database up and to bring it back.
type way struct {
	name    string
	own     bool // drhost's
	rounds  int  // at most so many; all when 0
	folder  string
	id      string // of the newest backup, where they have one
	create  func(context.Context, *way) (cost, error)
	restore func(context.Context, *way) (cost, error)
	lacks   string // why it cannot be had

	created, restored []cost
}

// The rivals by name.
const (
	planWay    = "the plan: pg_dump | gzip, gunzip -c | psql"
	bareWay    = "bare pg_basebackup, zstd in the server"
	restWay    = "pgBackRest, zst, 2 processes"
	restUsual  = "pgBackRest as it comes"
	physPlain  = "physical"
	physSealed = "physical, encrypted"
	dumpPlain  = "logical"
	dumpSealed = "logical, encrypted"
)

func (g *ground) everyWay() []*way {
	ways := []*way{
		{name: planWay, create: g.planCreate, restore: g.planRestore},
		{name: bareWay, create: g.bareCreate, restore: g.bareRestore},
		{name: restWay, create: g.restCreate, restore: g.restRestore},
	}
	for _, own := range []struct{ name, env, kind string }{
		{physPlain, "plain", "physical"}, {physSealed, "encrypted", "physical"}, {dumpPlain, "plain", "logical"}, {dumpSealed, "encrypted", "logical"},
	} {
		w := &way{name: own.name, own: true, folder: g.repository(own.env)}
		w.create = func(ctx context.Context, w *way) (cost, error) { return g.ownCreate(ctx, w, own.env, own.kind) }
		w.restore = func(ctx context.Context, w *way) (cost, error) { return g.ownClusterRestore(ctx, w, own.env) }
		if own.kind == "logical" {
			w.restore = func(ctx context.Context, w *way) (cost, error) { return g.ownDumpRestore(ctx, w, own.env) }
		}
		ways = append(ways, w)
	}
	ways = append(ways, &way{name: restUsual, rounds: 1, create: g.restCreate, restore: g.restRestore}) // the slowest comes last
	for n, w := range ways {
		if w.folder == "" {
			w.folder = filepath.Join(g.dir, "way-"+strconv.Itoa(n))
		}
	}
	return ways
}

func (g *ground) way(name string) *way {
	for _, w := range g.ways {
		if w.name == name {
			return w
		}
	}
	return &way{name: name, lacks: "unknown"}
}

// shell runs a pipe as the plan has it, but stops at its first error.
func (g *ground) shell(ctx context.Context, script string) error {
	_, err := g.do(ctx, "bash", "-c", "set -eo pipefail; "+script)
	return err
}

func (g *ground) planCreate(ctx context.Context, w *way) (cost, error) {
	return g.timed(func() error {
		return g.shell(ctx, fmt.Sprintf("pg_dump -p %d %s | gzip > %s/dump.sql.gz", g.source.port, benchDatabase, w.folder))
	})
}

// planRestore restores into a server that runs.
func (g *ground) planRestore(ctx context.Context, w *way) (cost, error) {
	defer g.second.sql(context.Background(), "postgres", "drop database if exists planned")
	return g.timed(func() error {
		if err := g.shell(ctx, fmt.Sprintf("createdb -p %[1]d planned; gunzip -c %[2]s/dump.sql.gz | psql -X -q -v ON_ERROR_STOP=1 -p %[1]d planned", g.second.port, w.folder)); err != nil {
			return err
		}
		return g.second.answers(ctx, "planned")
	})
}

func (g *ground) bareCreate(ctx context.Context, w *way) (cost, error) {
	return g.timed(func() error {
		_, err := g.do(ctx, "pg_basebackup", "-p", strconv.Itoa(g.source.port), "-D", w.folder, "-Ft", "-X", "fetch", "-c", "fast", "--compress=server-zstd:level=1,workers=2")
		return err
	})
}

func (g *ground) bareRestore(ctx context.Context, w *way) (cost, error) {
	return g.answering(ctx, "", func(data string) error {
		return g.shell(ctx, fmt.Sprintf("mkdir -m 700 %[1]s; zstd -q -dc %[2]s/base.tar.zst | tar -x -C %[1]s", data, w.folder))
	})
}

// answering measures until the cluster that lay has laid down answers, and
// removes it.
func (g *ground) answering(ctx context.Context, more string, lay func(data string) error) (cost, error) {
	c := &cluster{g: g, data: filepath.Join(g.dir, "restored")}
	got, err := g.timed(func() error {
		if err := lay(c.data); err != nil {
			return err
		}
		if err := c.start(ctx, "-c archive_mode=off "+more); err != nil {
			return err
		}
		return c.answers(ctx, benchDatabase)
	})
	if gone := c.remove(ctx); err == nil {
		err = gone
	}
	return got, err
}

// rest is pgBackRest with the settings of a way. In a file, because there it
// takes those that a command does not know.
func (g *ground) rest(w *way, args ...string) ([]string, error) {
	file := w.folder + ".conf"
	text := "[global]\nrepo1-path=" + w.folder + "\nlock-path=" + g.dir + "/lock\nlog-level-file=off\n"
	if w.name == restWay {
		text += "process-max=2\ncompress-type=zst\ncompress-level=3\nrepo1-bundle=y\n"
	}
	return append([]string{"--config=" + file, "--stanza=bench"}, args...), g.write(file, text)
}

func (g *ground) runRest(ctx context.Context, w *way, args ...string) (string, error) {
	words, err := g.rest(w, args...)
	if err != nil {
		return "", err
	}
	return g.do(ctx, "pgbackrest", words...)
}

func (g *ground) restCreate(ctx context.Context, w *way) (cost, error) {
	at := []string{"--pg1-path=" + g.source.data, "--pg1-port=" + strconv.Itoa(g.source.port), "--pg1-socket-path=" + g.dir, "--pg1-user=postgres"}
	if _, err := g.runRest(ctx, w, append(at, "--no-online", "stanza-create")...); err != nil {
		return cost{}, err
	}
	push, err := g.rest(w, "--pg1-path="+g.source.data, "archive-push", "%p")
	if err != nil {
		return cost{}, err
	}
	if err := g.source.archiveBy(ctx, "pgbackrest "+strings.Join(push, " ")); err != nil {
		return cost{}, err
	}
	got, err := g.timed(func() error {
		_, err := g.runRest(ctx, w, append(at, "--type=full", "--start-fast", "backup")...)
		return err
	})
	if back := g.source.archiveBy(ctx, "/bin/true"); err == nil {
		err = back
	}
	return got, err
}

// restRestore recovers no further than the backup itself reaches, as the
// others do.
func (g *ground) restRestore(ctx context.Context, w *way) (cost, error) {
	return g.answering(ctx, "", func(data string) error {
		if err := g.folder(data); err != nil {
			return err
		}
		_, err := g.runRest(ctx, w, "--pg1-path="+data, "--type=immediate", "--target-action=promote", "restore")
		return err
	})
}

// prepareRest finds out whether pgBackRest is there at all.
func (g *ground) prepareRest(ctx context.Context) error {
	if _, err := exec.LookPath("pgbackrest"); err != nil {
		g.way(restWay).lacks, g.way(restUsual).lacks = "not installed", "not installed"
	}
	return g.folder(filepath.Join(g.dir, "lock"))
}

func (g *ground) ownCreate(ctx context.Context, w *way, env, kind string) (cost, error) {
	args := []string{"backup", "create", "--env", env, "--kind", kind, "--host", g.source.address()}
	if kind == "physical" {
		args = append(args, "--cluster", "bench-cluster")
	} else {
		args = append(args, "--database", benchDatabase)
	}
	text, got, err := g.drhost(ctx, args...)
	if err == nil {
		w.id, err = idIn(text)
	}
	return got, err
}

func (g *ground) ownClusterRestore(ctx context.Context, w *way, env string) (cost, error) {
	var peak int64
	got, err := g.answering(ctx, "", func(data string) error {
		_, own, err := g.drhost(ctx, "run", "restore.lua", "--env", env, "--input", "id="+w.id, "--input", "folder="+data)
		peak = own.peak
		return err
	})
	got.peak = peak
	return got, err
}

func (g *ground) ownDumpRestore(ctx context.Context, w *way, env string) (cost, error) {
	defer g.second.sql(context.Background(), "postgres", "drop database if exists restored")
	var peak int64
	got, err := g.timed(func() error {
		_, own, err := g.drhost(ctx, "backup", "restore", w.id, "--env", env, "--host", g.second.address(), "--database", "restored")
		if peak = own.peak; err != nil {
			return err
		}
		return g.second.answers(ctx, "restored")
	})
	got.peak = peak
	return got, err
}

// fresh makes a way's folder empty, but for drhost's repository, which two ways
// share; what they have is pruned by removing their own part of it.
func (g *ground) fresh(w *way) error {
	folder := w.folder
	if w.own {
		folder = filepath.Join(folder, benchDatabase)
		if w.name == physPlain || w.name == physSealed {
			folder = filepath.Join(w.folder, "bench-cluster")
		}
		return os.RemoveAll(folder)
	}
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	return g.folder(folder)
}

func took(costs []cost) time.Duration {
	var all []time.Duration
	for _, c := range costs {
		all = append(all, c.took)
	}
	if len(all) == 0 {
		return 0
	}
	return middle(all)
}

func peak(costs []cost) (most int64) {
	for _, c := range costs {
		most = max(most, c.peak)
	}
	return most
}
