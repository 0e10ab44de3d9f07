package machine

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"
)

// script is sh and bash: -c TEXT, a script's file, or standard input.
func script(p *process) int {
	args := p.args
	for len(args) > 0 && strings.HasPrefix(args[0], "-") && !strings.Contains(args[0], "c") && args[0] != "-s" {
		args = args[1:] // -e, -l, -x: the interpreter's defaults do
	}
	switch {
	case len(args) > 1 && strings.HasPrefix(args[0], "-"):
		return p.shell("set -- " + quoteAll(args[min(len(args), 3):]) + "\n" + args[1])
	case len(args) > 0 && args[0] != "-s":
		text, err := p.disk().read(p.path(args[0]))
		if err != nil {
			return p.fail(err)
		}
		return p.shell("set -- " + quoteAll(args[1:]) + "\n" + string(text))
	}
	lines, code := p.lines(nil)
	if code != 0 {
		return code
	}
	p.in = nil
	return p.shell(strings.Join(lines, "\n"))
}

// sudo runs its arguments: every login is root already.
func sudo(p *process) int {
	args := p.args
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		if (args[0] == "-u" || args[0] == "-g") && len(args) > 1 {
			args = args[1:]
		}
		args = args[1:]
	}
	if len(args) == 0 {
		return p.usage("[-u USER] COMMAND")
	}
	return p.shell(quoteAll(args))
}

func env(p *process) int {
	args := p.args
	for len(args) > 0 && strings.Contains(args[0], "=") {
		args = args[1:]
	}
	if len(args) == 0 {
		p.printf("HOME=/root\nUSER=root\nLANG=C.UTF-8\n")
		return 0
	}
	var assign []string
	for _, a := range p.args[:len(p.args)-len(args)] {
		name, value, _ := strings.Cut(a, "=")
		assign = append(assign, name+"="+quote(value))
	}
	return p.shell(strings.Join(append(assign, quoteAll(args)), " "))
}

func which(p *process) int {
	known, code := programs(), 0
	for _, name := range p.args {
		switch {
		case strings.HasPrefix(name, "-"):
		case known[name] != nil:
			p.printf("/usr/bin/%s\n", name)
		case name == "cd" || name == "exit" || name == "printf" || name == "read" || name == "test":
			p.printf("%s\n", name)
		default:
			code = 1
		}
	}
	return code
}

// sleep waits by the world's clock.
func sleep(p *process) int {
	var total time.Duration
	for _, a := range p.args {
		if _, err := strconv.ParseFloat(a, 64); err == nil {
			a += "s"
		}
		d, err := time.ParseDuration(a)
		if err != nil {
			return p.usage("SECONDS")
		}
		total += d
	}
	if p.guest.m.rack.opt.Clock.Sleep(p.ctx, total) != nil {
		return 130
	}
	return 0
}

func date(p *process) int {
	now := p.guest.m.rack.opt.Clock.Now().UTC()
	format := "%a %b %e %H:%M:%S UTC %Y"
	for _, a := range p.args {
		switch {
		case strings.HasPrefix(a, "+"):
			format = a[1:]
		case a == "-Is" || a == "-Iseconds":
			format = "%Y-%m-%dT%H:%M:%S+00:00"
		case a != "-u":
			return p.usage("[-u] [-Is] [+FORMAT]")
		}
	}
	p.printf("%s\n", strings.NewReplacer("%Y", now.Format("2006"), "%m", now.Format("01"), "%d", now.Format("02"),
		"%H", now.Format("15"), "%M", now.Format("04"), "%S", now.Format("05"), "%s", strconv.FormatInt(now.Unix(), 10),
		"%N", fmt.Sprintf("%09d", now.Nanosecond()), "%F", now.Format("2006-01-02"), "%T", now.Format("15:04:05"),
		"%a", now.Format("Mon"), "%b", now.Format("Jan"), "%e", now.Format("_2")).Replace(format))
	return 0
}

func uname(p *process) int {
	set, _, ok := p.options("asnrmov", "")
	if !ok {
		return 2
	}
	var out []string
	for _, part := range []struct{ letter, text string }{{"s", "Linux"}, {"n", p.guest.m.spec.Name},
		{"r", "6.1.0"}, {"m", "x86_64"}, {"o", "GNU/Linux"}} {
		if has(set, "a", part.letter) || (len(set) == 0 && part.letter == "s") {
			out = append(out, part.text)
		}
	}
	p.printf("%s\n", strings.Join(out, " "))
	return 0
}

