package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func measureJudges(ctx context.Context, b *bench) ([]row, error) {
	g, err := b.stand(ctx)
	if err != nil {
		return nil, err
	}
	if err := ledger(ctx, g.source); err != nil {
		return nil, err
	}
	w, id, crash, err := g.disaster(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := g.judgeLatest(ctx, w, id, crash)
	if err != nil {
		return nil, fmt.Errorf("restored to the latest moment: %w", err)
	}
	// Not one of the last, which may be lost, and behind the copy's end.
	x := w.acked[len(w.acked)*3/4]
	r, err := g.judgeBefore(ctx, w, id, x)
	if err != nil {
		return nil, fmt.Errorf("restored to just before transaction %d: %w", x.xid, err)
	}
	return append(rows, r), nil
}

// disaster has writers write, the log archived, and the cluster copied beside
// them; then all is killed at once.
func (g *ground) disaster(ctx context.Context) (w *writers, id string, crash time.Time, err error) {
	a, err := g.archive(ctx, g.source, "encrypted")
	if err != nil {
		return nil, "", crash, err
	}
	if w, err = startWriters(ctx, g, g.source); err != nil {
		return nil, "", crash, err
	}
	text, _, err := g.drhost(ctx, "backup", "create", "--env", "encrypted", "--kind", "physical", "--host", g.source.address(), "--cluster", "judged")
	if err == nil {
		id, err = idIn(text)
	}
	// As much again behind the copy, so that both halves of the log are there.
	for begun, enough := g.b.clock.Now(), 2*w.count()+400; err == nil && (w.count() < enough || g.b.clock.Now().Sub(begun) < 8*time.Second); {
		err = g.wait(ctx, 50*time.Millisecond)
	}
	if err != nil {
		_, _ = a.stop(syscall.SIGKILL)
		return nil, "", crash, err
	}
	crash = g.b.clock.Now()
	err = errors.Join(a.cmd.Process.Kill(), g.source.kill())
	_, stopped := a.stop(syscall.SIGKILL)
	if !errors.Is(stopped, os.ErrProcessDone) {
		err = errors.Join(err, stopped)
	}
	w.working.Wait()
	fmt.Fprintf(g.b.say, "  %d transactions were acknowledged before the crash\n", len(w.acked))
	return w, id, crash, err
}

// kill ends all processes of a server as a power cut does.
func (c *cluster) kill() error {
	text, err := os.ReadFile(filepath.Join(c.data, "postmaster.pid"))
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(strings.SplitN(string(text), "\n", 2)[0]))
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for _, child := range strings.Fields(string(children)) {
		n, bad := strconv.Atoi(child)
		if bad == nil {
			bad = syscall.Kill(n, syscall.SIGKILL)
		}
		err = errors.Join(err, bad)
	}
	return errors.Join(err, syscall.Kill(pid, syscall.SIGKILL), os.Remove(filepath.Join(c.data, "postmaster.pid")))
}

// lay restores a cluster and has pg_verifybackup compare it before it starts.
func (g *ground) lay(ctx context.Context, name, id, before string) (*cluster, cost, error) {
	c := &cluster{g: g, data: filepath.Join(g.dir, name)}
	_, got, err := g.drhost(ctx, "run", "restore.lua", "--env", "encrypted", "--input", "id="+id, "--input", "folder="+c.data, "--input", "before="+before)
	if err != nil {
		return nil, got, err
	}
	// The log behind the copy, and what tells the server to recover, are no part of the copy.
	if _, err := g.do(ctx, "pg_verifybackup", "--exit-on-error", "--quiet", "--no-parse-wal", "--ignore=postgresql.auto.conf", "--ignore=recovery.signal", c.data); err != nil {
		return nil, got, err
	}
	started, err := g.timed(func() error {
		if err := c.start(ctx, "-c archive_mode=off"); err != nil {
			return err
		}
		return c.recovered(ctx)
	})
	got.took += started.took
	return c, got, err
}

