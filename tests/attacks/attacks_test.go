package attacks

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/host/clock"
)

const (
	// peak is what the process of a run may have in memory at most, in MiB:
	// the program itself, what a script may add, and what collecting it takes.
	peak = 300
	// alive is after how long an attack counts as a hang. A quiet machine
	// needs a fraction of a second for each.
	alive = 60 * time.Second
)

// attack is one file: what it is, how it has to end, its source.
type attack struct {
	name   string
	expect string // part of the error; "done": it ends well
	exit   int
	box    bool // it needs the test's provider
	source []byte
}

// outcome is what the process of an attack left.
type outcome struct {
	exit   int
	text   string
	took   time.Duration
	memory int // MiB at the most
}

// position is a line, or a file that is no text and so has none.
var position = regexp.MustCompile(`\.lua(:\d+| holds zero bytes| begins with)`)

func readAttack(t *testing.T, path string) attack {
	t.Helper()
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	a := attack{name: strings.TrimSuffix(filepath.Base(path), ".lua"), source: source, box: bytes.Contains(source, []byte(`local box = require "box"`))}
	for _, line := range strings.SplitN(string(source[:min(len(source), 500)]), "\n", 5) {
		if text, ok := strings.CutPrefix(line, "-- expect: "); ok {
			a.expect = text
		}
		if text, ok := strings.CutPrefix(line, "-- exit: "); ok {
			if a.exit, err = strconv.Atoi(text); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
		}
	}
	if a.expect == "" {
		t.Fatalf("%s does not say how it has to end", path)
	}
	return a
}

// TestAttacks runs attacks, every third of them and with DRHOST_ATTACKS=all all,
// each in a process of its own: it ends soon, with
// the exit code and the error that its head says, naming a line; the process
// stays small and ends by itself; and the journal is whole.
func TestAttacks(t *testing.T) {
	files, err := filepath.Glob("*.lua")
	if err != nil || len(files) < 130 {
		t.Fatalf("%d attacks (%v)", len(files), err)
	}
	dir := workingFolder(t)
	program := filepath.Join(dir, "drhost")
	boxDir := t.TempDir() // with a configuration that names no provider
	if err := os.Mkdir(filepath.Join(boxDir, "runbooks"), 0o700); err != nil {
		t.Fatal(err)
	}
	var worst summary
	t.Cleanup(func() { t.Logf("%d attacks; %s", worst.count, &worst) })
	busy := make(chan struct{}, runtime.NumCPU())
	every := 3
	switch {
	case os.Getenv("DRHOST_ATTACKS") != "":
		every = 1
	case testing.Short():
		every = 12
	}
	for n, file := range files {
		a := readAttack(t, file)
		if n%every != 0 {
			continue
		}
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			busy <- struct{}{}
			defer func() { <-busy }()
			dir := dir
			if a.box {
				dir = boxDir
			}
			state := filepath.Join(t.TempDir(), "state")
			path := filepath.Join("runbooks", a.name+".lua")
			if err := os.WriteFile(filepath.Join(dir, path), a.source, 0o600); err != nil {
				t.Fatal(err)
			}
			var o outcome
			if a.box {
				o = run(t, dir, []string{helperOf + "=" + path, "DRHOST_STATE=" + state}, os.Args[0], "-test.run=TestHelper")
			} else {
				o = run(t, dir, nil, program, "run", path, "--no-input", "--state", state)
			}
			worst.add(a.name, o)
			a.judge(t, o)
			if runs, _ := filepath.Glob(filepath.Join(state, "runs", "*", "journal.jsonl")); len(runs) > 0 {
				if v := run(t, dir, nil, program, "verify", "last", "--state", state); v.exit != 0 {
					t.Errorf("the journal is not sound: %s", v.text)
				}
			} else if a.exit != 2 {
				t.Error("there is no journal")
			}
		})
	}
}

func (a attack) judge(t *testing.T, o outcome) {
	t.Helper()
	shown := o.text
	if len(shown) > 1500 {
		shown = shown[:1500] + "..."
	}
	if o.exit != a.exit {
		t.Errorf("exit %d, want %d\n%s", o.exit, a.exit, shown)
	}
	switch {
	case strings.Contains(o.text, "goroutine ") || strings.Contains(o.text, "internal fault"):
		t.Errorf("a fault of drhost itself:\n%s", shown)
	case len(o.text) > 10<<20:
		t.Errorf("%d bytes were printed", len(o.text))
	case strings.ContainsAny(o.text, "\x1b\x00\x07"):
		t.Errorf("the terminal is given control characters: %q", shown)
	case a.expect == "done":
	case !a.foreseen(o.text):
		t.Errorf("printed, without %q:\n%s", a.expect, shown)
	case !position.MatchString(o.text):
		t.Errorf("no line is named:\n%s", shown)
	}
	if o.memory > peak {
		t.Errorf("%d MiB of memory, at most %d", o.memory, peak)
	}
}

// foreseen tells whether text has what is expected; " or " stands between what
// a faster and a slower machine say.
func (a attack) foreseen(text string) bool {
	for _, e := range strings.Split(a.expect, " or ") {
		if strings.Contains(text, e) {
			return true
		}
	}
	return false
}

// run runs a program in dir to its end and measures it.
func run(t *testing.T, dir string, env []string, program string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), alive)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "CI=true", "HETZNER_API_TOKEN=", "CLOUDFLARE_API_TOKEN="), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	start := clock.System{}.Now()
	err := cmd.Run()
	if ctx.Err() != nil {
		t.Fatalf("it did not end within %v\n%.1000s", alive, out.String())
	}
	o := outcome{exit: cmd.ProcessState.ExitCode(), text: out.String(), took: clock.System{}.Now().Sub(start)}
	if o.exit < 0 {
		t.Errorf("the process was ended from outside: %v", err)
	}
	if used, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		o.memory = int(used.Maxrss >> 10)
		if runtime.GOOS == "darwin" {
			o.memory >>= 10
		}
	}
	return o
}

// summary is the worst of all attacks.
type summary struct {
	sync.Mutex
	count         int
	slow, large   string
	took          time.Duration
	memory, above int // above: how many took longer than a second
}

func (s *summary) add(name string, o outcome) {
	s.Lock()
	defer s.Unlock()
	s.count++
	if o.took > time.Second {
		s.above++
	}
	if o.took > s.took {
		s.slow, s.took = name, o.took
	}
	if o.memory > s.memory {
		s.large, s.memory = name, o.memory
	}
	if os.Getenv("DRHOST_ATTACKS") == "show" {
		fmt.Printf("%s\t%d\t%dms\t%dMiB\t%.400q\n", name, o.exit, o.took.Milliseconds(), o.memory, o.text)
	}
}

func (s *summary) String() string {
	return fmt.Sprintf("slowest %s with %v (%d above a second), largest %s with %d MiB", s.slow, s.took.Round(time.Millisecond), s.above, s.large, s.memory)
}

// workingFolder is a folder as `drhost init` makes it, with the program in it.
func workingFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "drhost")
	if out, err := exec.Command("go", "build", "-o", program, "../../cmd/drhost").CombinedOutput(); err != nil {
		t.Fatalf("build drhost: %v\n%s", err, out)
	}
	if o := run(t, dir, nil, program, "init", "."); o.exit != 0 {
		t.Fatal(o.text)
	}
	return dir
}
