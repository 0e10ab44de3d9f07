package physical

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/crypto/ssh"
	"golang.org/x/sync/errgroup"

	"github.com/webhost-systems/drhost/bindings/backup/postgres"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
)

// Machine is a server that is reached by SSH, with PostgreSQL as Debian
// packages it. Its user is root or may become root by sudo without a password.
type Machine struct {
	Client *ssh.Client
	Host   string
	Root   bool // whether the login is root's
	Clock  clock.Clock
}

// Slot is a cluster of a machine, as pg_lsclusters lists it.
type Slot struct {
	Major      int
	Name       string
	Port       int
	Online     bool
	Owner      string
	Data, Logs string
}

// Run runs a command as root and returns what it printed. What it complains
// about is in the fault.
func (m *Machine) Run(ctx context.Context, in io.Reader, words ...string) (string, error) {
	command := quoted(words)
	if !m.Root {
		command = "sudo -n " + command
	}
	return m.shell(ctx, in, command, words[0])
}

func (m *Machine) shell(ctx context.Context, in io.Reader, command, name string) (string, error) {
	session, err := m.Client.NewSession()
	if err != nil {
		return "", fault.New(fault.Unavailable, "the connection to %s was lost: %v", m.Host, err)
	}
	defer session.Close()
	defer context.AfterFunc(ctx, func() { session.Close() })()
	var out, errs bytes.Buffer
	session.Stdout, session.Stderr = &out, &errs
	pipe, err := session.StdinPipe()
	if err == nil {
		err = session.Start(command)
	}
	if err != nil {
		return "", fault.New(fault.Unavailable, "the connection to %s was lost: %v", m.Host, err)
	}
	var fed error
	if in != nil {
		_, fed = io.Copy(pipe, in)
	}
	if fed != nil {
		session.Close() // it must not take what it got for all
		return "", feedFault(ctx, fed, errs.String(), m.Host)
	}
	pipe.Close()
	err = session.Wait()
	var exit *ssh.ExitError
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case errors.As(err, &exit):
		f := fault.New(fault.Failed, "%s on %s ends with %d: %s", name, m.Host, exit.ExitStatus(), lastLines(errs.String()+out.String()))
		if exit.ExitStatus() == 127 {
			f.Kind = fault.Invalid
		}
		return out.String(), f
	case err != nil:
		return "", fault.New(fault.Unavailable, "the connection to %s was lost: %v", m.Host, err)
	}
	return out.String(), nil
}

func feedFault(ctx context.Context, fed error, said, host string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var f *fault.Fault
	if errors.As(fed, &f) {
		return fed
	}
	if said = lastLines(said); said != "" {
		return fault.New(fault.Failed, "%s stopped taking the data: %s", host, said)
	}
	return fault.New(fault.Unavailable, "the connection to %s was lost: %v", host, fed)
}

func lastLines(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	text = strings.Join(lines[max(0, len(lines)-3):], "; ")
	return text[max(0, len(text)-400):]
}

func quoted(words []string) string {
	var out []string
	for _, w := range words {
		out = append(out, "'"+strings.ReplaceAll(w, "'", `'\''`)+"'")
	}
	return strings.Join(out, " ")
}

// Slots asks a machine for its clusters.
func (m *Machine) Slots(ctx context.Context) ([]Slot, error) {
	out, err := m.Run(ctx, nil, "pg_lsclusters", "--no-header")
	if fault.KindOf(err) == fault.Invalid {
		return nil, fault.New(fault.Invalid, "%s has no pg_lsclusters: PostgreSQL is not installed there as Debian packages it", m.Host).
			WithHint("apt-get install postgresql, or restore into a folder of this machine with `folder`")
	}
	if err != nil {
		return nil, err
	}
	var found []Slot
	for line := range strings.SplitSeq(out, "\n") {
		fields := strings.Fields(line)
		if len(fields) < 6 {
			continue
		}
		s := Slot{Name: fields[1], Online: strings.HasPrefix(fields[3], "online"), Owner: fields[4], Data: fields[5]}
		s.Major, _ = strconv.Atoi(fields[0])
		s.Port, _ = strconv.Atoi(fields[2])
		if len(fields) > 6 {
			s.Logs = fields[6]
		}
		if s.Major > 0 && strings.HasPrefix(s.Data, "/") && len(s.Data) > 1 {
			found = append(found, s)
		}
	}
	return found, nil
}

