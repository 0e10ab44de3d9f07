package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

// session is where a command of the shell comes from.
type session struct {
	user           string
	dir            string // "" is the user's home
	stdin          io.Reader
	stdout, stderr io.Writer
}

// shell interprets a command and returns its exit status. Everything the
// interpreter could take from the host is replaced: files, folders, programs,
// environment; builtins that would look at the host are refused.
func (g *guest) shell(ctx context.Context, command string, s session) int {
	errs := &lockedWriter{w: s.stderr}
	file, err := syntax.NewParser().Parse(strings.NewReader(command), "")
	if err == nil {
		err = refuse(file)
	}
	if err != nil {
		fmt.Fprintf(errs, "bash: %v\n", err)
		return 2
	}
	runner, err := interp.New(
		interp.Env(expand.ListEnviron("HOME=/root", "HOME root=/root", "USER="+s.user, "LOGNAME="+s.user,
			"HOSTNAME="+g.m.spec.Name, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
			"SHELL=/bin/bash", "LANG=C.UTF-8", "UID=0", "EUID=0", "GID=0", "TMPDIR=/dev/null/none")),
		interp.Dir("/"),
		interp.StdIO(s.stdin, &lockedWriter{w: s.stdout}, errs),
		interp.CallHandler(rewriteCall),
		interp.ExecHandlers(func(interp.ExecHandlerFunc) interp.ExecHandlerFunc { return g.exec }),
		interp.OpenHandler(g.openFile),
		interp.ReadDirHandler2(func(_ context.Context, name string) ([]fs.DirEntry, error) { return g.m.disk.list(name) }),
		interp.StatHandler(func(_ context.Context, name string, follow bool) (fs.FileInfo, error) {
			return g.m.disk.stat(name, follow)
		}),
		interp.AccessHandler(g.access),
	)
	if err != nil {
		fmt.Fprintf(errs, "bash: %v\n", err)
		return 2
	}
	dir := s.dir
	if dir == "" {
		dir = "/root"
	}
	enter, err := syntax.NewParser().Parse(strings.NewReader("cd "+quote(dir)), "")
	if err != nil {
		fmt.Fprintf(errs, "bash: %v\n", err)
		return 2
	}
	_ = runner.Run(ctx, enter.Stmts[0]) // without that folder it starts in /
	err = runner.Run(ctx, file)
	var status interp.ExitStatus
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	case ctx.Err() != nil:
		return 130
	}
	fmt.Fprintf(errs, "bash: %v\n", err)
	return 1
}

// refuse finds what the interpreter would carry out on the host itself:
// process substitution makes pipes in the host's file system, and ~name looks
// the host's users up.
func refuse(file *syntax.File) (err error) {
	syntax.Walk(file, func(node syntax.Node) bool {
		switch n := node.(type) {
		case *syntax.ProcSubst:
			err = errors.New("process substitution is not available on a simulated machine")
		case *syntax.Word:
			if lit, ok := first(n.Parts).(*syntax.Lit); ok && hostTilde(lit.Value) {
				err = fmt.Errorf("%s: only ~ and ~root are known", lit.Value)
			}
		}
		return err == nil
	})
	return err
}

func first(parts []syntax.WordPart) syntax.WordPart {
	if len(parts) == 0 {
		return nil
	}
	return parts[0]
}

func hostTilde(text string) bool {
	if i := strings.LastIndexAny(text, "=:"); i >= 0 { // x=~name, a:~name
		text = text[i+1:]
	}
	name, ok := strings.CutPrefix(text, "~")
	name, _, _ = strings.Cut(name, "/")
	return ok && name != "" && name != "root" && name != "+" && name != "-"
}

// rewriteCall lets pass the builtins that stay inside the interpreter and
// turns the others into programs of the machine, which know or refuse them.
func rewriteCall(_ context.Context, args []string) ([]string, error) {
	for args[0] == "command" && len(args) > 1 && !strings.HasPrefix(args[1], "-") {
		args = args[1:]
	}
	switch args[0] {
	case ":", "true", "false", "exit", "set", "shift", "unset", "echo", "printf", "break", "continue",
		"cd", "wait", "return", "read", "test", "[", "exec", "getopts":
		return args, nil
	case "pwd":
		return args[:1], nil // -P would resolve links of the host
	case "command", "type":
		return append([]string{"which"}, args[1:]...), nil
	}
	if interp.IsBuiltin(args[0]) {
		return append([]string{refusedProgram}, args...), nil
	}
	return args, nil
}

const refusedProgram = "(refused)"

// exec runs a program of the machine. A path with a slash may also be a
// script on the machine's disk.
func (g *guest) exec(ctx context.Context, args []string) error {
	hc := interp.HandlerCtx(ctx)
	p := &process{ctx: ctx, guest: g, name: path.Base(args[0]), args: args[1:], dir: hc.Dir,
		in: hc.Stdin, out: hc.Stdout, err: hc.Stderr}
	code := p.run(args[0])
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if code != 0 {
		return interp.ExitStatus(code)
	}
	return nil
}

func (g *guest) openFile(ctx context.Context, name string, flag int, perm os.FileMode) (io.ReadWriteCloser, error) {
	name = within(interp.HandlerCtx(ctx).Dir, name)
	if name == "/dev/null" {
		return nothing{}, nil
	}
	f, err := g.m.disk.open(name, flag, perm)
	if err != nil {
		return nil, err // a *fs.PathError, which the interpreter prints
	}
	return f, nil
}

func (g *guest) access(_ context.Context, name string, mode interp.AccessMode) error {
	info, err := g.m.disk.stat(name, true)
	if err != nil {
		return err
	}
	if mode == interp.AccessExec && !info.IsDir() && info.Mode()&0o111 == 0 {
		return fs.ErrPermission // root may read and write everything
	}
	return nil
}

// within makes name absolute as seen from dir.
func within(dir, name string) string {
	if path.IsAbs(name) {
		return name // not cleaned: "link/.." means what the link says
	}
	return dir + "/" + name
}

// nothing is /dev/null.
type nothing struct{}

func (nothing) Read([]byte) (int, error)    { return 0, io.EOF }
func (nothing) Write(b []byte) (int, error) { return len(b), nil }
func (nothing) Close() error                { return nil }

// lockedWriter lets background commands write at the same time.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	if l.w == nil {
		return len(b), nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