func (g *ground) judgeLatest(ctx context.Context, w *writers, id string, crash time.Time) ([]row, error) {
	c, got, err := g.lay(ctx, "judged", id, "0")
	if err != nil {
		return nil, err
	}
	defer c.remove(context.Background())
	have, err := found(ctx, c, benchDatabase)
	if err == nil {
		err = w.genuine(ctx, c, benchDatabase, have)
	}
	if err != nil {
		return nil, err
	}
	count, age := w.lost(have, crash)
	fmt.Fprintf(g.b.say, "  %d lines came back, %d acknowledged transactions were lost\n", len(have), count)
	if age > exposureTarget {
		return nil, fmt.Errorf("%d transactions were lost, acknowledged up to %s before the crash", count, age)
	}
	if err := errors.Join(g.physicians(ctx, c), g.byDump(ctx, c, w, len(have)), g.byRest(ctx, c), g.byBarman(ctx, c, w, len(have))); err != nil {
		return nil, err
	}
	c.stopWell(ctx)
	if _, err := g.do(ctx, "pg_checksums", "--check", "-D", c.data); err != nil {
		return nil, err
	}
	return []row{{Benchmark: fmt.Sprintf("lost of %d transactions: the last", len(w.acked)), Took: max(age, time.Microsecond), TargetTook: exposureTarget},
		{Benchmark: "restore with the log, until it answers", Took: got.took}, {Benchmark: "  memory of drhost", Bytes: got.peak, TargetBytes: memoryTarget}}, nil
}

func (g *ground) judgeBefore(ctx context.Context, w *writers, id string, x entry) (row, error) {
	c, got, err := g.lay(ctx, "before", id, strconv.FormatInt(x.xid, 10))
	if err != nil {
		return row{}, err
	}
	defer c.remove(context.Background())
	have, err := found(ctx, c, benchDatabase)
	if err == nil {
		err = w.genuine(ctx, c, benchDatabase, have)
	}
	if err == nil {
		err = w.justBefore(have, x)
	}
	return row{Benchmark: "restore to before a transaction", Took: got.took, Note: "hit exactly"}, err
}

// stopWell stops a server so that its files are complete.
func (c *cluster) stopWell(ctx context.Context) {
	_, _ = c.g.do(ctx, "pg_ctl", "-D", c.data, "-m", "fast", "-w", "stop")
}

// physicians reads every page and every entry of every index.
func (g *ground) physicians(ctx context.Context, c *cluster) error {
	_, err := g.do(ctx, "pg_amcheck", "-p", strconv.Itoa(c.port), "--all", "--install-missing", "--heapallindexed", "--jobs=2")
	return err
}

// byDump moves the ledger on with pg_dump and pg_restore, whose result has to
// be the same.
func (g *ground) byDump(ctx context.Context, c *cluster, w *writers, lines int) error {
	defer g.second.sql(context.Background(), "postgres", "drop database if exists judged")
	if err := g.shell(ctx, fmt.Sprintf("createdb -p %d judged; pg_dump -p %d -Fc -t ledger -t accounts %s | pg_restore -p %[1]d --exit-on-error -d judged", g.second.port, c.port, benchDatabase)); err != nil {
		return err
	}
	have, err := found(ctx, g.second, "judged")
	if err == nil && len(have) != lines {
		err = fmt.Errorf("pg_restore brings %d lines, the server has %d", len(have), lines)
	}
	if err == nil {
		err = w.genuine(ctx, g.second, "judged", have)
	}
	return err
}

// byRest has pgBackRest back the restored cluster up, which compares the
// checksum of every page, and then verify what it has.
func (g *ground) byRest(ctx context.Context, c *cluster) error {
	if g.way(restWay).lacks != "" {
		fmt.Fprintln(g.b.say, "  pgBackRest is not installed and judges nothing")
		return nil
	}
	c.stopWell(ctx)
	if err := c.start(ctx, "-c archive_mode=on"); err != nil {
		return err
	}
	w := &way{name: restWay, folder: filepath.Join(g.dir, "judge")}
	defer os.RemoveAll(w.folder)
	if err := g.folder(w.folder); err != nil {
		return err
	}
	source := g.source
	g.source = c
	defer func() { g.source = source }()
	if _, err := g.restCreate(ctx, w); err != nil {
		return err
	}
	text, err := g.runRest(ctx, w, "--output=json", "info")
	if err == nil && (!strings.Contains(text, `"error":false`) || strings.Contains(text, `"error":true`)) {
		err = fmt.Errorf("pgBackRest found pages whose checksums are wrong: %s", tail([]byte(text)))
	}
	if err == nil {
		_, err = g.runRest(ctx, w, "verify")
	}
	return err
}
