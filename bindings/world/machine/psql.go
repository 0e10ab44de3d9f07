package machine

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
)

// harmless are psql's own commands that neither touch files nor programs.
var harmless = regexp.MustCompile(`^\\(d[tduvinsx]*|l|conninfo|dt|du|dn)\+?( [\w.*]+)?$`)

// psqlFlags are the options that pass through; the ones ending in "=" take a
// value. Whatever reads or writes a file or names another server is missing.
func psqlFlags() map[string]string {
	return map[string]string{"-A": "", "-t": "", "-x": "", "-q": "", "-X": "", "-1": "", "-e": "", "-w": "", "-z": "", "-0": "",
		"--no-align": "", "--tuples-only": "", "--quiet": "", "--csv": "", "--expanded": "", "--no-psqlrc": "",
		"--single-transaction": "", "--no-password": "", "-l": "", "--list": "",
		"-c": "=", "--command": "=", "-d": "=", "--dbname": "=", "-U": "=", "--username": "=", "-F": "=", "-R": "=",
		"--field-separator": "=", "-P": "=", "--pset": "=", "-v": "=", "--set": "=", "-h": "host", "--host": "host",
		"-p": "port", "--port": "port"}
}

// psql runs the real psql, as the user of PostgreSQL, against the machine's
// own cluster and no other. Commands come from -c alone: psql's own language
// can run programs and open files of the host, so nothing of it is let in but
// listings.
func psql(p *process) int {
	m := p.guest.m
	if m.pg == nil {
		fmt.Fprintln(p.err, "bash: psql: command not found")
		return 127
	}
	args, err := psqlArguments(p.args, m.spec)
	if err != nil {
		fmt.Fprintf(p.err, "psql: error: %v\n", err)
		return 1
	}
	if c := p.guest.cluster(); c != nil && c.running() && !c.open() {
		fmt.Fprintf(p.err, "psql: error: connection to server on socket failed: FATAL:  %v\n", errNotVetted)
		return 2
	}
	cmd := m.pg.command("psql", []string{"PGHOST=" + m.socket, "PGUSER=postgres", "PGPASSWORD=" + m.rack.opt.Password,
		"PGCONNECT_TIMEOUT=10", "PGDATABASE=postgres"}, append([]string{"-X", "-w"}, args...)...)
	cmd.Stdout, cmd.Stderr = p.out, &scrubbed{p.err, m.socket}
	if err := m.rack.keeper.start(cmd, syscall.SIGKILL); err != nil {
		return p.fail(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err = <-ended:
	case <-p.ctx.Done():
		_ = cmd.Process.Kill()
		err = <-ended
	}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return max(exit.ExitCode(), 1)
	case err != nil:
		return p.fail(err)
	}
	return 0
}

// psqlArguments lets through what psqlFlags allows, every value in the same
// word as its option so that psql cannot read it otherwise.
func psqlArguments(args []string, s Spec) ([]string, error) {
	flags, commanded := psqlFlags(), false
	var out []string
	for i := 0; i < len(args); i++ {
		for _, one := range unbundle(args[i]) {
			name, value, joined := one, "", false
			if strings.HasPrefix(one, "--") {
				name, value, joined = strings.Cut(one, "=")
			} else if strings.HasPrefix(one, "-") && len(one) > 2 {
				name, value, joined = one[:2], one[2:], true
			} else if !strings.HasPrefix(one, "-") {
				if err := plainName(one); err != nil {
					return nil, err
				}
				out = append(out, "--dbname="+one)
				continue
			}
			kind, known := flags[name]
			if !known {
				return nil, fmt.Errorf("option %s is not available on a simulated machine", name)
			}
			if kind == "" {
				commanded = commanded || name == "-l" || name == "--list"
				out = append(out, name)
				continue
			}
			if !joined {
				if i++; i >= len(args) {
					return nil, fmt.Errorf("option %s needs a value", name)
				}
				value = args[i]
			}
			word, err := psqlValue(name, kind, value, s)
			if err != nil {
				return nil, err
			}
			commanded = commanded || name == "-c" || name == "--command"
			out = append(out, word...)
		}
	}
	if !commanded {
		return nil, errors.New("give a command with -c: there is no terminal on a simulated machine")
	}
	return out, nil
}

// unbundle splits "-Atc" into "-A", "-t", "-c"; an option that takes a value
// keeps what follows it.
func unbundle(arg string) []string {
	if !strings.HasPrefix(arg, "-") || strings.HasPrefix(arg, "--") {
		return []string{arg}
	}
	flags := psqlFlags()
	var out []string
	for i := 1; i < len(arg); i++ {
		if kind := flags["-"+arg[i:i+1]]; kind != "" {
			return append(out, "-"+arg[i:])
		}
		out = append(out, "-"+arg[i:i+1])
	}
	return out
}

func psqlValue(name, kind, value string, s Spec) ([]string, error) {
	switch {
	case kind == "host":
		if value != "localhost" && value != "127.0.0.1" && value != s.Address && value != s.Name && value != "/var/run/postgresql" {
			return nil, fmt.Errorf("host %s: a simulated machine's psql reaches its own database only", value)
		}
		return nil, nil
	case kind == "port":
		if value != "5432" {
			return nil, fmt.Errorf("port %s: the database listens on 5432", value)
		}
		return nil, nil
	case name == "-c" || name == "--command":
		if text := strings.TrimSpace(value); strings.HasPrefix(text, `\`) && !harmless.MatchString(text) {
			return nil, fmt.Errorf("%s: psql's own commands are not available on a simulated machine", text)
		}
	case name == "-d" || name == "--dbname":
		if err := plainName(value); err != nil {
			return nil, err
		}
	case (name == "-P" || name == "--pset") && strings.HasPrefix(value, "pager"):
		return nil, errors.New("there is no pager on a simulated machine")
	}
	if strings.HasPrefix(name, "--") {
		return []string{name + "=" + value}, nil
	}
	return []string{name + value}, nil
}

// plainName refuses connection strings, which could name another server.
func plainName(database string) error {
	if strings.ContainsAny(database, "=:/ ") {
		return fmt.Errorf("database %q: only a plain name is possible on a simulated machine", database)
	}
	return nil
}

func pgIsReady(p *process) int {
	if c := p.guest.cluster(); c != nil && c.accepting() {
		p.printf("/var/run/postgresql:5432 - accepting connections\n")
		return 0
	}
	p.printf("/var/run/postgresql:5432 - no response\n")
	return 2
}

// scrubbed shows the socket where Debian has it instead of the host's folder.
type scrubbed struct {
	w    io.Writer
	real string
}

func (s *scrubbed) Write(b []byte) (int, error) {
	text := strings.ReplaceAll(string(b), s.real, "/var/run/postgresql")
	if _, err := io.WriteString(s.w, text); err != nil {
		return 0, err
	}
	return len(b), nil
}
