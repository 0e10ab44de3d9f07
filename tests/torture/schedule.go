package torture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/journal"
)

// Trial asks for one world and says how the run in it is to die.
type Trial struct {
	Drill    string // path in the working folder
	Undo     bool   // let the run live, and its undo die
	Schedule string // one of Schedules
	Death    string // kill, power, torn, or mixed: each death another one
	Seed     int64
	At       int  // single: the boundary
	Most     int  // deaths at most; 0: no limit
	Lies     bool // a disk that does not sync intents: it has to be noticed
}

// Line is the command that does the same again.
func (r Trial) Line() string {
	line := fmt.Sprintf("go run ./tests/torture/cmd/torture --drill %s --schedule %s --death %s", name(r.Drill), r.Schedule, r.Death)
	for _, flag := range []struct {
		name string
		n    int
	}{{"seed", int(r.Seed)}, {"at", r.At}, {"most", r.Most}} {
		if flag.n != 0 {
			line += fmt.Sprintf(" --%s %d", flag.name, flag.n)
		}
	}
	if r.Undo {
		line += " --undo"
	}
	return line
}

func name(drill string) string {
	return strings.TrimSuffix(drill[strings.LastIndexByte(drill, '/')+1:], ".lua")
}

// Outcome is what became of a trial.
type Outcome struct {
	Trial      Trial
	Deaths     int
	Lives      int
	Asked      int      // how often the operator had to look
	Duplicates int      // deeds done more often than in the undisturbed run
	Stuck      string   // why the run did not come to its end; "": it did
	Problems   []string // duplicates by name, differences of the world, what the drill missed
	At         string   // the last boundary died at
	Took       time.Duration
}

// Failed tells whether something is wrong.
func (o Outcome) Failed() bool { return o.Stuck != "" || o.Duplicates > 0 || len(o.Problems) > 0 }

// without is how many lives in a row may pass without anything new in the
// journal before a run counts as stuck.
const without = 60

// dying leads the lives of a trial.
type dying struct {
	Trial
	*trial
	verb    string
	random  *rand.Rand
	seen    map[string]int
	deaths  int
	span    int // early: how many boundaries a life has at most
	idle    int // lives without a new record
	records int
	at      string
	trace   io.Writer
}

// through lets the run die and resumes it until it comes to the end that it
// comes to undisturbed. It returns why it does not, or "".
func (d *dying) through(ctx context.Context, want ending) (stuck string, err error) {
	for {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		plan := d.plan()
		last, err := d.live(ctx, d.verb, plan)
		if err != nil {
			return "", err
		}
		if last.End != nil {
			is := d.ending(last.End)
			if want.Exit != 0 {
				return want.unlike(is), nil
			}
			if done, err := d.done(ctx); err != nil || done {
				return "", err
			}
			return want.unlike(is), nil
		}
		d.deaths++
		d.at = last.Death.Key
		d.seen[last.Death.Key]++
		if d.trace != nil {
			fmt.Fprintf(d.trace, "%s: %s at boundary %d of life %d, %s\n", name(d.Drill), plan.Death, last.Death.N, d.lives, d.at)
		}
		if idle, err := d.idles(ctx); err != nil || idle {
			return fmt.Sprintf("%d lives brought nothing new; the last died at %q", without, d.at), err
		}
	}
}

// ending is how a life ended by itself, in words that are the same in every
// world.
type ending struct {
	Exit    int
	Message string
}

func (t *trial) ending(e *end) ending {
	return ending{e.Exit, moments.ReplaceAllString(t.plain(requests.ReplaceAllString(e.Message, "$1 -")), "until -")}
}

