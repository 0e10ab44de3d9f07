package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/run"
	"github.com/webhost-systems/drhost/host/sandbox"
)

// resumption is a run that is about to go on.
type resumption struct {
	h       *Host
	p       *project
	log     journal.Log
	started journal.Started
	by      string
	r       Request
}

// sourceToResume is the sealed script, or the edited one when the operator
// agrees to go on with it.
func (h *Host) sourceToResume(ctx context.Context, p *project, log journal.Log, started journal.Started, by string, r Request) (bundle, error) {
	s := &resumption{h, p, log, started, by, r}
	known, err := lastSealed(started, log.Records())
	if err != nil {
		return bundle{}, err
	}
	kept, err := h.unseal(p.store.Path(started.Run), started, known)
	if err != nil {
		return kept, journalError(err)
	}
	if strings.HasPrefix(started.Runbook, ofProgram) {
		return kept, nil // no file is called so
	}
	path := p.whereIs(started)
	now, err := os.ReadFile(path)
	if err != nil {
		return kept, s.lost(path, err)
	}
	edited := kept // with the std modules of the run, so far as it has them
	edited.Source = sandbox.Source{File: started.Runbook, Text: now}
	if hash(edited.Source) == known.hash {
		s.libraries(kept, known)
		return kept, nil
	}
	return s.edited(ctx, kept, edited, known)
}

// origin is where a runbook lies, as the journal keeps it.
func (p *project) origin(runbook string) string {
	path, err := filepath.Abs(runbook)
	if err != nil {
		return ""
	}
	home, err := filepath.Abs(p.config.Dir)
	if err != nil {
		return path
	}
	if inside, err := filepath.Rel(home, path); err == nil && filepath.IsLocal(inside) {
		return inside
	}
	return path
}

// whereIs is the runbook of a run, from the folder that a command is given in.
func (p *project) whereIs(started journal.Started) string {
	switch {
	case started.Origin == "": // an older version's run
		return started.Runbook
	case filepath.IsAbs(started.Origin):
		return started.Origin
	}
	return filepath.Join(p.config.Dir, started.Origin)
}

// say tells the person at the run, and the journal when it is to be kept.
func (s *resumption) say(text string, keep bool) error {
	if s.r.Warn != nil {
		s.r.Warn(text)
	}
	if !keep {
		return nil
	}
	if _, err := s.log.Append(journal.Note, journal.NoteText{Text: text, Site: journal.Site{File: s.started.Runbook}, Form: "note"}, true); err != nil {
		return journalError(err)
	}
	return nil
}

// lost goes on with the sealed script because there is no other.
func (s *resumption) lost(path string, err error) error {
	why := "is not there any more"
	if !errors.Is(err, fs.ErrNotExist) {
		why = fmt.Sprintf("cannot be read (%v)", errors.Unwrap(err))
	}
	return s.say(fmt.Sprintf("%s %s; the run goes on with its own copy, which is in %s", shortPath(path), why, sourceFolder(filepath.Join("runs", s.started.Run))), true)
}

// libraries tells of std modules that this program has otherwise than the run.
func (s *resumption) libraries(kept bundle, known seals) {
	for _, name := range slices.Sorted(maps.Keys(known.libraries)) {
		if today, ok := s.h.Std[name]; !ok || hashOf(today) != known.libraries[name] {
			s.say(fmt.Sprintf("this drhost (%s) has another %s than the one that began the run (%s); the run goes on with its own", s.h.Version, name, s.started.Version), false)
		}
	}
}

