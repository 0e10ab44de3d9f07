package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// exposureTarget is what the loss of the server may cost while its log is
// archived.
const exposureTarget = 10 * time.Second

// archiver is drhost backup archive at work.
type archiver struct {
	g      *ground
	cmd    *exec.Cmd
	cancel context.CancelFunc
	ended  chan error
	most   chan int64
	said   *strings.Builder
	head   string // a pattern of the file that tells how far the archive reaches
}

// archive starts archiving a cluster and waits until the repository has
// something of it.
func (g *ground) archive(ctx context.Context, c *cluster, env string) (*archiver, error) {
	a := &archiver{g: g, ended: make(chan error, 1), most: make(chan int64, 1), said: &strings.Builder{}, head: filepath.Join(g.repository(env), "wal", "*", "head.json")}
	inner, cancel := context.WithCancel(ctx)
	a.cancel = cancel
	a.cmd = g.command(inner, g.b.program, "backup", "archive", "--env", env, "--host", c.address())
	a.cmd.Stderr = a.said
	if err := a.cmd.Start(); err != nil {
		cancel()
		return nil, err
	}
	go func() { a.most <- g.memory(inner, a.cmd.Process.Pid) }()
	go func() { a.ended <- a.cmd.Wait() }()
	for {
		if _, err := a.until(); err == nil {
			return a, nil
		}
		select {
		case err := <-a.ended:
			cancel()
			return nil, fmt.Errorf("drhost backup archive: %w\n%s", err, tail([]byte(a.said.String())))
		default:
		}
		if err := g.wait(inner, 50*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// until is up to when everything that had committed could be restored now.
func (a *archiver) until() (time.Time, error) {
	found, err := filepath.Glob(a.head)
	if err != nil || len(found) != 1 {
		return time.Time{}, fmt.Errorf("there are %d archives", len(found))
	}
	text, err := os.ReadFile(found[0])
	if err != nil {
		return time.Time{}, err
	}
	var head struct {
		Until time.Time
		Gaps  []any
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return time.Time{}, err
	}
	if len(head.Gaps) > 0 || head.Until.IsZero() {
		return time.Time{}, fmt.Errorf("the archive has %d gaps, and reaches until %s", len(head.Gaps), head.Until)
	}
	return head.Until, nil
}

// stop ends the archiver with a signal, and tells the most memory it held.
func (a *archiver) stop(with syscall.Signal) (int64, error) {
	err := a.cmd.Process.Signal(with)
	ended := <-a.ended
	a.cancel()
	if with == syscall.SIGKILL {
		return <-a.most, err
	}
	return <-a.most, errors.Join(err, ended)
}

func measureExposure(ctx context.Context, b *bench) (rows []row, err error) {
	g, err := b.stand(ctx)
	if err != nil {
		return nil, err
	}
	a, err := g.archive(ctx, g.source, "plain")
	if err != nil {
		return nil, err
	}
	seconds := 20
	load := make(chan error, 1)
	go func() {
		text, err := g.do(ctx, "pgbench", "-n", "-p", strconv.Itoa(g.source.port), "-c", "4", "-j", "2", "-T", strconv.Itoa(seconds), benchDatabase)
		if _, rest, found := strings.Cut(text, "tps = "); found {
			fmt.Fprintf(b.say, "  pgbench, archived all the while: %s transactions a second\n", strings.Fields(rest)[0])
		}
		load <- err
	}()
	var ages []time.Duration
	for running := true; running; {
		select {
		case err = <-load:
			running = false
		default:
			until, bad := a.until()
			if bad != nil {
				err = bad
			} else {
				ages = append(ages, b.clock.Now().Sub(until))
			}
			if bad := g.wait(ctx, 100*time.Millisecond); bad != nil {
				return nil, bad
			}
		}
	}
	most, bad := a.stop(syscall.SIGTERM)
	if err = errors.Join(err, bad, g.source.sql(ctx, "postgres", "select pg_drop_replication_slot('drhost_plain')")); err != nil {
		return nil, err
	}
	worst := ages[0]
	for _, age := range ages {
		worst = max(worst, age)
	}
	rows = []row{{Benchmark: "exposure under load, at most", Took: worst, TargetTook: exposureTarget}, {Benchmark: "exposure under load, median", Took: middle(ages)}}
	if most > 0 {
		rows = append(rows, row{Benchmark: "  memory of the archiver", Bytes: most, TargetBytes: memoryTarget})
	}
	return rows, nil
}
