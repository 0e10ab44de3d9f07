// Command bench measures what drhost costs beside the work it has to wait for:
// starting, a call through the gate, a journaled mutation, a record, a resume,
// a whole recovery, and that of a fleet; with -backup, what backups and restores cost. Each figure stands beside a rival measured on the same machine in
// the same run, because a figure alone says more about the machine. It must
// never fail because a target was missed, only when something did not run.
//
//	go run ./tests/bench [-json] [-only start,call] [-k6=false] [-rounds 20]
//	go run ./tests/bench -backup [-json] [-only create,restore] [-size 1500] [-rounds 3]
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/webhost-systems/drhost/host/clock"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// bench is what all measurements share.
type bench struct {
	root    string // of the repository
	program string // bin/drhost
	scratch string // a folder on the repository's disk, removed at the end
	rounds  int
	withK6  bool
	clock   clock.Clock
	say     io.Writer
	size    int     // of the database that is backed up, in MB
	ground  *ground // what backups are measured on, once it is there
}

// section is one of the measurements.
type section struct {
	name    string
	explain string
	measure func(context.Context, *bench) ([]row, error)
}

func sections() []section {
	return []section{
		{"start", "From starting the process to its first step: the median of all rounds, in which every program has its turn. A program's\n" +
			"first step is its first line of output that a script asked for.", measureStart},
		{"call", "A call of a provider function that does nothing, from Lua through the gate and back, with a table in and a table out and\n" +
			"without a journal; the rival is a stock gopher-lua state that calls a Go function reading one table and making another.", measureCall},
		{"mutation", "A mutation that does nothing, through the gate, with intent and outcome in the journal on disk; the rival appends as many\n" +
			"bytes twice with a sync each. They take turns; medians.", measureMutation},
		{"resume", "The process from its start to its end: resume of a run of 10,000 calls up to a question that nobody answers, with its reports\n" +
			"written anew. The rival reads the same journal and hashes its lines one after the other, and does nothing else.", measureResume},
		{"record", "A record that is not synced, and one that is searched for ten secrets, without a disk. The rivals encode the same as JSON\n" +
			"and, for the first, write it; they take turns.", measureRecord},
		{"demo", "The run of make demo, from its first record to its last. The critical path counts what no host could save: what the simulated\n" +
			"world and the waits of eventually and retry made the run wait (at the drill's speed), and the calls of backup and pg, in which\n" +
			"PostgreSQL works; added up in sequence, and of parallel branches the one that ends last. All else, also what drhost's clients\n" +
			"do inside a call, counts against drhost. Beside it the same path with every call as it took.", measureDemo},
		{"fleet", "runbooks/hobby_fleet.lua starts that many bare servers that are off, by each, at Hetzner's pace and with an hour's requests used\n" +
			"up by others; the small fleets at the pace of life or twice it. The bound is what no client can beat: the requests that list the\n" +
			"servers and start each, one a second, and the boot of the last one. Requests are counted by the simulator; the memory is the\n" +
			"most that the process had resident.", measureFleet},
	}
}

func run(ctx context.Context, args []string, out, say io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(say)
	asJSON := flags.Bool("json", false, "print the figures as JSON")
	only := flags.String("only", "", "measure only these, by comma: start, call, mutation, resume, record, demo, fleet; with -backup: create, restore, verify, files, exposure, judges")
	backups := flags.Bool("backup", false, "measure backups and restores instead")
	size := flags.Int("size", 1500, "with -backup: about how many MB the database has")
	rounds := flags.Int("rounds", 0, "how often each program is started; 20 when not given, of backups 3")
	withK6 := flags.Bool("k6", true, "build and start k6 as a rival; the first time takes minutes")
	if err := flags.Parse(args); err != nil {
		return err
	}
	all, usual := sections(), 20
	if *backups {
		all, usual = backupSections(), 3
	}
	chosen, err := choose(*only, all)
	if err != nil {
		return err
	}
	if *rounds <= 0 {
		*rounds = usual
	}
	b := &bench{rounds: *rounds, withK6: *withK6, clock: clock.System{}, say: say, size: max(*size, 20)}
	if err := b.prepare(); err != nil {
		return err
	}
	defer os.RemoveAll(b.scratch)
	defer b.close()
	done := measure(ctx, b, chosen)
	if *asJSON {
		err = printJSON(out, done)
	} else {
		err = printTable(out, done)
	}
	if err != nil {
		return err
	}
	return broken(done)
}

func choose(only string, all []section) ([]section, error) {
	if only == "" {
		return all, nil
	}
	var chosen []section
	for _, name := range strings.Split(only, ",") {
		at := slices.IndexFunc(all, func(s section) bool { return s.name == strings.TrimSpace(name) })
		if at < 0 {
			return nil, fmt.Errorf("-only %s: there is no measurement %q", only, name)
		}
		chosen = append(chosen, all[at])
	}
	return chosen, nil
}

// prepare finds the repository, which is the folder it is started in, and
// makes the scratch folder on its disk: that is where journals are kept too.
func (b *bench) prepare() error {
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	b.root, b.program = root, filepath.Join(root, "bin", "drhost")
	if _, err := os.Stat(filepath.Join(root, "tests", "bench")); err != nil {
		return fmt.Errorf("start it in the root of the repository: make bench")
	}
	if err := os.MkdirAll(filepath.Join(root, "bin"), 0o755); err != nil {
		return err
	}
	b.scratch, err = os.MkdirTemp(filepath.Join(root, "bin"), "bench-")
	return err
}

// measure goes on after a measurement that did not run.
func measure(ctx context.Context, b *bench, chosen []section) []measured {
	var done []measured
	for _, s := range chosen {
		fmt.Fprintf(b.say, "measuring %s\n", s.name)
		rows, err := s.measure(ctx, b)
		m := measured{Name: s.name, Explain: s.explain, Rows: rows}
		if err != nil {
			m.Problem = err.Error()
		}
		done = append(done, m)
	}
	return done
}

func broken(done []measured) error {
	var names []string
	for _, m := range done {
		if m.Problem != "" {
			names = append(names, m.Name)
		}
	}
	if len(names) > 0 {
		return fmt.Errorf("did not run: %s", strings.Join(names, ", "))
	}
	return nil
}
