package torture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/webhost-systems/drhost/host/clock"
)

// NewGrounds makes a working folder as `drhost init` does, below dir.
func NewGrounds(dir string, speed float64) (Grounds, error) {
	h, err := newHost("")
	if err != nil {
		return Grounds{}, err
	}
	_, err = h.Init(dir)
	return Grounds{Dir: dir, Speed: speed}, err
}

// Drills are the drill files of the grounds, all of them.
func (g Grounds) Drills() ([]string, error) {
	files, err := filepath.Glob(filepath.Join(g.Dir, "runbooks", "drills", "*.lua"))
	if err == nil && len(files) == 0 {
		err = errors.New("there is no drill to torture")
	}
	return files, err
}

// Campaign is a set of trials with what came of them.
type Campaign struct {
	Grounds Grounds
	Workers int
	Log     io.Writer // progress and every failure, at once

	mu       sync.Mutex
	begun    time.Time
	known    map[string]Undisturbed
	outcomes []Outcome
}

// Run holds the trials that plan makes of every drill. Only what keeps the
// harness itself from working is an error.
func (c *Campaign) Run(ctx context.Context, drills []string, plan func(drill string, u Undisturbed) []Trial) ([]Outcome, error) {
	c.begun, c.known = clock.System{}.Now(), map[string]Undisturbed{}
	group, first := errgroup.WithContext(ctx)
	group.SetLimit(max(c.Workers, 1))
	for _, drill := range drills {
		group.Go(func() error {
			u, err := c.Grounds.undisturbed(first, drill)
			if first.Err() != nil {
				return first.Err()
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			if err != nil { // the others go on
				c.outcomes = append(c.outcomes, Outcome{Trial: Trial{Drill: drill, Schedule: "undisturbed"}, Stuck: err.Error()})
				fmt.Fprintf(c.Log, "FAILED %s: %s\n", name(drill), err)
				return nil
			}
			c.known[drill] = u
			fmt.Fprintf(c.Log, "%s: undisturbed it passes %d boundaries, its undo %d\n", name(drill), u.Boundaries, u.UndoBounds)
			if u.End.Exit != 0 {
				fmt.Fprintf(c.Log, "%s: it ends with exit %d, as it should: %s\n", name(drill), u.End.Exit, u.End.Message)
			}
			if u.UndoEnd.Exit != 0 && u.Undoable {
				fmt.Fprintf(c.Log, "%s: its undo ends with exit %d, because %s\n", name(drill), u.UndoEnd.Exit, undoFails()[name(drill)])
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	group, second := errgroup.WithContext(ctx)
	group.SetLimit(max(c.Workers, 1))
	for _, drill := range drills {
		u, known := c.known[drill]
		if !known {
			continue
		}
		for _, r := range plan(drill, u) {
			if r.Undo && !u.Undoable {
				continue
			}
			group.Go(func() error { return c.hold(second, r) })
		}
	}
	err := group.Wait()
	return c.outcomes, err
}

func (c *Campaign) hold(ctx context.Context, r Trial) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	began := clock.System{}.Now()
	out, err := c.Grounds.Hold(ctx, r, c.known[r.Drill])
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil { // a life that ended without a word, a world that cannot be looked at
		out.Stuck = err.Error()
	}
	out.Took = clock.System{}.Now().Sub(began)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outcomes = append(c.outcomes, out)
	verb := "run"
	if r.Undo {
		verb = "undo"
	}
	fmt.Fprintf(c.Log, "%s, %s, %s, %s, seed %d: %d deaths in %s\n", name(r.Drill), verb, r.Schedule, r.Death, r.Seed, out.Deaths, out.Took.Round(time.Second))
	if out.Failed() {
		fmt.Fprintf(c.Log, "FAILED %s\n  after %d deaths, the last at %q\n", r.Line(), out.Deaths, out.At)
		if out.Stuck != "" {
			fmt.Fprintf(c.Log, "  stuck: %s\n", out.Stuck)
		}
		for _, p := range out.Problems[:min(len(out.Problems), 12)] {
			fmt.Fprintf(c.Log, "  %s\n", p)
		}
	}
	return nil
}

// Table prints what came of the trials, per drill and way of dying, and tells
// whether anything is wrong.
func (c *Campaign) Table(w io.Writer) (failed bool) {
	type sum struct{ trials, deaths, lives, duplicates, stuck, asked, other int }
	rows := map[string]*sum{}
	total := &sum{}
	for _, o := range c.outcomes {
		verb := "run"
		if o.Trial.Undo {
			verb = "undo"
		}
		key := strings.Join([]string{name(o.Trial.Drill), verb, o.Trial.Schedule, o.Trial.Death}, "\t")
		if rows[key] == nil {
			rows[key] = &sum{}
		}
		for _, s := range []*sum{rows[key], total} {
			s.trials, s.deaths, s.lives, s.duplicates, s.asked = s.trials+1, s.deaths+o.Deaths, s.lives+o.Lives, s.duplicates+o.Duplicates, s.asked+o.Asked
			switch {
			case o.Stuck != "":
				s.stuck++
			case o.Failed() && o.Duplicates == 0:
				s.other++
			}
		}
		failed = failed || o.Failed()
	}
	t := tabwriter.NewWriter(w, 2, 8, 2, ' ', tabwriter.AlignRight|tabwriter.Debug)
	fmt.Fprintln(t, "drill\tverb\tschedule\tdeath\tworlds\tdeaths\tlives\tduplicates\tstuck\tdifferent\tasked\t")
	line := func(key string, s *sum) {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", key, s.trials, s.deaths, s.lives, s.duplicates, s.stuck, s.other, s.asked)
	}
	keys := make([]string, 0, len(rows))
	for key := range rows {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		line(key, rows[key])
	}
	line("all\t\t\t", total)
	t.Flush()
	fmt.Fprintf(w, "%d scenarios, %d deaths, %d lives, %d duplicates, %d stuck, %d different, %d times a person was asked, in %s\n", len(rows), total.deaths,
		total.lives, total.duplicates, total.stuck, total.other, total.asked, clock.System{}.Now().Sub(c.begun).Round(time.Second))
	return failed
}

// Scratch makes a folder below the one for temporary files and returns it with
// what removes it.
func Scratch() (string, func(), error) {
	dir, err := os.MkdirTemp("", "drhost-torture-")
	return dir, func() { os.RemoveAll(dir) }, err
}