// edited asks which script counts.
func (s *resumption) edited(ctx context.Context, kept, edited bundle, known seals) (bundle, error) {
	name := s.started.Runbook
	changes := difference(kept.Source, edited.Source, "the run's")
	if problems := s.h.checkSource(edited); len(problems) > 0 {
		return s.unusable(ctx, kept, changes, &ProblemsError{problems})
	}
	t, err := s.h.compare(kept, edited, s.log.Records())
	if err != nil {
		return s.unusable(ctx, kept, changes, err)
	}
	if _, err := inputToResume(t.script, s.started); err != nil {
		return s.unusable(ctx, kept, changes, err)
	}
	text := fmt.Sprintf("%s was edited since the run stopped:\n%s\n%s", name, changes, t)
	answer, err := s.choose(ctx, gate.Question{Text: text + "\nGo on with the edited runbook?", Choices: []string{"edited", "as it was", "stop"}})
	if err != nil || answer.Text == "as it was" {
		return kept, err
	}
	if s.unattended() {
		s.say(text+"\n--yes takes the edited runbook", false)
	}
	if err := sealEdited(s.p.store.Path(s.started.Run), edited); err != nil {
		return kept, journalError(err)
	}
	change := journal.Change{From: known.hash, To: hash(edited.Source), Diff: changes, Step: t.first, By: answer.By, Files: []string{name},
		Touches: t.lines, Libraries: edited.libraries()}
	if _, err := s.log.Append(journal.SourceChanged, change, true); err != nil {
		return kept, journalError(err)
	}
	return edited, nil
}

// unusable is an edited runbook that cannot be gone on with. A person may go
// on with the script as it was.
func (s *resumption) unusable(ctx context.Context, kept bundle, changes string, why error) (bundle, error) {
	why = fmt.Errorf("%s was edited since the run stopped, and the run cannot go on with it:\n%w\n%s", s.started.Runbook, why, changes)
	if s.r.Operator == nil || s.unattended() {
		return kept, Usage(why)
	}
	answer, err := s.choose(ctx, gate.Question{Text: why.Error() + "Go on with the runbook as it was?", Choices: []string{"as it was", "stop"}})
	if errors.Is(err, errNobodySays) {
		err = Usage(why)
	}
	if err == nil && answer.Text != "as it was" {
		err = Usage(why)
	}
	return kept, err
}

func (s *resumption) unattended() bool {
	u, ok := s.r.Operator.(*Unattended)
	return ok && u.Yes
}

// errNobodySays is that nobody was there to say which script counts.
var errNobodySays = errors.New("nobody is there to say; resume with a person present, with --yes to take the edited runbook, or restore the file")

// choose asks which script counts, and records when it is the one as it was.
func (s *resumption) choose(ctx context.Context, q gate.Question) (gate.Answer, error) {
	if s.unattended() {
		return gate.Answer{Text: "edited", By: s.by + gate.Beforehand}, nil
	}
	answer, err := gate.Answer{}, error(gate.ErrNobody)
	if s.r.Operator != nil {
		answer, err = s.r.Operator.Choose(ctx, q)
	}
	switch {
	case errors.Is(err, gate.ErrNobody):
		return answer, &Error{run.ExitWaits, fmt.Errorf("%s\n%w", q.Text, errNobodySays)}
	case err != nil:
		return answer, err
	case answer.Text == "stop":
		return answer, &Error{run.ExitInterrupted, errors.New("stopped; the run can be resumed")}
	case answer.Text == "as it was":
		return answer, s.say(fmt.Sprintf("%s goes on with the runbook as it was; what was edited in %s since is left out", answer.By, s.started.Runbook), true)
	}
	return answer, nil
}

// difference shows what was edited in a script that was sealed; whose says by
// what.
func difference(sealed, now sandbox.Source, whose string) string {
	return string(diff.Diff(whose+" "+filepath.Base(now.File), sealed.Text, now.File, now.Text))
}

// inputToResume is what the run was given, with the defaults of inputs that
// its runbook did not have when it began.
func inputToResume(s *sandbox.Script, started journal.Started) (map[string]any, error) {
	declared, _ := s.Head["input"].(map[string]any)
	input := maps.Clone(started.Input)
	if input == nil {
		input = map[string]any{}
	}
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		if _, given := input[name]; given {
			continue
		}
		value, err := inputValue(context.Background(), name, declared[name], Request{})
		if err != nil {
			return nil, Usage(fmt.Errorf("%s wants an input %q that run %s was not given; an input that is new in a run under way needs a default",
				started.Runbook, name, started.Run))
		}
		if value != nil {
			input[name] = value
		}
	}
	return input, nil
}

// indent moves text, line by line, to the right.
func indent(lines []string) string { return "  " + strings.Join(lines, "\n  ") }