// Slot picks the cluster that a copy can take the place of.
func (m *Machine) Slot(ctx context.Context, major int, name string) (Slot, error) {
	all, err := m.Slots(ctx)
	if err != nil {
		return Slot{}, err
	}
	var fit []Slot
	var have []string
	for _, s := range all {
		have = append(have, fmt.Sprintf("%d/%s", s.Major, s.Name))
		if s.Major == major && (name == "" || s.Name == name) {
			fit = append(fit, s)
		}
	}
	switch len(fit) {
	case 1:
		return fit[0], nil
	case 0:
		return Slot{}, fault.New(fault.Conflict, "%s has no cluster of PostgreSQL %d that the copy could take the place of; it has %s", m.Host, major, orNone(have)).
			WithHint("apt-get install postgresql-%d, which makes one", major)
	}
	return Slot{}, fault.New(fault.Conflict, "%s has several clusters of PostgreSQL %d: %s", m.Host, major, strings.Join(have, ", ")).WithHint("say which one")
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

// Deliver sends a chain, laid out, into a folder of a machine. The base backup
// goes over unpacked by the machine itself; the log was checked here before.
func (c *Chain) deliver(ctx context.Context, m *Machine, folder, wal string, stop Stop) error {
	if err := c.Unpack(ctx, m.Clock, func(in io.Reader) error { return m.untar(ctx, in, folder) }); err != nil {
		return err
	}
	text, err := m.Run(ctx, nil, "cat", folder+"/"+autoConf)
	if err != nil {
		return err
	}
	settings := stop.settings(c.Line.Timeline)
	group, inner := errgroup.WithContext(ctx)
	out, in := io.Pipe()
	group.Go(func() error {
		err := c.pack(in, wal, map[string]string{autoConf: armed(text, settings), "recovery.signal": ""})
		in.CloseWithError(err)
		return err
	})
	group.Go(func() error {
		err := m.untar(inner, out, folder)
		out.CloseWithError(err)
		return err
	})
	return group.Wait()
}

// untar has the machine unpack an archive into a folder, compressed on the way
// when it can.
func (m *Machine) untar(ctx context.Context, in io.Reader, folder string) error {
	if _, err := m.Run(ctx, nil, "zstd", "--version"); err != nil {
		_, err := m.Run(ctx, in, "tar", "-x", "-f", "-", "-C", folder)
		return err
	}
	out, to := io.Pipe()
	group, inner := errgroup.WithContext(ctx)
	group.Go(func() error {
		w, err := zstd.NewWriter(to, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2))
		if err == nil {
			_, err = io.Copy(w, in)
		}
		if err == nil {
			err = w.Close()
		}
		to.CloseWithError(err)
		return err
	})
	group.Go(func() error {
		_, err := m.Run(inner, out, "sh", "-c", "zstd -dc | tar -x -f - -C "+quoted([]string{folder}))
		out.CloseWithError(err)
		return err
	})
	return group.Wait()
}

// pack writes an archive of the log and of some small files.
func (c *Chain) pack(to io.Writer, wal string, files map[string]string) error {
	w := tar.NewWriter(to)
	entries, err := os.ReadDir(wal)
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Name: "pg_wal/" + e.Name(), Mode: 0o600, Size: info.Size(), Typeflag: tar.TypeReg, ModTime: info.ModTime()}); err != nil {
			return err
		}
		file, err := os.Open(filepath.Join(wal, e.Name()))
		if err != nil {
			return err
		}
		_, err = io.Copy(w, file)
		if err = errors.Join(err, file.Close()); err != nil {
			return err
		}
	}
	for name, text := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(text)), Typeflag: tar.TypeReg}); err != nil {
			return err
		}
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
	}
	return w.Close()
}

// room refuses a machine whose disk is too small for what comes beside.
func (m *Machine) room(ctx context.Context, folder string, needed int64) error {
	out, err := m.Run(ctx, nil, "df", "-Pk", folder)
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	fields := strings.Fields(lines[len(lines)-1])
	if len(fields) < 4 {
		return fault.New(fault.Failed, "df on %s says %q", m.Host, lastLines(out))
	}
	kib, err := strconv.ParseInt(fields[3], 10, 64)
	if err == nil && kib<<10 < needed {
		return fault.New(fault.Exhausted, "the disk of %s has %d MiB left; the cluster needs %d MiB beside the one that is kept", m.Host, kib>>10, needed>>20).
			WithHint("make room, but not by deleting the damaged cluster before the restored one is checked")
	}
	return err
}

// await waits until the server of a slot has recovered, and asks how far.
func (m *Machine) await(ctx context.Context, s Slot) (Recovered, error) {
	const sql = `select pg_is_in_recovery(), coalesce(pg_last_wal_replay_lsn()::text, '0/0'), coalesce(extract(epoch from pg_last_xact_replay_timestamp()), 0)::text`
	for {
		out, err := m.Run(ctx, nil, "sudo", "-n", "-u", s.Owner, "psql", "-X", "-A", "-t", "-p", strconv.Itoa(s.Port), "-d", "postgres", "-c", sql)
		if err == nil {
			fields := strings.Split(strings.TrimSpace(out), "|")
			if len(fields) == 3 && fields[0] == "f" {
				at, err := postgres.ParseLSN(fields[1])
				seconds, _ := strconv.ParseFloat(fields[2], 64)
				r := Recovered{Replayed: at}
				if seconds > 0 {
					r.Commit = time.UnixMicro(int64(seconds * 1e6)).UTC()
				}
				return r, err
			}
		} else if ctx.Err() != nil || fault.KindOf(err) == fault.Unavailable {
			return Recovered{}, err
		}
		now, err := m.Slot(ctx, s.Major, s.Name)
		if err != nil {
			return Recovered{}, err
		}
		if !now.Online {
			return Recovered{}, fault.New(fault.Failed, "the restored server on %s does not start: %s", m.Host, m.lastWords(ctx, s)).
				WithHint("the message is the server's own; the cluster that was there before is put back, stopped, and the restored one stays beside it")
		}
		binding.Progress(ctx, "the server on %s is recovering", m.Host)
		if err := m.Clock.Sleep(ctx, 500*time.Millisecond); err != nil {
			return Recovered{}, err
		}
	}
}

// lastWords are the end of a server's log.
func (m *Machine) lastWords(ctx context.Context, s Slot) string {
	if s.Logs == "" {
		return "its log tells why"
	}
	out, err := m.Run(ctx, nil, "tail", "-n", "20", s.Logs)
	if err != nil {
		return "its log " + s.Logs + " tells why"
	}
	var fatal []string
	for line := range strings.SplitSeq(out, "\n") {
		if strings.Contains(line, "FATAL") || strings.Contains(line, "PANIC") {
			fatal = append(fatal, line)
		}
	}
	if len(fatal) > 0 {
		out = strings.Join(fatal, "\n")
	}
	return lastLines(out)
}
