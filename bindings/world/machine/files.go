package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
)

func ls(p *process) int {
	set, names, ok := p.options("laA1hRtrd", "")
	if !ok {
		return 2
	}
	if len(names) == 0 {
		names = []string{"."}
	}
	code := 0
	for _, name := range names {
		info, err := p.disk().stat(p.path(name), true)
		if err != nil {
			code = p.fail(err)
			continue
		}
		if !info.IsDir() || has(set, "d") {
			p.listOne(name, info, set)
			continue
		}
		entries, err := p.disk().list(p.path(name))
		if err != nil {
			code = p.fail(err)
			continue
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), ".") && !has(set, "a", "A") {
				continue
			}
			if info, err := e.Info(); err == nil { // else it has just gone
				p.listOne(e.Name(), info, set)
			}
		}
	}
	return code
}

func (p *process) listOne(name string, info fs.FileInfo, set map[string]string) {
	if has(set, "l") {
		p.printf("%s 1 root root %8d %s %s\n", info.Mode(), info.Size(), info.ModTime().UTC().Format("Jan _2 15:04"), name)
		return
	}
	p.printf("%s\n", name)
}

func mkdir(p *process) int {
	set, names, ok := p.options("pv", "m")
	if !ok || len(names) == 0 {
		return p.usage("[-p] FOLDER...")
	}
	code := 0
	for _, name := range names {
		make := p.disk().mkdir
		if has(set, "p") {
			make = p.disk().mkdirAll
		}
		if err := make(p.path(name), 0o755); err != nil {
			code = p.fail(err)
		}
	}
	return code
}

func rmdir(p *process) int {
	code := 0
	for _, name := range p.args {
		info, err := p.disk().stat(p.path(name), false)
		if err == nil && !info.IsDir() {
			err = fmt.Errorf("%s: Not a directory", name)
		}
		if err == nil {
			err = p.disk().remove(p.path(name), false)
		}
		if err != nil {
			code = p.fail(err)
		}
	}
	return code
}

func rm(p *process) int {
	set, names, ok := p.options("rRfv", "")
	if !ok {
		return 2
	}
	code := 0
	for _, name := range names {
		info, err := p.disk().stat(p.path(name), false)
		switch {
		case errors.Is(err, fs.ErrNotExist) && has(set, "f"):
			continue
		case err == nil && info.IsDir() && !has(set, "r", "R"):
			err = fmt.Errorf("cannot remove '%s': Is a directory", name)
		case err == nil:
			err = p.disk().remove(p.path(name), has(set, "r", "R"))
		}
		if err != nil {
			code = p.fail(err)
		}
	}
	return code
}

// into is where a source lands: below target when that is a folder.
func (p *process) into(target, source string) string {
	to := p.path(target)
	if info, err := p.disk().stat(to, true); err == nil && info.IsDir() {
		return path.Join(to, path.Base(path.Clean(p.path(source))))
	}
	return to
}

func mv(p *process) int {
	_, names, ok := p.options("fvn", "")
	if !ok || len(names) < 2 {
		return p.usage("SOURCE... TARGET")
	}
	code := 0
	for _, name := range names[:len(names)-1] {
		if err := p.disk().rename(p.path(name), p.into(names[len(names)-1], name)); err != nil {
			code = p.fail(err)
		}
	}
	return code
}

func cp(p *process) int {
	set, names, ok := p.options("rRapfv", "")
	if !ok || len(names) < 2 {
		return p.usage("[-a] SOURCE... TARGET")
	}
	code := 0
	for _, name := range names[:len(names)-1] {
		from, to := p.path(name), p.into(names[len(names)-1], name)
		info, err := p.disk().stat(from, true)
		if err == nil && info.IsDir() && !has(set, "r", "R", "a") {
			err = fmt.Errorf("-r not specified; omitting directory '%s'", name)
		}
		if err == nil {
			err = p.copyAll(from, to, has(set, "a", "p"))
		}
		if err != nil {
			code = p.fail(err)
		}
	}
	return code
}

