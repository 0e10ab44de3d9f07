package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"filippo.io/age"
)

// cost is what one run of a program took: of drhost also the most memory that
// its own process ever held. PostgreSQL's programs hold their own.
type cost struct {
	took time.Duration
	peak int64
}

// project lays down drhost's project: one environment that encrypts, one that
// does not, each with a repository of its own.
func (g *ground) project(context.Context) error {
	key, err := age.GenerateX25519Identity()
	if err != nil {
		return err
	}
	if err := g.write(filepath.Join(g.dir, "key.txt"), key.String()+"\n"); err != nil {
		return err
	}
	text := "default_env = \"plain\"\n"
	for name, more := range map[string]string{
		"plain":     "",
		"encrypted": fmt.Sprintf("recipients = [%q]\nidentity = \"file:key.txt\"\n", key.Recipient()),
	} {
		text += fmt.Sprintf("\n[env.%[1]s.notify.channels.console]\nkind = \"console\"\n\n[env.%[1]s.backup]\nrepository = %[2]q\nsslmode = \"disable\"\nscratch = %[3]q\ncache = %[4]q\n%[5]s\n[env.%[1]s.backup.archive]\nspool = %[6]q\nslot = %[7]q\n",
			name, g.repository(name), g.dir, filepath.Join(g.dir, "cache"), more, filepath.Join(g.dir, "spool-"+name), "drhost_"+name)
	}
	if err := g.write(filepath.Join(g.dir, "drhost.toml"), text); err != nil {
		return err
	}
	return g.write(filepath.Join(g.dir, "restore.lua"), `local backup = require "backup"

return runbook {
  title = "Restore a cluster into a folder",
  input = {
    id = { doc = "Copy to restore" },
    folder = { doc = "Folder that it is restored into" },
    before = { doc = "Transaction that is left out, with all that committed after it", default = "0" },
  },
  run = function(input)
    step("Restore it", function()
      return backup.restore { id = input.id, folder = input.folder, before_xid = tonumber(input.before) }
    end)
    return finish("done")
  end,
}
`)
}

func (g *ground) repository(env string) string { return filepath.Join(g.dir, "repository-"+env) }

// drhost runs drhost itself, from its start to its end.
func (g *ground) drhost(ctx context.Context, args ...string) (string, cost, error) {
	cmd := g.command(ctx, g.b.program, append(args, "--no-input", "--yes", "--json")...)
	var out, said strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &said
	c, err := g.watched(ctx, cmd)
	if err != nil {
		return "", c, fmt.Errorf("drhost %s: %w\n%s%s", strings.Join(args, " "), err, tail([]byte(said.String())), tail([]byte(out.String())))
	}
	return out.String(), c, nil
}

// watched runs a program and keeps an eye on the most memory that it held. The
// kernel keeps the high-water mark, so only what grows in the last moment can
// be missed.
func (g *ground) watched(ctx context.Context, cmd *exec.Cmd) (cost, error) {
	start := g.b.clock.Now()
	if err := cmd.Start(); err != nil {
		return cost{}, err
	}
	inner, stop := context.WithCancel(ctx)
	most := make(chan int64, 1)
	go func() { most <- g.memory(inner, cmd.Process.Pid) }()
	err := cmd.Wait()
	took := g.b.clock.Now().Sub(start)
	stop()
	return cost{took, <-most}, err
}

// memory is the most that a process held until ctx ended; 0 where the kernel
// does not tell.
func (g *ground) memory(ctx context.Context, pid int) (most int64) {
	for {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if _, rest, found := strings.Cut(string(text), "VmHWM:"); found {
			kib, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			most = max(most, kib<<10)
		}
		if g.b.clock.Sleep(ctx, 10*time.Millisecond) != nil {
			return most
		}
	}
}

// timed runs something of somebody else's.
func (g *ground) timed(do func() error) (cost, error) {
	start := g.b.clock.Now()
	err := do()
	return cost{took: g.b.clock.Now().Sub(start)}, err
}

// idIn reads the id of the backup out of what drhost printed.
func idIn(text string) (string, error) {
	var made struct{ ID string }
	if err := json.Unmarshal([]byte(text), &made); err != nil || made.ID == "" {
		return "", fmt.Errorf("drhost names no backup: %s", tail([]byte(text)))
	}
	return made.ID, nil
}

// stored is how many bytes the files below a folder have.
func stored(folder string) (bytes int64, err error) {
	err = filepath.WalkDir(folder, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			bytes += info.Size()
		}
		return err
	})
	return bytes, err
}
