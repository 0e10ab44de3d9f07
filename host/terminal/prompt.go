package terminal

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
)

// Person is an operator at a terminal.
type Person struct {
	mu    sync.Mutex // one question at a time
	in    io.Reader
	lines chan string
	out   io.Writer
	name  string
	over  Screen // what makes room for questions; may be nil
}

// NewPerson asks on out and reads answers from in. name is who is asked.
func NewPerson(in io.Reader, out io.Writer, name string) *Person {
	p := &Person{in: in, lines: make(chan string), out: out, name: name}
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(in); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	return p
}

// Over makes s step aside while p is asked, and returns p.
func (p *Person) Over(s Screen) *Person {
	p.over = s
	return p
}

// turn begins a question and returns what ends it.
func (p *Person) turn() (end func()) {
	p.mu.Lock()
	if p.over == nil {
		return p.mu.Unlock
	}
	p.over.Pause()
	return func() {
		p.over.Resume()
		p.mu.Unlock()
	}
}

// Line asks for one line. Closed input is nobody there.
func (p *Person) Line(ctx context.Context, format string, args ...any) (string, error) {
	fmt.Fprintf(p.out, format, args...)
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case line, ok := <-p.lines:
		if !ok {
			return "", gate.ErrNobody
		}
		return strings.TrimSpace(line), nil
	}
}

// Approve implements gate.Operator.
func (p *Person) Approve(ctx context.Context, q gate.Question) (gate.Answer, error) {
	defer p.turn()()
	fmt.Fprintf(p.out, "\n%s asks for approval:\n  %s\n", q.Site, q.Text)
	for _, line := range q.Detail {
		fmt.Fprintf(p.out, "    %s\n", line)
	}
	if q.Type != "" {
		line, err := p.Line(ctx, "  type %q to approve, anything else denies: ", q.Type)
		return p.answer(line == q.Type), err
	}
	if q.Needs > 1 {
		fmt.Fprintf(p.out, "  %d different people have to approve; so far: %s\n", q.Needs, cmp.Or(strings.Join(q.Given, ", "), "nobody"))
	}
	for {
		line, err := p.Line(ctx, "  approve? [yes/no]: ")
		if err != nil {
			return gate.Answer{}, err
		}
		switch strings.ToLower(line) {
		case "yes", "y":
			if q.Needs > 1 {
				return p.another(ctx, q.Given)
			}
			return p.answer(true), nil
		case "no", "n":
			return p.answer(false), nil
		}
	}
}

// another is the consent of somebody who has not given it yet.
func (p *Person) another(ctx context.Context, given []string) (gate.Answer, error) {
	offered := ""
	if !gate.HasApproved(given, p.name) {
		offered = p.name
	}
	for {
		line, err := p.Line(ctx, "  who approves? [%s]: ", cmp.Or(offered, "name"))
		if err != nil {
			return gate.Answer{}, err
		}
		by := cmp.Or(line, offered)
		if gate.HasApproved(given, by) {
			fmt.Fprintf(p.out, "  %s has approved already; somebody else has to\n", by)
		} else if by != "" {
			return gate.Answer{Text: "approved", By: by}, nil
		}
	}
}

func (p *Person) answer(yes bool) gate.Answer {
	if yes {
		return gate.Answer{Text: "approved", By: p.name}
	}
	return gate.Answer{Text: "denied", By: p.name}
}

// Choose implements gate.Operator.
func (p *Person) Choose(ctx context.Context, q gate.Question) (gate.Answer, error) {
	defer p.turn()()
	fmt.Fprintf(p.out, "\n%s\n", q.Text)
	for {
		if len(q.Choices) > 0 {
			fmt.Fprintf(p.out, "  [%s]", strings.Join(q.Choices, " | "))
		}
		line, err := p.Line(ctx, " > ")
		if err != nil {
			return gate.Answer{}, err
		}
		if len(q.Choices) == 0 && line != "" {
			return gate.Answer{Text: line, By: p.name}, nil
		}
		for _, c := range q.Choices {
			if line == c {
				return gate.Answer{Text: c, By: p.name}, nil
			}
		}
	}
}