func (p *process) copyAll(from, to string, keep bool) error {
	if real, err := p.disk().resolve(from, true); err == nil {
		from = "/" + strings.TrimPrefix(real, ".")
	}
	if to = path.Clean(to); to == path.Clean(from) || strings.HasPrefix(to, path.Clean(from)+"/") {
		return fmt.Errorf("cannot copy '%s' into itself", from)
	}
	return p.disk().walk(from, func(name string, info fs.FileInfo) error {
		target := to + strings.TrimPrefix(name, from)
		switch {
		case info.IsDir():
			return p.disk().mkdirAll(target, info.Mode().Perm())
		case info.Mode()&fs.ModeSymlink != 0:
			link, err := p.disk().readlink(name)
			if err != nil {
				return err
			}
			return p.disk().symlink(link, target)
		}
		data, err := p.disk().read(name)
		if err != nil {
			return err
		}
		if err := p.disk().write(target, data, info.Mode().Perm()); err != nil || !keep {
			return err
		}
		return p.disk().chtimes(target, info.ModTime(), info.ModTime())
	})
}

func ln(p *process) int {
	set, names, ok := p.options("sfn", "")
	if !ok || len(names) != 2 {
		return p.usage("[-sfn] TARGET NAME")
	}
	name := p.path(names[1])
	if has(set, "f") && p.disk().remove(name, false) != nil && p.disk().exists(name) {
		return p.fail(fmt.Errorf("cannot replace '%s'", names[1]))
	}
	err := error(nil)
	if has(set, "s") {
		err = p.disk().symlink(names[0], name)
	} else {
		err = p.disk().link(p.path(names[0]), name)
	}
	if err != nil {
		return p.fail(err)
	}
	return 0
}

func readlink(p *process) int {
	set, names, ok := p.options("fe", "")
	if !ok || len(names) != 1 {
		return p.usage("[-f] NAME")
	}
	var target string
	var err error
	if has(set, "f", "e") {
		target, err = sftpFiles{p.disk()}.RealPath(p.path(names[0]))
	} else {
		target, err = p.disk().readlink(p.path(names[0]))
	}
	if err != nil {
		return 1
	}
	p.printf("%s\n", target)
	return 0
}

func touch(p *process) int {
	_, names, ok := p.options("cam", "d")
	if !ok {
		return 2
	}
	now := p.guest.m.rack.opt.Clock.Now()
	for _, name := range names {
		f, err := p.disk().open(p.path(name), os.O_CREATE|os.O_WRONLY, 0o644)
		if err == nil {
			f.Close()
			err = p.disk().chtimes(p.path(name), now, now)
		}
		if err != nil {
			return p.fail(err)
		}
	}
	return 0
}

func mktemp(p *process) int {
	set, _, ok := p.options("d", "p")
	if !ok {
		return 2
	}
	for n := range 1000 {
		name := fmt.Sprintf("/tmp/tmp.%06d", n)
		err := fs.ErrExist
		if has(set, "d") {
			err = p.disk().mkdir(name, 0o700)
		} else if f, e := p.disk().open(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); true {
			if err = e; e == nil {
				f.Close()
			}
		}
		if err == nil {
			p.printf("%s\n", name)
			return 0
		}
	}
	return 1
}

func chmod(p *process) int {
	set, names, ok := p.options("Rv", "")
	if !ok || len(names) < 2 {
		return p.usage("[-R] OCTAL NAME...")
	}
	mode, err := strconv.ParseUint(names[0], 8, 12)
	if err != nil {
		return p.fail(fmt.Errorf("mode '%s': a simulated machine knows octal modes only", names[0]))
	}
	for _, name := range names[1:] {
		change := func(name string, info fs.FileInfo) error {
			if info.Mode()&fs.ModeSymlink != 0 {
				return nil
			}
			return p.disk().chmod(name, fs.FileMode(mode).Perm())
		}
		if has(set, "R") {
			err = p.disk().walk(p.path(name), change)
		} else {
			err = p.disk().chmod(p.path(name), fs.FileMode(mode).Perm())
		}
		if err != nil {
			return p.fail(err)
		}
	}
	return 0
}

// chown gives files to the database's user, which on the host is another than
// ours. Other owners are nobody's business there: every login of a machine is
// root's.
func chown(p *process) int {
	set, names, ok := p.options("Rvh", "")
	if !ok || len(names) < 2 {
		return p.usage("OWNER NAME...")
	}
	m := p.guest.m
	for _, name := range names[1:] {
		give := func(name string, _ fs.FileInfo) error {
			if m.pg == nil || m.pg.credential == nil || !ownedByPostgres(names[0]) {
				_, err := p.disk().stat(name, false)
				return err
			}
			return p.disk().chown(name, int(m.pg.credential.Uid), int(m.pg.credential.Gid))
		}
		err := error(nil)
		if has(set, "R") {
			err = p.disk().walk(p.path(name), give)
		} else {
			err = give(p.path(name), nil)
		}
		if err != nil {
			return p.fail(err)
		}
	}
	return 0
}