func hostname(p *process) int {
	name, err := p.disk().read("/etc/hostname")
	if err != nil {
		return p.fail(err)
	}
	if len(p.args) > 0 && p.args[0] == "-I" {
		name = []byte(p.guest.m.spec.Address)
	}
	p.printf("%s\n", strings.TrimSpace(string(name)))
	return 0
}

func whoami(p *process) int {
	p.printf("root\n")
	return 0
}

func id(p *process) int {
	if len(p.args) > 0 && p.args[0] == "-u" {
		p.printf("0\n")
		return 0
	}
	p.printf("uid=0(root) gid=0(root) groups=0(root)\n")
	return 0
}

func uptime(p *process) int {
	p.printf(" up, load average: 0.00, 0.00, 0.00\n")
	return 0
}

// df reports the disk of the simulated server type, 40 GB.
func df(p *process) int {
	const blocks = 40 << 20
	p.printf("Filesystem     1K-blocks    Used Available Use%% Mounted on\n/dev/sda1       %9d %7d %9d   8%% /\n",
		blocks, blocks/12, blocks-blocks/12)
	return 0
}

func journalctl(p *process) int {
	set, _, ok := p.options("xebrq", "unop", "no-pager", "since", "unit", "lines")
	if !ok {
		return 2
	}
	lines := p.guest.m.log.lines(strings.TrimSuffix(set["u"]+set["unit"], ".service"))
	if n, err := strconv.Atoi(set["n"] + set["lines"]); err == nil {
		lines = lines[max(0, len(lines)-n):]
	}
	if has(set, "r") {
		sort.Sort(sort.Reverse(sort.StringSlice(lines)))
	}
	if len(lines) == 0 {
		p.printf("-- No entries --\n")
	}
	for _, l := range lines {
		p.printf("%s\n", l)
	}
	return 0
}

// systemctl knows start, stop, restart, reload, status, is-active, is-enabled,
// enable, disable and daemon-reload, for the units of the image.
func systemctl(p *process) int {
	set, args, ok := p.options("q", "", "now", "quiet", "no-pager", "no-block")
	if !ok || len(args) == 0 {
		return p.usage("start|stop|restart|status|is-active|enable|disable UNIT...")
	}
	verb, names := args[0], args[1:]
	if verb == "daemon-reload" || verb == "reset-failed" {
		return 0
	}
	if verb == "reboot" || verb == "poweroff" {
		p.guest.m.Press(verb == "reboot")
		return 0
	}
	if len(names) == 0 {
		return p.usage(verb + " UNIT...")
	}
	code := 0
	for _, name := range names {
		u := p.guest.unit(name)
		if u == nil {
			fmt.Fprintf(p.err, "Failed to %s %s: Unit %s not found.\n", verb, name, strings.TrimSuffix(name, ".service")+".service")
			code = 5
			if verb == "status" || verb == "is-active" {
				code = 4
			}
			continue
		}
		if c := p.control(u, verb, has(set, "q", "quiet"), has(set, "now")); c != 0 {
			code = c
		}
	}
	return code
}

func (p *process) control(u *unit, verb string, quiet, now bool) int {
	link := "/etc/systemd/system/multi-user.target.wants/" + u.name + ".service"
	var err error
	switch verb {
	case "start":
		err = u.start()
	case "stop":
		u.stop(p.ctx)
	case "reload":
		err = u.reload()
	case "restart", "reload-or-restart", "try-restart":
		u.stop(p.ctx)
		err = u.start()
	case "enable":
		if !p.disk().exists(link) {
			err = p.disk().symlink("/etc/systemd/system/"+u.name+".service", link)
		}
		if err == nil && now {
			err = u.start()
		}
	case "disable":
		if p.disk().exists(link) {
			err = p.disk().remove(link, false)
		}
		if now {
			u.stop(p.ctx)
		}
	case "is-enabled":
		if !u.enabled() {
			p.printf("disabled\n")
			return 1
		}
		p.printf("enabled\n")
	case "is-active":
		if !quiet {
			p.printf("%s\n", u.status())
		}
		if !u.active() {
			return 3
		}
	case "status":
		return p.status(u)
	default:
		return p.usage("start|stop|restart|status|is-active|enable|disable UNIT...")
	}
	if err != nil {
		return p.fail(err)
	}
	return 0
}

func (p *process) status(u *unit) int {
	state := u.status()
	detail := map[string]string{"active": "active (running)", "inactive": "inactive (dead)", "failed": "failed"}[state]
	p.printf("%s.service - %s\n     Active: %s\n", u.name, descriptions(u.name), detail)
	lines := p.guest.m.log.lines(u.name)
	for _, l := range lines[max(0, len(lines)-10):] {
		p.printf("%s\n", l)
	}
	if state != "active" {
		return 3
	}
	return 0
}
