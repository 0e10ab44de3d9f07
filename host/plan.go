package host

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sort"
	"time"

	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/plan"
	"github.com/webhost-systems/drhost/host/policy"
	"github.com/webhost-systems/drhost/host/report"
	"github.com/webhost-systems/drhost/host/run"
	"github.com/webhost-systems/drhost/host/sandbox"
)

const (
	mostWays    = 128             // that one plan follows
	longest     = 2 * time.Minute // for which it begins to follow others
	lookedAt    = 50              // runs that a forecast is looked for in, the newest first
	mostEarlier = 5               // runs that a forecast rests on
)

// planned follows the ways of a prepared runbook and journals what it found.
// Nothing is changed: calls that change something are predicted.
func (h *Host) planned(ctx context.Context, p *project, s *prepared, log journal.Log, started journal.Started, r Request) (*Result, error) {
	r.Operator = &Unattended{} // a plan asks nobody
	o := h.gateOptions(p, s, log, started, r)
	top, err := gate.New(o, nil)
	if err != nil {
		return nil, journalError(err)
	}
	if err := top.Append(journal.RunStarted, started, true); err != nil {
		return nil, journalError(err)
	}
	book := plan.NewBook(func(out journal.Outcome) error { return top.Append(journal.CallOutcome, out, false) })
	var ends []journal.Finished
	began := h.Clock.Now()
	enough := func() bool { return h.Clock.Now().Sub(began) > longest }
	ways, leftOut, err := plan.Explore(ctx, book, mostWays, enough, func(ctx context.Context, way *plan.Way) error {
		end, err := h.follow(ctx, s, o, started, way)
		ends = append(ends, end)
		return err
	})
	var stop *gate.Stop
	if errors.As(err, &stop) {
		return h.conclude(context.WithoutCancel(ctx), p, started.Run, journal.Finished{Result: "stopped", Message: stop.Text, Exit: run.ExitOf(stop)})
	}
	if err != nil {
		return nil, err
	}
	found := plan.Of(ways, leftOut, book.Reads())
	found.Earlier = h.earlier(ctx, p, started)
	if err := top.Append(journal.PlanMade, found, true); err != nil {
		return nil, journalError(err)
	}
	end := endOf(ends, len(found.Calls))
	if err := top.Append(journal.RunFinished, end, true); err != nil {
		return nil, journalError(err)
	}
	return h.conclude(context.WithoutCancel(ctx), p, started.Run, end)
}

// endOf is how a plan ends: well when one way at least does.
func endOf(ends []journal.Finished, changes int) journal.Finished {
	well := 0
	for _, end := range ends {
		if end.Result == "done" {
			well++
		}
	}
	if well == 0 {
		return ends[0]
	}
	return journal.Finished{Result: "done", Exit: run.ExitDone,
		Message: fmt.Sprintf("planned: %d of %d ways end well, with %d different changes in all", well, len(ends), changes)}
}

// follow goes one way, with clients of its own: what one way foretells is no
// news to another.
func (h *Host) follow(ctx context.Context, s *prepared, o gate.Options, started journal.Started, way *plan.Way) (journal.Finished, error) {
	var none journal.Finished
	options := h.scriptOptions(s.source)
	options.Foresee = true
	script, err := sandbox.Load(options)
	if err != nil {
		return none, Usage(err)
	}
	clients, err := h.clients(s.env, s.modules, s.resolve, s.dir)
	if err != nil {
		return none, err
	}
	defer closeAll(clients)
	o.Log, o.Way, o.Observe = nil, way, nil
	g, err := gate.New(o, nil)
	if err != nil {
		return none, journalError(err)
	}
	one := &prepared{script: script, source: s.source, env: s.env, clients: clients, resolve: s.resolve, redactor: s.redactor}
	end := one.begin(g, o, started).Run(ctx, script.Body("run", sandbox.Input(started.Input)))
	if end.Exit == run.ExitInterrupted {
		return end, &gate.Stop{Why: gate.Interrupted, Text: "interrupted before the plan was made; `drhost plan` makes it anew"}
	}
	if end.Exit == run.ExitJournal {
		return end, &gate.Stop{Why: gate.Unwritable, Text: end.Message}
	}
	return end, nil
}

// earlier are the newest runs and drills of the same runbook that were done.
func (h *Host) earlier(ctx context.Context, p *project, started journal.Started) []journal.PlanForecast {
	ids, err := p.store.List(ctx)
	if err != nil {
		return nil // a forecast is a help and no more
	}
	slices.Reverse(ids)
	var out []journal.PlanForecast
	for _, id := range ids[:min(len(ids), lookedAt)] {
		records, err := p.store.Read(ctx, id)
		if err != nil {
			continue
		}
		r, err := report.Build(records)
		if err != nil || r.Title != started.Title || r.Mode == string(policy.Plan) || r.Status != "done" || len(r.Changes) == 0 {
			continue
		}
		out = append(out, journal.PlanForecast{Run: id, Mode: r.Mode, Seconds: time.Duration(r.Clock.Live).Seconds()})
		if len(out) == mostEarlier {
			break
		}
	}
	return out
}

