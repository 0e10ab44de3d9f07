package tests

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs scripts/*.txtar: the command line as an operator types it.
// Beside testscript's own commands they know
//
//	drhost ARG..                     drhost ends with 0
//	exits N drhost ARG..             drhost ends with N
//	begin NAME PATTERN drhost ARG..  drhost keeps running, and has printed PATTERN
//	end NAME SIGNAL N                after INT, TERM or KILL, or by itself (-), it
//	                                 ends with N; stdout and stderr are what it printed
//	edit FILE OLD NEW                replace OLD, which is in FILE once
//	[!] json FILE PATH               the JSON in FILE (or stdout, stderr) has .a.0.b
//	[!] json FILE PATH = VALUE       and it is VALUE; PATH.# is a length
//	[!] json FILE PATH ~ REGEXP      and it matches
//	json FILE PATH -> VAR            and it is kept in the environment
//	absent TEXT FOLDER               no file in the folder, of which there are some, holds it
//
// No script sees a credential of the machine it runs on.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "scripts",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", filepath.Dir(program)+string(os.PathListSeparator)+os.Getenv("PATH"))
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("TMPDIR", os.TempDir()) // PostgreSQL's user must be able to enter it
			env.Values[lives{}] = map[string]*life{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"drhost": scriptDrhost, "exits": scriptExits, "begin": scriptBegin, "end": scriptEnd, "edit": scriptEdit, "json": scriptJSON,
			"absent": scriptAbsent,
		},
	})
}

func scriptDrhost(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("say with which code it ends: exits N drhost ..")
	}
	exits(ts, 0, args)
}

func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || args[1] != "drhost" {
		ts.Fatalf("usage: exits N drhost ARG..")
	}
	code, err := strconv.Atoi(args[0])
	ts.Check(err)
	exits(ts, code, args[2:])
}

func exits(ts *testscript.TestScript, want int, args []string) {
	err := ts.Exec("drhost", args...)
	var exit *exec.ExitError
	got := 0
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("drhost: %v", err)
	}
	if got != want {
		ts.Fatalf("drhost %s: exit %d, want %d", strings.Join(args, " "), got, want)
	}
}

// lives is the key under which a script keeps what it began.
type lives struct{}

// life is a drhost that keeps running.
type life struct {
	cmd      *exec.Cmd
	out, err watched
	ended    chan struct{}
}

// watched is an output that tells when a pattern has appeared in it.
type watched struct {
	mu      sync.Mutex
	text    bytes.Buffer
	pattern *regexp.Regexp
	seen    chan<- struct{}
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(p)
	if w.pattern.Match(w.text.Bytes()) {
		select {
		case w.seen <- struct{}{}:
		default: // somebody has said so already
		}
	}
	return len(p), nil
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

func scriptBegin(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || args[2] != "drhost" {
		ts.Fatalf("usage: begin NAME PATTERN drhost ARG..")
	}
	pattern, err := regexp.Compile(args[1])
	ts.Check(err)
	seen := make(chan struct{}, 1)
	l := &life{cmd: exec.Command(program, args[3:]...), ended: make(chan struct{})}
	l.out.pattern, l.out.seen, l.err.pattern, l.err.seen = pattern, seen, pattern, seen
	l.cmd.Stdout, l.cmd.Stderr, l.cmd.Dir, l.cmd.Env = &l.out, &l.err, ts.MkAbs("."), environment(ts)
	ts.Check(l.cmd.Start())
	ts.Defer(func() {
		l.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-l.ended:
		case <-time.After(20 * time.Second):
			l.cmd.Process.Kill()
		}
	})
	go func() {
		l.cmd.Wait()
		close(l.ended)
	}()
	ts.Value(lives{}).(map[string]*life)[args[0]] = l
	select {
	case <-seen:
	case <-l.ended:
		if !pattern.MatchString(l.out.String() + l.err.String()) {
			ts.Fatalf("%s ended without printing %q:\n%s%s", args[0], args[1], l.out.String(), l.err.String())
		}
	case <-time.After(time.Minute):
		ts.Fatalf("%s did not print %q within a minute:\n%s%s", args[0], args[1], l.out.String(), l.err.String())
	}
}

// environment is the script's, for a process that testscript does not start.
func environment(ts *testscript.TestScript) []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "CI", "NO_COLOR", "TERM"} {
		if value := ts.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

func scriptEnd(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]os.Signal{"INT": os.Interrupt, "TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL, "-": nil}
	if neg || len(args) != 3 {
		ts.Fatalf("usage: end NAME SIGNAL N")
	}
	signal, ok := signals[args[1]]
	l := ts.Value(lives{}).(map[string]*life)[args[0]]
	if !ok || l == nil {
		ts.Fatalf("end %s: nothing of that name was begun, or there is no such signal", strings.Join(args, " "))
	}
	want, err := strconv.Atoi(args[2])
	ts.Check(err)
	if signal != nil {
		ts.Check(l.cmd.Process.Signal(signal))
	}
	select {
	case <-l.ended:
	case <-time.After(time.Minute):
		ts.Fatalf("%s still runs a minute after %s:\n%s%s", args[0], args[1], l.out.String(), l.err.String())
	}
	fmt.Fprint(ts.Stdout(), l.out.String())
	fmt.Fprint(ts.Stderr(), l.err.String())
	if got := l.cmd.ProcessState.ExitCode(); got != want {
		ts.Fatalf("%s: exit %d, want %d:\n%s%s", args[0], got, want, l.out.String(), l.err.String())
	}
}

func scriptEdit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: edit FILE OLD NEW")
	}
	text := ts.ReadFile(args[0])
	if n := strings.Count(text, args[1]); n != 1 {
		ts.Fatalf("%s has %q %d times, not once", args[0], args[1], n)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Replace(text, args[1], args[2], 1)), 0o644))
}

func scriptAbsent(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 || args[0] == "" {
		ts.Fatalf("usage: absent TEXT FOLDER")
	}
	files := 0
	ts.Check(filepath.WalkDir(ts.MkAbs(args[1]), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		files++
		text, err := os.ReadFile(path)
		if err == nil && bytes.Contains(text, []byte(args[0])) {
			err = fmt.Errorf("%s holds %q", path, args[0])
		}
		return err
	}))
	if files == 0 {
		ts.Fatalf("there is nothing in %s", args[1])
	}
}
