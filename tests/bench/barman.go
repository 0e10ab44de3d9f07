package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
)

// byBarman has Barman back the restored cluster up by its own ways, verify
// that and restore it; the server that this gives has to have the same lines.
func (g *ground) byBarman(ctx context.Context, c *cluster, w *writers, lines int) error {
	if _, err := exec.LookPath("barman"); err != nil {
		fmt.Fprintln(g.b.say, "  Barman is not installed and judges nothing")
		return nil
	}
	c.stopWell(ctx)
	if err := c.start(ctx, "-c archive_mode=on"); err != nil {
		return err
	}
	home := filepath.Join(g.dir, "barman")
	defer os.RemoveAll(home)
	settings, err := g.setBarman(home, c)
	if err != nil {
		return err
	}
	barman := func(args ...string) error {
		_, err := g.do(ctx, "barman", append([]string{"-c", settings}, args...)...)
		return err
	}
	_ = barman("check", "judged") // makes its folders, and misses the log that is to come
	if err := c.archiveBy(ctx, "cp %p "+filepath.Join(home, "judged", "incoming")+"/%f"); err != nil {
		return err
	}
	restored := &cluster{g: g, data: filepath.Join(g.dir, "by-barman")}
	defer restored.remove(context.Background())
	for _, args := range [][]string{{"switch-wal", "--force", "--archive", "judged"}, {"check", "judged"}, {"backup", "--immediate-checkpoint", "--wait", "judged"},
		{"verify-backup", "judged", "latest"}, {"recover", "judged", "latest", restored.data}} {
		if err := barman(args...); err != nil {
			return err
		}
	}
	if err := restored.start(ctx, "-c archive_mode=off"); err != nil {
		return err
	}
	if err := restored.recovered(ctx); err != nil {
		return err
	}
	have, err := found(ctx, restored, benchDatabase)
	if err == nil && len(have) != lines {
		err = fmt.Errorf("Barman brings %d lines, the server has %d", len(have), lines)
	}
	if err == nil {
		err = w.genuine(ctx, restored, benchDatabase, have)
	}
	return err
}

// setBarman writes Barman's settings for one server and returns their file.
func (g *ground) setBarman(home string, c *cluster) (string, error) {
	if err := g.folder(home); err != nil {
		return "", err
	}
	as, err := user.Current()
	if g.as != nil && err == nil {
		as, err = user.LookupId(strconv.Itoa(int(g.as.Uid)))
	}
	if err != nil {
		return "", err
	}
	server := fmt.Sprintf("host=127.0.0.1 port=%d user=postgres dbname=postgres password=%s", c.port, benchPassword)
	settings := filepath.Join(home, "barman.conf")
	return settings, g.write(settings, fmt.Sprintf(`[barman]
barman_home = %[1]s
barman_lock_directory = %[1]s
barman_user = %[2]s
log_file = %[1]s/log
[judged]
description = judged
conninfo = %[3]s
streaming_conninfo = %[3]s
backup_method = postgres
archiver = on
streaming_archiver = off
path_prefix = %[4]s
`, home, as.Username, server, g.bin))
}
