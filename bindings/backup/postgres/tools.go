package postgres

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/fault"
)

// Tools is one installation of PostgreSQL's programs.
type Tools struct {
	Bin   string // their folder
	Major int
	Full  string // "15.14"
}

// Path is the full path of a program.
func (t Tools) Path(name string) string { return filepath.Join(t.Bin, name) }

// Need says which installation serves.
type Need struct {
	Bin      string   // only this folder, when set
	Programs []string // all of them have to be there; the first tells the version
	AtLeast  int      // lowest major version
	Exactly  bool     // whether AtLeast is the only one that serves
	Package  string   // Debian package that has them: "postgresql-client"
}

// places are where distributions put the versioned programs.
var places = [...]string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin", "/usr/local/pgsql/bin"}

// Find returns the installation with the lowest major version that serves: a
// newer pg_dump writes what an older server may not understand, an older one
// refuses a newer server. The fault, when there is none, says what to install.
func Find(ctx context.Context, need Need) (Tools, error) {
	var folders []string
	if need.Bin != "" {
		folders = []string{need.Bin}
	} else {
		for _, pattern := range places {
			found, _ := filepath.Glob(pattern)
			folders = append(folders, found...)
		}
		if onPath, err := exec.LookPath(need.Programs[0]); err == nil {
			folders = append(folders, filepath.Dir(onPath))
		}
	}
	var found []Tools
	for _, bin := range folders {
		if t, ok := versionOf(ctx, bin, need.Programs); ok {
			found = append(found, t)
		}
	}
	slices.SortStableFunc(found, func(a, b Tools) int { return a.Major - b.Major })
	for _, t := range found {
		if t.Major == need.AtLeast || t.Major > need.AtLeast && !need.Exactly {
			return t, nil
		}
	}
	names := strings.Join(need.Programs, " and ")
	if len(found) == 0 {
		return Tools{}, fault.New(fault.Invalid, "%s are not installed", names).
			WithHint("apt-get install %s, or set `bin` in the settings of backup", need.Package)
	}
	which := "of at least that version; the newest here is " + found[len(found)-1].Full
	if need.Exactly {
		which = "of that very version; the newest here is " + found[len(found)-1].Full
	}
	return Tools{}, fault.New(fault.Invalid, "PostgreSQL %d needs %s %s", need.AtLeast, names, which).
		WithHint("apt-get install %s-%d, or set `bin` in the settings of backup", need.Package, need.AtLeast)
}

var versionText = regexp.MustCompile(`\(PostgreSQL\) (([0-9]+)[^ \n]*)`)

// versionOf asks the first of the programs in bin for its version; all have to
// be there.
func versionOf(ctx context.Context, bin string, programs []string) (Tools, bool) {
	for _, name := range programs {
		if _, err := os.Stat(filepath.Join(bin, name)); err != nil {
			return Tools{}, false
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, programs[0]), "--version")
	cmd.Env = []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")}
	said, err := cmd.Output()
	if err != nil {
		return Tools{}, false
	}
	m := versionText.FindSubmatch(said)
	if m == nil {
		return Tools{}, false
	}
	major, err := strconv.Atoi(string(m[2]))
	return Tools{Bin: bin, Major: major, Full: string(m[1])}, err == nil
}
