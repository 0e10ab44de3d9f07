package gate

import (
	"slices"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/journal"
)

// cursor is what the journal of an earlier life of the run knows.
type cursor struct {
	outcomes map[string]journal.Outcome // not yet handed out; key -> outcome
	intents  map[string]journal.Intent  // mutations without an outcome
	since    map[string]time.Time       // when those intents were recorded
	steps    map[string]journal.Step    // finished, not covered by a finished one
	done     map[string]journal.Outcome // successful mutations of attempts that are over
	attempts map[string]int             // path -> the last attempt that was started
	reopened map[string]bool            // its last attempt failed and is to be tried again
	notes    map[string]bool            // keys of notes that are on record
	branches map[string]journal.Step    // finished branches of what is still open
	broken   map[string]string          // branches that ended badly -> how; they are replayed
	asked    map[string]*question       // call key -> what was asked and is not settled
	events   []string
	began    map[string]int // path -> how many events there were when it was started
}

// How the end of a step and the start of a branch are named among the events;
// an event without a prefix is the outcome of a call.
const (
	stepEvent  = "step:"
	startEvent = "start:"
	dropped    = "" // was an event; the others keep their places while records are read
)

// eventKey is the path or call key that an event is about.
func eventKey(event string) string {
	return strings.TrimPrefix(strings.TrimPrefix(event, stepEvent), startEvent)
}

// newCursor reads the records of a run's earlier lives.
func newCursor(records []journal.Record) (*cursor, error) {
	c := &cursor{outcomes: map[string]journal.Outcome{}, intents: map[string]journal.Intent{}, since: map[string]time.Time{},
		steps: map[string]journal.Step{}, done: map[string]journal.Outcome{}, attempts: map[string]int{},
		reopened: map[string]bool{}, notes: map[string]bool{}, branches: map[string]journal.Step{},
		broken: map[string]string{}, asked: map[string]*question{}, began: map[string]int{}}
	retried := failuresToRetry(records)
	for i, r := range records {
		switch r.Kind {
		case journal.CallIntent, journal.CallOutcome:
			if err := c.call(r); err != nil {
				return nil, err
			}
		case journal.StepStarted:
			if err := c.start(r); err != nil {
				return nil, err
			}
		case journal.Note:
			n, err := journal.Decode[journal.NoteText](r)
			if err != nil {
				return nil, err
			}
			c.notes[n.Key] = true
		case journal.DecisionMade:
			d, err := journal.Decode[journal.Decision](r)
			if err != nil {
				return nil, err
			}
			c.notes[d.Key] = true // told once, as notes are
		case journal.ApprovalAsked, journal.ApprovalGiven:
			if err := c.recall(r); err != nil {
				return nil, err
			}
		case journal.StepFinished:
			s, err := journal.Decode[journal.Step](r)
			if err != nil {
				return nil, err
			}
			if s.Result == "cancelled" {
				c.broken[s.Path] = s.Result
				continue
			}
			if retried[i] {
				c.reopen(s.Path)
				c.reopened[s.Path] = true
				continue
			}
			c.finish(s)
		}
	}
	c.events = slices.DeleteFunc(c.events, func(e string) bool { return e == dropped })
	return c, nil
}

// call adds an intent or an outcome.
func (c *cursor) call(r journal.Record) error {
	if r.Kind == journal.CallIntent {
		in, err := journal.Decode[journal.Intent](r)
		if err == nil {
			c.intents[in.Key], c.since[in.Key] = in, r.Time
			delete(c.asked, in.Key)
		}
		return err
	}
	out, err := journal.Decode[journal.Outcome](r)
	if err != nil {
		return err
	}
	if in, ok := c.intents[out.Key]; ok {
		out.Args, out.Says = in.Args, in.Says
		delete(c.intents, out.Key)
	}
	c.outcomes[out.Key] = out
	c.events = append(c.events, out.Key)
	delete(c.asked, out.Key)
	return nil
}

