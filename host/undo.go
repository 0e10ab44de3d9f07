package host

import (
	"context"
	"errors"
	"fmt"

	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/policy"
	"github.com/webhost-systems/drhost/host/run"
	"github.com/webhost-systems/drhost/host/sandbox"
)

// Undo takes a run back: the undo of every step that finished, the last first.
// An undo that was interrupted goes on where it stopped.
func (h *Host) Undo(ctx context.Context, start, id string, r Request) (*Result, error) {
	past, err := h.reopen(ctx, start, id, r, undoable)
	if err != nil {
		return nil, err
	}
	defer past.close()
	end, err := h.undo(ctx, past.p, past.s, past.log, past.started, r)
	if err != nil {
		return nil, err
	}
	return h.conclude(context.WithoutCancel(ctx), past.p, past.started.Run, end)
}

// undoable returns the head of the run, unless there is nothing to take back.
func undoable(id string, records []journal.Record) (journal.Started, error) {
	started, found, err := headOf(records)
	switch {
	case err != nil:
		return started, err
	case !found:
		return started, Usage(fmt.Errorf("run %s died before its first record; nothing was done, so there is nothing to undo", id))
	case policy.Mode(started.Mode) == policy.Plan:
		return started, Usage(fmt.Errorf("%s is a plan; it changed nothing, so there is nothing to undo", id))
	}
	for _, r := range records {
		if r.Kind != journal.UndoFinished {
			continue
		}
		end, err := journal.Decode[journal.Finished](r)
		if err != nil {
			return started, journalError(err)
		}
		if end.Result == "done" {
			return started, Usage(fmt.Errorf("run %s is undone already: %s", id, end.Message))
		}
	}
	return started, nil
}

// undo goes over the run to come by its undos, asks, and carries them out.
func (h *Host) undo(ctx context.Context, p *project, s *prepared, log journal.Log, started journal.Started, r Request) (journal.Finished, error) {
	if r.Operator == nil {
		r.Operator = &Unattended{}
	}
	o := h.gateOptions(p, s, log, started, r)
	past, err := gate.Retrace(o, log.Records())
	if err != nil {
		return journal.Finished{}, journalError(err)
	}
	main := s.script.Body("run", sandbox.Input(started.Input))
	u, err := s.begin(past, o, started).Retrace(ctx, main)
	if err != nil {
		return journal.Finished{}, stopped(err)
	}
	if len(u.Steps) == 0 {
		return journal.Finished{}, nothingToUndo(started.Run, u)
	}
	now, err := gate.Undo(o, log.Records())
	if err != nil {
		return journal.Finished{}, journalError(err)
	}
	engine := s.begin(now, o, started)
	if err := engine.Consent(ctx, u, log.Records()); err != nil {
		return journal.Finished{}, stopped(err)
	}
	return engine.Undo(ctx, u), nil
}

// nothingToUndo says why an undo has nothing to do.
func nothingToUndo(id string, u *run.Undoing) error {
	text := fmt.Sprintf("run %s has nothing that could be undone: no step that finished says how (option undo)", id)
	for _, line := range (journal.Undoing{Left: u.Left, Lost: u.Lost}).List() {
		text += "\n" + line
	}
	if len(u.Lost) > 0 {
		return &Error{run.ExitWaits, errors.New(text)}
	}
	return Usage(errors.New(text))
}

// stopped gives a stop before anything was undone the exit code of a run.
func stopped(err error) error {
	return &Error{run.ExitOf(err), err}
}
