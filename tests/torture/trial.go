package torture

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/webhost-systems/drhost/host"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/journal/filestore"
)

// trial is one world with the lives of one run in it.
type trial struct {
	dir   string // the working folder, made by Init
	state string
	stage *host.Stage
	left  Durable
	lies  bool
	asked int // how often the operator had to look
	lives int

	before before
}

// begin starts the world of the drill in file, a path inside the working
// folder dir, and breaks it.
func begin(ctx context.Context, dir, file string, speed float64) (_ *trial, err error) {
	t := &trial{dir: dir}
	if t.state, err = os.MkdirTemp(dir, "state-"); err != nil {
		return nil, err
	}
	h, err := newHost(t.state)
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(t.temporary(), 0o700); err != nil {
		return nil, err
	}
	t.stage, err = h.Stage(ctx, host.DrillRequest{File: file, Speed: speed, Seed: 1, Say: func(string, ...any) {}, Out: io.Discard, Err: io.Discard})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(t.state))
	}
	if err := t.beforehand(); err != nil {
		return nil, errors.Join(err, t.close())
	}
	return t, nil
}

// temporary is the folder for temporary files of the lives.
func (t *trial) temporary() string { return filepath.Join(t.state, "tmp") }

func (t *trial) close() error { return errors.Join(t.stage.Close(), os.RemoveAll(t.state)) }

// order is what the next life is to do: a run that was never begun is started.
func (t *trial) order(ctx context.Context, verb string, plan Plan) (order, error) {
	d := t.stage.Drill
	if verb == verbRun {
		records, err := t.records(ctx)
		if err != nil {
			return order{}, err
		}
		for _, r := range records {
			if r.Kind == journal.RunStarted {
				verb = verbResume
			}
		}
	}
	return order{Verb: verb, Dir: t.dir, State: t.state, Run: t.stage.Run, Runbook: d.Runbook, Drill: d.Title, Input: d.Input,
		Answers: d.Operator, DetectedAt: t.stage.Detected, Plan: plan, Left: t.left, Lies: t.lies}, nil
}

// records are those of the run; none when it was never begun.
func (t *trial) records(ctx context.Context) ([]journal.Record, error) {
	records, err := filestore.New(t.state, clock.System{}).Read(ctx, t.stage.Run)
	if errors.Is(err, journal.ErrNotFound) {
		return nil, nil
	}
	return records, err
}

// live lets one life be lived. One that died leaves what its kind of death
// leaves of the disk.
func (t *trial) live(ctx context.Context, verb string, plan Plan) (word, error) {
	o, err := t.order(ctx, verb, plan)
	if err != nil {
		return word{}, err
	}
	t.lives++
	last, err := t.run(ctx, o)
	if err != nil {
		return last, err
	}
	if last.End != nil {
		t.left = last.End.Left
		return last, nil
	}
	t.left = last.Death.Left
	if plan.Death == Kill {
		return last, nil
	}
	if err := t.left.lose(plan.Death == Torn, int64(t.lives)); err != nil {
		return last, err
	}
	t.left = Durable{} // what is there now is what the disk held
	return last, nil
}

// run starts the process of a life, answers it, and returns its last word.
func (t *trial) run(ctx context.Context, o order) (last word, err error) {
	self, err := os.Executable()
	if err != nil {
		return last, err
	}
	text, err := json.Marshal(o)
	if err != nil {
		return last, err
	}
	heard, spoken, err := os.Pipe()
	if err != nil {
		return last, err
	}
	defer heard.Close()
	var said strings.Builder
	cmd := exec.CommandContext(ctx, self)
	cmd.Dir, cmd.Env = t.dir, append(os.Environ(), alive+"=1", "TMPDIR="+t.temporary())
	cmd.ExtraFiles, cmd.Stderr = []*os.File{spoken}, &said
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	spoken.Close() // the life has its own
	if err != nil {
		return last, err
	}
	if _, err := in.Write(append(text, '\n')); err != nil {
		return last, errors.Join(err, cmd.Wait())
	}
	listenErr := t.listen(ctx, heard, in, &last)
	waitErr := cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return last, ctx.Err()
	case last.Death == nil && last.End == nil:
		return last, fmt.Errorf("a life ended without a word (%w): %s", errors.Join(listenErr, waitErr), tail(said.String()))
	}
	return last, nil
}

// listen hears a life until it is silent, and plays the operator who looks.
func (t *trial) listen(ctx context.Context, from io.Reader, to io.Writer, last *word) error {
	for words := json.NewDecoder(from); ; {
		var w word
		if err := words.Decode(&w); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if w.Lost == nil {
			*last = w
			continue
		}
		t.asked++
		f, err := t.look(ctx, *w.Lost)
		if err != nil {
			return err
		}
		text, err := json.Marshal(f)
		if err != nil {
			return err
		}
		if _, err := to.Write(append(text, '\n')); err != nil {
			return err
		}
	}
}

func tail(text string) string { return text[max(0, len(text)-2000):] }
