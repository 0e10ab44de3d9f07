package backup

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/webhost-systems/drhost/host/fault"
)

// tools is one installation of PostgreSQL's client programs.
type tools struct {
	bin   string
	major int
	full  string // "15.14"
}

func (t tools) path(name string) string { return filepath.Join(t.bin, name) }

// places are where distributions put the versioned programs.
var places = [...]string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin", "/usr/local/pgsql/bin"}

// tools returns the installation with the lowest major version that is at
// least the one needed: a newer pg_dump writes what an older server may not
// understand, an older one refuses a newer server.
func (c *Client) tools(ctx context.Context, needed int) (tools, error) {
	var folders []string
	if c.set.Bin != "" {
		folders = []string{c.set.Bin}
	} else {
		for _, pattern := range places {
			found, _ := filepath.Glob(pattern)
			folders = append(folders, found...)
		}
		if onPath, err := exec.LookPath("pg_dump"); err == nil {
			folders = append(folders, filepath.Dir(onPath))
		}
	}
	var found []tools
	for _, bin := range folders {
		if t, ok := versionOf(ctx, bin); ok {
			found = append(found, t)
		}
	}
	slices.SortStableFunc(found, func(a, b tools) int { return a.major - b.major })
	for _, t := range found {
		if t.major >= needed {
			return t, nil
		}
	}
	if len(found) > 0 {
		return tools{}, fault.New(fault.Invalid, "PostgreSQL %d needs pg_dump and pg_restore of at least that version; the newest here is %s", needed, found[len(found)-1].full).
			WithHint("apt-get install postgresql-client-%d, or set `bin` in the settings of backup", needed)
	}
	return tools{}, fault.New(fault.Invalid, "pg_dump and pg_restore are not installed").
		WithHint("apt-get install postgresql-client, or set `bin` in the settings of backup")
}

var versionText = regexp.MustCompile(`\(PostgreSQL\) (([0-9]+)[^ \n]*)`)

// versionOf asks the programs in bin for their version; both have to be there.
func versionOf(ctx context.Context, bin string) (tools, bool) {
	if _, err := os.Stat(filepath.Join(bin, "pg_restore")); err != nil {
		return tools{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "pg_dump"), "--version")
	cmd.Env = []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")}
	said, err := cmd.Output()
	if err != nil {
		return tools{}, false
	}
	m := versionText.FindSubmatch(said)
	if m == nil {
		return tools{}, false
	}
	major, err := strconv.Atoi(string(m[2]))
	return tools{bin: bin, major: major, full: string(m[1])}, err == nil
}
