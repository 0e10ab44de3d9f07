package host

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/policy"
)

// Resume goes on with a run where it stopped, from the folder start.
func (h *Host) Resume(ctx context.Context, start, id string, r Request) (*Result, error) {
	past, err := h.reopen(ctx, start, id, r, resumable)
	if err != nil {
		return nil, err
	}
	defer past.close()
	return h.execute(ctx, past.p, past.s, past.log, past.started, r)
}

// past is a run that somebody goes on with.
type past struct {
	p       *project
	s       *prepared
	log     journal.Log
	started journal.Started
}

func (o *past) close() {
	closeAll(o.s.clients)
	o.log.Close()
}

// reopen opens the journal of a run and loads its script once more, as it is
// now. head returns the run's head, unless there is nothing to go on with.
func (h *Host) reopen(ctx context.Context, start, id string, r Request, head func(id string, records []journal.Record) (journal.Started, error)) (_ *past, err error) {
	p, err := h.open(start)
	if err != nil {
		return nil, err
	}
	if err := enoughSaid(r.BreakGlass); err != nil {
		return nil, err
	}
	p.asking(ctx, r.Operator)
	if id, err = h.findRun(ctx, p, id); err != nil {
		return nil, err
	}
	operator := r.Name
	if operator == "" {
		operator = whoami()
	}
	log, err := p.store.Open(ctx, id, holder(operator))
	if err != nil {
		return nil, runError(id, err)
	}
	o := &past{p: p, s: &prepared{}, log: log}
	defer func() {
		if err != nil {
			o.close()
		}
	}()
	if o.started, err = head(id, log.Records()); err != nil {
		return nil, err
	}
	source, err := h.sourceToResume(ctx, p, log, o.started, operator, r)
	if err != nil {
		return nil, err
	}
	s, err := h.prepare(p, source, o.started.Env, nil)
	if err != nil {
		return nil, err
	}
	o.s = s
	if err := sameWorld(o.started, s.env.world); err != nil {
		return nil, err
	}
	if r.Recall != nil {
		r.Recall(log.Records())
	}
	o.started.Input, err = inputToResume(s.script, o.started)
	return o, err
}

func runError(id string, err error) error {
	if errors.Is(err, journal.ErrNotFound) {
		return Usage(fmt.Errorf("%s: %w; `drhost runs` lists them", id, err))
	}
	var held *journal.HeldError
	if errors.As(err, &held) {
		return journalError(fmt.Errorf("run %s: %w", id, held))
	}
	var damaged *journal.DamagedError
	if errors.As(err, &damaged) {
		return journalError(fmt.Errorf("run %s: %w; put back an untouched copy of the journal, or look what the lines before it say was done and start a new run", id, damaged))
	}
	return journalError(fmt.Errorf("run %s: %w", id, err))
}

// resumable returns the head of the run, unless it is over.
func resumable(id string, records []journal.Record) (journal.Started, error) {
	started, found, err := headOf(records)
	if err != nil {
		return started, err
	}
	if slices.ContainsFunc(records, func(r journal.Record) bool { return r.Kind == journal.UndoStarted }) {
		return started, Usage(fmt.Errorf("run %s was taken back, or is being taken back; `drhost undo %s` goes on with that, and a recovery needs a new run", id, id))
	}
	for _, r := range records {
		if r.Kind != journal.RunFinished {
			continue
		}
		end, err := journal.Decode[journal.Finished](r)
		if err != nil {
			return started, journalError(err)
		}
		if end.Result == "done" && policy.Mode(started.Mode) != policy.Plan {
			return started, Usage(fmt.Errorf("run %s is done: %s; there is nothing to resume", id, end.Message))
		}
	}
	if !found {
		return started, journalError(fmt.Errorf("run %s died before its first record; nothing was done, start it anew", id))
	}
	if policy.Mode(started.Mode) == policy.Plan {
		return started, Usage(fmt.Errorf("%s is a plan; plans are not resumed, run `drhost plan` again", id))
	}
	return started, nil
}

// headOf is the run's own head; found is false when it was never written.
func headOf(records []journal.Record) (started journal.Started, found bool, err error) {
	for _, r := range records {
		if r.Kind == journal.RunStarted {
			if started, err = journal.Decode[journal.Started](r); err != nil {
				return started, false, journalError(err)
			}
			found = true
		}
	}
	return started, found, nil
}

// findRun completes a run's id: "last" and unique beginnings serve as well.
func (h *Host) findRun(ctx context.Context, p *project, id string) (string, error) {
	ids, err := p.store.List(ctx)
	if err != nil {
		return "", journalError(err)
	}
	if len(ids) == 0 {
		return "", Usage(fmt.Errorf("there are no runs in %s", p.state))
	}
	if id == "last" {
		return ids[len(ids)-1], nil
	}
	var matches []string
	for _, known := range ids {
		if known == id {
			return id, nil
		}
		if len(id) > 0 && len(known) > len(id) && (known[:len(id)] == id || known[len(known)-len(id):] == id) {
			matches = append(matches, known)
		}
	}
	switch len(matches) {
	case 1:
		return matches[0], nil
	case 0:
		return "", Usage(fmt.Errorf("there is no run %q; `drhost runs` lists them", id))
	}
	return "", Usage(fmt.Errorf("%q could be %d runs, %s among them; write more of it", id, len(matches), matches[0]))
}