// start adds an attempt at a step or branch.
func (c *cursor) start(r journal.Record) error {
	s, err := journal.Decode[journal.Step](r)
	if err != nil {
		return err
	}
	c.attempts[s.Path] = s.Attempt
	delete(c.reopened, s.Path)
	delete(c.broken, s.Path)
	_, ended := c.steps[s.Path]
	_, through := c.branches[s.Path]
	if ended || through || s.Attempt > 1 { // what it lies in is tried again, or it is itself
		delete(c.steps, s.Path)
		delete(c.branches, s.Path)
		c.reopen(s.Path)
	}
	c.began[s.Path] = len(c.events)
	if s.Form == "branch" {
		c.events = append(c.events, startEvent+s.Path)
	}
	return nil
}

// failuresToRetry marks the failures of steps that do not stand. One that
// ended the run does not: after it nothing more was done but to journal the
// end, and a resume tries its step again; a run that died after a failure has
// not ended by it, because the script may be about to live with it. Nor does
// one that a person wants tried again, or whose step, or one around it, was
// tried again later.
func failuresToRetry(records []journal.Record) map[int]bool {
	marked := map[int]bool{}
	again := map[string]bool{} // paths that were started later
	ended, last := false, true
	for i := len(records) - 1; i >= 0; i-- {
		switch records[i].Kind {
		case journal.RunFinished, journal.UndoFinished:
			ended = ended || last
			continue
		case journal.LeaseTaken, journal.Note, journal.ApprovalAsked, journal.TailRepaired,
			journal.FaultInjected, journal.SourceChanged, journal.UndoStarted,
			journal.DecisionMade, journal.PlanDeviated:
			continue
		case journal.StepStarted:
			if s, err := journal.Decode[journal.Step](records[i]); err == nil {
				again[s.Path] = true
			}
		case journal.StepFinished:
			s, err := journal.Decode[journal.Step](records[i])
			if err == nil && (s.Result == "fault" || s.Result == "cancelled") {
				marked[i] = last && ended || s.Again || startedIn(again, s.Path)
				continue
			}
		}
		last = false
	}
	return marked
}

// startedIn tells whether path, or what it lies in, is among paths.
func startedIn(paths map[string]bool, path string) bool {
	for at := len(path); at > 0; at = strings.LastIndexByte(path[:at], '/') {
		if paths[path[:at]] {
			return true
		}
	}
	return false
}

// reopen forgets the events inside path but for what must not be done twice.
// What is inside begins anew and says so in the journal.
func (c *cursor) reopen(path string) {
	c.beginAnew(path)
	for branch, s := range c.branches {
		if under(branch, path) {
			c.steps[branch] = s
			delete(c.branches, branch)
		}
	}
	for i, e := range c.events {
		key := eventKey(e)
		if e == dropped || !under(key, path) && key != path {
			continue
		}
		c.events[i] = dropped
		if out, ok := c.outcomes[key]; ok && e == key {
			if landed(out) {
				c.done[key] = out
			}
			delete(c.outcomes, key)
		}
		if s, ok := c.steps[key]; ok && s.Result == "fault" {
			delete(c.steps, key)
		}
	}
}

func (c *cursor) beginAnew(path string) {
	for inner := range c.attempts {
		if under(inner, path) {
			c.reopened[inner] = true
			delete(c.broken, inner)
		}
	}
}

// finish records that path returns a value from now on; what lies inside it
// will not be asked for. A branch is different as long as what it belongs to
// is open: it is replayed call by call, so that what branches share is as it
// was; only when a failed parallel is tried again do its finished branches
// hand back their values.
func (c *cursor) finish(s journal.Step) {
	if s.Form == "branch" {
		if s.Result == "fault" {
			c.broken[s.Path] = s.Result
		} else {
			c.branches[s.Path] = s
		}
		return
	}
	for i := c.began[s.Path]; i < len(c.events); i++ { // what is inside it came after its start
		e := c.events[i]
		key := eventKey(e)
		if e == dropped || !under(key, s.Path) && key != s.Path {
			continue
		}
		c.events[i] = dropped
		if out, ok := c.outcomes[key]; ok && landed(out) {
			c.done[key] = out // should the step be tried again after all
		}
		delete(c.outcomes, key)
		switch e {
		case stepEvent + key:
			delete(c.steps, key)
		case startEvent + key:
			delete(c.branches, key)
		}
	}
	c.events = append(c.events, stepEvent+s.Path)
	c.steps[s.Path] = s
}