// Settle implements gate.Operator.
func (p *Person) Settle(ctx context.Context, l gate.Lost) (gate.Verdict, error) {
	defer p.turn()()
	fmt.Fprintf(p.out, "\n%s:%d: nobody knows whether this happened: %s\n  why: %s\n  look: %s\n", l.Site.File, l.Site.Line, l.Says, l.Why, l.Look)
	for {
		line, err := p.Line(ctx, "  did it happen? [yes | no | stop]: ")
		if err != nil {
			return gate.Verdict{}, err
		}
		switch strings.ToLower(line) {
		case "no":
			return gate.Verdict{Landed: binding.No, By: p.name}, nil
		case "stop":
			return gate.Verdict{}, gate.ErrNobody
		case "yes":
			result, err := p.result(ctx, l)
			return gate.Verdict{Landed: binding.Yes, Result: result, By: p.name}, err
		}
	}
}

// result asks what a call gave whose answer was lost, until the answer fits.
func (p *Person) result(ctx context.Context, l gate.Lost) (json.RawMessage, error) {
	if l.Result != nil && l.Result.Kind == binding.Nothing {
		return nil, nil
	}
	if l.Result != nil {
		fmt.Fprintf(p.out, "  the runbook goes on with its result, which is like\n    %s\n", l.Result.Shape())
	}
	for {
		result, err := p.value(ctx, "  its result as JSON (empty for none): ")
		if err != nil {
			return nil, err
		}
		if err := l.Fits(result); err != nil {
			fmt.Fprintf(p.out, "  %v\n", err)
			continue
		}
		return result, nil
	}
}

func (p *Person) value(ctx context.Context, prompt string) (json.RawMessage, error) {
	for {
		line, err := p.Line(ctx, "%s", prompt)
		if err != nil || line == "" {
			return nil, err
		}
		if json.Valid([]byte(line)) {
			return json.RawMessage(line), nil
		}
		fmt.Fprintln(p.out, "  that is no JSON; text needs quotes")
	}
}

// remedy is a way on from a failed step, as it is offered and may be typed.
type remedy struct{ word, key, does string }

var remedies = [...]remedy{
	{"retry", "r", "try the step again"},
	{"skip", "s", "go on without it; you say why, and what it would have returned"},
	{"by hand", "b", "you have done it yourself; you say what, and what it would have returned"},
	{"edit", "e", "stop here; a resume tries the edited step"},
	{"stop", "q", "stop here; a resume goes on"},
	{"raise", "x", "let the runbook handle the failure"},
}

// offered are the remedies of a failed step; the failure of an undo is nothing
// that a runbook could handle.
func offered(undo bool) []remedy {
	if undo {
		return remedies[:len(remedies)-1]
	}
	return remedies[:]
}

// Recover implements gate.Operator.
func (p *Person) Recover(ctx context.Context, f gate.Failure) (gate.Remedy, error) {
	defer p.turn()()
	title := "step " + strconv.Quote(f.Step)
	if f.Undo {
		title = "the undo of step " + strconv.Quote(strings.TrimPrefix(f.Step, journal.UndoRoot+"/"))
	}
	fmt.Fprintf(p.out, "\n%s failed:\n  %v\n", title, f.Cause)
	for _, r := range offered(f.Undo) {
		fmt.Fprintf(p.out, "    %s  %-8s %s\n", r.key, r.word, r.does)
	}
	for {
		line, err := p.Line(ctx, "  what now? ")
		if err != nil {
			return gate.Remedy{}, err
		}
		line = strings.ReplaceAll(strings.ToLower(line), "_", " ")
		at := slices.IndexFunc(offered(f.Undo), func(r remedy) bool { return line == r.word || line == r.key })
		if at < 0 {
			fmt.Fprintf(p.out, "  type one of the words above, or its letter\n")
			continue
		}
		r := gate.Remedy{Do: strings.ReplaceAll(remedies[at].word, " ", "_"), By: p.name}
		switch r.Do {
		case "skip":
			return p.standIn(ctx, r, "why is it skipped?", f.Undo)
		case "by_hand":
			return p.standIn(ctx, r, "what was done by hand, and why?", f.Undo)
		}
		return r, nil
	}
}

// standIn asks why a step is not run, and for the value that stands in for its
// own; an undo has none.
func (p *Person) standIn(ctx context.Context, r gate.Remedy, why string, undo bool) (gate.Remedy, error) {
	for r.Reason == "" {
		reason, err := p.Line(ctx, "  %s ", why)
		if err != nil {
			return r, err
		}
		r.Reason = reason
	}
	if undo {
		return r, nil
	}
	value, err := p.value(ctx, "  the value the step would have returned, as JSON (empty for none): ")
	r.Value = value
	return r, err
}
