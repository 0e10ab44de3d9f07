package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const treeFiles = 10_000

// plant makes a tree of some text, some pictures and many folders.
func (g *ground) plant(folder string) error {
	r := rand.NewChaCha8([32]byte{7})
	each := max(1, g.b.size*1000/15) // bytes; a tenth of what the database has
	noise := make([]byte, each*2)
	for n := range treeFiles {
		dir := filepath.Join(folder, fmt.Sprintf("site-%02d/part-%02d", n/1000, n/50%20))
		if n%50 == 0 {
			if err := g.folder(filepath.Dir(dir)); err != nil {
				return err
			}
			if err := g.folder(dir); err != nil {
				return err
			}
		}
		content := strings.Repeat(fmt.Sprintf("<p>File %d of the site, as it was written.</p>\n", n), each/46+1)
		if n%2 == 0 {
			_, _ = r.Read(noise)
			content = string(noise[:each/2+n%each+1])
		}
		if err := g.write(filepath.Join(dir, fmt.Sprintf("file-%05d", n)), content); err != nil {
			return err
		}
	}
	return nil
}

func measureFiles(ctx context.Context, b *bench) ([]row, error) {
	g, err := b.stand(ctx)
	if err != nil {
		return nil, err
	}
	tree := filepath.Join(g.dir, "tree")
	defer os.RemoveAll(tree)
	if err := errors.Join(g.folder(tree), g.plant(tree)); err != nil {
		return nil, err
	}
	archive := filepath.Join(g.dir, "tree.tar")
	rival := func(filter string) (cost, error) {
		return g.timed(func() error { return g.shell(ctx, fmt.Sprintf("tar -c -C %s . | %s > %s", tree, filter, archive)) })
	}
	planned, err := rival("gzip")
	if err != nil {
		return nil, err
	}
	fast, err := rival("zstd -q -3 -T2")
	if err != nil {
		return nil, err
	}
	defer os.Remove(archive)
	var times, bytes []int64
	var most int64
	for range 1 + b.rounds {
		before, _ := stored(g.repository("encrypted")) // 0 when it is not there yet
		_, c, err := g.drhost(ctx, "backup", "create", "--env", "encrypted", "--kind", "files", "--path", tree, "--name", "tree")
		if err != nil {
			return nil, err
		}
		after, err := stored(g.repository("encrypted"))
		if err != nil {
			return nil, err
		}
		times, bytes, most = append(times, int64(c.took)), append(bytes, after-before), max(most, c.peak)
	}
	var again []cost
	for _, t := range times[1:] {
		again = append(again, cost{took: time.Duration(t)})
	}
	rows := []row{
		{Benchmark: "files, the first time, encrypted", Took: time.Duration(times[0]), Rival: "the plan: tar | gzip", RivalTook: planned.took},
		{Benchmark: "files, the first time, encrypted", Took: time.Duration(times[0]), Rival: "tar | zstd", RivalTook: fast.took},
		{Benchmark: "files, nothing has changed", Took: took(again), Rival: "the plan: tar | gzip", RivalTook: planned.took, TargetTook: 2 * time.Second},
		{Benchmark: "  stored", Bytes: bytes[1], Rival: "the first time", RivalBytes: bytes[0], TargetRatio: 0.01},
	}
	if most > 0 {
		rows = append(rows, row{Benchmark: "  memory of drhost", Bytes: most, TargetBytes: memoryTarget})
	}
	return rows, nil
}