// moments are those up to which something lasts.
var moments = regexp.MustCompile(`\buntil \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)

// requests are the names that providers give to single requests.
var requests = regexp.MustCompile(`\b(request|cf-ray) (?:[0-9A-Z]{26}-[a-z]{3}|[0-9a-f]{16}-[A-Z]{3})\b`)

// unlike says what is instead of what was expected, or "".
func (e ending) unlike(is ending) string {
	if is == e {
		return ""
	}
	return fmt.Sprintf("exit %d: %s (undisturbed exit %d: %s)", is.Exit, is.Message, e.Exit, e.Message)
}

// done tells whether the journal says that the run, or its undo, is done. A
// life that died after that is told that there is nothing to resume.
func (d *dying) done(ctx context.Context) (bool, error) {
	kind := journal.RunFinished
	if d.verb == verbUndo {
		kind = journal.UndoFinished
	}
	end, err := d.trial.finished(ctx, kind)
	return end.Result == "done", err
}

// finished is the latest record of a kind that says how a run, or its undo, has
// ended; the zero value when there is none.
func (t *trial) finished(ctx context.Context, kind journal.Kind) (end journal.Finished, err error) {
	all, err := t.records(ctx)
	for _, r := range all {
		if r.Kind == kind && err == nil {
			end, err = journal.Decode[journal.Finished](r)
		}
	}
	return end, err
}

// idles tells whether lives pass and nothing comes of them.
func (d *dying) idles(ctx context.Context) (bool, error) {
	all, err := d.trial.records(ctx)
	if err != nil {
		return false, err
	}
	n := 0
	for _, r := range all {
		if r.Kind != journal.LeaseTaken && r.Kind != journal.TailRepaired {
			n++
		}
	}
	if d.idle++; n > d.records {
		d.idle, d.records = 0, n
	}
	if d.idle > 2 {
		d.span += max(10, d.span/2) // a life must come further than its replay, and than a long wait within one call
	}
	return d.idle > without+len(d.seen), nil
}

// plan is how the next life is to die.
func (d *dying) plan() Plan {
	p := Plan{Death: d.Death, Seen: d.seen, Seed: d.Seed}
	if d.Death == "mixed" {
		p.Death = []string{Kill, Power, Torn}[d.random.IntN(3)]
	}
	if d.Most > 0 && d.deaths >= d.Most {
		return Plan{}
	}
	switch d.Schedule {
	case "each":
		p.Times = 1
	case "twice":
		p.Times = 2
	case "some":
		p.Times, p.Skip = 1, 0.8
	case "few":
		p.Times, p.Skip = 1, 0.96
	case "late":
		p.Times, p.Late = 2, true
	case "early":
		p.At = 1 + d.random.IntN(d.span)
	case "single":
		if d.deaths > 0 {
			return Plan{}
		}
		p.At = d.At
	}
	return p
}

// Undisturbed is what a drill comes to when nothing dies.
type Undisturbed struct {
	End        ending
	Boundaries int
	World      image
	Deeds      deeds
	Undoable   bool
	UndoEnd    ending
	Undone     image
	UndoDeeds  deeds
	UndoBounds int
}

// undisturbed holds the drill without a death, and takes it back. A run that
// does not end as the drill wants it, and an undo that fails without being
// known for it, is an error.
func (g Grounds) undisturbed(ctx context.Context, drill string) (u Undisturbed, err error) {
	t, err := begin(ctx, g.Dir, drill, g.Speed)
	if err != nil {
		return u, err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	last, err := t.live(ctx, verbRun, Plan{})
	if err != nil {
		return u, err
	}
	if last.End == nil {
		return u, fmt.Errorf("%s: undisturbed it ends without a word", drill)
	}
	if u.End = t.ending(last.End); u.End.Exit != 0 && t.stage.Drill.Ends == "done" {
		return u, fmt.Errorf("undisturbed it ends with exit %d: %s", u.End.Exit, u.End.Message)
	}
	u.Boundaries = last.End.Boundaries
	if u.World, err = t.image(ctx); err != nil {
		return u, err
	}
	if u.Deeds, err = t.deeds(ctx); err != nil {
		return u, err
	}
	if last, err = t.live(ctx, verbUndo, Plan{}); err != nil {
		return u, err
	}
	if last.End == nil {
		return u, fmt.Errorf("%s: undisturbed its undo ends without a word", drill)
	}
	if u.UndoEnd = t.ending(last.End); u.UndoEnd.Exit != 0 {
		if strings.Contains(u.UndoEnd.Message, "nothing that could be undone") {
			return u, nil
		}
		if undoFails()[name(drill)] == "" {
			return u, fmt.Errorf("undisturbed its undo ends with exit %d: %s", u.UndoEnd.Exit, u.UndoEnd.Message)
		}
	} else if undoFails()[name(drill)] != "" {
		return u, errors.New("its undo is known to fail, and works: see undoFails")
	}
	u.Undoable, u.UndoBounds = true, last.End.Boundaries
	if u.Undone, err = t.image(ctx); err != nil {
		return u, err
	}
	u.UndoDeeds, err = t.deeds(ctx)
	return u, err
}

// Grounds are where trials are held: a working folder, and how much faster
// than life its worlds are.
type Grounds struct {
	Dir   string
	Speed float64
	Trace io.Writer // told of every death; may be nil
}

// Hold holds one trial and judges it by the undisturbed run.
func (g Grounds) Hold(ctx context.Context, r Trial, u Undisturbed) (out Outcome, err error) {
	out.Trial = r
	speed := g.Speed
	if r.Schedule == "late" {
		speed = lateSpeed
	}
	t, err := begin(ctx, g.Dir, r.Drill, speed)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	t.lies = r.Lies
	if r.Schedule == "late" {
		if err := t.dawdle(); err != nil {
			return out, err
		}
	}
	d := &dying{Trial: r, trial: t, verb: verbRun, random: rand.New(rand.NewPCG(uint64(r.Seed), 0x646965)), seen: map[string]int{}, span: 8, trace: g.Trace}
	world, done, ends := u.World, u.Deeds, u.End
	if r.Undo {
		last, err := t.live(ctx, verbRun, Plan{})
		if err != nil {
			return out, err
		}
		if last.End == nil || t.ending(last.End) != u.End {
			return out, fmt.Errorf("%s: before its undo it ends with %+v", r.Drill, last.End)
		}
		d.verb, world, done, ends = verbUndo, u.Undone, u.UndoDeeds, u.UndoEnd
	}
	out.Stuck, err = d.through(ctx, ends)
	out.Deaths, out.Lives, out.Asked, out.At = d.deaths, t.lives, t.asked, d.at
	if err != nil {
		return out, fmt.Errorf("after %d deaths, the last at %q: %w", d.deaths, d.at, err)
	}
	return out, g.judge(ctx, t, r, &out, world, done)
}

// Speed of worlds whose providers dawdle, and how much longer than else they
// take over a mutation: a quarter of a second of the harness's time, in which
// the next life begins, and not as long as a binding waits for what was sent.
const (
	lateSpeed  = 20
	lateFactor = 40
)

// dawdle makes the providers slow, so that what a dead life has sent is done
// when the next one already looks.
func (t *trial) dawdle() error {
	providers := []string{"hetzner", "cloudflare"}
	if len(t.before.names) > 0 {
		providers = append(providers, "fly")
	}
	for _, provider := range providers {
		args := map[string]any{"provider": provider, "kind": "slow", "factor": float64(lateFactor), "method": "mutation"}
		if _, err := t.stage.Sim.Live.Do("api", args); err != nil {
			return err
		}
	}
	return nil
}

// judge holds the world against the undisturbed one.
func (g Grounds) judge(ctx context.Context, t *trial, r Trial, out *Outcome, want image, done deeds) error {
	now, err := t.deeds(ctx)
	if err != nil {
		return err
	}
	out.Problems, out.Duplicates = now.twice(done)
	if out.Stuck != "" {
		return nil
	}
	is, err := t.image(ctx)
	if err != nil {
		return err
	}
	if o, known := otherEnds()[name(r.Drill)]; known && !r.Undo {
		end, err := t.finished(ctx, journal.RunFinished)
		if err != nil {
			return err
		}
		if end.Message == o.message {
			want = slices.DeleteFunc(slices.Clone(want), func(line string) bool { return line == o.without })
		}
	}
	for _, line := range want.unlike(is) {
		out.Problems = append(out.Problems, "world: "+line)
	}
	if r.Undo {
		return nil
	}
	verdict, err := t.stage.Judge(ctx)
	if err != nil {
		return err
	}
	for _, m := range verdict.Verdict.Missed {
		out.Problems = append(out.Problems, "drill: "+m)
	}
	return nil
}