// following reads the plan that a run follows; head is the hash of its last
// record, "" when the run only begins to follow it.
func (p *project) following(ctx context.Context, id, head string) (journal.Started, journal.Plan, string, time.Time, error) {
	var none journal.Plan
	records, err := p.store.Read(ctx, id)
	if err != nil {
		return journal.Started{}, none, "", time.Time{}, runError(id, err)
	}
	started, found, err := headOf(records)
	if err != nil || !found || policy.Mode(started.Mode) != policy.Plan {
		return started, none, "", time.Time{}, errors.Join(err, Usage(fmt.Errorf("%s is no plan; `drhost plan` makes one and `drhost runs` lists them", id)))
	}
	last := records[len(records)-1].Hash
	if head != "" && head != last {
		return started, none, "", time.Time{}, journalError(fmt.Errorf("plan %s is not the one that the run began with: its journal ends in %s, not in %s", id, last, head))
	}
	for _, r := range records {
		if r.Kind == journal.PlanMade {
			made, err := journal.Decode[journal.Plan](r)
			return started, made, last, r.Time, err
		}
	}
	return started, none, "", time.Time{}, Usage(fmt.Errorf("plan %s was not finished; `drhost plan` makes it anew", id))
}

// old is the age from which a plan is warned of: the world may have changed.
const old = 15 * time.Minute

// adopt completes a request that follows a plan by what the plan was made with,
// and refuses what differs.
func (h *Host) adopt(ctx context.Context, start string, r Request) (Request, error) {
	p, err := h.open(start)
	if err != nil {
		return r, err
	}
	if r.Plan, err = h.findPlan(ctx, p, r.Plan); err != nil {
		return r, err
	}
	planned, _, _, _, err := p.following(ctx, r.Plan, "")
	if err != nil {
		return r, err
	}
	differ := func(what, plan, now string) (Request, error) {
		return r, Usage(fmt.Errorf("plan %s was made with %s %s, and this run has %s; make a new plan with `drhost plan`, or run without --plan", r.Plan, what, plan, now))
	}
	if r.Runbook == "" {
		r.Runbook = planned.Runbook
	}
	if a, b := absolute(r.Runbook), absolute(planned.Runbook); a != b {
		return differ("runbook", planned.Runbook, r.Runbook)
	}
	if r.Env == "" {
		r.Env = planned.Env
	}
	if r.Env != planned.Env {
		return differ("environment", planned.Env, r.Env)
	}
	if r.Input == nil {
		r.Input = map[string]string{}
	}
	var names []string
	for name := range planned.Input {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		before := fmt.Sprint(planned.Input[name])
		now, given := r.Input[name]
		if given && now != before {
			return differ("input", name+"="+before, name+"="+now)
		}
		r.Input[name] = before
	}
	return r, nil
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// findPlan is findRun for plans: "last" is the last of them.
func (h *Host) findPlan(ctx context.Context, p *project, id string) (string, error) {
	if id != "last" {
		return h.findRun(ctx, p, id)
	}
	ids, err := p.store.List(ctx)
	if err != nil {
		return "", journalError(err)
	}
	slices.Reverse(ids)
	for _, id := range ids {
		records, err := p.store.Read(ctx, id)
		if err != nil {
			continue
		}
		if started, found, err := headOf(records); err == nil && found && policy.Mode(started.Mode) == policy.Plan {
			return id, nil
		}
	}
	return "", Usage(fmt.Errorf("there is no plan in %s; `drhost plan` makes one", p.state))
}

// follows refuses a runbook that was edited since the plan was made, and says
// when the plan is old.
func (h *Host) follows(ctx context.Context, p *project, s *prepared, r Request) (head, warning string, err error) {
	planned, _, head, made, err := p.following(ctx, r.Plan, "")
	if err != nil {
		return "", "", err
	}
	if now := hash(s.source.Source); now != planned.SourceHash {
		sealed, err := unseal(p.store.Path(r.Plan), planned, planned.SourceHash)
		if err != nil {
			return "", "", journalError(err)
		}
		return "", "", Usage(fmt.Errorf("%s was edited since plan %s was made:\n%s\nmake a new plan with `drhost plan`, or run without --plan",
			r.Runbook, r.Plan, difference(sealed, s.source.Source, "the plan's")))
	}
	if name := s.source.otherLibrary(planned.Libraries); name != "" {
		return "", "", Usage(fmt.Errorf("%s is another one in this drhost (%s) than in the one that made plan %s (%s), so the run may do other things; make a new plan with `drhost plan`, or run without --plan",
			name, h.Version, r.Plan, planned.Version))
	}
	if w := s.env.world; w != nil && planned.WorldStarted != "" && planned.WorldStarted != w.Started {
		return "", "", Usage(fmt.Errorf("plan %s was made in another simulated world, which has ended since; make a new plan with `drhost plan`", r.Plan))
	}
	if age := h.Clock.Now().Sub(made); age > old {
		warning = fmt.Sprintf("plan %s was made %s ago: the world may have changed since", r.Plan, report.Span(age))
	}
	return head, warning, nil
}

// followed is the plan of a run, as far as its earlier lives have come.
func (p *project) followed(ctx context.Context, started journal.Started, records []journal.Record) (*plan.Follower, error) {
	if started.Plan == "" {
		return nil, nil
	}
	_, made, _, _, err := p.following(ctx, started.Plan, started.PlanHead)
	if err != nil {
		return nil, err
	}
	f := plan.Follow(started.Plan, made)
	return f, f.Recall(records)
}
