package host

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/lever"
)

// haltPath is the lever that holds the mutations of every run in a state
// folder; pausePath the one that holds a single run.
func haltPath(state string) string { return filepath.Join(state, "halt.json") }

func (p *project) pausePath(run string) string {
	return filepath.Join(p.store.Path(run), "pause.json")
}

// LeverState is how a lever stands.
type LeverState struct {
	What  string       `json:"what"` // "every run" or a run's id
	Down  bool         `json:"down"`
	Lever *lever.Lever `json:"lever,omitempty"`
	// Lifted is the lever that was just taken up.
	Lifted *lever.Lever `json:"lifted,omitempty"`
	State  string       `json:"state"` // the folder it holds for
}

// LeverAction is what is done to a lever.
type LeverAction int

const (
	PullLever LeverAction = iota
	LiftLever
	ReadLever
)

// Halt pulls, lifts or reads the lever that stops every new mutation of every
// run of the state folder. Reads go on.
func (h *Host) Halt(start string, do LeverAction, by, reason string) (*LeverState, error) {
	p, err := h.open(start)
	if err != nil {
		return nil, err
	}
	return h.pull(p, haltPath(p.state), "every run", do, by, reason)
}

// Pause pulls, lifts or reads the lever of one run, which then waits before
// its next call.
func (h *Host) Pause(ctx context.Context, start, id string, do LeverAction, by, reason string) (*LeverState, error) {
	p, err := h.open(start)
	if err != nil {
		return nil, err
	}
	if id, err = h.findRun(ctx, p, id); err != nil {
		return nil, err
	}
	return h.pull(p, p.pausePath(id), id, do, by, reason)
}

func (h *Host) pull(p *project, path, what string, do LeverAction, by, reason string) (*LeverState, error) {
	s := &LeverState{What: what, State: p.state}
	if by == "" {
		by = whoami()
	}
	switch do {
	case PullLever:
		if err := lever.Pull(path, lever.Lever{By: by, At: h.Clock.Now().UTC(), Reason: reason}); err != nil {
			return nil, journalError(err)
		}
	case LiftLever:
		was, err := lever.Lift(path)
		if err != nil {
			return nil, journalError(err)
		}
		s.Lifted = was
	}
	now, err := lever.Read(path)
	if err != nil {
		return nil, journalError(err)
	}
	s.Lever, s.Down = now, now != nil
	return s, nil
}

// Text prints how the lever stands.
func (s *LeverState) Text(w io.Writer) error {
	held, stands := "halted", "halted: no run in "+shortPath(s.State)+" changes anything until `drhost halt --lift`; reads go on"
	if s.What != "every run" {
		held, stands = "paused", fmt.Sprintf("run %s is paused: it waits before its next call until `drhost pause %s --lift`", s.What, s.What)
	}
	var err error
	switch {
	case s.Down:
		_, err = fmt.Fprintf(w, "%s\n  %s\n", stands, s.Lever)
	case s.Lifted != nil:
		_, err = fmt.Fprintf(w, "lifted; it was %s %s\n", held, s.Lifted)
	default:
		_, err = fmt.Fprintf(w, "not %s\n", held)
	}
	return err
}

// leastSaid is how many characters a justification has at least.
const leastSaid = 20

// enoughSaid refuses a break-glass without a justification.
func enoughSaid(justification string) error {
	if justification == "" {
		return nil
	}
	if n := utf8.RuneCountInString(strings.Join(strings.Fields(justification), " ")); n < leastSaid {
		return Usage(fmt.Errorf("--break-glass: say in a sentence why one person goes on alone; it needs at least %d characters, and has %d", leastSaid, n))
	}
	return nil
}

// levers are those that concern one run, for its gate.
type levers struct{ halt, pause string }

var _ gate.Levers = levers{}

// Halted implements gate.Levers. A lever that cannot be read is down.
func (l levers) Halted() string { return reasonOf(l.halt, "every run is halted") }

// Paused implements gate.Levers.
func (l levers) Paused() string { return reasonOf(l.pause, "this run is paused") }

func reasonOf(path, what string) string {
	l, err := lever.Read(path)
	switch {
	case err != nil:
		return fmt.Sprintf("%s: %v", what, err)
	case l != nil:
		return fmt.Sprintf("%s %s", what, l)
	}
	return ""
}
