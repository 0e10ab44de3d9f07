package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
)

// process is one program that runs on a machine. The programs are written in
// Go and know no file but the machine's.
type process struct {
	ctx   context.Context
	guest *guest
	name  string
	args  []string
	dir   string
	in    io.Reader
	out   io.Writer
	err   io.Writer
}

// programs is the list of what a machine can run.
func programs() map[string]func(*process) int {
	return map[string]func(*process) int{
		"true": func(*process) int { return 0 }, "false": func(*process) int { return 1 },
		"basename": basename, "bash": script, "cat": cat, "chmod": chmod, "chown": chown, "cp": cp, "date": date,
		"df": df, "dirname": dirname, "du": du, "echo": echo, "env": env, "find": find, "grep": grep,
		"head": head, "hostname": hostname, "id": id, "journalctl": journalctl, "ln": ln, "ls": ls, "mkdir": mkdir,
		"mktemp": mktemp, "mv": mv, "psql": psql, "pg_ctlcluster": pgCtlcluster, "pg_isready": pgIsReady, "pg_lsclusters": pgLsclusters, "readlink": readlink, "rm": rm,
		"rmdir": rmdir, "sh": script, "sha256sum": sha256sum, "sleep": sleep, "sort": sortLines, "stat": stat,
		"sudo": sudo, "sync": func(*process) int { return 0 }, "systemctl": systemctl, "tail": tail, "tar": tarball,
		"tee": tee, "touch": touch, "uname": uname, "uptime": uptime, "wc": wc, "which": which, "whoami": whoami,
	}
}

// run finds the program called called and runs it.
func (p *process) run(called string) int {
	if called == refusedProgram {
		fmt.Fprintf(p.err, "bash: %s: not available on a simulated machine\n", p.args[0])
		return 1
	}
	program := programs()[p.name]
	inBin := !strings.Contains(called, "/")
	for _, dir := range []string{"/bin/", "/usr/bin/", "/sbin/", "/usr/sbin/", "/usr/local/bin/"} {
		inBin = inBin || called == dir+p.name
	}
	if program != nil && inBin {
		return program(p)
	}
	if strings.Contains(called, "/") {
		return p.runFile(called)
	}
	fmt.Fprintf(p.err, "bash: %s: command not found\n", called)
	return 127
}

// runFile runs a shell script of the machine's disk.
func (p *process) runFile(called string) int {
	name := within(p.dir, called)
	info, err := p.disk().stat(name, true)
	if err != nil {
		fmt.Fprintf(p.err, "bash: %s: %s\n", called, reason(err))
		return 127
	}
	if info.IsDir() || info.Mode()&0o111 == 0 {
		fmt.Fprintf(p.err, "bash: %s: Permission denied\n", called)
		return 126
	}
	text, err := p.disk().read(name)
	if err != nil {
		return p.fail(err)
	}
	return p.shell("set -- " + quoteAll(p.args) + "\n" + string(text))
}

// shell runs text in a shell of its own, with this process's files.
func (p *process) shell(text string) int {
	return p.guest.shell(p.ctx, text, session{user: "root", dir: p.dir, stdin: p.in, stdout: p.out, stderr: p.err})
}

func quoteAll(args []string) string {
	var quoted []string
	for _, a := range args {
		quoted = append(quoted, quote(a))
	}
	return strings.Join(quoted, " ")
}

func (p *process) disk() *disk { return p.guest.m.disk }

func (p *process) path(name string) string { return within(p.dir, name) }

func (p *process) printf(format string, args ...any) { fmt.Fprintf(p.out, format, args...) }

// fail prints an error the way the real programs do and returns 1.
func (p *process) fail(err error) int {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		fmt.Fprintf(p.err, "%s: %s: %s\n", p.name, pe.Path, reason(err))
	} else {
		fmt.Fprintf(p.err, "%s: %v\n", p.name, err)
	}
	return 1
}

func (p *process) usage(text string) int {
	fmt.Fprintf(p.err, "usage: %s %s\n", p.name, text)
	return 2
}

func reason(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "No such file or directory"
	case errors.Is(err, fs.ErrExist):
		return "File exists"
	case errors.Is(err, fs.ErrPermission):
		return "Permission denied"
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

// options splits the arguments into one-letter and long options and the rest.
// A letter in valued takes a value. Unknown options are an error, so that a
// script cannot rely on something that is not there.
func (p *process) options(known, valued string, long ...string) (set map[string]string, rest []string, ok bool) {
	set = map[string]string{}
	for i := 0; i < len(p.args); i++ {
		a := p.args[i]
		switch {
		case a == "--":
			return set, append(rest, p.args[i+1:]...), true
		case strings.HasPrefix(a, "--"):
			name, value, _ := strings.Cut(a[2:], "=")
			if !contains(long, name) {
				return nil, nil, p.unknown(a)
			}
			set[name] = value
		case len(a) > 1 && a[0] == '-':
			for j := 1; j < len(a); j++ {
				letter := a[j : j+1]
				if strings.Contains(valued, letter) {
					value := a[j+1:]
					if value == "" {
						if i++; i >= len(p.args) {
							return nil, nil, p.unknown(a)
						}
						value = p.args[i]
					}
					set[letter] = value
					break
				}
				if !strings.Contains(known, letter) {
					return nil, nil, p.unknown(a)
				}
				set[letter] = ""
			}
		default:
			rest = append(rest, a)
		}
	}
	return set, rest, true
}

func (p *process) unknown(option string) bool {
	fmt.Fprintf(p.err, "%s: unrecognized option '%s' (a simulated machine knows the common ones only)\n", p.name, option)
	return false
}

func has(set map[string]string, names ...string) bool {
	for _, n := range names {
		if _, ok := set[n]; ok {
			return true
		}
	}
	return false
}

func contains(list []string, s string) bool { return slices.Contains(list, s) }
