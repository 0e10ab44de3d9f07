package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// memoryTarget is what drhost may hold, whatever the size of what it backs up.
const memoryTarget = 256 << 20

func backupSections() []section {
	return []section{
		{"create", "A backup of the whole database, from starting the program to its end; all ways take turns, medians. drhost's are compressed,\n" +
			"summed, read back and described by a manifest; of a dump rows are counted and content is hashed too. The rivals do not encrypt.", measureCreate},
		{"restore", "From nothing to a database that answers a query. Physical ways lay down a data folder and start a server, logical ones restore\n" +
			"into a server that runs; drhost's logical one compares rows and contents before the database gets its name.", measureRestore},
		{"verify", "The three depths of drhost backup verify. Rivals read their archive to its end, and do not restore it.", measureVerify},
		{"files", "A tree of 10,000 files, and again when nothing has changed, as every hour.", measureFiles},
		{"exposure", "drhost backup archive beside pgbench at full speed: how old the newest moment is that could be restored, asked ten times a second.", measureExposure},
		{"judges", "Writers that never stop; a copy of the cluster while they write; server and archiver killed at the same moment with kill -9. What\n" +
			"comes back, to the latest moment and to just before one transaction, is compared row by row with what the server had acknowledged.\n" +
			"pg_verifybackup, pg_amcheck, pg_checksums, pg_dump with pg_restore, pgBackRest and Barman say what they think of it. A difference is\n" +
			"no figure: then this did not run, and the exit code tells.", measureJudges},
	}
}

// inTurns lets every way do its part in every round.
func (g *ground) inTurns(ctx context.Context, do func(*way) error) error {
	for round := range g.b.rounds {
		for _, w := range g.ways {
			if w.lacks != "" || w.rounds > 0 && round >= w.rounds {
				continue
			}
			if err := do(w); err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
	}
	return nil
}

// make creates a way's backup anew. A checkpoint before gives all the same
// server.
func (g *ground) make(ctx context.Context, w *way) error {
	if err := g.fresh(w); err != nil {
		return err
	}
	if err := g.source.sql(ctx, "postgres", "checkpoint"); err != nil {
		return err
	}
	c, err := w.create(ctx, w)
	if err == nil {
		w.created = append(w.created, c)
		fmt.Fprintf(g.b.say, "  create, %s: %s\n", w.name, figure(c.took))
	}
	return err
}

// have makes what a section needs and no section before it has made.
func (g *ground) have(ctx context.Context, names ...string) error {
	for _, w := range g.ways {
		if len(w.created) > 0 || w.lacks != "" || len(names) > 0 && !slices.Contains(names, w.name) {
			continue
		}
		if err := g.make(ctx, w); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	return nil
}

func measureCreate(ctx context.Context, b *bench) ([]row, error) {
	g, err := b.stand(ctx)
	if err != nil {
		return nil, err
	}
	if err := g.inTurns(ctx, func(w *way) error { return g.make(ctx, w) }); err != nil {
		return nil, err
	}
	return g.compare("create", func(w *way) []cost { return w.created })
}

func measureRestore(ctx context.Context, b *bench) ([]row, error) {
	g, err := b.stand(ctx)
	if err == nil {
		err = g.have(ctx)
	}
	if err != nil {
		return nil, err
	}
	err = g.inTurns(ctx, func(w *way) error {
		c, err := w.restore(ctx, w)
		if err == nil {
			w.restored = append(w.restored, c)
			fmt.Fprintf(b.say, "  restore, %s: %s\n", w.name, figure(c.took))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return g.compare("restore", func(w *way) []cost { return w.restored })
}

// compare holds each of drhost's ways against the rivals. What is encrypted has
// targets, and what restores physically.
func (g *ground) compare(what string, costs func(*way) []cost) ([]row, error) {
	var rows []row
	for _, w := range g.ways {
		if !w.own {
			continue
		}
		physical := w.name == physPlain || w.name == physSealed
		for _, rival := range []string{planWay, bareWay, restWay, restUsual} {
			if !physical && rival != planWay {
				continue
			}
			against := g.way(rival)
			r := row{Benchmark: what + ", " + w.name, Took: took(costs(w)), Rival: rival, RivalTook: took(costs(against)), Note: against.lacks}
			if physical && rival == planWay {
				r.TargetRatio = 0.2
			}
			if physical && rival == restWay {
				r.TargetRatio = 1
			}
			rows = append(rows, r)
		}
		if most := peak(costs(w)); most > 0 {
			rows = append(rows, row{Benchmark: "  memory of drhost", Bytes: most, TargetBytes: memoryTarget})
		}
	}
	return rows, nil
}

func measureVerify(ctx context.Context, b *bench) ([]row, error) {
	g, err := b.stand(ctx)
	if err == nil {
		err = g.have(ctx, planWay, restWay, physSealed, dumpSealed)
	}
	if err != nil {
		return nil, err
	}
	rivals := map[string]func() (cost, error){
		dumpSealed: func() (cost, error) {
			return g.timed(func() error { return g.shell(ctx, "gzip -t "+g.way(planWay).folder+"/dump.sql.gz") })
		},
		physSealed: func() (cost, error) {
			return g.timed(func() error {
				_, err := g.runRest(ctx, g.way(restWay), "verify")
				return err
			})
		},
	}
	names := map[string]string{dumpSealed: "gzip -t", physSealed: "pgbackrest verify"}
	var rows []row
	for _, name := range []string{physSealed, dumpSealed} {
		rival := row{Rival: names[name]}
		if name == physSealed && g.way(restWay).lacks != "" {
			rival.Note = g.way(restWay).lacks
		} else {
			c, err := rivals[name]()
			if err != nil {
				return nil, err
			}
			rival.RivalTook = c.took
		}
		for _, depth := range []string{"sums", "read", "restore"} {
			_, c, err := g.drhost(ctx, "backup", "verify", g.way(name).id, "--env", "encrypted", "--depth", depth)
			if err != nil {
				return nil, err
			}
			r := row{Benchmark: "verify " + depth + ", " + name, Took: c.took}
			if depth != "restore" {
				r.Rival, r.RivalTook, r.Note = rival.Rival, rival.RivalTook, rival.Note
			}
			rows = append(rows, r)
			if c.peak > 0 {
				rows = append(rows, row{Benchmark: "  memory of drhost", Bytes: c.peak, TargetBytes: memoryTarget})
			}
		}
	}
	return rows, nil
}

// wait is a pause of the measured, not of a test.
func (g *ground) wait(ctx context.Context, d time.Duration) error { return g.b.clock.Sleep(ctx, d) }
