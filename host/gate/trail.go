package gate

import (
	"fmt"
	"strings"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/journal"
)

// End is how a step or branch ended, and the number of the record that says so.
type End struct {
	journal.Step
	Seq int64
}

// keeps tells of an end that stands when what lies around it is tried again.
func (e End) keeps() bool {
	return e.Result == "value" || e.Result == "skipped" || e.Result == "by_hand"
}

// trail is what a retraced run follows beside the cursor's outcomes and events.
type trail struct {
	*cursor
	ended   map[string]End
	started map[string]bool // paths that were started at all
	refuted map[string]bool // keys of calls that were found not to have happened
	changes []change        // what the run changed, in its order
	strayed error           // where script and journal first differed
}

// change is a mutation that the provider carried out, or at least accepted.
type change struct{ key, says string }

func (t *trail) changed(out journal.Outcome) {
	switch {
	case landed(out):
		t.changes = append(t.changes, change{out.Key, fmt.Sprintf("%s (step %q)", out.Says, titleOf(out.Site.Step))})
	case out.Effect != binding.Reads.String() && out.Fault.Sent == fault.Done:
		t.changes = append(t.changes, change{out.Key, fmt.Sprintf("%s (step %q): accepted, then %s", out.Says, titleOf(out.Site.Step), out.Fault.Message)})
	}
}

// titleOf is the title of the step at path.
func titleOf(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// take adds one record of the run.
func (t *trail) take(r journal.Record) error {
	switch r.Kind {
	case journal.CallIntent, journal.CallOutcome:
		if err := t.call(r); err != nil {
			return err
		}
		if r.Kind == journal.CallOutcome {
			out, err := journal.Decode[journal.Outcome](r)
			if err != nil {
				return err
			}
			t.changed(t.outcomes[out.Key])
		}
	case journal.StepStarted:
		s, err := journal.Decode[journal.Step](r)
		if err != nil {
			return err
		}
		if t.started[s.Path] {
			t.restart(s.Path)
		}
		t.started[s.Path] = true
		if s.Form == "branch" {
			t.events = append(t.events, startEvent+s.Path)
		}
	case journal.StepFinished:
		s, err := journal.Decode[journal.Step](r)
		if err != nil {
			return err
		}
		t.ended[s.Path] = End{Step: s, Seq: r.Seq}
		if s.Form != "branch" && s.Result != "cancelled" {
			t.events = append(t.events, stepEvent+s.Path)
		}
	}
	return nil
}

// restart is another attempt at path: what was read in the one before does not
// count any more. Mutations that succeeded still do, and so does all of a step
// inside that finished: it may have handed back its value in the new attempt
// without a record. These answer without a place in the order.
func (t *trail) restart(path string) {
	delete(t.ended, path)
	for inner, end := range t.ended {
		if under(inner, path) && !end.keeps() {
			delete(t.ended, inner)
		}
	}
	kept := func(key string) bool {
		for inner := range t.ended {
			if under(inner, path) && under(key, inner) {
				return true
			}
		}
		return false
	}
	for key, out := range t.done {
		if under(key, path) && !landed(out) && !kept(key) {
			delete(t.done, key)
		}
	}
	events := t.events[:0]
	for _, e := range t.events {
		key := eventKey(e)
		if !under(key, path) && key != path {
			events = append(events, e)
			continue
		}
		if out, ok := t.outcomes[key]; ok && e == key {
			if landed(out) || kept(key) {
				t.done[key] = out
			}
			delete(t.outcomes, key)
		}
	}
	t.events = events
}

// landed tells of a mutation that was carried out.
func landed(out journal.Outcome) bool {
	return out.Effect != binding.Reads.String() && out.Fault == nil
}
